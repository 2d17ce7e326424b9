/*
 * Values are opened into the request's arena and written once into a locked block, which is the whole reply
 * line; nothing of them touches other memory (P1).  Each opens only where it was sealed for (P6).
 */
#include "env_fetch.h"

#include <stdio.h>
#include <string.h>

#include "base64.h"
#include "envelope.h"
#include "holders.h"

/* ---- which values ---- */

struct item {
	const char *key; /* in the arena, like the value */
	uint64_t version;
	int64_t expires_ms;
	struct secret value;
	bool as_base64;
};

struct fetch {
	struct call *call;
	const struct integration *integration;
	enum env_scope scope;
	struct dek *dek;
	size_t class_bytes; /* of the values so far */
	struct item items[ENV_KEYS_MAX];
	size_t count;
};

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

static bool is_wanted(const struct call *call, const char *key)
{
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
static enum err open_value(struct fetch *fetch, const struct store_version *version, struct secret *out)
{
	struct value_context context = {
		.dek.generation = version->dek_generation, .key = version->key, .version = version->version};

	out->bytes = arena_alloc(&fetch->call->core->arena, version->sealed.len);
	if (out->bytes == NULL)
		return ERR_INTERNAL;
	memcpy(context.dek.integration_id, version->integration_id, sizeof(context.dek.integration_id));
	memcpy(context.secret_id, version->secret_id, sizeof(context.secret_id));
	return envelope_open(
		fetch->dek, &context, version->sealed.bytes, version->sealed.len, out->bytes, &out->len);
}

static bool is_better_as_base64(const struct secret *value)
{
	const char *text = (const char *)value->bytes;

	return !gate_is_utf8(text, value->len) ||
	       json_escaped_len(text, value->len) > base64_encoded_len(value->len) + 24;
}

/* The staged version of a key comes before the current one. */
static bool is_in_scope(const struct fetch *fetch, const struct store_version *version)
{
	bool has_staged = fetch->count > 0 && strcmp(fetch->items[fetch->count - 1].key, version->key) == 0;

	if (version->state == VERSION_STAGED)
		return fetch->scope != ENV_CURRENT;
	return fetch->scope != ENV_STAGED_ALONE && !has_staged; /* P2 */
}

/* Current values alone were counted when they were put; a staged one may be larger than the one it stands in for. */
static enum err check_room(struct fetch *fetch, const struct store_version *version)
{
	fetch->class_bytes += version->value_bytes;
	if (fetch->count == ENV_KEYS_MAX || fetch->class_bytes > ENV_SET_BYTES_MAX)
		return call_refuse(fetch->call, ERR_TOO_LARGE, "limit of the set",
			"staged and current values together are over 1 MiB or 128 keys");
	return OK;
}

static enum err on_version(void *arg, const struct store_version *version)
{
	struct fetch *fetch = arg;
	struct call *call = fetch->call;

	if (!is_wanted(call, version->key) || !is_in_scope(fetch, version))
		return OK;
	if (version->expires_ms != 0 && version->expires_ms <= call->now_ms)
		return refuse_key(call, ERR_EXPIRED, "the value has expired", version->key);

	enum err err = check_room(fetch, version);

	if (err != OK)
		return err;

	struct item *item = &fetch->items[fetch->count];

	*item = (struct item){.key = call_copy(call, version->key),
		.version = version->version,
		.expires_ms = version->expires_ms};

	err = item->key == NULL ? ERR_INTERNAL : open_value(fetch, version, &item->value);
	if (err == ERR_STORAGE)
		return refuse_key(call, ERR_STORAGE, "the sealed value does not open", version->key);
	if (err != OK)
		return err;
	item->as_base64 = is_better_as_base64(&item->value);
	fetch->count++;
	call_subject(call, "%s=%llu", item->key, (unsigned long long)item->version);
	return OK;
}

static bool has_item(const struct fetch *fetch, const char *key)
{
	for (size_t i = 0; i < fetch->count; i++)
		if (strcmp(fetch->items[i].key, key) == 0)
			return true;
	return false;
}

/* A key that is registered but has no current value must not just be missing from the environment. */
static enum err on_registered(void *arg, const struct store_secret *secret)
{
	struct fetch *fetch = arg;
	struct call *call = fetch->call;

	if (fetch->scope == ENV_STAGED_ALONE || !is_wanted(call, secret->key) ||
		has_item(fetch, secret->key) || list_has(call, FIELD_OPTIONAL, secret->key))
		return OK;
	return refuse_key(call, ERR_NOT_FOUND, "the key has no value", secret->key);
}

/* The keys that were asked for by name and are not there; they are the caller's words and not repeated. */
static enum err check_asked(struct fetch *fetch)
{
	struct call *call = fetch->call;
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
		if (!has_item(fetch, key) && !list_has(call, FIELD_OPTIONAL, key))
			return call_refuse(call, ERR_NOT_FOUND, "a key of only does not exist",
				"a key that was asked for does not exist");
	}
	return OK;
}

static enum err open_values(struct fetch *fetch)
{
	struct call *call = fetch->call;
	struct store *store = call->core->store;
	const unsigned char *id = fetch->integration->id;
	struct dek_context context = {.generation = fetch->integration->dek_generation};

	memcpy(context.integration_id, id, sizeof(context.integration_id));

	enum err err = dek_open(call->core->keys, &context, fetch->integration->dek,
		fetch->integration->dek_len, &fetch->dek);

	if (err != OK)
		return call_refuse(call, err, "the integration's data key does not open", NULL);
	if (fetch->scope == ENV_CURRENT)
		err = store_version_current(store, id, on_version, fetch);
	else
		err = store_version_usable(store, id, on_version, fetch);
	dek_close(fetch->dek);
	if (err == OK)
		err = store_secret_each(store, id, on_registered, fetch);
	if (err == OK)
		err = check_asked(fetch);
	if (err == OK && fetch->scope == ENV_STAGED_ALONE && fetch->count == 0)
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

static enum err insert_run(struct fetch *fetch)
{
	struct call *call = fetch->call;
	struct store_run_version versions[ENV_KEYS_MAX] = {0};
	struct store_run run = {.is_staged = fetch->scope != ENV_CURRENT,
		.time_ms = call->now_ms,
		.uid = call->who->uid,
		.pid = call->who->pid,
		.unit = call->who->unit,
		.versions = versions,
		.version_count = fetch->count};

	for (size_t i = 0; i < fetch->count; i++)
		versions[i] = (struct store_run_version){fetch->items[i].key, fetch->items[i].version};
	make_run_id(call->now_ms, run.id);
	memcpy(run.integration_id, fetch->integration->id, sizeof(run.integration_id));
	memcpy(call->record.run, run.id, sizeof(call->record.run));
	if (run.is_staged)
		call_detail(call, "staged");
	return holders_give(call, fetch->integration, &run);
}

/* ---- the reply ---- */

enum { REPLY_FRAME_BYTES = 512, ITEM_FRAME_BYTES = 192 };

/* An upper bound that is exact in what can be large. */
static size_t reply_size(const struct fetch *fetch)
{
	size_t size = REPLY_FRAME_BYTES + REQUEST_ID_BYTES_MAX;

	for (size_t i = 0; i < fetch->count; i++) {
		const struct item *item = &fetch->items[i];

		size += ITEM_FRAME_BYTES;
		size += item->as_base64 ? base64_encoded_len(item->value.len) + 2
					: json_escaped_len((const char *)item->value.bytes, item->value.len);
	}
	return size;
}

static enum err write_value(struct call *call, struct json_writer *w, const struct item *item)
{
	size_t len = base64_encoded_len(item->value.len);
	char *text = NULL;

	json_key(w, "value");
	if (!item->as_base64) {
		json_write_text(w, (const char *)item->value.bytes, item->value.len);
		return OK;
	}
	text = arena_alloc(&call->core->arena, len);
	if (text == NULL)
		return ERR_INTERNAL;
	base64_encode(item->value.bytes, item->value.len, text);
	json_write_text(w, text, len);
	json_put_string(w, "encoding", "base64");
	return OK;
}

static enum err write_items(struct fetch *fetch, struct json_writer *w)
{
	enum err err = OK;

	json_key(w, "env");
	json_begin_array(w);
	for (size_t i = 0; err == OK && i < fetch->count; i++) {
		const struct item *item = &fetch->items[i];

		json_begin_object(w);
		json_put_string(w, "key", item->key);
		err = write_value(fetch->call, w, item);
		json_put_integer(w, "version", (int64_t)item->version);
		if (item->expires_ms != 0)
			json_put_time(w, "expires_at", item->expires_ms);
		json_end_object(w);
	}
	json_end_array(w);
	return err;
}

static enum err write_reply(struct fetch *fetch)
{
	struct call *call = fetch->call;
	size_t size = reply_size(fetch);
	struct buf buf = {0};
	enum err err = pool_take(call->core->replies, call->who->uid, size, &call->secret_block);

	if (err != OK)
		return call_refuse(call, err, "no locked memory for the reply",
			"too many replies are on their way; try again");
	buf_init_fixed(&buf, (char *)call->secret_block.bytes, size);

	struct json_writer w = json_writer(&buf);

	json_begin_object(&w);
	json_put_string(&w, "jsonrpc", "2.0");
	json_key(&w, "id");
	json_write_raw(&w, call->exchange->id, call->exchange->id_len);
	json_key(&w, "result");
	json_begin_object(&w);
	json_put_string(&w, "integration", fetch->integration->name);
	json_put_string(&w, "run", call->record.run);
	err = write_items(fetch, &w);
	json_end_object(&w);
	json_end_object(&w);
	buf_append_byte(&buf, '\n');
	if (err == OK && buf_failed(&buf))
		err = ERR_INTERNAL;
	call->secret_len = buf.len;
	return err;
}

enum err env_values_deliver(struct call *call, const struct integration *integration, enum env_scope scope)
{
	struct fetch *fetch = arena_alloc(&call->core->arena, sizeof(*fetch));

	if (fetch == NULL)
		return ERR_INTERNAL;
	*fetch = (struct fetch){.call = call, .integration = integration, .scope = scope};

	enum err err = open_values(fetch);

	if (err == OK)
		err = insert_run(fetch);
	if (err == OK)
		err = write_reply(fetch);
	return err;
}
