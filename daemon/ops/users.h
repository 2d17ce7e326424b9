/*
 * Names of users and groups, from the name service.  Looked up when a configuration or a grant is read,
 * and for display; never to decide who a caller is.  May block for as long as the name service does.
 */
#ifndef COFFER_OPS_USERS_H
#define COFFER_OPS_USERS_H

#include <stddef.h>
#include <sys/types.h>

#include "err.h"

enum { USER_NAME_BYTES = 64 };

/* Also takes decimal ids.  ERR_NOT_FOUND. */
enum err users_uid(const char *name, uid_t *out);
enum err users_gid(const char *name, gid_t *out);

/*
 * The groups that the user database gives this user, its primary one first; *groups_out is to be freed.  ERR_NOT_FOUND:
 * nobody has this number.
 */
enum err users_groups(uid_t uid, gid_t **groups_out, size_t *count_out);

/* The name, or the decimal id where there is none.  Remembers the last few answers for a minute. */
void users_name(uid_t uid, char out[USER_NAME_BYTES]);
void users_group_name(gid_t gid, char out[USER_NAME_BYTES]);

/*
 * Asks every name service for somebody who is not there, so that its code is loaded.  One that the host gets later is not
 * asked until a restart.
 */
void users_load_modules(void);

/* Can this user still be somebody's?  A name service that fails has said nothing: fine. */
enum account {
	ACCOUNT_FINE,
	ACCOUNT_GONE, /* no user has this number */
	ACCOUNT_LOCKED, /* its password is locked, it has expired, or its shell lets nobody in */
};

enum account users_account(uid_t uid);

/* The users that a group's entry names: those whose primary group it is are not among them.  ERR_NOT_FOUND. */
enum err users_members(gid_t gid, uid_t *out, size_t cap, size_t *count_out);

#endif
