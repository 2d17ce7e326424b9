/*
 * Collects candidates.  Shells get them as lines and treat them as words, never as anything to be evaluated; that a
 * word is one line without control characters is made sure of here.
 */
#include "candidates.h"

#include <string.h>

#include "tty_text.h"

enum { TEXT_CHARS_MAX = 100 };

static bool is_plain(const char *word)
{
	BUF_AUTO shown = {0};
	size_t len = strlen(word);

	tty_text_append(&shown, word, len);
	return len > 0 && !buf_failed(&shown) && shown.len == len && memcmp(shown.bytes, word, len) == 0;
}

/* Cut between two characters. */
static void append_text(struct buf *lines, const char *text)
{
	size_t len = strnlen(text, TEXT_CHARS_MAX);

	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	tty_text_append(lines, text, len);
}

void candidates_add(struct candidates *candidates, const char *word, const char *text)
{
	struct buf *lines = &candidates->lines;
	const char *begun = candidates->typed + candidates->prefix_len;

	if (strncmp(word, begun, strlen(begun)) != 0 || !is_plain(word))
		return;
	buf_append(lines, candidates->typed, candidates->prefix_len);
	buf_append_string(lines, word);
	buf_append_byte(lines, '\t');
	append_text(lines, text != NULL ? text : "");
	buf_append_byte(lines, '\n');
}

static bool has_line(const struct buf *lines, const char *line, size_t len)
{
	size_t at = 0;

	while (at < lines->len) {
		const char *start = lines->bytes + at;
		const char *end = memchr(start, '\n', lines->len - at);

		if (lines->len - at >= len && memcmp(start, line, len) == 0)
			return true;
		if (end == NULL)
			return false;
		at = (size_t)(end - lines->bytes) + 1;
	}
	return false;
}

void candidates_add_once(struct candidates *candidates, const char *word, const char *text)
{
	BUF_AUTO line = {0};

	buf_append(&line, candidates->typed, candidates->prefix_len);
	buf_append_string(&line, word);
	buf_append_byte(&line, '\t');
	if (!buf_failed(&line) && !has_line(&candidates->lines, line.bytes, line.len))
		candidates_add(candidates, word, text);
}
