/*
 * What the record of an integration must say before it is stored: why it is never rotated, and whatever the organisation
 * asks of everything in production ([policy] require).
 */
#include "handler.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const struct store_integration *integration, enum field field)
{
	return integration->text[field - INTEGRATION_TEXT_FIRST];
}

static bool says(const struct store_integration *integration, enum field field, const char *word)
{
	const char *text = text_of(integration, field);

	return text != NULL && strcmp(text, word) == 0;
}

static enum err check_rotation(struct call *call, const struct store_integration *integration)
{
	if (!says(integration, FIELD_ROTATE_AFTER, "never") ||
		text_of(integration, FIELD_ROTATE_REASON) != NULL)
		return OK;
	return call_refuse(call, ERR_BAD_VALUE, "never rotated, and nothing says why",
		"with rotate_after never, rotate_reason must say why; or give a period, as 365d");
}

/* All that is missing, in one error. */
static enum err check_policy(struct call *call, const struct store_integration *integration)
{
	const bool *is_required = call->core->rules->is_required;
	BUF_AUTO missing = {0};

	for (enum field field = FIELD_TITLE; field <= FIELD_LABELS; field++) {
		if (!is_required[field] || text_of(integration, field) != NULL)
			continue;
		buf_append_string(&missing, missing.len > 0 ? ", " : "");
		buf_append_string(&missing, field_info(field)->wire);
	}
	buf_append_byte(&missing, '\0');
	if (buf_failed(&missing))
		return ERR_INTERNAL;
	if (missing.len == 1)
		return OK;
	snprintf(call->detail_store, sizeof(call->detail_store),
		"in production it needs %s ([policy] require)", missing.bytes);
	return call_refuse(
		call, ERR_BAD_VALUE, "not all that production needs is documented", call->detail_store);
}

enum err integration_check(struct call *call, const struct store_integration *integration)
{
	enum err err = check_rotation(call, integration);

	return err == OK && says(integration, FIELD_ENVIRONMENT, "production")
		       ? check_policy(call, integration)
		       : err;
}
