/*
 * The listening socket and everybody connected to it: accepts within limits and shares, keeps deadlines,
 * ends each loop turn.  libuv, one thread.
 */
#ifndef COFFER_NET_SERVER_H
#define COFFER_NET_SERVER_H

#include <uv.h>

#include "config.h"
#include "fd_store.h"
#include "turn.h"

struct server;

/*
 * Makes our own socket at path: fchmod before bind (0666: the kernel says who calls), a stale socket of
 * ours replaced, anything else there refused, directory checked.  fd_out is listening.  ERR_CONFIG,
 * reason_out a constant.
 */
enum err server_listen(const char *path, int *fd_out, const char **reason_out);

/*
 * Starts serving fd on the loop; on OK it is owned.  ERR_CONFIG: not a listening Unix stream socket.
 * ERR_INTERNAL: out of memory, or it cannot be locked; may_swap goes on without the lock.
 */
enum err server_start(uv_loop_t *loop, int listen_fd, struct core *core, const struct config_limits *limits,
	bool may_swap, struct server **out);

/*
 * Hands out credentials of units, too: on listen_fd (-1: none), and to connections that the service manager kept over a restart.
 * On OK all of these descriptors are owned.  ERR_NOT_FOUND: there is no service manager that would keep them.  ERR_CONFIG: not a listening Unix
 * stream socket.
 */
enum err server_hand_out(
	struct server *server, int listen_fd, const struct fd_store_entry *back, size_t count);

/* After a reload of the limits; the size of the line pool stays. */
void server_set_limits(struct server *server, const struct config_limits *limits);

size_t server_connection_count(const struct server *server);

/*
 * Accepts nobody any more: who waits in a socket that was handed over is the next daemon's.  Requests that have arrived are
 * answered, replies drain for drain_ms, then all are closed; done is called once.
 */
typedef void server_stopped_fn(void *arg);
void server_stop(struct server *server, int64_t drain_ms, server_stopped_fn *done, void *arg);
void server_free(struct server *server); /* after done */

#endif
