/*
 * Everybody connected, and what they share: the read buffer, the limits, the queue of those who sent more
 * than one line at once.
 */
#ifndef COFFER_NET_CONN_SET_H
#define COFFER_NET_CONN_SET_H

#include <sys/queue.h>
#include <uv.h>

#include "config.h"
#include "conn.h"
#include "intake.h"
#include "shares.h"
#include "turn.h"

struct conn_set {
	uv_loop_t *loop; /* not owned */
	struct core *core; /* not owned */
	struct turn *turn; /* core's */
	struct config_limits limits;
	struct intake_room room;
	struct shares shares;
	LIST_HEAD(, conn) all;
	TAILQ_HEAD(, conn) ready;
	void (*gone)(struct conn_set *set); /* called when one was released */
};

enum err conn_set_init(struct conn_set *set, uv_loop_t *loop, struct core *core,
	const struct config_limits *limits, bool may_swap);
void conn_set_deinit(struct conn_set *set); /* when all are released; fine on {0} */

/* Gives each connection in the queue one request of this turn. */
void conn_set_handle_ready(struct conn_set *set);
bool conn_set_has_ready(const struct conn_set *set);

/* Closes those whose time is up. */
void conn_set_sweep(struct conn_set *set, int64_t now_ms);

/* Each of them has one more reply at most; then those who wait for none are closed. */
void conn_set_drain(struct conn_set *set);
void conn_set_close_unasked(struct conn_set *set);
void conn_set_close(struct conn_set *set);

#endif
