/*
 * Secrets and their versions: put, list, show, revoke, remove.  Values go in and are sealed; no request in
 * this file, for any role, can bring one out again (P3).  What is written back is names, states and times.
 */
#include "handler.h"

#include <stdio.h>
#include <string.h>

#include "base64.h"
#include "envelope.h"
#include "users.h"

enum { LINE_FIELD_BYTES = 2048 };

/* ---- one secret as the store has it ---- */

struct secret_row {
	bool exists;
	struct store_secret row; /* texts in the request's arena */
};

struct secret_loading {
	struct call *call;
	struct secret_row *out;
};

static enum err on_secret(void *arg, const struct store_secret *secret)
{
	struct secret_loading *loading = arg;
	struct store_secret *row = &loading->out->row;

	*row = *secret;
	row->key = call_copy(loading->call, secret->key);
	row->description = call_copy(loading->call, secret->description);
	row->issuer = call_copy(loading->call, secret->issuer);
	loading->out->exists = row->key != NULL;
	return row->key != NULL ? OK : ERR_INTERNAL;
}

/* OK with exists false when there is none. */
static enum err load_secret(struct call *call, const unsigned char integration_id[STORE_ID_BYTES], struct secret_row *out)
{
	struct secret_loading loading = {call, out};
	char key[KEY_BYTES_MAX + 1] = "";

	request_text(call->request, FIELD_KEY, key, sizeof(key));
	snprintf(call->record.key, sizeof(call->record.key), "%s", key);

	enum err err = store_secret_get(call->core->store, integration_id, key, on_secret, &loading);

	return err == ERR_NOT_FOUND ? OK : err;
}

static enum err find_secret(struct call *call, struct integration *integration, struct secret_row *out)
{
	enum err err = integration_find(call, FIELD_INTEGRATION, integration);

	if (err == OK)
		err = load_secret(call, integration->id, out);
	if (err == OK && !out->exists)
		return call_refuse(call, ERR_NOT_FOUND, "no such key", "the integration has no such key; see coffer secret list");
	return err;
}

/* Two people at once: one gets ok, the other learns that the key has changed. */
static enum err check_expected(struct call *call, const struct secret_row *secret)
{
	int64_t newest = secret->exists ? (int64_t)secret->row.newest : 0;

	if (request_count(call->request, FIELD_EXPECT_VERSION, newest) == newest)
		return OK;
	return call_refuse(call, ERR_CONFLICT, "expect_version does not hold", "the newest version is another one; look again with coffer secret show");
}

static void write_person(struct json_writer *w, const char *key, uint32_t uid)
{
	char name[USER_NAME_BYTES] = "";

	users_name(uid, name);
	json_put_string(w, key, name);
}

static const char *state_word(enum version_state state)
{
	static const char *const words[] = {[VERSION_STAGED] = "staged",
		[VERSION_CURRENT] = "current",
		[VERSION_DRAINING] = "draining",
		[VERSION_REVOKED] = "revoked"};

	return words[state];
}

static void write_version_state(struct call *call, const char *key, uint64_t version, enum version_state state)
{
	json_put_string(&call->w, "key", key);
	json_put_integer(&call->w, "version", (int64_t)version);
	json_put_string(&call->w, "state", state_word(state));
}

/* ---- put ---- */

/* The value's bytes in the request's arena: the only place where it is in the clear (P1). */
static enum err decode_value(struct call *call, struct secret *out)
{
	const struct json_doc *doc = &call->request->doc;
	const struct json_token *token = call->request->field[FIELD_VALUE];
	size_t cap = (size_t)token->len + 1;
	char *text = arena_alloc(&call->core->arena, cap);
	size_t len = 0;
	char encoding[8] = "utf8";

	if (text == NULL)
		return ERR_INTERNAL;

	enum err err = json_text(doc, token, text, cap, &len);

	request_text(call->request, FIELD_ENCODING, encoding, sizeof(encoding));
	if (err == OK && strcmp(encoding, "base64") == 0 &&
		base64_decode(text, len, (unsigned char *)text, cap, &len) != OK)
		return call_refuse(call, ERR_BAD_VALUE, "not canonical base64", "the value is not canonical base64");
	if (err != OK)
		return err;
	out->bytes = (unsigned char *)text;
	out->len = len;
	return OK;
}

static enum err check_value(struct call *call, const struct secret *value)
{
	enum err err = text_check_value(value->bytes, value->len, request_flag(call->request, FIELD_MULTILINE));

	if (err == ERR_BAD_VALUE)
		return call_refuse(call, err, "value refused", "a value is 1 to 65535 bytes without NUL; line breaks need multiline");
	if (err == ERR_TOO_LARGE)
		return call_refuse(call, err, "value too large", "a value has at most 65535 bytes");
	return err;
}

static enum err check_expiry(struct call *call, int64_t *expires_ms_out)
{
	char text[33] = "";

	*expires_ms_out = 0;
	if (!request_text(call->request, FIELD_EXPIRES_AT, text, sizeof(text)))
		return OK;
	if (!text_time(text, strlen(text), expires_ms_out) || *expires_ms_out <= call->now_ms)
		return call_refuse(call, ERR_BAD_VALUE, "expiry in the past", "expires_at must be a time to come");
	return OK;
}

/* What the integration's current versions come to, and the one that the new version replaces. */
struct current_set {
	const char *key;
	size_t class_bytes; /* of the other keys */
	size_t others;
	uint64_t replaced; /* 0: none */
};

static enum err on_current(void *arg, const struct store_version *version)
{
	struct current_set *set = arg;

	if (strcmp(version->key, set->key) == 0) {
		set->replaced = version->version;
	} else {
		set->class_bytes += version->value_bytes;
		set->others++;
	}
	return OK;
}

static enum err check_set(struct call *call, const struct current_set *set, size_t value_len)
{
	if (set->replaced != 0 && request_flag(call->request, FIELD_IF_ABSENT))
		return call_refuse(call, ERR_CONFLICT, "if_absent: there is a value", "the key has a value already");
	if (set->others >= ENV_KEYS_MAX)
		return call_refuse(call, ERR_TOO_LARGE, "limit of keys", "an integration has at most 128 keys with a value");
	if (set->class_bytes + envelope_class(value_len) > ENV_SET_BYTES_MAX)
		return call_refuse(call, ERR_TOO_LARGE, "limit of the set", "the values of an integration may come to 1 MiB together");
	return OK;
}

/* Seals the value for exactly this vault, integration, secret, key and version (P6). */
static enum err seal_value(struct call *call, const struct integration *integration, struct store_version *version,
	const struct secret *value)
{
	struct value_context context = {.dek.generation = integration->dek_generation, .key = version->key,
		.version = version->version};
	size_t class = envelope_class(value->len);
	unsigned char *scratch = arena_alloc(&call->core->arena, class);
	unsigned char *sealed = arena_alloc(&call->core->arena, class + ENVELOPE_OVERHEAD);
	struct dek *dek = NULL;

	if (scratch == NULL || sealed == NULL)
		return ERR_INTERNAL;
	memcpy(context.dek.integration_id, integration->id, sizeof(context.dek.integration_id));
	memcpy(context.secret_id, version->secret_id, sizeof(context.secret_id));

	enum err err = dek_open(call->core->keys, &context.dek, integration->dek, integration->dek_len, &dek);

	if (err != OK)
		return call_refuse(call, err, "the integration's data key does not open", NULL);
	version->sealed.bytes = sealed;
	version->dek_generation = integration->dek_generation;
	version->value_bytes = (uint32_t)class;
	err = envelope_seal(dek, &context, value->bytes, value->len, scratch, sealed, &version->sealed.len);
	dek_close(dek);
	return err;
}

static const char *take_text(struct call *call, enum field field)
{
	char text[LINE_FIELD_BYTES] = "";

	return request_text(call->request, field, text, sizeof(text)) ? call_copy(call, text) : NULL;
}

/* The secret's own row: made at the first put, its description and issuer replaced when they are given. */
static enum err put_secret_row(struct call *call, const struct integration *integration, struct secret_row *secret)
{
	struct store_secret *row = &secret->row;

	if (!secret->exists) {
		memcpy(row->integration_id, integration->id, sizeof(row->integration_id));
		random_bytes(row->id, sizeof(row->id));
		row->key = call_copy(call, call->record.key);
		row->created_ms = call->now_ms;
		row->created_by = call->who->uid;
	}
	if (request_has(call->request, FIELD_DESCRIPTION)) {
		char *text = arena_alloc(&call->core->arena, field_info(FIELD_DESCRIPTION)->max + 1);

		if (text == NULL)
			return ERR_INTERNAL;
		request_text(call->request, FIELD_DESCRIPTION, text, field_info(FIELD_DESCRIPTION)->max + 1);
		row->description = text;
	}
	if (request_has(call->request, FIELD_ISSUER))
		row->issuer = take_text(call, FIELD_ISSUER);
	row->newest++;
	return row->key == NULL ? ERR_INTERNAL : store_secret_put(call->core->store, row);
}

static enum err put_version(struct call *call, const struct integration *integration, struct secret_row *secret,
	const struct secret *value, uint64_t replaced)
{
	struct store *store = call->core->store;
	struct store_version version = {.state = VERSION_CURRENT, .created_ms = call->now_ms, .changed_ms = call->now_ms,
		.created_by = call->who->uid, .is_multiline = request_flag(call->request, FIELD_MULTILINE)};
	enum err err = check_expiry(call, &version.expires_ms);

	if (err == OK)
		err = put_secret_row(call, integration, secret);
	if (err != OK)
		return err;
	memcpy(version.integration_id, integration->id, sizeof(version.integration_id));
	memcpy(version.secret_id, secret->row.id, sizeof(version.secret_id));
	version.key = secret->row.key;
	version.version = secret->row.newest;
	version.note = take_text(call, FIELD_NOTE);
	version.issuer_ref = take_text(call, FIELD_ISSUER_REF);
	err = seal_value(call, integration, &version, value);
	if (err == OK && replaced != 0)
		err = store_version_set_state(store, integration->id, version.key, replaced, VERSION_DRAINING, call->now_ms);
	if (err == OK)
		err = store_version_insert(store, &version);
	if (err != OK)
		return err;
	call->record.version = version.version;
	json_begin_object(&call->w);
	write_version_state(call, version.key, version.version, VERSION_CURRENT);
	json_end_object(&call->w);
	return OK;
}

enum err handle_secret_put(struct call *call)
{
	struct integration integration = {0};
	struct secret_row secret = {0};
	struct current_set set = {0};
	SECRET_AUTO value = {0};
	enum err err = integration_find(call, FIELD_INTEGRATION, &integration);

	if (err == OK && strcmp(integration.state, "retired") == 0)
		err = call_refuse(call, ERR_RETIRED, "the integration is retired", NULL);
	if (err == OK)
		err = load_secret(call, integration.id, &secret);
	if (err == OK)
		err = check_expected(call, &secret);
	if (err == OK)
		err = decode_value(call, &value);
	if (err == OK)
		err = check_value(call, &value);
	if (err != OK)
		return err;
	set.key = call->record.key;
	err = store_version_current(call->core->store, integration.id, on_current, &set);
	if (err == OK)
		err = check_set(call, &set, value.len);
	if (err != OK)
		return err;
	return put_version(call, &integration, &secret, &value, set.replaced);
}

/* ---- list ---- */

struct use {
	const char *key; /* NULL: all versions of the integration are added up per key by the caller */
	uint64_t version;
	uint64_t fetches;
	int64_t last_ms;
};

static enum err on_use(void *arg, const struct store_use *use)
{
	struct use *sum = arg;

	if (strcmp(use->key, sum->key) != 0 || (sum->version != 0 && use->version != sum->version))
		return OK;
	sum->fetches += use->fetches;
	if (use->last_ms > sum->last_ms)
		sum->last_ms = use->last_ms;
	return OK;
}

static enum err write_use(struct call *call, const unsigned char integration_id[STORE_ID_BYTES], const char *key, uint64_t version)
{
	struct use sum = {.key = key, .version = version};
	enum err err = store_use_of(call->core->store, integration_id, on_use, &sum);

	json_put_integer(&call->w, "fetches", (int64_t)sum.fetches);
	json_put_time(&call->w, "last_fetched_at", sum.last_ms);
	return err;
}

struct states {
	uint64_t current;
	struct json_writer *w; /* draining versions are written as they come */
};

static enum err on_state(void *arg, const struct store_version *version)
{
	struct states *states = arg;

	if (version->state == VERSION_CURRENT)
		states->current = version->version;
	if (version->state == VERSION_DRAINING)
		json_write_integer(states->w, (int64_t)version->version);
	return OK;
}

/* Rows of the integration's secrets are copied first: a visitor must not start another read of the same kind. */
struct key_list {
	struct call *call;
	struct store_secret rows[ENV_KEYS_MAX * 2];
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

static enum err write_secret(struct call *call, const struct store_secret *row)
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
	if (err == OK)
		err = write_use(call, row->integration_id, row->key, 0);
	json_end_object(w);
	return err;
}

enum err secrets_write(struct call *call, const unsigned char integration_id[STORE_ID_BYTES])
{
	struct key_list *list = arena_alloc(&call->core->arena, sizeof(*list));

	if (list == NULL)
		return ERR_INTERNAL;
	list->call = call;
	list->count = 0;

	enum err err = store_secret_each(call->core->store, integration_id, on_listed, list);

	json_key(&call->w, "secrets");
	json_begin_array(&call->w);
	for (size_t i = 0; err == OK && i < list->count; i++)
		err = write_secret(call, &list->rows[i]);
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

static enum err on_shown(void *arg, const struct store_version *version)
{
	struct call *call = arg;
	struct json_writer *w = &call->w;

	json_begin_object(w);
	json_put_integer(w, "version", (int64_t)version->version);
	json_put_string(w, "state", state_word(version->state));
	json_put_time(w, "created_at", version->created_ms);
	write_person(w, "created_by", version->created_by);
	json_put_string(w, "note", version->note);
	json_put_string(w, "issuer_ref", version->issuer_ref);
	json_put_time(w, "expires_at", version->expires_ms);

	enum err err = write_use(call, version->integration_id, version->key, version->version);

	json_end_object(w);
	return err;
}

enum err handle_secret_show(struct call *call)
{
	struct integration integration = {0};
	struct secret_row secret = {0};
	struct json_writer *w = &call->w;
	enum err err = find_secret(call, &integration, &secret);

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
	err = store_version_of(call->core->store, integration.id, secret.row.key, on_shown, call);
	json_end_array(w);
	json_end_object(w);
	return err;
}

/* ---- revoke, remove ---- */

struct version_finding {
	struct call *call;
	uint64_t wanted;
	bool is_there;
	bool all_revoked;
	enum version_state state;
	const char *issuer_ref;
};

static enum err on_version(void *arg, const struct store_version *version)
{
	struct version_finding *finding = arg;

	if (version->state != VERSION_REVOKED)
		finding->all_revoked = false;
	if (version->version == finding->wanted) {
		finding->is_there = true;
		finding->state = version->state;
		finding->issuer_ref = call_copy(finding->call, version->issuer_ref);
	}
	return OK;
}

/* Whoever fetched it may still hold it: without knowing the live holders, only a version that nobody ever got is free. */
static enum err check_unused(struct call *call, const struct integration *integration, const struct secret_row *secret,
	const struct version_finding *finding)
{
	struct use sum = {.key = secret->row.key, .version = finding->wanted};

	if (request_flag(call->request, FIELD_FORCE))
		return OK;
	if (finding->state == VERSION_CURRENT)
		return call_refuse(call, ERR_IN_USE, "the version is current", "it is the current version; put a new one first, or use force");

	enum err err = store_use_of(call->core->store, integration->id, on_use, &sum);

	if (err == OK && sum.fetches > 0)
		return call_refuse(call, ERR_IN_USE, "the version was fetched", "it was fetched, and whoever fetched it may still hold it; use force when you know better");
	return err;
}

enum err handle_secret_revoke(struct call *call)
{
	struct integration integration = {0};
	struct secret_row secret = {0};
	struct version_finding finding = {.call = call, .wanted = (uint64_t)request_count(call->request, FIELD_VERSION, 0)};
	enum err err = find_secret(call, &integration, &secret);

	call->record.version = finding.wanted;
	if (err == OK)
		err = check_expected(call, &secret);
	if (err == OK)
		err = store_version_of(call->core->store, integration.id, secret.row.key, on_version, &finding);
	if (err == OK && !finding.is_there)
		err = call_refuse(call, ERR_NOT_FOUND, "no such version", "the key has no such version; see coffer secret show");
	if (err == OK && finding.state != VERSION_REVOKED)
		err = check_unused(call, &integration, &secret, &finding);
	if (err == OK && finding.state != VERSION_REVOKED)
		err = store_version_shred(call->core->store, integration.id, secret.row.key, finding.wanted, call->now_ms);
	if (err != OK)
		return err;
	call->must_checkpoint = true; /* P10 */
	if (request_flag(call->request, FIELD_FORCE))
		snprintf(call->record.detail, sizeof(call->record.detail), "forced");
	json_begin_object(&call->w);
	write_version_state(call, secret.row.key, finding.wanted, VERSION_REVOKED);
	json_put_string(&call->w, "issuer", secret.row.issuer);
	json_put_string(&call->w, "issuer_ref", finding.issuer_ref);
	json_end_object(&call->w);
	return OK;
}

enum err handle_secret_remove(struct call *call)
{
	struct integration integration = {0};
	struct secret_row secret = {0};
	struct version_finding finding = {.call = call, .all_revoked = true};
	enum err err = find_secret(call, &integration, &secret);

	if (err == OK)
		err = check_expected(call, &secret);
	if (err == OK)
		err = store_version_of(call->core->store, integration.id, secret.row.key, on_version, &finding);
	if (err == OK && !finding.all_revoked)
		err = call_refuse(call, ERR_CONFLICT, "not all versions are revoked", "revoke all its versions first");
	if (err == OK)
		err = store_secret_remove(call->core->store, integration.id, secret.row.key);
	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_put_string(&call->w, "removed", secret.row.key);
	json_end_object(&call->w);
	return OK;
}
