/*
 * What the daemon says about the caller.
 */
#ifndef COFFER_CLI_SESSION_H
#define COFFER_CLI_SESSION_H

#include "err.h"
#include "reply.h"

enum err session_print_whoami(const struct reply *reply);

#endif
