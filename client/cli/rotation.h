/*
 * One rotation on its way: what rotate.c, which takes the steps, and rotate_test.c, which has the new version tested,
 * know about it.
 */
#ifndef COFFER_CLI_ROTATION_H
#define COFFER_CLI_ROTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "secret_test.h"
#include "versions.h"

struct cli;

enum { ROTATION_STEPS = 5, ROTATION_WAY_BYTES = 768 };

struct rotation {
	struct cli *cli;
	const char *integration; /* names that have been checked */
	const char *key;
	struct secret_test test;
	struct standing standing; /* as it was read last */
	int64_t timeout_ms; /* 0: none */
	int64_t version; /* that is to be current; 0: not staged yet */
	bool can_test; /* this user may fetch what is staged, or become one who may */
	char go_on[ROTATION_WAY_BYTES]; /* what is left, and what to do about it */
};

/* "2/5 …" on standard output, not with --json; only of numbers and checked names. */
void rotation_say(const struct rotation *rotation, int step, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Reports what the daemon refused, and how to go on; returns err. */
enum err rotation_stop(const struct rotation *rotation, enum err err);

/* Finds the test command and whoever runs it, before anything is done.  Errors are reported. */
enum err rotate_test_prepare(struct rotation *rotation);

/* Has the staged version tested, here or by somebody who may.  OK: it has passed.  Errors are reported. */
enum err rotate_test(struct rotation *rotation);

#endif
