/*
 * Files that a command makes for its result.  A part of it must never pass for all of it.
 */
#include "output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
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

enum err output_file_replace(const struct cli *cli, const char *path, const char *bytes, size_t len)
{
	enum { OWNER_AND_GROUP = 0640 };
	char made[PATH_MAX] = "";
	int size = snprintf(made, sizeof(made), "%s.XXXXXX", path);
	int fd = size > 0 && size < PATH_MAX ? mkostemp(made, O_CLOEXEC) : -1;

	if (size >= PATH_MAX)
		errno = ENAMETOOLONG;
	if (fd < 0)
		return cli_fail(cli, ERR_STORAGE, "%s cannot be made: %s", path, strerror(errno));

	bool is_whole = write_whole(fd, bytes, len) && fchmod(fd, OWNER_AND_GROUP) == 0;
	int number = errno;

	if (close(fd) != 0 && is_whole) {
		is_whole = false;
		number = errno;
	}
	if (is_whole && rename(made, path) == 0)
		return OK;
	number = is_whole ? errno : number;
	(void)unlink(made);
	return cli_fail(cli, ERR_STORAGE, "%s cannot be written: %s", path, strerror(number));
}
