/*
 * The commands audit export and audit follow: records as lines, those that are there and those that come.
 */
#ifndef COFFER_CLI_AUDIT_EXPORT_H
#define COFFER_CLI_AUDIT_EXPORT_H

#include "err.h"

struct cli;

enum err audit_export_run(struct cli *cli);
enum err audit_follow_run(struct cli *cli);

#endif
