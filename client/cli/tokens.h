/*
 * Access tokens: making one, which is shown once, and what is told of the others.
 */
#ifndef COFFER_CLI_TOKENS_H
#define COFFER_CLI_TOKENS_H

#include "err.h"
#include "reply.h"

struct cli;

enum err tokens_create(struct cli *cli);
enum err tokens_print_list(const struct reply *reply);
enum err tokens_print_revoked(const struct reply *reply);

#endif
