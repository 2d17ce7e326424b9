/*
 * Opens a configuration file that only its owner could have written, and feeds it to libinih line by line.
 *
 * According to how it was built, libinih cuts long lines, joins indented ones and ignores what follows a
 * section's bracket.  So each line is judged before libinih sees it: it means one thing, or it is an error.
 */
#include "config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "escape.h"
#include "self.h"
#include "text.h"

enum {
	FILE_BYTES_MAX = 1048576,
	PATH_SHOWN_MAX = 128, /* of a longer path the end is shown: the message must not be pushed out */
};

bool config_file_error(struct config_file *file, const char *format, ...)
{
	size_t path_len = strlen(file->path);
	const char *path_end = file->path + (path_len > PATH_SHOWN_MAX ? path_len - PATH_SHOWN_MAX : 0);
	char message[CONFIG_ERROR_BYTES] = "";
	char path[PATH_SHOWN_MAX + 8] = "";
	char line[16] = "";
	va_list args;

	if (file->has_failed)
		return false;
	file->has_failed = true;
	escape_text(path_end, path, sizeof(path));
	if (file->line > 0)
		snprintf(line, sizeof(line), ":%d", file->line);
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	/* Cut off where it does not fit: the file and the line come first. */
	if (snprintf(file->error_out, CONFIG_ERROR_BYTES, "%s%s: %s", path, line, message) >=
		CONFIG_ERROR_BYTES)
		memcpy(file->error_out + CONFIG_ERROR_BYTES - 4, "...", 4);
	return false;
}

/* Whoever may write the file decides who opens the vault. */
static bool check_owner(struct config_file *file, int fd)
{
	struct stat status = {0};

	if (fstat(fd, &status) != 0)
		return config_file_error(file, "cannot be examined: %s", strerror(errno));
	if (!S_ISREG(status.st_mode))
		return config_file_error(file, "is not a regular file");
	if (status.st_uid != 0 && status.st_uid != self_uid())
		return config_file_error(file, "belongs to neither root nor this user: chown root it");
	if ((status.st_mode & 022) != 0)
		return config_file_error(file, "may be written by group or others: chmod go-w it");
	return true;
}

/* Reads one line into out, newline included, without its leading blanks.  False at the end and on errors. */
static bool read_line(struct config_file *file, char *out, size_t cap, size_t *len_out)
{
	FILE *stream = file->stream;
	size_t len = 0;
	int c = 0;

	file->line++;
	while (c != '\n' && (c = getc(stream)) != EOF) {
		if (++file->bytes_read > FILE_BYTES_MAX)
			return config_file_error(file, "the file is larger than %d bytes", FILE_BYTES_MAX);
		if (len == 0 && (c == ' ' || c == '\t'))
			continue; /* libinih would take an indented line for more of the one before */
		if (len + 1 >= cap)
			return config_file_error(file, "the line is longer than %zu bytes", cap - 2);
		out[len++] = (char)c;
	}
	if (ferror(stream))
		return config_file_error(file, "cannot be read: %s", strerror(errno));
	out[len] = '\0';
	*len_out = len;
	return len > 0;
}

/* What libinih skips before the first line's text. */
static const char *skip_byte_order_mark(const struct config_file *file, const char *line)
{
	static const char mark[] = "\xef\xbb\xbf";

	if (file->line == 1 && strncmp(line, mark, sizeof(mark) - 1) == 0)
		line += sizeof(mark) - 1;
	return line + strspn(line, " \t");
}

/* libinih tells of no section without settings, and ignores the rest of a line after [section]. */
static bool check_header(struct config_file *file, const char *line)
{
	const char *start = skip_byte_order_mark(file, line);
	const char *end = strchr(start, ']');
	char section[INI_MAX_LINE] = "";

	if (start[0] != '[' || end == NULL)
		return true;
	snprintf(section, sizeof(section), "%.*s", (int)(end - start - 1), start + 1);
	end++;
	end += strspn(end, " \t");
	if (*end != '\0' && *end != '\n' && *end != ';')
		return config_file_error(file, "only a comment may follow [section]");
	return file->on_section(file, section);
}

/* libinih's reader: fgets(3), but strict. */
static char *next_line(char *out, int cap, void *user)
{
	struct config_file *file = user;
	size_t len = 0;

	if (file->has_failed || !read_line(file, out, (size_t)cap, &len))
		return NULL;
	if (len > 0 && !text_is_text(out, len)) {
		config_file_error(file, "the line is not plain UTF-8 text, or has control characters");
		return NULL;
	}
	return check_header(file, out) ? out : NULL;
}

static int handle_setting(void *user, const char *section, const char *key, const char *value)
{
	struct config_file *file = user;

	return !file->has_failed && file->on_setting(file, section, key, value);
}

/* libinih goes on after a line that it cannot read; the first error is the one to show. */
static void note_syntax_error(struct config_file *file, int line)
{
	if (file->has_failed && file->line <= line)
		return;
	file->has_failed = false;
	file->line = line;
	config_file_error(file, "neither \"[section]\" nor \"key = value\"");
}

enum err config_file_read(struct config_file *file)
{
	/* Non-blocking: a pipe put in its place must not stop the start. */
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		config_file_error(file, "cannot be opened: %s", strerror(errno));
		return ERR_CONFIG;
	}

	FILE *stream = check_owner(file, fd) ? fdopen(fd, "r") : NULL;

	if (stream == NULL) {
		config_file_error(file, "cannot be read: %s", strerror(errno));
		close(fd);
		return ERR_CONFIG;
	}
	file->stream = stream;

	int line = ini_parse_stream(next_line, file, handle_setting, file);

	if (line > 0)
		note_syntax_error(file, line);
	else if (line < 0)
		config_file_error(file, "cannot be read: out of memory");
	file->stream = NULL;
	file->line = 0;
	fclose(stream);
	return file->has_failed ? ERR_CONFIG : OK;
}
