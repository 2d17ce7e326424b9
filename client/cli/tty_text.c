/*
 * The filter before the terminal.  Names, notes and error texts come from other people; escape sequences,
 * line breaks and direction overrides in them must not be able to draw a line that nobody wrote.
 * The result is unambiguous: a backslash that would read like one of our escapes is escaped itself.
 */
#include "tty_text.h"

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

enum { MARKS_IN_A_ROW = 4 /* no writing needs more over one letter; many reach into other lines */ };

static void append_escaped(struct buf *buf, const char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		buf_append(buf, "\\x", 2);
		buf_append_byte(buf, digits[byte >> 4]);
		buf_append_byte(buf, digits[byte & 15]);
	}
}

/* Is the character shown as bytes?  marks: how many have been in a row. */
static bool is_shown_as_bytes(uint32_t character, unsigned *marks)
{
	*marks = text_is_mark(character) ? *marks + 1 : 0;
	return text_is_hidden(character) || *marks > MARKS_IN_A_ROW;
}

void tty_text_append(struct buf *buf, const char *text, size_t len)
{
	unsigned marks = 0;

	for (size_t at = 0; at < len;) {
		uint32_t character = 0;
		size_t size = text_character(text + at, len - at, &character);
		bool looks_escaped = text[at] == '\\' && at + 1 < len && text[at + 1] == 'x';

		if (size == 0 || is_shown_as_bytes(character, &marks) || looks_escaped)
			append_escaped(buf, text + at, size == 0 ? 1 : size);
		else
			buf_append(buf, text + at, size);
		at += size == 0 ? 1 : size;
	}
}
