/*
 * Writing JSON once, forward, without a tree: what is written exists in the buffer and nowhere else, so a
 * reply that holds values is as safe as the memory under its buffer (P1).  Its output passes the gate.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base64.h"
#include "json.h"
#include "text.h"

struct json_writer json_writer(struct buf *buf)
{
	return (struct json_writer){.buf = buf};
}

static void begin_value(struct json_writer *w)
{
	if (w->needs_comma)
		buf_append_byte(w->buf, ',');
	w->needs_comma = true;
}

static void begin_container(struct json_writer *w, char bracket)
{
	begin_value(w);
	buf_append_byte(w->buf, bracket);
	w->needs_comma = false;
}

static void end_container(struct json_writer *w, char bracket)
{
	buf_append_byte(w->buf, bracket);
	w->needs_comma = true;
}

void json_begin_object(struct json_writer *w)
{
	begin_container(w, '{');
}

void json_end_object(struct json_writer *w)
{
	end_container(w, '}');
}

void json_begin_array(struct json_writer *w)
{
	begin_container(w, '[');
}

void json_end_array(struct json_writer *w)
{
	end_container(w, ']');
}

void json_key(struct json_writer *w, const char *key)
{
	json_key_text(w, key, strlen(key));
}

void json_key_text(struct json_writer *w, const char *key, size_t len)
{
	json_write_text(w, key, len);
	buf_append_byte(w->buf, ':');
	w->needs_comma = false;
}

/* DEL is allowed raw in JSON; escaped, no terminal acts upon it. */
static bool needs_escape(char c)
{
	return (unsigned char)c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
}

/* The escape of a byte that needs one; its length. */
static size_t escape(char c, char out[6])
{
	static const char meanings[] = "\"\\\b\f\n\r\t";
	static const char letters[] = "\"\\bfnrt";
	static const char digits[] = "0123456789abcdef";
	const char *meaning = c == '\0' ? NULL : strchr(meanings, c);

	if (meaning != NULL) {
		out[0] = '\\';
		out[1] = letters[meaning - meanings];
		return 2;
	}
	memcpy(out, "\\u00", 4);
	out[4] = digits[(unsigned char)c >> 4];
	out[5] = digits[c & 15];
	return 6;
}

void json_write_text(struct json_writer *w, const char *text, size_t len)
{
	size_t done = 0;

	begin_value(w);
	buf_append_byte(w->buf, '"');
	for (size_t i = 0; i < len; i++) {
		char escaped[6] = {0};

		if (!needs_escape(text[i]))
			continue;
		buf_append(w->buf, text + done, i - done);
		buf_append(w->buf, escaped, escape(text[i], escaped));
		done = i + 1;
	}
	buf_append(w->buf, text + done, len - done);
	buf_append_byte(w->buf, '"');
}

void json_write_string(struct json_writer *w, const char *text)
{
	if (text == NULL)
		json_write_null(w);
	else
		json_write_text(w, text, strlen(text));
}

void json_write_integer(struct json_writer *w, int64_t value)
{
	char digits[24] = {0};
	int len = snprintf(digits, sizeof(digits), "%" PRId64, value);

	json_write_raw(w, digits, (size_t)len);
}

void json_write_bool(struct json_writer *w, bool value)
{
	const char *word = value ? "true" : "false";

	json_write_raw(w, word, strlen(word));
}

void json_write_null(struct json_writer *w)
{
	json_write_raw(w, "null", strlen("null"));
}

void json_write_raw(struct json_writer *w, const char *json, size_t len)
{
	begin_value(w);
	buf_append(w->buf, json, len);
}

void json_put_string(struct json_writer *w, const char *key, const char *text)
{
	json_key(w, key);
	json_write_string(w, text);
}

void json_put_integer(struct json_writer *w, const char *key, int64_t value)
{
	json_key(w, key);
	json_write_integer(w, value);
}

void json_put_bool(struct json_writer *w, const char *key, bool value)
{
	json_key(w, key);
	json_write_bool(w, value);
}

void json_write_hex(struct json_writer *w, const unsigned char *bytes, size_t len)
{
	char hex[2 * JSON_HEX_BYTES_MAX];

	assert(len <= JSON_HEX_BYTES_MAX);
	hex_encode(bytes, len, hex);
	json_write_text(w, hex, 2 * len);
}

void json_put_hex(struct json_writer *w, const char *key, const unsigned char *bytes, size_t len)
{
	json_key(w, key);
	json_write_hex(w, bytes, len);
}

void json_put_time(struct json_writer *w, const char *key, int64_t time_ms)
{
	char text[TIME_TEXT_BYTES] = {0};

	if (time_ms != 0)
		text_format_time(time_ms, text);
	json_put_string(w, key, time_ms != 0 ? text : NULL);
}

size_t json_escaped_len(const char *text, size_t len)
{
	size_t escaped_len = strlen("\"\"") + len;

	for (size_t i = 0; i < len; i++) {
		char escaped[6] = {0};

		if (needs_escape(text[i]))
			escaped_len += escape(text[i], escaped) - 1;
	}
	return escaped_len;
}
