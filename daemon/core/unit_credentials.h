/*
 * Which value a unit's credential means: the integration and the key behind a name that stands in LoadCredential=.
 */
#ifndef COFFER_CORE_UNIT_CREDENTIALS_H
#define COFFER_CORE_UNIT_CREDENTIALS_H

#include "handler.h"

struct unit_credential {
	char integration[INTEGRATION_NAME_BYTES_MAX + 1];
	char key[KEY_BYTES_MAX + 1];
	uint64_t grant;
	char other[INTEGRATION_NAME_BYTES_MAX +
		   1]; /* with CONFLICT: it could mean a key of this one as well */
};

/*
 * By the unit's grants and the credential's name alone, whatever state the integration is in.  DENIED: no grant of a unit alone
 * matches; NOT_FOUND: none of the integrations has it; CONFLICT: it is not clear which one is meant.  reason_out: a constant.
 */
enum err unit_credentials_find(struct core *core, const char *unit, const char *name,
	struct unit_credential *out, const char **reason_out);

#endif
