/*
 * One loop for all supervisors.  All signals but those of faults are blocked and read from a signalfd; the child gets
 * them exactly once: what the terminal sends to a whole process group the kernel has given a child of this group
 * already, all else is passed on.  When the child stops for job control this process stops with it, so that the shell
 * gets its prompt.  What the child is started for is the callers'.
 */
#include "supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"
#include "run_vault.h"
#include "say.h"

/* Sent by the kernel, these are for all processes of a group: the terminal's foreground, or one that lost its shell. */
static const int group_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGWINCH};

static bool is_group_signal(int signal)
{
	for (size_t i = 0; i < sizeof(group_signals) / sizeof(group_signals[0]); i++) {
		if (group_signals[i] == signal)
			return true;
	}
	return false;
}

static bool is_stop_signal(int signal)
{
	return signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

int supervise_above_standard(int fd)
{
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;

	int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	close(fd);
	return moved;
}

static void block_signals(struct supervisor *supervisor, sigset_t *blocked)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
	/* Ignored, as some callers have it, children would leave no status. */
	struct sigaction standard = {.sa_handler = SIG_DFL};

	sigfillset(blocked);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(blocked, faults[i]);
	sigprocmask(SIG_SETMASK, blocked, &supervisor->caller_mask);
	sigaction(SIGCHLD, &standard, &supervisor->caller_chld);
}

/* In a child too, also in one that shares our memory: dispositions and mask are its own. */
static void restore_signals(const struct supervisor *supervisor)
{
	sigaction(SIGCHLD, &supervisor->caller_chld, NULL);
	sigprocmask(SIG_SETMASK, &supervisor->caller_mask, NULL);
}

/* Waits for everybody: as the first process of a container this one inherits orphans. */
static void reap(struct supervisor *supervisor)
{
	int status = 0;
	pid_t pid = 0;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
		if (pid != supervisor->child)
			continue;
		supervisor->is_stopped = WIFSTOPPED(status);
		if (!WIFEXITED(status) && !WIFSIGNALED(status))
			continue;
		supervisor->child = 0;
		supervisor->status =
			WIFEXITED(status) ? WEXITSTATUS(status) : RUN_EXIT_OF_SIGNAL + WTERMSIG(status);
	}
}

bool supervise_init(struct supervisor *supervisor)
{
	sigset_t blocked;

	if (supervisor->stop_signal == 0)
		supervisor->stop_signal = SIGTSTP;
	supervisor->is_stop_wanted = supervisor->follows_stops;
	block_signals(supervisor, &blocked);
	supervisor->signal_fd = supervise_above_standard(signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK));
	if (supervisor->signal_fd >= 0) {
		/* Of those that have ended already no signal tells any more. */
		reap(supervisor);
		return true;
	}
	say("run: signals cannot be supervised: ", strerrordesc_np(errno), NULL);
	restore_signals(supervisor);
	return false;
}

void supervise_deinit(struct supervisor *supervisor)
{
	if (supervisor->signal_fd <= 0)
		return;
	close(supervisor->signal_fd);
	supervisor->signal_fd = -1;
	restore_signals(supervisor);
}

static void begin(struct supervisor *supervisor, pid_t child)
{
	supervisor->child = child;
	supervisor->is_stopped = false;
	supervisor->is_stop_wanted = supervisor->follows_stops;
}

pid_t supervise_fork(struct supervisor *supervisor)
{
	pid_t child = fork();

	if (child == 0) {
		close(supervisor->signal_fd);
		restore_signals(supervisor);
	} else if (child > 0) {
		begin(supervisor, child);
	}
	return child;
}

/* In the child.  Gives the errno of what failed. */
static int become(const struct supervisor *supervisor, const struct supervise_program *program)
{
	if (supervisor->has_group && setpgid(0, 0) != 0)
		return errno;
	/* SIGTTOU, which this would bring on, is still blocked. */
	if (program->terminal >= 0 && tcsetpgrp(program->terminal, getpid()) != 0)
		return errno;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (program->stdio[fd] >= 0 && dup2(program->stdio[fd], fd) < 0)
			return errno;
	}
	restore_signals(supervisor);
	execve(program->path, program->arguments, program->environment);
	return errno;
}

int supervise_spawn(struct supervisor *supervisor, const struct supervise_program *program)
{
	volatile int error = 0;
	pid_t child = vfork();

	/* The child borrows our memory, values and all, and we sleep, until it has executed or given up. */
	if (child == 0) {
		error = become(supervisor, program);
		_exit(RUN_EXIT_NOT_FOUND);
	}
	if (child < 0)
		return errno;
	if (error != 0) {
		waitpid(child, NULL, 0);
		return error;
	}
	begin(supervisor, child);
	return 0;
}

void supervise_kill(const struct supervisor *supervisor, int signal)
{
	if (supervisor->child > 0)
		kill(supervisor->child, signal);
}

void supervise_kill_group(const struct supervisor *supervisor, int signal)
{
	if (supervisor->child > 0)
		kill(supervisor->has_group ? -supervisor->child : supervisor->child, signal);
}

/* A terminal that hangs up tells the leader of its session alone. */
static bool has_reached_child(const struct supervisor *supervisor, int signal)
{
	bool is_for_leader = signal == SIGHUP || signal == SIGCONT;

	return !supervisor->has_group && !(is_for_leader && getsid(0) == getpid());
}

static void go_on(struct supervisor *supervisor)
{
	supervisor->is_stopped = false;
	supervisor->is_stop_wanted = supervisor->follows_stops;
}

static void pass_on(struct supervisor *supervisor, int signal, bool is_kernel)
{
	const struct supervise_hooks *hooks = &supervisor->hooks;
	bool is_for_group = is_kernel && is_group_signal(signal);

	if (hooks->on_signal != NULL && hooks->on_signal(supervisor->hooks_arg, signal, is_kernel))
		return;
	if (is_stop_signal(signal))
		supervisor->is_stop_wanted = true;
	else if (signal == SIGCONT)
		go_on(supervisor);
	if (is_for_group && has_reached_child(supervisor, signal))
		return;
	if (is_for_group || signal == SIGCONT)
		supervise_kill_group(supervisor, signal);
	else
		supervise_kill(supervisor, signal);
}

/*
 * Whoever wakes this process sends a signal that is passed on as any other.  Only where the kernel made nothing of the
 * stop, for no shell could wake us, the child has to be woken here; a signal too many could undo the next stop.
 */
static void wake_child(struct supervisor *supervisor)
{
	sigset_t pending;

	sigemptyset(&pending);
	sigpending(&pending);
	if (sigismember(&pending, SIGCONT) || sigismember(&pending, SIGTSTP))
		return;
	go_on(supervisor);
	supervise_kill_group(supervisor, SIGCONT);
}

static void stop_itself(struct supervisor *supervisor)
{
	sigset_t stop;

	if (supervisor->hooks.before_stop != NULL)
		supervisor->hooks.before_stop(supervisor->hooks_arg);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	raise(supervisor->stop_signal);
	sigprocmask(SIG_UNBLOCK, &stop, NULL);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	supervisor->is_stop_wanted = supervisor->follows_stops;
	if (supervisor->hooks.after_stop != NULL)
		supervisor->hooks.after_stop(supervisor->hooks_arg);
	wake_child(supervisor);
}

/* What the child sends its parent is not for the child. */
static bool is_passed_on(const struct supervisor *supervisor, const struct signalfd_siginfo *info)
{
	return info->ssi_pid != (uint32_t)getpid() &&
	       (supervisor->child == 0 || info->ssi_pid != (uint32_t)supervisor->child);
}

/* True when this process was stopped meanwhile. */
static bool read_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo info = {0};

	while (read(supervisor->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(supervisor);
		else if (is_passed_on(supervisor, &info))
			pass_on(supervisor, (int)info.ssi_signo, info.ssi_code == SI_KERNEL);
	}
	if (supervisor->child == 0 || !supervisor->is_stopped || !supervisor->is_stop_wanted)
		return false;
	stop_itself(supervisor);
	return true;
}

static int time_left(int64_t deadline_ms)
{
	if (deadline_ms == NEVER_MS)
		return -1;

	int64_t left = deadline_ms - run_now_ms();

	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

void supervise_wait(struct supervisor *supervisor, struct pollfd *fds, nfds_t count, int64_t deadline_ms)
{
	fds[0] = (struct pollfd){.fd = supervisor->signal_fd, .events = POLLIN};

	/* On an error poll leaves what was there, and what was ready before a stop need not be any more. */
	bool is_stale = poll(fds, count, time_left(deadline_ms)) < 0;

	if (!is_stale && fds[0].revents != 0)
		is_stale = read_signals(supervisor);
	for (nfds_t i = 0; is_stale && i < count; i++)
		fds[i].revents = 0;
}
