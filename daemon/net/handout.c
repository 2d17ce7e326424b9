/*
 * P5 on a connection that cannot be told of a failure: whatever happens, its reader gets the value once, or more than it
 * takes, or no end.  The order keeps that through a kill at any point:
 *
 *     kept by the manager → decided, recorded, durable (P4) → marked → value or refusal → end → forgotten by the manager
 *
 * Killed before the mark, nothing was sent: after the restart it is asked again, and core refuses an id under which a value
 * may have left.  Killed behind it, something may have been sent: then a refusal follows, which makes the whole too large.
 *
 * P1: a value is sent from its locked block, and wiped.  P9: to a living process only, of the unit that the kernel says.
 */
#include "handout.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base64.h"
#include "clock.h"
#include "handouts.h"
#include "log.h"

enum {
	/* systemd takes at most 1 MiB for all credentials of a unit; then its start fails with 243/CREDENTIALS. */
	REFUSAL_BYTES = 1024 * 1024 + 1,
	CHUNK_BYTES = 16384,
	/* The mark: SO_RCVLOWAT means nothing on a socket that is never read, and lives as long as the connection. */
	MARK_UNTOUCHED = 1,
	MARK_SPENT = 2,
};

static const int64_t NO_DEADLINE = INT64_MAX;

static const char zeros[CHUNK_BYTES];

/* ---- the end ---- */

static void release(struct handout *handout)
{
	struct handouts *set = handout->set;

	TAILQ_REMOVE(&set->queues[handout->state], handout, queue);
	peer_clear(&handout->principal);
	free(handout);
	handouts_released(set);
}

static void on_closed(uv_handle_t *handle)
{
	struct handout *handout = handle->data;

	handout->is_closed = true;
	if (handout->state != HANDOUT_HANDED)
		release(handout);
}

/* A secret of which not one byte was written has reached nobody. */
static void drop_reply(struct handout *handout)
{
	if (handout->exchange.reply.is_secret && handout->sent == 0)
		core_note_undelivered(handout->set->core, &handout->exchange);
	reply_clear(handout->set->core, &handout->exchange.reply); /* P1 */
}

static void let_go(struct handout *handout)
{
	if (handout->state != HANDOUT_HANDED) {
		drop_reply(handout);
		handout_move(handout, HANDOUT_ENDED);
	}
	handout->deadline_ms = NO_DEADLINE;
	uv_close((uv_handle_t *)&handout->poll,
		on_closed); /* first: the manager's copy keeps what epoll watches */
	close(handout->fd);
	handout->fd = -1;
}

/*
 * The reader's end comes with the shutdown: the manager still has a copy.  It drops that by itself when both sides are shut
 * down, so a message that is lost here costs nothing.
 */
static void end(struct handout *handout)
{
	(void)shutdown(handout->fd, SHUT_RDWR);
	if (fd_store_remove(&handout->set->store, handout->id) != OK)
		log_debug("the service manager is to find by itself that a connection has ended");
	let_go(handout);
}

void handout_leave(struct handout *handout, const char *reason)
{
	if (handout->fd < 0)
		return;
	if (handout->is_kept)
		log_warning("%s: credential %s is left to the service manager: %s", handout->claim.unit,
			handout->claim.name, reason);
	else
		log_error(
			"%s: credential %s may be empty, the service manager does not say that it keeps the "
			"connection: %s",
			handout->claim.unit, handout->claim.name, reason);
	let_go(handout);
}

/* Both sides shut down, or an error: nobody reads any more. */
static bool has_left(const struct handout *handout)
{
	struct pollfd state = {.fd = handout->fd};

	return poll(&state, 1, 0) > 0;
}

/* ---- what is sent ---- */

static bool is_spent(const struct handout *handout)
{
	int mark = MARK_SPENT;
	socklen_t len = sizeof(mark);

	return getsockopt(handout->fd, SOL_SOCKET, SO_RCVLOWAT, &mark, &len) != 0 || mark != MARK_UNTOUCHED;
}

/* P5: before the first byte, so that no process after us takes it for untouched. */
static bool mark_spent(const struct handout *handout)
{
	int mark = MARK_SPENT;

	return setsockopt(handout->fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)) == 0;
}

static size_t next_part(const struct handout *handout, const char **bytes_out)
{
	const struct reply *reply = &handout->exchange.reply;
	size_t left = (handout->is_refused ? REFUSAL_BYTES : reply->len) - handout->sent;

	*bytes_out = handout->is_refused ? zeros : reply->bytes + handout->sent;
	return handout->is_refused && left > CHUNK_BYTES ? CHUNK_BYTES : left;
}

static void on_writable(uv_poll_t *handle, int status, int events);

static void wait_for_space(struct handout *handout)
{
	if (uv_poll_start(&handout->poll, UV_WRITABLE, on_writable) != 0)
		handout_leave(handout, "it cannot be watched");
}

static void send_more(struct handout *handout)
{
	const char *bytes = NULL;

	for (size_t len = next_part(handout, &bytes); len > 0; len = next_part(handout, &bytes)) {
		ssize_t count = send(handout->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (count >= 0) {
			handout->sent += (size_t)count;
		} else if (errno == EAGAIN) {
			wait_for_space(handout);
			return;
		} else if (errno != EINTR) {
			break; /* the reader has left: of a refusal it has had enough */
		}
	}
	end(handout);
}

/* A copy that the manager keeps may be left at the deadline; one that it may not have is held until its reader goes. */
static void begin_sending(struct handout *handout)
{
	int64_t now_ms = clock_monotonic_ms();

	handout_move(handout, HANDOUT_SENDING);
	handout->sent = 0;
	handout->deadline_ms = handout->is_kept ? now_ms + handout->set->limits->drain_ms : NO_DEADLINE;
	if (mark_spent(handout))
		send_more(handout);
	else
		handout_leave(handout, "it cannot be marked");
}

static void on_writable(uv_poll_t *handle, int status, int events)
{
	(void)status; /* an error is for the send to find */
	(void)events;
	send_more(handle->data);
}

static void refuse(struct handout *handout)
{
	reply_clear(handout->set->core, &handout->exchange.reply);
	handout->is_refused = true;
	begin_sending(handout);
}

/* ---- the question ---- */

static void on_deliver(struct exchange *exchange)
{
	struct handout *handout =
		(struct handout *)(void *)((char *)exchange - offsetof(struct handout, exchange));
	bool is_value = exchange->err == OK && exchange->reply.is_secret && exchange->reply.len > 0;

	handout_move(handout, HANDOUT_SENDING);
	if (handout->fd < 0 || has_left(handout)) {
		drop_reply(handout);
		if (handout->fd >= 0)
			end(handout);
		else if (handout->is_closed)
			release(handout);
	} else if (is_value && peer_is_alive(&handout->principal)) { /* P9 */
		begin_sending(handout);
	} else {
		drop_reply(
			handout); /* of a value: to a process that has ended, but whose connection somebody has */
		refuse(handout); /* core has told the log why */
	}
}

static void begin_exchange(struct handout *handout)
{
	handout_move(handout, HANDOUT_HANDED);
	handout->deadline_ms = NO_DEADLINE;
	handout->exchange = (struct exchange){.principal = &handout->principal, .deliver = on_deliver};
}

/* Who cannot be identified has no name that a record could tell: then the log alone says it, as of any connection. */
static bool is_identified(struct handout *handout)
{
	const char *reason = NULL;

	return handout->principal.pidfd >= 0 ||
	       peer_identify(handout->fd, &handout->principal, &reason) == OK;
}

void handout_refuse(struct handout *handout, enum err err, const char *reason)
{
	const char *name = handout->claim.name[0] != '\0' ? handout->claim.name : "without a name";
	const char *unit =
		handout->claim.unit[0] != '\0' ? handout->claim.unit : "a process in no unit's name";

	if (!is_identified(handout)) {
		log_warning("%s: credential %s refused: %s", unit, name, reason);
		refuse(handout);
		return;
	}
	handout->delivery = (struct delivery){.unit = unit, .name = name, .id = handout->id};
	begin_exchange(handout);
	turn_refuse_delivery(
		core_turn(handout->set->core), &handout->exchange, &handout->delivery, err, reason); /* P4 */
}

void handout_ask(struct handout *handout)
{
	const char *reason = NULL;

	if (has_left(handout)) {
		end(handout);
		return;
	}
	if (is_spent(handout)) {
		handout_refuse(handout, ERR_CONFLICT, "the daemon ended while it answered");
		return;
	}
	if (peer_identify(handout->fd, &handout->principal, &reason) != OK ||
		claim_take(handout->fd, &handout->principal, &handout->claim, &reason) != OK) { /* P9 */
		handout_refuse(handout, ERR_DENIED, reason);
		return;
	}
	handout->delivery = (struct delivery){
		.unit = handout->claim.unit, .name = handout->claim.name, .id = handout->id};
	begin_exchange(handout);
	turn_deliver(core_turn(handout->set->core), &handout->exchange, &handout->delivery);
}

/* ---- the beginning ---- */

void handout_move(struct handout *handout, enum handout_state state)
{
	struct handout_queue *queues = handout->set->queues;

	TAILQ_REMOVE(&queues[handout->state], handout, queue);
	handout->state = state;
	TAILQ_INSERT_TAIL(&queues[state], handout, queue);
}

struct handout *handout_new(struct handouts *set)
{
	unsigned char random[(FD_STORE_ID_BYTES - 1) / 2] = {0};
	struct handout *handout = calloc(1, sizeof(*handout));

	if (handout == NULL || getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
		free(handout);
		return NULL;
	}
	hex_encode(random, sizeof(random), handout->id);
	handout->set = set;
	handout->fd = -1;
	handout->principal.pidfd = -1;
	return handout;
}

void handout_free(struct handout *handout)
{
	free(handout);
}

enum err handout_begin(struct handout *handout, int fd, enum handout_state state)
{
	if (uv_poll_init(handout->set->loop, &handout->poll, fd) != 0)
		return ERR_INTERNAL;
	handout->poll.data = handout;
	handout->fd = fd;
	handout->state = state;
	(void)claim_read(fd, &handout->claim); /* for what the log says of it */
	handout->set->count++;
	TAILQ_INSERT_TAIL(&handout->set->queues[state], handout, queue);
	return OK;
}
