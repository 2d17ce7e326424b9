/*
 * P1: whatever the values and the output, and however it is cut, what comes out is what the model says.
 *
 * An input is: a byte, the length of the pieces; values, each with a NUL behind it; a NUL; the output.
 */
#include <string.h>

#include "fuzz.h"
#include "mask.h"
#include "mask_model.h"

enum { SIZE_MAX_HERE = 2048, VALUES_MAX_HERE = 8 };

struct text {
	char bytes[3 * SIZE_MAX_HERE];
	size_t len;
};

static void on_output(void *arg, const char *bytes, size_t len)
{
	struct text *text = arg;

	must(len > 0 && text->len + len <= sizeof(text->bytes));
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
}

/* Takes the values off the input. */
static void take_values(struct mask *mask, struct model *model, const char **text, size_t *len)
{
	for (size_t i = 0; i<VALUES_MAX_HERE && * len> 0; i++) {
		size_t value_len = strnlen(*text, *len);

		if (value_len > 0)
			must(mask_add(mask, *text, value_len) ==
				(value_len < MASK_VALUE_BYTES_MIN ? ERR_BAD_VALUE : OK));
		model_value(model, *text, value_len);
		*text += value_len + (value_len < *len);
		*len -= value_len + (value_len < *len);
		if (value_len == 0)
			return;
	}
}

static void feed(struct mask_stream *stream, const char *output, size_t len, size_t piece, bool is_slow)
{
	for (size_t at = 0; at < len; at += piece) {
		mask_feed(stream, output + at, len - at < piece ? len - at : piece);
		if (!is_slow)
			continue;
		mask_idle(stream);
		must(!mask_is_waiting(stream));
	}
	mask_flush(stream);
}

static void check(const struct mask *mask, struct model *model, const char *output, size_t len, size_t piece)
{
	static struct text text;
	struct mask_stream *stream = NULL;
	struct model_text expected = model_mask(model, output, len);

	text.len = 0;
	must(mask_stream_new(mask, on_output, &text, &stream) == OK);
	feed(stream, output, len, piece, false);
	must(text.len == expected.len && memcmp(text.bytes, expected.bytes, text.len) == 0);
	text.len = 0;
	feed(stream, output, len, piece, true);
	mask_stream_free(stream);
	free(expected.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model model = {0};
	struct mask *mask = NULL;
	const char *text = (const char *)data + 1;
	size_t len = size - 1;

	if (size < 1 || size > SIZE_MAX_HERE)
		return 0;
	must(mask_new(&mask) == OK);
	take_values(mask, &model, &text, &len);
	must(mask_build(mask) == OK);
	check(mask, &model, text, len, data[0] + 1u);
	mask_free(mask);
	model_free(&model);
	return 0;
}
