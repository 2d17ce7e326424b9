/*
 * Access tokens: whether the one that a connection has shown is still good, and the list of them.  A token is never
 * enough by itself: it is one more condition of a grant, and it is bound to a user (P2).  Its secret is
 * token_secrets.c's business; nothing here sees it.
 */
#include "handler.h"

#include <string.h>

#include "clock.h"

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
