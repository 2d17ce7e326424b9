/*
 * P8: whatever the bytes, the gate refuses them or gives tokens that lie within them, nest properly and keep
 * their text when it is written and read again.
 */
#include <string.h>

#include "fuzz.h"
#include "json.h"

enum { TOKENS_MAX = 512 };

static const struct gate_limits limits = {.depth_max = 16, .tokens_max = TOKENS_MAX, .keys_max = 64};

static void check_container(const struct json_doc *doc, const struct json_token *container)
{
	uint32_t entries = 0;

	for (const struct json_token *t = json_first(doc, container); t != NULL;
		t = json_next(doc, container, t)) {
		must(t > container && t < doc->tokens + container->next);
		if (container->type == JSON_OBJECT) {
			must(t->type == JSON_STRING && !t->has_escape);
			must((t + 1)->next <= container->next);
		}
		entries++;
	}
	must(entries == container->count);
}

/* text → JSON → text */
static void check_text(const char *text, size_t len)
{
	static const char before[] = "{\"a\":";
	struct json_token tokens[3] = {0};
	BUF_AUTO buf = {0};
	struct json_writer w = json_writer(&buf);

	must(gate_is_utf8(text, len));
	json_begin_object(&w);
	json_key(&w, "a");
	json_write_text(&w, text, len);
	json_end_object(&w);
	must(!buf_failed(&buf) && buf.len == strlen(before) + json_escaped_len(text, len) + 1);

	struct json_doc doc = {.text = buf.bytes, .tokens = tokens};
	const struct gate_limits exact = {.depth_max = 1, .tokens_max = 3, .keys_max = 1};

	must(gate_scan(buf.bytes, buf.len, &exact, tokens, &doc.count) == OK);
	must(json_equals(&doc, &tokens[2], text));
}

static void check_string(const struct json_doc *doc, const struct json_token *string)
{
	size_t cap = json_text_len(doc, string) + 1;
	char *text = malloc(cap);
	size_t len = 0;

	must(text != NULL && cap <= (size_t)string->len + 1);
	must(json_text(doc, string, text, cap, &len) == OK && len == cap - 1 && strlen(text) == len);
	must(json_equals(doc, string, text));
	check_text(text, len);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_token tokens[TOKENS_MAX];
	struct json_doc doc = {.text = (const char *)data, .tokens = tokens};
	int64_t value = 0;

	if (gate_scan(doc.text, size, &limits, tokens, &doc.count) != OK)
		return 0;
	must(doc.count > 0 && doc.count <= TOKENS_MAX && tokens[0].type == JSON_OBJECT &&
		tokens[0].next == doc.count);
	for (uint32_t i = 0; i < doc.count; i++) {
		const struct json_token *token = &tokens[i];

		must(token->start <= size && token->len <= size - token->start);
		must(token->next > i && token->next <= doc.count);
		if (token->type == JSON_STRING)
			check_string(&doc, token);
		else if (token->type == JSON_OBJECT || token->type == JSON_ARRAY)
			check_container(&doc, token);
		else
			must((json_integer(&doc, token, &value) == OK) == (token->type == JSON_INTEGER));
	}
	return 0;
}
