/*
 * The command rotate: stage, test, promote, wait, revoke.
 */
#ifndef COFFER_CLI_ROTATE_H
#define COFFER_CLI_ROTATE_H

#include "err.h"

struct cli;

enum err rotate_run(struct cli *cli);

#endif
