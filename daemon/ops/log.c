/*
 * One call, one line, one write(2) on standard error: "<6>text\n" where the journal reads the priority,
 * "cofferd: text\n" for people.  Names only; P1 holds because no caller has a printable form of a value to
 * pass.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "escape.h"

enum { TEXT_BYTES = 1024, LINE_BYTES = 4096, PATH_SHOWN_MAX = 256 };

static const char MARK[] = "..."; /* in place of what does not fit */

static enum log_level most_shown = LOG_LEVEL_INFO;

void log_set_level(enum log_level most)
{
	most_shown = most;
}

/* A log that cannot be written is no reason to fail: what must not be lost is in the audit trail. */
static void write_all(const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t done = write(STDERR_FILENO, bytes, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		bytes += done;
		len -= (size_t)done;
	}
}

/* systemd.exec(5): the variable is inherited, so only the descriptor it names is the journal's. */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char wanted[64] = "";
	struct stat status = {0};

	if (stream == NULL || fstat(fd, &status) != 0)
		return false;
	snprintf(wanted, sizeof(wanted), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	return strcmp(stream, wanted) == 0;
}

static size_t put_prefix(char *line, size_t cap, enum log_level level)
{
	if (is_journal(STDERR_FILENO))
		return (size_t)snprintf(line, cap, "<%d>", (int)level);
	return (size_t)snprintf(line, cap, "cofferd: ");
}

void log_line(enum log_level level, const char *format, ...)
{
	if (level > most_shown)
		return;

	int saved_errno = errno;
	char text[TEXT_BYTES] = "";
	char line[LINE_BYTES] = "";
	va_list args;

	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) >= (int)sizeof(text))
		memcpy(text + sizeof(text) - sizeof(MARK), MARK, sizeof(MARK));
	va_end(args);

	size_t len = put_prefix(line, sizeof(line), level);

	len += escape_text(text, line + len, sizeof(line) - len - 1);
	line[len++] = '\n';
	write_all(line, len);
	errno = saved_errno;
}

const char *log_about(const char *what, const char *path, const char *reason)
{
	static char text[TEXT_BYTES];
	size_t len = strlen(path);
	bool is_long = len > PATH_SHOWN_MAX;

	/* Of a longer path the end is shown: the reason must not be pushed out. */
	snprintf(text, sizeof(text), "%s %s%s: %s", what, is_long ? MARK : "",
		path + (is_long ? len - PATH_SHOWN_MAX : 0), reason);
	return text;
}
