/*
 * Use, collected from the store in one walk.  Rows come sorted by key and version, so the newest entry is
 * nearly always the one to look for.
 */
#include "secret_rows.h"

#include <string.h>

struct version_use {
	uint64_t version;
	struct use use;
	struct version_use *next;
};

struct key_use {
	const char *key;
	struct version_use *versions;
	struct key_use *next;
};

struct uses {
	struct call *call;
	const char *key; /* NULL: all keys */
	struct key_use *keys;
};

static struct key_use *find_key(const struct uses *uses, const char *key)
{
	struct key_use *entry = uses->keys;

	while (entry != NULL && strcmp(entry->key, key) != 0)
		entry = entry->next;
	return entry;
}

static struct key_use *add_key(struct uses *uses, const char *key)
{
	struct key_use *entry = arena_alloc(&uses->call->core->arena, sizeof(*entry));
	const char *copy = call_copy(uses->call, key);

	if (entry == NULL || copy == NULL)
		return NULL;
	*entry = (struct key_use){.key = copy, .next = uses->keys};
	uses->keys = entry;
	return entry;
}

static struct version_use *find_version(const struct key_use *key, uint64_t version)
{
	struct version_use *entry = key->versions;

	while (entry != NULL && entry->version != version)
		entry = entry->next;
	return entry;
}

static struct version_use *add_version(struct uses *uses, struct key_use *key, uint64_t version)
{
	struct version_use *entry = arena_alloc(&uses->call->core->arena, sizeof(*entry));

	if (entry == NULL)
		return NULL;
	*entry = (struct version_use){.version = version, .next = key->versions};
	key->versions = entry;
	return entry;
}

static void add_use(struct use *sum, uint64_t fetches, int64_t last_ms)
{
	sum->fetches += fetches;
	if (last_ms > sum->last_ms)
		sum->last_ms = last_ms;
}

static enum err on_use(void *arg, const struct store_use *row)
{
	struct uses *uses = arg;

	if (uses->key != NULL && strcmp(uses->key, row->key) != 0)
		return OK;

	struct key_use *key = find_key(uses, row->key);

	if (key == NULL)
		key = add_key(uses, row->key);
	if (key == NULL)
		return ERR_INTERNAL;

	struct version_use *version = find_version(key, row->version);

	if (version == NULL)
		version = add_version(uses, key, row->version);
	if (version == NULL)
		return ERR_INTERNAL;
	add_use(&version->use, row->fetches, row->last_ms);
	return OK;
}

enum err uses_load(struct call *call, const unsigned char integration_id[STORE_ID_BYTES], const char *key,
	const struct uses **out)
{
	struct uses *uses = arena_alloc(&call->core->arena, sizeof(*uses));

	if (uses == NULL)
		return ERR_INTERNAL;
	*uses = (struct uses){.call = call, .key = key};
	*out = uses;
	return store_use_of(call->core->store, integration_id, on_use, uses);
}

struct use uses_of_version(const struct uses *uses, const char *key, uint64_t version)
{
	const struct key_use *entry = find_key(uses, key);
	const struct version_use *found = entry != NULL ? find_version(entry, version) : NULL;

	return found != NULL ? found->use : (struct use){0};
}

struct use uses_of_key(const struct uses *uses, const char *key, uint64_t oldest)
{
	const struct key_use *entry = find_key(uses, key);
	struct use sum = {0};

	for (const struct version_use *v = entry != NULL ? entry->versions : NULL; v != NULL; v = v->next)
		if (v->version >= oldest)
			add_use(&sum, v->use.fetches, v->use.last_ms);
	return sum;
}

void uses_write(struct json_writer *w, struct use use)
{
	json_put_integer(w, "fetches", (int64_t)use.fetches);
	json_put_time(w, "last_fetched_at", use.last_ms);
}

struct newest {
	const char *key;
	uint64_t version;
};

static enum err on_newest(void *arg, const struct store_use *row)
{
	struct newest *newest = arg;

	if (row->version > newest->version && strcmp(row->key, newest->key) == 0)
		newest->version = row->version;
	return OK;
}

enum err uses_newest(struct call *call, const unsigned char integration_id[STORE_ID_BYTES], const char *key,
	uint64_t *newest_out)
{
	struct newest newest = {.key = key};
	enum err err = store_use_of(call->core->store, integration_id, on_newest, &newest);

	if (err == OK)
		*newest_out = newest.version;
	return err;
}
