#include "puppet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

enum { CGROUP2_MAGIC = 0x63677270 };

/* Lines are made before the first fork, so that the test can talk to grandchildren. */
static struct {
	int test_end;
	int puppet_end;
	int pidfd;
} lines[PUPPETS_MAX];

static int used;

struct order {
	puppet_act_fn *act; /* the same address in all of them */
	int arg;
};

void puppets_start(void)
{
	used = 0;
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	for (int i = 0; i < PUPPETS_MAX; i++) {
		int ends[2] = {-1, -1};

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		lines[i].test_end = ends[0];
		lines[i].puppet_end = ends[1];
		lines[i].pidfd = -1;
	}
}

void puppets_end(void)
{
	for (int i = 0; i < PUPPETS_MAX; i++) {
		close(lines[i].test_end);
		close(lines[i].puppet_end);
		if (lines[i].pidfd >= 0)
			close(lines[i].pidfd);
	}
	while (wait(NULL) > 0 || errno == EINTR)
		continue;
}

/* Nobody but the test holds the other ends: when it is gone, this reads the end of its line. */
static void obey(int number)
{
	for (int i = 0; i < PUPPETS_MAX; i++)
		close(lines[i].test_end);
	while (true) {
		struct order order = {0};
		ssize_t got = read(lines[number].puppet_end, &order, sizeof(order));

		if (got < 0 && errno == EINTR)
			continue;
		if (got != sizeof(order))
			_exit(0);

		int answer = order.act(order.arg);

		if (write(lines[number].puppet_end, &answer, sizeof(answer)) != sizeof(answer))
			_exit(0);
	}
}

static int act_fork(int number)
{
	pid_t pid = fork();

	if (pid == 0)
		obey(number);
	return pid;
}

static struct puppet introduce(pid_t pid)
{
	struct puppet puppet = {.number = used++, .pid = pid};

	ck_assert_int_gt(pid, 0);
	puppet.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	ck_assert_int_ge(puppet.pidfd, 0);
	lines[puppet.number].pidfd = puppet.pidfd;
	return puppet;
}

struct puppet puppet_new(void)
{
	ck_assert_int_lt(used, PUPPETS_MAX);
	return introduce(act_fork(used));
}

struct puppet puppet_fork(const struct puppet *parent)
{
	ck_assert_int_lt(used, PUPPETS_MAX);
	return introduce(puppet_do(parent, act_fork, used));
}

static void tell(const struct puppet *puppet, puppet_act_fn *act, int arg)
{
	struct order order = {act, arg};

	ck_assert_int_eq(write(lines[puppet->number].test_end, &order, sizeof(order)), sizeof(order));
}

int puppet_do(const struct puppet *puppet, puppet_act_fn *act, int arg)
{
	int answer = 0;

	tell(puppet, act, arg);
	ck_assert_int_eq(read(lines[puppet->number].test_end, &answer, sizeof(answer)), sizeof(answer));
	return answer;
}

static int act_exit(int status)
{
	if (status < 0) {
		signal(-status, SIG_DFL);
		kill(getpid(), -status);
	}
	_exit(status);
}

void puppet_exit(const struct puppet *puppet, int status)
{
	struct pollfd poll_fd = {.fd = puppet->pidfd, .events = POLLIN};

	tell(puppet, act_exit, status);
	ck_assert_int_eq(poll(&poll_fd, 1, 10000), 1);
}

void puppet_wait(const struct puppet *puppet)
{
	ck_assert_int_eq(waitpid(puppet->pid, NULL, 0), puppet->pid);
}

void puppet_die(const struct puppet *puppet)
{
	puppet_exit(puppet, 0);
	puppet_wait(puppet);
}

void puppets_pass_a_tick(void)
{
	struct timespec two_ticks = {.tv_nsec = 2 * (1000000000 / sysconf(_SC_CLK_TCK))};

	while (nanosleep(&two_ticks, &two_ticks) != 0 && errno == EINTR)
		continue;
}

/* ---- a unit's directory ---- */

static bool is_cgroup2(const char *path)
{
	struct statfs fs = {0};

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_MAGIC;
}

/* Every cgroup has its list of processes. */
static int open_list(const struct unit_place *place, int flags)
{
	char path[320] = "";

	snprintf(path, sizeof(path), "%s/cgroup.procs", place->directory);

	int fd = open(path, O_WRONLY | O_CLOEXEC | flags | (place->is_real ? 0 : O_CREAT), 0600);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void identify(struct unit_place *place)
{
	struct stat st = {0};

	ck_assert_int_eq(stat(place->directory, &st), 0);
	place->id = st.st_ino;
	close(open_list(place, 0));
}

bool unit_place_real(struct unit_place *out)
{
	static int made;
	const char *root = is_cgroup2("/sys/fs/cgroup") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";

	*out = (struct unit_place){.is_real = true};
	snprintf(out->unit, sizeof(out->unit), "coffer-test-%d-%d.service", (int)getpid(), ++made);
	snprintf(out->directory, sizeof(out->directory), "%s/%s", root, out->unit);
	if (!is_cgroup2(root) || mkdir(out->directory, 0755) != 0) {
		printf("# SKIP with a real cgroup: none can be made in %s: %s\n", root, strerror(errno));
		return false;
	}
	identify(out);
	return true;
}

void unit_place_plain(struct unit_place *out)
{
	*out = (struct unit_place){.directory = "/tmp/coffer-unit-XXXXXX"};
	ck_assert_ptr_nonnull(mkdtemp(out->directory));
	identify(out);
}

void unit_place_below(const struct unit_place *place, const char *name, struct unit_place *out)
{
	*out = *place;
	ck_assert_uint_lt(strlen(place->directory) + strlen(name) + 1, sizeof(out->directory));
	strcat(strcat(out->directory, "/"), name);
	ck_assert_int_eq(mkdir(out->directory, 0755), 0);
	identify(out);
}

void unit_place_join(const struct unit_place *place, const struct puppet *puppet)
{
	char line[16] = "";
	int fd = open_list(place, O_APPEND);

	snprintf(line, sizeof(line), "%d\n", (int)puppet->pid);
	ck_assert_int_eq(write(fd, line, strlen(line)), (ssize_t)strlen(line));
	close(fd);
}

/* A cgroup may be busy for a moment after its last process has ended. */
void unit_place_remove(const struct unit_place *place)
{
	char path[320] = "";

	snprintf(path, sizeof(path), "%s/cgroup.procs", place->directory);
	if (!place->is_real)
		(void)unlink(path);
	for (int i = 0; i < 100 && rmdir(place->directory) != 0 && errno == EBUSY; i++)
		usleep(10000);
	ck_assert_int_ne(access(place->directory, F_OK), 0);
}

bool kernel_is(int major, int minor)
{
	struct utsname name = {0};
	int has[2] = {0};

	ck_assert_int_eq(uname(&name), 0);
	ck_assert_int_eq(sscanf(name.release, "%d.%d", &has[0], &has[1]), 2);
	return has[0] > major || (has[0] == major && has[1] >= minor);
}
