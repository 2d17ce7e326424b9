/*
 * A fetched environment from the inside: who decodes it (fetch.c) and who shows it (env.c) agree here.
 */
#ifndef COFFER_LIB_ENV_H
#define COFFER_LIB_ENV_H

#include <stddef.h>
#include <stdint.h>

#include "coffer.h"
#include "locked.h"
#include "text.h"

enum { RUN_BYTES_MAX = 64, ENV_MARK = 1 };

struct env_entry {
	char name[KEY_BYTES_MAX + 1];
	char *assignment; /* into memory */
	size_t value_len;
	uint64_t version;
	int64_t expires_ms;
};

struct coffer_env {
	struct locked memory; /* its first byte is ENV_MARK, unless a fork zeroed it */
	struct env_entry *entries; /* sorted by name */
	size_t count;
	char integration[INTEGRATION_NAME_BYTES_MAX + 1];
	char run[RUN_BYTES_MAX + 1];
};

#endif
