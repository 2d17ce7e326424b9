/*
 * Shows how an integration was used: a line of bars, a day or some days each, and who used it.
 */
#ifndef COFFER_CLI_USAGE_H
#define COFFER_CLI_USAGE_H

#include "err.h"
#include "reply.h"

enum err usage_print(const struct reply *reply);

#endif
