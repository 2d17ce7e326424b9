/*
 * Stays with a child that fetches for itself and then becomes the program: so the daemon's holder is the program, and
 * no value is ever in this process (P1).  It knows versions from its subscription alone, which stands
 * before the first child fetches: what becomes current afterwards is told, and nothing falls between.  It starts the
 * program anew because of changes and for no other reason; when the program ends by itself, that is the end.
 */
#include "run_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "run.h"
#include "run_start.h"
#include "run_token.h"
#include "run_vault.h"
#include "say.h"
#include "subscription.h"
#include "supervise.h"
#include "text.h"

enum {
	DEBOUNCE_MS = 2000, /* changes that come together are one */
	NOT_STARTED_MS = 200, /* until a child that has not become the program is looked at again */
	START_PAUSE_MS_FIRST = 1000, /* after a restart that could not fetch */
	START_PAUSE_MS_MAX = 60000,
};

enum phase {
	PHASE_RUNNING,
	PHASE_STOPPING, /* the child is to end, to be started anew */
	PHASE_WAITING, /* no child: the last one could not fetch */
	PHASE_OVER,
};

struct watcher {
	const struct run_options *options;
	struct supervisor supervisor;
	enum phase phase;
	bool is_ending; /* asked to end: no restart any more */
	bool is_restart; /* the child is not the first */
	int status;
	struct subscription subscription;
	int note_fd; /* where the child tells its run before it becomes the program; -1 when it has */
	char run[RUN_ID_BYTES + 1]; /* of the child; "" until it has fetched */
	/* NEVER_MS: not at all */
	int64_t act_at_ms; /* on a change */
	int64_t kill_at_ms;
	int64_t start_at_ms;
	int64_t start_pause_ms;
};

static const char *name_of(const struct watcher *watcher)
{
	const char *integration = run_integration(watcher->options);

	return integration != NULL ? integration : "run";
}

static int64_t doubled(int64_t pause_ms, int64_t max_ms)
{
	return pause_ms * 2 < max_ms ? pause_ms * 2 : max_ms;
}

static int64_t splay_ms(const struct run_options *options)
{
	uint32_t random = 0;
	ssize_t got = getrandom(&random, sizeof(random), 0);

	/* Four bytes always come at once; without them nothing is delayed. */
	return got == (ssize_t)sizeof(random) ? random % ((int64_t)options->splay_seconds * 1000 + 1) : 0;
}

/* Further changes before the time has come are part of this one. */
static void note_change(struct watcher *watcher)
{
	if (watcher->subscription.has_changed && watcher->act_at_ms == NEVER_MS)
		watcher->act_at_ms = run_now_ms() + DEBOUNCE_MS + splay_ms(watcher->options);
	watcher->subscription.has_changed = false;
}

/* ---- the child ---- */

/* The run, then the end of the pipe when the child becomes the program. */
static void read_note(struct watcher *watcher)
{
	while (watcher->note_fd >= 0) {
		char note[RUN_ID_BYTES + 1] = "";
		ssize_t got = read(watcher->note_fd, note, sizeof(note));

		if (got < 0 && errno == EAGAIN)
			return;
		if (got > 0 && text_is_run(note, (size_t)got))
			memcpy(watcher->run, note, sizeof(watcher->run));
		if (got > 0)
			continue;
		close(watcher->note_fd);
		watcher->note_fd = -1;
	}
}

static void be_child(const struct watcher *watcher, int note_fd, int token_fd)
{
	/* A restart that has to wait says so once. */
	bool is_quiet = watcher->is_restart && watcher->start_pause_ms > START_PAUSE_MS_FIRST;

	run_token_take(watcher->options->token, token_fd);
	_exit(run_in_place(watcher->options, is_quiet, note_fd));
}

/* False: it has said why. */
static bool start_child(struct watcher *watcher)
{
	int pipe_fds[2] = {-1, -1};
	int token_fd = -1;
	pid_t child = -1;

	if (run_token_pass(watcher->options->token, &token_fd) &&
		pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) == 0) {
		watcher->note_fd = supervise_above_standard(pipe_fds[0]);
		pipe_fds[1] = supervise_above_standard(pipe_fds[1]);
		child = supervise_fork(&watcher->supervisor);
	}
	if (child == 0)
		be_child(watcher, pipe_fds[1], token_fd);

	int error = errno;

	if (token_fd >= 0)
		close(token_fd);

	if (pipe_fds[1] >= 0)
		close(pipe_fds[1]);
	if (child < 0)
		say("run: no process could be started: ", strerrordesc_np(error), NULL);
	return child > 0;
}

static void on_child_end(struct watcher *watcher, int status);

/* It fetches what is current now, so no change that was told before is waiting any more. */
static void start(struct watcher *watcher)
{
	watcher->subscription.has_changed = false;
	watcher->phase = PHASE_RUNNING;
	watcher->run[0] = '\0';
	watcher->act_at_ms = NEVER_MS;
	watcher->kill_at_ms = NEVER_MS;
	watcher->start_at_ms = NEVER_MS;
	if (!start_child(watcher))
		on_child_end(watcher, RUN_EXIT_RETRY);
}

static void start_later(struct watcher *watcher)
{
	watcher->phase = PHASE_WAITING;
	watcher->start_at_ms = run_now_ms() + watcher->start_pause_ms;
	watcher->start_pause_ms = doubled(watcher->start_pause_ms, START_PAUSE_MS_MAX);
}

static void on_child_end(struct watcher *watcher, int status)
{
	read_note(watcher);

	bool has_fetched = watcher->run[0] != '\0';

	if (has_fetched && watcher->options->is_recorded)
		run_report_end(watcher->options, watcher->run, status);
	if (has_fetched)
		watcher->start_pause_ms = START_PAUSE_MS_FIRST;
	watcher->status = status;
	if (watcher->is_ending) {
		watcher->phase = PHASE_OVER;
	} else if (watcher->phase == PHASE_STOPPING) {
		watcher->is_restart = true;
		start(watcher);
	} else if (watcher->is_restart && !has_fetched && status == RUN_EXIT_RETRY) {
		start_later(watcher);
	} else {
		watcher->phase = PHASE_OVER;
	}
}

static void stop_child(struct watcher *watcher)
{
	say(name_of(watcher), ": other credentials are current: starting ", watcher->options->command[0],
		" anew", NULL);
	watcher->phase = PHASE_STOPPING;
	watcher->kill_at_ms = run_now_ms() + (int64_t)watcher->options->stop_timeout_seconds * 1000;
	supervise_kill(&watcher->supervisor, SIGTERM);
	supervise_kill(&watcher->supervisor, SIGCONT);
}

static void act(struct watcher *watcher)
{
	watcher->act_at_ms = NEVER_MS;
	/* Whoever is started later fetches later. */
	if (watcher->phase != PHASE_RUNNING || watcher->is_ending)
		return;
	/* Before it is the program, the signal would end it. */
	if (watcher->note_fd >= 0)
		watcher->act_at_ms = run_now_ms() + NOT_STARTED_MS;
	else if (watcher->options->change_signal != 0)
		supervise_kill(&watcher->supervisor, watcher->options->change_signal);
	else
		stop_child(watcher);
}

/* ---- the loop ---- */

/* Nobody who asks for the end means a new beginning. */
static bool on_signal(void *arg, int signal, bool is_kernel)
{
	struct watcher *watcher = arg;
	bool is_end = signal == SIGTERM || signal == SIGINT || (signal == SIGHUP && is_kernel);

	if (signal == SIGTERM || (is_end && watcher->phase != PHASE_RUNNING))
		watcher->is_ending = true;
	if (is_end && watcher->phase == PHASE_WAITING) {
		watcher->status = RUN_EXIT_OF_SIGNAL + signal;
		watcher->phase = PHASE_OVER;
	}
	return false;
}

static int64_t next_deadline(const struct watcher *watcher)
{
	const int64_t times[] = {watcher->act_at_ms, watcher->kill_at_ms, watcher->start_at_ms,
		watcher->subscription.again_at_ms};
	int64_t next = NEVER_MS;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		next = times[i] < next ? times[i] : next;
	return next;
}

static void do_what_is_due(struct watcher *watcher)
{
	int64_t now_ms = run_now_ms();

	if (watcher->subscription.again_at_ms <= now_ms)
		subscription_renew(&watcher->subscription);
	if (watcher->act_at_ms <= now_ms)
		act(watcher);
	if (watcher->kill_at_ms <= now_ms) {
		watcher->kill_at_ms = NEVER_MS;
		supervise_kill(&watcher->supervisor, SIGKILL);
	}
	if (watcher->start_at_ms <= now_ms)
		start(watcher);
}

static void wait_and_see(struct watcher *watcher)
{
	struct pollfd fds[] = {
		{.fd = -1},
		{.fd = watcher->note_fd, .events = POLLIN},
		{.fd = subscription_fd(&watcher->subscription), .events = POLLIN},
	};
	bool had_child = watcher->supervisor.child > 0;

	note_change(watcher);
	supervise_wait(&watcher->supervisor, fds, sizeof(fds) / sizeof(fds[0]), next_deadline(watcher));
	if (fds[1].revents != 0)
		read_note(watcher);
	if (fds[2].revents != 0)
		subscription_read(&watcher->subscription);
	if (had_child && watcher->supervisor.child == 0)
		on_child_end(watcher, watcher->supervisor.status);
	if (watcher->phase != PHASE_OVER)
		do_what_is_due(watcher);
}

int run_watched(const struct run_options *options)
{
	struct watcher watcher = {
		.options = options,
		.supervisor = {.hooks = {.on_signal = on_signal}, .hooks_arg = &watcher},
		.note_fd = -1,
		.act_at_ms = NEVER_MS,
		.kill_at_ms = NEVER_MS,
		.start_at_ms = NEVER_MS,
		.subscription = {.again_at_ms = NEVER_MS},
		.start_pause_ms = START_PAUSE_MS_FIRST,
	};
	int status = run_token_load(options->token) == COFFER_OK ? 0 : RUN_EXIT_REFUSED;

	if (status == 0 && options->wants_change)
		status = subscription_start(&watcher.subscription, options);

	if (status == 0 && !supervise_init(&watcher.supervisor))
		status = RUN_EXIT_REFUSED;
	if (status == 0) {
		start(&watcher);
		/* Some may have come together with the answer to the subscription. */
		subscription_read(&watcher.subscription);
		while (watcher.phase != PHASE_OVER)
			wait_and_see(&watcher);
		status = watcher.status;
		supervise_deinit(&watcher.supervisor);
	}
	subscription_close(&watcher.subscription);
	return status;
}
