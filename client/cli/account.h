/*
 * The user that an integration runs as, and becoming that user for good.
 */
#ifndef COFFER_CLI_ACCOUNT_H
#define COFFER_CLI_ACCOUNT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

struct cli;

struct account {
	uid_t uid;
	gid_t gid;
	char name[256];
	char home[PATH_MAX];
	char shell[PATH_MAX];
};

/*
 * The user that --as names, else the only one whom grants of the integration name, those for testers aside.  Errors are reported; they
 * list the users where there are several.
 */
enum err account_find(struct cli *cli, struct account *out);

/*
 * Becomes the user, with the user's groups, HOME, USER, LOGNAME and SHELL, and nothing that leads back.
 * Needs root.  Errors are reported; the process must then end.
 */
enum err account_become(const struct cli *cli, const struct account *account);

#endif
