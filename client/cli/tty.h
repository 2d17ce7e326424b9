/*
 * What people and pipes give to a command: values into locked memory, other answers as lines.
 */
#ifndef COFFER_CLI_TTY_H
#define COFFER_CLI_TTY_H

#include <stdbool.h>

#include "err.h"
#include "locked.h"

/* True when somebody can be asked: standard input and standard error are terminals. */
bool tty_can_ask(void);

/*
 * A value from whoever sits at the terminal: asked for twice, not shown.  The bytes are the arena's.
 * On an error *why_out is a constant sentence.  Errors: BAD_VALUE (none, several lines at once,
 * or two that differ), TOO_LARGE, USAGE (no terminal), INTERNAL.
 */
enum err tty_ask_value(struct arena *arena, struct secret *out, const char **why_out);

/*
 * A value from standard input, all of it, without the one newline at its end unless is_exact.  As above;
 * USAGE: standard input cannot be read.
 */
enum err tty_read_value(struct arena *arena, bool is_exact, struct secret *out, const char **why_out);

/* One line that is no secret: prompt on standard error, answer on the heap.  ERR_USAGE at the end of input. */
enum err tty_ask_line(const char *prompt, char **out);

#endif
