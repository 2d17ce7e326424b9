/*
 * Walks from the young processes of a unit to their eldest young ancestor, and judges by who that one's parent is.
 *
 * The kernel gives an orphan to the nearest ancestor that asked to be a reaper, else to the first process of its pid
 * namespace.  So the child of a holder that has ended has a parent outside of the unit (the service manager), or a reaper
 * inside.  A scheduler's other jobs, whose parent is an old process inside that adopts nobody, cannot be such children.
 * The kernel does not show who asked to be a reaper; a process that has adopted somebody of another session has.
 */
#include "descent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process.h"
#include "procfs.h"

enum { PROCESSES_MAX = 4096, DEPTH_MAX = 32, PROCS_BYTES = PROCESSES_MAX * 8 };

struct member {
	pid_t pid;
	struct procfs_stat stat;
};

struct members {
	struct member *list; /* by pid */
	size_t count;
	bool is_doubtful; /* something could not be read */
};

static void clear_members(struct members *members)
{
	free(members->list);
}

#define MEMBERS_AUTO __attribute__((cleanup(clear_members))) struct members

static void close_dir(DIR **dir)
{
	if (*dir != NULL)
		closedir(*dir);
}

static void free_text(char **text)
{
	free(*text);
}

/* ---- who is in the unit ---- */

/*
 * A /proc that hides processes says that they are not there, and shows one whose main thread has ended as a zombie though
 * its other threads live on.  A pidfd does neither.
 */
static bool may_live(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return errno != ESRCH;

	bool has_ended = process_has_ended(pidfd);

	close(pidfd);
	return !has_ended;
}

/* One that has ended meanwhile is no holder, and a zombie without a thread has no memory any more. */
static bool add_member(struct members *members, pid_t pid)
{
	struct procfs_stat stat = {0};

	if (members->count == PROCESSES_MAX)
		return false;
	if (!procfs_stat(pid, &stat))
		return !may_live(pid);
	if ((stat.state != 'Z' && stat.state != 'X') || may_live(pid))
		members->list[members->count++] = (struct member){pid, stat};
	return true;
}

static bool read_procs(struct members *members, const char *directory)
{
	char path[768] = "";
	size_t len = 0;
	__attribute__((cleanup(free_text))) char *text = malloc(PROCS_BYTES);

	snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
	if (text == NULL || !procfs_read(path, text, PROCS_BYTES, &len))
		return text != NULL && errno == ENODEV; /* removed meanwhile: nobody was left in it */
	for (char *at = text; *at != '\0';) {
		long pid = strtol(at, &at, 10);

		if (pid <= 0 || *at != '\n' || !add_member(members, (pid_t)pid))
			return false;
		at++;
	}
	return true;
}

/* The directory and all below: what is delegated or nested belongs to the unit. */
static bool read_tree(struct members *members, const char *directory, int depth)
{
	__attribute__((cleanup(close_dir))) DIR *dir = opendir(directory);
	const struct dirent *entry = NULL;

	if (dir == NULL)
		return errno == ENOENT && depth > 0;
	if (depth == DEPTH_MAX || !read_procs(members, directory))
		return false;
	while ((entry = readdir(dir)) != NULL) {
		char path[768] = "";

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) >= sizeof(path) ||
			!read_tree(members, path, depth + 1))
			return false;
	}
	return true;
}

static int compare_members(const void *a, const void *b)
{
	pid_t left = ((const struct member *)a)->pid;
	pid_t right = ((const struct member *)b)->pid;

	return (left > right) - (left < right);
}

static void load_members(struct members *members, const char *cgroup)
{
	members->list = calloc(PROCESSES_MAX, sizeof(*members->list));
	members->is_doubtful = members->list == NULL || !read_tree(members, cgroup, 0);
	if (members->list != NULL)
		qsort(members->list, members->count, sizeof(*members->list), compare_members);
}

static const struct member *find_member(const struct members *members, pid_t pid)
{
	struct member key = {.pid = pid};

	return bsearch(&key, members->list, members->count, sizeof(key), compare_members);
}

/* ---- whose child ---- */

static bool is_young(const struct descent *descent, const struct member *member)
{
	return member->stat.start_ticks >= descent->given_ticks;
}

/* Somebody of another session was put under this parent by the kernel: it is a reaper. */
static bool has_adopted(const struct members *members, const struct member *parent)
{
	for (size_t i = 0; i < members->count; i++) {
		const struct member *child = &members->list[i];

		if (child->stat.parent == parent->pid && child->stat.session != parent->stat.session &&
			child->stat.session != child->pid)
			return true;
	}
	return false;
}

/* The parent of the eldest young ancestor; NULL when it is outside of the unit. */
static const struct member *find_old_parent(
	const struct descent *descent, const struct members *members, const struct member *member)
{
	const struct member *at = member;

	/* A pid that came again while this was read could make a circle. */
	for (size_t steps = 0; at != NULL && is_young(descent, at) && steps <= members->count; steps++)
		at = find_member(members, at->stat.parent);
	return at != NULL && !is_young(descent, at) ? at : NULL;
}

static bool may_descend(
	const struct descent *descent, const struct members *members, const struct member *member)
{
	if (!is_young(descent, member) || member->pid == descent->but_pid)
		return false;
	if (descent->is_any_parent)
		return true;

	const struct member *parent = find_old_parent(descent, members, member);

	return parent == NULL || procfs_is_init(parent->pid) || has_adopted(members, parent);
}

/* That the unit was started anew since is proof that nobody of the old one is left. */
static bool is_gone(const struct descent *descent)
{
	struct stat st = {0};

	if (stat(descent->cgroup, &st) != 0)
		return errno == ENOENT || errno == ENODEV;
	return st.st_ino != descent->cgroup_id;
}

bool descent_may_hold(const struct descent *descent)
{
	MEMBERS_AUTO members = {0};

	if (is_gone(descent))
		return false;
	load_members(&members, descent->cgroup);
	for (size_t i = 0; i < members.count; i++)
		if (may_descend(descent, &members, &members.list[i]))
			return true;
	return members.is_doubtful && !is_gone(descent);
}

/* Up to pid and no further: it may be as young as what it was given. */
static bool descends_from(
	const struct descent *descent, const struct members *members, const struct member *member, pid_t pid)
{
	const struct member *at = member;

	for (size_t steps = 0;
		at != NULL && at->pid != pid && is_young(descent, at) && steps <= members->count; steps++) {
		if (at->stat.parent == pid)
			return true;
		at = find_member(members, at->stat.parent);
	}
	return false;
}

bool descent_has_children(const struct descent *descent, int pid)
{
	MEMBERS_AUTO members = {0};

	load_members(&members, descent->cgroup);
	for (size_t i = 0; i < members.count; i++)
		if (descends_from(descent, &members, &members.list[i], pid))
			return true;
	return members.is_doubtful;
}
