/*
 * The loop's turn is the transaction: every request that arrived in one turn shares one commit, and no
 * reply leaves before it is durable (P4, P5).  net hands over complete lines and gets replies back;
 * it never sees what they mean.
 *
 *   turn_handle(turn, &exchange, line, len)   for each line of this turn
 *   turn_end(turn)                            once, after the loop's poll phase: commits, then calls
 *                                             deliver for each exchange, in the order they were handled
 */
#ifndef COFFER_CORE_TURN_H
#define COFFER_CORE_TURN_H

#include <stdbool.h>
#include <stddef.h>

#include "locked.h"
#include "peer.h"
#include "request.h"

struct core;
struct turn;

struct reply {
	char *bytes; /* one line with its newline */
	size_t len;
	bool is_secret; /* block holds it: the connector must be alive when it is written; give it back wiped */
	struct pool_block block; /* when is_secret */
	bool must_close; /* after it has been written */
};

/*
 * A connection that may be told of changes, embedded in it.  It must stay until subscriber_leave was called.
 * in: wake.
 */
struct subscriber {
	void (*wake)(
		struct subscriber *subscriber); /* there is news; called between turns, behind the replies */
	struct watcher *watcher; /* core's own; NULL: it wants to hear nothing */
	struct queue *queue; /* core's own; what it wants done together; NULL: nothing */
};

struct exchange;
typedef void exchange_deliver_fn(struct exchange *exchange);

/* What the service manager asks for on the credentials socket: credential `name` of `unit`. */
struct delivery {
	const char *unit; /* as the kernel and the peer's name agree; valid text, like name */
	const char *name;
	const char *
		id; /* 32 lower-case hex digits, random: the connection's name in the fd store; at most once a value leaves under it */
};

/*
 * One request of one connection, embedded in the connection.  The connection must stay until deliver was
 * called.  in: principal, deliver, conn_* · out: reply.
 */
struct exchange {
	struct principal *principal; /* not const: session.prove completes it */
	exchange_deliver_fn *deliver;
	struct subscriber *subscriber; /* of the connection; NULL: it cannot be told anything */
	const char *challenge; /* 32 hex digits of this connection for session.prove, or NULL */
	bool has_credentials; /* SCM_CREDENTIALS came with this line */
	pid_t cred_pid;
	uid_t cred_uid;
	gid_t cred_gid;
	struct reply reply;
	/* core's own */
	struct exchange *next;
	const struct delivery
		*delivery; /* not NULL: there was no line, and the reply is a bare value or nothing */
	char id[REQUEST_ID_BYTES_MAX];
	size_t id_len;
	enum err err;
	enum request_duty duty;
	bool saw_store; /* its answer tells what is in the store */
	bool has_authenticated; /* what its connection holds is not durable yet */
	bool needs_checkpoint; /* its answer waits for a truncating checkpoint (P10) */
};

/* Does the work inside the turn's transaction and prepares exchange->reply.  line is in locked memory; it is wiped. */
void turn_handle(struct turn *turn, struct exchange *exchange, char *line, size_t len);

/*
 * As turn_handle, for the credentials socket: exchange->principal is its peer.  *delivery must stay until deliver was called.
 * Then reply.len 0: refused, exchange->err says why, it is recorded and in the log; else reply.bytes are the value as it is,
 * no newline added, is_secret.
 */
void turn_deliver(struct turn *turn, struct exchange *exchange, const struct delivery *delivery);

/*
 * One of these that is not asked about: it is not believed, or no answer may leave.  What it claims is told in the record and in
 * the log as a claim; the reply is as of a refused one.
 */
void turn_refuse_delivery(struct turn *turn, struct exchange *exchange, const struct delivery *claim,
	enum err err, const char *reason);

/* A line that cannot even be handed over (too long, cut off): recorded, and a reply prepared, like any refusal. */
void turn_refuse(struct turn *turn, struct exchange *exchange, enum err err, const char *detail);

/* Leaves no piece of a line in registers and dead stack frames: for net, which moves incomplete lines about (P1). */
void turn_forget(void);

/* True when exchanges wait for turn_end. */
bool turn_is_open(const struct turn *turn);
void turn_end(struct turn *turn);

/* Frees or gives back what the reply holds; wiped when secret.  Fine on {0}. */
void reply_clear(struct core *core, struct reply *reply);

/* Of a connection that wants to hear of changes: an event is a line like a reply, and never holds a value. */
bool subscriber_has_news(const struct subscriber *subscriber);
bool subscriber_must_end(const struct subscriber *subscriber); /* its right is gone: the news are the last */
void subscriber_take(
	struct core *core, struct subscriber *subscriber, struct reply *out); /* when it has news */
void subscriber_leave(
	struct subscriber *subscriber); /* fine on one that hears nothing; forgets its queue, too */
void core_wake_subscribers(struct core *core);

/* What net asks about a principal.  Known: it has a role, manages something, or has a grant that could match. */
bool core_is_known(struct core *core, const struct principal *principal);
bool core_is_privileged(struct core *core, const struct principal *principal); /* admin */
/* The reply of a secret could not be handed to a live process any more: recorded in the next turn. */
void core_note_undelivered(struct core *core, const struct exchange *exchange);

struct turn *core_turn(struct core *core);

#endif
