/*
 * The root key as a credential of the service: sealed to this host, and to its TPM where there is one, by systemd-creds.
 * The key goes to it and comes back through pipes, and is in locked memory on our side (P1).  For root.
 */
#ifndef COFFER_DAEMON_CREDENTIAL_H
#define COFFER_DAEMON_CREDENTIAL_H

#include <stdbool.h>

#include "config.h"
#include "keys.h"

#define CREDENTIAL_PATH "/etc/coffer/rootkey.cred" /* LoadCredentialEncrypted= of cofferd.service */

/* The key is that credential, and nobody has handed it to us unsealed: then init, check and recover are root's. */
bool credential_is_ours(const struct config *config);

/* ERR_CONFIG: not root, or systemd-creds is not there; reason_out says the way out.  All reasons here are constants. */
enum err credential_check_usable(const char **reason_out);

/* ERR_NOT_FOUND: there is none.  ERR_CONFIG: this host cannot unseal it, or it is no root key. */
enum err credential_read(const struct config *config, struct root_key **out, const char **reason_out);

struct credential_made {
	bool is_file;
	bool is_directory; /* /etc/coffer was not there */
	bool has_tpm; /* sealed to it, too */
};

/*
 * Seals the key, proves that it can be unsealed, and writes the file (0400, durable).  After an error nothing is left.
 * ERR_CONFLICT: something is there.
 */
enum err credential_write(const struct config *config, const struct root_key *key,
	struct credential_made *made_out, const char **reason_out);

void credential_remove(const struct credential_made *made);

#endif
