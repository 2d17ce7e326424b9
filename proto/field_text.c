/*
 * The documented fields of an integration on their way into the store and out again: one text per field,
 * lists joined by newlines, which no entry can hold, and maps as "key=value" lines, whose keys hold no '='.
 */
#include <stdlib.h>
#include <string.h>

#include "request.h"

static void append_scalar(const struct json_doc *doc, const struct json_token *token, struct buf *out)
{
	size_t len = 0;

	if (token->type != JSON_STRING)
		buf_append(out, json_raw(doc, token), token->len);
	else if (json_text(doc, token, out->bytes + out->len, out->cap - out->len, &len) == OK)
		out->len += len;
	else
		out->has_failed = true;
}

static void append_container(const struct json_doc *doc, const struct json_token *container, struct buf *out)
{
	for (const struct json_token *t = json_first(doc, container); t != NULL;
		t = json_next(doc, container, t)) {
		if (t != json_first(doc, container))
			buf_append_byte(out, '\n');
		append_scalar(doc, t, out);
		if (container->type != JSON_OBJECT)
			continue;
		buf_append_byte(out, '=');
		append_scalar(doc, t + 1, out);
	}
}

enum err request_field_text(const struct request *request, enum field field, char *out, size_t cap)
{
	const struct json_token *token = request->field[field];
	struct buf buf = {0};

	if (token == NULL)
		return ERR_NOT_FOUND;
	buf_init_fixed(&buf, out, cap);
	if (token->type == JSON_ARRAY || token->type == JSON_OBJECT)
		append_container(&request->doc, token, &buf);
	else
		append_scalar(&request->doc, token, &buf);
	buf_append_byte(&buf, '\0');
	return buf_failed(&buf) ? ERR_TOO_LARGE : OK;
}

static void write_member(struct json_writer *w, const char *member, size_t len)
{
	const char *equals = memchr(member, '=', len);
	const char *end = member + len;
	const char *value = equals == NULL ? end : equals + 1;

	json_key_text(w, member, equals == NULL ? len : (size_t)(equals - member));
	json_write_text(w, value, (size_t)(end - value));
}

static void write_entries(struct json_writer *w, const char *stored,
	void (*write)(struct json_writer *w, const char *entry, size_t len))
{
	while (*stored != '\0') {
		size_t len = strcspn(stored, "\n");

		write(w, stored, len);
		stored += len;
		stored += *stored == '\n';
	}
}

void field_write_json(struct json_writer *w, enum field field, const char *stored)
{
	enum field_type type = field_info(field)->type;

	if (stored == NULL || (type == FIELD_TYPE_COUNT && *stored == '\0')) {
		json_write_null(w);
	} else if (type == FIELD_TYPE_COUNT) {
		json_write_integer(w, strtoll(stored, NULL, 10));
	} else if (type == FIELD_TYPE_LINES || type == FIELD_TYPE_KEYS) {
		json_begin_array(w);
		write_entries(w, stored, json_write_text);
		json_end_array(w);
	} else if (type == FIELD_TYPE_MAP) {
		json_begin_object(w);
		write_entries(w, stored, write_member);
		json_end_object(w);
	} else {
		json_write_string(w, stored);
	}
}
