/*
 * Taking over credentials from where they lie in the open.
 */
#ifndef COFFER_CLI_IMPORT_H
#define COFFER_CLI_IMPORT_H

#include "err.h"

struct cli;

/* The command import: all of it is readable without doubt, or nothing is stored. */
enum err import_run(struct cli *cli);

#endif
