/*
 * Files that a command makes for its result.  A part of it must never pass for all of it.
 */
#include "output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
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
