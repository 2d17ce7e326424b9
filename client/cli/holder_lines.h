/*
 * Shows who may hold which version of which credential.
 */
#ifndef COFFER_CLI_HOLDER_LINES_H
#define COFFER_CLI_HOLDER_LINES_H

#include "err.h"
#include "reply.h"

struct cli;

enum err holder_lines_print(const struct reply *reply);

/* "etl.service (pid 4711, since 2026-11-24T09:30:00Z)", fit for a terminal. */
void holder_lines_append(struct buf *buf, const struct reply *reply, const struct json_token *holder);

/* After a call that gave ERR_IN_USE: the holders that came with it, on standard error.  Nothing where none came. */
void holder_lines_show_refused(const struct cli *cli);

#endif
