/*
 * A value handed to a command on its standard input.
 */
#ifndef COFFER_CLI_FEED_H
#define COFFER_CLI_FEED_H

#include "err.h"
#include "locked.h"

enum { FEED_BYTES_MAX = 4096 };

/*
 * Runs a command by /bin/sh -c with the value, which has at most FEED_BYTES_MAX, and nothing else on its standard
 * input, and waits for its end.  *status_out: its exit status, 128+n after signal n.  ERR_INTERNAL: it was not started.
 */
enum err feed_command(const char *command, const struct secret *value, int *status_out);

#endif
