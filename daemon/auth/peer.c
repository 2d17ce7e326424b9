/*
 * Asks the kernel who connected, and proves that the process it names is still that process.
 *
 * P9: the uid and the groups are those of connect(2), whoever holds the descriptor since.  A pid is only a
 * number, so whatever is looked up by it is looked up while a pidfd is held, and the pidfd must show a
 * living process afterwards: then the number meant that process all along.  Doubt is a refusal.  What
 * the identity may do is policy.c's.
 */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroup.h"
#include "procfs.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

enum { CGROUP_TEXT_MAX = 65536 };

#define REASON_KERNEL "the kernel does not tell who connected"
#define REASON_UNMAPPED "the caller's user or process is not visible on this host"
#define REASON_GROUPS "the kernel does not tell the caller's groups"
#define REASON_MEMORY "out of memory"
#define REASON_DEAD "the process that connected has ended"
#define REASON_PIDFD "the process that connected cannot be held"
#define REASON_UNPROVEN "the caller's process is not proven: this kernel needs session.prove"
#define REASON_HIDDEN "the cgroup of the caller's process cannot be read"

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void free_text(char **text)
{
	free(*text);
}

#define FD_AUTO __attribute__((cleanup(close_fd))) int
#define TEXT_AUTO __attribute__((cleanup(free_text))) char *
#define PRINCIPAL_AUTO __attribute__((cleanup(peer_clear))) struct principal

static bool has_ended(int pidfd)
{
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
	int ready = 0;

	do
		ready = poll(&poll_fd, 1, 0);
	while (ready < 0 && errno == EINTR);
	return ready != 0; /* an error proves nothing, so it counts as ended */
}

static const char *read_credentials(int socket_fd, struct principal *principal)
{
	struct ucred cred = {.uid = PEER_OVERFLOW_ID};
	socklen_t len = sizeof(cred);

	if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0 || len != sizeof(cred))
		return REASON_KERNEL;
	if (cred.uid == PEER_OVERFLOW_ID || cred.uid == (uid_t)-1 || cred.pid <= 0)
		return REASON_UNMAPPED;
	principal->uid = cred.uid;
	principal->gid = cred.gid;
	principal->pid = cred.pid;
	return NULL;
}

/* The first call tells the size.  The list was fixed at connect, so the second cannot find another. */
static const char *read_groups(int socket_fd, struct principal *principal)
{
	socklen_t len = 0;

	if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0)
		return len == 0 ? NULL : REASON_GROUPS;
	if (errno != ERANGE || len == 0 || len % sizeof(gid_t) != 0 || len / sizeof(gid_t) > NGROUPS_MAX)
		return REASON_GROUPS;

	socklen_t told = len;

	principal->groups = calloc(len / sizeof(gid_t), sizeof(gid_t));
	if (principal->groups == NULL)
		return REASON_MEMORY;
	if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERGROUPS, principal->groups, &len) != 0 || len != told)
		return REASON_GROUPS;
	principal->group_count = len / sizeof(gid_t);
	return NULL;
}

/* Sets *is_missing, and nothing else, on kernels before 6.5. */
static int ask_pidfd(int socket_fd, bool *is_missing)
{
#ifdef COFFER_WITHOUT_PEERPIDFD
	(void)socket_fd;
	*is_missing = true;
	return -1;
#else
	int pidfd = -1;
	socklen_t len = sizeof(pidfd);

	if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) != 0)
		*is_missing = errno == ENOPROTOOPT;
	return pidfd;
#endif
}

/* A pidfd that the pid merely names may already be a stranger's: held, but unproven (P9). */
static const char *hold_process(int socket_fd, struct principal *principal)
{
	bool is_missing = false;

	principal->pidfd = ask_pidfd(socket_fd, &is_missing);
	principal->is_pid_proven = !is_missing;
	if (is_missing)
		principal->pidfd = (int)syscall(SYS_pidfd_open, principal->pid, 0);
	return principal->pidfd < 0 ? REASON_PIDFD : NULL;
}

/* The whole file or nothing: what does not fit is not understood. */
static bool read_whole(int fd, char *out, size_t cap, size_t *len_out)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t got = read(fd, out + len, cap - len);

		if (got == 0) {
			*len_out = len;
			return true;
		}
		if (got < 0 && errno != EINTR)
			return false;
		len += got < 0 ? 0 : (size_t)got;
	}
	return false;
}

/* Returns why there is no unit.  Worth something only if the pidfd is alive afterwards. */
static const char *read_unit(pid_t pid, char unit[UNIT_BYTES_MAX + 1])
{
	char path[32];
	size_t len = 0;

	snprintf(path, sizeof(path), "/proc/%ld/cgroup", (long)pid);

	FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	TEXT_AUTO text = malloc(CGROUP_TEXT_MAX);

	if (text == NULL)
		return REASON_MEMORY;
	if (fd < 0 || !read_whole(fd, text, CGROUP_TEXT_MAX, &len))
		return REASON_HIDDEN;
	return cgroup_unit(text, len, unit);
}

static const char *identify(int socket_fd, struct principal *principal)
{
	const char *reason = read_credentials(socket_fd, principal);

	if (reason == NULL)
		reason = read_groups(socket_fd, principal);
	if (reason == NULL)
		reason = hold_process(socket_fd, principal);
	if (reason != NULL)
		return reason;
	principal->unit_reason = REASON_UNPROVEN;
	if (principal->is_pid_proven) {
		principal->unit_reason = read_unit(principal->pid, principal->unit);
		principal->has_login = procfs_login(principal->pid, &principal->login_uid);
	}
	return has_ended(principal->pidfd) ? REASON_DEAD : NULL; /* P9: after the lookup, never before */
}

enum err peer_identify(int socket_fd, struct principal *out, const char **reason_out)
{
	PRINCIPAL_AUTO principal = {.pidfd = -1};
	const char *reason = identify(socket_fd, &principal);

	if (reason != NULL) {
		*reason_out = reason;
		return ERR_DENIED;
	}
	*out = principal;
	principal = (struct principal){.pidfd = -1}; /* out owns it now */
	return OK;
}

bool peer_needs_proof(const struct principal *principal)
{
	return !principal->is_pid_proven && principal->pidfd >= 0;
}

/*
 * The pidfd was opened before the challenge was sent and lives until after the cgroup was read, so its
 * process is the one that had this pid when the kernel made the credentials: it answered itself (P9).
 */
enum err peer_prove(struct principal *principal, pid_t pid, uid_t uid, gid_t gid)
{
	char unit[UNIT_BYTES_MAX + 1] = "";
	uid_t login_uid = 0;

	if (!peer_needs_proof(principal))
		return ERR_DENIED;
	if (pid != principal->pid || uid != principal->uid || gid != principal->gid)
		return ERR_DENIED;

	const char *reason = read_unit(pid, unit);
	bool has_login = procfs_login(pid, &login_uid);

	if (has_ended(principal->pidfd))
		return ERR_DENIED; /* P9: alive after the lookup, so alive all along */
	principal->is_pid_proven = true;
	principal->unit_reason = reason;
	memcpy(principal->unit, unit, sizeof(unit));
	principal->has_login = has_login;
	principal->login_uid = login_uid;
	return OK;
}

/*
 * P9, before Linux 6.5: the peer may have ended and its pid be somebody else's before the pidfd was opened.  Who could
 * arrange that is root in some unit, and moves into any other at will; against that no check of ours helps.
 */
const char *peer_find_unit(const struct principal *principal, char unit[UNIT_BYTES_MAX + 1])
{
	const char *reason = principal->unit_reason;

	if (principal->pidfd < 0)
		return REASON_PIDFD;
	if (principal->is_pid_proven)
		memcpy(unit, principal->unit, sizeof(principal->unit));
	else
		reason = principal->uid == 0 ? read_unit(principal->pid, unit) : REASON_UNPROVEN;
	return has_ended(principal->pidfd) ? REASON_DEAD : reason;
}

bool peer_is_alive(const struct principal *principal)
{
	if (!principal->is_pid_proven || principal->pidfd < 0)
		return true;
	return !has_ended(principal->pidfd);
}

void peer_clear(struct principal *principal)
{
	if (principal->pidfd >= 0)
		close(principal->pidfd);
	free(principal->groups);
	*principal = (struct principal){.pidfd = -1};
}

bool peer_has_group(const struct principal *principal, gid_t gid)
{
	if (principal->gid == gid)
		return true;
	for (size_t i = 0; i < principal->group_count; i++)
		if (principal->groups[i] == gid)
			return true;
	return false;
}
