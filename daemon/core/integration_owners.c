/*
 * Who answers for an integration: handing it to somebody else, alone or with everything of a person, and the word of a
 * reviewer that its record is still true.
 */
#include "handler.h"

#include <string.h>

#include "users.h"

enum { PERSON_BYTES = 201 };

static const char **slot_of(struct store_integration *integration, enum field field)
{
	return &integration->text[field - INTEGRATION_TEXT_FIRST];
}

/* A number is what the host shows of somebody who has left: it is nobody's name. */
void integration_resolve_owner(struct store_integration *integration)
{
	const char *owner = *slot_of(integration, FIELD_OWNER);
	uid_t uid = 0;

	integration->has_owner_uid =
		owner[strspn(owner, "0123456789")] != '\0' && users_uid(owner, &uid) == OK;
	integration->owner_uid = integration->has_owner_uid ? uid : 0;
}

enum err integration_check_open(struct call *call, const struct store_integration *integration)
{
	if (strcmp(integration->state, "retired") != 0)
		return OK;
	return call_refuse(call, ERR_RETIRED, "the integration is retired",
		"it is retired and stays so; register another one with coffer integration add");
}

/* ---- transfer ---- */

struct transfer {
	struct call *call;
	const char *reason;
	struct buf *names; /* each with its NUL */
};

/* One of the three fields that a transfer may change. */
static enum err hand_field(
	const struct transfer *transfer, struct store_integration *integration, enum field field)
{
	char text[PERSON_BYTES] = "";
	const char **slot = slot_of(integration, field);
	struct store_change change = {.integration_id = integration->id,
		.field = field_info(field)->wire,
		.old = *slot,
		.reason = transfer->reason};

	if (!request_text(transfer->call->request, field, text, sizeof(text)) ||
		(*slot != NULL && strcmp(*slot, text) == 0))
		return OK;
	*slot = change.new = call_copy(transfer->call, text);
	return *slot == NULL ? ERR_INTERNAL : changes_note(transfer->call, &change);
}

/* from may be NULL: the row was changed by others than us. */
static void describe_owners(struct call *call, const char *from, const char *reason)
{
	char to[PERSON_BYTES] = "";

	request_text(call->request, FIELD_OWNER, to, sizeof(to));
	call_subject_text(call, "from", from != NULL ? from : "");
	call_subject_text(call, "to", to);
	if (reason != NULL)
		call_subject_text(call, "reason", reason);
}

static enum err hand_over(const struct transfer *transfer, struct store_integration *integration)
{
	static const enum field fields[] = {FIELD_OWNER, FIELD_CONTACT, FIELD_BACKUP_CONTACT};
	struct call *call = transfer->call;
	enum err err = integration_check_open(call, integration);

	if (err == OK)
		describe_owners(call, *slot_of(integration, FIELD_OWNER), transfer->reason);
	for (size_t i = 0; err == OK && i < sizeof(fields) / sizeof(fields[0]); i++)
		err = hand_field(transfer, integration, fields[i]);
	if (err != OK)
		return err;
	integration_resolve_owner(integration);
	integration->changed_ms = call->now_ms;
	integration->changed_by = call->who->uid;
	return store_integration_update(call->core->store, integration);
}

static enum err on_owned(void *arg, const struct store_integration *integration)
{
	struct transfer *transfer = arg;

	if (strcmp(integration->state, "retired") == 0)
		return OK; /* its record stays as it was */
	buf_append(transfer->names, integration->name, strlen(integration->name) + 1);
	return buf_failed(transfer->names) ? ERR_INTERNAL : OK;
}

/* Each has a record of its own, so that whoever asks for one integration finds it. */
static enum err hand_over_recorded(const struct transfer *transfer, const char *name)
{
	struct call *call = transfer->call;
	struct store_integration integration = {0};
	size_t used = call->core->arena.used;
	enum err err = integration_load_record(call, name, &integration);

	if (err == OK)
		err = hand_over(transfer, &integration);
	if (err == OK)
		err = dispatch_record(call);
	call->record.subject = (struct record_subject){0};
	call->record.integration[0] = '\0';
	arena_rewind(&call->core->arena, used);
	return err;
}

static enum err hand_over_all(struct transfer *transfer)
{
	struct call *call = transfer->call;
	char from[PERSON_BYTES] = "";
	struct store_integration_filter filter = {.owner = from};
	size_t count = 0;

	request_text(call->request, FIELD_FROM_OWNER, from, sizeof(from));

	enum err err = store_integration_each(call->core->store, &filter, on_owned, transfer);

	if (err == OK && transfer->names->len == 0)
		return call_refuse(call, ERR_NOT_FOUND, "this owner has no integration",
			"nothing belongs to an owner of this name; see coffer integration list");
	for (size_t at = 0; err == OK && at < transfer->names->len; count++) {
		err = hand_over_recorded(transfer, transfer->names->bytes + at);
		at += strlen(transfer->names->bytes + at) + 1;
	}
	describe_owners(call, from, transfer->reason);
	call_subject(call, "integrations=%zu", count);
	return err;
}

static enum err hand_over_one(struct transfer *transfer)
{
	struct store_integration integration = {0};
	enum err err = integration_load_whole(transfer->call, &integration);

	if (err == OK)
		err = on_owned(transfer, &integration);
	return err == OK ? hand_over(transfer, &integration) : err;
}

enum err handle_integration_transfer(struct call *call)
{
	BUF_AUTO names = {0};
	struct transfer transfer = {.call = call, .reason = call_text(call, FIELD_REASON), .names = &names};
	bool is_one = request_has(call->request, FIELD_NAME);

	if (is_one == request_has(call->request, FIELD_FROM_OWNER))
		return call_refuse(call, ERR_BAD_PARAMS, "neither or both of name and from_owner",
			"either name, for one integration, or from_owner, for all of a person");

	enum err err = is_one ? hand_over_one(&transfer) : hand_over_all(&transfer);

	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_key(&call->w, "transferred");
	json_begin_array(&call->w);
	for (size_t at = 0; at < names.len; at += strlen(names.bytes + at) + 1)
		json_write_string(&call->w, names.bytes + at);
	json_end_array(&call->w);
	json_end_object(&call->w);
	return OK;
}

/* ---- review ---- */

enum err handle_integration_review(struct call *call)
{
	struct store_integration integration = {0};
	char before[TIME_TEXT_BYTES] = "";
	char now[TIME_TEXT_BYTES] = "";
	struct store_change change = {.field = "reviewed_at", .reason = call_text(call, FIELD_NOTE)};
	enum err err = integration_load_whole(call, &integration);

	if (err == OK)
		err = integration_check_open(call, &integration);
	if (err != OK)
		return err;
	text_format_time(integration.reviewed_ms, before);
	text_format_time(call->now_ms, now);
	change.integration_id = integration.id;
	change.old = integration.reviewed_ms == 0 ? NULL : before;
	change.new = now;
	integration.reviewed_ms = call->now_ms;
	integration.reviewed_by = call->who->uid;
	call_subject(call, "reviewed");
	if (change.reason != NULL)
		call_subject_text(call, "note", change.reason);
	err = store_integration_update(call->core->store, &integration);
	if (err == OK)
		err = changes_note(call, &change);
	if (err == OK)
		integration_write(call, &integration);
	return err;
}
