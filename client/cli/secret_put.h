/*
 * The command secret put, and what rotate shares with it.
 */
#ifndef COFFER_CLI_SECRET_PUT_H
#define COFFER_CLI_SECRET_PUT_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "reply.h"
#include "value.h"

struct cli;

/* Beside what the arguments say. */
struct put {
	const struct cli *cli;
	bool is_staged;
	int64_t expect_version; /* negative: whatever the newest is */
};

/*
 * Stores a value: where the arguments name a command for it, staged first, so that it cannot be lost, and then given
 * to the command.  When the command refuses it the staged version is revoked.  Errors are reported.
 */
enum err secret_put_deliver(struct cli *cli, const struct put *put, struct arena *arena,
	const struct secret *value, struct reply *reply);

/* The command. */
enum err secret_put_run(struct cli *cli);

#endif
