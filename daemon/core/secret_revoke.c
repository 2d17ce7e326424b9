/*
 * secret.revoke: the end of a version.  Its ciphertext is destroyed (P10), and only when nobody may hold it any more,
 * unless the caller insists; then the record names whom it went over.
 */
#include "secret_rows.h"

#include <stdio.h>
#include <string.h>

#include "backups.h"
#include "holders.h"
#include "watches.h"

enum { HOLDERS_TOLD = 16 };

/* Tells who may hold it, as members of the error's data. */
static enum err tell_holders(struct call *call, const struct holder_filter *filter, size_t *count_out)
{
	HOLDER_VIEWS_AUTO *views = NULL;
	struct json_writer w = json_writer(&call->error_data);
	size_t count = 0;
	enum err err = holders_collect(call->core, filter, &views, &count);

	if (err != OK)
		return err;
	*count_out = holders_count(call->core, filter);
	buf_append_string(&call->error_data, "\"holders\":");
	json_begin_array(&w);
	for (size_t i = 0; i < count && i < HOLDERS_TOLD; i++)
		holders_write(&w, &views[i]);
	json_end_array(&w);
	buf_append_string(&call->error_data, ",\"holder_count\":");
	w = json_writer(&call->error_data);
	json_write_integer(&w, (int64_t)*count_out);
	return OK;
}

static enum err refuse_in_use(
	struct call *call, const struct holder_filter *filter, const struct version_facts *version)
{
	bool is_current = version->state == VERSION_CURRENT;
	size_t count = 0;
	enum err err = tell_holders(call, filter, &count);

	if (err != OK)
		return err;
	if (is_current)
		return call_refuse(call, ERR_IN_USE, "the version is current",
			"it is the current version; put or promote another one first, or use force");
	snprintf(call->detail_store, sizeof(call->detail_store),
		"%zu holder%s; coffer holders lists them, --when-drained waits for them, --force goes ahead",
		count, count == 1 ? "" : "s");
	return call_refuse(call, ERR_IN_USE, "somebody may hold the version", call->detail_store);
}

/* For the record of a forced revoke, which says so when it cannot name them all. */
struct going_over {
	struct call *call;
	size_t left_out;
};

static enum err on_gone_over(void *arg, const struct holder_view *view)
{
	enum { ROOM = UNIT_BYTES_MAX + 64 }; /* for one of them, and for the last words */
	struct going_over *going = arg;
	struct call *call = going->call;

	if (call->record.subject.len + ROOM > RECORD_SUBJECT_BYTES_MAX)
		going->left_out++;
	else if (view->unit != NULL)
		call_subject(call, "unit=%s", view->unit->unit);
	else if (view->holding->holder->unit[0] != '\0')
		call_subject(call, "pid=%d/%s", (int)view->holding->holder->pid, view->holding->holder->unit);
	else
		call_subject(
			call, "pid=%d/uid=%u", (int)view->holding->holder->pid, view->holding->holder->uid);
	return OK;
}

static enum err go_over(struct call *call, const struct holder_filter *filter)
{
	struct going_over going = {.call = call};
	enum err err = holders_each(call->core, filter, on_gone_over, &going);

	if (going.left_out > 0)
		call_subject(call, "and %zu more", going.left_out);
	call_detail(call, "forced");
	return err;
}

static enum err check_free(
	struct call *call, const struct integration *integration, const struct version_facts *version)
{
	struct holder_filter filter = {.integration_id = integration->id,
		.key = call->record.key,
		.version = version->version,
		.is_processes_only = request_flag(call->request, FIELD_PROCESSES_ONLY)};

	if (request_flag(call->request, FIELD_FORCE)) {
		filter.is_processes_only = false;
		return go_over(call, &filter);
	}
	if (version->state == VERSION_CURRENT || holders_count(call->core, &filter) > 0)
		return refuse_in_use(call, &filter, version);
	if (filter.is_processes_only)
		call_detail(call, "processes only");
	return OK;
}

static void write_backups(struct call *call, const struct version_facts *version)
{
	struct backup *backups = arena_alloc(&call->core->arena, BACKUPS_MAX * sizeof(*backups));
	size_t count = backups == NULL || call->core->backup_dir == NULL
			       ? 0
			       : backups_since(call->core->backup_dir, version->created_ms, backups);

	json_key(&call->w, "backups");
	json_begin_array(&call->w);
	for (size_t i = 0; i < count; i++)
		if (gate_is_utf8(backups[i].name, strlen(backups[i].name)))
			json_write_string(&call->w, backups[i].name);
	json_end_array(&call->w);
}

static enum err end_version(
	struct call *call, const struct integration *integration, const struct version_facts *version)
{
	enum err err = check_free(call, integration, version);

	if (err == OK)
		err = store_version_shred(call->core->store, integration->id, call->record.key,
			version->version, call->now_ms); /* P10 */
	if (err == OK)
		err = secrets_note_state(call, integration, version->version,
			secrets_state_word(version->state), secrets_state_word(VERSION_REVOKED));
	if (err == OK && version->state == VERSION_CURRENT)
		err = watches_note(call, integration, version->version, VERSION_REVOKED);
	return err == OK ? holders_forget_revoked(call, integration) : err;
}

enum err handle_secret_revoke(struct call *call)
{
	struct integration integration = {0};
	struct secret_row secret = {0};
	struct version_survey survey = {0};
	const struct version_facts *version = &survey.wanted;
	enum err err = secrets_find(call, &integration, &secret);

	call->record.version = (uint64_t)request_count(call->request, FIELD_VERSION, 0);
	if (err == OK)
		err = secrets_check_expected(call, &secret);
	if (err == OK)
		err = secrets_survey(call, integration.id, &survey);
	if (err == OK && version->version == 0)
		err = call_refuse(call, ERR_NOT_FOUND, "no such version",
			"the key has no such version; see coffer secret show");
	if (err == OK && version->state != VERSION_REVOKED)
		err = end_version(call, &integration, version);
	if (err != OK)
		return err;
	call->must_checkpoint = true; /* P10 */
	json_begin_object(&call->w);
	secrets_write_state(call, secret.row.key, version->version, VERSION_REVOKED);
	json_put_string(&call->w, "issuer", secret.row.issuer);
	json_put_string(&call->w, "issuer_ref", version->issuer_ref);
	write_backups(call, version);
	json_end_object(&call->w);
	return OK;
}
