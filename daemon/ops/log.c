/*
 * One call, one line, one write(2): "<6>text\n" on standard error, where the service manager's journal
 * reads the priority.  Names only; P1 holds because no caller has a printable form of a value to pass.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "escape.h"

enum { TEXT_BYTES = 1024, LINE_BYTES = 4096 };

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

	size_t len = (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);

	len += escape_text(text, line + len, sizeof(line) - len - 1);
	line[len++] = '\n';
	write_all(line, len);
	errno = saved_errno;
}
