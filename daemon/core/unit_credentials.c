/*
 * From a unit and a credential's name to an integration and a key.  What a grant says that the name means comes first; else the
 * name is the key, and the grants of the unit alone name the integrations.  More than one meaning is nobody's to choose from: a
 * unit must not get another value because somebody added a key or a grant somewhere (P2).
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
	bool is_mapped; /* a grant says what the name means */
	bool has_other;
};

static void take(struct finding *finding, const struct store_grant *grant, const char *key, bool is_mapped)
{
	struct unit_credential *out = finding->out;
	bool is_first = !finding->has_key || (is_mapped && !finding->is_mapped);

	if (!is_first && is_mapped == finding->is_mapped &&
		(strcmp(out->integration, grant->integration) != 0 || strcmp(out->key, key) != 0)) {
		finding->has_other = true;
		snprintf(out->other, sizeof(out->other), "%s", grant->integration);
	}
	if (!is_first)
		return;
	finding->has_key = true;
	finding->is_mapped = is_mapped;
	finding->has_other = false;
	out->grant = grant->id;
	snprintf(out->integration, sizeof(out->integration), "%s", grant->integration);
	snprintf(out->key, sizeof(out->key), "%s", key);
}

struct meaning {
	uint64_t grant;
	char key[KEY_BYTES_MAX + 1];
};

static enum err on_credential(void *arg, const struct store_credential *credential)
{
	struct meaning *meaning = arg;

	meaning->grant = credential->grant;
	snprintf(meaning->key, sizeof(meaning->key), "%s", credential->key);
	return OK;
}

static enum err on_secret(void *arg, const struct store_secret *secret)
{
	(void)arg;
	(void)secret;
	return OK;
}

/* What the grant itself says that the name means. */
static enum err look_for_meaning(struct finding *finding, const struct store_grant *grant)
{
	struct meaning meaning = {0};
	enum err err = store_credential_get(
		finding->core->store, grant->unit, finding->name, on_credential, &meaning);

	if (err == OK && meaning.grant == grant->id)
		take(finding, grant, meaning.key, true);
	return err == ERR_NOT_FOUND ? OK : err;
}

static enum err look_for_key(struct finding *finding, const struct store_grant *grant)
{
	enum err err = ERR_NOT_FOUND;

	if (!finding->is_mapped && text_check_key(finding->name, strlen(finding->name)) == OK)
		err = store_secret_get(
			finding->core->store, grant->integration_id, finding->name, on_secret, NULL);
	if (err == OK)
		take(finding, grant, finding->name, false);
	return err == ERR_NOT_FOUND ? OK : err;
}

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	struct finding *finding = arg;
	struct grant_rule rule = grants_rule(grant);
	const char *reason = NULL;

	if (!policy_delivers(&rule, grant->needs_token, finding->unit, &reason))
		return OK;
	finding->has_grant = true;

	enum err err = look_for_meaning(finding, grant);

	return err == OK ? look_for_key(finding, grant) : err;
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
		return refuse(ERR_CONFLICT,
			finding.is_mapped ? "grants say two things that this credential means"
					  : "two integrations granted to the unit have this key",
			reason_out);
	return OK;
}
