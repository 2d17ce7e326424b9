/*
 * Shows the wait on standard error: on a terminal as one line that changes, elsewhere as a line whenever something
 * has changed.  Signals are kept away only while this process sleeps, so that it can say how to go on.
 */
#include "wait.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "text.h"

enum { PAUSE_MS_FIRST = 1000, PAUSE_MS_MAX = 5000, COLUMNS_DEFAULT = 80, COLUMNS_MIN = 20 };

struct watch {
	const struct waiting *waiting;
	int64_t start_ms;
	int64_t pause_ms;
	bool is_live;
	bool has_looked; /* there is a daemon, and it answers */
	size_t shown_len; /* of the line on the terminal */
	struct buf shown; /* what was said last */
};

static void clear_watch(struct watch *watch)
{
	buf_clear(&watch->shown);
}

#define WATCH_AUTO __attribute__((cleanup(clear_watch))) struct watch

static int64_t now_ms(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum err wait_timeout(const struct cli *cli, int64_t *ms_out)
{
	const char *text = args_text(&cli->args, SLOT_TIMEOUT);
	int64_t seconds = 0;

	*ms_out = 0;
	if (text == NULL)
		return OK;
	if (!text_duration(text, strlen(text), &seconds))
		return cli_usage(cli, "--timeout: a duration such as 30s, 15m, 12h or 2d");
	*ms_out = seconds * 1000;
	return OK;
}

void wait_die(int signal_number)
{
	(void)fflush(stdout);
	(void)signal(signal_number, SIG_DFL);
	(void)raise(signal_number);
	/* Whatever keeps it from ending us, shells know this status. */
	_exit(128 + signal_number);
}

static size_t terminal_columns(void)
{
	struct winsize size = {0};

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= COLUMNS_MIN ? size.ws_col
											  : COLUMNS_DEFAULT;
}

/* Bytes of text that fit columns: no character takes more columns than bytes. */
static size_t fitting_len(const char *text, size_t columns)
{
	size_t len = strlen(text);

	if (len <= columns)
		return len;
	for (len = columns; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
		len--;
	return len;
}

/* Over the line before, whatever is left of it; without escape sequences, which not every terminal knows. */
static void draw(struct watch *watch, const char *text)
{
	enum { INTERRUPT_ECHO = 4 };
	size_t len = fitting_len(text, terminal_columns() - INTERRUPT_ECHO);
	size_t rest = watch->shown_len > len ? watch->shown_len - len : 0;

	fprintf(stderr, "\r%.*s%*s", (int)len, text, (int)rest, "");
	if (rest > 0)
		fprintf(stderr, "\r%.*s", (int)len, text);
	watch->shown_len = len;
}

static void show(struct watch *watch, const char *text)
{
	BUF_AUTO line = {0};
	char clock[48] = "";
	int64_t seconds = (now_ms() - watch->start_ms) / 1000;

	if (!watch->is_live) {
		if (watch->shown.len == 0 || strcmp(watch->shown.bytes, text) != 0)
			fprintf(stderr, "coffer: waiting: %s\n", text);
	} else {
		(void)snprintf(clock, sizeof(clock),
			"waiting %02lld:%02lld:%02lld: ", (long long)(seconds / 3600),
			(long long)(seconds / 60 % 60), (long long)(seconds % 60));
		buf_append_string(&line, clock);
		buf_append_string(&line, text);
		buf_append_byte(&line, '\0');
		draw(watch, buf_failed(&line) ? clock : line.bytes);
	}
	buf_clear(&watch->shown);
	buf_append_string(&watch->shown, text);
	buf_append_byte(&watch->shown, '\0');
	if (buf_failed(&watch->shown))
		buf_clear(&watch->shown);
}

/* The line of what has come is gone; of what has not, it stays. */
static void end_line(struct watch *watch, bool is_done)
{
	if (watch->shown_len == 0)
		return;
	if (is_done)
		draw(watch, "");
	fputs(is_done ? "\r" : "\n", stderr);
	watch->shown_len = 0;
}

/* A signal that is ignored stays so, as under nohup. */
static void stopping_signals(sigset_t *out)
{
	static const int stopping[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	(void)sigemptyset(out);
	for (size_t i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++) {
		struct sigaction action = {0};

		if (sigaction(stopping[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			(void)sigaddset(out, stopping[i]);
	}
}

/* The signal that ended it, or 0. */
static int sleep_ms(int64_t ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	sigset_t stopping;
	sigset_t before;

	stopping_signals(&stopping);
	(void)sigprocmask(SIG_BLOCK, &stopping, &before);

	int got = sigtimedwait(&stopping, NULL, &left);

	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return got > 0 ? got : 0;
}

static int64_t left_ms(const struct watch *watch)
{
	int64_t timeout_ms = watch->waiting->timeout_ms;

	return timeout_ms == 0 ? INT64_MAX : watch->start_ms + timeout_ms - now_ms();
}

/* Between two looks. */
static enum err rest(struct watch *watch)
{
	const struct waiting *waiting = watch->waiting;
	int64_t left = left_ms(watch);

	if (left <= 0) {
		end_line(watch, false);
		return cli_fail(waiting->cli, ERR_TIMEOUT, "not within %s; %s",
			args_text(&waiting->cli->args, SLOT_TIMEOUT), waiting->go_on);
	}

	int got = sleep_ms(watch->pause_ms < left ? watch->pause_ms : left);

	if (got > 0) {
		end_line(watch, false);
		cli_say("interrupted; %s", waiting->go_on);
		wait_die(got);
	}
	watch->pause_ms = watch->pause_ms * 3 / 2 < PAUSE_MS_MAX ? watch->pause_ms * 3 / 2 : PAUSE_MS_MAX;
	return OK;
}

static enum err look(struct watch *watch, bool *is_done_out)
{
	const struct waiting *waiting = watch->waiting;
	BUF_AUTO text = {0};
	enum err err = waiting->look(waiting->context, &text, is_done_out);

	if (err != OK && !(watch->has_looked && cli_is_retry(waiting->cli, err))) {
		end_line(watch, false);
		buf_append_byte(&text, '\0');
		if (text.len > 1 && !buf_failed(&text))
			return cli_fail(waiting->cli, err, "%s; %s", text.bytes, waiting->go_on);
		(void)cli_report(waiting->cli, err);
		cli_say("%s", waiting->go_on);
		return err;
	}
	watch->has_looked = true;
	if (err != OK) {
		*is_done_out = false;
		buf_clear(&text);
		buf_append_string(&text, "no answer from the daemon, which is asked again");
	}
	buf_append_byte(&text, '\0');
	if (*is_done_out)
		end_line(watch, true);
	else
		show(watch, buf_failed(&text) ? "" : text.bytes);
	return OK;
}

enum err wait_for(const struct waiting *waiting)
{
	WATCH_AUTO watch = {.waiting = waiting,
		.start_ms = now_ms(),
		.pause_ms = PAUSE_MS_FIRST,
		.is_live = isatty(STDERR_FILENO) == 1};

	for (;;) {
		bool is_done = false;
		enum err err = look(&watch, &is_done);

		if (err == OK && !is_done)
			err = rest(&watch);
		if (err != OK || is_done)
			return err;
	}
}
