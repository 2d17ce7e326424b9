/*
 * Integrations, the documented consumers of credentials, as they are listed and shown.  What changes them is in
 * integration_edit.c.
 */
#include "handler.h"

#include <string.h>

#include "managers.h"
#include "users.h"

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

static void write_review(struct json_writer *w, const struct store_integration *integration)
{
	json_put_time(w, "reviewed_at", integration->reviewed_ms);
	if (integration->reviewed_ms != 0)
		write_person(w, "reviewed_by", integration->reviewed_by);
	else
		json_put_string(w, "reviewed_by", NULL);
}

static void write_record(struct json_writer *w, const struct store_integration *integration)
{
	json_begin_object(w);
	json_put_string(w, "name", integration->name);
	json_put_string(w, "state", integration->state);
	json_put_time(
		w, "state_at", integration->state_ms != 0 ? integration->state_ms : integration->created_ms);
	for (enum field field = FIELD_TITLE; field <= FIELD_LABELS; field++)
		write_field(w, integration, field);
	json_put_time(w, "created_at", integration->created_ms);
	write_person(w, "created_by", integration->created_by);
	json_put_time(w, "changed_at", integration->changed_ms);
	write_person(w, "changed_by", integration->changed_by);
	write_review(w, integration);
	json_put_bool(w, "grants_locked", integration->is_grants_locked);
	json_end_object(w);
}

static void write_summary(
	struct json_writer *w, const struct store_integration *integration, int64_t last_fetched_ms)
{
	static const enum field fields[] = {FIELD_TITLE, FIELD_OWNER, FIELD_CONTACT, FIELD_ENVIRONMENT,
		FIELD_ACCESS, FIELD_ROTATE_AFTER, FIELD_EXPIRES_AT, FIELD_LABELS};

	json_begin_object(w);
	json_put_string(w, "name", integration->name);
	json_put_string(w, "state", integration->state);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		write_field(w, integration, fields[i]);
	json_put_time(w, "created_at", integration->created_ms);
	json_put_time(w, "last_fetched_at", last_fetched_ms);
	json_put_time(w, "reviewed_at", integration->reviewed_ms);
	json_end_object(w);
}

void integration_put(struct call *call, const struct store_integration *integration)
{
	json_key(&call->w, "integration");
	write_record(&call->w, integration);
}

void integration_write(struct call *call, const struct store_integration *integration)
{
	json_begin_object(&call->w);
	integration_put(call, integration);
	json_end_object(&call->w);
}

/* ---- reading ---- */

struct listing {
	struct call *call;
	const char *label; /* KEY or KEY=VALUE; NULL: any */
	int64_t unused_since_ms; /* fetched by nobody from then on; INT64_MAX: any */
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
	int64_t last_ms = 0;

	if (!managers_may_see(listing->call, integration->id) ||
		(listing->label != NULL && !has_label(labels, listing->label)))
		return OK;

	enum err err = store_use_last(listing->call->core->store, integration->id, &last_ms);

	/* One that was never fetched is as old as it is. */
	if (err == OK && (last_ms == 0 ? integration->created_ms : last_ms) < listing->unused_since_ms)
		write_summary(&listing->call->w, integration, last_ms);
	return err;
}

static int64_t unused_since(const struct call *call)
{
	char text[32] = "";
	int64_t seconds = 0;

	if (!request_text(call->request, FIELD_STALE_AFTER, text, sizeof(text)) ||
		!text_duration(text, strlen(text), &seconds))
		return INT64_MAX;
	return call->now_ms - seconds * 1000;
}

enum err handle_integration_list(struct call *call)
{
	struct store_integration_filter filter = {0};
	char owner[201] = "", state[17] = "", workspace[SLUG_BYTES_MAX + 1] = "", label[201] = "";
	struct listing listing = {.call = call, .unused_since_ms = unused_since(call)};

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
	err = managers_list(call, integration.id);
	if (err == OK)
		err = grants_write(call, integration.id);
	if (err == OK)
		err = secrets_write(call, integration.id);
	json_end_object(&call->w);
	return err;
}
