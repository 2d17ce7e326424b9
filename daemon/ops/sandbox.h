/*
 * What the daemon gives up for good once everything is open: capabilities, files outside of its own directories
 * (Landlock), system calls that it does not make (seccomp).  The sandbox is its own, beside the unit's, and the same
 * whoever starts it.
 */
#ifndef COFFER_OPS_SANDBOX_H
#define COFFER_OPS_SANDBOX_H

#include <stdbool.h>

#include "config.h"
#include "err.h"

struct sandbox {
	const struct config *config; /* its directories are those that may be written to */
	const char *config_path; /* read again on SIGHUP */
	bool owns_socket; /* the file of the socket is this process's to remove */
};

/*
 * From the one thread that there is, before the first request.  There is no way back.  A kernel without Landlock is
 * warned of; everything else that is missing is an error, with a sentence in reason_out.
 */
enum err sandbox_enter(const struct sandbox *sandbox, const char **reason_out);

#endif
