/*
 * Shows the run log of an integration.
 */
#ifndef COFFER_CLI_HISTORY_H
#define COFFER_CLI_HISTORY_H

#include "err.h"
#include "reply.h"

enum err history_print(const struct reply *reply);

#endif
