/*
 * Integrations: the documented consumers of credentials.  Nobody can make one without saying what it is
 * and who answers for it; each has a data key of its own.
 */
#include "handler.h"

#include <stdio.h>
#include <string.h>

#include "users.h"
#include "watches.h"

/* ---- writing ---- */

static void write_person(struct json_writer *w, const char *key, uint32_t uid)
{
	char name[USER_NAME_BYTES] = "";

	users_name(uid, name);
	json_put_string(w, key, name);
}

static void write_field(struct json_writer *w, const struct store_integration *integration, enum field field)
{
	json_key(w, field_info(field)->wire);
	field_write_json(w, field, integration->text[field - INTEGRATION_TEXT_FIRST]);
}

static void write_record(struct json_writer *w, const struct store_integration *integration)
{
	json_begin_object(w);
	json_put_string(w, "name", integration->name);
	json_put_string(w, "state", integration->state);
	for (enum field field = FIELD_TITLE; field <= FIELD_LABELS; field++)
		write_field(w, integration, field);
	json_put_time(w, "created_at", integration->created_ms);
	write_person(w, "created_by", integration->created_by);
	json_put_time(w, "changed_at", integration->changed_ms);
	write_person(w, "changed_by", integration->changed_by);
	json_end_object(w);
}

static void write_summary(struct json_writer *w, const struct store_integration *integration)
{
	static const enum field fields[] = {FIELD_TITLE, FIELD_OWNER, FIELD_CONTACT, FIELD_ENVIRONMENT,
		FIELD_ACCESS, FIELD_ROTATE_AFTER, FIELD_EXPIRES_AT, FIELD_LABELS};

	json_begin_object(w);
	json_put_string(w, "name", integration->name);
	json_put_string(w, "state", integration->state);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		write_field(w, integration, fields[i]);
	json_put_time(w, "created_at", integration->created_ms);
	json_end_object(w);
}

/* ---- changing ---- */

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
		call_subject(call, "%s", field_info(field)->wire);
		*slot = text[0] == '\0' ? NULL : call_copy(call, text);
		if (text[0] != '\0' && *slot == NULL)
			return ERR_INTERNAL;
	}
	return OK;
}

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

static enum err write_changed(struct call *call, const struct store_integration *integration)
{
	json_begin_object(&call->w);
	json_key(&call->w, "integration");
	write_record(&call->w, integration);
	json_end_object(&call->w);
	return OK;
}

enum err handle_integration_add(struct call *call)
{
	struct store_integration integration = {.state = "active",
		.dek_generation = 1,
		.created_ms = call->now_ms,
		.changed_ms = call->now_ms,
		.created_by = call->who->uid,
		.changed_by = call->who->uid};
	struct dek_context context = {.generation = 1};
	unsigned char dek[WRAPPED_KEY_BYTES] = {0};
	char name[INTEGRATION_NAME_BYTES_MAX + 1] = "";

	request_text(call->request, FIELD_NAME, name, sizeof(name));
	snprintf(call->record.integration, sizeof(call->record.integration), "%s", name);

	enum err err = check_room(call);

	if (err == OK)
		err = take_fields(call, &integration);
	if (err != OK)
		return err;
	set_default(&integration, FIELD_ENVIRONMENT, "production");
	set_default(&integration, FIELD_ROTATE_AFTER, "365d");
	set_default(&integration, FIELD_REVIEW_AFTER, "90d");
	random_bytes(integration.id, sizeof(integration.id));
	memcpy(context.integration_id, integration.id, sizeof(context.integration_id));
	err = keys_new_dek(call->core->keys, &context, dek);
	if (err != OK)
		return err;
	integration.name = name;
	integration.dek = (struct store_blob){dek, sizeof(dek)};
	err = store_integration_insert(call->core->store, &integration);
	if (err == ERR_CONFLICT)
		return call_refuse(call, err, "the name is taken", "an integration of this name exists");
	if (err != OK)
		return err;
	return write_changed(call, &integration);
}

enum err handle_integration_edit(struct call *call)
{
	struct store_integration integration = {0};
	enum err err = integration_load_whole(call, &integration);

	if (err == OK)
		err = take_fields(call, &integration);
	if (err == OK && call->record.subject.len == 0)
		err = call_refuse(call, ERR_BAD_PARAMS, "nothing to change", "no field to change was given");
	if (err != OK)
		return err;
	integration.changed_ms = call->now_ms;
	integration.changed_by = call->who->uid;
	err = store_integration_update(call->core->store, &integration);
	if (err == OK)
		err = watches_recheck(call, integration.id);
	if (err != OK)
		return err;
	return write_changed(call, &integration);
}

/* ---- reading ---- */

struct listing {
	struct call *call;
	const char *label; /* KEY or KEY=VALUE; NULL: any */
};

/* Labels are stored as "key=value" lines. */
static bool has_label(const char *labels, const char *wanted)
{
	size_t len = strlen(wanted);
	bool names_value = strchr(wanted, '=') != NULL;

	for (const char *line = labels; line != NULL && *line != '\0';) {
		const char *end = strchrnul(line, '\n');

		if (strncmp(line, wanted, len) == 0 && (names_value ? line + len == end : line[len] == '='))
			return true;
		line = *end == '\n' ? end + 1 : end;
	}
	return false;
}

static bool is_state(const char *word)
{
	return strcmp(word, "active") == 0 || strcmp(word, "suspended") == 0 || strcmp(word, "retired") == 0;
}

static enum err on_listed(void *arg, const struct store_integration *integration)
{
	struct listing *listing = arg;
	const char *labels = integration->text[FIELD_LABELS - INTEGRATION_TEXT_FIRST];

	if (listing->label == NULL || has_label(labels, listing->label))
		write_summary(&listing->call->w, integration);
	return OK;
}

enum err handle_integration_list(struct call *call)
{
	struct store_integration_filter filter = {0};
	char owner[201] = "", state[17] = "", workspace[SLUG_BYTES_MAX + 1] = "", label[201] = "";
	struct listing listing = {.call = call};

	if (request_text(call->request, FIELD_OWNER, owner, sizeof(owner)))
		filter.owner = owner;
	if (request_text(call->request, FIELD_STATE, state, sizeof(state))) {
		if (!is_state(state))
			return call_refuse(call, ERR_BAD_VALUE, "no such state",
				"state is one of active, suspended, retired");
		filter.state = state;
	}
	if (request_text(call->request, FIELD_WORKSPACE, workspace, sizeof(workspace)))
		filter.workspace = workspace;
	if (request_text(call->request, FIELD_LABEL, label, sizeof(label)))
		listing.label = label;
	json_begin_object(&call->w);
	json_key(&call->w, "integrations");
	json_begin_array(&call->w);

	enum err err = store_integration_each(call->core->store, &filter, on_listed, &listing);

	json_end_array(&call->w);
	json_end_object(&call->w);
	return err;
}

enum err handle_integration_show(struct call *call)
{
	struct store_integration integration = {0};
	enum err err = integration_load_whole(call, &integration);

	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_key(&call->w, "integration");
	write_record(&call->w, &integration);
	err = grants_write(call, integration.id);
	if (err == OK)
		err = secrets_write(call, integration.id);
	json_end_object(&call->w);
	return err;
}
