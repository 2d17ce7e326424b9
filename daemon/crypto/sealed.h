/*
 * The one way to seal bytes, for values and wrapped keys alike; inside crypto only.
 *
 *   0x01 ‖ nonce[24] ‖ k_com[32] ‖ XChaCha20-Poly1305-IETF(plain, AAD, nonce, k_enc)
 *   k_enc ‖ k_com = BLAKE2b-512(key, personal = "coffer/record/1", nonce ‖ le64(len AAD) ‖ AAD)
 */
#ifndef COFFER_CRYPTO_SEALED_H
#define COFFER_CRYPTO_SEALED_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "keys.h"

enum {
	SEALED_FORMAT = 1,
	SEALED_NONCE_BYTES = 24,
	SEALED_COMMITMENT_BYTES = 32,
	SEALED_TAG_BYTES = 16,
	SEALED_HEADER_BYTES = 1 + SEALED_NONCE_BYTES + SEALED_COMMITMENT_BYTES,
	SEALED_OVERHEAD = SEALED_HEADER_BYTES + SEALED_TAG_BYTES,
};

/* A key on the stack for the length of one function: wiped at the end of its scope (P1). */
struct raw_key {
	unsigned char bytes[KEY_BYTES];
};

void raw_key_wipe(struct raw_key *key);

#define RAW_KEY_AUTO __attribute__((cleanup(raw_key_wipe))) struct raw_key

/*
 * For the result of sodium_mprotect_*: a process that cannot open or close its own keys must not go on.
 * It fails for memory that sodium_malloc did not give, and when the kernel is out of room for its tables.
 */
void guard_access(int result);

/* Writes SEALED_OVERHEAD + len bytes.  ERR_INTERNAL when the AAD could not be built. */
enum err sealed_seal(const unsigned char key[KEY_BYTES], const struct buf *aad, const unsigned char *plain,
	size_t len, unsigned char *out);

/* Writes len - SEALED_OVERHEAD bytes, zeros on failure.  False for every kind of failure alike. */
bool sealed_open(const unsigned char key[KEY_BYTES], const struct buf *aad, const unsigned char *sealed,
	size_t len, unsigned char *out);

/* First CHECKSUM_BYTES of BLAKE2b-256 over a label with its NUL, then the bytes. */
enum { CHECKSUM_BYTES = 8 };
void labelled_checksum(
	const char *label, const unsigned char *bytes, size_t len, unsigned char out[CHECKSUM_BYTES]);

#endif
