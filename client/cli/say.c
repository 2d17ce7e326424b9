/*
 * Messages of the small program, without stdio: it starts with every integration and links next to nothing.
 * Names and what the daemon says come from other people and are shown as tty_text shows them.
 */
#include "say.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "tty_text.h"

void say(const char *first, ...)
{
	BUF_AUTO line = {0};
	va_list pieces;

	buf_append_string(&line, "coffer: ");
	va_start(pieces, first);
	for (const char *piece = first; piece != NULL; piece = va_arg(pieces, const char *))
		tty_text_append(&line, piece, strlen(piece));
	va_end(pieces);
	buf_append_byte(&line, '\n');
	if (buf_failed(&line))
		return;

	ssize_t written = write(STDERR_FILENO, line.bytes, line.len);

	/* Nobody is left to tell. */
	(void)written;
}
