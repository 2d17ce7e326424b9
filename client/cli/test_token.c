/*
 * Nothing here reads the token: a path is passed on, and a descriptor is kept away from every program but `coffer run`, such
 * as the one that --to-stdin-of names (P1).
 */
#include "test_token.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { DIGITS_MAX = 7 };

/* -1: not given, or no number of a descriptor that may be taken. */
static int descriptor_of(const struct cli *cli)
{
	const char *text = args_text(&cli->args, SLOT_TOKEN_FD);
	size_t len = text == NULL ? 0 : strlen(text);

	if (len == 0 || len > DIGITS_MAX || strspn(text, "0123456789") != len)
		return -1;

	int fd = (int)strtol(text, NULL, 10);

	return fd > STDERR_FILENO ? fd : -1;
}

enum err test_token_check(const struct cli *cli)
{
	const char *path = args_text(&cli->args, SLOT_TOKEN_FILE);
	int fd = descriptor_of(cli);

	if (path != NULL && *path == '\0')
		return cli_usage(cli, "--token-file: a path");
	if (args_text(&cli->args, SLOT_TOKEN_FD) == NULL)
		return OK;
	if (path != NULL)
		return cli_usage(cli, "--token-file and --token-fd: one of them");
	if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return cli_usage(cli, "--token-fd: the number of an open descriptor, from 3 on");
	return OK;
}

bool test_token_is_given(const struct cli *cli)
{
	return args_text(&cli->args, SLOT_TOKEN_FILE) != NULL || args_text(&cli->args, SLOT_TOKEN_FD) != NULL;
}

void test_token_hand_over(const struct cli *cli)
{
	int fd = descriptor_of(cli);

	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, 0);
}
