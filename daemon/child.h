/*
 * Another program, run to its end: what it reads goes through a pipe, and so does what it writes, so that neither is in an
 * argument, in the environment or in a file.
 */
#ifndef COFFER_DAEMON_CHILD_H
#define COFFER_DAEMON_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

enum { CHILD_INPUT_BYTES_MAX = 4096 }; /* a pipe takes it at once: nobody waits for the other */

struct child {
	const char *const *argv; /* its first is an absolute path; NULL at the end */
	const void *input; /* not owned; input_len bytes, then the end */
	size_t input_len;
	unsigned char *output; /* not owned; NULL: what it writes is ours to the terminal */
	size_t output_cap;
	size_t output_len;
	bool is_quiet; /* nothing of it is shown */
	int exit_code; /* 128 + signal where one ended it */
};

/* ERR_INTERNAL: it cannot be run.  ERR_TOO_LARGE: it wrote more than output_cap.  OK: it has ended with exit_code. */
enum err child_run(struct child *child);

#endif
