/*
 * The prompt for what must not be seen.  readpassphrase(3) silently drops what was pasted behind the first line, and
 * half a key would be stored; so the terminal is read here, where the rest is noticed.  Signals wait in a
 * descriptor until the terminal is as it was, for no handler must run while there is something to restore (P1).
 */
#include "tty_hidden.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

enum {
	/* What was pasted can arrive in pieces, but not as far apart as a line and the next thing typed. */
	PASTE_MS = 50,
};

static const int stopping[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGTSTP};

struct asking {
	int tty;
	int signals;
	sigset_t mask; /* as it was */
	struct termios terminal; /* as it was */
};

static void close_asking(struct asking *asking)
{
	if (asking->signals >= 0)
		close(asking->signals);
	if (asking->tty >= 0)
		close(asking->tty);
}

#define ASKING_AUTO __attribute__((cleanup(close_asking))) struct asking

static bool set_terminal(const struct asking *asking, tcflag_t off, int when)
{
	struct termios terminal = asking->terminal;

	terminal.c_lflag &= ~off;
	return tcsetattr(asking->tty, when, &terminal) == 0;
}

/* Nothing typed before the prompt counts. */
static bool begin(struct asking *asking, const char *prompt)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++)
		sigaddset(&set, stopping[i]);
	if (sigprocmask(SIG_BLOCK, &set, &asking->mask) != 0)
		return false;
	if (asking->signals < 0)
		asking->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return asking->signals >= 0 && set_terminal(asking, ECHO | ECHONL, TCSAFLUSH) &&
	       write(asking->tty, prompt, strlen(prompt)) >= 0;
}

/* Drops what was not read, and lets a signal that waited have its effect. */
static void end(const struct asking *asking)
{
	ssize_t written = write(asking->tty, "\n", 1);

	/* The answer counts, not how it looks. */
	(void)written;
	(void)set_terminal(asking, 0, TCSAFLUSH);
	(void)sigprocmask(SIG_SETMASK, &asking->mask, NULL);
}

enum answer {
	ANSWER_LINE,
	ANSWER_FAILED,
	ANSWER_SIGNAL,
};

/* A line, or what stands before the end of input. */
static enum answer read_line(const struct asking *asking, unsigned char *bytes, size_t cap, size_t *len_out)
{
	*len_out = 0;
	while (*len_out < cap) {
		struct pollfd polled[] = {
			{.fd = asking->tty, .events = POLLIN}, {.fd = asking->signals, .events = POLLIN}};

		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			return ANSWER_FAILED;
		if ((polled[1].revents & POLLIN) != 0)
			return ANSWER_SIGNAL;
		if (polled[0].revents == 0)
			continue;

		ssize_t got = read(asking->tty, bytes + *len_out, cap - *len_out);

		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return ANSWER_FAILED;
		if (got == 0)
			return ANSWER_LINE;
		*len_out += got > 0 ? (size_t)got : 0;
		if (*len_out > 0 && bytes[*len_out - 1] == '\n') {
			--*len_out;
			return ANSWER_LINE;
		}
	}
	return ANSWER_LINE;
}

/*
 * True when there was more; what comes on is dropped until it is quiet, or a shell would take it for commands.
 * Also a beginning of a line counts, which a terminal in its usual mode keeps to itself.
 */
static bool drop_more(const struct asking *asking)
{
	struct pollfd polled = {.fd = asking->tty, .events = POLLIN};
	bool is_more = !set_terminal(asking, ECHO | ECHONL | ICANON, TCSANOW);

	while (poll(&polled, 1, PASTE_MS) > 0 && polled.revents == POLLIN) {
		is_more = true;
		if (tcflush(asking->tty, TCIFLUSH) != 0)
			return true;
	}
	return is_more;
}

enum err tty_hidden_read(
	const char *prompt, unsigned char *bytes, size_t cap, size_t *len_out, const char **why_out)
{
	ASKING_AUTO asking = {.tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), .signals = -1};
	enum answer answer = ANSWER_SIGNAL;
	bool is_pasted = false;

	*why_out = "the value was not entered; give it on standard input where there is no terminal";
	if (asking.tty < 0 || tcgetattr(asking.tty, &asking.terminal) != 0)
		return ERR_USAGE;
	/* A process that goes on after a signal was stopped for a while: the terminal is another's since. */
	while (answer == ANSWER_SIGNAL) {
		answer = begin(&asking, prompt) ? read_line(&asking, bytes, cap, len_out) : ANSWER_FAILED;
		is_pasted = answer == ANSWER_LINE && drop_more(&asking);
		end(&asking);
	}
	if (answer == ANSWER_FAILED)
		return ERR_USAGE;
	if (!is_pasted)
		return OK;
	*why_out = "more than one line was given; give a value with line breaks on standard input";
	return ERR_BAD_VALUE;
}
