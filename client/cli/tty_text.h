/*
 * Text of other people's making, made fit for a terminal: what would act on the terminal or reorder the
 * line is shown as \x.. bytes instead.
 */
#ifndef COFFER_CLI_TTY_TEXT_H
#define COFFER_CLI_TTY_TEXT_H

#include <stddef.h>

#include "buf.h"

/* Appends text[0..len) with everything that is not plainly printable written as \x.. (lower-case hex). */
void tty_text_append(struct buf *buf, const char *text, size_t len);

#endif
