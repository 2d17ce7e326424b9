/*
 * Which socket to talk to, and whether it may be trusted: nobody but root and this process's user may be
 * able to put another socket in its place.
 */
#ifndef COFFER_LIB_PLACE_H
#define COFFER_LIB_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "err.h"

/*
 * The user's socket when it is asked for; else $COFFER_SOCKET, else the system's, or the user's where this host
 * has no system vault at all.  ERR_TOO_LARGE when it does not fit size.
 */
enum err place_default(bool wants_user, char *out, size_t size);

/*
 * Checks the socket at path and writes the address to connect to, which has no symlink left in it.
 * ERR_UNREACHABLE: not there.  ERR_DENIED: this user may not look there.  ERR_UNSAFE_SOCKET.  *why_out is a
 * constant sentence on an error.
 */
enum err place_check(const char *path, struct sockaddr_un *out, const char **why_out);

#endif
