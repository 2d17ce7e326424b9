/*
 * What people type for a time or a user, as the fields of requests take it.
 */
#ifndef COFFER_CLI_MOMENTS_H
#define COFFER_CLI_MOMENTS_H

#include <stdbool.h>

#include "err.h"
#include "request.h"

struct cli;

/*
 * Replaces what was given for a field of time by RFC 3339 in UTC: that itself, a date (its first moment, or its last with
 * is_end), or a duration back from now.  Nothing given is fine.  ERR_USAGE, reported.
 */
enum err moments_settle(struct cli *cli, enum field field, bool is_end);

/* Replaces --user NAME by --uid NUMBER.  ERR_USAGE, reported: no such user here, or both were given. */
enum err moments_settle_user(struct cli *cli);

#endif
