/*
 * The files of archived audit records (P4, P5, P7): see archive.h for the order in which they come to be.  A name that
 * is taken is never written over, because what has a name is the only copy of its records.
 */
#include "archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "self.h"

#define PASSING ".part"

enum { PASSING_BYTES = ARCHIVE_NAME_BYTES + sizeof(PASSING) };

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#define FD_AUTO __attribute__((cleanup(close_fd))) int

static void close_dir(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
}

static enum err fail(enum err err, const char *reason, const char **reason_out)
{
	*reason_out = reason;
	return err;
}

static enum err fail_writing(const char **reason_out)
{
	if (errno == ENOSPC || errno == EDQUOT)
		return fail(ERR_STORAGE_FULL, "no space for the segment in archive_dir", reason_out);
	return fail(ERR_STORAGE, "the segment cannot be written in archive_dir", reason_out);
}

void archive_name(
	char out[ARCHIVE_NAME_BYTES], const char vault[ARCHIVE_VAULT_CHARS + 1], uint64_t from, uint64_t to)
{
	(void)snprintf(
		out, ARCHIVE_NAME_BYTES, "audit-%s-%010" PRIu64 "-%010" PRIu64 ".jsonl", vault, from, to);
}

static enum err open_directory(const char *directory, int *out, const char **reason_out)
{
	FD_AUTO fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st = {0};

	if (fd < 0 && errno == ENOENT)
		return fail(ERR_NOT_FOUND,
			"archive_dir is not there: make it with mode 0700, of the daemon's user, and restart "
			"cofferd",
			reason_out);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return fail(ERR_CONFIG, "archive_dir is a symlink, or no directory", reason_out);
	if (fd < 0 && errno == EACCES)
		return fail(ERR_STORAGE,
			"archive_dir cannot be opened: if it was made anew since cofferd was started, "
			"restart cofferd",
			reason_out);
	if (fd < 0 || fstat(fd, &st) != 0)
		return fail(ERR_STORAGE, "archive_dir cannot be opened", reason_out);
	if (st.st_uid != self_uid())
		return fail(ERR_CONFIG, "archive_dir does not belong to the daemon's user", reason_out);
	if ((st.st_mode & 07777) != 0700)
		return fail(ERR_CONFIG, "archive_dir must have mode 0700", reason_out);
	*out = fd;
	fd = -1;
	return OK;
}

enum err archive_check(const char *directory, const char **reason_out)
{
	FD_AUTO fd = -1;

	return open_directory(directory, &fd, reason_out);
}

static void passing_name(char out[PASSING_BYTES], const char *name)
{
	(void)snprintf(out, PASSING_BYTES, "%s" PASSING, name);
}

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static bool is_taken(int dir, const char *name)
{
	struct stat st = {0};

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static enum err write_segment(
	int dir, const char *passing, const void *bytes, size_t len, const char **reason_out)
{
	FD_AUTO fd = openat(dir, passing, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || !write_all(fd, bytes, len) || fsync(fd) != 0 || fsync(dir) != 0)
		return fail_writing(reason_out);
	return OK;
}

enum err archive_put(
	const char *directory, const char *name, const void *bytes, size_t len, const char **reason_out)
{
	FD_AUTO dir = -1;
	char passing[PASSING_BYTES] = "";
	enum err err = open_directory(directory, &dir, reason_out);

	if (err != OK)
		return err;
	if (is_taken(dir, name))
		return fail(ERR_CONFLICT,
			"archive_dir has a segment of these records already: move it away, it is of another "
			"history of this vault",
			reason_out);
	passing_name(passing, name);
	(void)unlinkat(dir, passing, 0);
	err = write_segment(dir, passing, bytes, len, reason_out);
	if (err != OK)
		(void)unlinkat(dir, passing, 0);
	return err;
}

static enum err publish(int dir, const char *name, const char **reason_out)
{
	char passing[PASSING_BYTES] = "";

	passing_name(passing, name);
	if (is_taken(dir, name))
		return fail(ERR_CONFLICT, "a segment cannot get its name in archive_dir: it is taken",
			reason_out);
	if (renameat(dir, passing, dir, name) != 0 || fsync(dir) != 0)
		return fail(ERR_STORAGE, "a segment cannot get its name in archive_dir", reason_out);
	return OK;
}

enum err archive_publish(const char *directory, const char *name, const char **reason_out)
{
	FD_AUTO dir = -1;
	enum err err = open_directory(directory, &dir, reason_out);

	return err == OK ? publish(dir, name, reason_out) : err;
}

void archive_discard(const char *directory, const char *name)
{
	FD_AUTO dir = -1;
	char passing[PASSING_BYTES] = "";
	const char *reason = NULL;

	passing_name(passing, name);
	/* If that fails, settle finds it again. */
	if (open_directory(directory, &dir, &reason) == OK)
		(void)unlinkat(dir, passing, 0);
}

/* The name without what marks it as passing, if it is one of this vault's. */
static bool parse_passing(
	const char *entry, const char *vault, uint64_t *to_out, char name[ARCHIVE_NAME_BYTES])
{
	char passing[PASSING_BYTES] = "";
	uint64_t from = 0;

	if (strncmp(entry, "audit-", 6) != 0 || strncmp(entry + 6, vault, ARCHIVE_VAULT_CHARS) != 0 ||
		sscanf(entry + 6 + ARCHIVE_VAULT_CHARS, "-%" SCNu64 "-%" SCNu64, &from, to_out) != 2)
		return false;
	archive_name(name, vault, from, *to_out);
	passing_name(passing, name);
	return strcmp(entry, passing) == 0;
}

static enum err settle_entry(
	int dir, const char *entry, const char *vault, uint64_t cut_seq, const char **reason_out)
{
	char name[ARCHIVE_NAME_BYTES] = "";
	uint64_t to = 0;

	if (!parse_passing(entry, vault, &to, name))
		return OK;
	if (to <= cut_seq)
		return publish(dir, name, reason_out);
	(void)unlinkat(dir, entry, 0);
	return OK;
}

enum err archive_settle(const char *directory, const char vault[ARCHIVE_VAULT_CHARS + 1], uint64_t cut_seq,
	const char **reason_out)
{
	FD_AUTO dir = -1;
	enum err err = open_directory(directory, &dir, reason_out);
	int listed = err == OK ? fcntl(dir, F_DUPFD_CLOEXEC, 0) : -1;
	__attribute__((cleanup(close_dir))) DIR *list = listed >= 0 ? fdopendir(listed) : NULL;
	const struct dirent *entry = NULL;

	if (err != OK)
		return err;
	if (list == NULL) {
		close_fd(&listed);
		return fail(ERR_STORAGE, "archive_dir cannot be read", reason_out);
	}
	while ((entry = readdir(list)) != NULL) {
		enum err settled = settle_entry(dir, entry->d_name, vault, cut_seq, reason_out);

		err = err == OK ? settled : err;
	}
	return err;
}
