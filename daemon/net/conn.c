/*
 * The life of a connection: its exchange with core, the reply, the end; the reading side is reader.c's.
 *
 * P8: who does not read its reply, or sends three malformed lines, is closed.  P1: a reply goes back wiped
 * however its delivery ends.  P9: a value is written only while the process that connected lives.  The
 * loop's events are changed only off the fast path, which is line in, reply out, in one turn.
 */
#include "conn.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base64.h"
#include "clock.h"
#include "conn_set.h"
#include "reader.h"

enum { MALFORMED_MAX = 3 };

static const int64_t NO_DEADLINE = INT64_MAX;

_Static_assert(
	sizeof(struct conn) <= 960, "an idle connection costs at most 1 KiB, malloc and groups included");

/* ---- the end of a connection ---- */

static void release(struct conn *conn)
{
	struct conn_set *set = conn->set;

	LIST_REMOVE(conn, all);
	shares_give(&set->shares, conn->principal.uid);
	peer_clear(&conn->principal);
	free(conn);
	set->gone(set);
}

/* A secret of which not one byte was written has reached nobody. */
static void drop_reply(struct conn *conn)
{
	if (conn->exchange.reply.is_secret && conn->sent == 0)
		core_note_undelivered(conn->set->core, &conn->exchange);
	reply_clear(conn->set->core, &conn->exchange.reply); /* P1 */
}

static void on_closed(uv_handle_t *handle)
{
	struct conn *conn = handle->data;

	conn->is_closed = true;
	if (conn->state != CONN_HANDED)
		release(conn);
}

void conn_close(struct conn *conn)
{
	if (conn->is_closing)
		return;
	conn->is_closing = true;
	conn->deadline_ms = NO_DEADLINE;
	if (conn->state == CONN_READY)
		TAILQ_REMOVE(&conn->set->ready, conn, ready);
	if (conn->state != CONN_HANDED)
		drop_reply(conn);
	subscriber_leave(&conn->subscriber);
	intake_clear(&conn->intake, &conn->set->room);
	uv_close((uv_handle_t *)&conn->poll, on_closed);
	close(conn->fd);
}

void conn_drain(struct conn *conn)
{
	conn->must_close = true;
	if (conn->state == CONN_READY)
		conn_close(conn);
}

void conn_close_unasked(struct conn *conn)
{
	if (conn->state == CONN_READING || conn->state == CONN_READY)
		conn_close(conn);
}

/* ---- what the loop watches ---- */

static void on_poll(uv_poll_t *handle, int status, int events);

static void arm(struct conn *conn, int events)
{
	if (conn->events == events || conn->is_closing)
		return;
	conn->events = events;

	int status = events == 0 ? uv_poll_stop(&conn->poll) : uv_poll_start(&conn->poll, events, on_poll);

	if (status != 0)
		conn_close(conn);
}

void conn_read_on(struct conn *conn)
{
	conn->state = CONN_READING;
	if (conn->has_spoken) {
		bool is_watcher = conn->subscriber.watcher != NULL && conn->intake.len == 0;
		int64_t wait_ms =
			conn->intake.len > 0 ? conn->set->limits.line_ms : conn->set->limits.idle_ms;

		conn->deadline_ms = is_watcher ? NO_DEADLINE : clock_monotonic_ms() + wait_ms;
	}
	arm(conn, UV_READABLE);
}

/* ---- the reply ---- */

static void send_event(struct conn *conn);

static void finish_reply(struct conn *conn)
{
	bool must_close = conn->must_close || conn->exchange.reply.must_close;

	reply_clear(conn->set->core, &conn->exchange.reply); /* P1 */
	conn->is_event = false;
	if (must_close) {
		conn_close(conn);
		return;
	}
	if (subscriber_has_news(&conn->subscriber)) {
		send_event(conn);
		return;
	}
	if (conn->intake.len == 0 && conn->refusal == OK) {
		conn_read_on(conn);
		return;
	}
	/* One request per turn: what came behind this line has to wait for the others. */
	conn->state = CONN_READY;
	conn->deadline_ms = NO_DEADLINE;
	TAILQ_INSERT_TAIL(&conn->set->ready, conn, ready);
	arm(conn, UV_READABLE);
}

static void wait_for_space(struct conn *conn)
{
	if (conn->events == UV_WRITABLE)
		return;
	if (!conn->is_event)
		conn->deadline_ms = clock_monotonic_ms() + conn->set->limits.drain_ms;
	arm(conn, UV_WRITABLE);
}

static void send_reply(struct conn *conn)
{
	const struct reply *reply = &conn->exchange.reply;

	while (conn->sent < reply->len) {
		ssize_t count = send(conn->fd, reply->bytes + conn->sent, reply->len - conn->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (count >= 0) {
			conn->sent += (size_t)count;
		} else if (errno == EAGAIN) {
			wait_for_space(conn);
			return;
		} else if (errno != EINTR) {
			conn_close(conn);
			return;
		}
	}
	finish_reply(conn);
}

/* P8: a reader that is slow costs what core keeps for it, and no more; the last word it takes in time, or never. */
static void send_event(struct conn *conn)
{
	conn->state = CONN_SENDING;
	conn->is_event = true;
	conn->sent = 0;
	subscriber_take(conn->set->core, &conn->subscriber, &conn->exchange.reply);
	conn->deadline_ms = conn->exchange.reply.must_close
				    ? clock_monotonic_ms() + conn->set->limits.drain_ms
				    : NO_DEADLINE;
	send_reply(conn);
}

/* Events go out between replies; a connection that is busy takes its news when it is done. */
static void on_wake(struct subscriber *subscriber)
{
	struct conn *conn = (struct conn *)(void *)((char *)subscriber - offsetof(struct conn, subscriber));

	if (conn->is_closing)
		return;
	if (conn->state == CONN_READING)
		send_event(conn);
	else if (conn->is_event && conn->deadline_ms == NO_DEADLINE && subscriber_must_end(subscriber))
		conn->deadline_ms = clock_monotonic_ms() + conn->set->limits.drain_ms; /* P2 */
}

static bool is_malformed(enum err err)
{
	return err == ERR_BAD_JSON || err == ERR_TOO_COMPLEX || err == ERR_BAD_REQUEST;
}

static void on_deliver(struct exchange *exchange)
{
	struct conn *conn = (struct conn *)(void *)((char *)exchange - offsetof(struct conn, exchange));

	conn->state = CONN_SENDING;
	conn->sent = 0;
	if (conn->is_closing) {
		drop_reply(conn);
		if (conn->is_closed)
			release(conn);
		return;
	}
	if (is_malformed(exchange->err) && ++conn->malformed >= MALFORMED_MAX)
		conn->must_close = true;
	if (conn->is_silent || (exchange->reply.is_secret && !peer_is_alive(&conn->principal))) /* P9 */
		conn_close(conn);
	else
		send_reply(conn);
}

/* ---- the request ---- */

static void begin_exchange(struct conn *conn)
{
	conn->state = CONN_HANDED;
	conn->deadline_ms = NO_DEADLINE;
	conn->has_spoken = true;
	conn->exchange = (struct exchange){
		.principal = &conn->principal,
		.deliver = on_deliver,
		.subscriber = &conn->subscriber,
		.challenge = conn->challenge[0] != '\0' ? conn->challenge : NULL,
		.has_credentials = conn->credentials.are_known,
		.cred_pid = conn->credentials.pid,
		.cred_uid = conn->credentials.uid,
		.cred_gid = conn->credentials.gid,
	};
}

void conn_hand_over(struct conn *conn, char *line, size_t len)
{
	begin_exchange(conn);
	turn_handle(conn->set->turn, &conn->exchange, line, len);
}

void conn_refuse(struct conn *conn, enum err err, const char *detail)
{
	intake_clear(&conn->intake, &conn->set->room);
	conn->must_close = true;
	begin_exchange(conn);
	turn_refuse(conn->set->turn, &conn->exchange, err, detail);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct conn *conn = handle->data;

	(void)events;
	if (status < 0)
		conn->events = 0; /* libuv has stopped it */
	if (conn->state == CONN_HANDED) /* its bytes, or its end, are looked at after the reply */
		arm(conn, 0);
	else if (status < 0 && conn->state == CONN_READING)
		reader_lose(conn);
	else if (status < 0)
		conn_close(conn);
	else if (conn->state == CONN_READING)
		reader_read(conn);
	else if (conn->state == CONN_SENDING)
		send_reply(conn);
}

/* ---- the beginning of a connection ---- */

static enum err make_challenge(struct conn *conn)
{
	unsigned char random[(CONN_CHALLENGE_BYTES - 1) / 2] = {0};

	if (!peer_needs_proof(&conn->principal))
		return OK;
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return ERR_INTERNAL;
	hex_encode(random, sizeof(random), conn->challenge);
	return credentials_ask(conn->fd);
}

static void free_conn(struct conn **conn)
{
	free(*conn);
}

enum err conn_new(struct conn_set *set, int fd, struct principal *principal)
{
	__attribute__((cleanup(free_conn))) struct conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL)
		return ERR_INTERNAL;
	conn->set = set;
	conn->fd = fd;
	conn->principal = *principal;
	conn->subscriber.wake = on_wake;
	conn->intake.limit = (uint32_t)set->limits.line_bytes_stranger;
	conn->deadline_ms = clock_monotonic_ms() + set->limits.first_line_ms;

	enum err err = make_challenge(conn);

	if (err != OK)
		return err;
	if (uv_poll_init(set->loop, &conn->poll, fd) != 0)
		return ERR_INTERNAL;
	conn->poll.data = conn;
	*principal = (struct principal){.pidfd = -1};
	LIST_INSERT_HEAD(&set->all, conn, all);
	arm(conn, UV_READABLE);
	conn = NULL; /* the loop has it: released by on_closed */
	return OK;
}
