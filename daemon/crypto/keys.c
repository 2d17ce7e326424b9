/*
 * The keyring: four random keys of one epoch each, wrapped under a key of the root key's and bound to vault,
 * root key, purpose and epoch (P6), in guarded memory without access while idle (P1).  Here, too, are the
 * library's start, its random bytes and its comparison.  Which row is stored where is the store's part.
 */
#include "keys.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "canon.h"
#include "keyring.h"
#include "locked.h"
#include "root_key.h"

#define WRAP_CONTEXT "cofWRAP1"

enum { RING_AAD_BYTES_MAX = 128, FIRST_EPOCH = 1 };

_Static_assert(MAC_BYTES == crypto_generichash_BYTES, "mac");
_Static_assert(KEY_BYTES == crypto_generichash_KEYBYTES, "mac key");

/* In guarded memory. */
struct material {
	struct raw_key key[KEY_PURPOSE_COUNT];
};

struct guard {
	struct material *material;
	unsigned holders; /* the material is readable while there are any */
};

struct keys {
	unsigned char vault_id[VAULT_ID_BYTES];
	uint64_t epoch[KEY_PURPOSE_COUNT]; /* 0: not in the ring */
	struct guard *guard;
	struct dek_shelf *shelf;
};

enum err crypto_start(void)
{
	return sodium_init() < 0 ? ERR_INTERNAL : OK;
}

void random_bytes(void *out, size_t len)
{
	randombytes_buf(out, len);
}

bool bytes_equal(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

const char *key_purpose_word(enum key_purpose purpose)
{
	static const char *const words[KEY_PURPOSE_COUNT] = {"KEK", "MAC", "TOK", "SIG"};

	assert(purpose < KEY_PURPOSE_COUNT);
	return words[purpose];
}

static bool purpose_from_word(const char *word, enum key_purpose *out)
{
	for (enum key_purpose purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++) {
		if (strcmp(key_purpose_word(purpose), word) != 0)
			continue;
		*out = purpose;
		return true;
	}
	return false;
}

static void ring_aad(struct buf *aad, const struct keys *keys, const struct root_key *root,
	enum key_purpose purpose, uint64_t epoch)
{
	unsigned char root_id[RKID_BYTES];

	root_key_id(root, root_id);
	canon_label(aad, "coffer/ring/1");
	canon_fixed(aad, keys->vault_id, sizeof(keys->vault_id));
	canon_fixed(aad, root_id, sizeof(root_id));
	canon_text(aad, key_purpose_word(purpose));
	canon_u64(aad, epoch);
}

static void free_keys(struct keys **keys)
{
	keys_free(*keys);
}

#define KEYS_AUTO __attribute__((cleanup(free_keys))) struct keys

enum err keys_new(const unsigned char vault_id[VAULT_ID_BYTES], struct keys **out)
{
	KEYS_AUTO *keys = calloc(1, sizeof(*keys));

	if (keys == NULL)
		return ERR_INTERNAL;
	memcpy(keys->vault_id, vault_id, sizeof(keys->vault_id));
	keys->guard = calloc(1, sizeof(*keys->guard));
	if (keys->guard == NULL)
		return ERR_INTERNAL;
	keys->guard->material = sodium_malloc(sizeof(*keys->guard->material));
	if (keys->guard->material == NULL)
		return ERR_INTERNAL;
	guard_access(sodium_mprotect_noaccess(keys->guard->material));

	enum err err = dek_shelf_new(&keys->shelf);

	if (err != OK)
		return err;
	*out = keys;
	keys = NULL;
	return OK;
}

/* Nobody may hold the ring meanwhile: a holder would lose its access. */
static void put_key(struct keys *keys, enum key_purpose purpose, uint64_t epoch, const struct raw_key *key)
{
	assert(keys->guard->holders == 0);
	guard_access(sodium_mprotect_readwrite(keys->guard->material));
	keys->guard->material->key[purpose] = *key;
	guard_access(sodium_mprotect_noaccess(keys->guard->material));
	keys->epoch[purpose] = epoch;
}

enum err keys_generate(const unsigned char vault_id[VAULT_ID_BYTES], struct keys **out)
{
	KEYS_AUTO *keys = NULL;
	RAW_KEY_AUTO key = {0};
	enum err err = keys_new(vault_id, &keys);

	if (err != OK)
		return err;
	for (enum key_purpose purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++) {
		randombytes_buf(key.bytes, sizeof(key.bytes));
		put_key(keys, purpose, FIRST_EPOCH, &key);
	}
	*out = keys;
	keys = NULL;
	return OK;
}

enum err keys_wrap(const struct keys *keys, enum key_purpose purpose, const struct root_key *root,
	unsigned char out[WRAPPED_KEY_BYTES])
{
	char aad_bytes[RING_AAD_BYTES_MAX];
	struct buf aad = {0};
	RAW_KEY_AUTO wrap = {0};

	assert(purpose < KEY_PURPOSE_COUNT);
	if (keys->epoch[purpose] == 0)
		return ERR_INTERNAL;
	buf_init_fixed(&aad, aad_bytes, sizeof(aad_bytes));
	ring_aad(&aad, keys, root, purpose, keys->epoch[purpose]);
	root_key_derive(root, WRAP_CONTEXT, &wrap);
	keys_hold(keys);

	enum err err = sealed_seal(wrap.bytes, &aad, keyring_key(keys, purpose), KEY_BYTES, out);

	keys_release(keys);
	return err;
}

enum err keys_unwrap(struct keys *keys, const char *purpose, uint64_t epoch, const struct root_key *root,
	const unsigned char *wrapped, size_t len)
{
	char aad_bytes[RING_AAD_BYTES_MAX];
	struct buf aad = {0};
	enum key_purpose known = KEY_PURPOSE_COUNT;
	RAW_KEY_AUTO wrap = {0};
	RAW_KEY_AUTO key = {0};

	if (len != WRAPPED_KEY_BYTES || epoch == 0 || !purpose_from_word(purpose, &known))
		return ERR_DENIED;
	/* A second row of one purpose must not replace the first. */
	if (keys->epoch[known] != 0)
		return ERR_DENIED;
	buf_init_fixed(&aad, aad_bytes, sizeof(aad_bytes));
	ring_aad(&aad, keys, root, known, epoch);
	root_key_derive(root, WRAP_CONTEXT, &wrap);
	if (!sealed_open(wrap.bytes, &aad, wrapped, len, key.bytes))
		return ERR_DENIED;
	put_key(keys, known, epoch, &key);
	return OK;
}

bool keys_are_complete(const struct keys *keys)
{
	for (enum key_purpose purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++)
		if (keys->epoch[purpose] == 0)
			return false;
	return true;
}

void keys_hold(const struct keys *keys)
{
	if (keys->guard->holders++ == 0)
		guard_access(sodium_mprotect_readonly(keys->guard->material));
}

void keys_release(const struct keys *keys)
{
	assert(keys->guard->holders > 0);
	if (--keys->guard->holders == 0)
		guard_access(sodium_mprotect_noaccess(keys->guard->material));
}

void keys_free(struct keys *keys)
{
	if (keys == NULL)
		return;
	if (keys->guard != NULL)
		sodium_free(keys->guard->material);
	free(keys->guard);
	dek_shelf_free(keys->shelf);
	free(keys);
}

void keys_mac(const struct keys *keys, const char *label, const void *bytes, size_t len,
	unsigned char out[MAC_BYTES])
{
	crypto_generichash_state state;

	assert(keys->epoch[KEY_PURPOSE_MAC] != 0);
	keys_hold(keys);
	(void)crypto_generichash_init(&state, keyring_key(keys, KEY_PURPOSE_MAC), KEY_BYTES, MAC_BYTES);
	keys_release(keys);
	(void)crypto_generichash_update(&state, (const unsigned char *)label, strlen(label) + 1);
	(void)crypto_generichash_update(&state, bytes, len);
	(void)crypto_generichash_final(&state, out, MAC_BYTES);
	/* The key block stays in the state until the next block replaces it. */
	wipe(&state, sizeof(state));
}

const unsigned char *keyring_vault_id(const struct keys *keys)
{
	return keys->vault_id;
}

uint64_t keyring_epoch(const struct keys *keys, enum key_purpose purpose)
{
	return keys->epoch[purpose];
}

const unsigned char *keyring_key(const struct keys *keys, enum key_purpose purpose)
{
	return keys->guard->material->key[purpose].bytes;
}

struct dek_shelf *keyring_shelf(const struct keys *keys)
{
	return keys->shelf;
}
