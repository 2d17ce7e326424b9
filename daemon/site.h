/*
 * What a vault needs around its store: the directories, the root key, and the rights to work there.  A vault with root_key =
 * credential is the host's: root makes it for the service's user, and becomes that user wherever that user could have put
 * something in the way.  Any other vault is its maker's own.
 */
#ifndef COFFER_DAEMON_SITE_H
#define COFFER_DAEMON_SITE_H

#include "become.h"
#include "config.h"
#include "credential.h"
#include "keys.h"

#define SITE_USER "coffer" /* User= of cofferd.service */

enum { SITE_DIRECTORIES = 4 };

struct site {
	const struct config *config; /* not owned */
	bool is_hosts;
	struct become_ids user; /* of the service, for the host's */
	bool has_entered;
	/* What was made here, to be taken back when something fails. */
	bool has_directory[SITE_DIRECTORIES];
	bool has_key_file;
	struct credential_made credential;
};

/* ERR_CONFIG: the host's vault, and there is no right, program or user for it; reason_out says the way out. */
enum err site_find(struct site *site, const struct config *config, const char **reason_out);

/* Between these two files are the owner's of the vault.  ERR_INTERNAL: not entered. */
enum err site_enter(struct site *site, const char **reason_out);
void site_leave(struct site *site); /* fine when nobody has entered */
#define SITE_AUTO __attribute__((cleanup(site_leave))) struct site

/* Where the root key is, to be shown; NULL: it was handed over in memory. */
const char *site_key_path(const struct site *site);
bool site_has_key(const struct site *site); /* something of that name is there */

/* As rootkey_read, also of the host's. */
enum err site_read_key(const struct site *site, struct root_key **out, const char **reason_out);

/* Made durably, or there already and right. */
enum err site_make_directories(struct site *site, const char **reason_out);

/* Writes the key.  ERR_CONFLICT: something is there, and stays as it is. */
enum err site_write_key(struct site *site, const struct root_key *key, const char **reason_out);

void site_remove(const struct site *site); /* what was made here */
void site_print(const struct site *site); /* the same, on standard output */

#endif
