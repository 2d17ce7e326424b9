/*
 * Finding an integration: what the other nouns need of it, or the whole record.
 */
#include "handler.h"

#include <stdio.h>
#include <string.h>

static int64_t stored_time(const char *text)
{
	int64_t time_ms = 0;

	return text != NULL && text_time(text, strlen(text), &time_ms) ? time_ms : 0;
}

static int64_t stored_count(const char *text)
{
	int64_t count = 0;

	for (const char *c = text; c != NULL && *c >= '0' && *c <= '9' && count < INT64_MAX / 100; c++)
		count = count * 10 + (*c - '0');
	return count;
}

static const char *stored_text(const struct store_integration *integration, enum field field)
{
	const char *text = integration->text[field - INTEGRATION_TEXT_FIRST];

	return text != NULL ? text : "";
}

bool integration_is_production(const struct store_integration *integration)
{
	const char *environment = integration->text[FIELD_ENVIRONMENT - INTEGRATION_TEXT_FIRST];

	return environment == NULL || strcmp(environment, "production") == 0;
}

static enum err on_found(void *arg, const struct store_integration *integration)
{
	struct integration *out = arg;

	if (integration->dek.len > sizeof(out->dek))
		return ERR_STORAGE;
	memcpy(out->id, integration->id, sizeof(out->id));
	snprintf(out->name, sizeof(out->name), "%s", integration->name);
	snprintf(out->state, sizeof(out->state), "%s", integration->state);
	out->dek_generation = integration->dek_generation;
	memcpy(out->dek, integration->dek.bytes, integration->dek.len);
	out->dek_len = integration->dek.len;
	out->is_grants_locked = integration->is_grants_locked;
	out->is_production = integration_is_production(integration);
	out->expires_ms = stored_time(integration->text[FIELD_EXPIRES_AT - INTEGRATION_TEXT_FIRST]);
	snprintf(out->test, sizeof(out->test), "%s", stored_text(integration, FIELD_TEST));
	out->rate_limit = stored_count(integration->text[FIELD_RATE_LIMIT - INTEGRATION_TEXT_FIRST]);
	return OK;
}

enum err integration_load(struct call *call, const char *name, struct integration *out)
{
	snprintf(call->record.integration, sizeof(call->record.integration), "%s", name);
	return store_integration_get(call->core->store, name, on_found, out);
}

enum err integration_find(struct call *call, enum field field, struct integration *out)
{
	char name[INTEGRATION_NAME_BYTES_MAX + 1] = "";

	request_text(call->request, field, name, sizeof(name));

	enum err err = integration_load(call, name, out);

	if (err == ERR_NOT_FOUND)
		return call_refuse(
			call, err, "no such integration", "no such integration; see coffer integration list");
	return err;
}

/* A copy of a stored integration in the request's arena, so that it can be changed and written back. */
struct loading {
	struct call *call;
	struct store_integration *out;
};

static enum err on_load(void *arg, const struct store_integration *integration)
{
	struct loading *loading = arg;
	struct call *call = loading->call;
	struct store_integration *out = loading->out;
	unsigned char *dek = arena_alloc(&call->core->arena, integration->dek.len);

	*out = *integration;
	out->name = call_copy(call, integration->name);
	out->state = call_copy(call, integration->state);
	if (dek == NULL || out->name == NULL || out->state == NULL)
		return ERR_INTERNAL;
	memcpy(dek, integration->dek.bytes, integration->dek.len);
	out->dek.bytes = dek;
	for (size_t i = 0; i < INTEGRATION_TEXT_COUNT; i++) {
		out->text[i] = call_copy(call, integration->text[i]);
		if (integration->text[i] != NULL && out->text[i] == NULL)
			return ERR_INTERNAL;
	}
	return OK;
}

enum err integration_load_record(struct call *call, const char *name, struct store_integration *out)
{
	struct loading loading = {call, out};

	snprintf(call->record.integration, sizeof(call->record.integration), "%s", name);

	enum err err = store_integration_get(call->core->store, name, on_load, &loading);

	if (err == ERR_NOT_FOUND)
		return call_refuse(
			call, err, "no such integration", "no such integration; see coffer integration list");
	return err;
}

enum err integration_load_whole(struct call *call, struct store_integration *out)
{
	char name[INTEGRATION_NAME_BYTES_MAX + 1] = "";

	request_text(call->request, FIELD_NAME, name, sizeof(name));
	return integration_load_record(call, name, out);
}
