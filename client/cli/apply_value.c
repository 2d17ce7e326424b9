/*
 * One table says how a value of each type is written.  That it is right is checked by the very code that the daemon
 * checks it by, so that the line can be named before anything is sent.
 */
#include "apply_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply_rule.h"
#include "apply_words.h"
#include "buf.h"

static bool takes(enum request_kind kind, enum field field)
{
	const struct request_info *info = request_info(kind);

	for (size_t i = 0; i < info->field_count; i++)
		if (info->fields[i].field == field)
			return true;
	return false;
}

bool apply_value_can_be_edited(enum field field)
{
	return takes(REQUEST_INTEGRATION_EDIT, field);
}

bool apply_value_field(const char *key, size_t len, enum field *out)
{
	if (len == strlen("grant") && memcmp(key, "grant", len) == 0) {
		*out = FIELD_RULE;
		return true;
	}
	return field_from_wire(key, len, out) &&
	       ((*out >= FIELD_TITLE && *out <= FIELD_LABELS) || *out == FIELD_LOCK_GRANTS) &&
	       takes(REQUEST_INTEGRATION_ADD, *out);
}

/* ---- writing ---- */

static void write_line(struct json_writer *w, const char *text)
{
	json_write_string(w, text);
}

/* A number that is none stays text, which the check refuses. */
static void write_count(struct json_writer *w, const char *text)
{
	size_t len = strlen(text);
	bool is_number =
		len > 0 && len < 16 && strspn(text, "0123456789") == len && (text[0] != '0' || len == 1);

	if (is_number)
		json_write_raw(w, text, len);
	else
		json_write_string(w, text);
}

static void write_flag(struct json_writer *w, const char *text)
{
	if (strcmp(text, "yes") == 0 || strcmp(text, "no") == 0)
		json_write_bool(w, text[0] == 'y');
	else
		json_write_string(w, text);
}

static void write_list(struct json_writer *w, const char *text)
{
	struct apply_word piece;

	if (*text == '\0') {
		json_write_string(w, ""); /* takes it back */
		return;
	}
	json_begin_array(w);
	while (apply_words_entry(&text, &piece))
		json_write_text(w, piece.text, piece.len);
	json_end_array(w);
}

static void write_map(struct json_writer *w, const char *text)
{
	struct apply_word piece;

	if (*text == '\0') {
		json_write_string(w, "");
		return;
	}
	json_begin_object(w);
	while (apply_words_entry(&text, &piece)) {
		char *equals = strchr(piece.text, '=');
		size_t len = equals != NULL ? (size_t)(equals - piece.text) : piece.len;

		json_key_text(w, piece.text, len);
		json_write_string(w, equals != NULL ? equals + 1 : "");
	}
	json_end_object(w);
}

typedef void write_fn(struct json_writer *w, const char *text);

/* Of all other types the text itself is the value. */
static write_fn *const writers[] = {
	[FIELD_TYPE_LINES] = write_list,
	[FIELD_TYPE_MAP] = write_map,
	[FIELD_TYPE_COUNT] = write_count,
	[FIELD_TYPE_FLAG] = write_flag,
};

static write_fn *writer_of(enum field field)
{
	size_t type = field_info(field)->type;

	return type < sizeof(writers) / sizeof(writers[0]) && writers[type] != NULL ? writers[type]
										    : write_line;
}

void apply_value_write(struct json_writer *w, const struct apply_entry *entry)
{
	if (entry->field == FIELD_RULE) {
		apply_rule_write(w, entry->text);
		return;
	}
	json_key(w, field_info(entry->field)->wire);
	writer_of(entry->field)(w, entry->text);
}

/* ---- checking ---- */

static const char *entry_objection(const struct apply_word *piece, bool is_map)
{
	if (piece->is_too_long)
		return "an entry is too long";
	if (piece->len == 0)
		return "an empty entry: commas and line breaks separate entries";
	if (!is_map)
		return NULL;

	const char *equals = strchr(piece->text, '=');

	if (equals == NULL)
		return "an entry must be KEY=VALUE";
	return text_is_slug(piece->text, (size_t)(equals - piece->text)) ? NULL : "a label's key is a slug";
}

static const char *list_objection(const char *text, bool is_map)
{
	const char *objection = NULL;
	size_t len = strlen(text);
	struct apply_word piece;

	if (len > 0 && text[len - 1] == ',')
		return "an empty entry: commas and line breaks separate entries";
	while (objection == NULL && apply_words_entry(&text, &piece))
		objection = entry_objection(&piece, is_map);
	return objection;
}

/* What could not even be written down for the daemon's own check. */
static const char *objection_to(const struct apply_entry *entry)
{
	enum field_type type = field_info(entry->field)->type;

	if (entry->field == FIELD_RULE)
		return apply_rule_objection(entry->text);
	if (type == FIELD_TYPE_LINES || type == FIELD_TYPE_MAP)
		return list_objection(entry->text, type == FIELD_TYPE_MAP);
	if (type != FIELD_TYPE_TEXT && strchr(entry->text, '\n') != NULL)
		return "it is one line, and goes on in the next";
	if (type == FIELD_TYPE_FLAG && strcmp(entry->text, "yes") != 0 && strcmp(entry->text, "no") != 0)
		return "it is yes or no";
	return NULL;
}

static void compose(
	struct buf *line, const char *name, const struct apply_entry *entry, const struct request_info *info)
{
	struct json_writer w = json_writer(line);

	json_begin_object(&w);
	json_put_string(&w, "jsonrpc", "2.0");
	json_put_integer(&w, "id", 0);
	json_put_string(&w, "method", info->method);
	json_key(&w, "params");
	json_begin_object(&w);
	json_put_string(&w, field_info(info->fields[0].field)->wire, name);
	apply_value_write(&w, entry);
	json_end_object(&w);
	json_end_object(&w);
}

enum err apply_value_check(
	const struct apply_section *section, const struct apply_entry *entry, char *why, size_t cap)
{
	static struct request request;
	const char *key = entry->field == FIELD_RULE ? "grant" : field_info(entry->field)->wire;
	const char *objection = objection_to(entry);
	BUF_AUTO line = {0};

	if (objection != NULL && *objection == '\0')
		return OK; /* no grant at all */
	if (objection != NULL) {
		(void)snprintf(why, cap, "%s: %s", key, objection);
		return ERR_BAD_VALUE;
	}
	if (entry->field != FIELD_RULE && !apply_value_can_be_edited(entry->field))
		return OK;
	compose(&line, section->name, entry,
		request_info(entry->field == FIELD_RULE ? REQUEST_GRANT_ADD : REQUEST_INTEGRATION_EDIT));
	if (buf_failed(&line) || request_parse(line.bytes, line.len, &request) == OK)
		return buf_failed(&line) ? ERR_INTERNAL : OK;
	(void)snprintf(why, cap, "%s",
		request.detail != NULL ? request.detail : "a key twice, or more than a request holds");
	return ERR_BAD_VALUE;
}

/* ---- comparing ---- */

static bool is_none(const struct json_token *current)
{
	return current == NULL || current->type == JSON_NULL ||
	       (current->type != JSON_INTEGER && current->type != JSON_TRUE && current->type != JSON_FALSE &&
		       (current->type == JSON_STRING ? current->len == 0 : current->count == 0));
}

static bool equals_time(const struct reply *reply, const struct json_token *current, const char *text)
{
	char other[64] = "";
	size_t len = 0;
	int64_t a = 0, b = 0;

	return json_text(&reply->doc, current, other, sizeof(other), &len) == OK &&
	       text_time(other, len, &a) && text_time(text, strlen(text), &b) && a == b;
}

static bool equals_list(const struct reply *reply, const struct json_token *current, const char *text)
{
	const struct json_token *t = current->type == JSON_ARRAY ? json_first(&reply->doc, current) : NULL;
	struct apply_word piece;

	while (apply_words_entry(&text, &piece)) {
		if (t == NULL || !json_equals(&reply->doc, t, piece.text))
			return false;
		t = json_next(&reply->doc, current, t);
	}
	return t == NULL;
}

static bool equals_map(const struct reply *reply, const struct json_token *current, const char *text)
{
	uint32_t count = 0;
	struct apply_word piece;

	if (current->type != JSON_OBJECT)
		return false;
	for (; apply_words_entry(&text, &piece); count++) {
		char *equals = strchr(piece.text, '=');

		if (equals == NULL)
			return false;
		*equals = '\0';
		if (!json_equals(&reply->doc, json_member(&reply->doc, current, piece.text), equals + 1))
			return false;
	}
	return count == current->count;
}

static bool equals_count(const struct reply *reply, const struct json_token *current, const char *text)
{
	int64_t value = 0;

	return json_integer(&reply->doc, current, &value) == OK && value == strtoll(text, NULL, 10);
}

bool apply_value_equals(
	const struct reply *reply, const struct json_token *current, const struct apply_entry *entry)
{
	enum field_type type = field_info(entry->field)->type;

	if (type == FIELD_TYPE_FLAG)
		return (current != NULL && current->type == JSON_TRUE) == (strcmp(entry->text, "yes") == 0);
	if (is_none(current) || *entry->text == '\0')
		return is_none(current) && *entry->text == '\0';
	if (type == FIELD_TYPE_LINES)
		return equals_list(reply, current, entry->text);
	if (type == FIELD_TYPE_MAP)
		return equals_map(reply, current, entry->text);
	if (type == FIELD_TYPE_COUNT)
		return equals_count(reply, current, entry->text);
	if (type == FIELD_TYPE_TIME)
		return equals_time(reply, current, entry->text);
	return json_equals(&reply->doc, current, entry->text);
}
