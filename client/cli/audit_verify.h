/*
 * The command audit verify: files in their order, or the daemon's records, against what was saved of them.
 */
#ifndef COFFER_CLI_AUDIT_VERIFY_H
#define COFFER_CLI_AUDIT_VERIFY_H

#include "err.h"

struct cli;

enum err audit_verify_run(struct cli *cli);

#endif
