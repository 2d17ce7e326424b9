/*
 * The configuration file and its defaults, as one read-only struct.  Unknown sections and keys and bad
 * values are errors with file and line.
 */
#ifndef COFFER_OPS_CONFIG_H
#define COFFER_OPS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "request.h"

enum { CONFIG_ERROR_BYTES = 512, CONFIG_NAMES_MAX = 64, CONFIG_PATH_BYTES = 4096 };

enum root_key_source { ROOT_KEY_CREDENTIAL, ROOT_KEY_FILE };

/* Users, and groups written %group. */
struct config_names {
	char *names[CONFIG_NAMES_MAX];
	size_t count;
};

#define LIMIT(name, value, least, most, text) int64_t name;
struct config_limits {
#include "limits.def"
};
#undef LIMIT

/* What the organisation asks of its integrations, and keeps. */
struct config_rules {
	bool is_required
		[FIELD_COUNT]; /* [policy] require: documented fields without which nothing is in production */
	bool needs_approval
		[REQUEST_COUNT]; /* [approval] require: not without a second person, in production */
	int64_t approval_days; /* until a request that nobody has decided expires */
	int64_t audit_keep_days; /* older records may be archived; 0: kept for ever */
	int64_t audit_max_mib; /* of records in the store; 0: no limit */
	int64_t rotate_soon_days; /* an alert so long before a rotation is due */
	int64_t unused_days; /* an alert after so long without a fetch */
	int64_t staged_days; /* a staged version that waits longer was forgotten */
};

struct config {
	char state_dir[CONFIG_PATH_BYTES];
	char anchor[CONFIG_PATH_BYTES];
	char socket[CONFIG_PATH_BYTES];
	char backup_dir[CONFIG_PATH_BYTES];
	char archive_dir[CONFIG_PATH_BYTES];
	enum root_key_source root_key_source;
	char root_key_path[CONFIG_PATH_BYTES]; /* for ROOT_KEY_FILE */
	bool allow_swap; /* [vault] allow_swap = yes: go on where memory cannot be locked */
	struct config_names admin, operator, auditor;
	struct config_rules rules;
	struct config_limits limits;
};

/*
 * Reads path into *out (heap; config_free).  ERR_CONFIG: error_out holds "FILE:LINE: what and the way out".
 * Paths must be absolute.  The socket path must fit sun_path.
 */
enum err config_load(const char *path, struct config **out, char error_out[CONFIG_ERROR_BYTES]);
void config_free(struct config *config);

/*
 * The [vault] keys whose settings differ, as "a, b".  Both must be of config_load, which leaves no byte
 * undefined.
 */
bool config_vault_differs(
	const struct config *config, const struct config *other, char names_out[CONFIG_ERROR_BYTES]);

/*
 * The limits as far as descriptors (RLIMIT_NOFILE) allow them: a connection takes two, a live holder one, and the store
 * keeps some.  Holders get at most a third of what there is, so that neither can lock the other out.
 */
struct config_limits config_within_descriptors(const struct config_limits *limits);

/* Default configuration file: the system's, or with user the one in XDG_CONFIG_HOME. */
enum err config_default_path(bool user, char out[CONFIG_PATH_BYTES]);

#endif
