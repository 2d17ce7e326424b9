#include "become.h"

#include <grp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "log.h"
#include "users.h"

#define UNCHANGED_UID ((uid_t)-1)
#define UNCHANGED_GID ((gid_t)-1)

enum err become_find(const char *user, struct become_ids *out)
{
	struct become_ids ids = {0};
	gid_t *groups = NULL;
	size_t count = 0;
	enum err err = users_uid(user, &ids.uid);

	if (err == OK && ids.uid == 0)
		err = ERR_NOT_FOUND;
	if (err == OK)
		err = users_groups(ids.uid, &groups, &count);
	if (err == OK && count == 0)
		err = ERR_NOT_FOUND;
	if (err == OK) {
		ids.gid = groups[0];
		*out = ids;
	}
	free(groups);
	return err;
}

enum err become(const struct become_ids *ids)
{
	if (setgroups(1, &ids->gid) != 0 || setresgid(UNCHANGED_GID, ids->gid, UNCHANGED_GID) != 0 ||
		setresuid(UNCHANGED_UID, ids->uid, UNCHANGED_UID) != 0) {
		become_root();
		return ERR_INTERNAL;
	}
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* a change of ids may set it */
	return OK;
}

void become_root(void)
{
	const gid_t root = 0;

	if (setresuid(UNCHANGED_UID, 0, UNCHANGED_UID) == 0 &&
		setresgid(UNCHANGED_GID, 0, UNCHANGED_GID) == 0 && setgroups(1, &root) == 0) {
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		return;
	}
	log_error("cannot be root again");
	abort();
}
