#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Its own: the daemon's is reduced to what the daemon reads, and who called us has no business in it. */
static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL};

struct pipes {
	int in[2]; /* its standard input */
	int out[2];
};

static void close_pipes(struct pipes *pipes)
{
	for (int i = 0; i < 2; i++) {
		close_fd(&pipes->in[i]);
		close_fd(&pipes->out[i]);
	}
}

static int set_files(posix_spawn_file_actions_t *files, const struct child *child, const struct pipes *pipes)
{
	int error = posix_spawn_file_actions_adddup2(files, pipes->in[0], STDIN_FILENO);

	if (error == 0 && child->output != NULL)
		error = posix_spawn_file_actions_adddup2(files, pipes->out[1], STDOUT_FILENO);
	if (error == 0 && child->is_quiet && child->output == NULL)
		error = posix_spawn_file_actions_addopen(files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (error == 0 && child->is_quiet)
		error = posix_spawn_file_actions_addopen(files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	return error;
}

/* We ignore SIGPIPE, and may hold interrupts: a program inherits that and does not expect it. */
static int set_signals(posix_spawnattr_t *attributes)
{
	sigset_t defaults, none;

	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	sigemptyset(&none);

	int error = posix_spawnattr_setsigdefault(attributes, &defaults);

	if (error == 0)
		error = posix_spawnattr_setsigmask(attributes, &none);
	return error != 0
		       ? error
		       : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

static int spawn(const struct child *child, const struct pipes *pipes, pid_t *pid_out)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&files);

	if (error != 0)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error == 0) {
		error = set_files(&files, child, pipes);
		if (error == 0)
			error = set_signals(&attributes);
		if (error == 0)
			error = posix_spawn(pid_out, child->argv[0], &files, &attributes,
				(char *const *)(uintptr_t)child->argv, (char *const *)(uintptr_t)environment);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&files);
	return error;
}

/* One that does not read, or ends before, is told by its exit status. */
static void feed(int fd, const unsigned char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		bytes += n;
		len -= (size_t)n;
	}
}

static enum err drain(int fd, struct child *child)
{
	while (child->output_len < child->output_cap) {
		ssize_t n =
			read(fd, child->output + child->output_len, child->output_cap - child->output_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_INTERNAL;
		if (n == 0)
			return OK;
		child->output_len += (size_t)n;
	}
	return ERR_TOO_LARGE; /* closing the pipe ends it */
}

static enum err wait_for(pid_t pid, int *exit_code)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return ERR_INTERNAL;
	*exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return OK;
}

enum err child_run(struct child *child)
{
	__attribute__((cleanup(close_pipes))) struct pipes pipes = {{-1, -1}, {-1, -1}};
	pid_t pid = 0;
	enum err err = OK;

	child->output_len = 0;
	if (child->input_len > CHILD_INPUT_BYTES_MAX)
		return ERR_TOO_LARGE;
	if (pipe2(pipes.in, O_CLOEXEC) != 0 || pipe2(pipes.out, O_CLOEXEC) != 0 ||
		spawn(child, &pipes, &pid) != 0)
		return ERR_INTERNAL;
	close_fd(&pipes.in[0]);
	close_fd(&pipes.out[1]);
	feed(pipes.in[1], child->input, child->input_len);
	close_fd(&pipes.in[1]);
	if (child->output != NULL)
		err = drain(pipes.out[0], child);
	close_fd(&pipes.out[0]);

	enum err waited = wait_for(pid, &child->exit_code);

	return err != OK ? err : waited;
}
