/*
 * Verifiers of tokens.  A secret has 256 random bits, so one fast keyed hash is enough: there is
 * nothing to guess slowly.  A row that is moved elsewhere verifies nothing there (P6).
 */
#include "verifier.h"

#include <assert.h>
#include <sodium.h>

#include "canon.h"
#include "keyring.h"
#include "locked.h"

enum { HEAD_BYTES_MAX = 96 };

uint64_t verifier_epoch(const struct keys *keys)
{
	return keyring_epoch(keys, KEY_PURPOSE_TOK);
}

void verifier_make(const struct keys *keys, const struct verifier_context *context,
	const unsigned char secret[VERIFIER_SECRET_BYTES], unsigned char out[VERIFIER_BYTES])
{
	crypto_generichash_state state;
	char head_bytes[HEAD_BYTES_MAX];
	struct buf head = {0};

	assert(verifier_epoch(keys) != 0);
	buf_init_fixed(&head, head_bytes, sizeof(head_bytes));
	canon_label(&head, "coffer/token/1");
	canon_fixed(&head, keyring_vault_id(keys), VAULT_ID_BYTES);
	canon_u64(&head, verifier_epoch(keys));
	canon_fixed(&head, context->integration_id, sizeof(context->integration_id));
	canon_u64(&head, context->token_id);
	assert(!buf_failed(&head));
	keys_hold(keys);
	(void)crypto_generichash_init(&state, keyring_key(keys, KEY_PURPOSE_TOK), KEY_BYTES, VERIFIER_BYTES);
	keys_release(keys);
	(void)crypto_generichash_update(&state, (const unsigned char *)head.bytes, head.len);
	(void)crypto_generichash_update(&state, secret, VERIFIER_SECRET_BYTES);
	(void)crypto_generichash_final(&state, out, VERIFIER_BYTES);
	wipe(&state, sizeof(state)); /* P1: it holds the secret's block */
}
