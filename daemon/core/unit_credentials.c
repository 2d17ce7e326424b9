/*
 * From a unit and a credential's name to an integration and a key.  The name is the key, and the grants of the unit alone
 * name the integrations; more than one that has it is nobody's to choose from: a unit must not get another value because
 * somebody added a key somewhere (P2).
 */
#include "unit_credentials.h"

#include <stdio.h>
#include <string.h>

struct finding {
	struct core *core;
	const char *unit;
	const char *name;
	struct unit_credential *out;
	bool has_grant; /* one that delivers to the unit */
	bool has_key;
	bool has_other;
};

static enum err on_secret(void *arg, const struct store_secret *secret)
{
	(void)arg;
	(void)secret;
	return OK;
}

static enum err take(struct finding *finding, const struct store_grant *grant)
{
	struct unit_credential *out = finding->out;

	if (finding->has_key) {
		finding->has_other = true;
		snprintf(out->other, sizeof(out->other), "%s", grant->integration);
		return OK;
	}
	finding->has_key = true;
	out->grant = grant->id;
	snprintf(out->integration, sizeof(out->integration), "%s", grant->integration);
	snprintf(out->key, sizeof(out->key), "%s", finding->name);
	return OK;
}

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	struct finding *finding = arg;
	struct grant_rule rule = grants_rule(grant);
	const char *reason = NULL;

	if (!policy_delivers(&rule, grant->needs_token, finding->unit, &reason))
		return OK;
	finding->has_grant = true;
	if (finding->has_key && strcmp(finding->out->integration, grant->integration) == 0)
		return OK; /* two grants of one integration mean the same value */
	if (finding->has_other || text_check_key(finding->name, strlen(finding->name)) != OK)
		return OK;

	enum err err =
		store_secret_get(finding->core->store, grant->integration_id, finding->name, on_secret, NULL);

	if (err == ERR_NOT_FOUND)
		return OK;
	return err == OK ? take(finding, grant) : err;
}

static enum err refuse(enum err err, const char *reason, const char **reason_out)
{
	*reason_out = reason;
	return err;
}

enum err unit_credentials_find(struct core *core, const char *unit, const char *name,
	struct unit_credential *out, const char **reason_out)
{
	struct finding finding = {.core = core, .unit = unit, .name = name, .out = out};
	char pattern[UNIT_BYTES_MAX + 1] = "";
	bool is_instance = text_unit_pattern(unit, pattern);

	*out = (struct unit_credential){0};

	enum err err =
		store_grant_of_unit(core->store, unit, is_instance ? pattern : NULL, on_grant, &finding);

	if (err != OK)
		return refuse(err, "the grants cannot be read", reason_out);
	if (!finding.has_grant)
		return refuse(ERR_DENIED, "no grant of a unit alone matches", reason_out);
	if (!finding.has_key)
		return refuse(ERR_NOT_FOUND, "no integration granted to the unit has this key", reason_out);
	if (finding.has_other)
		return refuse(ERR_CONFLICT, "two integrations granted to the unit have this key", reason_out);
	return OK;
}
