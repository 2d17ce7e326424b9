/*
 * env.fetch: the one request that brings values out, and only to a caller whom a grant of that integration
 * matches, whatever roles it has (P2, P3).  Opening and writing the values is env_values.c's.
 */
#include "env_fetch.h"

#include <stdio.h>
#include <string.h>

struct matching {
	struct call *call;
	enum grant_use use;
	bool has_match;
	bool has_full; /* a grant that is not a tester's */
	bool has_plain; /* one that asks for no token */
	bool has_plain_full; /* both in one */
	bool has_several;
	char name[INTEGRATION_NAME_BYTES_MAX + 1]; /* of the first match */
	const char *reason; /* why the last grant did not match */
};

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	struct matching *matching = arg;

	if (!grants_match(matching->call->core, grant, matching->use, matching->call->who, &matching->reason))
		return OK;
	if (matching->has_match && strcmp(matching->name, grant->integration) != 0)
		matching->has_several = true;
	if (!matching->has_match)
		snprintf(matching->name, sizeof(matching->name), "%s", grant->integration);
	matching->has_match = true;
	matching->has_full = matching->has_full || !grant->is_staged_only;
	matching->has_plain = matching->has_plain || !grant->needs_token;
	matching->has_plain_full =
		matching->has_plain_full || (!grant->needs_token && !grant->is_staged_only);
	return OK;
}

/* An absent integration and a forbidden one give the same answer to the byte (P2); the audit record tells them apart. */
static enum err find_named(struct matching *matching, struct integration *out)
{
	struct call *call = matching->call;
	char name[INTEGRATION_NAME_BYTES_MAX + 1] = "";

	request_text(call->request, FIELD_INTEGRATION, name, sizeof(name));

	enum err err = integration_load(call, name, out);

	if (err == ERR_NOT_FOUND)
		return call_refuse(call, ERR_DENIED, "no such integration", NULL);
	if (err == OK)
		err = store_grant_of(call->core->store, out->id, on_grant, matching);
	if (err == OK && !matching->has_match)
		return call_refuse(call, ERR_DENIED,
			matching->reason != NULL ? matching->reason : "the integration has no grant", NULL);
	return err;
}

static enum err find_only(struct matching *matching, struct integration *out)
{
	struct call *call = matching->call;
	enum err err = store_grant_for_uid(call->core->store, call->who->uid, on_grant, matching);

	if (err != OK)
		return err;
	if (!matching->has_match)
		return call_refuse(call, ERR_DENIED, "no grant matches this caller", NULL);
	if (matching->has_several)
		return call_refuse(call, ERR_CONFLICT, "several integrations are granted",
			"several integrations are granted to you; name one");
	return integration_load(call, matching->name, out);
}

enum err env_find(struct call *call, enum grant_use use, struct integration *out, struct env_right *right_out)
{
	struct matching matching = {.call = call, .use = use};
	bool is_named = request_has(call->request, FIELD_INTEGRATION);
	enum err err = is_named ? find_named(&matching, out) : find_only(&matching, out);

	right_out->is_tester = !matching.has_full;
	right_out->is_by_token = matching.has_full ? !matching.has_plain_full : !matching.has_plain;
	return err;
}

/* What an integration must be for its values to go out, or for a watcher to hear of them. */
enum err env_check_open(struct call *call, const struct integration *integration)
{
	if (strcmp(integration->state, "suspended") == 0)
		return call_refuse(call, ERR_SUSPENDED, "the integration is suspended", NULL);
	if (strcmp(integration->state, "retired") == 0)
		return call_refuse(call, ERR_RETIRED, "the integration is retired", NULL);
	if (integration->expires_ms != 0 && integration->expires_ms <= call->now_ms)
		return call_refuse(
			call, ERR_EXPIRED, "the integration has expired", "the integration has expired");
	return OK;
}

enum err env_check_rate(struct call *call, const struct integration *integration)
{
	int64_t per_minute = integration->rate_limit > 0 ? integration->rate_limit
							 : call->core->limits->fetches_per_minute;

	if (!rates_count(call->core->rates, integration->id, per_minute, call->now_ms, &call->retry_after_ms))
		return call_refuse(call, ERR_RATE_LIMITED, "rate limit of the integration",
			"too many fetches of this integration in a minute");
	return OK;
}

/* Behind all else, so that the record of a refusal keeps its reason. */
static enum err note_token(struct call *call)
{
	char *detail = call->record.detail;
	size_t len = strlen(detail);
	unsigned long long id = call->who->token_id;

	snprintf(detail + len, sizeof(call->record.detail) - len, "%stoken=%llu", len > 0 ? " " : "", id);
	return store_token_used(call->core->store, id, call->now_ms);
}

enum err handle_env_fetch(struct call *call)
{
	struct integration integration = {0};
	bool is_staged = request_flag(call->request, FIELD_STAGED);
	struct env_right right = {0};
	enum err err = env_find(call, is_staged ? GRANT_STAGED : GRANT_CURRENT, &integration, &right);

	if (err == OK)
		err = env_check_open(call, &integration);
	if (err == OK)
		err = env_check_rate(call, &integration);
	if (err != OK)
		return err;
	err = env_values_deliver(call, &integration,
		!is_staged        ? ENV_CURRENT
		: right.is_tester ? ENV_STAGED_ALONE
				  : ENV_STAGED_FIRST);
	return err == OK && right.is_by_token ? note_token(call) : err;
}
