/*
 * A core that understands a few words instead of requests, for the tests of net: it keeps the agreement of
 * turn.h and counts what net does.  One per program; included by one file.
 *
 *     echo …     the line comes back          big N      a reply of N bytes
 *     secret N   N bytes from a locked block  bad        ERR_BAD_JSON
 *     watch      the connection hears of events, which stub_tell sends to the last one that asked
 *     bye        a reply with must_close      later …    delivered by stub_deliver_held, not by turn_end
 */
#ifndef COFFER_TESTS_STUB_CORE_H
#define COFFER_TESTS_STUB_CORE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "turn.h"

enum { STUB_POOL_BYTES = 4 << 20, STUB_ORDER_MAX = 8192 };

struct watcher {
	size_t news; /* bytes of the event that waits; 0: none */
	bool must_end;
};

struct turn {
	struct exchange *first;
	struct exchange **last;
};

struct core {
	struct turn turn;
	struct pool *pool;
	struct exchange *held;
	struct watcher watcher;
	struct subscriber *subscriber; /* the one who has watcher */
	void (*ended)(void); /* called at the end of turn_end, as a broken store's news are */
	bool is_known;
	bool is_privileged;
	unsigned handled;
	unsigned refused;
	unsigned ends;
	unsigned undelivered;
	unsigned delivered; /* asked for, also when refused */
	char last_id[64];
	unsigned replies; /* made and not cleared */
	unsigned end_exchanges; /* of the last turn_end */
	unsigned credentialed;
	enum err refused_with;
	char refused_detail[256];
	char challenge[64];
	pid_t cred_pid;
	char order[STUB_ORDER_MAX]; /* the last byte of each line */
	size_t last_len;
};

static struct core stub;
static int64_t stub_now_ms = 1000000;

/* Time stands still until a test moves it. */
int64_t clock_monotonic_ms(void)
{
	return stub_now_ms;
}

int64_t clock_wall_ms(void)
{
	return stub_now_ms;
}

void turn_forget(void)
{
}

struct turn *core_turn(struct core *core)
{
	return &core->turn;
}

static void stub_enqueue(struct turn *turn, struct exchange *exchange)
{
	exchange->next = NULL;
	if (turn->first == NULL)
		turn->last = &turn->first;
	*turn->last = exchange;
	turn->last = &exchange->next;
}

static void stub_reply(struct exchange *exchange, const char *text, size_t len)
{
	struct reply *reply = &exchange->reply;

	*reply = (struct reply){.bytes = malloc(len + 1), .len = len + 1};
	memcpy(reply->bytes, text, len);
	reply->bytes[len] = '\n';
	stub.replies++;
}

static void stub_reply_filled(struct exchange *exchange, size_t len, bool is_secret)
{
	struct reply *reply = &exchange->reply;

	*reply = (struct reply){.len = len, .is_secret = is_secret};
	if (is_secret && pool_take(stub.pool, exchange->principal->uid, len, &reply->block) != OK)
		abort();
	reply->bytes = is_secret ? (char *)reply->block.bytes : malloc(len);
	memset(reply->bytes, is_secret ? 'S' : 'b', len);
	reply->bytes[len - 1] = '\n';
	stub.replies++;
}

static bool stub_begins(const char *line, size_t len, const char *word)
{
	return len >= strlen(word) && memcmp(line, word, strlen(word)) == 0;
}

static size_t stub_number(const char *line, size_t len)
{
	char text[32] = "";

	memcpy(text, line, len < sizeof(text) ? len : sizeof(text) - 1);
	return strtoul(strchr(text, ' '), NULL, 10);
}

void turn_handle(struct turn *turn, struct exchange *exchange, char *line, size_t len)
{
	if (len > 0 && stub.handled < STUB_ORDER_MAX)
		stub.order[stub.handled] = line[len - 1];
	stub.handled++;
	stub.last_len = len;
	stub.credentialed += exchange->has_credentials ? 1 : 0;
	stub.cred_pid = exchange->cred_pid;
	snprintf(stub.challenge, sizeof(stub.challenge), "%s",
		exchange->challenge != NULL ? exchange->challenge : "");
	exchange->err = OK;
	if (stub_begins(line, len, "big")) {
		stub_reply_filled(exchange, stub_number(line, len), false);
	} else if (stub_begins(line, len, "secret")) {
		stub_reply_filled(exchange, stub_number(line, len), true);
	} else {
		stub_reply(exchange, line, len);
		exchange->err = stub_begins(line, len, "bad") ? ERR_BAD_JSON : OK;
		exchange->reply.must_close = stub_begins(line, len, "bye");
	}
	if (stub_begins(line, len, "watch")) {
		stub.subscriber = exchange->subscriber;
		stub.subscriber->watcher = &stub.watcher;
	}
	if (stub_begins(line, len, "later"))
		stub.held = exchange;
	else
		stub_enqueue(turn, exchange);
	wipe(line, len);
}

/* The value is as many 'S' as the credential's name says; a name that begins with "no" is refused. */
void turn_deliver(struct turn *turn, struct exchange *exchange, const struct delivery *delivery)
{
	stub.delivered++;
	snprintf(stub.last_id, sizeof(stub.last_id), "%s", delivery->id);
	exchange->err = stub_begins(delivery->name, strlen(delivery->name), "no") ? ERR_DENIED : OK;
	if (exchange->err == OK) {
		stub_reply_filled(exchange, strtoul(delivery->name, NULL, 10), true);
		exchange->reply.bytes[exchange->reply.len - 1] = 'S';
	}
	stub_enqueue(turn, exchange);
}

void turn_refuse_delivery(struct turn *turn, struct exchange *exchange, const struct delivery *claim,
	enum err err, const char *reason)
{
	stub.refused++;
	stub.refused_with = err;
	snprintf(stub.refused_detail, sizeof(stub.refused_detail), "%s: %s: %s", claim->unit, claim->name,
		reason);
	exchange->err = err;
	exchange->reply = (struct reply){0};
	stub_enqueue(turn, exchange);
}

void turn_refuse(struct turn *turn, struct exchange *exchange, enum err err, const char *detail)
{
	stub.refused++;
	stub.refused_with = err;
	snprintf(stub.refused_detail, sizeof(stub.refused_detail), "%s", detail);
	exchange->err = err;
	stub_reply(exchange, err_word(err), strlen(err_word(err)));
	stub_enqueue(turn, exchange);
}

bool turn_is_open(const struct turn *turn)
{
	return turn->first != NULL;
}

void turn_end(struct turn *turn)
{
	struct exchange *exchange = turn->first;

	turn->first = NULL;
	stub.ends++;
	stub.end_exchanges = 0;
	for (struct exchange *next = NULL; exchange != NULL; exchange = next) {
		next = exchange->next;
		stub.end_exchanges++;
		exchange->deliver(exchange);
	}
	if (stub.ended != NULL)
		stub.ended();
}

static inline void stub_deliver_held(void)
{
	struct exchange *exchange = stub.held;

	stub.held = NULL;
	exchange->deliver(exchange);
}

/* ---- events ---- */

bool subscriber_has_news(const struct subscriber *subscriber)
{
	return subscriber->watcher != NULL && subscriber->watcher->news > 0;
}

bool subscriber_must_end(const struct subscriber *subscriber)
{
	return subscriber->watcher != NULL && subscriber->watcher->must_end;
}

void subscriber_leave(struct subscriber *subscriber)
{
	if (subscriber->watcher != NULL)
		stub.subscriber = NULL;
	subscriber->watcher = NULL;
}

void subscriber_take(struct core *core, struct subscriber *subscriber, struct reply *out)
{
	*out = (struct reply){.len = core->watcher.news, .must_close = core->watcher.must_end};
	out->bytes = malloc(out->len);
	memset(out->bytes, 'e', out->len);
	out->bytes[out->len - 1] = '\n';
	core->replies++;
	core->watcher = (struct watcher){0};
	if (out->must_close)
		subscriber_leave(subscriber);
}

static inline void stub_tell(size_t bytes, bool must_end)
{
	stub.watcher = (struct watcher){bytes, must_end};
	stub.subscriber->wake(stub.subscriber);
}

void reply_clear(struct core *core, struct reply *reply)
{
	if (reply->bytes != NULL)
		core->replies--;
	if (reply->is_secret)
		pool_give(core->pool, &reply->block);
	else
		free(reply->bytes);
	*reply = (struct reply){0};
}

bool core_is_known(struct core *core, const struct principal *principal)
{
	(void)principal;
	return core->is_known;
}

bool core_is_privileged(struct core *core, const struct principal *principal)
{
	(void)principal;
	return core->is_privileged;
}

void core_note_undelivered(struct core *core, const struct exchange *exchange)
{
	(void)exchange;
	core->undelivered++;
}

static void stub_init(void)
{
	if (pool_new(STUB_POOL_BYTES, STUB_POOL_BYTES, true, &stub.pool) != OK)
		abort();
}

static void stub_deinit(void)
{
	pool_free(stub.pool);
	stub = (struct core){0};
}

#endif
