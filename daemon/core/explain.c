/*
 * grant.explain: which grant would let somebody in, and of the others which condition does not hold.  It asks the very
 * functions that decide, about a principal of whom only the numbers are known; it gives nobody anything.
 */
#include "explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env_fetch.h"
#include "users.h"

struct explaining {
	struct call *call;
	struct principal who; /* of whom it is asked; groups is a copy, to be freed */
	enum grant_use use;
	uint64_t match; /* the first grant that would do; 0: none */
	size_t count;
};

static void free_explaining(struct explaining *explaining)
{
	free(explaining->who.groups);
}

/* ---- of whom ---- */

static enum err copy_groups(const struct principal *from, struct principal *out)
{
	out->groups = calloc(from->group_count + 1, sizeof(*out->groups));
	if (out->groups == NULL)
		return ERR_INTERNAL;
	if (from->group_count > 0)
		memcpy(out->groups, from->groups, from->group_count * sizeof(*out->groups));
	out->group_count = from->group_count;
	return OK;
}

/* A number without an account has no groups either. */
static enum err take_user(struct explaining *explaining, const char *name)
{
	struct principal *who = &explaining->who;

	if (users_uid(name, &who->uid) != OK)
		return call_refuse(explaining->call, ERR_NOT_FOUND, "no such user",
			"no such user on this host; a number will do as well");
	who->gid = (gid_t)-1;

	enum err err = users_groups(who->uid, &who->groups, &who->group_count);

	if (err == OK && who->group_count > 0)
		who->gid = who->groups[0];
	return err == ERR_NOT_FOUND ? OK : err;
}

static enum err take_unit(struct explaining *explaining)
{
	struct principal *who = &explaining->who;

	if (!request_text(explaining->call->request, FIELD_UNIT, who->unit, sizeof(who->unit)) ||
		!text_is_unit_name(who->unit, strlen(who->unit)))
		return call_refuse(explaining->call, ERR_BAD_VALUE, "not the name of a unit",
			"unit is the name of one system unit, as in etl.service");
	return OK;
}

/* Without a user it is the caller, where and as whom it is. */
static enum err take_principal(struct explaining *explaining)
{
	const struct principal *caller = explaining->call->who;
	struct principal *who = &explaining->who;
	char name[256] = "";
	bool is_other = request_text(explaining->call->request, FIELD_USER, name, sizeof(name));
	enum err err = OK;

	*who = (struct principal){.uid = caller->uid, .gid = caller->gid, .pidfd = -1};
	who->unit_reason = "no unit was asked about";
	if (is_other)
		err = take_user(explaining, name);
	else
		err = copy_groups(caller, who);
	if (err == OK && !is_other) {
		memcpy(who->unit, caller->unit, sizeof(who->unit));
		who->unit_reason = caller->unit_reason;
	}
	return err == OK && request_has(explaining->call->request, FIELD_UNIT) ? take_unit(explaining) : err;
}

/* ---- the grants ---- */

struct token_search {
	const struct explaining *explaining;
	const char *reason;
	bool is_found;
};

static enum err on_token(void *arg, const struct store_token *token)
{
	struct token_search *search = arg;
	struct token_facts facts = token_facts(token);
	const char *reason = NULL;

	if (policy_token_is_usable(
		    &facts, &search->explaining->who, search->explaining->call->now_ms, &reason))
		search->is_found = true;
	else if (facts.uid == search->explaining->who.uid)
		search->reason = reason; /* says more than that there are tokens of others */
	return OK;
}

/* Whether a connection will show its token cannot be known; whether there is one that it could show, can. */
static enum err check_token(
	const struct explaining *explaining, const struct store_grant *grant, const char **reason_out)
{
	struct token_search search = {.explaining = explaining, .reason = "the user has no token of it"};
	enum err err =
		store_token_of(explaining->call->core->store, grant->integration_id, on_token, &search);

	*reason_out = search.is_found ? NULL : search.reason;
	return err;
}

static void write_condition(struct json_writer *w, const char *condition, const char *reason)
{
	json_begin_object(w);
	json_put_string(w, "condition", condition);
	json_put_bool(w, "holds", reason == NULL);
	json_put_string(w, "reason", reason);
	json_end_object(w);
}

static enum err write_conditions(
	struct explaining *explaining, const struct store_grant *grant, bool *matches_out)
{
	struct json_writer *w = &explaining->call->w;
	struct condition_answer answers[CONDITIONS_MAX];
	struct grant_rule rule = grants_rule(grant);
	const char *reason = NULL;
	size_t count = policy_grant_conditions(&rule, explaining->use, &explaining->who, answers);
	enum err err = OK;

	*matches_out = policy_grant_matches(&rule, explaining->use, &explaining->who, &reason);
	json_key(w, "conditions");
	json_begin_array(w);
	for (size_t i = 0; i < count; i++)
		write_condition(w, answers[i].condition, answers[i].reason);
	if (grant->needs_token) {
		err = check_token(explaining, grant, &reason);
		*matches_out = *matches_out && reason == NULL;
		write_condition(w, "token", reason);
	}
	json_end_array(w);
	return err;
}

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	struct explaining *explaining = arg;
	struct json_writer *w = &explaining->call->w;
	bool matches = false;

	json_begin_object(w);
	json_put_integer(w, "id", (int64_t)grant->id);
	grants_write_rule(w, grant);
	json_put_bool(w, "staged_only", grant->is_staged_only);

	enum err err = write_conditions(explaining, grant, &matches);

	json_put_bool(w, "matches", matches);
	json_end_object(w);
	explaining->count++;
	if (matches && explaining->match == 0)
		explaining->match = grant->id;
	return err;
}

/* ---- the answer ---- */

static void write_who(const struct explaining *explaining)
{
	struct json_writer *w = &explaining->call->w;
	const struct principal *who = &explaining->who;
	char name[USER_NAME_BYTES] = "";

	users_name(who->uid, name);
	json_put_string(w, "user", name);
	json_put_integer(w, "uid", who->uid);
	json_key(w, "groups");
	json_begin_array(w);
	if (who->gid != (gid_t)-1)
		json_write_integer(w, who->gid);
	for (size_t i = 0; i < who->group_count; i++)
		if (who->groups[i] != who->gid)
			json_write_integer(w, who->groups[i]);
	json_end_array(w);
	json_put_string(w, "unit", who->unit[0] != '\0' ? who->unit : NULL);
	if (who->unit[0] == '\0')
		json_put_string(w, "unit_reason", who->unit_reason);
	json_put_bool(w, "staged", explaining->use == GRANT_STAGED);
}

/* What a fetch would meet behind the grants; asking is no refusal, so nothing of it stays in the call. */
static const char *blocked_by(struct call *call, const struct integration *integration)
{
	enum err err = env_check_open(call, integration);

	call->detail = NULL;
	call->record.detail[0] = '\0';
	return err == OK ? NULL : err_word(err);
}

static void write_verdict(const struct explaining *explaining, const char *blocked)
{
	struct json_writer *w = &explaining->call->w;
	char text[128] = "no grant matches";
	unsigned long long match = explaining->match;

	if (explaining->count == 0)
		snprintf(text, sizeof(text), "the integration has no grant");
	else if (match != 0 && blocked == NULL)
		snprintf(text, sizeof(text), "grant %llu matches", match);
	else if (match != 0)
		snprintf(text, sizeof(text), "grant %llu matches, but the integration is %s", match, blocked);
	json_key(w, "grant");
	if (match != 0)
		json_write_integer(w, (int64_t)match);
	else
		json_write_null(w);
	json_put_string(w, "blocked", blocked);
	json_put_string(w, "verdict", text);
}

enum err handle_grant_explain(struct call *call)
{
	__attribute__((cleanup(free_explaining))) struct explaining explaining = {.call = call,
		.use = request_flag(call->request, FIELD_STAGED) ? GRANT_STAGED : GRANT_CURRENT};
	struct integration integration = {0};
	enum err err = integration_find(call, FIELD_INTEGRATION, &integration);

	if (err == OK && request_has(call->request, FIELD_CREDENTIAL))
		return explain_credential(call, &integration);
	if (err == OK)
		err = take_principal(&explaining);
	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_put_string(&call->w, "integration", integration.name);
	json_put_string(&call->w, "state", integration.state);
	write_who(&explaining);
	json_key(&call->w, "grants");
	json_begin_array(&call->w);
	err = store_grant_of(call->core->store, integration.id, on_grant, &explaining);
	json_end_array(&call->w);
	write_verdict(&explaining, blocked_by(call, &integration));
	json_end_object(&call->w);
	return err;
}
