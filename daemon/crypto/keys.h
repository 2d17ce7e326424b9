/*
 * The key hierarchy: a root key that never touches the store, a keyring wrapped by it, and per
 * integration a data key wrapped by the keyring.  Formats: SECURITY.md, "Keys".  libsodium only here and
 * in envelope.c.  Long-lived keys live in sodium_malloc memory that is inaccessible while idle (P1).
 */
#ifndef COFFER_CRYPTO_KEYS_H
#define COFFER_CRYPTO_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum {
	KEY_BYTES = 32,
	RKID_BYTES = 8,
	VAULT_ID_BYTES = 16,
	MAC_BYTES = 32,
	WRAPPED_KEY_BYTES = 1 + 24 + 32 + KEY_BYTES + 16, /* a sealed record of one key, unpadded */
	ROOT_KEY_TEXT_BYTES = 128, /* room for root_key_format and its NUL */
	RECOVERY_BOX_BYTES = KEY_BYTES + 48,
	RECOVERY_TEXT_BYTES = 160,
	RECOVERY_FINGERPRINT_BYTES = 17,
};

/* Must succeed before anything else here; safe to repeat.  ERR_INTERNAL otherwise. */
enum err crypto_start(void);

void random_bytes(void *out, size_t len);

/* Constant time for a given len; public inputs only decide the length. */
bool bytes_equal(const void *a, const void *b, size_t len);

/* ---- root key ---- */

struct root_key; /* 32 bytes, locked */

enum err root_key_generate(struct root_key **out);
/*
 * The file or credential: "coffer-root-key-1\n", base64 of the 32 bytes, "\n", hex of an 8-byte BLAKE2b
 * checksum of the 32 bytes, "\n".  ERR_BAD_VALUE: not that text, or the checksum does not fit.  The caller wipes text.
 */
enum err root_key_parse(const char *text, size_t len, struct root_key **out);
void root_key_format(const struct root_key *key, char out[ROOT_KEY_TEXT_BYTES]);
void root_key_id(const struct root_key *key, unsigned char out[RKID_BYTES]);
void root_key_free(struct root_key *key); /* wipes; NULL is fine */

/* ---- recovery: the root key sealed to an offline X25519 key ---- */

/* To whom a root key is sealed: the public half, and the fingerprint that names it. */
struct recovery_recipient {
	unsigned char public_key[KEY_BYTES];
	char fingerprint[RECOVERY_FINGERPRINT_BYTES];
};

/*
 * A new pair.  secret_text gets "coffer-recovery-1-", hex of the secret key, "-", hex of an 8-byte checksum: shown once,
 * wiped by the caller.
 */
enum err recovery_generate(
	struct recovery_recipient *recipient_out, char secret_text_out[RECOVERY_TEXT_BYTES]);
/* "coffer-recipient-1-", hex of the public key, "-", the fingerprint, which is its checksum, too. */
void recovery_recipient_format(const struct recovery_recipient *recipient, char out[RECOVERY_TEXT_BYTES]);
/* ERR_BAD_VALUE: not that text, or a key to which nothing can be sealed. */
enum err recovery_recipient_parse(const char *text, size_t len, struct recovery_recipient *out);
enum err recovery_seal(const struct root_key *key, const struct recovery_recipient *recipient,
	unsigned char box_out[RECOVERY_BOX_BYTES]);
/* ERR_BAD_VALUE: not a recovery key.  ERR_DENIED: it does not open this box. */
enum err recovery_open(
	const char *secret_text, size_t len, const unsigned char *box, size_t box_len, struct root_key **out);

/* ---- keyring ---- */

enum key_purpose { KEY_PURPOSE_KEK, KEY_PURPOSE_MAC, KEY_PURPOSE_TOK, KEY_PURPOSE_SIG, KEY_PURPOSE_COUNT };

const char *key_purpose_word(enum key_purpose purpose); /* "KEK\0" … as stored */

struct keys; /* the unwrapped keyring */

/* A fresh keyring of epoch 1. */
enum err keys_generate(const unsigned char vault_id[VAULT_ID_BYTES], struct keys **out);
enum err keys_wrap(const struct keys *keys, enum key_purpose purpose, const struct root_key *root,
	unsigned char out[WRAPPED_KEY_BYTES]);
/* Start empty, then add each stored row.  ERR_DENIED: this root key does not open it, or the row is damaged. */
enum err keys_new(const unsigned char vault_id[VAULT_ID_BYTES], struct keys **out);
enum err keys_unwrap(struct keys *keys, const char *purpose, uint64_t epoch, const struct root_key *root,
	const unsigned char *wrapped, size_t len);
bool keys_are_complete(const struct keys *keys);
/* Wipes; NULL is fine.  Data keys opened with it are closed before. */
void keys_free(struct keys *keys);

/*
 * The ring is readable only while somebody works with it, and each use opens and closes it by two system
 * calls.  Whoever does many things in a row (a turn) may hold it open meanwhile; calls nest.
 */
void keys_hold(const struct keys *keys);
void keys_release(const struct keys *keys);

/* BLAKE2b-256 keyed with MAC, over a label and bytes. */
void keys_mac(const struct keys *keys, const char *label, const void *bytes, size_t len,
	unsigned char out[MAC_BYTES]);

/*
 * An Ed25519 signature (RFC 8032) by the key whose seed is SIG, and the public half of that key.  Deterministic: the
 * same bytes give the same signature.
 */
enum { SIGNATURE_BYTES = 64 };
void keys_sign(const struct keys *keys, const void *bytes, size_t len, unsigned char out[SIGNATURE_BYTES]);
void keys_public(const struct keys *keys, unsigned char out[KEY_BYTES]);
uint64_t keys_epoch(const struct keys *keys, enum key_purpose purpose); /* 0: not in the ring */

/* ---- data keys ---- */

struct dek_context {
	unsigned char integration_id[16];
	uint64_t generation;
};

/* A new random data key, wrapped. */
enum err keys_new_dek(
	const struct keys *keys, const struct dek_context *context, unsigned char out[WRAPPED_KEY_BYTES]);

#endif
