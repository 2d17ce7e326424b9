/*
 * What a vault needs around its store: the directories, the root key, and the rights to work there.  A vault with root_key =
 * credential is the host's: root makes it for the service's user, and becomes that user wherever that user could have put
 * something in the way.  Any other vault is its maker's own.
 */
#ifndef COFFER_DAEMON_PLACE_H
#define COFFER_DAEMON_PLACE_H

#include "become.h"
#include "config.h"
#include "credential.h"
#include "keys.h"

#define PLACE_USER "coffer" /* User= of cofferd.service */

enum { PLACE_DIRECTORIES = 4 };

struct place {
	const struct config *config; /* not owned */
	bool is_hosts;
	struct become_ids user; /* of the service, for the host's */
	bool has_entered;
	/* What was made here, to be taken back when something fails. */
	bool has_directory[PLACE_DIRECTORIES];
	bool has_key_file;
	struct credential_made credential;
};

/* ERR_CONFIG: the host's vault, and there is no right, program or user for it; reason_out says the way out. */
enum err place_find(struct place *place, const struct config *config, const char **reason_out);

/* Between these two files are the owner's of the vault.  ERR_INTERNAL: not entered. */
enum err place_enter(struct place *place, const char **reason_out);
void place_leave(struct place *place); /* fine when nobody has entered */
#define PLACE_AUTO __attribute__((cleanup(place_leave))) struct place

/* Where the root key is, to be shown; NULL: it was handed over in memory. */
const char *place_key_path(const struct place *place);
bool place_has_key(const struct place *place); /* something of that name is there */

/* As rootkey_read, also of the host's. */
enum err place_read_key(const struct place *place, struct root_key **out, const char **reason_out);

/* Made durably, or there already and right. */
enum err place_make_directories(struct place *place, const char **reason_out);

/* Writes the key.  ERR_CONFLICT: something is there, and stays as it is. */
enum err place_write_key(struct place *place, const struct root_key *key, const char **reason_out);

void place_remove(const struct place *place); /* what was made here */
void place_print(const struct place *place); /* the same, on standard output */

#endif
