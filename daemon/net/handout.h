/*
 * One connection of the service manager, which waits for a credential of a unit that it is starting:
 * LoadCredential=NAME:SOCKET of systemd.exec(5).
 *
 * It sends nothing, reads to the end, and takes what it read for the credential, also when that is nothing.  So the only way
 * to say no is more than it accepts, and the end must never come before the value or all of that.
 */
#ifndef COFFER_NET_HANDOUT_H
#define COFFER_NET_HANDOUT_H

#include <sys/queue.h>
#include <uv.h>

#include "claim.h"
#include "fd_store.h"
#include "turn.h"

struct handouts;

/* Each has its queue; connections go through them in this order, but may be refused from any. */
enum handout_state {
	HANDOUT_NEW, /* accepted; the manager could not be told of it yet */
	HANDOUT_TOLD, /* the manager has a message with it */
	HANDOUT_BEHIND, /* behind its message waits a barrier */
	HANDOUT_READY, /* kept by the manager: answered in one of the next turns */
	HANDOUT_HANDED, /* core has the exchange and will call deliver */
	HANDOUT_SENDING, /* the value or the refusal is not wholly written */
	HANDOUT_ENDED, /* nothing more is written */
	HANDOUT_STATES
};

struct handout {
	uv_poll_t poll;
	struct handouts *set;
	TAILQ_ENTRY(handout) queue; /* of its state */
	enum handout_state state;
	struct exchange exchange;
	struct principal principal; /* owned */
	struct claim claim;
	struct delivery delivery; /* of claim and id */
	int64_t deadline_ms; /* monotonic */
	size_t sent; /* of the value or the refusal */
	int fd; /* owned */
	bool is_refused; /* what is sent is the refusal */
	bool is_kept; /* the manager has it: we may die, or let go of it, and it does not end */
	bool is_closed; /* the loop has let go of it */
	char id[FD_STORE_ID_BYTES]; /* its name in the manager's store */
};

/* Before there is a connection: what can fail does so while it is still in the backlog.  NULL: no memory, no random. */
struct handout *handout_new(struct handouts *set);
void handout_free(struct handout *handout); /* one that was not begun */

/* Takes over the connection; the set counts it from here on.  ERR_INTERNAL leaves fd to the caller. */
enum err handout_begin(struct handout *handout, int fd, enum handout_state state);

void handout_move(struct handout *handout, enum handout_state state);

/* Once it is kept: asks who it is and, through core, what it gets. */
void handout_ask(struct handout *handout);

/* Without asking core what it gets: recorded in this turn, and in the log; the refusal is written behind the turn's end. */
void handout_refuse(struct handout *handout, enum err err, const char *reason);

/* Lets go of it: the manager keeps it, and hands it over again at the next start. */
void handout_leave(struct handout *handout, const char *reason);

#endif
