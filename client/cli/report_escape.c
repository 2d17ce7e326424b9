/*
 * The only way of text into a page or a sheet.  What it means there is decided by the bytes alone: five characters have a
 * meaning in HTML, one in CSV, and a handful at the beginning of a cell for the program that opens it.
 */
#include "report_escape.h"

#include <stdlib.h>
#include <string.h>

#include "tty_text.h"

void report_escape_text(struct buf *buf, const char *text, size_t len)
{
	size_t done = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n' && text[i] != '\t')
			continue;
		tty_text_append(buf, text + done, i - done);
		buf_append_byte(buf, text[i]);
		done = i + 1;
	}
	tty_text_append(buf, text + done, len - done);
}

static void append_string(struct buf *buf, const struct reply *reply, const struct json_token *string)
{
	size_t cap = json_text_len(&reply->doc, string) + 1;
	size_t len = 0;
	char *text = malloc(cap);

	if (text == NULL || json_text(&reply->doc, string, text, cap, &len) != OK)
		buf->has_failed = true;
	else
		report_escape_text(buf, text, len);
	free(text);
}

void report_escape_value(struct buf *buf, const struct reply *reply, const struct json_token *value)
{
	if (value == NULL || value->type == JSON_NULL)
		return;
	if (value->type == JSON_STRING)
		append_string(buf, reply, value);
	else if ((value->type != JSON_OBJECT && value->type != JSON_ARRAY) || value->count > 0)
		reply_show(buf, reply, value, SHOW_TEXT);
}

static const char *entity_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void report_escape_html(FILE *out, const char *text, size_t len)
{
	size_t done = 0;

	for (size_t i = 0; i < len; i++) {
		const char *entity = entity_of(text[i]);

		if (entity == NULL)
			continue;
		(void)fwrite(text + done, 1, i - done, out);
		(void)fputs(entity, out);
		done = i + 1;
	}
	(void)fwrite(text + done, 1, len - done, out);
}

/* What a formula begins with: ASCII, or the full width forms of the same four. */
static bool begins_formula(const char *text, size_t len)
{
	static const char *const wide[] = {
		"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\xa0"}; /* = + - @ */

	while (len > 0 && (*text == ' ' || *text == '\n')) {
		text++;
		len--;
	}
	if (len > 0 && strchr("=+-@\t", *text) != NULL)
		return true;
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		if (len >= 3 && memcmp(text, wide[i], 3) == 0)
			return true;
	}
	return false;
}

void report_escape_csv(FILE *out, const char *text, size_t len)
{
	(void)fputc('"', out);
	if (begins_formula(text, len))
		(void)fputc('\'', out);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"')
			(void)fputc('"', out);
		(void)fputc(text[i], out);
	}
	(void)fputc('"', out);
}
