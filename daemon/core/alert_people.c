/*
 * People who left, people with a role whom a grant reaches, and requests that wait for a second person.
 */
#include "alert_look.h"

#include <string.h>

#include "people.h"

static const char *what_became(enum account account)
{
	return account == ACCOUNT_GONE ? "is no user of this host any more" : "is locked or has expired";
}

/* The name may be somebody else's by now. */
static bool is_another(struct people *people, const struct store_integration *integration)
{
	const char *owner = integration->text[FIELD_OWNER - INTEGRATION_TEXT_FIRST];
	uint32_t uid = 0;

	return owner != NULL && people_named(people, owner, &uid) && uid != integration->owner_uid;
}

void alerts_of_owner(struct alerts *alerts, const struct store_integration *integration)
{
	struct alert alert = alert_of(ALERT_OWNER_GONE, SEVERITY_WARNING, 0);
	enum account account = ACCOUNT_FINE;

	if (!integration->has_owner_uid || strcmp(integration->state, "retired") == 0)
		return;
	account = people_account(alerts->core->people, integration->owner_uid);
	if (account != ACCOUNT_FINE)
		alert_say(&alert, "its owner %s", what_became(account));
	else if (is_another(alerts->core->people, integration))
		alert_say(&alert, "the name of its owner is another user's by now");
	else
		return;
	alert_place(&alert, integration->name, NULL, 0);
	alert_advise(&alert, "coffer integration transfer %s", integration->name);
	alerts_add(alerts, &alert);
}

/* Whoever made a value may know it. */
void alerts_of_maker(struct alerts *alerts, const struct store_notable *version)
{
	struct alert alert = alert_of(ALERT_MAKER_GONE, SEVERITY_NOTICE, 0);
	enum account account = people_account(alerts->core->people, version->created_by);
	char name[USER_NAME_BYTES] = "";

	if (account == ACCOUNT_FINE)
		return;
	users_name(version->created_by, name);
	alert_place(&alert, version->integration, version->key, version->version);
	alert_say(&alert, "%s, who put the current version, %s", name, what_became(account));
	alert_advise(&alert, "coffer rotate %s %s", version->integration, version->key);
	alerts_add(alerts, &alert);
}

/* ---- grants ---- */

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	struct alerts *alerts = arg;
	struct core *core = alerts->core;
	struct alert alert = alert_of(ALERT_GRANT_TO_ROLE, SEVERITY_WARNING, grant->created_ms);
	unsigned roles = ROLE_ADMIN | ROLE_OPERATOR;

	if (grant->has_uid)
		roles &= people_roles_of_user(core->people, core->roles, grant->uid);
	if (grant->has_gid)
		roles &= people_roles_of_group(core->people, core->roles, grant->gid);
	if (roles == 0 || (!grant->has_uid && !grant->has_gid))
		return OK;
	alert_place(&alert, grant->integration, NULL, 0);
	alert.has_object = true;
	alert.object = grant->id;
	alert_say(&alert, "grant %llu reaches somebody who is %s", (unsigned long long)grant->id,
		(roles & ROLE_ADMIN) != 0 ? "admin" : "operator");
	alert_advise(
		&alert, "coffer grant remove %s %llu", grant->integration, (unsigned long long)grant->id);
	alerts_add(alerts, &alert);
	return OK;
}

enum err alerts_of_grants(struct alerts *alerts)
{
	return store_grant_each(alerts->core->store, on_grant, alerts);
}

/* ---- what waits for a second person ---- */

static enum err on_request(void *arg, const struct store_approval *request)
{
	struct alerts *alerts = arg;
	struct alert alert = alert_of(ALERT_REQUEST_PENDING, SEVERITY_NOTICE, request->requested_ms);
	unsigned long long id = request->id;
	char name[USER_NAME_BYTES] = "";

	if (request->expires_ms <= alerts->now_ms)
		return OK;
	users_name(request->uid, name);
	alert_place(&alert, request->integration, NULL, 0);
	alert.has_object = true;
	alert.object = request->id;
	alert_say(&alert, "%s, asked for by %s, waits for another admin: coffer request approve %llu",
		request->method, name, id);
	alert_advise(&alert, "coffer request list %s --state pending", request->integration);
	alerts_add(alerts, &alert);
	return OK;
}

enum err alerts_of_requests(struct alerts *alerts)
{
	struct store_approval_filter pending = {.has_state = true, .state = APPROVAL_PENDING};

	return store_approval_each(alerts->core->store, &pending, on_request, alerts);
}
