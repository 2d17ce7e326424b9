/*
 * The alternate screen of the terminal.  A signal that ends or stops this process gives the terminal back first, whatever is
 * being done: the handlers do nothing but write the sequence and let the signal have its way.
 */
#include "status_screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"

#define ENTER "\033[?1049h\033[?25l"
#define CLEAR "\033[H\033[J"
#define LEAVE "\033[?1049l\033[?25h"

enum { ROWS_DEFAULT = 24, COLUMNS_DEFAULT = 80 };

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void write_all(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static volatile sig_atomic_t is_entered;
static sigset_t
	while_sleeping; /* what is kept away otherwise, so that none is lost between drawing and sleeping */

void screen_leave(void)
{
	is_entered = 0;
	write_all(LEAVE, strlen(LEAVE));
}

static void on_end(int signal_number)
{
	screen_leave();
	(void)signal(signal_number, SIG_DFL);
	(void)raise(signal_number);
}

static void take(int signal_number, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};
	struct sigaction before = {0};

	/* What is ignored stays so, as under nohup. */
	if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
		(void)sigaction(signal_number, &action, NULL);
}

static void on_stop(int signal_number)
{
	int before = errno;

	screen_leave();
	(void)signal(signal_number, SIG_DFL);
	(void)raise(signal_number);
	errno = before;
}

static void on_continue(int signal_number)
{
	(void)signal_number;
	take(SIGTSTP, on_stop);
}

/* Only interrupts the sleep; what there is to do is done by the next drawing. */
static void on_resize(int signal_number)
{
	(void)signal_number;
}

bool screen_enter(void)
{
	const char *term = getenv("TERM");

	if (isatty(STDOUT_FILENO) != 1 || term == NULL || *term == '\0' || strcmp(term, "dumb") == 0)
		return false;

	sigset_t waking;

	(void)sigemptyset(&waking);
	(void)sigaddset(&waking, SIGWINCH);
	(void)sigaddset(&waking, SIGCONT);
	(void)sigprocmask(SIG_BLOCK, &waking, &while_sleeping);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		take(ending[i], on_end);
	take(SIGTSTP, on_stop);
	take(SIGCONT, on_continue);
	take(SIGWINCH, on_resize);
	return true;
}

static size_t fitting_len(const char *text, size_t len, size_t columns)
{
	if (len <= columns)
		return len;
	for (len = columns; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
		len--;
	return len;
}

/* One write, so that nothing flickers. */
void screen_draw(const char *text)
{
	struct winsize size = {0};
	bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;
	size_t rows = is_known ? size.ws_row : ROWS_DEFAULT;
	size_t columns = is_known ? size.ws_col : COLUMNS_DEFAULT;
	BUF_AUTO out = {0};

	buf_append_string(&out, is_entered ? CLEAR : ENTER CLEAR);
	for (size_t row = 0; row < rows && *text != '\0'; row++) {
		size_t len = strcspn(text, "\n");

		if (row > 0)
			buf_append_string(&out, "\r\n");
		buf_append(&out, text, fitting_len(text, len, columns));
		text += len + (text[len] == '\n');
	}
	if (buf_failed(&out))
		return;
	is_entered = 1; /* before it is: a signal in between must leave it */
	write_all(out.bytes, out.len);
}

void screen_sleep(int seconds)
{
	struct timespec wait = {.tv_sec = seconds};

	(void)ppoll(NULL, 0, &wait, &while_sleeping);
}
