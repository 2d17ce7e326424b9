/*
 * Showing what there is to know about secrets without their values.
 */
#ifndef COFFER_CLI_SECRETS_H
#define COFFER_CLI_SECRETS_H

#include "err.h"
#include "reply.h"

struct cli;

/* The command secret list. */
enum err secrets_list(struct cli *cli);

enum err secrets_print_list(const struct reply *reply);
enum err secrets_print_one(const struct reply *reply);
enum err secrets_print_edited(const struct reply *reply);
enum err secrets_print_version(const struct reply *reply);
enum err secrets_print_removed(const struct reply *reply);

#endif
