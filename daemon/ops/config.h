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
