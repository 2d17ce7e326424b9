/*
 * Secrets: their rows, and what their versions are.  No request of this file or its neighbours secret_put.c,
 * secret_states.c, secret_revoke.c and secret_list.c, for any role, can bring a value out again (P3).
 */
#include "secret_rows.h"

#include <stdio.h>
#include <string.h>

/* ---- one secret as the store has it ---- */

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
	row->access = call_copy(loading->call, secret->access);
	loading->out->exists = row->key != NULL;
	loading->call->is_key_known = true;
	return row->key != NULL ? OK : ERR_INTERNAL;
}

enum err secrets_load(
	struct call *call, const unsigned char integration_id[STORE_ID_BYTES], struct secret_row *out)
{
	struct secret_loading loading = {call, out};
	char key[KEY_BYTES_MAX + 1] = "";

	request_text(call->request, FIELD_KEY, key, sizeof(key));
	snprintf(call->record.key, sizeof(call->record.key), "%s", key);

	enum err err = store_secret_get(call->core->store, integration_id, key, on_secret, &loading);

	return err == ERR_NOT_FOUND ? OK : err;
}

enum err secrets_find(struct call *call, struct integration *integration, struct secret_row *out)
{
	enum err err = integration_find(call, FIELD_INTEGRATION, integration);

	if (err == OK)
		err = secrets_load(call, integration->id, out);
	if (err == OK && !out->exists)
		return call_refuse(call, ERR_NOT_FOUND, "no such key",
			"the integration has no such key; see coffer secret list");
	return err;
}

enum err secrets_check_expected(struct call *call, const struct secret_row *secret)
{
	int64_t newest = secret->exists ? (int64_t)secret->row.newest : 0;

	if (request_count(call->request, FIELD_EXPECT_VERSION, newest) == newest)
		return OK;
	return call_refuse(call, ERR_CONFLICT, "expect_version does not hold",
		"the newest version is another one; look again with coffer secret show");
}

const char *secrets_state_word(enum version_state state)
{
	static const char *const words[] = {[VERSION_STAGED] = "staged",
		[VERSION_CURRENT] = "current",
		[VERSION_DRAINING] = "draining",
		[VERSION_REVOKED] = "revoked"};

	return words[state];
}

enum err secrets_note_state(struct call *call, const struct integration *integration, uint64_t version,
	const char *old, const char *new)
{
	const char *reason = call->record.detail;

	return changes_note(call, &(struct store_change){.integration_id = integration->id,
					  .key = call->record.key,
					  .version = version,
					  .field = "state",
					  .old = old,
					  .new = new,
					  .reason = reason[0] == '\0' ? NULL : reason});
}

enum err secrets_set_state(struct call *call, const struct integration *integration, uint64_t version,
	enum version_state old, enum version_state new)
{
	enum err err = store_version_set_state(
		call->core->store, integration->id, call->record.key, version, new, call->now_ms);

	return err == OK ? secrets_note_state(call, integration, version, secrets_state_word(old),
				   secrets_state_word(new))
			 : err;
}

enum err secrets_note_text(struct call *call, const struct integration *integration, uint64_t version,
	enum field field, const char *old, const char *new)
{
	struct store_change change = {.integration_id = integration->id,
		.key = call->record.key,
		.version = version,
		.field = field_info(field)->wire,
		.old = old,
		.new = new};
	bool is_same = old == NULL || new == NULL ? old == new : strcmp(old, new) == 0;

	if (is_same)
		return OK;
	if (field == FIELD_ACCESS)
		call_subject(call, "access=%s", new == NULL ? "none" : new);
	else
		call_subject(call, "%s", field_info(field)->wire);
	return changes_note(call, &change);
}

void secrets_write_state(struct call *call, const char *key, uint64_t version, enum version_state state)
{
	json_put_string(&call->w, "key", key);
	json_put_integer(&call->w, "version", (int64_t)version);
	json_put_string(&call->w, "state", secrets_state_word(state));
}

enum err secrets_check_open(struct call *call, const struct integration *integration)
{
	if (strcmp(integration->state, "retired") == 0)
		return call_refuse(call, ERR_RETIRED, "the integration is retired",
			"it is retired: its records stay, and its versions can only be revoked");
	return OK;
}

/* ---- the versions of a key ---- */

struct surveying {
	struct call *call;
	uint64_t wanted;
	struct version_survey *out;
};

static enum err on_surveyed(void *arg, const struct store_version *version)
{
	struct surveying *surveying = arg;
	struct version_survey *out = surveying->out;
	struct version_facts *const by_state[] = {[VERSION_STAGED] = &out->staged,
		[VERSION_CURRENT] = &out->current,
		[VERSION_DRAINING] = &out->draining};
	struct version_facts facts = {.version = version->version,
		.state = version->state,
		.value_bytes = version->value_bytes,
		.created_ms = version->created_ms,
		.expires_ms = version->expires_ms};

	if (version->version == surveying->wanted) {
		facts.issuer_ref = call_copy(surveying->call, version->issuer_ref);
		out->wanted = facts;
	}
	if (version->state == VERSION_REVOKED)
		return OK;
	*by_state[version->state] = facts;
	out->draining_count += version->state == VERSION_DRAINING;
	out->live_count++;
	return OK;
}

enum err secrets_survey(
	struct call *call, const unsigned char integration_id[STORE_ID_BYTES], struct version_survey *out)
{
	struct surveying surveying = {call, (uint64_t)request_count(call->request, FIELD_VERSION, 0), out};

	return store_version_of(call->core->store, integration_id, call->record.key, on_surveyed, &surveying);
}

struct finding {
	uint64_t version;
	bool is_there;
	enum version_state state;
};

static enum err on_found(void *arg, const struct store_version *version)
{
	struct finding *finding = arg;

	if (version->version != finding->version)
		return OK;
	finding->is_there = true;
	finding->state = version->state;
	return OK;
}

enum err secrets_is_in_state(struct call *call, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t version, enum version_state state, bool *is_in_state_out)
{
	struct finding finding = {.version = version};
	enum err err = store_version_of(call->core->store, integration_id, key, on_found, &finding);

	*is_in_state_out = finding.is_there && finding.state == state;
	return err;
}

enum err secrets_is_live(struct call *call, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t version, bool *is_live_out)
{
	struct finding finding = {.version = version};
	enum err err = store_version_of(call->core->store, integration_id, key, on_found, &finding);

	*is_live_out = finding.is_there && finding.state != VERSION_REVOKED;
	return err;
}

/* What the integration's current versions come to, and the one that a new version replaces. */
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

enum err secrets_check_room(
	struct call *call, const struct integration *integration, size_t class_bytes, uint64_t *replaced_out)
{
	struct current_set set = {.key = call->record.key};
	enum err err = store_version_current(call->core->store, integration->id, on_current, &set);

	*replaced_out = set.replaced;
	if (err == OK && set.others >= ENV_KEYS_MAX)
		return call_refuse(call, ERR_TOO_LARGE, "limit of keys",
			"an integration has at most 128 keys with a value");
	if (err == OK && set.class_bytes + class_bytes > ENV_SET_BYTES_MAX)
		return call_refuse(call, ERR_TOO_LARGE, "limit of the set",
			"the values of an integration may come to 1 MiB together");
	return err;
}

/* ---- remove ---- */

enum err handle_secret_remove(struct call *call)
{
	struct integration integration = {0};
	struct secret_row secret = {0};
	struct version_survey survey = {0};
	enum err err = secrets_find(call, &integration, &secret);

	if (err == OK)
		err = secrets_check_open(call, &integration);
	if (err == OK)
		err = secrets_check_expected(call, &secret);
	if (err == OK)
		err = secrets_survey(call, integration.id, &survey);
	if (err == OK && survey.live_count > 0)
		err = call_refuse(
			call, ERR_CONFLICT, "not all versions are revoked", "revoke all its versions first");
	if (err == OK)
		err = store_secret_remove(call->core->store, integration.id, secret.row.key);
	if (err == OK)
		err = secrets_note_state(call, &integration, 0, NULL, "removed");
	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_put_string(&call->w, "removed", secret.row.key);
	json_end_object(&call->w);
	return OK;
}
