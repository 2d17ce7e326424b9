/*
 * P8: what a sandboxed process can still do.  Each attempt is a child of its own that enters the daemon's very sandbox, so
 * that the calls which are let through can do no harm either.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox_calls.h"
#include "sandbox_paths.h"
#include "sanitized.h"
#include "service.h"
#include "unit.h"
#include "users.h"

enum { NUMBERS = 512, CALLS_MAX = 45, TEXT_BYTES = 4096, PATH_BYTES = 512 };
enum { NOT_ENTERED = 100 };
enum answer { ANSWER_OTHER = 1, ANSWER_EPERM, ANSWER_ENOSYS };

/* ---- a world: the daemon's directories, and one that is none of its business ---- */

static char folder[64];
static char path_out[PATH_BYTES];
static struct config config;

static const char *at(const char *name)
{
	snprintf(path_out, sizeof(path_out), "%s/%s", folder, name);
	return path_out;
}

static void write_file(const char *name)
{
	FILE *file = fopen(at(name), "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fclose(file), 0);
}

static void set_up(void)
{
	static const char *const folders[] = {
		"state", "anchor", "backup", "archive", "run", "etc", "outside"};

	snprintf(folder, sizeof(folder), "/tmp/coffer-sandbox-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		ck_assert_int_eq(mkdir(at(folders[i]), 0700), 0);
	write_file("state/old");
	write_file("archive/old");
	write_file("run/coffer.sock");
	write_file("run/other");
	write_file("etc/cofferd.conf");
	write_file("outside/old");
	snprintf(config.state_dir, sizeof(config.state_dir), "%s", at("state"));
	snprintf(config.anchor, sizeof(config.anchor), "%s", at("anchor"));
	snprintf(config.backup_dir, sizeof(config.backup_dir), "%s", at("backup"));
	snprintf(config.archive_dir, sizeof(config.archive_dir), "%s", at("archive"));
	snprintf(config.socket, sizeof(config.socket), "%s", at("run/coffer.sock"));
}

static void tear_down(void)
{
	char command[128] = "";

	snprintf(command, sizeof(command), "rm -rf -- '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static enum err enter(bool owns_socket)
{
	char conf[PATH_BYTES] = "";
	const char *reason = NULL;

	snprintf(conf, sizeof(conf), "%s", at("etc/cofferd.conf"));

	struct sandbox sandbox = {.config = &config, .config_path = conf, .owns_socket = owns_socket};

	return sandbox_enter(&sandbox, &reason);
}

/* ---- attempts ---- */

struct attempt {
	int status; /* of waitpid */
	char told[TEXT_BYTES]; /* on standard error, after the sandbox was entered */
};

typedef int attempt_fn(const void *arg);

static void run_child(int told_fd, attempt_fn *function, const void *arg)
{
	int null = open("/dev/null", O_WRONLY);

	(void)dup2(null, STDERR_FILENO);
	if (null < 0 || enter(false) != OK)
		_exit(NOT_ENTERED);
	close(STDERR_FILENO);
	if (fcntl(told_fd, F_DUPFD_CLOEXEC, STDERR_FILENO) != STDERR_FILENO)
		_exit(NOT_ENTERED);
	_exit(function(arg));
}

/* What the function returns is the exit status. */
static struct attempt attempt(attempt_fn *function, const void *arg)
{
	struct attempt attempt = {0};
	size_t len = 0;
	int ends[2] = {-1, -1};

	ck_assert_int_eq(pipe(ends), 0);

	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0)
		run_child(ends[1], function, arg);
	close(ends[1]);
	for (ssize_t got = 1; got > 0 && len<TEXT_BYTES - 1; len += got> 0 ? (size_t)got : 0)
		got = read(ends[0], attempt.told + len, TEXT_BYTES - 1 - len);
	close(ends[0]);
	ck_assert_int_eq(waitpid(child, &attempt.status, 0), child);
	ck_assert_msg(
		!WIFEXITED(attempt.status) || WEXITSTATUS(attempt.status) != NOT_ENTERED, "not entered");
	return attempt;
}

static void must_succeed(attempt_fn *function, const void *arg, const char *what)
{
	struct attempt done = attempt(function, arg);

	ck_assert_msg(WIFEXITED(done.status) && WEXITSTATUS(done.status) == 0 && done.told[0] == '\0',
		"%s: status %x, told: %s", what, (unsigned)done.status, done.told);
}

/* ---- every number ---- */

#define CALL(name, why) [SCMP_SYS(name)] = true,
#define CALL_WITH(name, argument, mask, value, why)
#define QUIET(name, why)
#define NEVER(name, why)
static const bool is_allowed[NUMBERS] = {
#include "sandbox_calls.def"
#ifdef SANITIZED
#include "sandbox_sanitizer.def"
#endif
};
#undef CALL
#undef QUIET
#define CALL(name, why)
#define QUIET(name, why) [SCMP_SYS(name)] = true,
static const bool is_quiet[NUMBERS] = {
#include "sandbox_calls.def"
};
#undef QUIET
#undef NEVER
#define QUIET(name, why)
#define NEVER(name, why) [SCMP_SYS(name)] = true,
static const bool is_deadly[NUMBERS] = {
#include "sandbox_calls.def"
};
#undef CALL
#undef CALL_WITH
#undef QUIET
#undef NEVER

#define CALL(name, why) #name,
#define CALL_WITH(name, argument, mask, value, why) #name,
#define QUIET(name, why)
#define NEVER(name, why)
static const char *const names[] = {
#include "sandbox_calls.def"
};
#undef CALL
#undef CALL_WITH
#undef QUIET
#undef NEVER

/* A row that aarch64 does not have is left out there without a word: what stands in for it needs one of its own. */
START_TEST(sandbox_list_is_whole_on_aarch64)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bool has_other = strcmp(names[i], "epoll_wait") == 0 || strcmp(names[i], "poll") == 0;

		ck_assert_msg(
			has_other || seccomp_syscall_resolve_name_arch(SCMP_ARCH_AARCH64, names[i]) >= 0,
			"%s is no system call of aarch64", names[i]);
	}
	ck_assert_int_ge(seccomp_syscall_resolve_name_arch(SCMP_ARCH_AARCH64, "epoll_pwait"), 0);
	ck_assert_int_ge(seccomp_syscall_resolve_name_arch(SCMP_ARCH_AARCH64, "ppoll"), 0);
}
END_TEST

/* These end the process, or go back to where nobody came from. */
static bool is_an_end(int number)
{
	return number == SYS_exit || number == SYS_exit_group || number == SYS_rt_sigreturn;
}

static int call_number(const void *arg)
{
	long result = syscall(*(const int *)arg, -1L, -1L, -1L, -1L, -1L, -1L);

	if (result != -1)
		return ANSWER_OTHER;
	return errno == EPERM ? ANSWER_EPERM : errno == ENOSYS ? ANSWER_ENOSYS : ANSWER_OTHER;
}

/* Calls that the kernel itself puts into traced programs: it asks no filter, and to anybody else they are of no use. */
static bool is_of_uprobes(int number)
{
	return number == 335 || number == 336;
}

static void check_refused(int number, const struct attempt *done)
{
	if (is_of_uprobes(number) && done->told[0] == '\0')
		return;

	char word[32] = "";
	enum answer wanted = number >= SYS_statx ? ANSWER_ENOSYS : ANSWER_EPERM;

	snprintf(word, sizeof(word), " (%d) ", number);
	ck_assert_msg(WIFEXITED(done->status) && WEXITSTATUS(done->status) == (int)wanted,
		"system call %d: status %x, told: %s", number, (unsigned)done->status, done->told);
	ck_assert_msg(is_quiet[number] ? done->told[0] == '\0' : strstr(done->told, word) != NULL,
		"system call %d: told: %s", number, done->told);
}

START_TEST(sandbox_refuses_every_system_call_that_is_not_on_the_list)
{
	for (int number = 0; number < NUMBERS; number++) {
		if (is_allowed[number])
			continue;

		struct attempt done = attempt(call_number, &number);

		if (is_deadly[number])
			ck_assert_msg(WIFSIGNALED(done.status) && WTERMSIG(done.status) == SIGSYS,
				"system call %d: status %x", number, (unsigned)done.status);
		else
			check_refused(number, &done);
	}
}
END_TEST

START_TEST(sandbox_lets_the_calls_of_the_list_through)
{
	int count = 0;

	for (int number = 0; number < NUMBERS; number++) {
		if (!is_allowed[number] || is_an_end(number))
			continue;

		struct attempt done = attempt(call_number, &number);

		ck_assert_msg(WIFEXITED(done.status) && done.told[0] == '\0',
			"system call %d: status %x, told: %s", number, (unsigned)done.status, done.told);
		count++;
	}
	ck_assert_int_gt(count, 30);
}
END_TEST

/* A list that is read from its own table could allow anything: these are named here as well. */
START_TEST(sandbox_allows_nothing_that_makes_processes_files_or_rights)
{
	static const int forbidden[] = {SYS_fork, SYS_vfork, SYS_clone3, SYS_execve, SYS_execveat, SYS_bind,
		SYS_listen, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns,
		SYS_setuid, SYS_setgid, SYS_setresuid, SYS_setgroups, SYS_capset, SYS_bpf, SYS_seccomp,
		SYS_userfaultfd, SYS_io_uring_setup, SYS_perf_event_open, SYS_keyctl, SYS_add_key, SYS_chmod,
		SYS_fchmod, SYS_fchmodat, SYS_chown, SYS_fchown, SYS_mkdir, SYS_mkdirat, SYS_symlink,
		SYS_symlinkat, SYS_link, SYS_linkat, SYS_mknod, SYS_truncate, SYS_setxattr, SYS_utimensat,
		SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_pidfd_getfd, SYS_pidfd_send_signal,
		SYS_process_vm_writev, SYS_process_madvise, SYS_kcmp, SYS_syslog, SYS_reboot, SYS_init_module,
		SYS_finit_module, SYS_kexec_load, SYS_swapon, SYS_setrlimit, SYS_prlimit64, SYS_shmget,
		SYS_memfd_create, SYS_pkey_mprotect, SYS_remap_file_pages, SYS_personality, SYS_quotactl,
		SYS_acct, SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_socketpair, SYS_fanotify_init,
		SYS_inotify_init1};

	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		ck_assert_msg(!is_allowed[forbidden[i]], "system call %d is on the list", forbidden[i]);
}
END_TEST

static int count_calls(const void *arg)
{
	const char *reason = NULL;
	size_t count = 0;

	(void)arg;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || sandbox_limit_calls(&count, &reason) != OK)
		return 1;
	return count <= CALLS_MAX && count > 30 ? 0 : 2;
}

START_TEST(sandbox_allows_at_most_forty_five_calls)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0)
		_exit(count_calls(NULL));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

static int call_twice(const void *arg)
{
	(void)arg;
	return chmod("/", 0700) == -1 && errno == EPERM && chmod("/", 0700) == -1 && errno == EPERM ? 0 : 1;
}

START_TEST(sandbox_tells_of_a_refused_call_once)
{
	struct attempt done = attempt(call_twice, NULL);
	const char *found = strstr(done.told, "system call chmod (90)");

	ck_assert_int_eq(done.status, 0);
	ck_assert_ptr_nonnull(found);
	ck_assert_ptr_null(strstr(found + 1, "system call"));
}
END_TEST

#ifdef __x86_64__

static int call_x32(const void *arg)
{
	(void)arg;
	(void)syscall(0x40000000L | SYS_getpid);
	return 0;
}

static int call_i386(const void *arg)
{
	long result = 0;

	(void)arg;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
	return 0;
}

/* Where the kernel has no 32-bit calls at all, the attempt ends as an instruction that is none. */
START_TEST(sandbox_ends_a_process_that_uses_other_numbers)
{
	struct attempt x32 = attempt(call_x32, NULL);
	struct attempt i386 = attempt(call_i386, NULL);

	ck_assert(WIFSIGNALED(x32.status) && WTERMSIG(x32.status) == SIGSYS);
	ck_assert(WIFSIGNALED(i386.status) &&
		  (WTERMSIG(i386.status) == SIGSYS || WTERMSIG(i386.status) == SIGSEGV));
}
END_TEST

#endif

/* ---- arguments ---- */

#define HIGH (1L << 32)

struct trial {
	const char *what;
	long number;
	long arguments[4];
	bool is_allowed;
};

/* clang-format off */
static const struct trial trials[] = {
	{"AF_INET", SYS_socket, {AF_INET, SOCK_STREAM, 0}, false},
	{"AF_INET6", SYS_socket, {AF_INET6, SOCK_DGRAM, 0}, false},
	{"AF_NETLINK", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, false},
	{"AF_PACKET", SYS_socket, {AF_PACKET, SOCK_RAW, 0}, false},
	{"AF_VSOCK", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}, false},
	{"AF_ALG", SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}, false},
	{"AF_INET with a high bit", SYS_socket, {HIGH | AF_INET, SOCK_STREAM, 0}, false},
	{"AF_UNIX", SYS_socket, {AF_UNIX, SOCK_DGRAM, 0}, true},
	{"executable mapping", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS}, false},
	{"writable and executable", SYS_mmap, {0, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS}, false},
	{"mapping", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS}, true},
	{"to be executable", SYS_mprotect, {0, 0, PROT_READ | PROT_EXEC}, false},
	{"to be executable, with a high bit", SYS_mprotect, {0, 0, HIGH | PROT_EXEC}, false},
	{"to be read", SYS_mprotect, {0, 0, PROT_READ}, true},
	{"F_SETOWN", SYS_fcntl, {0, F_SETOWN, 1}, false},
	{"F_SETSIG", SYS_fcntl, {0, F_SETSIG, SIGKILL}, false},
	{"F_NOTIFY", SYS_fcntl, {0, F_NOTIFY, 0}, false},
	{"F_SETLEASE", SYS_fcntl, {0, F_SETLEASE, F_RDLCK}, false},
	{"F_SETPIPE_SZ", SYS_fcntl, {0, F_SETPIPE_SZ, 1048576}, false},
	{"F_SETOWN with a high bit", SYS_fcntl, {0, HIGH | F_SETOWN, 1}, false},
	{"F_GETFD", SYS_fcntl, {0, F_GETFD, 0}, true},
	{"F_GETFL", SYS_fcntl, {0, F_GETFL, 0}, true},
	{"TIOCSTI", SYS_ioctl, {0, TIOCSTI, 0}, false},
	{"TIOCSTI with a high bit", SYS_ioctl, {0, HIGH | TIOCSTI, 0}, false},
	{"FIONREAD", SYS_ioctl, {0, FIONREAD, 0}, false},
	{"FIONBIO", SYS_ioctl, {-1, FIONBIO, 0}, true},
	{"FIONBIO with high bits, as a sign makes them", SYS_ioctl, {-1, ~0xffffffffL | FIONBIO, 0}, true},
	{"IPPROTO_TCP", SYS_setsockopt, {-1, IPPROTO_TCP, 1, 0}, false},
	{"SOL_SOCKET", SYS_setsockopt, {-1, SOL_SOCKET, SO_PASSCRED, 0}, true},
};
/* clang-format on */

/* No file is behind the last two arguments of mmap. */
static int call_trial(const void *arg)
{
	const struct trial *trial = arg;
	const long *arguments = trial->arguments;
	long result = syscall(trial->number, arguments[0], arguments[1], arguments[2], arguments[3], -1L, 0L);

	return result == -1 && errno == EPERM ? ANSWER_EPERM : ANSWER_OTHER;
}

START_TEST(sandbox_looks_at_arguments)
{
	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
		struct attempt done = attempt(call_trial, &trials[i]);
		int wanted = trials[i].is_allowed ? ANSWER_OTHER : ANSWER_EPERM;

		ck_assert_msg(WIFEXITED(done.status) && WEXITSTATUS(done.status) == wanted &&
				      (done.told[0] == '\0') == trials[i].is_allowed,
			"%s: status %x, told: %s", trials[i].what, (unsigned)done.status, done.told);
	}
}
END_TEST

/* ---- files: Landlock alone, so that calls which are not on the list reach it ---- */

static int landlock_version(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* Each returns 0, or the errno. */
typedef int file_fn(const char *path);

static int error_of(int result)
{
	int error = result < 0 ? errno : 0;

	if (result > STDERR_FILENO)
		close(result);
	return error;
}

static int read_it(const char *path)
{
	return error_of(open(path, O_RDONLY | O_CLOEXEC));
}

static int list_it(const char *path)
{
	return error_of(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int write_it(const char *path)
{
	return error_of(open(path, O_WRONLY | O_CLOEXEC));
}

static int create_it(const char *path)
{
	return error_of(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

static int hide_it(const char *path)
{
	return error_of(open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

static int remove_it(const char *path)
{
	return error_of(unlink(path));
}

static int truncate_it(const char *path)
{
	return error_of(truncate(path, 0));
}

static int make_folder(const char *path)
{
	return error_of(mkdir(path, 0700));
}

static int remove_folder(const char *path)
{
	return error_of(rmdir(path));
}

static int make_symlink(const char *path)
{
	return error_of(symlink("/etc/shadow", path));
}

static int make_pipe(const char *path)
{
	return error_of(mkfifo(path, 0600));
}

static int make_socket(const char *path)
{
	return error_of(mknod(path, S_IFSOCK | 0600, 0));
}

static int execute_it(const char *path)
{
	char *const words[] = {(char *)(uintptr_t) "x", NULL};

	return error_of(execve(path, words, words));
}

static int rename_into(const char *path)
{
	char from[PATH_BYTES] = "";

	snprintf(from, sizeof(from), "%s/state/old", folder);
	return error_of(rename(from, path));
}

static int link_into(const char *path)
{
	char from[PATH_BYTES] = "";

	snprintf(from, sizeof(from), "%s/state/old", folder);
	return error_of(link(from, path));
}

struct file_trial {
	const char *what;
	file_fn *function;
	const char *path; /* below the folder, or absolute */
	int error; /* that it must have */
	int version; /* of Landlock, from which on this is so */
};

/* clang-format off */
static const struct file_trial file_trials[] = {
	{"read", read_it, "outside/old", EACCES, 1},
	{"read", read_it, "/bin/sh", EACCES, 1},
	{"read", read_it, "/dev/zero", EACCES, 1},
	{"read", read_it, "/usr/share/doc/../../lib/os-release", EACCES, 1},
	{"list", list_it, "outside", EACCES, 1},
	{"list", list_it, "/", EACCES, 1},
	{"list", list_it, "/etc", EACCES, 1},
	{"list", list_it, "etc", EACCES, 1},
	{"list", list_it, "run", EACCES, 1},
	{"write", write_it, "outside/old", EACCES, 1},
	{"write", write_it, "etc/cofferd.conf", EACCES, 1},
	{"write", write_it, "run/other", EACCES, 1},
	{"write", write_it, "/proc/self/comm", EACCES, 1},
	{"write", write_it, "/etc/passwd", EACCES, 1},
	{"write", write_it, "/dev/null", EACCES, 1},
	{"create", create_it, "outside/new", EACCES, 1},
	{"create", create_it, "etc/new", EACCES, 1},
	{"create", create_it, "run/new", EACCES, 1},
	{"hide", hide_it, "outside", EACCES, 1},
	{"remove", remove_it, "outside/old", EACCES, 1},
	{"remove", remove_it, "etc/cofferd.conf", EACCES, 1},
	{"remove a socket that is not ours", remove_it, "run/coffer.sock", EACCES, 1},
	{"truncate", truncate_it, "outside/old", EACCES, 3},
	{"truncate", truncate_it, "etc/cofferd.conf", EACCES, 3},
	{"make a folder", make_folder, "outside/new", EACCES, 1},
	{"make a folder", make_folder, "state/new", EACCES, 1},
	{"remove a folder", remove_folder, "outside", EACCES, 1},
	{"make a symlink", make_symlink, "outside/new", EACCES, 1},
	{"make a symlink", make_symlink, "state/new", EACCES, 1},
	{"make a pipe", make_pipe, "outside/new", EACCES, 1},
	{"make a pipe", make_pipe, "state/new", EACCES, 1},
	{"make a socket", make_socket, "state/new", EACCES, 1},
	{"execute", execute_it, "/bin/true", EACCES, 1},
	{"execute", execute_it, "state/old", EACCES, 1},
	{"move out", rename_into, "outside/new", EACCES, 1},
	{"move to another directory", rename_into, "archive/new", EXDEV, 1},
	{"link out", link_into, "outside/new", EACCES, 1},
	{"read", read_it, "/proc/self/stat", 0, 1},
	{"read", read_it, "/etc/passwd", 0, 1},
	{"read", read_it, "etc/cofferd.conf", 0, 1},
	{"list", list_it, "/proc/self/task", 0, 1},
	{"list", list_it, "/sys/fs/cgroup", 0, 1},
	{"read", read_it, "state/old", 0, 1},
	{"list", list_it, "state", 0, 1},
	{"write", write_it, "state/old", 0, 1},
	{"create", create_it, "state/new", 0, 1},
	{"create", create_it, "anchor/new", 0, 1},
	{"create", create_it, "backup/new", 0, 1},
	{"create", create_it, "archive/new", 0, 1},
	{"truncate", truncate_it, "state/old", 0, 1},
	{"rename", rename_into, "state/renamed", 0, 1},
	{"remove", remove_it, "archive/old", 0, 1},
};
/* clang-format on */

/* The exit status is the errno. */
static int try_in_child(bool owns_socket, file_fn *function, const char *path)
{
	pid_t child = fork();
	int status = 0;

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		char conf[PATH_BYTES] = "";
		const char *reason = NULL;
		int version = 0;

		snprintf(conf, sizeof(conf), "%s", at("etc/cofferd.conf"));

		struct sandbox sandbox = {.config = &config, .config_path = conf, .owns_socket = owns_socket};
		bool is_limited = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
				  sandbox_limit_paths(&sandbox, &version, &reason) == OK && version > 0;

		_exit(is_limited ? function(path) : 255);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status), "%s: ended by a signal", path);
	return WEXITSTATUS(status);
}

START_TEST(sandbox_keeps_to_its_directories)
{
	int version = landlock_version();

	if (version < 1)
		return; /* main has said it */
	for (size_t i = 0; i < sizeof(file_trials) / sizeof(file_trials[0]); i++) {
		const struct file_trial *trial = &file_trials[i];
		char path[PATH_BYTES] = "";

		if (version < trial->version)
			continue;
		snprintf(path, sizeof(path), "%s", trial->path[0] == '/' ? trial->path : at(trial->path));
		ck_assert_msg(access(path, F_OK) == 0 || trial->path[0] != '/', "%s is not there", path);

		int error = try_in_child(false, trial->function, path);

		ck_assert_msg(error == trial->error, "%s %s: %s instead of %s", trial->what, trial->path,
			strerror(error), strerror(trial->error));
		tear_down();
		set_up();
	}
}
END_TEST

START_TEST(sandbox_lets_remove_the_socket_of_ones_own)
{
	char socket_path[PATH_BYTES] = "";

	if (landlock_version() < 1)
		return;
	snprintf(socket_path, sizeof(socket_path), "%s", at("run/coffer.sock"));
	ck_assert_int_eq(try_in_child(true, remove_it, socket_path), 0);
	ck_assert_int_eq(try_in_child(true, create_it, socket_path), EACCES);
}
END_TEST

static int signal_parent(const char *path)
{
	(void)path;
	return error_of(kill(getppid(), 0));
}

static int connect_to_network(const char *path)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)path;
	if (fd < 0)
		return 254;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return error_of(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int connect_to_abstract(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", name);
	return error_of(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int listen_abstractly(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", name);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

START_TEST(sandbox_reaches_neither_processes_nor_networks_nor_abstract_sockets)
{
	char name[48] = "";

	snprintf(name, sizeof(name), "coffer-sandbox-%ld", (long)getpid());

	int fd = listen_abstractly(name);

	if (landlock_version() >= 4)
		ck_assert_int_eq(try_in_child(false, connect_to_network, ""), EACCES);
	if (landlock_version() >= 6) {
		ck_assert_int_eq(try_in_child(false, signal_parent, ""), EPERM);
		ck_assert_int_eq(try_in_child(false, connect_to_abstract, name), EPERM);
		ck_assert_int_eq(setenv("NOTIFY_SOCKET", "@manager", 1), 0);
		ck_assert_int_eq(try_in_child(false, connect_to_abstract, name), 0);
		ck_assert_int_eq(unsetenv("NOTIFY_SOCKET"), 0);
	}
	close(fd);
}
END_TEST

/* ---- capabilities ---- */

static unsigned long long field_of(const char *name)
{
	char line[256] = "";
	unsigned long long value = ~0ULL;
	FILE *file = fopen("/proc/self/status", "re");

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			value = strtoull(line + strlen(name) + 1, NULL, 16);
	if (file != NULL)
		fclose(file);
	return value;
}

static bool can_lift_limit(void)
{
	struct rlimit none = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

	return setrlimit(RLIMIT_MEMLOCK, &none) == 0;
}

struct expected_capabilities {
	unsigned long long held;
	unsigned long long bounding;
};

static int has_given_up_all(const void *arg)
{
	const struct expected_capabilities *expected = arg;

	if (field_of("CapPrm") != expected->held || field_of("CapEff") != expected->held)
		return 1;
	if (field_of("CapAmb") != 0 || field_of("CapInh") != 0 || field_of("CapBnd") != expected->bounding)
		return 2;
	return field_of("NoNewPrivs") == 1 && field_of("Seccomp") == 2 ? 0 : 3;
}

/* What a process holds that a limit keeps from locking memory without it. */
START_TEST(sandbox_leaves_no_capability)
{
	struct expected_capabilities expected = {.bounding = 0};
	unsigned long long held = field_of("CapEff");

	if ((held & (1ULL << CAP_SETPCAP)) == 0)
		expected.bounding = field_of("CapBnd");
	if ((held & (1ULL << CAP_IPC_LOCK)) != 0 && !can_lift_limit())
		expected.held = 1ULL << CAP_IPC_LOCK;
	must_succeed(has_given_up_all, &expected, "capabilities");
}
END_TEST

/* ---- threads ---- */

static void *wait_in_thread(void *arg)
{
	char byte = 0;

	return read(*(int *)arg, &byte, 1) == 0 ? arg : NULL;
}

START_TEST(sandbox_is_entered_by_the_only_thread)
{
	int ends[2] = {-1, -1};
	pthread_t thread;
	const char *reason = NULL;
	struct sandbox sandbox = {.config = &config, .config_path = "/etc/none"};

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_in_thread, &ends[0]), 0);
	ck_assert_int_eq(sandbox_enter(&sandbox, &reason), ERR_INTERNAL);
	ck_assert_ptr_nonnull(strstr(reason, "thread"));
	close(ends[1]);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

/* ---- what a daemon goes on doing ---- */

static int look_up_names(const void *arg)
{
	char name[USER_NAME_BYTES] = "";
	uid_t uid = 1;
	gid_t gid = 1;
	gid_t *groups = NULL;
	size_t count = 0;

	(void)arg;
	users_name(54321, name); /* nobody: every name service is asked */
	if (users_uid("coffer-no-such-user", &uid) != ERR_NOT_FOUND || users_uid("root", &uid) != OK ||
		uid != 0)
		return 1;
	if (users_gid("coffer-no-such-group", &gid) != ERR_NOT_FOUND || users_gid("root", &gid) != OK ||
		gid != 0)
		return 2;
	if (users_groups(0, &groups, &count) != OK || count == 0)
		return 3;
	free(groups);
	return users_account(54321) == ACCOUNT_GONE ? 0 : 4;
}

START_TEST(sandbox_lets_names_be_looked_up)
{
	must_succeed(look_up_names, NULL, "names");
}
END_TEST

/* To the service manager, with a descriptor. */
static int pass_descriptor(int fd)
{
	int ends[2] = {-1, -1};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec part = {.iov_base = (char[]){"BARRIER=1"}, .iov_len = 9};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return 1;
	control.align = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.align), &ends[1], sizeof(int));
	return sendmsg(fd, &message, MSG_NOSIGNAL) == 9 ? 0 : 2;
}

static int talk(const void *arg)
{
	char random[16] = "";
	int one = 1;
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct pollfd state = {.fd = pidfd, .events = POLLIN};
	struct epoll_event event = {.events = EPOLLIN};
	int epoll_fd = *(const int *)arg;

	service_notify("READY=1\nSTATUS=Serving");
	if (getrandom(random, sizeof(random), 0) != sizeof(random) || pidfd < 0 || poll(&state, 1, 0) != 0)
		return 3;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pidfd, &event) != 0 || epoll_wait(epoll_fd, &event, 1, 1) != 0)
		return 4;

	int fd = service_connect();

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) != 0)
		return 5;
	return pass_descriptor(fd);
}

START_TEST(sandbox_lets_the_daemon_talk)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[64] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/notify", folder);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
	must_succeed(talk, &epoll_fd, "talk");
	ck_assert_int_gt(recv(fd, text, sizeof(text), MSG_DONTWAIT), 0);
	ck_assert_ptr_nonnull(strstr(text, "READY=1"));
	ck_assert_int_eq(recv(fd, text, sizeof(text), MSG_DONTWAIT), 9);
	ck_assert_int_eq(unsetenv("NOTIFY_SOCKET"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *tcase = tcase_create("sandbox");
	SRunner *runner = srunner_create(suite);
	const TTest *const tests[] = {sandbox_refuses_every_system_call_that_is_not_on_the_list,
		sandbox_allows_nothing_that_makes_processes_files_or_rights, sandbox_list_is_whole_on_aarch64,
		sandbox_allows_at_most_forty_five_calls, sandbox_tells_of_a_refused_call_once,
#ifdef __x86_64__
		sandbox_ends_a_process_that_uses_other_numbers,
#endif
		sandbox_looks_at_arguments, sandbox_keeps_to_its_directories,
		sandbox_lets_remove_the_socket_of_ones_own,
		sandbox_reaches_neither_processes_nor_networks_nor_abstract_sockets,
		sandbox_leaves_no_capability, sandbox_is_entered_by_the_only_thread,
		sandbox_lets_the_calls_of_the_list_through, sandbox_lets_names_be_looked_up,
		sandbox_lets_the_daemon_talk};

	if (landlock_version() < 1)
		printf("the kernel has no Landlock: limits of files are not tested\n");
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tcase, tests[i]);
	srunner_run_all(runner, CK_ENV);

	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
