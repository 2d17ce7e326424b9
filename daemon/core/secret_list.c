/*
 * secret.list and secret.show: names, states, times and use; never a value or anything made from one (P3).
 */
#include "secret_rows.h"

#include <string.h>

#include "users.h"

static void write_person(struct json_writer *w, const char *key, uint32_t uid)
{
	char name[USER_NAME_BYTES] = "";

	users_name(uid, name);
	json_put_string(w, key, name);
}

/* ---- list ---- */

struct states {
	uint64_t current;
	uint64_t oldest;
	struct json_writer *w; /* draining versions are written as they come */
};

static enum err on_state(void *arg, const struct store_version *version)
{
	struct states *states = arg;

	states->oldest = version->version; /* newest first */

	if (version->state == VERSION_CURRENT)
		states->current = version->version;
	if (version->state == VERSION_DRAINING)
		json_write_integer(states->w, (int64_t)version->version);
	return OK;
}

/* Rows of the integration's secrets are copied first: a visitor must not start another read of the same kind. */
struct key_list {
	struct call *call;
	struct store_secret rows[SECRETS_PER_INTEGRATION];
	size_t count;
};

static enum err on_listed(void *arg, const struct store_secret *secret)
{
	struct key_list *list = arg;
	struct store_secret *row = &list->rows[list->count];

	if (list->count == sizeof(list->rows) / sizeof(list->rows[0]))
		return OK;
	*row = *secret;
	row->key = call_copy(list->call, secret->key);
	row->description = call_copy(list->call, secret->description);
	row->issuer = call_copy(list->call, secret->issuer);
	if (row->key == NULL)
		return ERR_INTERNAL;
	list->count++;
	return OK;
}

static enum err write_secret(struct call *call, const struct store_secret *row, const struct uses *uses)
{
	struct json_writer *w = &call->w;
	struct states states = {.w = w};

	json_begin_object(w);
	json_put_string(w, "key", row->key);
	json_put_string(w, "description", row->description);
	json_put_string(w, "issuer", row->issuer);
	json_key(w, "draining");
	json_begin_array(w);

	enum err err = store_version_of(call->core->store, row->integration_id, row->key, on_state, &states);

	json_end_array(w);
	json_key(w, "current");
	if (states.current != 0)
		json_write_integer(w, (int64_t)states.current);
	else
		json_write_null(w);
	json_put_integer(w, "newest", (int64_t)row->newest);
	uses_write(w, uses_of_key(uses, row->key, states.oldest));
	json_end_object(w);
	return err;
}

enum err secrets_write(struct call *call, const unsigned char integration_id[STORE_ID_BYTES])
{
	struct key_list *list = arena_alloc(&call->core->arena, sizeof(*list));
	const struct uses *uses = NULL;

	if (list == NULL)
		return ERR_INTERNAL;
	list->call = call;
	list->count = 0;

	enum err err = store_secret_each(call->core->store, integration_id, on_listed, list);

	if (err == OK)
		err = uses_load(call, integration_id, NULL, &uses);
	json_key(&call->w, "secrets");
	json_begin_array(&call->w);
	for (size_t i = 0; err == OK && i < list->count; i++)
		err = write_secret(call, &list->rows[i], uses);
	json_end_array(&call->w);
	return err;
}

enum err handle_secret_list(struct call *call)
{
	struct integration integration = {0};
	enum err err = integration_find(call, FIELD_INTEGRATION, &integration);

	if (err != OK)
		return err;
	json_begin_object(&call->w);
	err = secrets_write(call, integration.id);
	json_end_object(&call->w);
	return err;
}

/* ---- show ---- */

struct showing {
	struct json_writer *w;
	const struct uses *uses;
};

static enum err on_shown(void *arg, const struct store_version *version)
{
	struct showing *showing = arg;
	struct json_writer *w = showing->w;

	json_begin_object(w);
	json_put_integer(w, "version", (int64_t)version->version);
	json_put_string(w, "state", secrets_state_word(version->state));
	json_put_time(w, "created_at", version->created_ms);
	write_person(w, "created_by", version->created_by);
	json_put_string(w, "note", version->note);
	json_put_string(w, "issuer_ref", version->issuer_ref);
	json_put_time(w, "expires_at", version->expires_ms);
	uses_write(w, uses_of_version(showing->uses, version->key, version->version));
	json_end_object(w);
	return OK;
}

enum err handle_secret_show(struct call *call)
{
	struct integration integration = {0};
	struct secret_row secret = {0};
	struct json_writer *w = &call->w;
	struct showing showing = {.w = w};
	enum err err = secrets_find(call, &integration, &secret);

	if (err == OK)
		err = uses_load(call, integration.id, secret.row.key, &showing.uses);
	if (err != OK)
		return err;
	json_begin_object(w);
	json_put_string(w, "integration", integration.name);
	json_put_string(w, "key", secret.row.key);
	json_put_string(w, "description", secret.row.description);
	json_put_string(w, "issuer", secret.row.issuer);
	json_put_time(w, "created_at", secret.row.created_ms);
	write_person(w, "created_by", secret.row.created_by);
	json_key(w, "versions");
	json_begin_array(w);
	err = store_version_of(call->core->store, integration.id, secret.row.key, on_shown, &showing);
	json_end_array(w);
	json_end_object(w);
	return err;
}
