/*
 * Files that a command makes for its result.  A part of it must never pass for all of it.
 */
#include "output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static bool is_standard(const char *path)
{
	return path == NULL || strcmp(path, "-") == 0;
}

enum err output_file_open(const struct cli *cli, const char *path, FILE **out)
{
	*out = stdout;
	if (is_standard(path))
		return OK;

	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return cli_fail(cli, errno == EEXIST ? ERR_CONFLICT : ERR_STORAGE, "%s cannot be made: %s",
			path, strerror(errno));
	*out = fdopen(fd, "w");
	if (*out != NULL)
		return OK;
	(void)close(fd);
	(void)unlink(path);
	return cli_fail(cli, ERR_INTERNAL, "no memory");
}

enum err output_file_close(const struct cli *cli, const char *path, FILE *stream, enum err err)
{
	bool is_whole = fflush(stream) == 0 && ferror(stream) == 0;

	if (is_standard(path))
		return err == OK && !is_whole
			       ? cli_fail(cli, ERR_STORAGE, "cannot be written: %s", strerror(errno))
			       : err;
	is_whole = is_whole && fsync(fileno(stream)) == 0;
	is_whole = fclose(stream) == 0 && is_whole;
	if (err == OK && !is_whole)
		err = cli_fail(cli, ERR_STORAGE, "%s cannot be written: %s", path, strerror(errno));
	if (err != OK)
		(void)unlink(path);
	return err;
}

/* ---- a file that is written again and again ---- */

enum { MADE_BYTES = 32 };

static bool write_whole(int fd, const char *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, bytes + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* The next directory of a path that is walked; closes the one before.  No link is followed. */
static int step_into(int directory, const char *name, size_t len)
{
	char text[NAME_MAX + 1] = "";
	int next = -1;

	if (len <= NAME_MAX) {
		memcpy(text, name, len);
		next = openat(directory, text, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	} else {
		errno = ENAMETOOLONG;
	}

	int number = errno;

	(void)close(directory);
	errno = number;
	return next;
}

/*
 * The directory of a path, and the name in it.  A symbolic link in the path could be somebody else's, who would choose
 * where a command of root's writes: ENOTDIR.  Step by step, because RestrictSUIDSGID= of a unit takes openat2 away.
 */
static int open_directory(const char *path, const char **name_out)
{
	const char *at = path + strspn(path, "/");
	int directory = open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t len = strcspn(at, "/"); directory >= 0 && at[len] != '\0'; len = strcspn(at, "/")) {
		directory = step_into(directory, at, len);
		at += len + strspn(at + len, "/");
	}
	*name_out = at;
	return directory;
}

/* A new file beside it, which readers of the directory take for none of theirs. */
static int make_beside(int directory, char made[MADE_BYTES])
{
	uint64_t number = 0;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return -1;
	(void)snprintf(made, MADE_BYTES, ".coffer-%016" PRIx64, number);
	return openat(directory, made, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* False, with errno, when the file is not there as a whole; what was begun is gone. */
static bool replace_in(int directory, const char *name, const char *bytes, size_t len)
{
	enum { OWNER_AND_GROUP = 0640 };
	char made[MADE_BYTES] = "";
	int fd = make_beside(directory, made);

	if (fd < 0)
		return false;

	bool is_whole = write_whole(fd, bytes, len) && fchmod(fd, OWNER_AND_GROUP) == 0;
	int number = errno;

	if (close(fd) != 0 && is_whole) {
		is_whole = false;
		number = errno;
	}
	if (is_whole && renameat(directory, made, directory, name) == 0)
		return true;
	number = is_whole ? errno : number;
	(void)unlinkat(directory, made, 0);
	errno = number;
	return false;
}

enum err output_file_replace(const struct cli *cli, const char *path, const char *bytes, size_t len)
{
	const char *name = NULL;
	int directory = open_directory(path, &name);

	if (directory < 0 && errno == ENOTDIR)
		return cli_fail(cli, ERR_STORAGE,
			"%s cannot be written: its path leads through a symbolic link, or what is no "
			"directory",
			path);

	bool is_done = directory >= 0 && replace_in(directory, name, bytes, len);
	int number = errno;

	if (directory >= 0)
		(void)close(directory);
	return is_done ? OK : cli_fail(cli, ERR_STORAGE, "%s cannot be written: %s", path, strerror(number));
}
