/*
 * The credentials socket: connections of the service manager, each kept by it before it is answered.  Root alone can connect
 * (its file is 0600), so there are limits here, but no shares.
 */
#ifndef COFFER_NET_HANDOUTS_H
#define COFFER_NET_HANDOUTS_H

#include <sys/queue.h>
#include <uv.h>

#include "config.h"
#include "handout.h"

struct barrier;

struct handouts {
	uv_loop_t *loop; /* not owned */
	struct core *core; /* not owned */
	const struct config_limits *limits; /* not owned */
	struct fd_store store;
	int listen_fd; /* -1: only what came back is answered */
	uv_poll_t listener;
	uv_timer_t sweep; /* runs while there is something to wait for */
	struct barrier *barrier; /* the one on its way, at most */
	TAILQ_HEAD(handout_queue, handout) queues[HANDOUT_STATES];
	size_t count;
	int64_t complained_ms; /* that nobody can be accepted */
	bool is_paused; /* does not accept until the next sweep, or until one has gone */
	bool must_sweep;
	bool is_stopping;
	int open_handles; /* 0: never started */
	void (*gone)(struct handouts *set); /* called when one was released */
	void (*closed)(struct handouts *set);
};

/*
 * Serves listen_fd (-1: none) and what came back from the manager's store; on OK all of that is owned.  ERR_NOT_FOUND: there is no
 * service manager that would keep connections.  ERR_CONFIG: not a listening Unix stream socket.
 */
enum err handouts_start(struct handouts *set, int listen_fd, const struct fd_store_entry *back, size_t count);

/* Once in each turn of the loop, before its end. */
void handouts_take_turn(struct handouts *set);
bool handouts_have_ready(const struct handouts *set);

/* Accepts nobody more; those that are there are answered. */
void handouts_stop(struct handouts *set);

/* Leaves those that are still there to the manager. */
void handouts_leave(struct handouts *set);

/* When none is there any more; closed is called when the loop has let go.  Not for one that was never started. */
void handouts_close(struct handouts *set, void (*closed)(struct handouts *set));

void handouts_released(struct handouts *set); /* for handout.c */

#endif
