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
#include "request.h"

struct command;

struct cli {
	const struct command *command; /* NULL until it is known */
	struct args args;
	coffer *vault; /* opened by the first call */
	int timeout_ms; /* of a call; 0: the library's */
	int exit_status; /* of a command that did what it was told */
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

/* The same without a report.  cli_report then makes it, as long as nothing else was asked; it returns err. */
enum err cli_try(struct cli *cli, const char *method, const struct buf *params, struct reply *reply);
enum err cli_report(const struct cli *cli, enum err err);

/* True when the call that gave err may succeed later without anybody's doing. */
bool cli_is_retry(const struct cli *cli, enum err err);

/* Asks for what the arguments say about the fields of a request, and nothing else.  Errors are reported. */
enum err cli_ask(struct cli *cli, enum request_kind kind, struct reply *reply);

/* Prints a result as --json or by the command's printer. */
enum err cli_show(const struct cli *cli, const struct reply *reply);

/* What most commands are: params from the arguments, one call, its result shown. */
enum err cli_request(struct cli *cli);

#endif
