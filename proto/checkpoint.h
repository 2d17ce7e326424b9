/*
 * A checkpoint: the vault's signed word that its audit log had a record of this number and hash at this time.  It is
 * a text of nine lines in one form, to be kept elsewhere; the daemon signs it, anybody verifies it with the public key.
 *
 * The signature is Ed25519 (RFC 8032) over every byte before the line that holds it.
 */
#ifndef COFFER_PROTO_CHECKPOINT_H
#define COFFER_PROTO_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "record.h"

enum {
	CHECKPOINT_VAULT_BYTES = 16,
	CHECKPOINT_KEY_BYTES = 32,
	CHECKPOINT_SIGNATURE_BYTES = 64,
	CHECKPOINT_HOST_BYTES = 65, /* with its NUL */
	CHECKPOINT_TEXT_BYTES = 640, /* holds any, with a NUL */
	CHECKPOINT_FINGERPRINT_BYTES = 17,
};

struct checkpoint {
	unsigned char vault[CHECKPOINT_VAULT_BYTES];
	char host[CHECKPOINT_HOST_BYTES];
	uint64_t seq; /* of the record; 0: the log was empty */
	unsigned char hash[RECORD_HASH_BYTES]; /* of the record */
	int64_t time_ms;
	uint64_t epoch; /* of the key */
	unsigned char key[CHECKPOINT_KEY_BYTES]; /* public */
	unsigned char signature[CHECKPOINT_SIGNATURE_BYTES];
};

/* A host's name as checkpoints have it: letters, digits, dots, dashes and underscores; what else there is becomes "-". */
void checkpoint_set_host(char out[CHECKPOINT_HOST_BYTES], const char *name);

/* What is signed: all but the last line. */
void checkpoint_write_body(struct buf *buf, const struct checkpoint *checkpoint);

/* The whole text. */
void checkpoint_write(struct buf *buf, const struct checkpoint *checkpoint);

/* ERR_BAD_VALUE: not exactly what checkpoint_write writes.  Says nothing about the signature. */
enum err checkpoint_read(const char *text, size_t len, struct checkpoint *out);

/* The key that it names has signed it.  Whether that is the vault's key, the caller must know from elsewhere. */
bool checkpoint_is_signed(const struct checkpoint *checkpoint);

/* Sixteen hex digits of the key's hash, for people to compare. */
void checkpoint_fingerprint(
	const unsigned char key[CHECKPOINT_KEY_BYTES], char out[CHECKPOINT_FINGERPRINT_BYTES]);

#endif
