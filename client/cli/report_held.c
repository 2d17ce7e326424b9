/*
 * Runs, counted and joined to spans.  A nightly job has ninety runs in a quarter and a busy one many thousands; what the
 * auditor asks is from when to when a version was in somebody's hands.
 */
#include "report_held.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { GAP_MS = 86400000 };

static const int64_t STILL_HELD = INT64_MAX;

struct span {
	char key[KEY_BYTES_MAX + 1];
	int64_t version;
	int64_t from_ms;
	int64_t until_ms; /* STILL_HELD: it may be */
	int64_t runs;
};

struct spans {
	struct span *list;
	size_t count;
	size_t cap;
	bool has_failed;
};

struct tally {
	int64_t started, ok, failed, running, unknown;
};

static void clear_spans(struct spans *spans)
{
	free(spans->list);
}

#define SPANS_AUTO __attribute__((cleanup(clear_spans))) struct spans

static void add_span(struct spans *spans, const struct span *span)
{
	if (spans->count == spans->cap) {
		size_t cap = spans->cap == 0 ? 64 : spans->cap * 2;
		struct span *grown = reallocarray(spans->list, cap, sizeof(*grown));

		spans->has_failed |= grown == NULL;
		if (grown == NULL)
			return;
		spans->list = grown;
		spans->cap = cap;
	}
	spans->list[spans->count++] = *span;
}

/* The end of a run that is over; one that nobody knows the end of is taken as held. */
static int64_t end_of(const struct reply *reply, const struct json_token *run)
{
	int64_t ended_ms = reply_time(reply, run, "ended_at");

	return reply_is(reply, run, "state", "running") || reply_is(reply, run, "state", "unknown") ||
			       ended_ms == 0
		       ? STILL_HELD
		       : ended_ms;
}

static void add_run(struct spans *spans, const struct reply *reply, const struct json_token *run)
{
	const struct json_token *versions = reply_array(reply, run, "versions");

	for (const struct json_token *t = json_first(&reply->doc, versions); t != NULL;
		t = json_next(&reply->doc, versions, t)) {
		struct span span = {.version = reply_integer(reply, t, "version"),
			.from_ms = reply_time(reply, run, "at"),
			.until_ms = end_of(reply, run),
			.runs = 1};

		reply_text(reply, t, "key", span.key, sizeof(span.key));
		add_span(spans, &span);
	}
}

static bool is_number(const struct reply *reply, const struct json_token *run, const char *path)
{
	const struct json_token *value = reply_at(reply, run, path);

	return value != NULL && value->type == JSON_INTEGER;
}

static void count_run(struct tally *tally, const struct reply *reply, const struct json_token *run)
{
	bool is_ok = is_number(reply, run, "exit_status") && reply_integer(reply, run, "exit_status") == 0;
	bool is_failed = !is_ok && (is_number(reply, run, "exit_status") || is_number(reply, run, "signal"));

	tally->started++;
	tally->running += reply_is(reply, run, "state", "running");
	tally->unknown += reply_is(reply, run, "state", "unknown");
	/* Tests may fail: that is what they are for. */
	tally->failed += is_failed && !reply_flag(reply, run, "staged");
	tally->ok += is_ok;
}

static int compare(const void *a, const void *b)
{
	const struct span *left = a;
	const struct span *right = b;
	int by_key = strcmp(left->key, right->key);

	if (by_key != 0)
		return by_key;
	if (left->version != right->version)
		return left->version < right->version ? -1 : 1;
	return (left->from_ms > right->from_ms) - (left->from_ms < right->from_ms);
}

static bool goes_on(const struct span *span, const struct span *next)
{
	return strcmp(span->key, next->key) == 0 && span->version == next->version &&
	       (span->until_ms == STILL_HELD || next->from_ms <= span->until_ms + GAP_MS);
}

/* Joins what is sorted, in place. */
static void join(struct spans *spans)
{
	size_t joined = 0;

	for (size_t i = 0; i < spans->count; i++) {
		const struct span *next = &spans->list[i];
		struct span *last = joined == 0 ? NULL : &spans->list[joined - 1];

		if (last == NULL || !goes_on(last, next)) {
			spans->list[joined++] = *next;
			continue;
		}
		last->runs += next->runs;
		if (next->until_ms > last->until_ms)
			last->until_ms = next->until_ms;
	}
	spans->count = joined;
}

static void write_spans(struct json_writer *w, const struct spans *spans)
{
	json_key(w, "held");
	json_begin_array(w);
	for (size_t i = 0; i < spans->count; i++) {
		const struct span *span = &spans->list[i];

		json_begin_object(w);
		json_put_string(w, "key", span->key);
		json_put_integer(w, "version", span->version);
		json_put_time(w, "from", span->from_ms);
		json_put_time(w, "until", span->until_ms == STILL_HELD ? 0 : span->until_ms);
		json_put_integer(w, "runs", span->runs);
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_tally(struct json_writer *w, const struct tally *tally, bool has_more)
{
	json_key(w, "runs");
	json_begin_object(w);
	json_put_integer(w, "started", tally->started);
	json_put_integer(w, "ok", tally->ok);
	json_put_integer(w, "failed", tally->failed);
	json_put_integer(w, "running", tally->running);
	json_put_integer(w, "unknown", tally->unknown);
	json_put_bool(w, "more", has_more);
	json_end_object(w);
}

enum err report_held_write(struct json_writer *w, const struct reply *runs, int64_t since_ms, int64_t limit)
{
	SPANS_AUTO spans = {0};
	struct tally tally = {0};
	const struct json_token *array = reply_array(runs, NULL, "runs");

	for (const struct json_token *t = json_first(&runs->doc, array); t != NULL;
		t = json_next(&runs->doc, array, t)) {
		if (reply_time(runs, t, "at") >= since_ms)
			count_run(&tally, runs, t);
		/* A run of state again is one with the run that its process had before. */
		if (!reply_is(runs, t, "state", "again") && end_of(runs, t) >= since_ms)
			add_run(&spans, runs, t);
	}
	if (spans.count > 0)
		qsort(spans.list, spans.count, sizeof(*spans.list), compare);
	join(&spans);
	write_tally(w, &tally, array != NULL && array->count >= limit);
	write_spans(w, &spans);
	return spans.has_failed ? ERR_INTERNAL : OK;
}
