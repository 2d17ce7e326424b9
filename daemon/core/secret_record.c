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

/* The text that the request gives, or what it was; "" clears it. */
static enum err take_text(struct call *call, enum field field, const char **slot)
{
	size_t size = (size_t)field_info(field)->max + 1;
	char *text = request_has(call->request, field) ? arena_alloc(&call->core->arena, size) : NULL;

	if (!request_has(call->request, field))
		return OK;
	if (text == NULL)
		return ERR_INTERNAL;
	request_text(call->request, field, text, size);
	*slot = text[0] == '\0' ? NULL : text;
	return OK;
}

/* Descriptions and issuers are replaced when they are given; each change is a row of history. */
static enum err take_record(
	struct call *call, const struct integration *integration, struct store_secret *row)
{
	const struct {
		enum field field;
		const char **slot;
	} texts[] = {{FIELD_DESCRIPTION, &row->description}, {FIELD_ISSUER, &row->issuer}};
	enum err err = OK;

	for (size_t i = 0; err == OK && i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *old = *texts[i].slot;

		err = take_text(call, texts[i].field, texts[i].slot);
		if (err == OK)
			err = secrets_note_text(call, integration, 0, texts[i].field, old, *texts[i].slot);
	}
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
