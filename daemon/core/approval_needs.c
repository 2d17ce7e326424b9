/*
 * Which requests need a second person: for integrations in production what the configuration lists, and always what would
 * take one out of these rules or give its values to the very person that asks; and another grant where grants are locked (P2).
 */
#include "approvals.h"
#include "self.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "users.h"

enum { CONDITION_BYTES = FIELD_RULE_BYTES_MAX + 1 };

/* By the connection's groups, or by those that a new login would have. */
static bool is_member(const struct principal *who, gid_t gid)
{
	struct principal listed = {.uid = who->uid, .gid = (gid_t)-1, .pidfd = -1};
	bool is_one = peer_has_group(who, gid);

	if (!is_one && users_groups(who->uid, &listed.groups, &listed.group_count) == OK)
		is_one = peer_has_group(&listed, gid);
	peer_clear(&listed);
	return is_one;
}

/*
 * A rule whose user and group the caller meets: which unit it asks for, or that it asks for a token, keeps nobody out.  With
 * neither it is the unit's: an admin's login, job or script may be in one, so it counts as theirs.  Not as root's, who makes
 * the units, and could become the user of a grant that needs nobody: a second person would keep nothing from it.
 */
static bool grants_to_itself(struct call *call, const struct approval_object *object)
{
	const struct request *request = call->request;
	char name[CONDITION_BYTES] = "";
	uid_t uid = 0;
	gid_t gid = 0;
	bool has_user = request_member(request, FIELD_RULE, "user", name, sizeof(name));

	(void)object;
	if (has_user && (users_uid(name, &uid) != OK || uid != call->who->uid))
		return false;
	if (request_member(request, FIELD_RULE, "group", name, sizeof(name)))
		return users_gid(name, &gid) == OK && is_member(call->who, gid);
	return has_user || call->who->uid != 0;
}

static bool leaves_production(struct call *call, const struct approval_object *object)
{
	char environment[16] = "";

	return object->is_production &&
	       request_text(call->request, FIELD_ENVIRONMENT, environment, sizeof(environment)) &&
	       strcmp(environment, "production") != 0;
}

static const struct rule {
	enum request_kind kind;
	bool (*is_always)(struct call *call, const struct approval_object *object); /* NULL: never */
	bool is_when_locked; /* whatever its environment, for an integration whose grants are locked */
} rules[] = {
	{REQUEST_GRANT_ADD, grants_to_itself, true},
	{REQUEST_TOKEN_CREATE, NULL, true},
	{REQUEST_GRANT_REMOVE, NULL, false},
	{REQUEST_SECRET_REVOKE, NULL, false},
	{REQUEST_SECRET_PROMOTE, NULL, false},
	{REQUEST_INTEGRATION_EDIT, leaves_production, false},
	{REQUEST_INTEGRATION_RETIRE, NULL, false},
};

static const struct rule *find_rule(enum request_kind kind)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].kind == kind)
			return &rules[i];
	return NULL;
}

/* Whoever runs the daemon for themselves has its store and its keys: nobody else could keep anything from them. */
static bool owns_the_vault(const struct principal *who)
{
	return self_uid() != 0 && who->uid == self_uid();
}

static bool is_needed(struct call *call, const struct rule *rule, const struct approval_object *object)
{
	if (rule->is_when_locked && object->is_locked)
		return true;
	if (!object->is_production)
		return false;
	if (call->core->rules->needs_approval[rule->kind])
		return true;
	return rule->is_always != NULL && !owns_the_vault(call->who) && rule->is_always(call, object);
}

/* All fields but request_id, in the order of the table, as they came. */
static const char *canonical_params(struct call *call)
{
	BUF_AUTO text = {0};
	struct json_writer w = json_writer(&text);
	const struct request *request = call->request;

	json_begin_object(&w);
	for (size_t i = 0; i < call->info->field_count; i++) {
		enum field field = call->info->fields[i].field;
		const struct json_token *token = request->field[field];
		size_t quotes = token != NULL && token->type == JSON_STRING;

		if (token == NULL || field == FIELD_REQUEST_ID)
			continue;
		json_key(&w, field_info(field)->wire);
		json_write_raw(&w, json_raw(&request->doc, token) - quotes, token->len + 2 * quotes);
	}
	json_end_object(&w);
	buf_append_byte(&text, '\0');
	return buf_failed(&text) ? NULL : call_copy(call, text.bytes);
}

struct repeating {
	struct call *call;
	const char *params;
};

/* The answer that this request_id got before.  One that was approved has a result, as long as results are kept. */
static enum err on_repeated(void *arg, const struct store_approval *approval)
{
	struct repeating *repeating = arg;
	struct call *call = repeating->call;
	unsigned long long id = approval->id;

	if (strcmp(approval->params, repeating->params) != 0)
		return call_refuse(call, ERR_CONFLICT, "request_id reused with other content",
			"this request_id was used for another request");
	if (approval->state == APPROVAL_PENDING)
		return OK;
	snprintf(call->detail_store, sizeof(call->detail_store),
		"request %llu %s; to ask again, use another request_id", id,
		approval->state == APPROVAL_REJECTED  ? "was rejected"
		: approval->state == APPROVAL_EXPIRED ? "has expired"
						      : "was approved and done");
	if (approval->state == APPROVAL_REJECTED)
		return call_refuse(call, ERR_DENIED, "it was rejected", call->detail_store);
	if (approval->state == APPROVAL_EXPIRED)
		return call_refuse(call, ERR_EXPIRED, "nobody approved it in time", call->detail_store);
	return call_refuse(call, ERR_CONFLICT, "it was approved and done", call->detail_store);
}

static enum err check_repeated(struct call *call, const char *params)
{
	struct repeating repeating = {call, params};
	struct store_approval like = {.uid = call->who->uid, .method = call->info->method};
	char request_id[33] = "";

	if (call->is_nested || !request_text(call->request, FIELD_REQUEST_ID, request_id, sizeof(request_id)))
		return OK;
	like.request_id = request_id;

	enum err err = store_approval_repeated(call->core->store, &like, on_repeated, &repeating);

	return err == ERR_NOT_FOUND ? OK : err;
}

/* What was approved is shown to whoever asked for it alone, so it waits until they ask again (P1). */
static enum err on_usable(void *arg, const struct store_approval *approval)
{
	struct call *call = arg;
	struct approved *approved = arena_alloc(&call->core->arena, sizeof(*approved));

	if (approved == NULL)
		return ERR_INTERNAL;
	*approved = (struct approved){.request = approval->id,
		.by = approval->decided_by,
		.subject = call_copy(call, approval->subject)};
	call->approved = approved;
	return approved->subject != NULL ? OK : ERR_INTERNAL;
}

static enum err find_usable(struct call *call, const char *params)
{
	struct store_approval like = {.uid = call->who->uid, .method = call->info->method, .params = params};
	enum err err = OK;

	if (call->is_nested || call->request->kind != REQUEST_TOKEN_CREATE)
		return OK;
	err = store_approval_usable(call->core->store, &like, call->now_ms, on_usable, call);
	return err == ERR_NOT_FOUND ? OK : err;
}

enum err approvals_begin(struct call *call)
{
	const struct rule *rule = find_rule(call->request->kind);

	if (rule == NULL || call->approved != NULL)
		return OK;

	struct approval_draft *draft = arena_alloc(&call->core->arena, sizeof(*draft));
	const char *params = canonical_params(call);

	if (draft == NULL || params == NULL)
		return ERR_INTERNAL;
	*draft = (struct approval_draft){.params = params};

	enum err err = find_usable(call, params);

	if (err != OK || call->approved != NULL)
		return err;
	err = check_repeated(call, params);

	if (err == OK)
		err = approval_object_read(call, &draft->object);
	if (err == ERR_NOT_FOUND)
		return OK; /* the handler says so */
	if (err != OK)
		return err;
	draft->is_needed = is_needed(call, rule, &draft->object);
	call->draft = draft;
	return OK;
}

enum err approvals_end(struct call *call)
{
	const struct approval_draft *draft = call->draft;

	if (draft == NULL)
		return OK;
	if (draft->is_needed ||
		(call->has_new_managers && draft->object.is_production && !owns_the_vault(call->who)))
		return approvals_demand(call);
	call->draft = NULL;
	return OK;
}

/* A number is never used again, so that revoking or removing what is there makes no first version either. */
enum err approvals_check_put(struct call *call, const struct integration *integration, uint64_t version)
{
	if (version == 1 || !integration->is_production ||
		!call->core->rules->needs_approval[REQUEST_SECRET_PROMOTE])
		return OK;
	return call_refuse(call, ERR_APPROVAL_REQUIRED, "it would be current without a second person",
		"stage it (--stage); making it current is for a second person");
}
