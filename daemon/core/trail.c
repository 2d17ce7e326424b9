/*
 * The trail of records: what was done and what was refused goes into the turn's transaction before any
 * reply of the turn may leave (P4).  Equal refusals are counted, durably, so that nobody can fill the disk
 * with them: the first one is a record at once, the rest of its window one more record.
 */
#include "handler.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

void trail_describe(struct record *record, const struct principal *who, int64_t now_ms)
{
	*record = (struct record){.time_ms = now_ms, .repeats = 1};
	record->uid = who->uid;
	record->gid = who->gid;
	record->pid = who->pid;
	snprintf(record->unit, sizeof(record->unit), "%s", who->unit);
}

enum err trail_append(struct core *core, struct record *record)
{
	struct chain before = core->chain;

	chain_append(&core->chain, record);

	enum err err = store_audit_append(core->store, record);

	if (err != OK)
		core->chain = before;
	return err;
}

/* Use counts each refused fetch of an integration, also those that share a record. */
static enum err count_fetch(struct core *core, const struct record *record, enum err err)
{
	if (record->integration[0] == '\0' ||
		(strcmp(record->kind, request_info(REQUEST_ENV_FETCH)->method) != 0 &&
			strcmp(record->kind, DELIVERY_KIND) != 0))
		return OK;
	return store_refused_bump(
		core->store, record->integration, err_word(err), record->uid, record->time_ms);
}

enum err trail_refuse(struct core *core, struct record *record, enum err err)
{
	uint32_t count = 0;
	enum err bumped =
		store_refusal_bump(core->store, record->uid, err_word(err), record->time_ms, &count);

	if (bumped == OK)
		bumped = count_fetch(core, record, err);
	if (bumped != OK || count > 1)
		return bumped;
	snprintf(record->outcome, sizeof(record->outcome), "%s", err_word(err));
	return trail_append(core, record);
}

struct window {
	uint32_t uid;
	uint32_t count;
	char outcome[RECORD_WORD_BYTES];
};

enum { WINDOWS_AT_ONCE = 64 };

struct window_list {
	int64_t before_ms;
	int64_t now_ms;
	struct window entries[WINDOWS_AT_ONCE];
	size_t count;
};

static enum err on_window(void *arg, const struct store_refusal *refusal)
{
	struct window_list *list = arg;

	/* One from the future was opened before the clock was set back, and would stay open until then. */
	if (refusal->since_ms >= list->before_ms && refusal->since_ms <= list->now_ms)
		return OK;
	if (list->count == WINDOWS_AT_ONCE)
		return OK; /* the next round takes them */

	struct window *window = &list->entries[list->count++];

	window->uid = refusal->uid;
	window->count = refusal->count;
	snprintf(window->outcome, sizeof(window->outcome), "%s", refusal->outcome);
	return OK;
}

/* One of the places for storms: its own, or the one that was quiet longest. */
static struct storm *storm_of(struct core *core, uint32_t uid)
{
	struct storm *oldest = &core->storms[0];

	for (size_t i = 0; i < STORMS_MAX; i++) {
		struct storm *storm = &core->storms[i];

		if (storm->count > 0 && storm->uid == uid)
			return storm;
		if (storm->count == 0 || (oldest->count > 0 && storm->last_ms < oldest->last_ms))
			oldest = storm;
	}
	*oldest = (struct storm){.uid = uid};
	return oldest;
}

static void note_storm(struct core *core, const struct window *window, int64_t now_ms)
{
	enum { QUIET_MS = 24 * 3600 * 1000 };
	struct storm *storm = window->count < STORM_REFUSALS ? NULL : storm_of(core, window->uid);

	if (storm == NULL)
		return;
	if (storm->count == 0 || now_ms - storm->last_ms >= QUIET_MS)
		*storm = (struct storm){.uid = window->uid, .since_ms = now_ms};
	storm->last_ms = now_ms;
	if (window->count > storm->count)
		storm->count = window->count;
}

/* The repeats behind the first refusal of a window, as one record. */
static enum err close_window(struct core *core, const struct window *window, int64_t now_ms)
{
	enum err err = store_refusal_close(core->store, window->uid, window->outcome);

	if (err != OK || window->count < 2)
		return err;

	note_storm(core, window, now_ms);

	struct record record = {.time_ms = now_ms, .uid = window->uid, .repeats = window->count - 1};

	snprintf(record.kind, sizeof(record.kind), "repeats");
	snprintf(record.outcome, sizeof(record.outcome), "%s", window->outcome);
	snprintf(record.detail, sizeof(record.detail), "more refusals of this kind within the window");
	return trail_append(core, &record);
}

enum err trail_close_windows(struct core *core, int64_t before_ms, int64_t now_ms)
{
	struct window_list list = {.before_ms = before_ms, .now_ms = now_ms};
	enum err err = OK;

	/* What is closed is gone from the next round. */
	do {
		list.count = 0;
		err = store_refusal_each(core->store, INT64_MAX, on_window, &list);
		for (size_t i = 0; err == OK && i < list.count; i++)
			err = close_window(core, &list.entries[i], now_ms);
	} while (err == OK && list.count == WINDOWS_AT_ONCE);
	return err;
}
