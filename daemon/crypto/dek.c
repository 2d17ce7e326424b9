/*
 * Data keys: made and wrapped under the KEK, bound to vault, integration, generation and epoch (P6), and
 * opened for the length of a request.  Open ones stand on a shelf of guarded memory that belongs to the
 * keyring: guarded memory of their own would cost each fetch a dozen system calls.
 */
#include "dek.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "canon.h"
#include "keyring.h"
#include "locked.h"

enum { DEK_AAD_BYTES_MAX = 128, SHELF_PLACES = 64 };

struct dek_shelf {
	struct dek places[SHELF_PLACES];
	uint64_t taken; /* one bit a place */
};

_Static_assert(SHELF_PLACES == 64, "one bit of taken each");

enum err dek_shelf_new(struct dek_shelf **out)
{
	struct dek_shelf *shelf = sodium_malloc(sizeof(*shelf));

	if (shelf == NULL)
		return ERR_INTERNAL;
	memset(shelf, 0, sizeof(*shelf));
	*out = shelf;
	return OK;
}

void dek_shelf_free(struct dek_shelf *shelf)
{
	assert(shelf == NULL || shelf->taken == 0);
	sodium_free(shelf);
}

static struct dek *take_place(struct dek_shelf *shelf)
{
	if (shelf->taken == UINT64_MAX)
		return NULL;

	int place = __builtin_ctzll(~shelf->taken);

	shelf->taken |= UINT64_C(1) << place;
	shelf->places[place].shelf = shelf;
	return &shelf->places[place];
}

static void dek_aad(struct buf *aad, const struct keys *keys, const struct dek_context *context)
{
	canon_label(aad, "coffer/dek/1");
	canon_fixed(aad, keyring_vault_id(keys), VAULT_ID_BYTES);
	canon_fixed(aad, context->integration_id, sizeof(context->integration_id));
	canon_u64(aad, context->generation);
	canon_u64(aad, keyring_epoch(keys, KEY_PURPOSE_KEK));
}

enum err keys_new_dek(
	const struct keys *keys, const struct dek_context *context, unsigned char out[WRAPPED_KEY_BYTES])
{
	char aad_bytes[DEK_AAD_BYTES_MAX];
	struct buf aad = {0};
	RAW_KEY_AUTO key = {0};

	if (keyring_epoch(keys, KEY_PURPOSE_KEK) == 0)
		return ERR_INTERNAL;
	buf_init_fixed(&aad, aad_bytes, sizeof(aad_bytes));
	dek_aad(&aad, keys, context);
	randombytes_buf(key.bytes, sizeof(key.bytes));
	keys_hold(keys);

	enum err err =
		sealed_seal(keyring_key(keys, KEY_PURPOSE_KEK), &aad, key.bytes, sizeof(key.bytes), out);

	keys_release(keys);
	return err;
}

enum err dek_open(const struct keys *keys, const struct dek_context *context, const unsigned char *wrapped,
	size_t len, struct dek **out)
{
	char aad_bytes[DEK_AAD_BYTES_MAX];
	struct buf aad = {0};

	if (len != WRAPPED_KEY_BYTES || keyring_epoch(keys, KEY_PURPOSE_KEK) == 0)
		return ERR_STORAGE;

	struct dek *dek = take_place(keyring_shelf(keys));

	if (dek == NULL)
		return ERR_BUSY;
	buf_init_fixed(&aad, aad_bytes, sizeof(aad_bytes));
	dek_aad(&aad, keys, context);
	keys_hold(keys);

	bool is_open = sealed_open(keyring_key(keys, KEY_PURPOSE_KEK), &aad, wrapped, len, dek->key.bytes);

	keys_release(keys);
	if (!is_open) {
		dek_close(dek);
		return ERR_STORAGE;
	}
	memcpy(dek->vault_id, keyring_vault_id(keys), sizeof(dek->vault_id));
	dek->context = *context;
	*out = dek;
	return OK;
}

void dek_close(struct dek *dek)
{
	if (dek == NULL)
		return;

	struct dek_shelf *shelf = dek->shelf;
	uint64_t bit = UINT64_C(1) << (dek - shelf->places);

	assert((shelf->taken & bit) != 0);
	wipe(dek, sizeof(*dek));
	shelf->taken &= ~bit;
}
