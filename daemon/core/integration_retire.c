/*
 * integration.retire: the end of an integration.  Its grants and tokens are gone at once and its values when nobody holds them any more,
 * those that nobody holds with the request itself (P10); what is recorded about it stays.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "holders.h"
#include "secret_rows.h"
#include "self.h"

/* A version with a value that a retired integration has left. */
struct leftover {
	STAILQ_ENTRY(leftover) all;
	unsigned char integration_id[STORE_ID_BYTES];
	char integration[INTEGRATION_NAME_BYTES_MAX + 1];
	char key[KEY_BYTES_MAX + 1];
	uint64_t version;
	enum version_state state;
	bool is_held;
};

/* Copied first: a visitor must not change what it visits. */
struct leftovers {
	struct core *core;
	const unsigned char *integration_id; /* of this one alone; NULL: of all */
	STAILQ_HEAD(, leftover) list;
};

static void clear(struct leftovers *leftovers)
{
	struct leftover *leftover = NULL;

	while ((leftover = STAILQ_FIRST(&leftovers->list)) != NULL) {
		STAILQ_REMOVE_HEAD(&leftovers->list, all);
		free(leftover);
	}
}

#define LEFTOVERS_AUTO __attribute__((cleanup(clear))) struct leftovers

static enum err on_leftover(void *arg, const struct store_notable *version)
{
	struct leftovers *leftovers = arg;
	const unsigned char *wanted = leftovers->integration_id;
	struct holder_filter filter = {
		.integration_id = version->integration_id, .key = version->key, .version = version->version};

	if (wanted != NULL && memcmp(wanted, version->integration_id, STORE_ID_BYTES) != 0)
		return OK;

	struct leftover *leftover = calloc(1, sizeof(*leftover));

	if (leftover == NULL)
		return ERR_INTERNAL;
	memcpy(leftover->integration_id, version->integration_id, STORE_ID_BYTES);
	snprintf(leftover->integration, sizeof(leftover->integration), "%s", version->integration);
	snprintf(leftover->key, sizeof(leftover->key), "%s", version->key);
	leftover->version = version->version;
	leftover->state = version->state;
	leftover->is_held = holders_count(leftovers->core, &filter) > 0;
	STAILQ_INSERT_TAIL(&leftovers->list, leftover, all);
	return OK;
}

static enum err collect(struct leftovers *leftovers)
{
	STAILQ_INIT(&leftovers->list);
	return store_version_of_retired(leftovers->core->store, on_leftover, leftovers);
}

static enum err shred(struct core *core, const struct leftover *leftover, int64_t now_ms)
{
	return store_version_shred(
		core->store, leftover->integration_id, leftover->key, leftover->version, now_ms); /* P10 */
}

/* ---- with the request ---- */

/* What is staged serves nobody any more, whoever tests it; the rest waits for its holders. */
static enum version_state end_of(const struct leftover *leftover)
{
	return leftover->state == VERSION_STAGED || !leftover->is_held ? VERSION_REVOKED : VERSION_DRAINING;
}

static enum err end_version(struct call *call, const struct leftover *leftover)
{
	enum version_state state = end_of(leftover);
	struct store_change change = {.integration_id = leftover->integration_id,
		.key = leftover->key,
		.version = leftover->version,
		.field = "state",
		.old = secrets_state_word(leftover->state),
		.new = secrets_state_word(state),
		.reason = "retired"};
	enum err err = OK;

	call_subject(call, "%s=%llu:%s", leftover->key, (unsigned long long)leftover->version, change.new);
	if (state == leftover->state)
		return OK;
	if (state == VERSION_REVOKED)
		err = shred(call->core, leftover, call->now_ms);
	else
		err = store_version_set_state(call->core->store, leftover->integration_id, leftover->key,
			leftover->version, state, call->now_ms);
	return err == OK ? changes_note(call, &change) : err;
}

static enum err end_versions(
	struct call *call, const struct integration *integration, size_t *revoked_out, size_t *draining_out)
{
	LEFTOVERS_AUTO leftovers = {.core = call->core, .integration_id = integration->id};
	const struct leftover *leftover = NULL;
	enum err err = collect(&leftovers);

	STAILQ_FOREACH(leftover, &leftovers.list, all)
	{
		if (err == OK)
			err = end_version(call, leftover);
		*revoked_out += end_of(leftover) == VERSION_REVOKED;
		*draining_out += end_of(leftover) == VERSION_DRAINING;
	}
	call->core->has_retired = true;
	call->must_checkpoint = true;
	return err == OK ? holders_forget_revoked(call, integration) : err;
}

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	call_subject(arg, "grant=%llu", (unsigned long long)grant->id);
	return OK;
}

static enum err on_token(void *arg, const struct store_token *token)
{
	if (token->revoked_ms == 0)
		call_subject(arg, "token=%llu", (unsigned long long)token->id);
	return OK;
}

/* Grants and tokens: nobody is let in any more, nor any connection that was (P2). */
static enum err end_access(struct call *call, const struct integration *integration)
{
	struct store *store = call->core->store;
	enum err err = store_grant_of(store, integration->id, on_grant, call);

	if (err == OK)
		err = store_grant_remove_all(store, integration->id);
	if (err == OK)
		err = store_token_of(store, integration->id, on_token, call);
	return err == OK ? store_token_revoke_all(store, integration->id, call->now_ms, call->who->uid) : err;
}

enum err handle_integration_retire(struct call *call)
{
	struct store_integration record = {0};
	struct integration integration = {0};
	size_t revoked = 0;
	size_t draining = 0;
	enum err err = integration_find(call, FIELD_NAME, &integration);

	if (err == OK)
		err = integration_load_whole(call, &record);
	if (err == OK)
		err = integration_check_open(call, &record);
	if (err == OK)
		err = integration_set_state(call, &record, "retired");
	if (err == OK)
		err = end_access(call, &integration);
	if (err == OK)
		err = end_versions(call, &integration, &revoked, &draining);
	if (err != OK)
		return err;
	json_begin_object(&call->w);
	integration_put(call, &record);
	json_put_integer(&call->w, "revoked", (int64_t)revoked);
	json_put_integer(&call->w, "draining", (int64_t)draining);
	json_end_object(&call->w);
	return OK;
}

/* ---- later, when the last holder has ended ---- */

static enum err note_destroyed(struct core *core, const struct leftover *leftover, int64_t now_ms)
{
	struct store_change change = {.integration_id = leftover->integration_id,
		.time_ms = now_ms,
		.uid = self_uid(),
		.key = leftover->key,
		.version = leftover->version,
		.field = "state",
		.old = secrets_state_word(leftover->state),
		.new = secrets_state_word(VERSION_REVOKED),
		.reason = "drained"};

	return store_change_insert(core->store, &change);
}

static enum err record_destroyed(struct core *core, const struct leftover *leftover, int64_t now_ms)
{
	struct record record = {.time_ms = now_ms,
		.version = leftover->version,
		.repeats = 1,
		.uid = self_uid(),
		.gid = self_gid(),
		.pid = getpid()};

	snprintf(record.kind, sizeof(record.kind), "retired.destroyed");
	snprintf(record.outcome, sizeof(record.outcome), "ok");
	snprintf(record.integration, sizeof(record.integration), "%s", leftover->integration);
	snprintf(record.key, sizeof(record.key), "%s", leftover->key);
	return trail_append(core, &record);
}

/* The ciphertext, its row of history and its record of audit: one transaction (P4). */
static enum err destroy(struct core *core, const struct leftover *leftover, int64_t now_ms)
{
	enum err err = shred(core, leftover, now_ms);

	if (err == OK)
		err = note_destroyed(core, leftover, now_ms);
	core->must_checkpoint = true;
	return err == OK ? record_destroyed(core, leftover, now_ms) : err;
}

enum err retired_tick(struct core *core, int64_t now_ms)
{
	LEFTOVERS_AUTO leftovers = {.core = core};
	const struct leftover *leftover = NULL;
	enum err err = core->has_retired ? collect(&leftovers) : OK;

	if (!core->has_retired || err != OK)
		return err;
	/* Until nothing is found: should this transaction fail, the next one looks again. */
	core->has_retired = !STAILQ_EMPTY(&leftovers.list);
	STAILQ_FOREACH(leftover, &leftovers.list, all)
	{
		if (err == OK && !leftover->is_held)
			err = destroy(core, leftover, now_ms);
	}
	return err;
}
