/*
 * The daemon's strings hold what other people wrote.  An escape means the same to every reader of JSON and nothing to a
 * terminal, so the output may go to either.  Nothing is copied: an answer may hold a token (P1).
 */
#include "tty_json.h"

#include <stdint.h>

#include "text.h"

static void write_escape(FILE *out, uint32_t character)
{
	if (character > 0xffff) {
		character -= 0x10000;
		(void)fprintf(out, "\\u%04x\\u%04x", 0xd800 + (unsigned)(character >> 10),
			0xdc00 + (unsigned)(character & 0x3ff));
	} else {
		(void)fprintf(out, "\\u%04x", (unsigned)character);
	}
}

void tty_json_write(FILE *out, const char *json, size_t len)
{
	size_t done = 0;

	/* What the gate has passed holds no other control character than white space between tokens. */
	for (size_t at = 0, size = 1; at < len; at += size) {
		uint32_t character = 0;

		size = 1;
		if ((unsigned char)json[at] < 0x7f)
			continue;

		size_t found = text_character(json + at, len - at, &character);

		size = found > 0 ? found : 1;
		if (found == 0 || !text_is_hidden(character))
			continue;
		(void)fwrite(json + done, 1, at - done, out);
		write_escape(out, character);
		done = at + size;
	}
	(void)fwrite(json + done, 1, len - done, out);
}
