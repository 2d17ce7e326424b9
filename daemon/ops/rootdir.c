#include "rootdir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define FD_AUTO __attribute__((cleanup(close_fd))) int

static bool is_roots_alone(int fd)
{
	struct stat st = {0};

	return fstat(fd, &st) == 0 && st.st_uid == 0 && (st.st_mode & 022) == 0;
}

/* Goes down one name at a time; each step starts where nobody else could change what is found. */
static enum err walk(char *path, int *fd_out, const char **reason_out)
{
	FD_AUTO fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *rest = NULL;

	for (char *name = strtok_r(path, "/", &rest); fd >= 0 && is_roots_alone(fd) && name != NULL;
		name = strtok_r(NULL, "/", &rest)) {
		int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		close(fd);
		fd = next;
	}
	*reason_out =
		"it lies in a directory that others than root may write to; make it yourself, for the user "
		"coffer with mode 0700, or choose another place";
	if (fd < 0 || !is_roots_alone(fd))
		return ERR_CONFIG;
	*fd_out = fd;
	fd = -1;
	return OK;
}

enum err rootdir_open(const char *path, int *fd_out, const char **reason_out)
{
	char *resolved = realpath(path, NULL);

	if (resolved == NULL) {
		*reason_out = "its directory does not exist";
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_CONFIG;
	}

	enum err err = walk(resolved, fd_out, reason_out);

	free(resolved);
	return err;
}

enum err rootdir_open_parent(const char *path, int *fd_out, const char **name_out, const char **reason_out)
{
	char parent[PATH_MAX] = "";
	const char *slash = strrchr(path, '/');
	int len = slash == NULL ? -1 : snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);

	*reason_out = "not an absolute path, or too long";
	if (len < 0 || len >= (int)sizeof(parent) || slash[1] == '\0')
		return ERR_CONFIG;
	*name_out = slash + 1;
	return rootdir_open(len == 0 ? "/" : parent, fd_out, reason_out);
}

/* The directory is ours until the last step: only then it is handed over. */
static bool make(int parent, const char *name, uid_t uid, gid_t gid)
{
	FD_AUTO fd = -1;

	if (mkdirat(parent, name, 0700) != 0)
		return false;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && fchmod(fd, 0700) == 0 && fchown(fd, uid, gid) == 0 && fsync(fd) == 0 &&
		fsync(parent) == 0)
		return true;
	unlinkat(parent, name, AT_REMOVEDIR);
	return false;
}

enum err rootdir_make_for(const char *path, uid_t uid, gid_t gid, bool *is_new_out, const char **reason_out)
{
	struct stat st = {0};
	const char *name = NULL;

	*is_new_out = false;
	if (lstat(path, &st) == 0) {
		*reason_out = "it is there, but not as a directory of the user coffer";
		return S_ISDIR(st.st_mode) && st.st_uid == uid ? OK : ERR_CONFIG;
	}
	*reason_out = "it cannot be looked at";
	if (errno != ENOENT)
		return ERR_CONFIG;

	FD_AUTO parent = -1;
	enum err err = rootdir_open_parent(path, &parent, &name, reason_out);

	if (err != OK)
		return ERR_CONFIG;
	*reason_out = "the directory cannot be made";
	*is_new_out = make(parent, name, uid, gid);
	return *is_new_out ? OK : ERR_STORAGE;
}

void rootdir_remove(const char *path)
{
	const char *name = NULL, *reason = NULL;
	FD_AUTO parent = -1;

	if (rootdir_open_parent(path, &parent, &name, &reason) == OK)
		unlinkat(parent, name, AT_REMOVEDIR);
}
