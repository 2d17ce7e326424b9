/* Which process it is, with real ones (P9): found again or proven gone, told once when it ends, and how it ended. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procfs.h"
#include "puppet.h"
#include "unit.h"

static uint64_t start_of(pid_t pid)
{
	struct procfs_stat stat = {0};

	ck_assert(procfs_stat(pid, &stat));
	ck_assert_uint_gt(stat.start_ticks, 0);
	return stat.start_ticks;
}

/* Nothing is given but with LIVES. */
static void check_find(enum process_state wanted, pid_t pid, uint64_t start_ticks, const char *boot)
{
	int pidfd = -7;

	ck_assert_int_eq(process_find(pid, start_ticks, boot, &pidfd), wanted);
	ck_assert_int_eq(pidfd == -7, wanted != PROCESS_LIVES);
	if (wanted == PROCESS_LIVES)
		close(pidfd);
}

/* ---- finding again: refusals ---- */

START_TEST(what_was_never_proven_stays_unknown)
{
	uint64_t start = start_of(getpid());

	check_find(PROCESS_UNKNOWN, 0, start, process_boot());
	check_find(PROCESS_UNKNOWN, -1, start, process_boot());
	check_find(PROCESS_UNKNOWN, -getpid(), start, process_boot());
	check_find(PROCESS_UNKNOWN, getpid(), 0, process_boot());
	check_find(PROCESS_UNKNOWN, getpid(), start, "");
	check_find(PROCESS_UNKNOWN, 0, 0, "");
	/* Never said to be gone, also where nobody has that number. */
	check_find(PROCESS_UNKNOWN, INT32_MAX, start, "");
}
END_TEST

START_TEST(a_pid_of_another_namespace_stays_unknown)
{
	char boot[PROCESS_BOOT_BYTES] = "";

	snprintf(boot, sizeof(boot), "%s7", process_boot());
	check_find(PROCESS_UNKNOWN, getpid(), start_of(getpid()), boot);
	check_find(PROCESS_UNKNOWN, INT32_MAX, 1, boot);
	boot[strcspn(boot, "/")] = '\0'; /* the boot alone */
	check_find(PROCESS_UNKNOWN, getpid(), start_of(getpid()), boot);
	strcat(boot, "/");
	check_find(PROCESS_UNKNOWN, getpid(), start_of(getpid()), boot);
}
END_TEST

START_TEST(a_process_of_another_boot_has_ended)
{
	char boot[PROCESS_BOOT_BYTES] = "";

	snprintf(boot, sizeof(boot), "%s", process_boot());
	boot[0] = boot[0] == '0' ? '1' : '0';
	check_find(PROCESS_ENDED, getpid(), start_of(getpid()), boot);
	check_find(PROCESS_ENDED, getpid(), start_of(getpid()), process_boot() + 1);
	check_find(PROCESS_ENDED, getpid(), start_of(getpid()), "x");
}
END_TEST

START_TEST(a_pid_with_another_start_time_is_another_process)
{
	uint64_t start = start_of(getpid());

	check_find(PROCESS_ENDED, getpid(), start + 1, process_boot());
	check_find(PROCESS_ENDED, getpid(), start - 1, process_boot());
	check_find(PROCESS_ENDED, getpid(), UINT64_MAX, process_boot());
}
END_TEST

/* Takes the pid that a dead process had.  Needs CAP_CHECKPOINT_RESTORE; -1 without it. */
static pid_t start_with_pid(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1};
	pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (child == 0)
		while (true)
			pause();
	return child;
}

START_TEST(a_process_that_has_ended_is_not_found_in_its_pids_next_one)
{
	struct puppet puppet;

	puppets_start();
	puppet = puppet_new();

	uint64_t start = start_of(puppet.pid);

	check_find(PROCESS_LIVES, puppet.pid, start, process_boot());
	puppet_exit(&puppet, 0);
	check_find(PROCESS_ENDED, puppet.pid, start, process_boot()); /* a zombie holds nothing */
	puppet_wait(&puppet);
	check_find(PROCESS_ENDED, puppet.pid, start, process_boot());
	puppets_pass_a_tick();

	pid_t next = start_with_pid(puppet.pid);

	if (next < 0) {
		printf("# SKIP of a recycled pid: %s\n", strerror(errno));
	} else {
		ck_assert_int_eq(next, puppet.pid);
		check_find(PROCESS_ENDED, next, start, process_boot());
		check_find(PROCESS_LIVES, next, start_of(next), process_boot());
		kill(next, SIGKILL);
	}
	puppets_end();
}
END_TEST

START_TEST(the_descriptor_that_is_found_is_of_that_process)
{
	struct puppet puppet;
	int pidfd = -1;

	puppets_start();
	puppet = puppet_new();
	ck_assert_int_eq(
		process_find(puppet.pid, start_of(puppet.pid), process_boot(), &pidfd), PROCESS_LIVES);
	ck_assert(!process_has_ended(pidfd));
	ck_assert_int_eq(fcntl(pidfd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	puppet_exit(&puppet, 0);
	ck_assert(process_has_ended(pidfd));
	close(pidfd);
	puppets_end();
}
END_TEST

/* ---- boot and clock ---- */

START_TEST(the_boot_is_told_with_the_namespace_and_stays_the_same)
{
	const char *boot = process_boot();

	ck_assert_uint_eq(strspn(boot, "0123456789abcdef"), 32);
	ck_assert_int_eq(boot[32], '/');
	ck_assert_uint_gt(strspn(boot + 33, "0123456789"), 0);
	ck_assert_uint_eq(33 + strspn(boot + 33, "0123456789"), strlen(boot));
	ck_assert_str_eq(process_boot(), boot);
}
END_TEST

START_TEST(the_clock_is_the_one_of_start_times)
{
	puppets_start();

	uint64_t before = process_now_ticks();
	struct puppet puppet = puppet_new();
	uint64_t after = process_now_ticks();

	ck_assert_uint_le(before, start_of(puppet.pid));
	ck_assert_uint_le(start_of(puppet.pid), after);
	puppets_pass_a_tick();
	ck_assert_uint_gt(process_now_ticks(), after);
	puppets_end();
}
END_TEST

/* ---- describing a caller ---- */

static struct principal principal_of(const struct puppet *puppet)
{
	return (struct principal){.pid = puppet->pid, .pidfd = puppet->pidfd, .is_pid_proven = true};
}

START_TEST(nothing_is_told_of_a_caller_that_has_ended)
{
	struct process process = {0};
	struct puppet puppet;

	puppets_start();
	puppet = puppet_new();

	struct principal who = principal_of(&puppet);
	struct principal recycled = {.pid = getpid(), .pidfd = puppet.pidfd, .is_pid_proven = true};

	puppet_exit(&puppet, 0);
	ck_assert_int_eq(process_describe(&who, &process), ERR_DENIED);
	puppet_wait(&puppet);
	ck_assert_int_eq(process_describe(&who, &process), ERR_DENIED);
	ck_assert_int_eq(process_describe(&recycled, &process), ERR_DENIED); /* its number lives */
	puppets_end();
}
END_TEST

static void check_without_unit(const struct process *process)
{
	ck_assert_str_eq(process->invocation, "");
	ck_assert_str_eq(process->cgroup, "");
	ck_assert_uint_eq(process->cgroup_id, 0);
}

START_TEST(a_caller_is_described_by_start_and_executable)
{
	struct process process = {0};
	struct puppet puppet;
	char exe[PROCESS_EXE_BYTES] = "";

	puppets_start();
	puppet = puppet_new();

	struct principal who = principal_of(&puppet);

	ck_assert_int_eq(process_describe(&who, &process), OK);
	ck_assert_int_eq(process.pid, puppet.pid);
	ck_assert_uint_eq(process.start_ticks, start_of(puppet.pid));
	ck_assert_int_gt(readlink("/proc/self/exe", exe, sizeof(exe) - 1), 0);
	ck_assert_str_eq(process.exe, exe);
	ck_assert_str_eq(process.unit, "");
	check_without_unit(&process);

	/* In a unit when it was looked at first, and not any more. */
	strcpy(who.unit, "coffer-there-is-none.service");
	ck_assert_int_eq(process_describe(&who, &process), OK);
	ck_assert_str_eq(process.unit, "coffer-there-is-none.service");
	check_without_unit(&process);
	puppets_end();
}
END_TEST

START_TEST(a_caller_in_a_unit_is_described_by_its_directory)
{
	struct process process = {0};
	struct unit_place place, below;
	struct puppet puppet;

	if (!unit_place_real(&place))
		return;
	puppets_start();
	puppet = puppet_new();
	unit_place_below(&place, "worker", &below);
	unit_place_join(&below, &puppet);

	struct principal who = principal_of(&puppet);

	strcpy(who.unit, place.unit);
	ck_assert_int_eq(process_describe(&who, &process), OK);
	ck_assert_str_eq(process.cgroup, place.directory);
	ck_assert_uint_eq(process.cgroup_id, place.id);
	ck_assert_str_eq(process.invocation, ""); /* the service manager knows nothing of it */
	puppet_die(&puppet);
	unit_place_remove(&below);
	unit_place_remove(&place);
	puppets_end();
}
END_TEST

START_TEST(an_executable_that_cannot_be_seen_has_no_name)
{
	char exe[PROCESS_EXE_BYTES] = "untouched";
	struct puppet puppet;

	puppets_start();
	puppet = puppet_new();
	puppet_die(&puppet);
	process_exe(puppet.pid, exe);
	ck_assert_str_eq(exe, "");
	process_exe(-1, exe);
	ck_assert_str_eq(exe, "");
	puppets_end();
}
END_TEST

/* ---- waiting ---- */

static struct process_watch *watch;

static void start_watch(void)
{
	puppets_start();
	ck_assert_int_eq(process_watch_new(&watch), OK);
}

static void end_watch(void)
{
	process_watch_free(watch);
	puppets_end();
}

static bool is_watch_readable(void)
{
	struct pollfd poll_fd = {.fd = process_watch_fd(watch), .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

static void check_silent(void)
{
	ck_assert(!is_watch_readable());
	ck_assert_ptr_null(process_watch_take(watch));
}

START_TEST(a_watch_refuses_what_is_no_process)
{
	int tag = 0;
	char path[] = "/tmp/coffer-watch-XXXXXX";

	start_watch();

	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(process_watch_add(watch, -1, &tag, false), ERR_INTERNAL);
	ck_assert_int_eq(process_watch_add(watch, fd, &tag, false), ERR_INTERNAL); /* nothing to wait for */
	process_watch_remove(watch, -1);
	process_watch_remove(watch, fd);
	check_silent();
	close(fd);
	unlink(path);
	end_watch();
	process_watch_free(NULL);
}
END_TEST

START_TEST(an_end_is_told_once)
{
	struct puppet one, other;

	start_watch();
	one = puppet_new();
	other = puppet_new();
	ck_assert_int_eq(process_watch_add(watch, one.pidfd, &one, false), OK);
	ck_assert_int_eq(process_watch_add(watch, other.pidfd, &other, false), OK);
	check_silent();
	puppet_exit(&one, 0);
	ck_assert(is_watch_readable());
	ck_assert_ptr_eq(process_watch_take(watch), &one);
	check_silent();
	puppet_wait(&one);
	check_silent(); /* its being waited for is another matter */
	puppet_exit(&other, 0);
	ck_assert_ptr_eq(process_watch_take(watch), &other);
	check_silent();
	end_watch();
}
END_TEST

START_TEST(a_process_that_ended_before_is_told_too)
{
	struct puppet zombie, reaped;

	start_watch();
	zombie = puppet_new();
	reaped = puppet_new();
	puppet_exit(&zombie, 0);
	puppet_die(&reaped);
	ck_assert_int_eq(process_watch_add(watch, zombie.pidfd, &zombie, false), OK);
	ck_assert_ptr_eq(process_watch_take(watch), &zombie);
	ck_assert_int_eq(process_watch_add(watch, reaped.pidfd, &reaped, false), OK);
	ck_assert_ptr_eq(process_watch_take(watch), &reaped);
	check_silent();
	end_watch();
}
END_TEST

/* Kernels before 6.9 do not tell of it. */
START_TEST(being_waited_for_is_told_once_and_not_before)
{
	struct puppet puppet;

	start_watch();
	puppet = puppet_new();
	ck_assert_int_eq(process_watch_add(watch, puppet.pidfd, &puppet, false), OK);
	puppet_exit(&puppet, 0);
	ck_assert_ptr_eq(process_watch_take(watch), &puppet);
	ck_assert_int_eq(process_watch_add(watch, puppet.pidfd, &puppet, true), OK);
	check_silent();
	puppet_wait(&puppet);
	if (kernel_is(6, 9))
		ck_assert_ptr_eq(process_watch_take(watch), &puppet);
	check_silent();
	end_watch();
}
END_TEST

/* Somebody else may hold a copy of the descriptor: closing ours alone would leave a tag to freed memory in there. */
START_TEST(what_was_removed_is_not_told_whoever_holds_a_copy)
{
	struct puppet puppet;

	start_watch();
	puppet = puppet_new();

	int ours = dup(puppet.pidfd);

	ck_assert_int_eq(process_watch_add(watch, ours, &puppet, false), OK);
	process_watch_remove(watch, ours);
	close(ours);
	puppet_exit(&puppet, 0);
	check_silent();

	/* Nor when its end was waiting to be told. */
	ours = dup(puppet.pidfd);
	ck_assert_int_eq(process_watch_add(watch, ours, &puppet, false), OK);
	ck_assert(is_watch_readable());
	process_watch_remove(watch, ours);
	close(ours);
	check_silent();
	end_watch();
}
END_TEST

START_TEST(an_added_one_may_be_added_again_with_another_tag)
{
	struct puppet puppet;
	int tag = 0;

	start_watch();
	puppet = puppet_new();
	ck_assert_int_eq(process_watch_add(watch, puppet.pidfd, &puppet, false), OK);
	ck_assert_int_eq(process_watch_add(watch, puppet.pidfd, &tag, false), OK);
	puppet_exit(&puppet, 0);
	ck_assert_ptr_eq(process_watch_take(watch), &tag);
	check_silent();
	end_watch();
}
END_TEST

/* ---- how it ended ---- */

/* What the kernel offers: kernels from 6.15 on keep the status for who holds a pidfd. */
static void check_status(const struct puppet *puppet, int wanted)
{
	int status = -7;
	bool is_later = true;
	bool is_told = process_end_status(puppet->pidfd, &status, &is_later);

	ck_assert(!is_later);
	ck_assert(is_told || !kernel_is(6, 15));
	ck_assert_int_eq(status, is_told ? wanted : -7);
}

START_TEST(a_live_process_has_no_status_and_none_to_wait_for)
{
	struct puppet puppet;
	int status = -7;
	bool is_later = true;

	puppets_start();
	puppet = puppet_new();
	ck_assert(!process_end_status(puppet.pidfd, &status, &is_later));
	ck_assert(!is_later);
	is_later = true;
	ck_assert(!process_end_status(-1, &status, &is_later));
	ck_assert(!is_later);
	ck_assert_int_eq(status, -7);
	puppets_end();
}
END_TEST

START_TEST(a_status_comes_when_the_parent_has_waited)
{
	struct puppet puppet;
	int status = -7;
	bool is_later = false;

	puppets_start();
	puppet = puppet_new();
	puppet_exit(&puppet, 3);
	ck_assert(!process_end_status(puppet.pidfd, &status, &is_later));
	ck_assert_int_eq(status, -7);
	ck_assert(is_later || !kernel_is(6, 15));
	puppet_wait(&puppet);
	check_status(&puppet, W_EXITCODE(3, 0));
	puppets_end();
}
END_TEST

START_TEST(exits_and_signals_are_told_as_wait_tells_them)
{
	static const struct {
		int ends_with;
		int status;
	} rows[] = {{0, W_EXITCODE(0, 0)}, {1, W_EXITCODE(1, 0)}, {255, W_EXITCODE(255, 0)},
		{-SIGKILL, W_EXITCODE(0, SIGKILL)}, {-SIGTERM, W_EXITCODE(0, SIGTERM)}};

	puppets_start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct puppet puppet = puppet_new();

		puppet_exit(&puppet, rows[i].ends_with);
		puppet_wait(&puppet);
		check_status(&puppet, rows[i].status);
		check_status(&puppet, rows[i].status); /* as often as it is asked for */
	}
	puppets_end();
}
END_TEST

/* Its parent may wait for it between any two looks: then the status is told, or told to be there in a moment. */
static void *wait_for_it(void *arg)
{
	puppet_wait(arg);
	return NULL;
}

START_TEST(a_status_is_not_missed_while_the_parent_waits)
{
	if (!kernel_is(6, 15)) {
		printf("# SKIP: this kernel tells no status\n");
		return;
	}
	for (int i = 0; i < 400; i++) {
		pthread_t parent;
		struct puppet puppet;
		int status = -7;
		bool is_told = false, is_later = true;

		puppets_start();
		puppet = puppet_new();
		puppet_exit(&puppet, 3);
		ck_assert_int_eq(pthread_create(&parent, NULL, wait_for_it, &puppet), 0);
		while (!is_told) {
			is_told = process_end_status(puppet.pidfd, &status, &is_later);
			ck_assert(is_told || is_later);
		}
		ck_assert_int_eq(status, W_EXITCODE(3, 0));
		ck_assert_int_eq(pthread_join(parent, NULL), 0);
		puppets_end();
	}
}
END_TEST

UNIT_MAIN("process", what_was_never_proven_stays_unknown, a_pid_of_another_namespace_stays_unknown,
	a_process_of_another_boot_has_ended, a_pid_with_another_start_time_is_another_process,
	a_process_that_has_ended_is_not_found_in_its_pids_next_one,
	the_descriptor_that_is_found_is_of_that_process,
	the_boot_is_told_with_the_namespace_and_stays_the_same, the_clock_is_the_one_of_start_times,
	nothing_is_told_of_a_caller_that_has_ended, a_caller_is_described_by_start_and_executable,
	a_caller_in_a_unit_is_described_by_its_directory, an_executable_that_cannot_be_seen_has_no_name,
	a_watch_refuses_what_is_no_process, an_end_is_told_once, a_process_that_ended_before_is_told_too,
	being_waited_for_is_told_once_and_not_before, what_was_removed_is_not_told_whoever_holds_a_copy,
	an_added_one_may_be_added_again_with_another_tag, a_live_process_has_no_status_and_none_to_wait_for,
	a_status_comes_when_the_parent_has_waited, exits_and_signals_are_told_as_wait_tells_them,
	a_status_is_not_missed_while_the_parent_waits)
