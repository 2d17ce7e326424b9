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

/*
 * Calls fn for each setting of [Service], in the order in which systemd reads them; texts live until fn returns.  Environment
 * files are not read.  Errors as above; what cannot be read is a problem of the harvest.
 */
typedef void unitfile_setting_fn(void *arg, const char *name, const char *value);
enum err unitfile_settings(
	struct harvest *harvest, const char *root, const char *unit, unitfile_setting_fn *fn, void *arg);

#endif
