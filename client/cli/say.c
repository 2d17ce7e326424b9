/*
 * Messages of the small program, without stdio: it starts with every integration and links next to nothing.
 */
#include "say.h"

#include <stdarg.h>
#include <unistd.h>

#include "buf.h"

void say(const char *first, ...)
{
	BUF_AUTO line = {0};
	va_list pieces;

	buf_append_string(&line, "coffer: ");
	va_start(pieces, first);
	for (const char *piece = first; piece != NULL; piece = va_arg(pieces, const char *))
		buf_append_string(&line, piece);
	va_end(pieces);
	buf_append_byte(&line, '\n');
	if (buf_failed(&line))
		return;

	ssize_t written = write(STDERR_FILENO, line.bytes, line.len);

	/* Nobody is left to tell. */
	(void)written;
}
