/*
 * One line from the terminal that is not shown.
 */
#ifndef COFFER_CLI_TTY_HIDDEN_H
#define COFFER_CLI_TTY_HIDDEN_H

#include <stddef.h>

#include "err.h"

/*
 * Prompts on this process's terminal and reads a line of at most cap bytes, without its newline, straight into
 * bytes; no bytes at the end of input.  A signal ends the process as if nobody had asked, the terminal as it was.
 * Errors, with a constant sentence in *why_out: USAGE (no terminal); BAD_VALUE: more than one line was given at
 * once, as by pasting; the rest is discarded, unseen.
 */
enum err tty_hidden_read(
	const char *prompt, unsigned char *bytes, size_t cap, size_t *len_out, const char **why_out);

#endif
