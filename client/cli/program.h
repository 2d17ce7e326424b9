/*
 * Finding the program to start, as execvp(3) does, but along a given PATH and before anything is fetched.
 */
#ifndef COFFER_CLI_PROGRAM_H
#define COFFER_CLI_PROGRAM_H

#include <limits.h>

#include "buf.h"
#include "err.h"

/* ERR_NOT_FOUND: nowhere.  ERR_DENIED: only what may not be executed. */
enum err program_find(const char *name, const char *path, char out[PATH_MAX]);

/*
 * Becomes coffer-manage: the one beside this program, else the one in its tree's library directory, else the one
 * where it was configured to be.  Returns if there is none that can be started; tried then holds the paths.
 */
void program_become_manage(char **argv, struct buf *tried);

#endif
