/*
 * Secrets: their rows, and the end of their versions.  No request of this file or its neighbours
 * secret_put.c and secret_list.c, for any role, can bring a value out again (P3).
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
	loading->out->exists = row->key != NULL;
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

void secrets_write_state(struct call *call, const char *key, uint64_t version, enum version_state state)
{
	json_put_string(&call->w, "key", key);
	json_put_integer(&call->w, "version", (int64_t)version);
	json_put_string(&call->w, "state", secrets_state_word(state));
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
static enum err check_unused(struct call *call, const struct integration *integration,
	const struct secret_row *secret, const struct version_finding *finding)
{
	const struct uses *uses = NULL;

	if (request_flag(call->request, FIELD_FORCE))
		return OK;
	if (finding->state == VERSION_CURRENT)
		return call_refuse(call, ERR_IN_USE, "the version is current",
			"it is the current version; put a new one first, or use force");

	enum err err = uses_load(call, integration->id, secret->row.key, &uses);

	if (err == OK && uses_of_version(uses, secret->row.key, finding->wanted).fetches > 0)
		return call_refuse(call, ERR_IN_USE, "the version was fetched",
			"it was fetched, and whoever fetched it may still hold it; use force when you know "
			"better");
	return err;
}

enum err handle_secret_revoke(struct call *call)
{
	struct integration integration = {0};
	struct secret_row secret = {0};
	struct version_finding finding = {
		.call = call, .wanted = (uint64_t)request_count(call->request, FIELD_VERSION, 0)};
	enum err err = secrets_find(call, &integration, &secret);

	call->record.version = finding.wanted;
	if (err == OK)
		err = secrets_check_expected(call, &secret);
	if (err == OK)
		err = store_version_of(
			call->core->store, integration.id, secret.row.key, on_version, &finding);
	if (err == OK && !finding.is_there)
		err = call_refuse(call, ERR_NOT_FOUND, "no such version",
			"the key has no such version; see coffer secret show");
	if (err == OK && finding.state != VERSION_REVOKED)
		err = check_unused(call, &integration, &secret, &finding);
	if (err == OK && finding.state != VERSION_REVOKED)
		err = store_version_shred(
			call->core->store, integration.id, secret.row.key, finding.wanted, call->now_ms);
	if (err != OK)
		return err;
	call->must_checkpoint = true; /* P10 */
	if (request_flag(call->request, FIELD_FORCE))
		snprintf(call->record.detail, sizeof(call->record.detail), "forced");
	json_begin_object(&call->w);
	secrets_write_state(call, secret.row.key, finding.wanted, VERSION_REVOKED);
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
	enum err err = secrets_find(call, &integration, &secret);

	if (err == OK)
		err = secrets_check_expected(call, &secret);
	if (err == OK)
		err = store_version_of(
			call->core->store, integration.id, secret.row.key, on_version, &finding);
	if (err == OK && !finding.all_revoked)
		err = call_refuse(
			call, ERR_CONFLICT, "not all versions are revoked", "revoke all its versions first");
	if (err == OK)
		err = store_secret_remove(call->core->store, integration.id, secret.row.key);
	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_put_string(&call->w, "removed", secret.row.key);
	json_end_object(&call->w);
	return OK;
}
