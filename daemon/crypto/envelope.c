/*
 * Values, sealed to their place: vault, integration, data-key generation, secret, key name and version (P6),
 * padded to size classes so that a length says little.  Plaintext stands only in the locked memory that the
 * caller gives (P1).  Who may open what was decided before; rows and their freshness are the store's part.
 */
#include "envelope.h"

#include <sodium.h>
#include <string.h>

#include "canon.h"
#include "dek.h"
#include "locked.h"

enum { VALUE_AAD_BYTES_MAX = 256 };

static const size_t classes[] = {64, 256, 1024, 4096, 16384, 65536};

enum { CLASS_COUNT = sizeof(classes) / sizeof(classes[0]) };

_Static_assert((int)ENVELOPE_FORMAT == (int)SEALED_FORMAT, "an envelope is a sealed record");
_Static_assert((int)ENVELOPE_OVERHEAD == (int)SEALED_OVERHEAD, "an envelope is a sealed record");

/* Padding adds a byte at least, so a value is always shorter than its class. */
size_t envelope_class(size_t len)
{
	size_t i = 0;

	while (i < CLASS_COUNT - 1 && len >= classes[i])
		i++;
	return classes[i];
}

static bool is_class(size_t len)
{
	for (size_t i = 0; i < CLASS_COUNT; i++)
		if (classes[i] == len)
			return true;
	return false;
}

static bool is_context_of(const struct dek *dek, const struct value_context *context)
{
	return dek->context.generation == context->dek.generation &&
	       memcmp(dek->context.integration_id, context->dek.integration_id,
		       sizeof(context->dek.integration_id)) == 0;
}

static void value_aad(struct buf *aad, const struct dek *dek, const struct value_context *context)
{
	canon_label(aad, "coffer/value/1");
	canon_fixed(aad, dek->vault_id, sizeof(dek->vault_id));
	canon_fixed(aad, context->dek.integration_id, sizeof(context->dek.integration_id));
	canon_u64(aad, context->dek.generation);
	canon_fixed(aad, context->secret_id, sizeof(context->secret_id));
	canon_text(aad, context->key);
	canon_u64(aad, context->version);
}

enum err envelope_seal(const struct dek *dek, const struct value_context *context, const unsigned char *value,
	size_t len, unsigned char *scratch, unsigned char *out, size_t *out_len)
{
	char aad_bytes[VALUE_AAD_BYTES_MAX];
	struct buf aad = {0};
	size_t padded = 0;

	if (len == 0)
		return ERR_BAD_VALUE;
	if (len > ENVELOPE_VALUE_MAX)
		return ERR_TOO_LARGE;
	if (!is_context_of(dek, context))
		return ERR_INTERNAL;

	size_t class = envelope_class(len);

	buf_init_fixed(&aad, aad_bytes, sizeof(aad_bytes));
	value_aad(&aad, dek, context);
	memcpy(scratch, value, len);

	enum err err = sodium_pad(&padded, scratch, len, class, class) == 0 ? OK : ERR_INTERNAL;

	if (err == OK)
		err = sealed_seal(dek->key.bytes, &aad, scratch, padded, out);
	wipe(scratch, class);
	if (err == OK)
		*out_len = SEALED_OVERHEAD + padded;
	return err;
}

enum err envelope_open(const struct dek *dek, const struct value_context *context,
	const unsigned char *sealed, size_t sealed_len, unsigned char *out, size_t *len_out)
{
	char aad_bytes[VALUE_AAD_BYTES_MAX];
	struct buf aad = {0};
	size_t len = 0;

	if (sealed_len < SEALED_OVERHEAD || !is_class(sealed_len - SEALED_OVERHEAD) ||
		!is_context_of(dek, context))
		return ERR_STORAGE;

	size_t class = sealed_len - SEALED_OVERHEAD;

	buf_init_fixed(&aad, aad_bytes, sizeof(aad_bytes));
	value_aad(&aad, dek, context);
	if (!sealed_open(dek->key.bytes, &aad, sealed, sealed_len, out))
		return ERR_STORAGE;
	if (sodium_unpad(&len, out, class, class) != 0 || len == 0 || envelope_class(len) != class) {
		wipe(out, class);
		return ERR_STORAGE;
	}
	*len_out = len;
	return OK;
}
