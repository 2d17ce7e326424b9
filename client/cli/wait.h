/*
 * Waiting for something that the daemon can tell: asks again and again, shows what it is still waiting for, and
 * ends when it has come, when the time is over, or when somebody interrupts.
 */
#ifndef COFFER_CLI_WAIT_H
#define COFFER_CLI_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

struct cli;

/*
 * One look: whether it has come, else what is still waited for, fit for a terminal.  Errors as cli_try, not reported;
 * with a text, that is what is reported.  A daemon that has answered once may be out of reach or busy for a while.
 */
typedef enum err (*wait_look_fn)(void *context, struct buf *text, bool *is_done_out);

struct waiting {
	struct cli *cli;
	int64_t timeout_ms; /* 0: none */
	const char *go_on; /* what is left and what to do about it, when it ends before it has come */
	wait_look_fn look;
	void *context;
};

/* What --timeout says, or 0.  ERR_USAGE, reported. */
enum err wait_timeout(const struct cli *cli, int64_t *ms_out);

/*
 * Waits; errors are reported.  ERR_TIMEOUT: not in time.  An interrupting signal has its usual effect, after a word
 * on how to go on.
 */
enum err wait_for(const struct waiting *waiting);

/* Lets a signal that was kept away have its usual effect. */
__attribute__((noreturn)) void wait_die(int signal);

#endif
