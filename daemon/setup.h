/*
 * The vault on disk, outside the loop: opening it for the daemon, making it, checking it, recovering its
 * root key.  What these do for cofferd init, check and recover they also say on standard output.
 */
#ifndef COFFER_DAEMON_SETUP_H
#define COFFER_DAEMON_SETUP_H

#include <stdbool.h>

#include "config.h"
#include "keys.h"
#include "store.h"

/* Why a vault does not open: two texts, valid as log_about says. */
struct setup_refusal {
	const char *reason; /* what is wrong with which path, and the way out */
	const char *mend; /* the same for everybody: a constant that names no path */
};

/* Reads the root key, opens the store, unwraps the keyring.  ERR_BUSY: another process has it; else there is something to mend. */
enum err setup_open(const struct config *config, struct store **store_out, struct keys **keys_out,
	struct setup_refusal *refusal_out);

/* Whom a new vault's root key is sealed to. */
enum { SETUP_RECIPIENTS_MAX = 8 };

struct setup_recipients {
	struct recovery_recipient key[SETUP_RECIPIENTS_MAX];
	size_t count;
};

/* One more, from its text.  ERR_BAD_VALUE: no such text, or there already.  ERR_TOO_LARGE: too many. */
enum err setup_add_recipient(struct setup_recipients *recipients, const char *text, const char **reason_out);

/* Exit codes.  Errors go to standard error. */
/* Without recipients: with a recovery key of its own, which it prints.  is_new_out: a vault was made. */
int setup_init_for(const struct config *config, const struct setup_recipients *recipients, bool *is_new_out);
int setup_recovery_key(void); /* needs no vault and no configuration */
int setup_check(const struct config *config);
int setup_recover(const struct config *config);
int setup_recover_check(
	const struct config *config); /* the audit log says that it was proven, and nothing else changes */

/* ---- shared by those ---- */

struct site;

/* What is there before init: room for a vault, or the exit code, and that it was said. */
int setup_stand(struct site *site, const struct setup_recipients *wanted, bool *has_room_out);

void setup_free_root_key(struct root_key **key); /* for __attribute__((cleanup)) */

/* A line of text that must not be copied, on standard output; false: not all of it. */
bool setup_write_line(const char *text);

/* Says why and gives the exit code. */
int setup_fail(enum err err, const char *reason);

bool setup_has_store(const struct config *config); /* something of that name is there */

/* With a root key that was read already.  reason_out: a constant, about the store. */
enum err setup_open_store(const struct config *config, const struct root_key *root, struct store **store_out,
	struct keys **keys_out, const char **reason_out);

/* A reason of the store's, with the path that it is about; valid as log_about says. */
const char *setup_about_store(const struct config *config, enum err err, const char *reason);

/* ERR_CONFIG: another root key's store.  ERR_STORAGE: a damaged keyring. */
enum err setup_unwrap_keyring(
	struct store *store, const struct root_key *root, struct keys **out, const char **reason_out);

#endif
