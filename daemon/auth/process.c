/*
 * Reads what the kernel tells of a process while its pidfd is held.  P9: a pid is only a number; it means the same
 * process as long as the pidfd shows a living one afterwards, and after a restart of the daemon when start time, boot
 * and pid namespace are the same.  What cannot be proven is unknown, never ended.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "procfs.h"

enum { CGROUP2_MAGIC = 0x63677270 };

/* ---- boot ---- */

static bool read_boot_id(char *out, size_t cap)
{
	size_t len = 0;
	const char *given = getenv("COFFER_BOOT_ID"); /* where the service manager hides /proc/sys */

	if (procfs_read("/proc/sys/kernel/random/boot_id", out, cap, &len) && len > 0) {
		out[strcspn(out, "\n")] = '\0';
		return true;
	}
	if (given == NULL || strlen(given) < 32 || strlen(given) >= cap)
		return false;
	snprintf(out, cap, "%s", given);
	return true;
}

/* With dashes or without them it is one boot. */
static void strip_dashes(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++)
		if (*from != '-')
			*to++ = *from;
	*to = '\0';
}

const char *process_boot(void)
{
	static char boot[PROCESS_BOOT_BYTES]; /* one for the life of the process */
	char id[48] = "";
	struct stat ns = {0};

	if (boot[0] != '\0' || !read_boot_id(id, sizeof(id)) || stat("/proc/self/ns/pid", &ns) != 0)
		return boot;
	strip_dashes(id);
	snprintf(boot, sizeof(boot), "%.32s/%llu", id, (unsigned long long)ns.st_ino);
	return boot;
}

uint64_t process_now_ticks(void)
{
	struct timespec now = {0};
	uint64_t per_second = (uint64_t)sysconf(_SC_CLK_TCK);

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * per_second + (uint64_t)now.tv_nsec / (1000000000 / per_second);
}

/* ---- one process ---- */

bool process_has_ended(int pidfd)
{
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
	int ready = 0;

	do
		ready = poll(&poll_fd, 1, 0);
	while (ready < 0 && errno == EINTR);
	return ready > 0;
}

void process_exe(pid_t pid, char out[PROCESS_EXE_BYTES])
{
	char path[32] = "";

	snprintf(path, sizeof(path), "/proc/%ld/exe", (long)pid);

	ssize_t len = readlinkat(AT_FDCWD, path, out, PROCESS_EXE_BYTES);

	out[len < 0 || len == PROCESS_EXE_BYTES ? 0 : len] = '\0';
	if (!text_is_line(out, strlen(out)))
		out[0] = '\0';
}

/* Where the hierarchy is mounted that cgroup_unit_path reads from. */
static const char *cgroup_root(void)
{
	struct statfs fs = {0};

	if (statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_MAGIC)
		return "/sys/fs/cgroup";
	return statfs("/sys/fs/cgroup/unified", &fs) == 0 && fs.f_type == CGROUP2_MAGIC
		       ? "/sys/fs/cgroup/unified"
		       : "/sys/fs/cgroup/systemd";
}

void process_invocation(const char *unit, char out[PROCESS_INVOCATION_BYTES])
{
	char file[UNIT_BYTES_MAX + 64] = "";

	snprintf(file, sizeof(file), "/run/systemd/units/invocation:%s", unit);

	ssize_t got = readlinkat(AT_FDCWD, file, out, PROCESS_INVOCATION_BYTES);

	out[got == PROCESS_INVOCATION_BYTES - 1 ? got : 0] = '\0';
	if (strspn(out, "0123456789abcdef") != strlen(out))
		out[0] = '\0';
}

/* The unit's directory and invocation, of a process that is in this unit. */
static void describe_unit(struct process *out)
{
	char path[PROCESS_CGROUP_BYTES] = "";
	struct stat st = {0};

	if (!procfs_unit_path(out->pid, out->unit, path, sizeof(path)))
		return;
	int len = snprintf(out->cgroup, sizeof(out->cgroup), "%s%s", cgroup_root(), path);

	if ((size_t)len >= sizeof(out->cgroup) || stat(out->cgroup, &st) != 0) {
		out->cgroup[0] = '\0';
		return;
	}
	out->cgroup_id = st.st_ino;
	process_invocation(out->unit, out->invocation);
}

enum err process_describe(const struct principal *who, struct process *out)
{
	struct procfs_stat stat = {0};

	*out = (struct process){.pid = who->pid};
	if (procfs_stat(who->pid, &stat))
		out->start_ticks = stat.start_ticks;
	process_exe(who->pid, out->exe);
	if (who->unit[0] != '\0') {
		memcpy(out->unit, who->unit, sizeof(out->unit));
		describe_unit(out);
	}
	return process_has_ended(who->pidfd) ? ERR_DENIED : OK; /* P9: after the look-ups */
}

/* The boot that a text of process_boot begins with; the rest is the pid namespace. */
static bool is_same_boot(const char *a, const char *b)
{
	size_t len = strcspn(a, "/");

	return len == strcspn(b, "/") && memcmp(a, b, len) == 0;
}

enum process_state process_find(pid_t pid, uint64_t start_ticks, const char *boot, int *pidfd_out)
{
	struct procfs_stat stat = {0};
	const char *now = process_boot();

	if (pid <= 0 || start_ticks == 0 || boot[0] == '\0' || now[0] == '\0')
		return PROCESS_UNKNOWN;
	if (!is_same_boot(boot, now))
		return PROCESS_ENDED;
	if (strcmp(boot, now) != 0)
		return PROCESS_UNKNOWN; /* the pid was counted in another namespace */

	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return errno == ESRCH ? PROCESS_ENDED : PROCESS_UNKNOWN;

	bool is_read = procfs_stat(pid, &stat);
	bool has_ended = process_has_ended(pidfd); /* P9: after the look-up */

	if (is_read && !has_ended && stat.start_ticks == start_ticks) {
		*pidfd_out = pidfd;
		return PROCESS_LIVES;
	}
	close(pidfd);
	return has_ended || is_read ? PROCESS_ENDED : PROCESS_UNKNOWN;
}

/* ---- how it ended: PIDFD_GET_INFO of linux/pidfd.h, which Debian 12's headers do not have yet ---- */

struct pidfd_info {
	uint64_t mask;
	uint64_t cgroup_id;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};

#define PIDFD_GET_INFO _IOWR(0xFF, 11, struct pidfd_info)

enum { PIDFD_INFO_EXIT = 8 };

bool process_end_status(int pidfd, int *status_out, bool *is_later_out)
{
	struct pidfd_info info = {.mask = PIDFD_INFO_EXIT};
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
	/* Looked at first: its parent may wait for it at any moment, also in the middle of the question (ESRCH). */
	bool is_zombie = poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLHUP | POLLNVAL)) == 0;
	bool is_answered = ioctl(pidfd, PIDFD_GET_INFO, &info) == 0;

	*is_later_out = false;
	if (is_answered && (info.mask & PIDFD_INFO_EXIT) != 0) {
		*status_out = info.exit_code & 0xffff;
		return true;
	}
	*is_later_out = is_zombie && (is_answered || errno == ESRCH);
	return false;
}

/* ---- waiting ---- */

struct process_watch {
	int epoll_fd;
};

enum err process_watch_new(struct process_watch **out)
{
	struct process_watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return ERR_INTERNAL;
	watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (watch->epoll_fd < 0) {
		free(watch);
		return ERR_INTERNAL;
	}
	*out = watch;
	return OK;
}

void process_watch_free(struct process_watch *watch)
{
	if (watch == NULL)
		return;
	close(watch->epoll_fd);
	free(watch);
}

int process_watch_fd(const struct process_watch *watch)
{
	return watch->epoll_fd;
}

enum err process_watch_add(struct process_watch *watch, int pidfd, void *tag, bool is_reaped)
{
	/* Without EPOLLIN only EPOLLHUP is told, which comes when the process is reaped. */
	struct epoll_event event = {
		.events = EPOLLONESHOT | (is_reaped ? 0U : (unsigned)EPOLLIN), .data.ptr = tag};

	if (epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, pidfd, &event) == 0)
		return OK;
	if (errno == EEXIST && epoll_ctl(watch->epoll_fd, EPOLL_CTL_MOD, pidfd, &event) == 0)
		return OK;
	return ERR_INTERNAL;
}

void process_watch_remove(struct process_watch *watch, int pidfd)
{
	(void)epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, pidfd, NULL);
}

void *process_watch_take(struct process_watch *watch)
{
	struct epoll_event event = {0};
	int count = 0;

	do
		count = epoll_wait(watch->epoll_fd, &event, 1, 0);
	while (count < 0 && errno == EINTR);
	return count == 1 ? event.data.ptr : NULL;
}
