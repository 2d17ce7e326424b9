/*
 * The environment of a service as its unit file, drop-ins and environment files set it.
 */
#ifndef COFFER_CLI_UNITFILE_H
#define COFFER_CLI_UNITFILE_H

#include "harvest.h"

/*
 * Takes Environment= and EnvironmentFile= of a service into the harvest: what comes later counts, and files
 * count after all settings.  Files are looked for below root ("" for the running system).
 * Errors: NOT_FOUND (no such unit, or it is masked), BAD_NAME (not NAME.service), INTERNAL (no memory).  What
 * cannot be read or is ambiguous becomes a problem of the harvest.
 */
enum err unitfile_read(struct harvest *harvest, const char *root, const char *unit);

#endif
