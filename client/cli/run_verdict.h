/*
 * `coffer run --staged --verdict DIGEST`: runs the program as a test of staged values and records how it went.
 */
#ifndef COFFER_CLI_RUN_VERDICT_H
#define COFFER_CLI_RUN_VERDICT_H

#include "run_options.h"

/* Gives the exit status. */
int run_verdict(const struct run_options *options);

#endif
