/*
 * Watchers of integrations.
 *
 * P2: the right is evaluated anew before every event; when it is gone there is one last word and the connection is
 * closed.  P8: what a slow reader has not taken is bounded: beyond that it is told once that it missed something.  P5: a
 * change is told when it is durable, not before.
 */
#include "watches.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "clock.h"
#include "env_fetch.h"
#include "queue.h"

enum {
	CHANGES_KEPT = 64, /* for one watcher */
	SHARE = 16, /* one user's watchers: half of the eighth of all connections that it may have */
};

struct change {
	char key[KEY_BYTES_MAX + 1];
	uint64_t version;
	enum version_state state;
};

/* What the running turn did, for the watchers of one integration. */
struct note {
	unsigned char integration_id[STORE_ID_BYTES];
	bool is_recheck;
	struct change change;
};

struct watcher {
	LIST_ENTRY(watcher) all;
	struct subscriber *subscriber;
	const struct principal *who;
	unsigned char integration_id[STORE_ID_BYTES];
	char integration[INTEGRATION_NAME_BYTES_MAX + 1];
	bool is_new; /* the turn that began it is not durable */
	bool has_overflowed;
	bool must_end;
	size_t count;
	struct change changes[CHANGES_KEPT];
};

struct watches {
	LIST_HEAD(, watcher) all;
	struct note *notes;
	size_t note_count;
	size_t note_cap;
	bool has_new; /* a watcher of the running turn */
	bool has_news; /* for somebody */
};

enum err watches_new(struct watches **out)
{
	*out = calloc(1, sizeof(**out));
	return *out != NULL ? OK : ERR_INTERNAL;
}

void watches_free(struct watches *watches)
{
	if (watches == NULL)
		return;
	free(watches->notes);
	free(watches);
}

/* ---- the running turn ---- */

static struct note *add_note(struct watches *watches, const unsigned char integration_id[STORE_ID_BYTES])
{
	if (watches->note_count == watches->note_cap) {
		size_t cap = watches->note_cap == 0 ? 16 : 2 * watches->note_cap;
		struct note *notes = reallocarray(watches->notes, cap, sizeof(*notes));

		if (notes == NULL)
			return NULL;
		watches->notes = notes;
		watches->note_cap = cap;
	}

	struct note *note = &watches->notes[watches->note_count++];

	*note = (struct note){0};
	memcpy(note->integration_id, integration_id, sizeof(note->integration_id));
	return note;
}

enum err watches_note(
	struct call *call, const struct integration *integration, uint64_t version, enum version_state state)
{
	struct note *note = add_note(call->core->watches, integration->id);

	if (note == NULL)
		return ERR_INTERNAL;
	memcpy(note->change.key, call->record.key, sizeof(note->change.key));
	note->change.version = version;
	note->change.state = state;
	return OK;
}

enum err watches_recheck(struct call *call, const unsigned char integration_id[STORE_ID_BYTES])
{
	struct note *note = add_note(call->core->watches, integration_id);

	if (note == NULL)
		return ERR_INTERNAL;
	note->is_recheck = true;
	return OK;
}

size_t watches_mark(const struct core *core)
{
	return core->watches->note_count;
}

void watches_take_back(struct core *core, size_t mark)
{
	core->watches->note_count = mark;
}

/* ---- the right ---- */

struct checking {
	struct core *core;
	const struct principal *who;
	bool is_granted;
};

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	struct checking *checking = arg;
	const char *reason = NULL;

	checking->is_granted = checking->is_granted ||
			       grants_match(checking->core, grant, GRANT_CURRENT, checking->who, &reason);
	return OK;
}

static enum err on_integration(void *arg, const struct store_integration *integration)
{
	bool *is_open = arg;
	const char *expiry = integration->text[FIELD_EXPIRES_AT - INTEGRATION_TEXT_FIRST];
	int64_t expires_ms = 0;
	bool has_expired = expiry != NULL && text_time(expiry, strlen(expiry), &expires_ms) &&
			   expires_ms <= clock_wall_ms();

	*is_open = strcmp(integration->state, "active") == 0 && !has_expired;
	return OK;
}

/* Any doubt is no. */
static bool may_hear(struct core *core, const struct watcher *watcher)
{
	struct checking checking = {.core = core, .who = watcher->who};
	bool is_open = false;

	return peer_is_alive(watcher->who) && /* P9 */
	       store_grant_of(core->store, watcher->integration_id, on_grant, &checking) == OK &&
	       checking.is_granted &&
	       store_integration_get(core->store, watcher->integration, on_integration, &is_open) == OK &&
	       is_open;
}

/* ---- the turn is durable, or not ---- */

static void leave(struct watcher *watcher)
{
	LIST_REMOVE(watcher, all);
	watcher->subscriber->watcher = NULL;
	free(watcher);
}

static bool has_news(const struct watcher *watcher)
{
	return watcher->count > 0 || watcher->has_overflowed || watcher->must_end;
}

static void add_change(struct watcher *watcher, const struct change *change)
{
	if (watcher->count == CHANGES_KEPT)
		watcher->has_overflowed = true;
	else
		watcher->changes[watcher->count++] = *change;
}

static void tell(struct core *core, struct watcher *watcher)
{
	const struct watches *watches = core->watches;

	for (size_t i = 0; i < watches->note_count; i++) {
		const struct note *note = &watches->notes[i];

		if (memcmp(note->integration_id, watcher->integration_id, STORE_ID_BYTES) != 0)
			continue;
		if (!note->is_recheck)
			add_change(watcher, &note->change);
		else if (!may_hear(core, watcher))
			watcher->must_end = true;
	}
}

void watches_settle(struct core *core, bool is_durable)
{
	struct watches *watches = core->watches;

	if (watches->note_count == 0 && !watches->has_new)
		return;
	watches->has_new = false;
	watches->has_news = watches->note_count > 0;
	for (struct watcher *watcher = LIST_FIRST(&watches->all), *next = NULL; watcher != NULL;
		watcher = next) {
		bool was_new = watcher->is_new;

		next = LIST_NEXT(watcher, all);
		watcher->is_new = false;
		if (was_new && !is_durable)
			leave(watcher);
		else if (is_durable && watches->note_count > 0)
			tell(core, watcher);
	}
	watches->note_count = 0;
}

/* Behind the replies of the turn; a connection that closes takes its watcher with it, so each round begins anew. */
void core_wake_subscribers(struct core *core)
{
	if (!core->watches->has_news)
		return;
	core->watches->has_news = false;
	for (struct watcher *watcher = LIST_FIRST(&core->watches->all), *next = NULL; watcher != NULL;
		watcher = next) {
		next = LIST_NEXT(watcher, all);
		if (has_news(watcher))
			watcher->subscriber->wake(watcher->subscriber);
	}
}

/* ---- what net asks ---- */

bool subscriber_has_news(const struct subscriber *subscriber)
{
	return subscriber->watcher != NULL && has_news(subscriber->watcher);
}

bool subscriber_must_end(const struct subscriber *subscriber)
{
	return subscriber->watcher != NULL && subscriber->watcher->must_end;
}

void subscriber_leave(struct subscriber *subscriber)
{
	queue_free(subscriber->queue);
	subscriber->queue = NULL;
	if (subscriber->watcher != NULL)
		leave(subscriber->watcher);
}

static void write_changes(struct json_writer *w, const struct watcher *watcher)
{
	json_key(w, "changes");
	json_begin_array(w);
	for (size_t i = 0; i < watcher->count; i++) {
		json_begin_object(w);
		json_put_string(w, "key", watcher->changes[i].key);
		json_put_integer(w, "version", (int64_t)watcher->changes[i].version);
		json_put_string(
			w, "state", watcher->changes[i].state == VERSION_CURRENT ? "current" : "revoked");
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_event(struct buf *buf, const struct watcher *watcher)
{
	struct json_writer w = json_writer(buf);
	bool is_change = !watcher->must_end && !watcher->has_overflowed;

	json_begin_object(&w);
	json_put_string(&w, "jsonrpc", "2.0");
	json_put_string(&w, "method",
		watcher->must_end ? "watch.ended"
		: is_change       ? "env.changed"
				  : "watch.overflow");
	json_key(&w, "params");
	json_begin_object(&w);
	json_put_string(&w, "integration", watcher->integration);
	if (is_change)
		write_changes(&w, watcher);
	json_end_object(&w);
	json_end_object(&w);
	buf_append_byte(buf, '\n');
}

void subscriber_take(struct core *core, struct subscriber *subscriber, struct reply *out)
{
	struct watcher *watcher = subscriber->watcher;
	BUF_AUTO buf = {0};

	if (!watcher->must_end && !may_hear(core, watcher))
		watcher->must_end = true; /* P2 */
	write_event(&buf, watcher);
	*out = (struct reply){.must_close = watcher->must_end || buf_failed(&buf)};
	if (!buf_failed(&buf))
		out->bytes = buf_take(&buf, &out->len);
	watcher->count = 0;
	watcher->has_overflowed = false;
	if (watcher->must_end)
		leave(watcher);
}

/* ---- env.watch ---- */

static size_t count_of(const struct core *core, uint32_t uid)
{
	const struct watcher *watcher = NULL;
	size_t count = 0;

	LIST_FOREACH(watcher, &core->watches->all, all)
	{
		count += watcher->who->uid == uid;
	}
	return count;
}

static enum err check_subscriber(struct call *call)
{
	const struct subscriber *subscriber = call->exchange->subscriber;

	if (subscriber == NULL || subscriber->watcher != NULL)
		return call_refuse(call, ERR_CONFLICT, "the connection watches already",
			"this connection watches already; use another one");
	if (count_of(call->core, call->who->uid) >= (size_t)call->core->limits->connections / SHARE)
		return call_refuse(call, ERR_BUSY, "limit of watchers", "this user watches too much already");
	return OK;
}

static enum err begin_watch(struct call *call, const struct integration *integration)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));

	if (watcher == NULL)
		return ERR_INTERNAL;
	watcher->subscriber = call->exchange->subscriber;
	watcher->who = call->who;
	watcher->is_new = true;
	call->core->watches->has_new = true;
	memcpy(watcher->integration_id, integration->id, sizeof(watcher->integration_id));
	memcpy(watcher->integration, integration->name, sizeof(watcher->integration));
	watcher->subscriber->watcher = watcher;
	LIST_INSERT_HEAD(&call->core->watches->all, watcher, all);
	return OK;
}

static enum err on_current(void *arg, const struct store_version *version)
{
	struct json_writer *w = arg;

	json_begin_object(w);
	json_put_string(w, "key", version->key);
	json_put_integer(w, "version", (int64_t)version->version);
	json_end_object(w);
	return OK;
}

enum err handle_env_watch(struct call *call)
{
	struct integration integration = {0};
	struct env_right right = {0};
	enum err err = env_find(call, GRANT_CURRENT, &integration, &right);

	if (err == OK)
		err = env_check_open(call, &integration);
	if (err == OK)
		err = check_subscriber(call);
	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_put_string(&call->w, "integration", integration.name);
	json_key(&call->w, "env");
	json_begin_array(&call->w);
	err = store_version_current(call->core->store, integration.id, on_current, &call->w);
	json_end_array(&call->w);
	json_end_object(&call->w);
	return err == OK && !buf_failed(&call->result) ? begin_watch(call, &integration) : err;
}
