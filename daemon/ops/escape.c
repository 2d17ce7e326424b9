/*
 * Escaping for log lines and error texts: no byte of a name can start a second line, move a terminal's
 * cursor, turn its direction or break the encoding of the journal.
 */
#include "escape.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

static const char MARK[] = "...";

/* One character or one escape; bytes of text used. */
static size_t render(const char *text, size_t len, char out[8])
{
	uint32_t character = 0;
	size_t used = text_character(text, len, &character);

	if (used > 0 && !text_is_hidden(character)) {
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
