/*
 * The access token of `coffer run`: from a file, a descriptor or the unit's credential; never from an argument or a variable,
 * which others can read.  A file is read anew whenever the token is shown, so that a new token counts from the next
 * connection on; a descriptor is read once, and what it gave is kept in locked memory (P1).
 */
#ifndef COFFER_CLI_RUN_TOKEN_H
#define COFFER_CLI_RUN_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "coffer.h"
#include "locked.h"

struct run_token {
	const char *path; /* --token-file; NULL: none */
	int fd; /* --token-fd, closed once it is read; -1: none, or read already */
	struct locked memory; /* what the descriptor gave */
	size_t len;
};

/* A descriptor that was given: the program must not inherit it.  NULL, or what is wrong with it. */
const char *run_token_set_fd(struct run_token *token, const char *value);

/* Is there any? */
bool run_token_is_given(const struct run_token *token);

/*
 * Shows it on the handle.  COFFER_OK as well when there is none; COFFER_CONFIG: it cannot be read, and that has been
 * said; else an error of coffer_authenticate.
 */
int run_token_show(struct run_token *token, coffer *vault);

/* Reads the descriptor, if there is one: for who starts children that need it too.  COFFER_CONFIG: said. */
int run_token_load(struct run_token *token);

/*
 * For a child, which does not inherit locked memory: *fd_out is a pipe that holds what the descriptor gave, or -1 when
 * there was none.  Before the fork; the parent closes it then, and the child takes it.  False: no pipe can be made.
 */
bool run_token_pass(const struct run_token *token, int *fd_out);
void run_token_take(struct run_token *token, int fd);

void run_token_clear(struct run_token *token);

#endif
