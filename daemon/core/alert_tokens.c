/*
 * Access tokens that end: each before it does, and an integration when its last one has and a grant of it asks for one.
 */
#include "alert_look.h"

#include <string.h>

struct looking {
	struct alerts *alerts;
	unsigned char id[STORE_ID_BYTES]; /* of the integration whose tokens are looked at */
	char name[INTEGRATION_NAME_BYTES_MAX + 1]; /* "": none yet */
	bool has_live;
	int64_t expired_ms; /* when the last of those that are not revoked has; 0: none has */
};

static void check_near(struct alerts *alerts, const struct store_token *token)
{
	enum severity severity = SEVERITY_NOTICE;
	int64_t since_ms = 0;
	int64_t days = 0;

	if (!alert_is_near(token->expires_ms, alerts->now_ms, &severity, &since_ms, &days))
		return;
	if (since_ms < token->created_ms)
		since_ms = token->created_ms;

	struct alert alert = alert_of(ALERT_TOKEN_EXPIRES, severity, since_ms);

	alert_place(&alert, token->integration, NULL, 0);
	alert.has_object = true;
	alert.object = token->id;
	alert_say(&alert, "token %llu expires within %lld day%s", (unsigned long long)token->id,
		(long long)days, days == 1 ? "" : "s");
	alert_advise(&alert, "coffer token list %s", token->integration);
	alerts_add(alerts, &alert);
}

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	bool *needs_one = arg;

	*needs_one = *needs_one || grant->needs_token;
	return OK;
}

/* All tokens of one integration have been seen. */
static enum err conclude(const struct looking *looking)
{
	bool needs_one = false;
	enum err err = OK;

	if (looking->has_live || looking->expired_ms == 0)
		return OK;
	err = store_grant_of(looking->alerts->core->store, looking->id, on_grant, &needs_one);
	if (err != OK || !needs_one)
		return err;

	struct alert alert = alert_of(ALERT_TOKEN_EXPIRED, SEVERITY_CRITICAL, looking->expired_ms);

	alert_place(&alert, looking->name, NULL, 0);
	alert_say(&alert, "its last token has expired, and a grant asks for one");
	alert_advise(&alert, "coffer token create %s NAME --user USER --description TEXT", looking->name);
	alerts_add(looking->alerts, &alert);
	return OK;
}

/* They come integration by integration. */
static enum err on_token(void *arg, const struct store_token *token)
{
	struct looking *looking = arg;
	int64_t now_ms = looking->alerts->now_ms;

	if (strcmp(looking->name, token->integration) != 0) {
		enum err err = conclude(looking);

		if (err != OK)
			return err;
		*looking = (struct looking){.alerts = looking->alerts};
		memcpy(looking->name, token->integration, strlen(token->integration) + 1);
		memcpy(looking->id, token->integration_id, sizeof(looking->id));
	}
	if (token->revoked_ms != 0)
		return OK;
	check_near(looking->alerts, token);
	if (token->expires_ms == 0 || token->expires_ms > now_ms)
		looking->has_live = true;
	else if (token->expires_ms > looking->expired_ms)
		looking->expired_ms = token->expires_ms;
	return OK;
}

enum err alerts_of_tokens(struct alerts *alerts)
{
	struct looking looking = {.alerts = alerts};
	enum err err = store_token_each(alerts->core->store, on_token, &looking);

	return err == OK ? conclude(&looking) : err;
}
