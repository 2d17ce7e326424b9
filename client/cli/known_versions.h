/*
 * Which version of each key is current, as far as env.watch and its events have told; never a value.
 */
#ifndef COFFER_CLI_KNOWN_VERSIONS_H
#define COFFER_CLI_KNOWN_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run_options.h"
#include "text.h"

struct known_versions {
	size_t count;
	struct {
		char key[KEY_BYTES_MAX + 1];
		int64_t version;
	} list[ENV_KEYS_MAX];
};

/*
 * Learns from the JSON text of env.watch's result, or of the params of env.changed.  True when a key that only asks
 * for (all of them, if it is empty) has another current version than before.
 */
bool known_versions_learn(
	struct known_versions *versions, const struct run_names *only, const char *json, size_t len);

#endif
