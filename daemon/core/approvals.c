/*
 * The filing of requests that a second person must approve.  A request is tried first, so that what could not be done is
 * refused at once; then everything that it did is taken back, and what was asked for is stored with a record (P4).
 */
#include "approvals.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "self.h"

enum { PENDING_PER_USER = 32, PENDING_MAX = 256, EXPIRED_AT_ONCE = 32, DAY_MS = 24 * 3600 * 1000 };

void approval_describe(struct call *call, const struct store_approval *approval)
{
	call_subject(call, "method=%s requested_by=%u", approval->method, approval->uid);
}

/* ---- filing ---- */

static void tell(struct call *call, uint64_t id)
{
	struct json_writer w = json_writer(&call->error_data);

	buf_append_string(&call->error_data, "\"request\":");
	json_write_integer(&w, (int64_t)id);
	snprintf(call->detail_store, sizeof(call->detail_store),
		"request %llu waits for another admin: coffer request approve %llu", (unsigned long long)id,
		(unsigned long long)id);
	call->detail = call->detail_store;
	call->record.object = id;
}

static enum err on_same(void *arg, const struct store_approval *approval)
{
	struct call *call = arg;

	tell(call, approval->id);
	return OK;
}

/* The same request again changes nothing: it waits already. */
static enum err find_same(struct call *call)
{
	struct store_approval like = {
		.uid = call->who->uid, .method = call->info->method, .params = call->draft->params};

	return store_approval_same(call->core->store, &like, on_same, call);
}

static enum err check_room(struct call *call)
{
	size_t all = 0, own = 0;
	enum err err = store_approval_pending(call->core->store, call->who->uid, &all, &own);

	if (err == OK && own >= PENDING_PER_USER)
		return call_refuse(call, ERR_BUSY, "limit of requests of one user",
			"32 of your requests wait for a second person; withdraw some with coffer request "
			"reject");
	if (err == OK && all >= PENDING_MAX)
		return call_refuse(call, ERR_BUSY, "limit of requests",
			"256 requests wait for a second person; have some decided first, see coffer request "
			"list");
	return err;
}

enum err approvals_demand(struct call *call)
{
	struct approval_draft *draft = call->draft;

	if (call->is_nested)
		return call_refuse(call, ERR_APPROVAL_REQUIRED, "it needs a second person",
			"it needs a second person and must be asked for by itself");
	call->draft = NULL;
	if (peer_needs_proof(call->who))
		return call_refuse(call, ERR_DENIED, "the login of an unproven process is not known",
			"a request for a second person comes from a proven process: session.prove comes "
			"first");
	call->draft = draft;

	enum err err = find_same(call);

	if (err == ERR_NOT_FOUND) {
		err = check_room(call);
		if (err == OK)
			return call_refuse(call, ERR_APPROVAL_REQUIRED, "it needs a second person", NULL);
	}
	call->draft = NULL;
	return err == OK ? call_refuse(
				   call, ERR_APPROVAL_REQUIRED, "it waits for a second person", call->detail)
			 : err;
}

/* "key=PGPASSWORD version=2 …": what it would do, as far as the method and the integration do not say it. */
static const char *subject_of(struct call *call)
{
	const struct record *record = &call->record;
	const struct record_subject *subject = &record->subject;
	size_t cap = subject->len + sizeof(record->key) + 64;
	char *text = arena_alloc(&call->core->arena, cap);
	size_t len = 0;

	if (text == NULL)
		return NULL;
	text[0] = '\0';
	if (request_has(call->request, FIELD_ID))
		len += (size_t)snprintf(
			text, cap, "id=%lld ", (long long)request_count(call->request, FIELD_ID, 0));
	if (record->key[0] != '\0')
		len += (size_t)snprintf(text + len, cap - len, "key=%s version=%llu ", record->key,
			(unsigned long long)record->version);
	len += (size_t)snprintf(
		text + len, cap - len, "%.*s", (int)subject->len, subject->len > 0 ? subject->text : "");
	if (len > 0 && text[len - 1] == ' ')
		text[len - 1] = '\0';
	return text;
}

enum err approvals_file(struct call *call)
{
	struct core *core = call->core;
	struct store_approval approval = {.method = call->info->method,
		.params = call->draft->params,
		.subject = subject_of(call),
		.uid = call->who->uid,
		.has_login = call->who->has_login,
		.login_uid = call->who->login_uid,
		.requested_ms = call->now_ms,
		.expires_ms = call->now_ms + core->rules->approval_days * DAY_MS};
	char request_id[33] = "";

	memcpy(approval.integration_id, call->draft->object.integration_id, sizeof(approval.integration_id));
	memcpy(approval.object, call->draft->object.digest, sizeof(approval.object));
	if (request_text(call->request, FIELD_REQUEST_ID, request_id, sizeof(request_id)))
		approval.request_id = request_id;

	enum err err =
		approval.subject == NULL ? ERR_INTERNAL : store_approval_insert(core->store, &approval);

	if (err != OK)
		return err;
	tell(call, approval.id);
	snprintf(call->record.outcome, sizeof(call->record.outcome), "%s", err_word(ERR_APPROVAL_REQUIRED));
	return trail_append(core, &call->record);
}

/* ---- time ---- */

struct overdue {
	uint64_t id;
	uint32_t uid;
	char method[RECORD_WORD_BYTES];
	char integration[INTEGRATION_NAME_BYTES_MAX + 1];
};

struct overdue_list {
	struct overdue entries[EXPIRED_AT_ONCE];
	size_t count;
};

static enum err on_overdue(void *arg, const struct store_approval *approval)
{
	struct overdue_list *list = arg;
	struct overdue *entry = &list->entries[list->count++];

	entry->id = approval->id;
	entry->uid = approval->uid;
	snprintf(entry->method, sizeof(entry->method), "%s", approval->method);
	snprintf(entry->integration, sizeof(entry->integration), "%s", approval->integration);
	return OK;
}

static enum err expire(struct core *core, const struct overdue *entry, int64_t now_ms)
{
	struct store_approval decided = {
		.id = entry->id, .state = APPROVAL_EXPIRED, .decided_ms = now_ms, .decided_by = self_uid()};
	struct record record = {.time_ms = now_ms,
		.repeats = 1,
		.uid = self_uid(),
		.gid = self_gid(),
		.pid = getpid(),
		.object = entry->id};
	char subject[96] = "";

	snprintf(record.kind, sizeof(record.kind), "request.expire");
	snprintf(record.outcome, sizeof(record.outcome), "ok");
	snprintf(record.integration, sizeof(record.integration), "%s", entry->integration);
	record.subject.len = (size_t)snprintf(
		subject, sizeof(subject), "method=%s requested_by=%u", entry->method, entry->uid);
	record.subject.text = subject;

	enum err err = store_approval_decide(core->store, &decided);

	return err == OK ? trail_append(core, &record) : err;
}

enum err approvals_expire(struct core *core, int64_t now_ms)
{
	struct overdue_list list = {0};
	enum err err = store_approval_overdue(core->store, now_ms, EXPIRED_AT_ONCE, on_overdue, &list);

	for (size_t i = 0; err == OK && i < list.count; i++)
		err = expire(core, &list.entries[i], now_ms);
	return err;
}
