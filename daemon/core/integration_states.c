/*
 * integration.suspend and integration.resume: nobody is given anything while it is suspended, and everything else stays, so
 * that it can go on as it was.  Retiring, which is for good, is integration_retire.c's.
 */
#include "handler.h"

#include <string.h>

#include "watches.h"

enum err integration_set_state(struct call *call, struct store_integration *integration, const char *state)
{
	struct store_change change = {.integration_id = integration->id,
		.field = "state",
		.old = integration->state,
		.new = state,
		.reason = call_text(call, FIELD_REASON)};

	call_subject(call, "state=%s", state);
	if (change.reason != NULL)
		call_subject_text(call, "reason", change.reason);
	integration->state = state;
	integration->state_ms = call->now_ms;
	integration->changed_ms = call->now_ms;
	integration->changed_by = call->who->uid;

	enum err err = store_integration_update(call->core->store, integration);

	if (err == OK)
		err = changes_note(call, &change);
	return err == OK ? watches_recheck(call, integration->id) : err;
}

static enum err move(struct call *call, const char *from, const char *to, const char *way_out)
{
	struct store_integration integration = {0};
	enum err err = integration_load_whole(call, &integration);

	if (err == OK)
		err = integration_check_open(call, &integration);
	if (err == OK && strcmp(integration.state, from) != 0)
		err = call_refuse(call, ERR_CONFLICT, "it is in that state already", way_out);
	if (err == OK)
		err = integration_set_state(call, &integration, to);
	if (err == OK)
		integration_write(call, &integration);
	return err;
}

enum err handle_integration_suspend(struct call *call)
{
	return move(call, "active", "suspended",
		"it is suspended already; coffer integration resume lets it go on");
}

enum err handle_integration_resume(struct call *call)
{
	return move(call, "suspended", "active", "it is not suspended");
}
