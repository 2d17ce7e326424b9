/*
 * The system calls that the daemon may make (seccomp); the list is sandbox_calls.def.
 */
#ifndef COFFER_OPS_SANDBOX_CALLS_H
#define COFFER_OPS_SANDBOX_CALLS_H

#include <stddef.h>

#include "err.h"

/*
 * What is not on the list fails and is told in the log, once per call; what only a foreign program would do ends the
 * process.  *count_out: how many calls are on the list.
 */
enum err sandbox_limit_calls(size_t *count_out, const char **reason_out);

#endif
