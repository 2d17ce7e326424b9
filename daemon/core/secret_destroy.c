/*
 * The end of all values of an integration at once, because somebody else is to get what it has from now on.  Each version is
 * shredded, and with the old data key nothing that was sealed by it opens any more, wherever a copy of it lies (P10).
 */
#include "secret_rows.h"

#include <stdio.h>
#include <string.h>

#include "holders.h"
#include "watches.h"

struct doomed {
	struct doomed *next;
	const char *key;
	uint64_t version;
	enum version_state state;
};

struct collecting {
	struct call *call;
	const unsigned char *integration_id;
	struct doomed *first;
};

static enum err on_version(void *arg, const struct store_version *version)
{
	struct collecting *collecting = arg;
	struct call *call = collecting->call;
	struct doomed *doomed = NULL;

	if (version->state == VERSION_REVOKED)
		return OK;
	doomed = arena_alloc(&call->core->arena, sizeof(*doomed));
	if (doomed == NULL)
		return ERR_INTERNAL;
	*doomed = (struct doomed){.next = collecting->first,
		.key = call_copy(call, version->key),
		.version = version->version,
		.state = version->state};
	collecting->first = doomed;
	return doomed->key != NULL ? OK : ERR_INTERNAL;
}

static enum err on_secret(void *arg, const struct store_secret *secret)
{
	struct collecting *collecting = arg;

	return store_version_of(collecting->call->core->store, collecting->integration_id, secret->key,
		on_version, collecting);
}

static enum err end_version(
	struct call *call, const struct integration *integration, const struct doomed *doomed)
{
	snprintf(call->record.key, sizeof(call->record.key), "%s", doomed->key);

	enum err err = store_version_shred(
		call->core->store, integration->id, doomed->key, doomed->version, call->now_ms); /* P10 */

	if (err == OK)
		err = secrets_note_state(call, integration, doomed->version,
			secrets_state_word(doomed->state), secrets_state_word(VERSION_REVOKED));
	if (err == OK && doomed->state == VERSION_CURRENT)
		err = watches_note(call, integration, doomed->version, VERSION_REVOKED);
	return err;
}

struct rekeying {
	struct call *call;
	struct integration *integration;
};

static enum err on_integration(void *arg, const struct store_integration *row)
{
	struct rekeying *rekeying = arg;
	struct store_integration changed = *row;
	struct integration *integration = rekeying->integration;

	changed.dek_generation = integration->dek_generation;
	changed.dek = (struct store_blob){integration->dek, integration->dek_len};
	return store_integration_update(rekeying->call->core->store, &changed);
}

/* The old wrapped key is overwritten, and pages are cleared like those of a value (P10). */
static enum err renew_key(struct call *call, struct integration *integration)
{
	struct rekeying rekeying = {.call = call, .integration = integration};
	struct dek_context context = {.generation = integration->dek_generation + 1};

	memcpy(context.integration_id, integration->id, sizeof(context.integration_id));

	enum err err = keys_new_dek(call->core->keys, &context, integration->dek);

	if (err != OK)
		return err;
	integration->dek_generation = context.generation;
	integration->dek_len = sizeof(integration->dek);
	return store_integration_get(call->core->store, integration->name, on_integration, &rekeying);
}

enum err secrets_destroy(struct call *call, struct integration *integration)
{
	struct collecting collecting = {.call = call, .integration_id = integration->id};
	unsigned long long count = 0;
	enum err err = store_secret_each(call->core->store, integration->id, on_secret, &collecting);

	for (const struct doomed *doomed = collecting.first; err == OK && doomed != NULL;
		doomed = doomed->next) {
		err = end_version(call, integration, doomed);
		count++;
	}
	call->record.key[0] = '\0'; /* it was not of one key alone */
	if (err == OK)
		err = renew_key(call, integration);
	if (err == OK)
		err = holders_forget_revoked(call, integration);
	if (err != OK)
		return err;
	call_subject(call, "destroyed=%llu", count);
	call->must_checkpoint = true; /* P10 */
	return OK;
}
