/*
 * coffer status: the daemon, its store and what needs attention, at a glance; once, or again and again.
 */
#ifndef COFFER_CLI_STATUS_H
#define COFFER_CLI_STATUS_H

#include "err.h"
#include "reply.h"

struct cli;

enum err status_run(struct cli *cli);
enum err status_print(const struct reply *reply);

#endif
