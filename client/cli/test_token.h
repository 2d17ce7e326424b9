/*
 * The access token of a test's run: --token-file and --token-fd, which are for `coffer run` alone.
 */
#ifndef COFFER_CLI_TEST_TOKEN_H
#define COFFER_CLI_TEST_TOKEN_H

#include <stdbool.h>

#include "err.h"

struct cli;

/* A descriptor must be one from 3 on that is open; no other program inherits it from here on.  ERR_USAGE, reported. */
enum err test_token_check(const struct cli *cli);

bool test_token_is_given(const struct cli *cli);

/* Before the program becomes `coffer run`, which reads the descriptor. */
void test_token_hand_over(const struct cli *cli);

#endif
