/*
 * session.authenticate: a connection shows its token.  P1: the secret is read into the request's arena and goes with it.
 * P2: whatever is wrong with a token, the answer is the same, and so is the work: an unknown one is hashed and compared, too.
 */
#include "token_verify.h"

#include <stdio.h>
#include <string.h>

#include "token.h"

_Static_assert((int)TOKEN_SECRET_BYTES == (int)VERIFIER_SECRET_BYTES, "a secret is hashed whole");
_Static_assert((int)VERIFIER_BYTES == (int)STORE_HASH_BYTES, "a verifier fits its column");

void token_verifier(struct core *core, const struct store_token *token,
	const unsigned char secret[VERIFIER_SECRET_BYTES], unsigned char out[VERIFIER_BYTES])
{
	struct verifier_context context = {.token_id = token->id};

	memcpy(context.integration_id, token->integration_id, sizeof(context.integration_id));
	verifier_make(core->keys, &context, secret, out);
}

struct showing {
	struct call *call;
	bool is_known;
	struct store_token token; /* its texts are copies in the arena; what is not known is zero */
};

static enum err on_known(void *arg, const struct store_token *token)
{
	struct showing *showing = arg;
	struct call *call = showing->call;

	showing->is_known = true;
	showing->token = *token;
	showing->token.name = call_copy(call, token->name);
	showing->token.unit = call_copy(call, token->unit);
	snprintf(call->record.integration, sizeof(call->record.integration), "%s", token->integration);
	if (showing->token.name == NULL || (token->unit != NULL && showing->token.unit == NULL))
		return ERR_INTERNAL;
	return OK;
}

/* NULL, or what is wrong: for the record alone. */
static const char *fault_of(struct showing *showing, const unsigned char *secret)
{
	struct call *call = showing->call;
	unsigned char shown[VERIFIER_BYTES] = {0};
	struct token_facts facts = token_facts(&showing->token);
	const char *reason = NULL;

	token_verifier(call->core, &showing->token, secret, shown);

	bool is_equal = bytes_equal(shown, showing->token.verifier, sizeof(shown));

	if (!showing->is_known)
		return "no such token";
	if (showing->token.revoked_ms != 0)
		return "the token is revoked";
	if (showing->token.epoch != verifier_epoch(call->core->keys))
		return "the token was made with another key";
	if (!is_equal)
		return "wrong secret of the token";
	return policy_token_is_usable(&facts, call->who, call->now_ms, &reason) ? NULL : reason;
}

/* The line has been checked: the token is whole, and its JSON has no escapes. */
static enum err read_shown(struct call *call, uint64_t *id_out, unsigned char *secret)
{
	const struct json_token *field = call->request->field[FIELD_TOKEN];

	return token_read(json_raw(&call->request->doc, field), field->len, id_out, secret);
}

/* Each has a record, so nobody may do it for ever: as often as the integration may be fetched, in a window of its own. */
static enum err check_rate(struct call *call)
{
	const char *name = call_copy(call, call->record.integration);
	struct integration integration = {0};
	enum err err = name != NULL ? integration_load(call, name, &integration) : ERR_INTERNAL;
	int64_t per_minute =
		integration.rate_limit > 0 ? integration.rate_limit : call->core->limits->fetches_per_minute;

	if (err != OK)
		return err;
	for (size_t i = 0; i < sizeof(integration.id); i++)
		integration.id[i] ^= UINT8_MAX; /* its fetches are counted under the id itself */
	if (!rates_count(call->core->rates, integration.id, per_minute, call->now_ms, &call->retry_after_ms))
		return call_refuse(call, ERR_RATE_LIMITED, "rate limit of the integration's tokens",
			"the integration's tokens were shown too often in a minute");
	return OK;
}

static void write_shown(struct call *call, const struct store_token *token)
{
	struct json_writer *w = &call->w;

	json_begin_object(w);
	json_put_string(w, "integration", call->record.integration);
	json_put_integer(w, "id", (int64_t)token->id);
	json_put_string(w, "token_name", token->name);
	json_put_time(w, "expires_at", token->expires_ms);
	json_end_object(w);
}

enum err handle_session_authenticate(struct call *call)
{
	struct showing *showing = arena_alloc(&call->core->arena, sizeof(*showing));
	unsigned char *secret = arena_alloc(&call->core->arena, TOKEN_SECRET_BYTES);
	uint64_t id = 0;

	if (showing == NULL || secret == NULL || read_shown(call, &id, secret) != OK)
		return ERR_INTERNAL;
	*showing = (struct showing){.call = call};
	call->record.object = id;

	enum err err = store_token_get(call->core->store, id, on_known, showing);

	if (err != OK && err != ERR_NOT_FOUND)
		return err;

	const char *fault = fault_of(showing, secret);

	if (fault != NULL)
		return call_refuse(call, ERR_DENIED, fault, NULL); /* P2: the same for all of them */
	err = check_rate(call);
	if (err == OK)
		err = store_token_used(call->core->store, id, call->now_ms);
	if (err != OK)
		return err;
	call_subject(call, "name=%s", showing->token.name);
	write_shown(call, &showing->token);
	call->who->token_id = id;
	call->exchange->has_authenticated = true;
	return OK;
}
