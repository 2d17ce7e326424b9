/*
 * The text of an access token: coffer_<id>_<secret>_<checksum>.
 *
 *   id        the token's number, decimal
 *   secret    256 random bits as 52 digits of Crockford's base 32, lower case; the four bits too many are zero
 *   checksum  CRC-32 (that of zlib) of all before its underscore, 8 hex digits: a copy that was cut off or mistyped is
 *             found out without asking anybody, and so is, for who searches files for lost tokens, a text that only looks like one
 *
 * One token has one text.  What is in the text is a secret (P1): callers keep it in locked memory; nothing here copies it.
 */
#ifndef COFFER_PROTO_TOKEN_H
#define COFFER_PROTO_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum {
	TOKEN_SECRET_BYTES = 32,
	TOKEN_SECRET_DIGITS = 52,
	TOKEN_TEXT_MAX = 7 + 16 + 1 + TOKEN_SECRET_DIGITS + 1 + 8, /* of the largest id, without a NUL */
};

/* The largest id: what JSON carries exactly. */
#define TOKEN_ID_MAX ((uint64_t)9007199254740991)

/* Writes the text, no NUL, and returns its length.  id is 1 … TOKEN_ID_MAX. */
size_t token_write(uint64_t id, const unsigned char secret[TOKEN_SECRET_BYTES], char out[TOKEN_TEXT_MAX]);

/*
 * ERR_BAD_VALUE: not such a text.  The id and the checksum are no secret; the digits of the secret are read in constant
 * time.  secret_out (locked memory) may be NULL; after an error it is wiped.
 */
enum err token_read(const char *text, size_t len, uint64_t *id_out, unsigned char *secret_out);

#endif
