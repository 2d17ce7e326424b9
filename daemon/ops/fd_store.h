/*
 * Descriptors that the service manager keeps for us, so that a connection outlives the process that accepted it: the
 * FDSTORE messages of sd_notify(3).
 */
#ifndef COFFER_OPS_FD_STORE_H
#define COFFER_OPS_FD_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

enum { FD_STORE_ID_BYTES = 33 }; /* 32 lower-case hex digits and a NUL */

/* One that came back after a restart. */
struct fd_store_entry {
	int fd;
	char id[FD_STORE_ID_BYTES];
};

struct fd_store {
	int socket; /* to the manager; -1: none */
};

/* ERR_NOT_FOUND: there is no service manager. */
enum err fd_store_open(struct fd_store *store);
void fd_store_close(struct fd_store *store); /* what is kept is kept */

/* True when there is room for a message, as far as one can know. */
bool fd_store_has_room(const struct fd_store *store);

/*
 * The manager keeps a copy of fd under this id from the moment that it reads the message; fd_store_barrier tells when it
 * has.  None of these waits.  ERR_BUSY: the manager's queue is full.  ERR_INTERNAL: it cannot be told anything.
 */
enum err fd_store_put(struct fd_store *store, int fd, const char *id);
enum err fd_store_remove(struct fd_store *store, const char *id);

/* fd_out: the end of a pipe that hangs up when the manager has done all that it was told before; owned by the caller. */
enum err fd_store_barrier(struct fd_store *store, int *fd_out);

/* Exactly 32 lower-case hex digits. */
bool fd_store_is_id(const char *text, size_t len);

#endif
