/*
 * An open data key, for envelope.c; inside crypto only.
 */
#ifndef COFFER_CRYPTO_DEK_H
#define COFFER_CRYPTO_DEK_H

#include "envelope.h"
#include "sealed.h"

struct dek_shelf;

/* In guarded memory. */
struct dek {
	struct raw_key key;
	unsigned char vault_id[VAULT_ID_BYTES];
	struct dek_context context;
	struct dek_shelf *shelf; /* where it stands; not owned */
};

#endif
