/*
 * The vault on disk, outside the loop: opening it for the daemon, making it, checking it, recovering its
 * root key.  What these do for cofferd init, check and recover they also say on standard output.
 */
#ifndef COFFER_DAEMON_SETUP_H
#define COFFER_DAEMON_SETUP_H

#include "config.h"
#include "keys.h"
#include "store.h"

/* Reads the root key, opens the store, unwraps the keyring.  reason_out: what is wrong and the way out, a constant. */
enum err setup_open(const struct config *config, struct store **store_out, struct keys **keys_out,
	const char **reason_out);

/* Exit codes.  Errors go to standard error. */
int setup_init(const struct config *config);
int setup_check(const struct config *config);
int setup_recover(const struct config *config);

#endif
