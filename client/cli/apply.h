/*
 * coffer apply: integrations and grants from a file, together or not at all.
 */
#ifndef COFFER_CLI_APPLY_H
#define COFFER_CLI_APPLY_H

#include "err.h"

struct cli;

enum err apply_run(struct cli *cli);

#endif
