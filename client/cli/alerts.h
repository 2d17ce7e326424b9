/*
 * What somebody must act on.
 */
#ifndef COFFER_CLI_ALERTS_H
#define COFFER_CLI_ALERTS_H

#include "err.h"
#include "reply.h"

struct cli;

/* The command alerts: its exit status is 1 when there are any that nobody has seen. */
enum err alerts_run(struct cli *cli);
enum err alerts_print(const struct reply *reply);

/* The command alert ack. */
enum err alerts_ack(struct cli *cli);
enum err alerts_print_acked(const struct reply *reply);

#endif
