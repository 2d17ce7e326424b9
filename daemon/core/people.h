/*
 * What is known of users and groups for alerts, remembered for a minute: a name service may be slow, and the same few
 * people stand behind thousands of rows.
 */
#ifndef COFFER_CORE_PEOPLE_H
#define COFFER_CORE_PEOPLE_H

#include "policy.h"
#include "store.h"
#include "users.h"

struct people;

enum err people_new(struct people **out);
void people_free(struct people *people); /* NULL is fine */
void people_forget(struct people *people); /* the roles are others now */

enum account people_account(struct people *people, uint32_t uid);

/* The number that a user's name has now; false: nobody has it. */
bool people_named(struct people *people, const char *name, uint32_t *uid_out);

/* The roles (set of enum role) of whom a grant to this user, or to this group, reaches. */
unsigned people_roles_of_user(struct people *people, const struct roles *roles, uint32_t uid);
unsigned people_roles_of_group(struct people *people, const struct roles *roles, uint32_t gid);

#endif
