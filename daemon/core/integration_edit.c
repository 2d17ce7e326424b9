/*
 * integration.add and integration.edit: nobody can make an integration without saying what it is and who answers for it,
 * and whatever changes leaves a row of history.  Each has a data key of its own.
 */
#include "handler.h"

#include <stdio.h>
#include <string.h>

#include "managers.h"
#include "watches.h"

static const char *text_of(const struct store_integration *integration, enum field field)
{
	return integration->text[field - INTEGRATION_TEXT_FIRST];
}

static bool has_changed(
	const struct store_integration *before, const struct store_integration *after, enum field field)
{
	const char *old = text_of(before, field);
	const char *new = text_of(after, field);

	return old == NULL || new == NULL ? old != new : strcmp(old, new) != 0;
}

/* Takes over the request's documented fields; "" clears one.  The texts live in the request's arena. */
static enum err take_fields(struct call *call, struct store_integration *integration)
{
	char *text = arena_alloc(&call->core->arena, FIELD_TEXT_BYTES_MAX);

	if (text == NULL)
		return ERR_INTERNAL;
	for (enum field field = FIELD_TITLE; field <= FIELD_LABELS; field++) {
		const char **slot = &integration->text[field - INTEGRATION_TEXT_FIRST];

		if (!request_has(call->request, field))
			continue;

		enum err err = request_field_text(call->request, field, text, FIELD_TEXT_BYTES_MAX);

		if (err != OK)
			return err;
		if (field == FIELD_RATE_LIMIT && strcmp(text, "0") == 0)
			return call_refuse(call, ERR_BAD_VALUE, "rate_limit of 0",
				"rate_limit is at least 1; an empty text takes it back");
		*slot = text[0] == '\0' ? NULL : call_copy(call, text);
		if (text[0] != '\0' && *slot == NULL)
			return ERR_INTERNAL;
	}
	return OK;
}

/* Words, times and numbers are said in the record; what people wrote is not, only that it changed. */
static const bool is_told[FIELD_TYPE_RULE + 1] = {[FIELD_TYPE_ACCESS] = true,
	[FIELD_TYPE_ENVIRONMENT] = true,
	[FIELD_TYPE_DURATION] = true,
	[FIELD_TYPE_PERIOD] = true,
	[FIELD_TYPE_TIME] = true,
	[FIELD_TYPE_COUNT] = true};

/* "labels=team,tier": labels are stored as "key=value" lines. */
static void describe_labels(struct call *call, const char *labels)
{
	char keys[16 * (SLUG_BYTES_MAX + 1) + 1] = "";
	size_t len = 0;

	for (const char *line = labels; line != NULL && *line != '\0';) {
		int key_len = (int)strcspn(line, "=");

		len += (size_t)snprintf(
			keys + len, sizeof(keys) - len, "%s%.*s", len > 0 ? "," : "", key_len, line);
		line = strchrnul(line, '\n');
		line += *line == '\n';
	}
	call_subject(call, "labels=%s", labels == NULL ? "none" : keys);
}

static void describe_changes(
	struct call *call, const struct store_integration *before, const struct store_integration *after)
{
	for (enum field field = FIELD_TITLE; field <= FIELD_LABELS; field++) {
		const char *text = text_of(after, field);

		if (!has_changed(before, after, field))
			continue;
		if (field == FIELD_LABELS)
			describe_labels(call, text);
		else if (is_told[field_info(field)->type])
			call_subject(call, "%s=%s", field_info(field)->wire, text == NULL ? "none" : text);
		else
			call_subject(call, "%s", field_info(field)->wire);
	}
}

/* One row of history for each field that is not what it was. */
static enum err note_changes(
	struct call *call, const struct store_integration *before, const struct store_integration *after)
{
	enum err err = OK;

	for (enum field field = FIELD_TITLE; err == OK && field <= FIELD_LABELS; field++) {
		struct store_change change = {.integration_id = after->id,
			.field = field_info(field)->wire,
			.old = text_of(before, field),
			.new = text_of(after, field)};

		if (has_changed(before, after, field))
			err = changes_note(call, &change);
	}
	return err;
}

/* ---- add ---- */

static void set_default(struct store_integration *integration, enum field field, const char *text)
{
	const char **slot = &integration->text[field - INTEGRATION_TEXT_FIRST];

	if (*slot == NULL)
		*slot = text;
}

static enum err check_room(struct call *call)
{
	struct store_counts counts = {0};
	enum err err = store_counts(call->core->store, &counts);

	if (err == OK && (int64_t)counts.integrations >= call->core->limits->integrations)
		return call_refuse(call, ERR_TOO_LARGE, "limit of integrations",
			"the vault holds as many integrations as [limits] integrations allows");
	return err;
}

static enum err insert(struct call *call, struct store_integration *integration)
{
	static const struct store_integration nothing;
	struct dek_context context = {.generation = integration->dek_generation};
	unsigned char dek[WRAPPED_KEY_BYTES] = {0};

	random_bytes(integration->id, sizeof(integration->id));
	memcpy(context.integration_id, integration->id, sizeof(context.integration_id));

	enum err err = keys_new_dek(call->core->keys, &context, dek);

	if (err != OK)
		return err;
	integration->dek = (struct store_blob){dek, sizeof(dek)};
	err = store_integration_insert(call->core->store, integration);
	integration->dek = (struct store_blob){0};
	if (err == ERR_CONFLICT)
		return call_refuse(call, err, "the name is taken", "an integration of this name exists");
	if (err == OK)
		err = changes_note(call, &(struct store_change){.integration_id = integration->id,
						 .field = "state",
						 .new = integration->state});
	if (err == OK && integration->is_grants_locked)
		err = changes_note(call, &(struct store_change){.integration_id = integration->id,
						 .field = field_info(FIELD_LOCK_GRANTS)->wire,
						 .new = "true"});
	return err == OK ? note_changes(call, &nothing, integration) : err;
}

enum err handle_integration_add(struct call *call)
{
	static const struct store_integration nothing;
	struct store_integration integration = {.name = call->record.integration,
		.state = "active",
		.dek_generation = 1,
		.created_ms = call->now_ms,
		.changed_ms = call->now_ms,
		.created_by = call->who->uid,
		.changed_by = call->who->uid,
		.is_grants_locked = request_flag(call->request, FIELD_LOCK_GRANTS)};
	enum err err = check_room(call);

	if (err == OK)
		err = take_fields(call, &integration);
	if (err != OK)
		return err;
	set_default(&integration, FIELD_ENVIRONMENT, "production");
	set_default(&integration, FIELD_ROTATE_AFTER, "365d");
	set_default(&integration, FIELD_REVIEW_AFTER, "90d");
	describe_changes(call, &nothing, &integration);
	if (integration.is_grants_locked)
		call_subject(call, "lock_grants=true");
	integration_resolve_owner(&integration);
	err = integration_check(call, &integration);
	if (err == OK)
		err = insert(call, &integration);
	if (err == OK)
		err = managers_write(call, &integration);
	if (err == OK)
		integration_write(call, &integration);
	return err;
}

/* ---- edit ---- */

static bool has_documented_field(const struct call *call)
{
	for (enum field field = FIELD_TITLE; field <= FIELD_LABELS; field++)
		if (request_has(call->request, field))
			return true;
	return false;
}

enum err handle_integration_edit(struct call *call)
{
	struct store_integration integration = {0};
	enum err err = integration_load_whole(call, &integration);
	struct store_integration before = integration;

	if (err == OK)
		err = integration_check_open(call, &integration);
	if (err == OK)
		err = take_fields(call, &integration);
	if (err == OK && !has_documented_field(call))
		err = call_refuse(call, ERR_BAD_PARAMS, "nothing to change", "no field to change was given");
	if (err == OK && request_has(call->request, FIELD_MANAGED_BY))
		err = managers_write(call, &integration);
	if (err != OK)
		return err;
	describe_changes(call, &before, &integration);
	if (call->record.subject.len == 0) {
		call_detail(call, "everything was so already");
		integration_write(call, &before);
		return OK;
	}
	err = integration_check(call, &integration);
	if (err != OK)
		return err;
	if (request_has(call->request, FIELD_OWNER))
		integration_resolve_owner(&integration);
	integration.changed_ms = call->now_ms;
	integration.changed_by = call->who->uid;
	err = store_integration_update(call->core->store, &integration);
	if (err == OK)
		err = note_changes(call, &before, &integration);
	if (err == OK)
		err = watches_recheck(call, integration.id);
	if (err == OK)
		integration_write(call, &integration);
	return err;
}
