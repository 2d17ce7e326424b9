/*
 * Signatures of the vault (P7): Ed25519 with SIG as the seed.  The expanded secret key is on the stack only while it is
 * used, and wiped (P1).
 */
#include "keys.h"

#include <assert.h>
#include <sodium.h>

#include "keyring.h"

_Static_assert(KEY_BYTES == crypto_sign_SEEDBYTES && KEY_BYTES == crypto_sign_PUBLICKEYBYTES, "keys");
_Static_assert(SIGNATURE_BYTES == crypto_sign_BYTES, "signature");

static void expand(const struct keys *keys, unsigned char public[KEY_BYTES],
	unsigned char secret[crypto_sign_SECRETKEYBYTES])
{
	assert(keyring_epoch(keys, KEY_PURPOSE_SIG) != 0);
	keys_hold(keys);
	(void)crypto_sign_seed_keypair(public, secret, keyring_key(keys, KEY_PURPOSE_SIG));
	keys_release(keys);
}

void keys_sign(const struct keys *keys, const void *bytes, size_t len, unsigned char out[SIGNATURE_BYTES])
{
	unsigned char public[KEY_BYTES];
	unsigned char secret[crypto_sign_SECRETKEYBYTES];

	expand(keys, public, secret);
	(void)crypto_sign_detached(out, NULL, bytes, len, secret);
	sodium_memzero(secret, sizeof(secret));
}

void keys_public(const struct keys *keys, unsigned char out[KEY_BYTES])
{
	unsigned char secret[crypto_sign_SECRETKEYBYTES];

	expand(keys, out, secret);
	sodium_memzero(secret, sizeof(secret));
}

uint64_t keys_epoch(const struct keys *keys, enum key_purpose purpose)
{
	return keyring_epoch(keys, purpose);
}
