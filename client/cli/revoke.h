/*
 * Destroying a version, at once or when nobody holds it any more.
 */
#ifndef COFFER_CLI_REVOKE_H
#define COFFER_CLI_REVOKE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "reply.h"

struct cli;

/* The command secret revoke. */
enum err revoke_run(struct cli *cli);
enum err revoke_print(const struct reply *reply);

/* What to wait for before a version of the secret that the arguments name is revoked. */
struct draining {
	struct cli *cli;
	int64_t version;
	int64_t expect_version; /* 0: whatever the newest is */
	bool is_processes_only; /* children of ended holders do not count */
	int64_t timeout_ms; /* 0: none */
	const char *go_on; /* as wait_for takes it */
};

/* Waits until nobody holds the version and revokes it.  Errors are reported. */
enum err revoke_when_drained(const struct draining *draining, struct reply *reply);

#endif
