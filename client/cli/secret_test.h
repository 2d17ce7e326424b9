/*
 * Testing a staged version: a command is run with it, as the integration's user, and its verdict recorded.
 */
#ifndef COFFER_CLI_SECRET_TEST_H
#define COFFER_CLI_SECRET_TEST_H

#include <stdbool.h>
#include <stddef.h>

#include "account.h"
#include "buf.h"
#include "command.h"
#include "err.h"

struct cli;

struct secret_test {
	const char *const *command; /* not owned, or shell */
	size_t count;
	const char *shell[3]; /* /bin/sh -c text */
	char *own; /* the integration's own test command, or NULL; owned */
	bool has_account; /* root, who becomes this user: */
	struct account account;
};

void secret_test_clear(struct secret_test *test);

#define SECRET_TEST_AUTO __attribute__((cleanup(secret_test_clear))) struct secret_test

/* Reads the integration's own test command, if there is one, into test->own.  Errors are reported. */
enum err secret_test_read_own(struct cli *cli, struct secret_test *test);

/* The command is a text for /bin/sh -c, which must outlive test. */
void secret_test_use_shell(struct secret_test *test, const char *text);

/* Finds the user to become when this is root.  Errors are reported. */
enum err secret_test_find_account(struct cli *cli, struct secret_test *test);

/* What --time-limit says must be seconds.  ERR_USAGE, reported. */
enum err secret_test_check_limit(const struct cli *cli);

/* Becomes the user and then `coffer run`, which runs the command and records the verdict.  Returns only an error, reported. */
enum err secret_test_exec(const struct cli *cli, const struct secret_test *test);

/* The line that does the same, for somebody who may fetch what is staged. */
void secret_test_append_line(const struct cli *cli, const struct secret_test *test, struct buf *line);

/* The command secret test. */
enum err secret_test_run(struct cli *cli);

#endif
