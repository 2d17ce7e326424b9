/*
 * secret.list and secret.show: names, states, times and use; never a value or anything made from one (P3).
 */
#include "secret_rows.h"

#include <string.h>

#include "holders.h"
#include "users.h"

static void write_person(struct json_writer *w, const char *key, uint32_t uid)
{
	char name[USER_NAME_BYTES] = "";

	users_name(uid, name);
	json_put_string(w, key, name);
}

/* ---- list ---- */

struct states {
	uint64_t staged;
	uint64_t current;
	uint64_t oldest;
	struct json_writer *w; /* draining versions are written as they come */
};

static enum err on_state(void *arg, const struct store_version *version)
{
	struct states *states = arg;

	states->oldest = version->version; /* newest first */

	if (version->state == VERSION_STAGED)
		states->staged = version->version;
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
	row->access = call_copy(list->call, secret->access);
	if (row->key == NULL)
		return ERR_INTERNAL;
	list->count++;
	return OK;
}

/* 0: null */
static void write_version(struct json_writer *w, const char *key, uint64_t version)
{
	json_key(w, key);
	if (version != 0)
		json_write_integer(w, (int64_t)version);
	else
		json_write_null(w);
}

static enum err write_secret(struct call *call, const struct store_secret *row, const struct uses *uses)
{
	struct json_writer *w = &call->w;
	struct states states = {.w = w};

	json_begin_object(w);
	secrets_write_record(w, row);
	json_key(w, "draining");
	json_begin_array(w);

	enum err err = store_version_of(call->core->store, row->integration_id, row->key, on_state, &states);

	json_end_array(w);
	write_version(w, "staged", states.staged);
	write_version(w, "current", states.current);
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

/* ---- what a user has touched ---- */

enum { FOLD_ROWS = 4096, FOLD_ROUNDS = 64 };

static enum err on_touched(void *arg, const struct store_touched *touched)
{
	struct json_writer *w = arg;

	json_begin_object(w);
	json_put_string(w, "integration", touched->integration);
	json_put_string(w, "key", touched->key);
	json_put_integer(w, "version", (int64_t)touched->version);
	json_put_string(w, "state", secrets_state_word(touched->state));
	json_put_bool(w, "put", touched->was_put);
	json_put_integer(w, "fetched", (int64_t)touched->fetches);
	json_put_time(w, "last_fetched_at", touched->last_ms);
	json_end_object(w);
	return OK;
}

/* The fetches of the last second are not in the sums yet. */
static enum err fold_all(struct call *call)
{
	size_t folded = 1;
	enum err err = OK;

	for (int i = 0; err == OK && folded > 0 && i < FOLD_ROUNDS; i++)
		err = store_use_fold(call->core->store, FOLD_ROWS, &folded);
	return err;
}

static enum err list_touched(struct call *call, const char *integration)
{
	char user[256] = "";
	char name[USER_NAME_BYTES] = "";
	uid_t uid = 0;

	request_text(call->request, FIELD_TOUCHED_BY, user, sizeof(user));
	if (users_uid(user, &uid) != OK)
		return call_refuse(call, ERR_NOT_FOUND, "no such user",
			"no such user on this host; give the number of one who has left");
	users_name(uid, name);
	json_begin_object(&call->w);
	json_put_string(&call->w, "user", name);
	json_key(&call->w, "secrets");
	json_begin_array(&call->w);

	enum err err = fold_all(call);

	if (err == OK)
		err = store_touched_by(call->core->store, uid, integration, on_touched, &call->w);
	json_end_array(&call->w);
	json_end_object(&call->w);
	return err;
}

enum err handle_secret_list(struct call *call)
{
	struct integration integration = {0};
	bool is_of_user = request_has(call->request, FIELD_TOUCHED_BY);
	bool is_named = request_has(call->request, FIELD_INTEGRATION);

	if (!is_of_user && !is_named)
		return call_refuse(call, ERR_BAD_PARAMS, "neither integration nor touched_by",
			"integration or touched_by is needed");

	enum err err = is_named ? integration_find(call, FIELD_INTEGRATION, &integration) : OK;

	if (err != OK)
		return err;
	if (is_of_user)
		return list_touched(call, is_named ? integration.name : NULL);
	json_begin_object(&call->w);
	err = secrets_write(call, integration.id);
	json_end_object(&call->w);
	return err;
}

/* ---- show ---- */

struct showing {
	struct call *call;
	const struct integration *integration;
	const struct uses *uses;
};

static enum err write_tests(const struct showing *showing, const struct store_version *version)
{
	struct version_facts facts = {.version = version->version, .created_ms = version->created_ms};
	bool has_passed = false;
	enum err err =
		secret_tests_passed(showing->call, showing->integration, version->key, &facts, &has_passed);

	json_put_bool(&showing->call->w, "tested", has_passed);
	return err == OK ? secret_tests_write(
				   showing->call, showing->integration->id, version->key, version->version)
			 : err;
}

static enum err on_shown(void *arg, const struct store_version *version)
{
	struct showing *showing = arg;
	struct json_writer *w = &showing->call->w;
	struct holder_filter filter = {0};

	json_begin_object(w);
	json_put_integer(w, "version", (int64_t)version->version);
	json_put_string(w, "state", secrets_state_word(version->state));
	json_put_time(w, "created_at", version->created_ms);
	write_person(w, "created_by", version->created_by);
	json_put_time(w, "changed_at", version->changed_ms);
	json_put_string(w, "note", version->note);
	json_put_string(w, "issuer_ref", version->issuer_ref);
	json_put_time(w, "expires_at", version->expires_ms);
	uses_write(w, uses_of_version(showing->uses, version->key, version->version));
	filter.integration_id = showing->integration->id;
	filter.key = version->key;
	filter.version = version->version;
	json_put_integer(w, "holders", (int64_t)holders_count(showing->call->core, &filter));

	enum err err = write_tests(showing, version);

	json_end_object(w);
	return err;
}

enum err handle_secret_show(struct call *call)
{
	struct integration integration = {0};
	struct secret_row secret = {0};
	struct json_writer *w = &call->w;
	struct showing showing = {.call = call, .integration = &integration};
	enum err err = secrets_find(call, &integration, &secret);

	if (err == OK)
		err = uses_load(call, integration.id, secret.row.key, &showing.uses);
	if (err != OK)
		return err;
	json_begin_object(w);
	json_put_string(w, "integration", integration.name);
	secrets_write_record(w, &secret.row);
	json_put_time(w, "created_at", secret.row.created_ms);
	write_person(w, "created_by", secret.row.created_by);
	json_key(w, "versions");
	json_begin_array(w);
	err = store_version_of(call->core->store, integration.id, secret.row.key, on_shown, &showing);
	json_end_array(w);
	json_end_object(w);
	return err;
}
