/*
 * Looking at a result: members by path, and values as text for people.  All text leaves through the filter
 * of tty_text; where it is printed is left to others.
 */
#include "reply.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "tty_text.h"

/* Each token but the first stands behind one of these, so the text itself bounds the number of tokens. */
static uint32_t tokens_at_most(const char *text, size_t len)
{
	uint32_t count = 1;

	for (size_t i = 0; i < len; i++)
		count += text[i] == '{' || text[i] == '[' || text[i] == ',' || text[i] == ':';
	return count;
}

enum err reply_read(struct reply *reply, const char *text, size_t len)
{
	enum err err = reply_read_bounded(reply, text, len, UINT32_MAX);

	return err == ERR_TOO_COMPLEX ? ERR_PROTOCOL : err;
}

enum err reply_read_bounded(struct reply *reply, const char *text, size_t len, uint32_t most)
{
	if (len >= UINT32_MAX)
		return ERR_PROTOCOL;

	uint32_t possible = tokens_at_most(text, len);
	uint32_t tokens_max = possible < most ? possible : most;
	struct gate_limits limits = {
		.depth_max = GATE_DEPTH_LIMIT, .tokens_max = tokens_max, .keys_max = 256};
	uint32_t count = 0;

	*reply = (struct reply){
		.tokens = calloc(tokens_max, sizeof(struct json_token)), .text = text, .len = len};
	if (reply->tokens == NULL)
		return ERR_INTERNAL;

	enum err err = gate_scan(text, len, &limits, reply->tokens, &count);

	if (err != OK)
		return err == ERR_TOO_COMPLEX ? err : ERR_PROTOCOL;
	reply->doc = (struct json_doc){.text = text, .tokens = reply->tokens, .count = count};
	return OK;
}

void reply_clear(struct reply *reply)
{
	free(reply->tokens);
	*reply = (struct reply){0};
}

const struct json_token *reply_at(
	const struct reply *reply, const struct json_token *object, const char *path)
{
	const struct json_token *at = object == NULL ? reply->doc.tokens : object;

	while (at != NULL && *path != '\0') {
		char name[64] = {0};
		size_t len = strcspn(path, ".");

		if (at->type != JSON_OBJECT || len >= sizeof(name))
			return NULL;
		memcpy(name, path, len);
		at = json_member(&reply->doc, at, name);
		path += len + (path[len] == '.');
	}
	return at;
}

bool reply_is(const struct reply *reply, const struct json_token *object, const char *path, const char *text)
{
	return json_equals(&reply->doc, reply_at(reply, object, path), text);
}

bool reply_flag(const struct reply *reply, const struct json_token *object, const char *path)
{
	const struct json_token *value = reply_at(reply, object, path);

	return value != NULL && value->type == JSON_TRUE;
}

int64_t reply_integer(const struct reply *reply, const struct json_token *object, const char *path)
{
	int64_t value = 0;

	return json_integer(&reply->doc, reply_at(reply, object, path), &value) == OK ? value : 0;
}

void reply_text(
	const struct reply *reply, const struct json_token *object, const char *path, char *out, size_t cap)
{
	size_t len = 0;

	if (json_text(&reply->doc, reply_at(reply, object, path), out, cap, &len) != OK)
		out[0] = '\0';
}

int64_t reply_time(const struct reply *reply, const struct json_token *object, const char *path)
{
	char text[40] = "";
	int64_t time_ms = 0;

	reply_text(reply, object, path, text, sizeof(text));
	return text_time(text, strlen(text), &time_ms) ? time_ms : 0;
}

const struct json_token *reply_array(
	const struct reply *reply, const struct json_token *object, const char *path)
{
	const struct json_token *value = reply_at(reply, object, path);

	return value != NULL && value->type == JSON_ARRAY ? value : NULL;
}

static void append_text(struct buf *buf, const struct reply *reply, const struct json_token *string)
{
	size_t cap = json_text_len(&reply->doc, string) + 1;
	size_t len = 0;
	char *text = malloc(cap);

	if (text == NULL || json_text(&reply->doc, string, text, cap, &len) != OK)
		buf->has_failed = true;
	else
		tty_text_append(buf, text, len);
	free(text);
}

static void append_value(struct buf *buf, const struct reply *reply, const struct json_token *value);

/* "a, b" and "user=etl group=data" */
static void append_entries(struct buf *buf, const struct reply *reply, const struct json_token *container)
{
	bool is_object = container->type == JSON_OBJECT;

	for (const struct json_token *t = json_first(&reply->doc, container); t != NULL;
		t = json_next(&reply->doc, container, t)) {
		if (t != container + 1)
			buf_append_string(buf, is_object ? " " : ", ");
		append_value(buf, reply, t);
		if (is_object) {
			buf_append_byte(buf, '=');
			append_value(buf, reply, t + 1);
		}
	}
}

/* Depth is bounded by the gate's. */
static void append_value(struct buf *buf, const struct reply *reply, const struct json_token *value)
{
	switch (value->type) {
	case JSON_STRING:
		append_text(buf, reply, value);
		break;
	case JSON_OBJECT:
	case JSON_ARRAY:
		append_entries(buf, reply, value);
		break;
	case JSON_INTEGER:
		buf_append(buf, json_raw(&reply->doc, value), value->len);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		buf_append_string(buf, value->type == JSON_TRUE ? "yes" : "no");
		break;
	case JSON_NULL:
		break;
	}
}

/* False when it is no time that we know. */
static bool append_time(struct buf *buf, const struct reply *reply, const struct json_token *value)
{
	enum { SECONDS_LEN = sizeof("2026-11-22T09:30:00") - 1 };
	char text[64] = {0};
	size_t len = 0;
	int64_t time_ms = 0;

	if (json_text(&reply->doc, value, text, sizeof(text), &len) != OK || !text_time(text, len, &time_ms))
		return false;
	buf_append(buf, text, SECONDS_LEN);
	buf_append_byte(buf, 'Z');
	return true;
}

static bool is_none(const struct reply *reply, const struct json_token *value, enum show show)
{
	bool is_empty = value == NULL || value->type == JSON_NULL;

	if (is_empty)
		return true;
	if (value->type == JSON_STRING)
		return value->len == 0;
	if (value->type == JSON_ARRAY || value->type == JSON_OBJECT)
		return value->count == 0;
	return show == SHOW_ORDINAL && value->len == 1 && *json_raw(&reply->doc, value) == '0';
}

void reply_show(struct buf *buf, const struct reply *reply, const struct json_token *value, enum show show)
{
	if (is_none(reply, value, show)) {
		buf_append_string(buf, show == SHOW_LAST ? "never" : "-");
		return;
	}
	if ((show == SHOW_TIME || show == SHOW_LAST) && append_time(buf, reply, value))
		return;
	append_value(buf, reply, value);
}
