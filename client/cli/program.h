/*
 * Finding the program to start, as execvp(3) does, but along a given PATH and before anything is fetched.
 */
#ifndef COFFER_CLI_PROGRAM_H
#define COFFER_CLI_PROGRAM_H

#include <limits.h>

#include "err.h"

/* ERR_NOT_FOUND: nowhere.  ERR_DENIED: only what may not be executed. */
enum err program_find(const char *name, const char *path, char out[PATH_MAX]);

/* Becomes coffer-manage, which lies beside this program or in its library directory.  Returns if it cannot. */
void program_become_manage(char **argv);

#endif
