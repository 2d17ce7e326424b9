/*
 * The kinds of values in a configuration file: each checks one and stores it in struct config.
 */
#ifndef COFFER_OPS_CONFIG_VALUE_H
#define COFFER_OPS_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "config_file.h"

struct config_key;

/* False after config_file_error. */
typedef bool config_set_fn(
	struct config_file *file, struct config *config, const struct config_key *key, const char *value);

struct config_key {
	const char *section;
	const char *name;
	const char *fallback; /* read like a value in the file */
	config_set_fn *set;
	size_t offset, size; /* of the member of struct config */
	int64_t least, most; /* of a limit */
};

config_set_fn config_set_path; /* absolute and plain */
config_set_fn config_set_socket; /* a path that fits sun_path */
config_set_fn config_set_root_key; /* credential | file:/path */
config_set_fn config_set_flag; /* yes | no */
config_set_fn config_set_names; /* users and %groups, separated by commas; empty: nobody */
config_set_fn config_set_required; /* documented fields, separated by commas; empty: none */
config_set_fn config_set_approval; /* methods, separated by commas; empty: none */
config_set_fn config_set_limit; /* a decimal number in the key's range */

#endif
