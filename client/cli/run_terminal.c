/*
 * Carries keys to the process inside and keeps the user's terminal in the state that fits: raw while this process is
 * in the foreground, as it was before whenever it stops or ends.  Output does not pass through here.
 */
#include "run_terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

#include "locked.h"
#include "run.h"
#include "run_vault.h"
#include "say.h"
#include "supervise.h"

enum {
	KEYS_BYTES = 256,
	FOREGROUND_MS = 500, /* a shell that brings a running job to the foreground tells it nothing */
};

struct relay {
	struct supervisor supervisor;
	int master;
	struct termios outer; /* where is_raw */
	bool is_raw;
	char keys[KEYS_BYTES]; /* [keys_at, keys_len) are still to be written */
	size_t keys_at;
	size_t keys_len;
};

static bool set_up(const struct terminal *terminal, int like, bool is_plain)
{
	struct termios settings = {0};

	if (tcgetattr(is_plain ? terminal->slave : like, &settings) != 0)
		return false;
	if (is_plain) {
		settings.c_oflag &= ~(tcflag_t)OPOST;
		settings.c_lflag &= ~(tcflag_t)ECHO;
	}
	terminal_resize(terminal->master, like);
	return tcsetattr(terminal->slave, TCSANOW, &settings) == 0 &&
	       fcntl(terminal->master, F_SETFL, O_RDWR | O_NONBLOCK) == 0;
}

bool terminal_open(int like, bool is_plain, struct terminal *out)
{
	int flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
	struct terminal terminal = {.master = supervise_above_standard(posix_openpt(flags)), .slave = -1};

	if (terminal.master >= 0 && unlockpt(terminal.master) == 0)
		terminal.slave = supervise_above_standard(ioctl(terminal.master, TIOCGPTPEER, flags));
	if (terminal.slave < 0 || !set_up(&terminal, like, is_plain)) {
		int error = errno;

		terminal_close(&terminal);
		errno = error;
		return false;
	}
	*out = terminal;
	return true;
}

void terminal_close(struct terminal *terminal)
{
	if (terminal->slave >= 0)
		close(terminal->slave);
	if (terminal->master >= 0)
		close(terminal->master);
	*terminal = (struct terminal){.master = -1, .slave = -1};
}

void terminal_resize(int master, int like)
{
	struct winsize size = {0};

	if (ioctl(like, TIOCGWINSZ, &size) == 0)
		(void)ioctl(master, TIOCSWINSZ, &size);
}

static void leave_raw(struct relay *relay)
{
	if (relay->is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &relay->outer);
	relay->is_raw = false;
}

/* In the background the terminal is somebody else's. */
static void enter_raw(struct relay *relay)
{
	if (relay->is_raw || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
		tcgetattr(STDIN_FILENO, &relay->outer) != 0)
		return;

	struct termios raw = relay->outer;

	cfmakeraw(&raw);
	relay->is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static bool on_signal(void *arg, int signal, bool is_kernel)
{
	struct relay *relay = arg;

	(void)is_kernel;
	if (signal != SIGWINCH)
		return false;
	/* The terminal inside tells its own foreground. */
	terminal_resize(relay->master, STDIN_FILENO);
	return true;
}

static void before_stop(void *arg)
{
	leave_raw(arg);
}

static void after_stop(void *arg)
{
	struct relay *relay = arg;

	enter_raw(relay);
	terminal_resize(relay->master, STDIN_FILENO);
}

static void read_keys(struct relay *relay)
{
	ssize_t got = read(STDIN_FILENO, relay->keys, sizeof(relay->keys));

	relay->keys_at = 0;
	relay->keys_len = got > 0 ? (size_t)got : 0;
	/* It hung up, or somebody else has it now: then it is not ours to restore. */
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		relay->is_raw = false;
}

static void write_keys(struct relay *relay)
{
	size_t left = relay->keys_len - relay->keys_at;
	ssize_t written = write(relay->master, relay->keys + relay->keys_at, left);

	if (written < 0 && errno == EAGAIN)
		return;
	relay->keys_at += written > 0 ? (size_t)written : left;
	/* A password may have been typed. */
	if (relay->keys_at == relay->keys_len)
		wipe(relay->keys, sizeof(relay->keys));
}

static void pass_keys(struct relay *relay)
{
	bool has_keys = relay->keys_at < relay->keys_len;
	struct pollfd fds[] = {
		{.fd = -1},
		{.fd = relay->is_raw && !has_keys ? STDIN_FILENO : -1, .events = POLLIN},
		{.fd = has_keys ? relay->master : -1, .events = POLLOUT},
	};
	int64_t deadline_ms = relay->is_raw ? NEVER_MS : run_now_ms() + FOREGROUND_MS;

	supervise_wait(&relay->supervisor, fds, sizeof(fds) / sizeof(fds[0]), deadline_ms);
	if (fds[1].revents != 0)
		read_keys(relay);
	if (fds[2].revents != 0)
		write_keys(relay);
	if (relay->supervisor.child > 0)
		enter_raw(relay);
}

/* A relay that is gone is a terminal that is gone. */
static void be_inside(terminal_inside_fn *inside, const void *arg, struct terminal *inner, pid_t relay)
{
	if (prctl(PR_SET_PDEATHSIG, SIGHUP) != 0 || getppid() != relay || setsid() < 0 ||
		ioctl(inner->slave, TIOCSCTTY, 0) != 0) {
		say("--mask: no terminal for the program: ", strerrordesc_np(errno), NULL);
		_exit(RUN_EXIT_REFUSED);
	}
	_exit(inside(arg, inner));
}

int terminal_relay(terminal_inside_fn *inside, const void *arg)
{
	struct terminal inner = {.master = -1, .slave = -1};
	struct relay relay = {
		.supervisor = {.hooks = {on_signal, before_stop, after_stop},
			.hooks_arg = &relay,
			.has_group = true,
			.follows_stops = true},
	};

	if (!terminal_open(STDIN_FILENO, false, &inner)) {
		say("--mask: no terminal for the program: ", strerrordesc_np(errno), NULL);
		return RUN_EXIT_REFUSED;
	}
	if (!supervise_init(&relay.supervisor))
		return RUN_EXIT_REFUSED;
	relay.master = inner.master;
	/* Before anything can be shown: only then is all shown as it comes from inside. */
	enter_raw(&relay);

	pid_t own = getpid();
	pid_t child = supervise_fork(&relay.supervisor);

	if (child == 0)
		be_inside(inside, arg, &inner, own);
	if (child < 0)
		say("run: no process could be started: ", strerrordesc_np(errno), NULL);
	close(inner.slave);
	inner.slave = -1;
	while (relay.supervisor.child > 0)
		pass_keys(&relay);
	leave_raw(&relay);
	supervise_deinit(&relay.supervisor);
	terminal_close(&inner);
	return child > 0 ? relay.supervisor.status : RUN_EXIT_RETRY;
}
