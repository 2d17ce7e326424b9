/*
 * Showing integrations.
 */
#ifndef COFFER_CLI_INTEGRATIONS_H
#define COFFER_CLI_INTEGRATIONS_H

#include "err.h"
#include "reply.h"

enum err integrations_print_list(const struct reply *reply);
enum err integrations_print_one(const struct reply *reply);

/* With its grants and secrets. */
enum err integrations_print_whole(const struct reply *reply);

#endif
