/*
 * secret.promote and secret.rollback: which version of a key is the current one.  Exactly one state change makes
 * another one draining, in the same transaction, so there is never more than one current version.
 */
#include "secret_rows.h"
#include "watches.h"

static enum err write_change(struct call *call, const struct version_facts *target, uint64_t replaced)
{
	json_begin_object(&call->w);
	secrets_write_state(call, call->record.key, target->version, VERSION_CURRENT);
	json_key(&call->w, "replaced");
	if (replaced != 0)
		json_write_integer(&call->w, (int64_t)replaced);
	else
		json_write_null(&call->w);
	json_end_object(&call->w);
	return OK;
}

/* The target becomes current, what was current drains. */
static enum err make_current(
	struct call *call, const struct integration *integration, const struct version_facts *target)
{
	uint64_t replaced = 0;

	call->record.version = target->version;
	if (target->expires_ms != 0 && target->expires_ms <= call->now_ms)
		return call_refuse(call, ERR_EXPIRED, "the version has expired", "the version has expired");

	enum err err = secrets_check_room(call, integration, target->value_bytes, &replaced);

	if (err == OK && replaced != 0)
		err = secrets_set_state(call, integration, replaced, VERSION_CURRENT, VERSION_DRAINING);
	if (err == OK)
		err = secrets_set_state(call, integration, target->version, target->state, VERSION_CURRENT);
	if (err != OK)
		return err;
	err = watches_note(call, integration, target->version, VERSION_CURRENT);
	if (err != OK)
		return err;
	if (replaced != 0)
		call_subject(call, "draining=%llu", (unsigned long long)replaced);
	return write_change(call, target, replaced);
}

static enum err begin(struct call *call, struct integration *integration, struct secret_row *secret,
	struct version_survey *out)
{
	enum err err = secrets_find(call, integration, secret);

	if (err == OK)
		err = secrets_check_open(call, integration);
	if (err == OK)
		err = secrets_check_expected(call, secret);
	if (err == OK)
		err = secrets_survey(call, integration->id, out);
	return err;
}

/* The version that the request names, in the state that it must have. */
static enum err check_named(
	struct call *call, const struct version_survey *survey, enum version_state state, const char *way_out)
{
	call->record.version = (uint64_t)request_count(call->request, FIELD_VERSION, 0);
	if (survey->wanted.version == 0)
		return call_refuse(call, ERR_NOT_FOUND, "no such version",
			"the key has no such version; see coffer secret show");
	if (survey->wanted.state != state)
		return call_refuse(call, ERR_CONFLICT, "the version is in another state", way_out);
	return OK;
}

enum err handle_secret_promote(struct call *call)
{
	struct integration integration = {0};
	struct secret_row secret = {0};
	struct version_survey survey = {0};
	const struct version_facts *target = &survey.staged;
	enum err err = begin(call, &integration, &secret, &survey);

	if (err == OK && request_has(call->request, FIELD_VERSION))
		err = check_named(call, &survey, VERSION_STAGED,
			"only a staged version can be promoted; see coffer secret show");
	if (err == OK && target->version == 0)
		err = call_refuse(call, ERR_NOT_FOUND, "nothing is staged",
			"no version of the key is staged; stage one with coffer secret put --stage");
	if (err != OK)
		return err;
	call->record.version = target->version;
	if (request_flag(call->request, FIELD_UNTESTED))
		call_detail(call, "untested");
	else
		err = secret_tests_check(call, &integration, target);
	return err == OK ? make_current(call, &integration, target) : err;
}

enum err handle_secret_rollback(struct call *call)
{
	struct integration integration = {0};
	struct secret_row secret = {0};
	struct version_survey survey = {0};
	bool is_named = request_has(call->request, FIELD_VERSION);
	enum err err = begin(call, &integration, &secret, &survey);

	if (err == OK && is_named)
		err = check_named(call, &survey, VERSION_DRAINING,
			"only a draining version can be brought back; see coffer secret show");
	if (err == OK && !is_named && survey.draining_count == 0)
		err = call_refuse(call, ERR_NOT_FOUND, "nothing is draining",
			"no version of the key is draining: there is nothing to go back to");
	if (err == OK && !is_named && survey.draining_count > 1)
		err = call_refuse(call, ERR_CONFLICT, "several versions are draining",
			"several versions are draining; name one, see coffer secret show");
	return err == OK ? make_current(call, &integration, is_named ? &survey.wanted : &survey.draining)
			 : err;
}
