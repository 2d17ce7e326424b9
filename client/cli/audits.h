/*
 * Audit records from the daemon: as a table, and page by page for whoever needs all of them.
 */
#ifndef COFFER_CLI_AUDITS_H
#define COFFER_CLI_AUDITS_H

#include <stdint.h>

#include "err.h"
#include "reply.h"

struct cli;

/* The command audit list: the newest records, or the oldest that meet some conditions. */
enum err audits_list(struct cli *cli);
enum err audits_print_list(const struct reply *reply);

/* The end of the chain as the daemon gives it. */
struct audits_head {
	int64_t seq;
	char hash[65]; /* hex; "": it gave none */
};

/* Reports its errors itself. */
typedef enum err (*audits_take_fn)(
	struct cli *cli, void *context, const struct reply *reply, const struct json_token *record);

/* Hands over every record after a number, in order, until there are no more.  Errors are reported. */
enum err audits_each(
	struct cli *cli, int64_t after, audits_take_fn take, void *context, struct audits_head *head_out);

/* The command audit export. */
enum err audits_export(struct cli *cli);

#endif
