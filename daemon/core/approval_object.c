/*
 * What a request would change, in a digest: somebody who approves it approves it for the vault as it was when it was asked for.
 */
#include "approvals.h"

#include <string.h>

#include "canon.h"
#include "users.h"

enum { CONDITION_BYTES = FIELD_RULE_BYTES_MAX + 1 };

struct reading {
	struct call *call;
	struct approval_object *out;
	struct buf content;
};

static void add_text_or_null(struct buf *buf, const char *text)
{
	canon_u8(buf, text != NULL);
	canon_text(buf, text);
}

static enum err on_integration(void *arg, const struct store_integration *integration)
{
	struct reading *reading = arg;
	struct approval_object *out = reading->out;

	memcpy(out->integration_id, integration->id, sizeof(out->integration_id));
	out->is_locked = integration->is_grants_locked;
	out->is_production = integration_is_production(integration);
	canon_fixed(&reading->content, integration->id, sizeof(integration->id));
	canon_text(&reading->content, integration->state);
	canon_u64(&reading->content, integration->dek_generation);
	for (size_t i = 0; i < INTEGRATION_TEXT_COUNT; i++)
		add_text_or_null(&reading->content, integration->text[i]);
	return OK;
}

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	struct reading *reading = arg;

	canon_u64(&reading->content, grant->id); /* grants never change */
	return OK;
}

static enum err on_secret(void *arg, const struct store_secret *secret)
{
	struct reading *reading = arg;

	canon_text(&reading->content, secret->key);
	canon_u64(&reading->content, secret->newest);
	return OK;
}

static enum err on_version(void *arg, const struct store_version *version)
{
	struct reading *reading = arg;

	canon_u64(&reading->content, version->version);
	canon_u8(&reading->content, (uint8_t)version->state);
	return OK;
}

static enum err on_manager(void *arg, const struct store_manager *manager)
{
	struct reading *reading = arg;

	canon_u8(&reading->content, manager->is_group);
	canon_u32(&reading->content, manager->id);
	return OK;
}

static void add_number(struct reading *reading, const char *user_or_group)
{
	bool is_group = user_or_group[0] == '%';
	uint32_t id = 0;
	enum err err = is_group ? users_gid(user_or_group + 1, &id) : users_uid(user_or_group, &id);

	canon_u8(&reading->content, err == OK ? 1 + is_group : 0);
	canon_u32(&reading->content, err == OK ? id : 0);
}

static void add_managers(struct reading *reading)
{
	const struct request *request = reading->call->request;
	char name[FIELD_ENTRY_BYTES_MAX + 1] = "";
	size_t len = 0;

	for (const struct json_token *t = request_first(request, FIELD_MANAGED_BY); t != NULL;
		t = request_next(request, FIELD_MANAGED_BY, t))
		if (json_text(&request->doc, t, name, sizeof(name), &len) == OK)
			add_number(reading, name);
}

/* Names mean numbers, and these are what is approved. */
static void add_rule(struct reading *reading)
{
	const struct request *request = reading->call->request;
	char name[1 + CONDITION_BYTES] = "%";

	if (request_member(request, FIELD_RULE, "group", name + 1, sizeof(name) - 1))
		add_number(reading, name);
	if (request_member(request, FIELD_RULE, "user", name, sizeof(name)) ||
		request_text(request, FIELD_USER, name, sizeof(name)))
		add_number(reading, name);
}

/* Beside the integration's own record: what this request is about. */
static enum err add_parts(struct reading *reading)
{
	struct call *call = reading->call;
	const unsigned char *id = reading->out->integration_id;
	char key[KEY_BYTES_MAX + 1] = "";
	enum err err = store_manager_of(call->core->store, id, on_manager, reading);

	add_managers(reading);
	add_rule(reading);
	if (err != OK)
		return err;
	if (request_text(call->request, FIELD_KEY, key, sizeof(key)))
		err = store_version_of(call->core->store, id, key, on_version, reading);
	else if (call->request->kind != REQUEST_INTEGRATION_EDIT)
		err = store_grant_of(call->core->store, id, on_grant, reading);
	if (err == OK && (request_flag(call->request, FIELD_DESTROY_VALUES) ||
				 call->request->kind == REQUEST_INTEGRATION_RETIRE))
		err = store_secret_each(call->core->store, id, on_secret, reading);
	return err;
}

enum err approval_object_read(struct call *call, struct approval_object *out)
{
	struct reading reading = {.call = call, .out = out};
	char name[INTEGRATION_NAME_BYTES_MAX + 1] = "";

	request_text(call->request, FIELD_NAME, name, sizeof(name));
	request_text(call->request, FIELD_INTEGRATION, name, sizeof(name));

	enum err err = store_integration_get(call->core->store, name, on_integration, &reading);

	if (err == OK)
		err = add_parts(&reading);
	if (err == OK && buf_failed(&reading.content))
		err = ERR_INTERNAL;
	if (err == OK)
		keys_mac(call->core->keys, "coffer/approval/1", reading.content.bytes, reading.content.len,
			out->digest);
	buf_clear(&reading.content);
	return err;
}
