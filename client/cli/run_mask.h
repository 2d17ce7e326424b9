/*
 * `coffer run --mask`: the program's output passes through a process that hides the values in it.
 */
#ifndef COFFER_CLI_RUN_MASK_H
#define COFFER_CLI_RUN_MASK_H

#include "run_options.h"

/* Gives the exit status. */
int run_masked(const struct run_options *options);

#endif
