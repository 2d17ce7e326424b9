/*
 * Root acting as another user for a while, and coming back: what that user could have prepared in its own directories then
 * meets that user's rights.  Its processes can neither trace nor signal ours: real and saved ids stay root's.
 */
#ifndef COFFER_OPS_BECOME_H
#define COFFER_OPS_BECOME_H

#include <sys/types.h>

#include "err.h"

struct become_ids {
	uid_t uid; /* never 0 */
	gid_t gid;
};

/* ERR_NOT_FOUND: there is no such user; or it is root. */
enum err become_find(const char *user, struct become_ids *out);

/* Effective ids and groups.  ERR_INTERNAL: nothing has changed. */
enum err become(const struct become_ids *ids);
void become_root(void); /* fine as root; ends the process when it cannot be done */

#endif
