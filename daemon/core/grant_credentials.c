/*
 * What the credentials of a grant's unit mean where their names are not the keys.  One name of one unit means one thing,
 * whichever grant says so; two patterns that match the same unit are refused when it asks (unit_credentials.c).
 */
#include "handler.h"

#include <stdio.h>
#include <string.h>

struct naming {
	char name[CREDENTIAL_BYTES_MAX + 1];
	char key[KEY_BYTES_MAX + 1];
};

static bool read_naming(const struct request *request, const struct json_token *name, struct naming *out)
{
	size_t len = 0;

	return json_text(&request->doc, name, out->name, sizeof(out->name), &len) == OK &&
	       json_text(&request->doc, name + 1, out->key, sizeof(out->key), &len) == OK;
}

static bool is_of_unit_alone(const struct store_grant *grant)
{
	return grant->unit != NULL && !grant->has_uid && !grant->has_gid && !grant->needs_token &&
	       !grant->is_staged_only;
}

enum err grants_check_credentials(struct call *call, const struct store_grant *grant)
{
	const struct request *request = call->request;
	const struct json_token *first = request_first(request, FIELD_CREDENTIALS);

	if (first == NULL)
		return OK;
	if (!is_of_unit_alone(grant))
		return call_refuse(call, ERR_BAD_VALUE, "credentials without a rule of a unit alone",
			"credentials are a unit's: the rule must be unit=NAME alone, without staged_only");
	for (const struct json_token *t = first; t != NULL; t = request_next(request, FIELD_CREDENTIALS, t)) {
		struct naming naming = {0};

		if (!read_naming(request, t, &naming))
			return ERR_INTERNAL;
		if (strlen(grant->unit) + strlen(naming.name) > UNIT_CREDENTIAL_BYTES_MAX)
			return call_refuse(call, ERR_TOO_LARGE, "unit and credential are too long together",
				"systemd cannot ask for it: the names of unit and credential have at most 83 "
				"bytes together");
		call_subject(call, "credential=%s=%s", naming.name, naming.key);
	}
	return OK;
}

static enum err on_other(void *arg, const struct store_credential *other)
{
	struct call *call = arg;

	snprintf(call->detail_store, sizeof(call->detail_store),
		"%s of this unit means %s already, by grant %llu of %s", other->name, other->key,
		(unsigned long long)other->grant, other->integration);
	return OK;
}

static enum err store_naming(struct call *call, const struct store_grant *grant, const struct naming *naming)
{
	const struct store_credential credential = {
		.unit = grant->unit, .name = naming->name, .key = naming->key, .grant = grant->id};
	enum err err = store_credential_insert(call->core->store, &credential);

	if (err != ERR_CONFLICT)
		return err;
	err = store_credential_get(call->core->store, grant->unit, naming->name, on_other, call);
	return err != OK ? err
			 : call_refuse(call, ERR_CONFLICT, "the credential means something already",
				   call->detail_store);
}

enum err grants_store_credentials(struct call *call, const struct store_grant *grant)
{
	const struct request *request = call->request;
	enum err err = OK;

	for (const struct json_token *t = request_first(request, FIELD_CREDENTIALS); err == OK && t != NULL;
		t = request_next(request, FIELD_CREDENTIALS, t)) {
		struct naming naming = {0};

		err = read_naming(request, t, &naming) ? store_naming(call, grant, &naming) : ERR_INTERNAL;
	}
	return err;
}

static enum err on_written(void *arg, const struct store_credential *credential)
{
	json_put_string(arg, credential->name, credential->key);
	return OK;
}

enum err grants_write_credentials(struct call *call, uint64_t grant)
{
	json_key(&call->w, "credentials");
	json_begin_object(&call->w);

	enum err err = store_credential_of(call->core->store, grant, on_written, &call->w);

	json_end_object(&call->w);
	return err;
}
