/*
 * What making and showing a token share: its verifier, for the place where its row stands.
 */
#ifndef COFFER_CORE_TOKEN_VERIFY_H
#define COFFER_CORE_TOKEN_VERIFY_H

#include "handler.h"
#include "verifier.h"

/* Looks at id and integration_id of the token alone. */
void token_verifier(struct core *core, const struct store_token *token,
	const unsigned char secret[VERIFIER_SECRET_BYTES], unsigned char out[VERIFIER_BYTES]);

#endif
