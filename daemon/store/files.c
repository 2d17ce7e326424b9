/*
 * Who owns the store's directory and files, and whether they are what they seem (P7): a directory of mode
 * 0700, regular files of mode 0600 with one name each, all of them ours, no symbolic link in the way.
 * What is in the files is schema.c's part.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATABASE "coffer.db"

static const char *const names[] = {DATABASE, DATABASE "-wal", DATABASE "-journal"};

enum { NAME_COUNT = sizeof(names) / sizeof(names[0]) };

static enum err refuse(enum err err, const char *reason, const char **reason_out)
{
	*reason_out = reason;
	return err;
}

/* A trailing slash would make open(2) follow a symbolic link despite O_NOFOLLOW. */
static bool copy_without_slashes(const char *directory, char out[PATH_MAX])
{
	size_t len = strlen(directory);

	while (len > 1 && directory[len - 1] == '/')
		len--;
	if (len == 0 || len >= PATH_MAX)
		return false;
	memcpy(out, directory, len);
	out[len] = '\0';
	return true;
}

static enum err open_directory(const char *path, int *fd_out, const char **reason_out)
{
	*fd_out = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd_out >= 0)
		return OK;
	switch (errno) {
	case ENOENT:
		return refuse(ERR_NOT_FOUND, "the store's directory does not exist", reason_out);
	case ENOTDIR:
	case ELOOP:
		return refuse(ERR_CONFIG, "the store's directory is not a directory, or a symbolic link",
			reason_out);
	default:
		return refuse(ERR_STORAGE, "the store's directory cannot be opened", reason_out);
	}
}

static enum err check_directory(int fd, struct stat *out, const char **reason_out)
{
	if (fstat(fd, out) != 0)
		return refuse(ERR_STORAGE, "the store's directory cannot be examined", reason_out);
	if (out->st_uid != geteuid())
		return refuse(ERR_CONFIG, "the store's directory belongs to another user", reason_out);
	if ((out->st_mode & 07777) != 0700)
		return refuse(ERR_CONFIG, "the store's directory must have mode 0700", reason_out);
	return OK;
}

/* SQLite opens by name and refuses symbolic links anywhere in it, so the name is resolved here. */
static enum err resolve(
	const char *directory, const struct stat *seen, char out[PATH_MAX], const char **reason_out)
{
	char *resolved = realpath(directory, NULL);
	struct stat there = {0};
	bool is_same = resolved != NULL && stat(resolved, &there) == 0 && there.st_dev == seen->st_dev &&
		       there.st_ino == seen->st_ino;
	int len = is_same ? snprintf(out, PATH_MAX, "%s/%s", resolved, DATABASE) : PATH_MAX;

	free(resolved);
	if (len >= PATH_MAX)
		return refuse(
			ERR_CONFIG, "the name of the store's directory is too long or changes", reason_out);
	return OK;
}

enum err files_open(const char *directory, struct store_files *out, const char **reason_out)
{
	char path[PATH_MAX] = "";
	struct stat status = {0};

	out->dir_fd = -1;
	if (!copy_without_slashes(directory, path))
		return refuse(
			ERR_CONFIG, "the name of the store's directory is empty or too long", reason_out);

	enum err err = open_directory(path, &out->dir_fd, reason_out);

	if (err == OK)
		err = check_directory(out->dir_fd, &status, reason_out);
	if (err == OK)
		err = resolve(path, &status, out->path, reason_out);
	return err;
}

void files_close(struct store_files *files)
{
	if (files->dir_fd >= 0)
		close(files->dir_fd);
	files->dir_fd = -1;
}

static enum err check_file(const struct stat *status, const char **reason_out)
{
	if (!S_ISREG(status->st_mode))
		return refuse(ERR_CONFIG, "a file of the store is not a regular file", reason_out);
	if (status->st_nlink != 1)
		return refuse(ERR_CONFIG, "a file of the store has more than one name", reason_out);
	if (status->st_uid != geteuid())
		return refuse(ERR_CONFIG, "a file of the store belongs to another user", reason_out);
	if ((status->st_mode & 07777) != 0600)
		return refuse(ERR_CONFIG, "a file of the store must have mode 0600", reason_out);
	return OK;
}

enum err files_check(const struct store_files *files, const char **reason_out)
{
	for (size_t i = 0; i < NAME_COUNT; i++) {
		struct stat status = {0};

		if (fstatat(files->dir_fd, names[i], &status, AT_SYMLINK_NOFOLLOW) == 0) {
			enum err err = check_file(&status, reason_out);

			if (err != OK)
				return err;
		} else if (errno != ENOENT) {
			return refuse(ERR_STORAGE, "a file of the store cannot be examined", reason_out);
		} else if (i == 0) {
			return refuse(ERR_NOT_FOUND, "there is no store in the directory", reason_out);
		}
	}
	return OK;
}

bool files_have_log(const struct store_files *files)
{
	struct stat status = {0};

	return fstatat(files->dir_fd, DATABASE "-wal", &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       status.st_size > 0;
}

enum err files_make(const struct store_files *files, const char **reason_out)
{
	for (size_t i = 0; i < NAME_COUNT; i++) {
		struct stat status = {0};

		if (fstatat(files->dir_fd, names[i], &status, AT_SYMLINK_NOFOLLOW) == 0)
			return refuse(ERR_CONFLICT, "the directory already holds a store or a part of one",
				reason_out);
	}

	int fd = openat(files->dir_fd, DATABASE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return refuse(
			ERR_CONFLICT, "the directory already holds a store or a part of one", reason_out);
	if (fd < 0) {
		bool is_full = errno == ENOSPC || errno == EDQUOT;

		return refuse(
			is_full ? ERR_STORAGE_FULL : ERR_STORAGE, "the store cannot be created", reason_out);
	}

	bool is_ours = fchmod(fd, 0600) == 0; /* whatever the umask took away */

	close(fd);
	if (is_ours)
		return OK;
	files_remove(files);
	return refuse(ERR_STORAGE, "the store cannot be created", reason_out);
}

enum err files_sync(const struct store_files *files, const char **reason_out)
{
	if (fsync(files->dir_fd) != 0)
		return refuse(ERR_STORAGE, "the store's directory cannot be synced", reason_out);
	return OK;
}

void files_remove(const struct store_files *files)
{
	for (size_t i = 0; i < NAME_COUNT; i++)
		unlinkat(files->dir_fd, names[i], 0);
}
