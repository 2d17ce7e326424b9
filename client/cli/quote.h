/*
 * Words for a command line that somebody is to copy into a shell.
 */
#ifndef COFFER_CLI_QUOTE_H
#define COFFER_CLI_QUOTE_H

#include "buf.h"

/*
 * Appends a word as a POSIX shell reads it back, byte for byte.  What is plain stays plain; no backslash stands
 * before an x, so that the filter of tty_text leaves it as it is.
 */
void quote_append(struct buf *buf, const char *word);

#endif
