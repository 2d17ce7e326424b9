/*
 * Use, collected from the store in one walk.  Rows come sorted by key, so the newest entry is nearly always
 * the one to add to.
 */
#include "secret_rows.h"

#include <string.h>

struct entry {
	const char *key;
	uint64_t version; /* 0: all of the key */
	struct use use;
	struct entry *next;
};

struct uses {
	struct call *call;
	const char *key; /* NULL: all keys */
	struct entry *first;
};

static struct entry *find_entry(const struct uses *uses, const char *key, uint64_t version)
{
	struct entry *entry = uses->first;

	while (entry != NULL && (entry->version != version || strcmp(entry->key, key) != 0))
		entry = entry->next;
	return entry;
}

static struct entry *add_entry(struct uses *uses, const char *key, uint64_t version)
{
	struct entry *entry = arena_alloc(&uses->call->core->arena, sizeof(*entry));
	const char *copy = call_copy(uses->call, key);

	if (entry == NULL || copy == NULL)
		return NULL;
	*entry = (struct entry){.key = copy, .version = version, .next = uses->first};
	uses->first = entry;
	return entry;
}

static enum err on_use(void *arg, const struct store_use *row)
{
	struct uses *uses = arg;
	uint64_t version = uses->key != NULL ? row->version : 0;

	if (uses->key != NULL && strcmp(uses->key, row->key) != 0)
		return OK;

	struct entry *entry = find_entry(uses, row->key, version);

	if (entry == NULL)
		entry = add_entry(uses, row->key, version);
	if (entry == NULL)
		return ERR_INTERNAL;
	entry->use.fetches += row->fetches;
	if (row->last_ms > entry->use.last_ms)
		entry->use.last_ms = row->last_ms;
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

struct use uses_find(const struct uses *uses, const char *key, uint64_t version)
{
	const struct entry *entry = find_entry(uses, key, version);

	return entry == NULL ? (struct use){0} : entry->use;
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
