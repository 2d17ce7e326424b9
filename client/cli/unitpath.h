/*
 * Which files make up a service: its unit file and its drop-ins, in the order in which systemd reads them.
 */
#ifndef COFFER_CLI_UNITPATH_H
#define COFFER_CLI_UNITPATH_H

#include <stddef.h>

#include "err.h"

struct unitpath {
	char **paths; /* the unit file first, then the drop-ins in their order */
	char **names; /* of the drop-ins: the last part of each path */
	size_t count;
};

/* The directories of system units, what counts first; ends with NULL. */
const char *const *unitpath_directories(void);

/*
 * Looks below root ("" for the running system) in the directories of system units.
 * Errors: NOT_FOUND (no unit file, or it is masked), BAD_NAME (not NAME.service), INTERNAL (no memory).
 */
enum err unitpath_find(const char *root, const char *unit, struct unitpath *out);
void unitpath_clear(struct unitpath *path);

#define UNITPATH_AUTO __attribute__((cleanup(unitpath_clear))) struct unitpath

#endif
