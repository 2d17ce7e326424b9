/*
 * The environment that the program will get.
 */
#ifndef COFFER_CLI_RUN_ENV_H
#define COFFER_CLI_RUN_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "coffer.h"
#include "locked.h"
#include "run_file.h"
#include "run_options.h"

struct run_env {
	char **strings; /* NULL-terminated, of inherited strings, of fetched ones and of those in renamed */
	size_t count;
	struct locked renamed; /* "NAME=value" of what --map gives another name */
	struct run_files files;
};

/* The PATH of that environment, which no secret can be: known before anything is fetched. */
const char *run_env_path(const struct run_options *options);

/*
 * Merges the inherited environment and the fetched one, which must outlive the result.  False: it has said what
 * is wrong.  To be cleared in either case.
 */
bool run_env_build(const struct run_options *options, const coffer_env *fetched, struct run_env *out);

/* Wipes what is ours and closes the files.  Fine on {0}. */
void run_env_clear(struct run_env *env);

#define RUN_ENV_AUTO __attribute__((cleanup(run_env_clear))) struct run_env

#endif
