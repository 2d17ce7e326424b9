/*
 * grant.explain about a credential: what would happen if the service manager asked for it now.  It asks the very functions that
 * decide about a delivery, and gives nobody anything.
 */
#include "explain.h"

#include <stdio.h>
#include <string.h>

#include "env_fetch.h"
#include "managers.h"
#include "unit_credentials.h"

struct explaining {
	struct call *call;
	const struct integration *integration;
	char unit[UNIT_BYTES_MAX + 1];
	char name[CREDENTIAL_BYTES_MAX + 1];
	struct unit_credential found;
	bool is_here; /* it is a key of this integration */
	uint64_t version; /* of it, 0: there is no current one */
	int64_t expires_ms;
	enum err err; /* what the service manager would meet */
	char verdict[400];
};

/* ---- the grants ---- */

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	const struct explaining *explaining = arg;
	struct json_writer *w = &explaining->call->w;
	struct grant_rule rule = grants_rule(grant);
	const char *reason = NULL;
	bool matches = policy_delivers(&rule, grant->needs_token, explaining->unit, &reason);

	json_begin_object(w);
	json_put_integer(w, "id", (int64_t)grant->id);
	grants_write_rule(w, grant);

	enum err err = grants_write_credentials(explaining->call, grant->id);

	json_put_bool(w, "staged_only", grant->is_staged_only);
	json_key(w, "conditions");
	json_begin_array(w);
	json_begin_object(w);
	json_put_string(w, "condition", "unit");
	json_put_bool(w, "holds", matches);
	json_put_string(w, "reason", reason);
	json_end_object(w);
	json_end_array(w);
	json_put_bool(w, "matches", matches);
	json_end_object(w);
	return err;
}

/* ---- the verdict ---- */

static enum err on_version(void *arg, const struct store_version *version)
{
	struct explaining *explaining = arg;

	if (strcmp(version->key, explaining->found.key) != 0)
		return OK;
	explaining->version = version->version;
	explaining->expires_ms = version->expires_ms;
	return OK;
}

/* Asking is no refusal, so nothing of it stays in the call. */
static enum err check_open(struct call *call, const struct integration *integration)
{
	enum err err = env_check_open(call, integration);

	call->detail = NULL;
	call->record.detail[0] = '\0';
	return err;
}

static enum err judge_here(struct explaining *explaining)
{
	struct call *call = explaining->call;
	const char *key = explaining->found.key;
	char *text = explaining->verdict;
	size_t cap = sizeof(explaining->verdict);
	enum err err =
		store_version_current(call->core->store, explaining->integration->id, on_version, explaining);
	unsigned long long version = explaining->version;

	if (err != OK)
		return err;
	explaining->err = check_open(call, explaining->integration);
	if (explaining->err != OK) {
		snprintf(text, cap, "refused: the integration is %s", err_word(explaining->err));
	} else if (version == 0) {
		explaining->err = ERR_NOT_FOUND;
		snprintf(text, cap, "refused: %s has no current version", key);
	} else if (explaining->expires_ms != 0 && explaining->expires_ms <= call->now_ms) {
		explaining->err = ERR_EXPIRED;
		snprintf(text, cap, "refused: version %llu of %s has expired", version, key);
	} else {
		snprintf(text, cap, "version %llu of %s is delivered, by grant %llu", version, key,
			(unsigned long long)explaining->found.grant);
	}
	return OK;
}

/* A manager of one integration does not hear of others (P2). */
static void judge_elsewhere(struct explaining *explaining)
{
	const char *name = explaining->found.integration;
	bool may_see = managers_may_see_name(explaining->call, name);

	snprintf(explaining->verdict, sizeof(explaining->verdict), "it is a key of %s",
		may_see ? name : "another integration");
}

static void judge_refused(struct explaining *explaining, const char *reason)
{
	const struct unit_credential *found = &explaining->found;
	bool may_see = explaining->err == ERR_CONFLICT &&
		       managers_may_see_name(explaining->call, found->integration) &&
		       managers_may_see_name(explaining->call, found->other);

	snprintf(explaining->verdict, sizeof(explaining->verdict), "refused: %s%s%s%s%s", reason,
		may_see ? ": " : "", may_see ? found->integration : "", may_see ? " and " : "",
		may_see ? found->other : "");
}

static enum err judge(struct explaining *explaining)
{
	const char *reason = NULL;

	explaining->err = unit_credentials_find(
		explaining->call->core, explaining->unit, explaining->name, &explaining->found, &reason);
	if (explaining->err == ERR_STORAGE || explaining->err == ERR_STORAGE_FULL)
		return explaining->err;
	explaining->is_here = explaining->err == OK &&
			      strcmp(explaining->found.integration, explaining->integration->name) == 0;
	if (explaining->is_here)
		return judge_here(explaining);
	if (explaining->err == OK)
		judge_elsewhere(explaining);
	else
		judge_refused(explaining, reason);
	return OK;
}

static void write_verdict(const struct explaining *explaining)
{
	struct json_writer *w = &explaining->call->w;
	bool is_here = explaining->is_here;

	json_key(w, "grant");
	if (is_here)
		json_write_integer(w, (int64_t)explaining->found.grant);
	else
		json_write_null(w);
	json_put_string(w, "key", is_here ? explaining->found.key : NULL);
	json_put_string(w, "blocked", explaining->err == OK ? NULL : err_word(explaining->err));
	json_put_bool(w, "delivers", is_here && explaining->err == OK);
	json_put_string(w, "verdict", explaining->verdict);
}

/* ---- the question ---- */

static enum err read_question(struct explaining *explaining)
{
	struct call *call = explaining->call;
	const struct request *request = call->request;

	request_text(request, FIELD_CREDENTIAL, explaining->name, sizeof(explaining->name));
	if (!request_text(request, FIELD_UNIT, explaining->unit, sizeof(explaining->unit)) ||
		request_has(request, FIELD_USER) || request_flag(request, FIELD_STAGED))
		return call_refuse(call, ERR_BAD_VALUE, "a credential of no unit",
			"credential is of a unit: it goes with unit, and neither with user nor with staged");
	if (!text_is_unit_name(explaining->unit, strlen(explaining->unit)))
		return call_refuse(call, ERR_BAD_VALUE, "not the name of a unit",
			"unit is the name of one system unit, as in etl.service");
	return OK;
}

enum err explain_credential(struct call *call, const struct integration *integration)
{
	struct explaining explaining = {.call = call, .integration = integration};
	enum err err = read_question(&explaining);

	if (err == OK)
		err = judge(&explaining);
	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_put_string(&call->w, "integration", integration->name);
	json_put_string(&call->w, "state", integration->state);
	json_put_string(&call->w, "unit", explaining.unit);
	json_put_string(&call->w, "credential", explaining.name);
	json_key(&call->w, "grants");
	json_begin_array(&call->w);
	err = store_grant_of(call->core->store, integration->id, on_grant, &explaining);
	json_end_array(&call->w);
	write_verdict(&explaining);
	json_end_object(&call->w);
	return err;
}
