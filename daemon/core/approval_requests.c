/*
 * request.list, request.approve, request.reject: what waits for a second person, and what that person says.  An approved
 * request runs once, as whoever asked for it, with the right that they have now and on what has not changed since.
 */
#include "approvals.h"

#include <stdio.h>
#include <string.h>

#include "frame.h"
#include "managers.h"
#include "nested.h"
#include "users.h"

enum { LIST_DEFAULT = 100, LIST_MAX = 1000, NOTE_BYTES = 501, LINE_ROOM = 128 };

static const char *const state_words[] = {[APPROVAL_PENDING] = "pending",
	[APPROVAL_APPROVED] = "approved",
	[APPROVAL_REJECTED] = "rejected",
	[APPROVAL_EXPIRED] = "expired"};

/* ---- writing ---- */

static void write_person(struct json_writer *w, const char *key, bool is_known, uint32_t uid)
{
	char name[USER_NAME_BYTES] = "";

	if (is_known)
		users_name(uid, name);
	json_put_string(w, key, is_known ? name : NULL);
}

static void write_approval(struct json_writer *w, const struct store_approval *approval)
{
	json_begin_object(w);
	json_put_integer(w, "id", (int64_t)approval->id);
	json_put_string(w, "method", approval->method);
	json_put_string(w, "integration", approval->integration);
	json_put_string(w, "subject", approval->subject);
	json_key(w, "params");
	json_write_raw(w, approval->params, strlen(approval->params));
	json_put_time(w, "requested_at", approval->requested_ms);
	write_person(w, "requested_by", true, approval->uid);
	write_person(w, "login", approval->has_login, approval->login_uid);
	json_put_time(w, "expires_at", approval->expires_ms);
	json_put_string(w, "state", state_words[approval->state]);
	json_put_time(w, "decided_at", approval->decided_ms);
	write_person(w, "decided_by", approval->decided_ms != 0, approval->decided_by);
	json_put_string(w, "note", approval->note);
	json_put_time(w, "used_at", approval->used_ms);
	json_end_object(w);
}

/* ---- list ---- */

struct listing {
	struct call *call;
	size_t left;
	bool has_more;
};

/* The stored text goes out as it is, so it must be what was written (P7). */
static bool is_whole(struct call *call, const char *params)
{
	static const struct gate_limits limits = {.depth_max = REQUEST_DEPTH_MAX,
		.tokens_max = REQUEST_TOKENS_MAX,
		.keys_max = REQUEST_KEYS_MAX};
	uint32_t count = 0;

	return gate_scan(params, strlen(params), &limits, call->core->inner_request.tokens, &count) == OK;
}

static enum err on_listed(void *arg, const struct store_approval *approval)
{
	struct listing *listing = arg;
	struct call *call = listing->call;

	if (!managers_may_see(call, approval->integration_id))
		return OK; /* P2 */
	if (listing->left == 0 || call->result.len > REPLY_BYTES_MAX / 2) {
		listing->has_more = true;
		return ERR_TOO_LARGE; /* any error ends the visit */
	}
	if (!is_whole(call, approval->params))
		return ERR_STORAGE;
	listing->left--;
	write_approval(&call->w, approval);
	return OK;
}

static enum err take_state(struct call *call, struct store_approval_filter *filter)
{
	char word[17] = "";

	if (!request_text(call->request, FIELD_STATE, word, sizeof(word)))
		return OK;
	for (size_t i = 0; i < sizeof(state_words) / sizeof(state_words[0]); i++)
		if (strcmp(word, state_words[i]) == 0) {
			filter->has_state = true;
			filter->state = (enum approval_state)i;
			return OK;
		}
	return call_refuse(call, ERR_BAD_VALUE, "no such state",
		"the state of a request is one of pending, approved, rejected, expired");
}

enum err handle_approval_list(struct call *call)
{
	int64_t limit = request_count(call->request, FIELD_LIMIT, LIST_DEFAULT);
	struct listing listing = {.call = call, .left = (size_t)(limit < LIST_MAX ? limit : LIST_MAX)};
	struct store_approval_filter filter = {0};
	struct integration integration = {0};
	enum err err = take_state(call, &filter);

	if (err == OK && request_has(call->request, FIELD_INTEGRATION)) {
		err = integration_find(call, FIELD_INTEGRATION, &integration);
		filter.integration = integration.name;
	}
	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_key(&call->w, "requests");
	json_begin_array(&call->w);
	err = store_approval_each(call->core->store, &filter, on_listed, &listing);
	json_end_array(&call->w);
	json_put_bool(&call->w, "more", listing.has_more);
	json_end_object(&call->w);
	return listing.has_more ? OK : err;
}

/* ---- finding ---- */

struct loading {
	struct call *call;
	struct store_approval *out;
};

static enum err on_loaded(void *arg, const struct store_approval *approval)
{
	struct loading *loading = arg;
	struct call *call = loading->call;
	struct store_approval *out = loading->out;

	*out = *approval;
	out->integration = call_copy(call, approval->integration);
	out->method = call_copy(call, approval->method);
	out->params = call_copy(call, approval->params);
	out->subject = call_copy(call, approval->subject);
	out->request_id = call_copy(call, approval->request_id);
	out->note = call_copy(call, approval->note);
	if (out->integration == NULL || out->method == NULL || out->params == NULL || out->subject == NULL)
		return ERR_INTERNAL;
	return is_whole(call, out->params) ? OK : ERR_STORAGE;
}

/* The request that the call names, its texts in the arena. */
static enum err load(struct call *call, struct store_approval *out)
{
	struct loading loading = {call, out};
	uint64_t id = (uint64_t)request_count(call->request, FIELD_ID, 0);
	enum err err = store_approval_get(call->core->store, id, on_loaded, &loading);

	if (err != OK)
		return err;
	call->record.object = id;
	snprintf(call->record.integration, sizeof(call->record.integration), "%s", out->integration);
	return OK;
}

static enum err check_pending(struct call *call, const struct store_approval *approval)
{
	unsigned long long id = approval->id;

	if (approval->state == APPROVAL_EXPIRED ||
		(approval->state == APPROVAL_PENDING && approval->expires_ms <= call->now_ms))
		return call_refuse(call, ERR_EXPIRED, "nobody decided in time",
			"nobody decided in time: it must be asked for again");
	if (approval->state == APPROVAL_PENDING)
		return OK;
	snprintf(call->detail_store, sizeof(call->detail_store), "request %llu is %s already", id,
		state_words[approval->state]);
	return call_refuse(call, ERR_CONFLICT, "it is decided already", call->detail_store);
}

static enum err decide(struct call *call, struct store_approval *approval, enum approval_state state)
{
	char note[NOTE_BYTES] = "";

	approval->state = state;
	approval->decided_ms = call->now_ms;
	approval->decided_by = call->who->uid;
	approval->note = NULL;
	if (request_text(call->request, FIELD_NOTE, note, sizeof(note)))
		approval->note = call_copy(call, note);
	return store_approval_decide(call->core->store, approval);
}

/* ---- approve ---- */

/* Two accounts behind one login are one person.  NULL: they are two, as far as the kernel knows. */
static const char *why_one_person(const struct store_approval *approval, const struct principal *who)
{
	if (who->uid == approval->uid)
		return "nobody approves a request of their own";
	if (approval->has_login && who->has_login && approval->login_uid == who->login_uid)
		return "the request was made behind the same login";
	if (who->has_login && who->login_uid == approval->uid)
		return "this login is the one who made the request";
	if (approval->has_login && approval->login_uid == who->uid)
		return "the request was made behind a login of this user";
	return NULL;
}

static enum err check_person(struct call *call, const struct store_approval *approval)
{
	const char *reason = why_one_person(approval, call->who);

	if (reason != NULL)
		return call_refuse(call, ERR_DENIED, reason, reason);
	if (peer_needs_proof(call->who))
		return call_refuse(call, ERR_DENIED, "the login of an unproven process is not known",
			"an approval comes from a proven process: session.prove comes first");
	return OK;
}

/* Whoever asked, with the groups that they have now.  A user that the host does not list has its uid alone. */
static void make_requester(const struct store_approval *approval, struct principal *out)
{
	*out = (struct principal){.uid = approval->uid,
		.gid = (gid_t)-1,
		.pidfd = -1,
		.unit_reason = "it was approved by somebody else"};
	if (users_groups(out->uid, &out->groups, &out->group_count) == OK && out->group_count > 0)
		out->gid = out->groups[0]; /* the primary one */
}

static enum err check_object(struct call *inner, void *arg)
{
	const struct store_approval *approval = arg;
	struct approval_object object = {0};
	enum err err = approval_object_read(inner, &object);

	if (err == OK && !bytes_equal(object.digest, approval->object, sizeof(object.digest)))
		return call_refuse(inner, ERR_CONFLICT, "it has changed since it was asked for",
			"what it is about has changed since it was asked for: reject it, and have it asked "
			"for again");
	return err;
}

static void tell_refusal(struct call *call, const struct nested *nested)
{
	snprintf(call->detail_store, sizeof(call->detail_store),
		"it cannot be done now and stays pending%s%s", nested->detail[0] != '\0' ? ": " : "",
		nested->detail);
	call->detail = call->detail_store;
	snprintf(call->record.detail, sizeof(call->record.detail), "%s", nested->reason);
	if (!buf_failed(&nested->error_data))
		buf_append(&call->error_data, nested->error_data.bytes, nested->error_data.len);
	call->retry_after_ms = nested->retry_after_ms;
}

static enum err run(struct call *call, struct store_approval *approval, struct nested *nested)
{
	struct approved approved = {.request = approval->id, .by = call->who->uid};
	struct principal requester = {.pidfd = -1};
	size_t cap = strlen(approval->params) + LINE_ROOM;
	char *line = arena_alloc(&call->core->arena, cap);

	if (line == NULL)
		return ERR_INTERNAL;
	nested->line = line;
	nested->len =
		(size_t)snprintf(line, cap, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}",
			approval->method, approval->params);
	make_requester(approval, &requester);
	nested->who = &requester;
	nested->approved = &approved;
	nested->check = check_object;
	nested->check_arg = approval;
	/* What is left for the requester to ask for again has no result yet. */
	if (strcmp(approval->method, request_info(REQUEST_TOKEN_CREATE)->method) != 0)
		nested->request_id = approval->request_id;

	enum err err = nested_perform(call, nested);

	peer_clear(&requester);
	if (err != OK)
		tell_refusal(call, nested);
	return err;
}

enum err handle_approval_approve(struct call *call)
{
	struct store_approval approval = {0};
	NESTED_AUTO nested = {0};
	enum err err = load(call, &approval);

	if (err == ERR_NOT_FOUND)
		return call_refuse(call, err, "no such request", "no such request; see coffer request list");
	if (err != OK)
		return err;
	approval_describe(call, &approval);
	err = check_pending(call, &approval);
	if (err == OK)
		err = check_person(call, &approval);
	if (err == OK)
		err = run(call, &approval, &nested);
	if (err == OK)
		err = decide(call, &approval, APPROVAL_APPROVED);
	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_key(&call->w, "request");
	write_approval(&call->w, &approval);
	json_key(&call->w, "result");
	json_write_raw(&call->w, nested.result.bytes, nested.result.len);
	json_end_object(&call->w);
	return OK;
}

/* ---- reject ---- */

/* An admin rejects any, and whoever asked takes it back; others learn nothing, not even that there is one (P2). */
enum err handle_approval_reject(struct call *call)
{
	struct store_approval approval = {0};
	bool is_admin = (call->roles & ROLE_ADMIN) != 0;
	enum err err = load(call, &approval);

	if (err == ERR_NOT_FOUND && is_admin)
		return call_refuse(call, err, "no such request", "no such request; see coffer request list");
	if (err == ERR_NOT_FOUND || (err == OK && !is_admin && approval.uid != call->who->uid))
		return call_refuse(call, ERR_DENIED, "not an admin, and no request of this user", NULL);
	if (err == OK)
		err = results_find(call);
	if (err != OK || call->is_repeated)
		return err;
	approval_describe(call, &approval);
	err = check_pending(call, &approval);
	if (err == OK)
		err = decide(call, &approval, APPROVAL_REJECTED);
	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_key(&call->w, "request");
	write_approval(&call->w, &approval);
	json_end_object(&call->w);
	return OK;
}
