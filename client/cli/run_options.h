/*
 * The command line of `coffer run`.
 */
#ifndef COFFER_CLI_RUN_OPTIONS_H
#define COFFER_CLI_RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

struct run_names {
	const char *name[ENV_KEYS_MAX + 1]; /* ends with NULL; pointers into argv */
	size_t count;
};

struct run_mapping {
	const char *key; /* of the vault */
	const char *name; /* of the variable */
};

struct run_token;

struct run_options {
	const char *integration; /* NULL: the only one */
	const char *socket_path; /* NULL: the default */
	struct run_token *token; /* of the caller; filled by --token-file and --token-fd */
	bool is_user_vault;
	bool is_clean_env;
	bool wants_help;
	bool is_staged;
	bool is_recorded;
	bool is_masked;
	bool wants_change; /* --on-change */
	int change_signal; /* 0: restart */
	int stop_timeout_seconds;
	int splay_seconds;
	const char *verdict; /* digest of the test command; NULL: no test */
	int time_limit_seconds; /* of a test */
	int wait_seconds;
	struct run_names only;
	struct run_names optional;
	struct run_names keep;
	struct run_names file;
	struct run_mapping mapping[ENV_KEYS_MAX];
	size_t mapping_count;
	char **command; /* argv of the program, NULL-terminated */
};

/*
 * Reads argv, in which the word "run" stands at command_at; lists in it are cut up in place, the program's
 * arguments stay untouched.  False: it has said what is wrong.
 */
bool run_options_parse(int argc, char **argv, int command_at, struct run_options *out);

bool run_names_hold(const struct run_names *names, const char *name);

#endif
