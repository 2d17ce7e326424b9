/* P1: what the process has given up after hardening. */
#include "harden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define HUGE_BYTES (1UL << 50)

enum { KEPT_FDS = 2, FEW_FDS = 64 };

START_TEST(harden_refuses_a_negative_count)
{
	ck_assert_int_eq(harden_process(-1), ERR_INTERNAL);
	ck_assert_int_ge(fcntl(STDOUT_FILENO, F_GETFD), 0);
}
END_TEST

/* Runs check in a process of its own, hardened: its descriptors and environment are not the test's. */
static void check_hardened(void (*prepare)(void), bool (*check)(void))
{
	pid_t child = fork();
	int status = 0;

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		prepare();
		if (harden_process(KEPT_FDS) != OK)
			_exit(2);
		_exit(check() ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

static void prepare_nothing(void)
{
}

static bool cannot_be_dumped(void)
{
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY};

	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 || getrlimit(RLIMIT_CORE, &limit) != 0)
		return false;
	/* 1 is the value that stops a handler behind a pipe; it cannot be raised again. */
	return limit.rlim_cur <= 1 && limit.rlim_max == limit.rlim_cur;
}

static void prepare_no_core_at_all(void)
{
	const struct rlimit none = {0};

	if (setrlimit(RLIMIT_CORE, &none) != 0)
		_exit(3);
}

/* An ordinary user cannot go from the unit's LimitCORE=0 to 1; that is no reason to fail. */
static void prepare_no_core_as_alice(void)
{
	prepare_no_core_at_all();
	if (geteuid() == 0 && setresuid(12345, 12345, 12345) != 0)
		_exit(3);
}

START_TEST(harden_forbids_dumps)
{
	check_hardened(prepare_nothing, cannot_be_dumped);
	check_hardened(prepare_no_core_at_all, cannot_be_dumped);
	check_hardened(prepare_no_core_as_alice, cannot_be_dumped);
}
END_TEST

static void prepare_many_fds(void)
{
	for (int fd = 3; fd < 40; fd++)
		if (dup2(STDOUT_FILENO, fd) != fd)
			_exit(3);
}

static bool has_only_kept_fds(void)
{
	for (int fd = 0; fd < 3 + KEPT_FDS; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return false;
	for (int fd = 3 + KEPT_FDS; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return false;
	return true;
}

START_TEST(harden_closes_inherited_descriptors)
{
	check_hardened(prepare_many_fds, has_only_kept_fds);
}
END_TEST

static struct stat null_status;

static void prepare_no_standard_fds(void)
{
	prepare_many_fds();
	if (stat("/dev/null", &null_status) != 0 || close_range(0, 2, 0) != 0)
		_exit(3);
}

static bool has_null_fds(void)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat status = {0};

		if (fstat(fd, &status) != 0 || status.st_rdev != null_status.st_rdev)
			return false;
	}
	return has_only_kept_fds();
}

START_TEST(harden_opens_missing_standard_descriptors)
{
	check_hardened(prepare_no_standard_fds, has_null_fds);
}
END_TEST

static void prepare_few_descriptors(void)
{
	struct rlimit limit = {0};

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max <= FEW_FDS)
		_exit(3);
	limit.rlim_cur = FEW_FDS;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		_exit(3);
}

static bool may_open_all_that_it_may(void)
{
	struct rlimit limit = {0};

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > FEW_FDS &&
	       limit.rlim_cur == limit.rlim_max;
}

START_TEST(harden_raises_the_limit_of_descriptors)
{
	check_hardened(prepare_few_descriptors, may_open_all_that_it_may);
}
END_TEST

static void prepare_environment(void)
{
	static const char *const entries[] = {"LD_PRELOAD=/x", "PATH=/bin", "TZ=:/x", "LISTEN_FDS=1",
		"LISTEN_FDSX=1", "LISTEN_PID", "CREDENTIALS_DIRECTORY=/c", "LANG=tr_TR", "XDG_DATA_HOME=/d",
		"XDG_STATE_HOME=/s", "HOME=/h", "HOMEX=1", "=odd", "", "NOTIFY_SOCKET=@n"};
	static char *copies[sizeof(entries) / sizeof(entries[0]) + 1];

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		copies[i] = strdup(entries[i]);
	environ = copies;
}

static bool has_only_kept_variables(void)
{
	static const char *const kept[] = {"LISTEN_FDS=1", "CREDENTIALS_DIRECTORY=/c", "XDG_STATE_HOME=/s",
		"HOME=/h", "NOTIFY_SOCKET=@n"};
	size_t count = 0;

	for (; environ[count] != NULL; count++)
		if (count == sizeof(kept) / sizeof(kept[0]) || strcmp(environ[count], kept[count]) != 0)
			return false;
	return count == sizeof(kept) / sizeof(kept[0]);
}

static void prepare_no_environment(void)
{
	environ = NULL;
}

static bool has_no_environment(void)
{
	return environ == NULL;
}

START_TEST(harden_reduces_the_environment)
{
	check_hardened(prepare_environment, has_only_kept_variables);
	check_hardened(prepare_no_environment, has_no_environment);
}
END_TEST

static void prepare_open_umask(void)
{
	umask(0);
	signal(SIGPIPE, SIG_DFL);
}

static bool is_tidy(void)
{
	int ends[2] = {-1, -1};

	if (umask(0) != 077 || strcmp(setlocale(LC_ALL, NULL), "C") != 0)
		return false;
	if (pipe(ends) != 0 || close(ends[0]) != 0)
		return false;
	return write(ends[1], "x", 1) == -1 && errno == EPIPE; /* and the process lives */
}

START_TEST(harden_sets_umask_locale_and_sigpipe)
{
	check_hardened(prepare_open_umask, is_tidy);
}
END_TEST

#if defined(__SANITIZE_ADDRESS__)
enum { LOCKS_MEMORY = false };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { LOCKS_MEMORY = false };
#else
enum { LOCKS_MEMORY = true };
#endif
#else
enum { LOCKS_MEMORY = true };
#endif

static void drop_ipc_lock(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	ck_assert_int_eq(syscall(SYS_capget, &header, data), 0);
	data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &= ~CAP_TO_MASK(CAP_IPC_LOCK);
	ck_assert_int_eq(syscall(SYS_capset, &header, data), 0);
}

static void lower_limit(rlim_t bytes)
{
	struct rlimit limit = {0};

	ck_assert_int_eq(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
}

START_TEST(harden_memory_refuses_a_limit_that_cannot_hold_the_pools)
{
	const char *reason = NULL;

	if (!LOCKS_MEMORY)
		return;
	drop_ipc_lock();
	lower_limit(1048576);
	ck_assert_int_eq(harden_memory(HUGE_BYTES, false, &reason), ERR_INTERNAL);
	ck_assert_ptr_nonnull(strstr(reason, "LimitMEMLOCK=10737418"));
	ck_assert_ptr_nonnull(strstr(reason, "(it is 1M)"));
	ck_assert_ptr_nonnull(strstr(reason, "allow_swap"));
	reason = NULL;
	ck_assert_int_eq(harden_memory(~0UL, false, &reason), ERR_INTERNAL); /* the sum does not wrap */
	ck_assert_ptr_nonnull(reason);
	reason = NULL;
	ck_assert_int_eq(harden_memory(0, false, &reason), ERR_INTERNAL); /* what is mapped counts, too */
	ck_assert_ptr_nonnull(reason);
}
END_TEST

START_TEST(harden_memory_goes_on_unlocked_only_when_allowed)
{
	const char *reason = NULL;

	if (!LOCKS_MEMORY)
		return;
	drop_ipc_lock();
	lower_limit(1048576);
	ck_assert_int_eq(harden_memory(HUGE_BYTES, true, &reason), OK);
	ck_assert_ptr_nonnull(reason);

	/* Nothing half done: memory to come is not held to the limit. */
	void *bytes = mmap(NULL, 16 * 1048576, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(bytes, MAP_FAILED);
}
END_TEST

/* Kilobytes of VmLck, or -1. */
static long locked_kilobytes(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256] = "";
	long found = -1;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "VmLck: %ld kB", &found) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return found;
}

START_TEST(harden_memory_locks_what_is_there_and_what_comes)
{
	const char *reason = "unset";
	enum err err = harden_memory(1048576, false, &reason);

	if (!LOCKS_MEMORY) {
		ck_assert_int_eq(err, OK);
		return;
	}
	if (err != OK) { /* an ordinary user under the usual limit */
		ck_assert_ptr_nonnull(strstr(reason, "LimitMEMLOCK="));
		return;
	}
	ck_assert_ptr_null(reason);

	long before = locked_kilobytes();
	void *bytes = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(bytes, MAP_FAILED);
	ck_assert_int_gt(before, 0);
	ck_assert_int_eq(locked_kilobytes(), before + 64);
}
END_TEST

UNIT_MAIN("harden", harden_refuses_a_negative_count, harden_forbids_dumps,
	harden_closes_inherited_descriptors, harden_opens_missing_standard_descriptors,
	harden_raises_the_limit_of_descriptors, harden_reduces_the_environment,
	harden_sets_umask_locale_and_sigpipe, harden_memory_refuses_a_limit_that_cannot_hold_the_pools,
	harden_memory_goes_on_unlocked_only_when_allowed, harden_memory_locks_what_is_there_and_what_comes)
