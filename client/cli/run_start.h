/*
 * A program that is about to start: found, and its environment fetched and merged.
 */
#ifndef COFFER_CLI_RUN_START_H
#define COFFER_CLI_RUN_START_H

#include <limits.h>
#include <stdbool.h>

#include "coffer.h"
#include "run_env.h"
#include "run_options.h"

struct run_start {
	char program[PATH_MAX];
	coffer_env *fetched;
	struct run_env env;
};

/*
 * Finds the program, shields this process and fetches.  0, or the exit status: it has said what is wrong, unless
 * is_quiet and trying again may help.  To be cleared in either case.
 */
int run_start_prepare(const struct run_options *options, bool is_quiet, struct run_start *out);

/* Wipes this process's copies.  Fine on {0}. */
void run_start_clear(struct run_start *start);

/* The run's id for a report; "" when the daemon gave none that could be reported. */
void run_start_id(const struct run_start *start, char out[RUN_ID_BYTES + 1]);

/* Says why execve(2) refused; gives the exit status. */
int run_start_refused(const struct run_options *options, int error);

/*
 * Becomes the program.  note_fd: where the run's id is written before (-1: nowhere).  Returns only the exit status of
 * a program that was not started.
 */
int run_in_place(const struct run_options *options, bool is_quiet, int note_fd);

#define RUN_START_AUTO __attribute__((cleanup(run_start_clear))) struct run_start

#endif
