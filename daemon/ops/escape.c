/*
 * Escaping for log lines and error texts: no byte of a name can start a second line, move a terminal's
 * cursor or break the encoding of the journal.
 */
#include "escape.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

static const char MARK[] = "...";

/* Bytes of the printable character at text, or 0. */
static size_t character_len(const char *text, size_t len)
{
	for (size_t n = 1; n <= 4 && n <= len; n++)
		if (text_is_line(text, n))
			return n;
	return 0;
}

/* One character or one escape; bytes of text used. */
static size_t render(const char *text, size_t len, char out[8])
{
	size_t used = character_len(text, len);

	if (used > 0) {
		memcpy(out, text, used);
		out[used] = '\0';
		return used;
	}
	snprintf(out, 8, "\\x%02x", (unsigned char)text[0]);
	return 1;
}

size_t escape_text(const char *text, char *out, size_t cap)
{
	size_t len = strlen(text);
	size_t room = cap - sizeof(MARK); /* so the mark always fits */
	size_t done = 0;
	char piece[8] = "";

	for (size_t i = 0; i < len;) {
		size_t used = render(text + i, len - i, piece);
		size_t piece_len = strlen(piece);

		if (done + piece_len > room) {
			memcpy(out + done, MARK, sizeof(MARK));
			return done + sizeof(MARK) - 1;
		}
		memcpy(out + done, piece, piece_len);
		done += piece_len;
		i += used;
	}
	out[done] = '\0';
	return done;
}
