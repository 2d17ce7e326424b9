/*
 * secret.put: a value goes in, is sealed for its place, and becomes current or is staged.  The reply never tells
 * whether it differs from an older one (P3).
 */
#include "secret_rows.h"

#include <string.h>

#include "approvals.h"
#include "base64.h"
#include "envelope.h"
#include "watches.h"

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
		return call_refuse(
			call, ERR_BAD_VALUE, "not canonical base64", "the value is not canonical base64");
	if (err != OK)
		return err;
	out->bytes = (unsigned char *)text;
	out->len = len;
	return OK;
}

static enum err check_value(struct call *call, const struct secret *value)
{
	enum err err =
		text_check_value(value->bytes, value->len, request_flag(call->request, FIELD_MULTILINE));

	if (err == ERR_BAD_VALUE)
		return call_refuse(call, err, "value refused",
			"a value is 1 to 65535 bytes without NUL; line breaks need multiline");
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
		return call_refuse(
			call, ERR_BAD_VALUE, "expiry in the past", "expires_at must be a time to come");
	call_subject(call, "expires_at=%s", text);
	return OK;
}

/* What the new version must not collide with; *replaced_out: the version that it makes draining, 0: none. */
static enum err check_place(
	struct call *call, const struct integration *integration, size_t value_len, uint64_t *replaced_out)
{
	bool is_staged = request_flag(call->request, FIELD_STAGE);
	struct version_survey survey = {0};
	enum err err = secrets_survey(call, integration->id, &survey);

	if (err == OK && request_flag(call->request, FIELD_IF_ABSENT) &&
		(survey.current.version != 0 || survey.staged.version != 0))
		return call_refuse(
			call, ERR_CONFLICT, "if_absent: there is a value", "the key has a value already");
	if (err == OK && is_staged && survey.staged.version != 0)
		return call_refuse(call, ERR_CONFLICT, "a version is staged already",
			"another version of the key is staged; promote or revoke it first");
	if (err == OK)
		err = secrets_check_room(call, integration, envelope_class(value_len), replaced_out);
	if (is_staged)
		*replaced_out = 0;
	return err;
}

/* Seals the value for exactly this vault, integration, secret, key and version (P6). */
static enum err seal_value(struct call *call, const struct integration *integration,
	struct store_version *version, const struct secret *value)
{
	struct value_context context = {.dek.generation = integration->dek_generation,
		.key = version->key,
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
	version->value_bytes = (uint32_t) class;
	err = envelope_seal(dek, &context, value->bytes, value->len, scratch, sealed, &version->sealed.len);
	dek_close(dek);
	return err;
}

/* What was current drains, and the new version is there. */
static enum err store_new(struct call *call, const struct integration *integration,
	const struct store_version *version, uint64_t replaced)
{
	enum err err = OK;

	if (replaced != 0)
		err = secrets_set_state(call, integration, replaced, VERSION_CURRENT, VERSION_DRAINING);
	if (err == OK)
		err = store_version_insert(call->core->store, version);
	if (err == OK)
		err = secrets_note_state(
			call, integration, version->version, NULL, secrets_state_word(version->state));
	if (err == OK)
		err = secrets_note_text(
			call, integration, version->version, FIELD_ISSUER_REF, NULL, version->issuer_ref);
	return err;
}

static enum err put_version(struct call *call, const struct integration *integration,
	struct secret_row *secret, const struct secret *value, uint64_t replaced)
{
	bool is_staged = request_flag(call->request, FIELD_STAGE);
	struct store_version version = {.state = is_staged ? VERSION_STAGED : VERSION_CURRENT,
		.created_ms = call->now_ms,
		.changed_ms = call->now_ms,
		.created_by = call->who->uid,
		.is_multiline = request_flag(call->request, FIELD_MULTILINE)};
	enum err err = check_expiry(call, &version.expires_ms);

	if (err == OK)
		err = secrets_put_row(call, integration, secret);
	if (err == OK && !is_staged)
		err = approvals_check_put(call, integration, secret->row.newest);
	if (err != OK)
		return err;
	memcpy(version.integration_id, integration->id, sizeof(version.integration_id));
	memcpy(version.secret_id, secret->row.id, sizeof(version.secret_id));
	version.key = secret->row.key;
	version.version = secret->row.newest;
	version.note = call_text(call, FIELD_NOTE);
	version.issuer_ref = call_text(call, FIELD_ISSUER_REF);
	err = seal_value(call, integration, &version, value);
	if (err == OK)
		err = store_new(call, integration, &version, replaced);
	if (err != OK)
		return err;
	call->record.version = version.version;
	if (!is_staged)
		err = watches_note(call, integration, version.version, VERSION_CURRENT);
	if (err != OK)
		return err;
	if (is_staged)
		call_detail(call, "staged");
	json_begin_object(&call->w);
	secrets_write_state(call, version.key, version.version, version.state);
	json_end_object(&call->w);
	return OK;
}

enum err handle_secret_put(struct call *call)
{
	struct integration integration = {0};
	struct secret_row secret = {0};
	SECRET_AUTO value = {0};
	uint64_t replaced = 0;
	enum err err = integration_find(call, FIELD_INTEGRATION, &integration);

	if (err == OK)
		err = secrets_check_open(call, &integration);
	if (err == OK)
		err = secrets_load(call, integration.id, &secret);
	if (err == OK)
		err = secrets_check_expected(call, &secret);
	if (err == OK)
		err = decode_value(call, &value);
	if (err == OK)
		err = check_value(call, &value);
	if (err == OK)
		err = check_place(call, &integration, value.len, &replaced);
	if (err != OK)
		return err;
	return put_version(call, &integration, &secret, &value, replaced);
}
