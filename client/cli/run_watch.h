/*
 * `coffer run --record` and `--on-change`: a supervisor that holds no value stays with the program.
 */
#ifndef COFFER_CLI_RUN_WATCH_H
#define COFFER_CLI_RUN_WATCH_H

#include "run_options.h"

/* Gives the exit status. */
int run_watched(const struct run_options *options);

#endif
