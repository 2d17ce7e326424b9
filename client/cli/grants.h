/*
 * Showing grants.
 */
#ifndef COFFER_CLI_GRANTS_H
#define COFFER_CLI_GRANTS_H

#include "err.h"
#include "reply.h"

enum err grants_print_list(const struct reply *reply);
enum err grants_print_added(const struct reply *reply);
enum err grants_print_explained(const struct reply *reply);
enum err grants_print_removed(const struct reply *reply);

#endif
