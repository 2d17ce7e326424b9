/*
 * The files that the daemon may reach (Landlock).
 */
#ifndef COFFER_OPS_SANDBOX_PATHS_H
#define COFFER_OPS_SANDBOX_PATHS_H

#include "sandbox.h"

/* For this thread and those that it makes.  *version_out: Landlock's, 0 where the kernel has none, which is no error. */
enum err sandbox_limit_paths(const struct sandbox *sandbox, int *version_out, const char **reason_out);

#endif
