/*
 * P8 and P1: whatever the line, request_parse refuses it in words of our own, or every field that it gives
 * is one that the method takes, fits its limit, and can be read, stored and written again.
 */
#include <string.h>

#include "fuzz.h"
#include "request.h"

/* The id is valid JSON of one line: it will be echoed. */
static void check_id(const struct request *request)
{
	static const char before[] = "{\"id\":";
	struct json_token tokens[3] = {0};
	char text[REQUEST_ID_BYTES_MAX + sizeof(before)] = {0};
	const struct gate_limits exact = {.depth_max = 1, .tokens_max = 3, .keys_max = 1};
	uint32_t count = 0;

	must(request->id_len > 0 && request->id_len <= REQUEST_ID_BYTES_MAX);
	memcpy(text, before, strlen(before));
	memcpy(text + strlen(before), request->id, request->id_len);
	text[strlen(before) + request->id_len] = '}';
	must(gate_scan(text, strlen(before) + request->id_len + 1, &exact, tokens, &count) == OK);
}

static void check_detail(const struct request *request)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_, ";

	if (request->detail != NULL)
		must(strlen(request->detail) < sizeof(request->detail_store) &&
			request->detail[strspn(request->detail, letters)] == '\0');
}

static void check_documented(const struct request *request, enum field field)
{
	char text[FIELD_TEXT_BYTES_MAX] = {0};
	BUF_AUTO buf = {0};
	struct json_writer w = json_writer(&buf);

	must(request_field_text(request, field, text, sizeof(text)) == OK);
	must(gate_is_utf8(text, strlen(text)));
	json_begin_object(&w);
	json_key(&w, "a");
	field_write_json(&w, field, text);
	json_end_object(&w);

	static struct json_token tokens[REQUEST_TOKENS_MAX];
	const struct gate_limits limits = {
		.depth_max = 2, .tokens_max = REQUEST_TOKENS_MAX, .keys_max = REQUEST_KEYS_MAX};
	uint32_t count = 0;

	must(!buf_failed(&buf) && gate_scan(buf.bytes, buf.len, &limits, tokens, &count) == OK);
}

static void check_fields(const struct request *request)
{
	const struct request_info *info = request_info(request->kind);
	uint32_t given = 0;
	uint32_t taken = 0;

	for (size_t i = 0; i < info->field_count; i++) {
		enum field field = info->fields[i].field;

		must(!info->fields[i].is_needed || request_has(request, field));
		taken += request_has(request, field);
		if (request_has(request, field) && field >= FIELD_TITLE && field <= FIELD_LABELS)
			check_documented(request, field);
	}
	for (int f = 0; f < FIELD_COUNT; f++)
		given += request_has(request, (enum field)f);
	must(given == taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct request request;
	enum err err = request_parse((const char *)data, size, &request);

	check_id(&request);
	check_detail(&request);
	must(err != OK || (request.has_kind && request.detail == NULL));
	if (err == OK)
		check_fields(&request);
	return 0;
}
