/*
 * Passes a value through a pipe that is filled before the command starts: all of it fits, so no write can block or
 * meet a reader that is gone, and the command's own process never has the memory that the value came from (P1).
 */
#include "feed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#define FD_AUTO __attribute__((cleanup(close_fd))) int

/* The reading end of a pipe that holds the value and then ends; -1: no such thing. */
static int fill_pipe(const struct secret *value)
{
	int ends[2] = {-1, -1};

	if (value->len > FEED_BYTES_MAX || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;

	bool is_whole = write(ends[1], value->bytes, value->len) == (ssize_t)value->len;

	(void)close(ends[1]);
	/* The command expects a standard input that it can wait for. */
	if (is_whole && fcntl(ends[0], F_SETFL, 0) == 0)
		return ends[0];
	(void)close(ends[0]);
	return -1;
}

__attribute__((noreturn)) static void become_command(const char *command, int input)
{
	/* Where standard input was closed, the pipe may be it already. */
	if (dup2(input, STDIN_FILENO) == STDIN_FILENO && fcntl(STDIN_FILENO, F_SETFD, 0) == 0)
		(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

enum err feed_command(const char *command, const struct secret *value, int *status_out)
{
	FD_AUTO input = fill_pipe(value);
	pid_t pid = input < 0 ? -1 : fork();
	int status = 0;

	if (pid < 0)
		return ERR_INTERNAL;
	if (pid == 0)
		become_command(command, input);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return ERR_INTERNAL;
	}
	*status_out = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return OK;
}
