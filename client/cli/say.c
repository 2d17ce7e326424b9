/*
 * Messages of the small program, without stdio: it starts with every integration and links next to nothing.
 * Names and what the daemon says come from other people and are shown as tty_text shows them.
 */
#include "say.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "buf.h"
#include "tty_text.h"

/* There a line feed alone does not lead to the first column. */
static bool is_raw_terminal(void)
{
	struct termios settings = {0};

	return tcgetattr(STDERR_FILENO, &settings) == 0 && (settings.c_oflag & OPOST) == 0;
}

void say(const char *first, ...)
{
	BUF_AUTO line = {0};
	va_list pieces;

	buf_append_string(&line, "coffer: ");
	va_start(pieces, first);
	for (const char *piece = first; piece != NULL; piece = va_arg(pieces, const char *))
		tty_text_append(&line, piece, strlen(piece));
	va_end(pieces);
	buf_append_string(&line, is_raw_terminal() ? "\r\n" : "\n");
	if (buf_failed(&line))
		return;

	ssize_t written = write(STDERR_FILENO, line.bytes, line.len);

	/* Nobody is left to tell. */
	(void)written;
}
