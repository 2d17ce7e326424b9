/*
 * The commands audit checkpoint and audit archive.
 */
#ifndef COFFER_CLI_AUDIT_ARCHIVE_H
#define COFFER_CLI_AUDIT_ARCHIVE_H

#include "err.h"
#include "reply.h"

struct cli;

enum err audit_checkpoint_run(struct cli *cli);
enum err audit_archive_run(struct cli *cli);
enum err audit_archive_print(const struct reply *reply);

#endif
