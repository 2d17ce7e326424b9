/*
 * What became of an integration: its history as a table, and the commands that change who answers for it and its state.
 */
#ifndef COFFER_CLI_CHANGES_H
#define COFFER_CLI_CHANGES_H

#include "err.h"
#include "reply.h"

struct cli;

/* The commands integration show, with its --history, and integration transfer. */
enum err changes_show(struct cli *cli);
enum err changes_transfer(struct cli *cli);

/* Of integration show: its record, or its history. */
enum err changes_print_shown(const struct reply *reply);
enum err changes_print_transferred(const struct reply *reply);
enum err changes_print_review(const struct reply *reply);
enum err changes_print_state(const struct reply *reply);
enum err changes_print_retired(const struct reply *reply);

#endif
