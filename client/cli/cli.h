/*
 * One run of the program: its command, its arguments, its connection, and how it says what went wrong.
 */
#ifndef COFFER_CLI_CLI_H
#define COFFER_CLI_CLI_H

#include <stdbool.h>

#include "args.h"
#include "buf.h"
#include "coffer.h"
#include "err.h"
#include "reply.h"

struct command;

struct cli {
	const struct command *command; /* NULL until it is known */
	struct args args;
	coffer *vault; /* opened by the first call */
};

void cli_deinit(struct cli *cli);

/* True when the result is to be printed as it is (--json). */
bool cli_is_json(const struct cli *cli);

/* "coffer: COMMAND OPERANDS: text" on standard error; returns err. */
enum err cli_fail(const struct cli *cli, enum err err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for a command line that is wrong; the way out is --help.  Returns ERR_USAGE. */
enum err cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "coffer: text" on standard error, where nothing has failed yet. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* From here on no other process of this user may look into this one, and it leaves no core dump (P1). */
void cli_guard(void);

/*
 * Asks the daemon; errors are reported, with a way out.  params is one JSON object; the reply points into the connection's
 * memory: valid until the next call.
 */
enum err cli_call(struct cli *cli, const char *method, const struct buf *params, struct reply *reply);

/* Prints a result as --json or by the command's printer. */
enum err cli_show(const struct cli *cli, const struct reply *reply);

/* What most commands are: params from the arguments, one call, its result shown. */
enum err cli_request(struct cli *cli);

#endif
