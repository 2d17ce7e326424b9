/*
 * Sealing and opening with commitment to key and context (P6).  Each record has keys of its own, derived
 * from the nonce and the AAD, so a repeated nonce in another context or a second key that happens to fit
 * gains nothing.  What the AAD says is for the callers to decide: keys.c, dek.c, envelope.c.
 */
#include "sealed.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "canon.h"
#include "locked.h"

_Static_assert(SEALED_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(SEALED_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");
_Static_assert(WRAPPED_KEY_BYTES == SEALED_OVERHEAD + KEY_BYTES, "a wrapped key is a sealed key");

struct record_keys {
	unsigned char encryption[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
	unsigned char commitment[SEALED_COMMITMENT_BYTES];
};

static void record_keys_wipe(struct record_keys *keys)
{
	wipe(keys, sizeof(*keys));
}

#define RECORD_KEYS_AUTO __attribute__((cleanup(record_keys_wipe))) struct record_keys

void raw_key_wipe(struct raw_key *key)
{
	wipe(key->bytes, sizeof(key->bytes));
}

void guard_access(int result)
{
	if (result != 0)
		abort();
}

/* The hash functions fail for impossible lengths only, and all lengths here are constants. */
static void derive(const unsigned char key[KEY_BYTES], const unsigned char nonce[SEALED_NONCE_BYTES],
	const struct buf *aad, struct record_keys *out)
{
	static const unsigned char personal[crypto_generichash_blake2b_PERSONALBYTES] = "coffer/record/1";
	crypto_generichash_blake2b_state state;
	char len_bytes[sizeof(uint64_t)];
	struct buf len = {0};

	buf_init_fixed(&len, len_bytes, sizeof(len_bytes));
	canon_u64(&len, aad->len);
	(void)crypto_generichash_blake2b_init_salt_personal(
		&state, key, KEY_BYTES, sizeof(*out), NULL, personal);
	(void)crypto_generichash_blake2b_update(&state, nonce, SEALED_NONCE_BYTES);
	(void)crypto_generichash_blake2b_update(&state, (const unsigned char *)len.bytes, len.len);
	(void)crypto_generichash_blake2b_update(&state, (const unsigned char *)aad->bytes, aad->len);
	(void)crypto_generichash_blake2b_final(&state, (unsigned char *)out, sizeof(*out));
	wipe(&state, sizeof(state));
}

enum err sealed_seal(const unsigned char key[KEY_BYTES], const struct buf *aad, const unsigned char *plain,
	size_t len, unsigned char *out)
{
	unsigned char *nonce = out + 1;
	unsigned char *commitment = nonce + SEALED_NONCE_BYTES;
	RECORD_KEYS_AUTO keys = {0};

	/* A context that was cut short would bind less than it says. */
	if (buf_failed(aad))
		return ERR_INTERNAL;
	out[0] = SEALED_FORMAT;
	randombytes_buf(nonce, SEALED_NONCE_BYTES);
	derive(key, nonce, aad, &keys);
	memcpy(commitment, keys.commitment, SEALED_COMMITMENT_BYTES);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(out + SEALED_HEADER_BYTES, NULL, plain, len,
		(const unsigned char *)aad->bytes, aad->len, NULL, nonce, keys.encryption);
	return OK;
}

/* len covers a header and a tag at least. */
static bool open_record(const unsigned char key[KEY_BYTES], const struct buf *aad,
	const unsigned char *sealed, size_t len, unsigned char *out)
{
	const unsigned char *nonce = sealed + 1;
	const unsigned char *commitment = nonce + SEALED_NONCE_BYTES;
	RECORD_KEYS_AUTO keys = {0};

	if (buf_failed(aad) || sealed[0] != SEALED_FORMAT)
		return false;
	derive(key, nonce, aad, &keys);
	/* P6: the commitment ties the record to this key and this context before anything is decrypted. */
	if (sodium_memcmp(commitment, keys.commitment, SEALED_COMMITMENT_BYTES) != 0)
		return false;
	return crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed + SEALED_HEADER_BYTES,
		       len - SEALED_HEADER_BYTES, (const unsigned char *)aad->bytes, aad->len, nonce,
		       keys.encryption) == 0;
}

bool sealed_open(const unsigned char key[KEY_BYTES], const struct buf *aad, const unsigned char *sealed,
	size_t len, unsigned char *out)
{
	if (len < SEALED_OVERHEAD)
		return false;
	if (open_record(key, aad, sealed, len, out))
		return true;
	wipe(out, len - SEALED_OVERHEAD);
	return false;
}

void labelled_checksum(
	const char *label, const unsigned char *bytes, size_t len, unsigned char out[CHECKSUM_BYTES])
{
	crypto_generichash_state state;
	unsigned char hash[crypto_generichash_BYTES];

	(void)crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	(void)crypto_generichash_update(&state, (const unsigned char *)label, strlen(label) + 1);
	(void)crypto_generichash_update(&state, bytes, len);
	(void)crypto_generichash_final(&state, hash, sizeof(hash));
	memcpy(out, hash, CHECKSUM_BYTES);
	/* The bytes may be a key. */
	wipe(&state, sizeof(state));
	wipe(hash, sizeof(hash));
}
