/*
 * Where the root key comes from: a systemd credential or a file that only its owner reads.
 */
#ifndef COFFER_DAEMON_ROOTKEY_H
#define COFFER_DAEMON_ROOTKEY_H

#include "config.h"
#include "keys.h"

/*
 * Reads the key.  ERR_NOT_FOUND: there is none.  ERR_CONFIG: not a regular file, readable by others, or not a root key.
 * reason_out names the file and says which.  The text is wiped.
 */
enum err rootkey_read(const struct config *config, struct root_key **out, const char **reason_out);

/* Makes the key file (0400, new, synced) for root_key = file:.  ERR_CONFLICT: something is there. */
enum err rootkey_write(const struct config *config, const struct root_key *key, const char **reason_out);

/* A new name is on the disk when its directory is (P5).  ERR_STORAGE. */
enum err rootkey_sync_directory_of(const char *path);

#endif
