/*
 * Sealing and opening one value, bound to its place (P6):
 *
 *   0x01 ‖ nonce[24] ‖ k_com[32] ‖ XChaCha20-Poly1305-IETF(padded value, AAD, nonce, k_enc)
 *   k_enc ‖ k_com = BLAKE2b-512(key = DEK, personal = "coffer/record/1", nonce ‖ le64(len AAD) ‖ AAD)
 *
 * The AAD names vault, integration, data-key generation, secret, key name and version.  The commitment
 * k_com makes the record open under one key and one context only; a bare AEAD promises neither.
 * Values are padded (ISO/IEC 7816-4, sodium_pad) to 64, 256, 1024, 4096, 16384 or 65536 bytes.
 */
#ifndef COFFER_CRYPTO_ENVELOPE_H
#define COFFER_CRYPTO_ENVELOPE_H

#include "keys.h"

enum {
	ENVELOPE_FORMAT = 1,
	ENVELOPE_OVERHEAD = 1 + 24 + 32 + 16,
	ENVELOPE_BYTES_MAX = ENVELOPE_OVERHEAD + 65536,
	ENVELOPE_VALUE_MAX = 65535,
};

struct value_context {
	struct dek_context dek;
	unsigned char secret_id[16];
	const char *key; /* variable name */
	uint64_t version;
};

/* The padded size class of a value of len bytes (1 … ENVELOPE_VALUE_MAX). */
size_t envelope_class(size_t len);

/* An unwrapped data key, for opening several values in a row. */
struct dek;

/* ERR_STORAGE: the wrapped key does not open in this context (damaged or moved).  ERR_BUSY: 64 are open. */
enum err dek_open(const struct keys *keys, const struct dek_context *context, const unsigned char *wrapped,
	size_t len, struct dek **out);
void dek_close(struct dek *dek); /* wipes; NULL is fine */

/* out has room for ENVELOPE_OVERHEAD + envelope_class(len).  scratch: locked memory of at least the class. */
enum err envelope_seal(const struct dek *dek, const struct value_context *context, const unsigned char *value,
	size_t len, unsigned char *scratch, unsigned char *out, size_t *out_len);

/*
 * Opens into out (locked memory, at least sealed_len bytes); *len_out is the value's length.
 * ERR_STORAGE for every kind of failure; nothing of the plaintext stays in out then.
 */
enum err envelope_open(const struct dek *dek, const struct value_context *context,
	const unsigned char *sealed, size_t sealed_len, unsigned char *out, size_t *len_out);

/* Runs libc copies and stack wipes so that no register or dead stack frame keeps a piece of a value (P1). */
void scrub_registers_and_stack(void);

#endif
