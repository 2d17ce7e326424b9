/*
 * Access tokens: whether the one that a connection has shown is still good, and the list of them.  A token is never
 * enough by itself: it is one more condition of a grant, and it is bound to a user (P2).  Its secret is the
 * business of token_create.c and token_show.c; nothing here sees it.
 */
#include "handler.h"

#include <string.h>

#include "clock.h"
#include "managers.h"
#include "users.h"
#include "watches.h"

struct allowing {
	const unsigned char *integration_id;
	const struct principal *who;
	const char **reason_out;
	bool is_allowed;
};

static enum err on_shown(void *arg, const struct store_token *token)
{
	struct allowing *allowing = arg;
	struct token_facts facts = token_facts(token);

	if (memcmp(token->integration_id, allowing->integration_id, STORE_ID_BYTES) != 0)
		*allowing->reason_out = "the token is another integration's";
	else
		allowing->is_allowed =
			policy_token_is_usable(&facts, allowing->who, clock_wall_ms(), allowing->reason_out);
	return OK;
}

struct token_facts token_facts(const struct store_token *token)
{
	return (struct token_facts){.uid = token->uid,
		.unit = token->unit,
		.expires_ms = token->expires_ms,
		.is_revoked = token->revoked_ms != 0};
}

bool tokens_allow(struct core *core, const unsigned char integration_id[STORE_ID_BYTES],
	const struct principal *who, const char **reason_out)
{
	struct allowing allowing = {.integration_id = integration_id, .who = who, .reason_out = reason_out};

	if (who->token_id == 0) {
		*reason_out = "the rule is for holders of a token, and the connection has shown none";
		return false;
	}

	enum err err = store_token_get(core->store, who->token_id, on_shown, &allowing);

	if (err != OK) /* any doubt is no */
		*reason_out = "the token's row cannot be read";
	return err == OK && allowing.is_allowed;
}

/* ---- token.list ---- */

static const char *state_of(const struct store_token *token, int64_t now_ms)
{
	if (token->revoked_ms != 0)
		return "revoked";
	return token->expires_ms != 0 && token->expires_ms <= now_ms ? "expired" : "active";
}

static void put_user(struct json_writer *w, const char *key, uint32_t uid)
{
	char name[USER_NAME_BYTES] = "";

	users_name(uid, name);
	json_put_string(w, key, name);
}

static enum err on_listed(void *arg, const struct store_token *token)
{
	struct call *call = arg;
	struct json_writer *w = &call->w;

	if (!managers_may_see(call, token->integration_id))
		return OK; /* P2 */
	json_begin_object(w);
	json_put_integer(w, "id", (int64_t)token->id);
	json_put_string(w, "integration", token->integration);
	json_put_string(w, "name", token->name);
	json_put_string(w, "description", token->description);
	json_put_string(w, "user", token->user);
	json_put_integer(w, "uid", token->uid);
	json_put_string(w, "unit", token->unit);
	json_put_string(w, "state", state_of(token, call->now_ms));
	json_put_time(w, "created_at", token->created_ms);
	put_user(w, "created_by", token->created_by);
	json_put_time(w, "expires_at", token->expires_ms);
	json_put_time(w, "last_used_at", token->last_used_ms);
	json_put_time(w, "revoked_at", token->revoked_ms);
	if (token->revoked_ms != 0)
		put_user(w, "revoked_by", token->revoked_by);
	else
		json_put_string(w, "revoked_by", NULL);
	json_end_object(w);
	return OK;
}

enum err handle_token_list(struct call *call)
{
	struct integration integration = {0};
	bool is_named = request_has(call->request, FIELD_INTEGRATION);
	enum err err = is_named ? integration_find(call, FIELD_INTEGRATION, &integration) : OK;

	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_key(&call->w, "tokens");
	json_begin_array(&call->w);
	if (is_named)
		err = store_token_of(call->core->store, integration.id, on_listed, call);
	else
		err = store_token_each(call->core->store, on_listed, call);
	json_end_array(&call->w);
	json_end_object(&call->w);
	return err;
}

/* ---- token.revoke ---- */

static enum err on_revoked(void *arg, const struct store_token *token)
{
	call_subject(arg, "name=%s uid=%u", token->name, token->uid);
	return OK;
}

/* The next use on any connection finds the row revoked; watchers are asked now. */
enum err handle_token_revoke(struct call *call)
{
	struct store *store = call->core->store;
	struct integration integration = {0};
	uint64_t id = (uint64_t)request_count(call->request, FIELD_ID, 0);
	enum err err = integration_find(call, FIELD_INTEGRATION, &integration);

	if (err != OK)
		return err;
	call->record.object = id;
	err = store_token_revoke(store, integration.id, id, call->now_ms, call->who->uid);
	if (err == ERR_NOT_FOUND)
		return call_refuse(call, err, "no such live token of this integration",
			"this integration has no token of this number that is not revoked; see coffer token "
			"list");
	if (err == OK)
		err = store_token_get(store, id, on_revoked, call);
	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_put_integer(&call->w, "revoked", (int64_t)id);
	json_end_object(&call->w);
	return watches_recheck(call, integration.id);
}
