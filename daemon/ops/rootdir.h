/*
 * Directories in which root may make something by name: nobody else can rename, replace or link anything on the way there.
 */
#ifndef COFFER_OPS_ROOTDIR_H
#define COFFER_OPS_ROOTDIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

/*
 * Opens a directory that, with all above it, belongs to root and is writable by root alone.  Symbolic links in path are
 * followed: only root can have made them.  ERR_NOT_FOUND: it is not there.  ERR_CONFIG: others could interfere.
 */
enum err rootdir_open(const char *path, int *fd_out, const char **reason_out);

/* The one that holds the last component of an absolute plain path; *name_out points into path. */
enum err rootdir_open_parent(const char *path, int *fd_out, const char **name_out, const char **reason_out);

/*
 * Makes a directory (0700, durable) that is another user's.  One that is there must be that user's.  ERR_CONFIG: it is
 * not, or cannot be made safely.
 */
enum err rootdir_make_for(const char *path, uid_t uid, gid_t gid, bool *is_new_out, const char **reason_out);

/* Takes one back that rootdir_make_for has made; what others have put into it stays, and so does it. */
void rootdir_remove(const char *path);

#endif
