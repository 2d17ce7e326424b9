/*
 * Small readings of /proc, in whole files: what does not fit is not understood.
 */
#include "procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "text.h"

enum { FILE_BYTES = 4096 };

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define FD_AUTO __attribute__((cleanup(close_fd))) int

bool procfs_read(const char *path, char *out, size_t cap, size_t *len_out)
{
	FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t len = 0;

	while (fd >= 0 && len < cap) {
		ssize_t got = read(fd, out + len, cap - len);

		if (got == 0) {
			out[len] = '\0';
			*len_out = len;
			return true;
		}
		if (got < 0 && errno != EINTR)
			return false;
		len += got < 0 ? 0 : (size_t)got;
	}
	return false;
}

static bool read_of(pid_t pid, const char *name, char out[FILE_BYTES], size_t *len_out)
{
	char path[48] = "";

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	return procfs_read(path, out, FILE_BYTES, len_out);
}

/* Takes a decimal number of at most this size and the blank behind it. */
static bool take_number(const char **at, uint64_t most, uint64_t *out)
{
	char *end = NULL;

	errno = 0;
	*out = strtoull(*at, &end, 10);
	if (**at < '0' || **at > '9' || errno != 0 || *out > most || *end != ' ')
		return false;
	*at = end + 1;
	return true;
}

/* Fields that are not told here may be negative, as the priorities are. */
static bool skip_numbers(const char **at, int count)
{
	uint64_t number = 0;

	for (int i = 0; i < count; i++) {
		if (**at == '-')
			++*at;
		if (!take_number(at, UINT64_MAX, &number))
			return false;
	}
	return true;
}

bool procfs_parse_stat(const char *text, size_t len, struct procfs_stat *out)
{
	enum { PARENT = 4, SESSION = 6, START = 22 };
	const char *at = memrchr(text, ')', len);
	uint64_t parent = 0, session = 0, start = 0;

	if (at == NULL || at[1] != ' ' || at[2] == ' ' || at[2] == '\0' || at[3] != ' ')
		return false;

	char state = at[2];

	at += 4;
	if (!take_number(&at, INT32_MAX, &parent) || !skip_numbers(&at, SESSION - PARENT - 1) ||
		!take_number(&at, INT32_MAX, &session) || !skip_numbers(&at, START - SESSION - 1) ||
		!take_number(&at, UINT64_MAX, &start))
		return false;
	*out = (struct procfs_stat){state, (pid_t)parent, (pid_t)session, start};
	return true;
}

bool procfs_stat(pid_t pid, struct procfs_stat *out)
{
	char text[FILE_BYTES] = "";
	size_t len = 0;

	return read_of(pid, "stat", text, &len) && procfs_parse_stat(text, len, out);
}

/* NSpid lists the process's number in each namespace, the innermost last; many groups before it can be too long to read. */
bool procfs_is_init(pid_t pid)
{
	char text[FILE_BYTES] = "";
	size_t len = 0;

	if (pid == 1)
		return true;
	if (!read_of(pid, "status", text, &len))
		return true;

	const char *line = strstr(text, "\nNSpid:");

	if (line == NULL)
		return false;
	line++;

	size_t end = strcspn(line, "\n");

	return end >= 2 && line[end - 1] == '1' && (line[end - 2] == '\t' || line[end - 2] == ' ');
}

bool procfs_parse_login(const char *text, uid_t *out)
{
	char *end = NULL;

	errno = 0;

	unsigned long login = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || errno != 0 || login >= UINT32_MAX)
		return false;
	if (*end != '\0' && strcmp(end, "\n") != 0)
		return false;
	*out = (uid_t)login;
	return true;
}

bool procfs_login(pid_t pid, uid_t *out)
{
	char text[FILE_BYTES] = "";
	size_t len = 0;

	return read_of(pid, "loginuid", text, &len) && procfs_parse_login(text, out);
}

bool procfs_unit_path(pid_t pid, const char *unit, char *out, size_t cap)
{
	char text[FILE_BYTES] = "";
	char found[UNIT_BYTES_MAX + 1] = "";
	size_t len = 0;

	return read_of(pid, "cgroup", text, &len) && cgroup_unit_path(text, len, found, out, cap) == NULL &&
	       strcmp(found, unit) == 0;
}
