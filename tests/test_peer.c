/* Who connected, with real sockets and processes (P9).  Built a second time as before Linux 6.5. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#ifdef COFFER_WITHOUT_PEERPIDFD
enum { HAS_PEERPIDFD = false };
#else
enum { HAS_PEERPIDFD = true }; /* the tests need Linux 6.5, like the code that they test */
#endif

enum { ALICE = 12345, MANY_GROUPS = 2000 };

typedef void act_fn(void);

/* A process that connected and now waits, at the longest until this end is closed. */
struct visitor {
	pid_t pid;
	int server_fd; /* the accepted connection */
};

static int connected_fd = -1; /* the visitor's end */

static void wait_for_close(void)
{
	char byte = 0;

	while (read(connected_fd, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static void act_nothing(void)
{
}

static void act_become_alice(void)
{
	if (setgroups(0, NULL) != 0 || setresgid(ALICE, ALICE, ALICE) != 0 ||
		setresuid(ALICE, ALICE, ALICE) != 0)
		_exit(1);
}

static void act_become_overflow(void)
{
	if (setresuid(PEER_OVERFLOW_ID, PEER_OVERFLOW_ID, PEER_OVERFLOW_ID) != 0)
		_exit(1);
}

static void act_join_many_groups(void)
{
	static gid_t groups[MANY_GROUPS];

	for (size_t i = 0; i < MANY_GROUPS; i++)
		groups[i] = (gid_t)(20000 + i);
	if (setgroups(MANY_GROUPS, groups) != 0)
		_exit(1);
}

static void visit(
	const struct sockaddr_un *address, socklen_t len, int ready_fd, act_fn *before, act_fn *after)
{
	before();

	connected_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connected_fd < 0 || connect(connected_fd, (const struct sockaddr *)address, len) != 0)
		_exit(1);
	after();
	if (write(ready_fd, "r", 1) != 1)
		_exit(1);
	wait_for_close();
}

/* before and after: what the visitor does before and after it connects. */
static struct visitor start_visitor(act_fn *before, act_fn *after)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(sa_family_t); /* the kernel chooses an abstract name */
	int ready[2] = {-1, -1};
	char byte = 0;
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
	len = sizeof(address);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(pipe(ready), 0);

	struct visitor visitor = {.pid = fork()};

	ck_assert_int_ge(visitor.pid, 0);
	if (visitor.pid == 0)
		visit(&address, len, ready[1], before, after);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	visitor.server_fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(visitor.server_fd, 0);
	close(listener);
	return visitor;
}

/* The process ends; the connection stays.  With reap its pid is free again. */
static void end_visitor(const struct visitor *visitor, bool reap)
{
	siginfo_t info = {0};

	ck_assert_int_eq(kill(visitor->pid, SIGKILL), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)visitor->pid, &info, WEXITED | (reap ? 0 : WNOWAIT)), 0);
	ck_assert_int_eq(info.si_status, SIGKILL);
}

static bool is_root(void)
{
	return geteuid() == 0;
}

static enum err identify(int fd, struct principal *out)
{
	const char *reason = NULL;
	enum err err = peer_identify(fd, out, &reason);

	ck_assert((err == OK) == (reason == NULL));
	ck_assert(err == OK || err == ERR_DENIED);
	return err;
}

static void check_refused(int fd)
{
	struct principal untouched;
	struct principal principal;

	memset(&untouched, 0x5a, sizeof(untouched));
	memcpy(&principal, &untouched, sizeof(principal));
	ck_assert_int_eq(identify(fd, &principal), ERR_DENIED);
	ck_assert_mem_eq(&principal, &untouched, sizeof(principal));
}

START_TEST(peer_refuses_what_has_no_connector)
{
	int unconnected = socket(AF_UNIX, SOCK_STREAM, 0);
	int ends[2] = {-1, -1};

	ck_assert_int_eq(pipe(ends), 0);
	check_refused(unconnected);
	check_refused(ends[0]);
	check_refused(-1);
}
END_TEST

START_TEST(peer_refuses_a_dead_connector)
{
	struct visitor zombie = start_visitor(act_nothing, act_nothing);
	struct visitor reaped = start_visitor(act_nothing, act_nothing);

	end_visitor(&zombie, false);
	end_visitor(&reaped, true);
	check_refused(zombie.server_fd);
	check_refused(reaped.server_fd);
}
END_TEST

START_TEST(peer_refuses_the_overflow_user)
{
	if (!is_root())
		return;

	struct visitor visitor = start_visitor(act_become_overflow, act_nothing);

	check_refused(visitor.server_fd);
	end_visitor(&visitor, true);
}
END_TEST

/* From inside a pid namespace a connector outside of it has the pid 0. */
static int identify_in_namespace(int fd)
{
	struct principal principal = {.pidfd = -1};
	const char *reason = NULL;
	int status = 0;

	if (unshare(CLONE_NEWPID) != 0)
		return errno == EPERM ? 0 : 1; /* a container may forbid it to root */
	if (fork() == 0)
		_exit(peer_identify(fd, &principal, &reason) == ERR_DENIED ? 0 : 1);
	return wait(&status) > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

START_TEST(peer_refuses_a_process_that_is_not_visible)
{
	if (!is_root())
		return;

	struct visitor visitor = start_visitor(act_nothing, act_nothing);
	pid_t child = fork();
	int status = 0;

	if (child == 0)
		_exit(identify_in_namespace(visitor.server_fd));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	end_visitor(&visitor, true);
}
END_TEST

/* Takes the pid that a dead process had.  Needs CAP_CHECKPOINT_RESTORE; -1 without it. */
static pid_t start_with_pid(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1};
	pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (true)
			pause();
	}
	return child;
}

START_TEST(peer_gives_a_recycled_pid_nothing)
{
	struct visitor attacker = start_visitor(act_nothing, act_nothing);
	struct principal principal = {.pidfd = -1};

	end_visitor(&attacker, true);

	pid_t victim = start_with_pid(attacker.pid);

	if (victim < 0) {
		ck_assert(errno == EPERM || errno == ENOSYS);
		return;
	}
	ck_assert_int_eq(victim, attacker.pid);
	if (HAS_PEERPIDFD) {
		check_refused(attacker.server_fd);
	} else {
		/* The number means the victim now: held, but worth nothing until the victim itself speaks. */
		ck_assert_int_eq(identify(attacker.server_fd, &principal), OK);
		ck_assert(!principal.is_pid_proven);
		ck_assert_str_eq(principal.unit, "");
		ck_assert_int_eq(peer_prove(&principal, getpid(), geteuid(), getegid()), ERR_DENIED);
		ck_assert_str_eq(principal.unit, "");
	}
	kill(victim, SIGKILL);
	waitpid(victim, NULL, 0);
	peer_clear(&principal);
}
END_TEST

/* A principal before its proof, as on kernels before 6.5. */
static struct principal unproven(pid_t named, pid_t held)
{
	struct principal principal = {
		.uid = geteuid(), .gid = getegid(), .pid = named, .unit_reason = "unproven"};

	principal.pidfd = (int)syscall(SYS_pidfd_open, held, 0);
	ck_assert_int_ge(principal.pidfd, 0);
	return principal;
}

static void check_unproven(const struct principal *principal)
{
	ck_assert(peer_needs_proof(principal));
	ck_assert(!principal->is_pid_proven);
	ck_assert_str_eq(principal->unit, "");
	ck_assert_str_eq(principal->unit_reason, "unproven");
	ck_assert(peer_is_alive(principal)); /* there is nothing to ask */
}

START_TEST(peer_proof_refuses_other_credentials)
{
	struct principal principal = unproven(getpid(), getpid());
	pid_t pid = getpid();
	uid_t uid = geteuid();
	gid_t gid = getegid();

	ck_assert_int_eq(peer_prove(&principal, getppid(), uid, gid), ERR_DENIED);
	ck_assert_int_eq(peer_prove(&principal, 0, uid, gid), ERR_DENIED);
	ck_assert_int_eq(peer_prove(&principal, pid, uid + 1, gid), ERR_DENIED);
	ck_assert_int_eq(peer_prove(&principal, pid, uid, gid + 1), ERR_DENIED);
	check_unproven(&principal);
	peer_clear(&principal);
}
END_TEST

START_TEST(peer_proof_refuses_a_process_that_ended)
{
	struct visitor visitor = start_visitor(act_nothing, act_nothing);
	struct principal principal = unproven(visitor.pid, visitor.pid);
	/* Its pid names a living process again: this one. */
	struct principal recycled = unproven(getpid(), visitor.pid);

	end_visitor(&visitor, true);
	ck_assert_int_eq(peer_prove(&principal, visitor.pid, geteuid(), getegid()), ERR_DENIED);
	ck_assert_int_eq(peer_prove(&recycled, getpid(), geteuid(), getegid()), ERR_DENIED);
	check_unproven(&principal);
	check_unproven(&recycled);
	peer_clear(&principal);
	peer_clear(&recycled);
}
END_TEST

START_TEST(peer_proof_is_refused_where_none_is_needed)
{
	struct principal proven = unproven(getpid(), getpid());
	struct principal unheld = {.uid = geteuid(), .gid = getegid(), .pid = getpid(), .pidfd = -1};

	proven.is_pid_proven = true;
	ck_assert(!peer_needs_proof(&proven));
	ck_assert(!peer_needs_proof(&unheld));
	ck_assert_int_eq(peer_prove(&proven, getpid(), geteuid(), getegid()), ERR_DENIED);
	ck_assert_int_eq(peer_prove(&unheld, getpid(), geteuid(), getegid()), ERR_DENIED);
	ck_assert(!unheld.is_pid_proven);
	peer_clear(&proven);
	peer_clear(&unheld);
}
END_TEST

START_TEST(peer_ends_with_the_connector_whoever_holds_the_socket)
{
	struct visitor visitor = start_visitor(act_nothing, act_nothing);
	int holder = dup(visitor.server_fd);
	struct principal principal = {.pidfd = -1};

	ck_assert_int_eq(identify(visitor.server_fd, &principal), OK);
	if (!principal.is_pid_proven)
		ck_assert_int_eq(peer_prove(&principal, visitor.pid, geteuid(), getegid()), OK);
	ck_assert(peer_is_alive(&principal));
	end_visitor(&visitor, false);
	ck_assert(!peer_is_alive(&principal));
	close(holder);
	peer_clear(&principal);
}
END_TEST

/* The connector forks, and its child, another user by then, is the one that keeps and uses the socket. */
static void act_hand_to_alice(void)
{
	pid_t child = fork();

	if (child > 0)
		return;
	act_become_alice();
	wait_for_close();
}

START_TEST(peer_is_the_connector_after_the_descriptor_was_passed)
{
	if (!is_root())
		return;

	struct visitor visitor = start_visitor(act_nothing, act_hand_to_alice);
	struct principal principal = {.pidfd = -1};

	ck_assert_int_eq(identify(visitor.server_fd, &principal), OK);
	ck_assert_int_eq(principal.pid, visitor.pid);
	ck_assert_uint_eq(principal.uid, 0);
	peer_clear(&principal);
	end_visitor(&visitor, true);
	/* Alice still holds it, but the connector is gone. */
	ck_assert_int_eq(poll(&(struct pollfd){.fd = visitor.server_fd, .events = POLLIN}, 1, 0), 0);
	check_refused(visitor.server_fd);
}
END_TEST

START_TEST(peer_is_who_it_was_at_connect)
{
	if (!is_root())
		return;

	struct visitor visitor = start_visitor(act_nothing, act_become_alice);
	struct principal principal = {.pidfd = -1};

	ck_assert_int_eq(identify(visitor.server_fd, &principal), OK);
	ck_assert_uint_eq(principal.uid, 0);
	ck_assert_uint_eq(principal.gid, getegid());
	end_visitor(&visitor, true);
	peer_clear(&principal);
}
END_TEST

START_TEST(peer_has_the_groups_of_connect)
{
	if (!is_root())
		return;

	struct visitor alice = start_visitor(act_become_alice, act_nothing);
	struct visitor member = start_visitor(act_join_many_groups, act_become_alice);
	struct principal principal = {.pidfd = -1};

	ck_assert_int_eq(identify(alice.server_fd, &principal), OK);
	ck_assert_uint_eq(principal.uid, ALICE);
	ck_assert_uint_eq(principal.group_count, 0);
	ck_assert(peer_has_group(&principal, ALICE));
	ck_assert(!peer_has_group(&principal, 0));
	peer_clear(&principal);

	ck_assert_int_eq(identify(member.server_fd, &principal), OK);
	ck_assert_uint_eq(principal.group_count, MANY_GROUPS);
	ck_assert(!peer_has_group(&principal, 19999));
	ck_assert(!peer_has_group(&principal, 20000 + MANY_GROUPS));
	for (gid_t gid = 20000; gid < 20000 + MANY_GROUPS; gid++)
		ck_assert(peer_has_group(&principal, gid));
	peer_clear(&principal);
	end_visitor(&alice, true);
	end_visitor(&member, true);
}
END_TEST

static void act_log_in_and_become_alice(void)
{
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "4711", 4) != 4)
		_exit(1);
	close(fd);
	act_become_alice();
}

/* P9 */
START_TEST(peer_has_the_login_behind_its_process_when_it_is_proven)
{
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);

	if (!is_root() || fd < 0) {
		fprintf(stderr, "not tested: nobody can log in here\n");
		return;
	}
	close(fd);

	struct visitor visitor = start_visitor(act_log_in_and_become_alice, act_nothing);
	struct principal principal = {.pidfd = -1};

	ck_assert_int_eq(identify(visitor.server_fd, &principal), OK);
	ck_assert_int_eq(principal.has_login, HAS_PEERPIDFD);
	if (!HAS_PEERPIDFD) {
		ck_assert_int_eq(peer_prove(&principal, visitor.pid, ALICE, ALICE + 1), ERR_DENIED);
		ck_assert(!principal.has_login);
		ck_assert_int_eq(peer_prove(&principal, visitor.pid, ALICE, ALICE), OK);
	}
	ck_assert(principal.has_login);
	ck_assert_uint_eq(principal.login_uid, 4711);
	ck_assert_uint_eq(principal.uid, ALICE);
	peer_clear(&principal);
	ck_assert(!principal.has_login);
	end_visitor(&visitor, true);
}
END_TEST

START_TEST(peer_of_this_process_is_this_process)
{
	int ends[2] = {-1, -1};
	gid_t groups[NGROUPS_MAX];
	int count = getgroups(NGROUPS_MAX, groups);
	struct principal principal = {.pidfd = -1};

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(identify(ends[0], &principal), OK);
	ck_assert_int_eq(principal.pid, getpid());
	ck_assert_uint_eq(principal.uid, geteuid());
	ck_assert_uint_eq(principal.gid, getegid());
	ck_assert_uint_eq(principal.group_count, (size_t)count);
	ck_assert_int_eq(principal.is_pid_proven, HAS_PEERPIDFD);
	ck_assert_int_eq(peer_needs_proof(&principal), !HAS_PEERPIDFD);
	ck_assert(peer_is_alive(&principal));
	if (!HAS_PEERPIDFD) {
		ck_assert_str_eq(principal.unit, "");
		ck_assert_ptr_nonnull(principal.unit_reason);
		ck_assert_int_eq(peer_prove(&principal, getpid(), geteuid(), getegid()), OK);
	}
	ck_assert(principal.is_pid_proven);
	ck_assert((principal.unit[0] == '\0') == (principal.unit_reason != NULL));
	peer_clear(&principal);
	ck_assert_int_eq(principal.pidfd, -1);
	ck_assert_ptr_null(principal.groups);
	peer_clear(&principal);
}
END_TEST

UNIT_MAIN("peer", peer_refuses_what_has_no_connector, peer_refuses_a_dead_connector,
	peer_refuses_the_overflow_user, peer_refuses_a_process_that_is_not_visible,
	peer_gives_a_recycled_pid_nothing, peer_proof_refuses_other_credentials,
	peer_proof_refuses_a_process_that_ended, peer_proof_is_refused_where_none_is_needed,
	peer_ends_with_the_connector_whoever_holds_the_socket,
	peer_is_the_connector_after_the_descriptor_was_passed, peer_is_who_it_was_at_connect,
	peer_has_the_groups_of_connect, peer_has_the_login_behind_its_process_when_it_is_proven,
	peer_of_this_process_is_this_process)
