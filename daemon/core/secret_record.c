/*
 * The record of a secret: what it is for, where its credential is made, what it lets one do.  For people; a value is
 * never in it (P3).
 */
#include "secret_rows.h"

#include <string.h>

static enum err on_counted(void *arg, const struct store_secret *secret)
{
	(void)secret;
	++*(size_t *)arg;
	return OK;
}

/*
 * A key that was there before goes on counting where it ended: no number means two values.  Of keys that were removed
 * under schema 1 only the fetched versions are known.
 */
static enum err begin_secret_row(
	struct call *call, const struct integration *integration, struct store_secret *row)
{
	size_t count = 0;
	uint64_t removed = 0;
	enum err err = store_secret_each(call->core->store, integration->id, on_counted, &count);

	if (err == OK && count >= SECRETS_PER_INTEGRATION)
		return call_refuse(call, ERR_TOO_LARGE, "limit of registered keys",
			"an integration has at most 256 registered keys; remove some");
	if (err == OK)
		err = uses_newest(call, integration->id, call->record.key, &row->newest);
	if (err == OK)
		err = store_secret_removed(call->core->store, integration->id, call->record.key, &removed);
	if (removed > row->newest)
		row->newest = removed;
	memcpy(row->integration_id, integration->id, sizeof(row->integration_id));
	random_bytes(row->id, sizeof(row->id));
	row->key = call_copy(call, call->record.key);
	row->created_ms = call->now_ms;
	row->created_by = call->who->uid;
	return err;
}

/* A text that the request gives is taken over, and its change is a row of history; "" clears it. */
static enum err take_text(
	struct call *call, const struct integration *integration, enum field field, const char **slot)
{
	const char *old = *slot;
	const char *new = call_text(call, field);

	if (!request_has(call->request, field))
		return OK;
	if (new == NULL)
		return ERR_INTERNAL;
	*slot = new[0] == '\0' ? NULL : new;
	return secrets_note_text(call, integration, 0, field, old, *slot);
}

static enum err take_record(
	struct call *call, const struct integration *integration, struct store_secret *row)
{
	enum err err = take_text(call, integration, FIELD_DESCRIPTION, &row->description);

	if (err == OK)
		err = take_text(call, integration, FIELD_ISSUER, &row->issuer);
	if (err == OK)
		err = take_text(call, integration, FIELD_ACCESS, &row->access);
	return err;
}

enum err secrets_put_row(struct call *call, const struct integration *integration, struct secret_row *secret)
{
	struct store_secret *row = &secret->row;
	enum err err = secret->exists ? OK : begin_secret_row(call, integration, row);

	if (err == OK)
		err = take_record(call, integration, row);
	if (err != OK)
		return err;
	row->newest++;
	return row->key == NULL ? ERR_INTERNAL : store_secret_put(call->core->store, row);
}

void secrets_write_record(struct json_writer *w, const struct store_secret *row)
{
	json_put_string(w, "key", row->key);
	json_put_string(w, "description", row->description);
	json_put_string(w, "issuer", row->issuer);
	json_put_string(w, "access", row->access);
}

enum err handle_secret_edit(struct call *call)
{
	struct integration integration = {0};
	struct secret_row secret = {0};
	enum err err = secrets_find(call, &integration, &secret);

	if (err == OK)
		err = secrets_check_open(call, &integration);
	if (err == OK && !request_has(call->request, FIELD_DESCRIPTION) &&
		!request_has(call->request, FIELD_ISSUER) && !request_has(call->request, FIELD_ACCESS))
		err = call_refuse(call, ERR_BAD_PARAMS, "nothing to change",
			"no field to change was given: description, issuer or access");
	if (err == OK)
		err = take_record(call, &integration, &secret.row);
	if (err == OK)
		err = store_secret_put(call->core->store, &secret.row);
	if (err != OK)
		return err;
	if (call->record.subject.len == 0)
		call_detail(call, "everything was so already");
	json_begin_object(&call->w);
	json_key(&call->w, "secret");
	json_begin_object(&call->w);
	secrets_write_record(&call->w, &secret.row);
	json_end_object(&call->w);
	json_end_object(&call->w);
	return OK;
}
