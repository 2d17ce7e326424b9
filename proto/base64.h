/*
 * Base64 (RFC 4648 section 4), canonical only: no white space, full padding, unused bits zero.
 */
#ifndef COFFER_PROTO_BASE64_H
#define COFFER_PROTO_BASE64_H

#include <stddef.h>

#include "err.h"

/* Size of the encoding, without a NUL. */
size_t base64_encoded_len(size_t len);

/* Writes base64_encoded_len(len) characters and no NUL. */
void base64_encode(const unsigned char *bytes, size_t len, char *out);

/*
 * Decodes into out (may be the same memory as text).  ERR_BAD_VALUE: not canonical; ERR_TOO_LARGE: over cap.
 * On an error out may hold the beginning of the decoded bytes.
 */
enum err base64_decode(const char *text, size_t len, unsigned char *out, size_t cap, size_t *len_out);

/* Lower-case hex: 2 * len characters and no NUL; and back (lower case only, even length). */
void hex_encode(const unsigned char *bytes, size_t len, char *out);
enum err hex_decode(const char *text, size_t text_len, unsigned char *out, size_t out_len);

#endif
