/*
 * What the daemon says about itself and about the caller.
 */
#ifndef COFFER_CLI_SESSION_H
#define COFFER_CLI_SESSION_H

#include "err.h"
#include "reply.h"

enum err session_print_status(const struct reply *reply);
enum err session_print_whoami(const struct reply *reply);

#endif
