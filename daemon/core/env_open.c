/*
 * Opens values into the request's arena and nowhere else (P1).  Each opens only where it was sealed for (P6), and only what
 * the caller's grants give (P2).
 */
#include "env_open.h"

#include <stdio.h>
#include <string.h>

#include "envelope.h"

static bool list_has(const struct call *call, enum field field, const char *key)
{
	const struct json_doc *doc = &call->request->doc;
	const struct json_token *list = call->request->field[field];

	if (list == NULL)
		return false;
	for (const struct json_token *t = json_first(doc, list); t != NULL; t = json_next(doc, list, t))
		if (json_equals(doc, t, key))
			return true;
	return false;
}

static bool is_wanted(const struct env_opening *opening, const char *key)
{
	const struct call *call = opening->call;

	if (opening->only != NULL)
		return strcmp(opening->only, key) == 0;
	return !request_has(call->request, FIELD_ONLY) || list_has(call, FIELD_ONLY, key);
}

static enum err refuse_key(struct call *call, enum err err, const char *reason, const char *key)
{
	snprintf(call->record.key, sizeof(call->record.key), "%s", key);
	call->is_key_known = true;
	snprintf(call->detail_store, sizeof(call->detail_store), "%s: %s", key, reason);
	return call_refuse(call, err, reason, call->detail_store);
}

/* Opens one value in place; it opens only where it was sealed for (P6). */
static enum err open_value(
	struct env_opening *opening, const struct store_version *version, struct secret *out)
{
	struct value_context context = {
		.dek.generation = version->dek_generation, .key = version->key, .version = version->version};

	out->bytes = arena_alloc(&opening->call->core->arena, version->sealed.len);
	if (out->bytes == NULL)
		return ERR_INTERNAL;
	memcpy(context.dek.integration_id, version->integration_id, sizeof(context.dek.integration_id));
	memcpy(context.secret_id, version->secret_id, sizeof(context.secret_id));
	return envelope_open(
		opening->dek, &context, version->sealed.bytes, version->sealed.len, out->bytes, &out->len);
}

/* The staged version of a key comes before the current one. */
static bool is_in_scope(const struct env_opening *opening, const struct store_version *version)
{
	bool has_staged =
		opening->count > 0 && strcmp(opening->items[opening->count - 1].key, version->key) == 0;

	if (version->state == VERSION_STAGED)
		return opening->scope != ENV_CURRENT;
	return opening->scope != ENV_STAGED_ALONE && !has_staged; /* P2 */
}

/* Current values alone were counted when they were put; a staged one may be larger than the one it stands in for. */
static enum err check_room(struct env_opening *opening, const struct store_version *version)
{
	opening->class_bytes += version->value_bytes;
	if (opening->count == ENV_KEYS_MAX || opening->class_bytes > ENV_SET_BYTES_MAX)
		return call_refuse(opening->call, ERR_TOO_LARGE, "limit of the set",
			"staged and current values together are over 1 MiB or 128 keys");
	return OK;
}

static enum err on_version(void *arg, const struct store_version *version)
{
	struct env_opening *opening = arg;
	struct call *call = opening->call;

	if (!is_wanted(opening, version->key) || !is_in_scope(opening, version))
		return OK;
	if (version->expires_ms != 0 && version->expires_ms <= call->now_ms)
		return refuse_key(call, ERR_EXPIRED, "the value has expired", version->key);

	enum err err = check_room(opening, version);

	if (err != OK)
		return err;

	struct env_item *item = &opening->items[opening->count];

	*item = (struct env_item){.key = call_copy(call, version->key),
		.version = version->version,
		.expires_ms = version->expires_ms};

	err = item->key == NULL ? ERR_INTERNAL : open_value(opening, version, &item->value);
	if (err == ERR_STORAGE)
		return refuse_key(call, ERR_STORAGE, "the sealed value does not open", version->key);
	if (err != OK)
		return err;
	opening->count++;
	call_subject(call, "%s=%llu", item->key, (unsigned long long)item->version);
	return OK;
}

static bool has_item(const struct env_opening *opening, const char *key)
{
	for (size_t i = 0; i < opening->count; i++)
		if (strcmp(opening->items[i].key, key) == 0)
			return true;
	return false;
}

/* A key that is registered but has no current value must not just be missing from the environment. */
static enum err on_registered(void *arg, const struct store_secret *secret)
{
	struct env_opening *opening = arg;
	struct call *call = opening->call;

	if (opening->scope == ENV_STAGED_ALONE || !is_wanted(opening, secret->key) ||
		has_item(opening, secret->key) || list_has(call, FIELD_OPTIONAL, secret->key))
		return OK;
	return refuse_key(call, ERR_NOT_FOUND, "the key has no value", secret->key);
}

/* The keys that were asked for by name and are not there; they are the caller's words and not repeated. */
static enum err check_asked(struct env_opening *opening)
{
	struct call *call = opening->call;
	const struct json_doc *doc = &call->request->doc;
	const struct json_token *list = call->request->field[FIELD_ONLY];
	char key[KEY_BYTES_MAX + 1] = "";
	size_t len = 0;

	if (list == NULL)
		return OK;
	for (const struct json_token *t = json_first(doc, list); t != NULL; t = json_next(doc, list, t)) {
		enum err err = json_text(doc, t, key, sizeof(key), &len);

		if (err != OK)
			return err;
		if (!has_item(opening, key) && !list_has(call, FIELD_OPTIONAL, key))
			return call_refuse(call, ERR_NOT_FOUND, "a key of only does not exist",
				"a key that was asked for does not exist");
	}
	return OK;
}

enum err env_open(struct env_opening *opening)
{
	struct call *call = opening->call;
	struct store *store = call->core->store;
	const unsigned char *id = opening->integration->id;
	struct dek_context context = {.generation = opening->integration->dek_generation};

	memcpy(context.integration_id, id, sizeof(context.integration_id));

	enum err err = dek_open(call->core->keys, &context, opening->integration->dek,
		opening->integration->dek_len, &opening->dek);

	if (err != OK)
		return call_refuse(call, err, "the integration's data key does not open", NULL);
	if (opening->scope == ENV_CURRENT)
		err = store_version_current(store, id, on_version, opening);
	else
		err = store_version_usable(store, id, on_version, opening);
	dek_close(opening->dek);
	if (err == OK)
		err = store_secret_each(store, id, on_registered, opening);
	if (err == OK)
		err = check_asked(opening);
	if (err == OK && opening->only != NULL && opening->count == 0)
		err = refuse_key(call, ERR_NOT_FOUND, "the integration has no such key", opening->only);
	if (err == OK && opening->scope == ENV_STAGED_ALONE && opening->count == 0)
		err = call_refuse(call, ERR_NOT_FOUND, "nothing is staged",
			"nothing is staged, and only staged values are granted to you");
	return err;
}

/* ---- the run ---- */

/* ULID: 48 bits of milliseconds, 80 random bits, Crockford's base 32 (github.com/ulid/spec). */
static void make_run_id(int64_t now_ms, char out[27])
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	unsigned char noise[16] = {0};

	random_bytes(noise, sizeof(noise));
	for (size_t i = 0; i < 10; i++)
		out[i] = digits[((uint64_t)now_ms >> (45 - 5 * i)) & 31];
	for (size_t i = 0; i < 16; i++)
		out[10 + i] = digits[noise[i] & 31];
	out[26] = '\0';
}

struct store_run env_run(const struct env_opening *opening, struct store_run_version *versions)
{
	struct call *call = opening->call;
	struct store_run run = {.is_staged = opening->scope != ENV_CURRENT,
		.time_ms = call->now_ms,
		.uid = call->who->uid,
		.pid = call->who->pid,
		.unit = call->record.unit,
		.versions = versions,
		.version_count = opening->count};

	for (size_t i = 0; i < opening->count; i++)
		versions[i] = (struct store_run_version){opening->items[i].key, opening->items[i].version};
	make_run_id(call->now_ms, run.id);
	memcpy(run.integration_id, opening->integration->id, sizeof(run.integration_id));
	memcpy(call->record.run, run.id, sizeof(call->record.run));
	return run;
}

struct env_opening *env_opening_new(
	struct call *call, const struct integration *integration, enum env_scope scope)
{
	struct env_opening *opening = arena_alloc(&call->core->arena, sizeof(*opening));

	if (opening != NULL)
		*opening = (struct env_opening){.call = call, .integration = integration, .scope = scope};
	return opening;
}
