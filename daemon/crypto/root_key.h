/*
 * What recovery.c and keys.c need of the root key beyond keys.h; inside crypto only.
 */
#ifndef COFFER_CRYPTO_ROOT_KEY_H
#define COFFER_CRYPTO_ROOT_KEY_H

#include "sealed.h"

/* Takes a copy of the bytes into guarded memory.  ERR_INTERNAL: no memory. */
enum err root_key_new(const struct raw_key *raw, struct root_key **out);

/* Copies the key out of guarded memory; the caller keeps it in a RAW_KEY_AUTO. */
void root_key_copy(const struct root_key *key, struct raw_key *out);

/* A key of its own for one use; context: 8 characters. */
void root_key_derive(const struct root_key *key, const char context[static 8], struct raw_key *out);

#endif
