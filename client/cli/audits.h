/*
 * Audit records from the daemon: as a table, and page by page for whoever needs all of them.
 */
#ifndef COFFER_CLI_AUDITS_H
#define COFFER_CLI_AUDITS_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "reply.h"

struct cli;

/* The command audit list: the newest records, or the oldest that meet some conditions. */
enum err audits_list(struct cli *cli);
enum err audits_print_list(const struct reply *reply);

/* Settles the conditions that were given.  Errors are reported. */
enum err audits_settle(struct cli *cli);
bool audits_are_filtered(const struct cli *cli);

/* A place in the chain as the daemon gives it. */
struct audits_place {
	int64_t seq;
	char hash[65]; /* hex; "": it gave none */
};

/* A member "head" or "cut" of the reply to audit.list. */
void audits_read_place(const struct reply *reply, const char *name, struct audits_place *out);

/* Reports its errors itself.  reply is the page that the record is of. */
typedef enum err (*audits_take_fn)(
	struct cli *cli, void *context, const struct reply *reply, const struct json_token *record);

/* Where a walk through the records stands.  in: after, take, context. */
struct audits_paging {
	int64_t after; /* moves to the last record that was taken */
	audits_take_fn take;
	void *context;
	struct audits_place head; /* of the last page */
	bool is_last; /* that page had no records */
	bool is_asked; /* the daemon answered it: errors since then are reported */
};

/* Hands over every record that meets the conditions, in order, until there are no more.  Errors are reported. */
enum err audits_each(struct cli *cli, struct audits_paging *paging);

/* One page of them.  Errors of the way to the daemon are not reported: see is_asked. */
enum err audits_page(struct cli *cli, struct audits_paging *paging);

/* The number that --after gives, or 0.  ERR_USAGE, reported. */
enum err audits_read_after(const struct cli *cli, int64_t *out);

#endif
