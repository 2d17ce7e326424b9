/*
 * Values enter here, by read(2) straight into locked memory: stdio would leave copies in its buffers and
 * an argument or a variable would be there for every process to see (P1).  What a value may be is left to others.
 */
#include "tty.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"
#include "tty_hidden.h"

enum {
	/* A terminal silently cuts longer lines, so a line of this length may be only the beginning of one. */
	TTY_LINE_MAX = 4095,
};

bool tty_can_ask(void)
{
	return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

static enum err ask(struct arena *arena, const char *prompt, struct secret *out, const char **why_out)
{
	unsigned char *line = arena_alloc(arena, TTY_LINE_MAX + 1);
	size_t len = 0;

	*why_out = "not enough locked memory";
	if (line == NULL)
		return ERR_INTERNAL;

	enum err err = tty_hidden_read(prompt, line, TTY_LINE_MAX + 1, &len, why_out);

	if (err != OK)
		return err;
	*why_out = "no value was entered";
	if (len == 0)
		return ERR_BAD_VALUE;
	*why_out = "a terminal cuts long lines; give the value on standard input";
	if (len >= TTY_LINE_MAX)
		return ERR_TOO_LARGE;
	*out = (struct secret){.bytes = line, .len = len};
	return OK;
}

enum err tty_ask_value(struct arena *arena, struct secret *out, const char **why_out)
{
	SECRET_AUTO again = {0};
	struct secret value = {0};
	enum err err = ask(arena, "Value (not shown): ", &value, why_out);

	if (err == OK)
		err = ask(arena, "The same again: ", &again, why_out);
	if (err != OK)
		return err;
	*why_out = "the two entries differ";
	if (value.len != again.len || memcmp(value.bytes, again.bytes, value.len) != 0)
		return ERR_BAD_VALUE;
	*out = value;
	return OK;
}

enum err tty_read_value(struct arena *arena, bool is_exact, struct secret *out, const char **why_out)
{
	enum {
		CAP = VALUE_BYTES_MAX + 2 /* a newline to drop, and one byte that shows that there is more */
	};
	unsigned char *bytes = arena_alloc(arena, CAP);
	size_t len = 0;

	*why_out = "not enough locked memory";
	if (bytes == NULL)
		return ERR_INTERNAL;
	while (len < CAP) {
		ssize_t got = read(STDIN_FILENO, bytes + len, CAP - len);

		*why_out = "standard input cannot be read";
		if (got < 0 && errno != EINTR)
			return ERR_USAGE;
		if (got == 0)
			break;
		len += got > 0 ? (size_t)got : 0;
	}
	if (!is_exact && len > 0 && bytes[len - 1] == '\n')
		len--;
	*why_out = "the value is longer than 65535 bytes";
	if (len > VALUE_BYTES_MAX)
		return ERR_TOO_LARGE;
	*out = (struct secret){.bytes = bytes, .len = len};
	return OK;
}

enum err tty_ask_line(const char *prompt, char **out)
{
	char *line = NULL;
	size_t cap = 0;

	fprintf(stderr, "%s: ", prompt);

	ssize_t len = getline(&line, &cap, stdin);

	if (len < 0) {
		free(line);
		fputc('\n', stderr);
		return ERR_USAGE;
	}
	line[strcspn(line, "\n")] = '\0';
	*out = line;
	return OK;
}
