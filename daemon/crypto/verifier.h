/*
 * What is stored of an access token instead of its secret: a keyed hash, bound to the vault, the integration and the
 * token's number, so that a row moved elsewhere verifies nothing (P6) and the store alone gives no token away.
 *
 *   BLAKE2b-256(key = TOK, "coffer/token/1" NUL ‖ vault ‖ le64 epoch of TOK ‖ integration ‖ le64 number ‖ secret)
 */
#ifndef COFFER_CRYPTO_VERIFIER_H
#define COFFER_CRYPTO_VERIFIER_H

#include "keys.h"

enum { VERIFIER_BYTES = 32, VERIFIER_SECRET_BYTES = 32 };

struct verifier_context {
	unsigned char integration_id[16];
	uint64_t token_id;
};

/* Of the key that verifier_make uses; stored beside what it makes. */
uint64_t verifier_epoch(const struct keys *keys);

/* secret is in locked memory.  Compare with bytes_equal. */
void verifier_make(const struct keys *keys, const struct verifier_context *context,
	const unsigned char secret[VERIFIER_SECRET_BYTES], unsigned char out[VERIFIER_BYTES]);

#endif
