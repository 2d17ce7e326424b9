/*
 * Reads and shows the token.  Messages name the source, never what was in it; every buffer that it passes through is locked
 * and wiped (P1).
 */
#include "run_token.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "say.h"

enum { TOKEN_FILE_MAX = 256, OTHERS = 0007 };

static const char credential[] = "coffer-token"; /* by LoadCredential= or LoadCredentialEncrypted= */

const char *run_token_set_fd(struct run_token *token, const char *value)
{
	int fd = 0;

	for (const char *digit = value; *digit != '\0'; digit++) {
		if (*digit < '0' || *digit > '9' || fd > 1 << 20)
			return "takes the number of an open descriptor";
		fd = fd * 10 + (*digit - '0');
	}
	if (fd <= STDERR_FILENO)
		return "takes a descriptor from 3 on: 0, 1 and 2 are the program's";
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return "takes the number of an open descriptor";
	token->fd = fd;
	return NULL;
}

static void clear_text(struct run_token *token)
{
	locked_unmap(&token->memory);
	token->len = 0;
}

void run_token_clear(struct run_token *token)
{
	clear_text(token);
	if (token->fd >= 0)
		close(token->fd);
	token->fd = -1;
}

/* ---- reading ---- */

static int refuse(const char *source, const char *why)
{
	say("run: ", source, ": ", why, NULL);
	return COFFER_CONFIG;
}

/* Without its one newline; what is in it is judged where it is shown. */
static int read_all(struct run_token *token, const char *source, int fd)
{
	ssize_t got = 0;

	clear_text(token);
	/* P1: supervisors, too, are closed to other processes of the user from here on. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
		locked_map(TOKEN_FILE_MAX + 1, true, &token->memory) != OK)
		return refuse(source, "no memory that is shielded");
	do {
		got = read(fd, token->memory.bytes + token->len, TOKEN_FILE_MAX + 1 - token->len);
		if (got > 0)
			token->len += (size_t)got;
	} while ((got > 0 && token->len <= TOKEN_FILE_MAX) || (got < 0 && errno == EINTR));

	int error = errno;
	bool is_too_long = token->len > TOKEN_FILE_MAX;

	if (token->len > 0)
		token->len -= token->memory.bytes[token->len - 1] == '\n';
	if (got >= 0 && token->len > 0 && !is_too_long)
		return COFFER_OK;
	if (got < 0)
		(void)refuse(source, strerrordesc_np(error));
	else
		(void)refuse(source, is_too_long ? "it is too long for a token" : "it is empty");
	clear_text(token);
	return COFFER_CONFIG;
}

static int read_file(struct run_token *token, const char *source, const char *path)
{
	struct stat status = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int error = COFFER_OK;

	if (fd < 0)
		return refuse(source, strerrordesc_np(errno));
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		error = refuse(source, "not a regular file");
	else if ((status.st_mode & OTHERS) != 0)
		error = refuse(source, "others may read or change it: chmod o= it, and make another token");
	else
		error = read_all(token, source, fd);
	close(fd);
	return error;
}

int run_token_load(struct run_token *token)
{
	if (token->fd < 0)
		return COFFER_OK;

	int error = read_all(token, "--token-fd", token->fd);

	close(token->fd);
	token->fd = -1;
	return error;
}

/* Its path, when the unit has one. */
static bool has_credential(char path[PATH_MAX])
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");

	if (directory == NULL || directory[0] != '/' ||
		snprintf(path, PATH_MAX, "%s/%s", directory, credential) >= PATH_MAX)
		return false;
	return access(path, F_OK) == 0;
}

bool run_token_is_given(const struct run_token *token)
{
	char path[PATH_MAX] = "";

	return token->path != NULL || token->fd >= 0 || token->len > 0 || has_credential(path);
}

/* ---- showing ---- */

static int authenticate(const struct run_token *token, coffer *vault)
{
	return coffer_authenticate(vault, (const char *)token->memory.bytes, token->len);
}

static int show_file(struct run_token *token, coffer *vault, const char *source, const char *path)
{
	int error = read_file(token, source, path);

	if (error == COFFER_OK)
		error = authenticate(token, vault);
	clear_text(token);
	return error;
}

int run_token_show(struct run_token *token, coffer *vault)
{
	char path[PATH_MAX] = "";
	int error = COFFER_OK;

	if (token->path != NULL)
		return show_file(token, vault, "--token-file", token->path);
	error = run_token_load(token);
	if (error == COFFER_OK && token->len > 0)
		return authenticate(token, vault);
	if (error == COFFER_OK && has_credential(path))
		return show_file(token, vault, "the credential coffer-token", path);
	return error;
}

/* ---- a child ---- */

bool run_token_pass(const struct run_token *token, int *fd_out)
{
	int fds[2] = {-1, -1};

	*fd_out = -1;
	if (token->len == 0)
		return true;
	if (pipe2(fds, O_CLOEXEC) != 0)
		return false;

	/* The kernel's buffer is never swapped, and takes this much at once. */
	ssize_t written = write(fds[1], token->memory.bytes, token->len);

	close(fds[1]);
	*fd_out = fds[0];
	return written == (ssize_t)token->len;
}

void run_token_take(struct run_token *token, int fd)
{
	token->len = 0; /* what was the parent's reads as zeros here */
	locked_unmap(&token->memory);
	token->fd = fd;
}
