/*
 * The listening socket: accepts who may come in, and survives what it cannot.
 */
#ifndef COFFER_NET_ACCEPTOR_H
#define COFFER_NET_ACCEPTOR_H

#include <uv.h>

#include "conn_set.h"

/* What a flood makes us say; each at most once a minute, or the flood would fill the journal. */
enum complaint {
	COMPLAINT_ACCEPT,
	COMPLAINT_FULL,
	COMPLAINT_IDENTITY,
	COMPLAINT_SHARE,
	COMPLAINT_CONN,
	COMPLAINT_COUNT
};

struct acceptor {
	struct conn_set *set; /* not owned */
	int listen_fd;
	int spare_fd; /* given up for a moment when there is no other descriptor left */
	uv_poll_t listener;
	uv_timer_t resume; /* the end of a back-off */
	int open_handles;
	void (*closed)(struct acceptor *acceptor);
	int64_t complained_ms[COMPLAINT_COUNT];
};

/*
 * Starts accepting into the set; listen_fd is owned on OK.  ERR_CONFIG: not a listening Unix stream socket.
 * After OK the only way out is acceptor_close.
 */
enum err acceptor_start(struct acceptor *acceptor, uv_loop_t *loop, int listen_fd, struct conn_set *set);

/* Accepts nobody more; closed is called when the loop has let go. */
void acceptor_close(struct acceptor *acceptor, void (*closed)(struct acceptor *acceptor));

#endif
