/*
 * One client: hands over one line at a time, writes the reply, keeps its deadline.  At most one request of a
 * connection is under way; what was sent behind it waits.  Bytes and lines: reader.h.
 */
#ifndef COFFER_NET_CONN_H
#define COFFER_NET_CONN_H

#include <sys/queue.h>
#include <uv.h>

#include "credentials.h"
#include "intake.h"
#include "turn.h"

struct conn_set;

enum conn_state {
	CONN_READING, /* for a line, or for the rest of one */
	CONN_READY, /* in the queue: what it holds is looked at in the next turn */
	CONN_HANDED, /* core has the exchange and will call deliver */
	CONN_SENDING, /* the reply is ours and not wholly written */
};

enum { CONN_CHALLENGE_BYTES = 33 }; /* 32 hex digits and a NUL */

struct conn {
	uv_poll_t poll;
	struct conn_set *set;
	LIST_ENTRY(conn) all;
	TAILQ_ENTRY(conn) ready; /* while CONN_READY */
	struct intake intake;
	struct exchange exchange;
	struct principal principal; /* owned */
	struct subscriber subscriber;
	struct credentials credentials; /* of the bytes in intake, where a challenge is on */
	int64_t deadline_ms; /* monotonic */
	size_t sent; /* of the reply */
	int fd; /* owned */
	int events; /* what poll is armed for */
	enum conn_state state;
	enum err refusal; /* when not OK: the next turn answers with this and closes */
	unsigned malformed; /* lines, so far */
	bool has_spoken; /* the first line was complete */
	bool is_event; /* what is being sent: it may take as long as it takes */
	bool is_silent; /* nobody reads the reply: it is only prepared for its record */
	bool must_close; /* after the reply */
	bool is_closing; /* nothing more is read or written */
	bool is_closed; /* the loop has let go of it */
	char challenge[CONN_CHALLENGE_BYTES]; /* "" when none is needed */
};

/*
 * Takes over a connected socket, its principal and the share it was given on OK; ERR_INTERNAL leaves all
 * three to the caller.
 */
enum err conn_new(struct conn_set *set, int fd, struct principal *principal);

/* A line for core, in locked memory; wiped when this returns. */
void conn_hand_over(struct conn *conn, char *line, size_t len);

/* Tells core why nothing more of what the peer sends is looked at; the end comes after the reply. */
void conn_refuse(struct conn *conn, enum err err, const char *detail);

/* Waits for bytes, until a deadline. */
void conn_read_on(struct conn *conn);

/* Closes after the next reply, and now where a further line waits for its turn. */
void conn_drain(struct conn *conn);
void conn_close_unasked(struct conn *conn); /* where no reply is under way */

/* Closes and wipes what is left of the reply.  The memory goes when loop and core are done with it. */
void conn_close(struct conn *conn);

#endif
