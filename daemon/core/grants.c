/*
 * Grants: who may fetch an integration's environment.  Users and groups are resolved to numbers when the
 * grant is made; at a fetch only the kernel's numbers count.
 */
#include "handler.h"

#include <stdio.h>
#include <string.h>

#include "managers.h"
#include "secret_rows.h"
#include "users.h"
#include "watches.h"

enum { GRANTS_PER_INTEGRATION = 64, OVERFLOW_ID = 65534, CONDITION_BYTES = 256 };

struct grant_rule grants_rule(const struct store_grant *grant)
{
	return (struct grant_rule){.has_uid = grant->has_uid,
		.uid = grant->uid,
		.has_gid = grant->has_gid,
		.gid = grant->gid,
		.unit = grant->unit,
		.is_staged_only = grant->is_staged_only};
}

bool grants_match(struct core *core, const struct store_grant *grant, enum grant_use use,
	const struct principal *who, const char **reason_out)
{
	struct grant_rule rule = grants_rule(grant);

	/* P2: a token is asked for last, so that nobody else's request ever touches its row. */
	return policy_grant_matches(&rule, use, who, reason_out) &&
	       (!grant->needs_token || tokens_allow(core, grant->integration_id, who, reason_out));
}

/* ---- writing ---- */

void grants_write_rule(struct json_writer *w, const struct store_grant *grant)
{
	json_key(w, "rule");
	json_begin_object(w);
	if (grant->has_uid) {
		json_put_string(w, "user", grant->user);
		json_put_integer(w, "uid", grant->uid);
	}
	if (grant->has_gid) {
		json_put_string(w, "group", grant->group);
		json_put_integer(w, "gid", grant->gid);
	}
	if (grant->unit != NULL)
		json_put_string(w, "unit", grant->unit);
	if (grant->needs_token)
		json_put_bool(w, "token", true);
	json_end_object(w);
}

static enum err write_grant(struct call *call, const struct store_grant *grant)
{
	struct json_writer *w = &call->w;
	char name[USER_NAME_BYTES] = "";

	json_begin_object(w);
	json_put_integer(w, "id", (int64_t)grant->id);
	json_put_string(w, "integration", grant->integration);
	grants_write_rule(w, grant);

	enum err err = grants_write_credentials(call, grant->id);

	json_put_bool(w, "staged_only", grant->is_staged_only);
	json_put_time(w, "created_at", grant->created_ms);
	users_name(grant->created_by, name);
	json_put_string(w, "created_by", name);
	json_end_object(w);
	return err;
}

static enum err on_written(void *arg, const struct store_grant *grant)
{
	return write_grant(arg, grant);
}

enum err grants_write(struct call *call, const unsigned char integration_id[STORE_ID_BYTES])
{
	json_key(&call->w, "grants");
	json_begin_array(&call->w);

	enum err err = store_grant_of(call->core->store, integration_id, on_written, call);

	json_end_array(&call->w);
	return err;
}

static enum err on_listed(void *arg, const struct store_grant *grant)
{
	struct call *call = arg;

	return managers_may_see(call, grant->integration_id) ? write_grant(call, grant) : OK;
}

enum err handle_grant_list(struct call *call)
{
	struct integration integration = {0};
	enum err err = OK;

	json_begin_object(&call->w);
	if (request_has(call->request, FIELD_INTEGRATION)) {
		err = integration_find(call, FIELD_INTEGRATION, &integration);
		if (err == OK)
			err = grants_write(call, integration.id);
	} else {
		json_key(&call->w, "grants");
		json_begin_array(&call->w);
		err = store_grant_each(call->core->store, on_listed, call);
		json_end_array(&call->w);
	}
	json_end_object(&call->w);
	return err;
}

/* ---- changing ---- */

/* One condition of the rule, copied into the request's arena; NULL when it is not there. */
static const char *condition(struct call *call, const char *name)
{
	const struct json_doc *doc = &call->request->doc;
	const struct json_token *token = json_member(doc, call->request->field[FIELD_RULE], name);
	char text[CONDITION_BYTES] = "";
	size_t len = 0;

	if (token == NULL || json_text(doc, token, text, sizeof(text), &len) != OK)
		return NULL;
	return call_copy(call, text);
}

static enum err take_user(struct call *call, struct store_grant *grant)
{
	grant->user = condition(call, "user");
	if (grant->user == NULL)
		return OK;
	grant->has_uid = true;
	if (users_uid(grant->user, &grant->uid) != OK)
		return call_refuse(call, ERR_BAD_VALUE, "no such user", "no such user on this host");
	if (grant->uid == OVERFLOW_ID || grant->uid == (uint32_t)-1)
		return call_refuse(call, ERR_BAD_VALUE, "the overflow user",
			"this user stands for nobody in particular and is never granted anything");
	call_subject(call, "uid=%u", grant->uid);
	return OK;
}

static enum err take_group(struct call *call, struct store_grant *grant)
{
	grant->group = condition(call, "group");
	if (grant->group == NULL)
		return OK;
	grant->has_gid = true;
	if (users_gid(grant->group, &grant->gid) != OK)
		return call_refuse(call, ERR_BAD_VALUE, "no such group", "no such group on this host");
	if (grant->gid == OVERFLOW_ID || grant->gid == (uint32_t)-1)
		return call_refuse(call, ERR_BAD_VALUE, "the overflow group",
			"this group stands for nobody in particular and is never granted anything");
	call_subject(call, "gid=%u", grant->gid);
	return OK;
}

static enum err take_token(struct call *call, struct store_grant *grant)
{
	grant->needs_token =
		json_member(&call->request->doc, call->request->field[FIELD_RULE], "token") != NULL;
	if (!grant->needs_token)
		return OK;
	if (!grant->has_uid && !grant->has_gid && grant->unit == NULL)
		return call_refuse(call, ERR_BAD_VALUE, "a token alone",
			"a token is never enough by itself: the rule needs a user, a group or a unit, too");
	call_subject(call, "token=true");
	return OK;
}

struct comparing {
	const struct store_grant *grant;
	size_t count;
	bool is_there;
};

static bool texts_equal(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static enum err on_compared(void *arg, const struct store_grant *other)
{
	struct comparing *comparing = arg;
	const struct store_grant *grant = comparing->grant;

	comparing->count++;
	if (grant->has_uid == other->has_uid && grant->uid == other->uid &&
		grant->has_gid == other->has_gid && grant->gid == other->gid &&
		texts_equal(grant->unit, other->unit) && grant->is_staged_only == other->is_staged_only &&
		grant->needs_token == other->needs_token)
		comparing->is_there = true;
	return OK;
}

static enum err check_new(struct call *call, const struct store_grant *grant)
{
	struct comparing comparing = {.grant = grant};
	enum err err = store_grant_of(call->core->store, grant->integration_id, on_compared, &comparing);

	/* With credentials it says more than the one that is there. */
	if (err == OK && comparing.is_there && request_first(call->request, FIELD_CREDENTIALS) == NULL)
		return call_refuse(
			call, ERR_CONFLICT, "the same grant exists", "the same grant exists already");
	if (err == OK && comparing.count >= GRANTS_PER_INTEGRATION)
		return call_refuse(call, ERR_TOO_LARGE, "limit of grants",
			"an integration has at most 64 grants; grant a group instead");
	return err;
}

/* Where grants are locked, nobody new gets what is there: another grant begins with other values. */
static enum err check_lock(
	struct call *call, struct integration *integration, const struct store_grant *grant)
{
	bool destroys = request_flag(call->request, FIELD_DESTROY_VALUES);

	if (!integration->is_grants_locked && destroys)
		return call_refuse(call, ERR_BAD_VALUE, "destroy_values without locked grants",
			"destroy_values is for an integration whose grants are locked");
	if (!integration->is_grants_locked)
		return OK;
	if (grant->has_gid)
		return call_refuse(call, ERR_BAD_VALUE, "a group where grants are locked",
			"its grants are locked: a group can grow, grant it to users");
	if (!destroys)
		return call_refuse(call, ERR_BAD_VALUE, "grants are locked",
			"its grants are locked: another one destroys all its values, which destroy_values "
			"accepts");
	return secrets_destroy(call, integration);
}

enum err handle_grant_add(struct call *call)
{
	struct store_grant grant = {.created_ms = call->now_ms,
		.created_by = call->who->uid,
		.is_staged_only = request_flag(call->request, FIELD_STAGED_ONLY)};
	struct integration integration = {0};
	enum err err = integration_find(call, FIELD_INTEGRATION, &integration);

	if (err == OK && strcmp(integration.state, "retired") == 0)
		err = call_refuse(call, ERR_RETIRED, "the integration is retired", NULL);
	if (err == OK)
		err = take_user(call, &grant);
	if (err == OK)
		err = take_group(call, &grant);
	if (err != OK)
		return err;
	grant.unit = condition(call, "unit");
	if (grant.unit != NULL)
		call_subject(call, "unit=%s", grant.unit);
	err = take_token(call, &grant);
	if (err != OK)
		return err;
	if (grant.is_staged_only)
		call_subject(call, "staged_only");
	grant.integration = integration.name;
	memcpy(grant.integration_id, integration.id, sizeof(grant.integration_id));
	err = grants_check_credentials(call, &grant);
	if (err == OK)
		err = check_new(call, &grant);
	if (err == OK)
		err = check_lock(call, &integration, &grant);
	if (err == OK)
		err = store_grant_insert(call->core->store, &grant);
	if (err == OK)
		err = grants_store_credentials(call, &grant);
	if (err != OK)
		return err;
	call->record.object = grant.id;
	json_begin_object(&call->w);
	json_key(&call->w, "grant");
	err = write_grant(call, &grant);
	json_end_object(&call->w);
	return err;
}

enum err handle_grant_remove(struct call *call)
{
	struct integration integration = {0};
	uint64_t id = (uint64_t)request_count(call->request, FIELD_ID, 0);
	enum err err = integration_find(call, FIELD_INTEGRATION, &integration);

	if (err != OK)
		return err;
	call->record.object = id;
	err = store_grant_remove(call->core->store, integration.id, id);
	if (err == ERR_NOT_FOUND)
		return call_refuse(call, err, "no such grant of this integration",
			"this integration has no grant of this number; see coffer grant list");
	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_put_integer(&call->w, "removed", (int64_t)id);
	json_end_object(&call->w);
	return watches_recheck(call, integration.id);
}
