/*
 * The configuration's role names as the numbers that policy compares.
 */
#ifndef COFFER_DAEMON_ROLES_H
#define COFFER_DAEMON_ROLES_H

#include "config.h"
#include "policy.h"

/* Names that do not exist on this host are logged and left out: they can match nobody.  ERR_INTERNAL: no memory. */
enum err roles_resolve(const struct config *config, struct roles *out);
void roles_clear(struct roles *roles);

#endif
