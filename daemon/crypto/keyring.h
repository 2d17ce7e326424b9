/*
 * What dek.c needs of the keyring beyond keys.h; inside crypto only.
 */
#ifndef COFFER_CRYPTO_KEYRING_H
#define COFFER_CRYPTO_KEYRING_H

#include "sealed.h"

struct dek_shelf;

const unsigned char *keyring_vault_id(const struct keys *keys);

/* 0: this key is not in the ring. */
uint64_t keyring_epoch(const struct keys *keys, enum key_purpose purpose);

/* The key itself; readable between keys_hold and keys_release only. */
const unsigned char *keyring_key(const struct keys *keys, enum key_purpose purpose);

/* The ring's room for open data keys; made with the ring, freed with it. */
struct dek_shelf *keyring_shelf(const struct keys *keys);

enum err dek_shelf_new(struct dek_shelf **out);
void dek_shelf_free(struct dek_shelf *shelf); /* no data key is open any more */

#endif
