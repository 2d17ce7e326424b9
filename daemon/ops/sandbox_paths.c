/*
 * Landlock: a rule names a directory, and what may be done with files below it; everything else is refused, whatever the
 * modes say.  Nothing may be executed anywhere.  A rule holds for the directory that was there when it was made: one that
 * is made later at the same path is out of reach until a restart.
 *
 * Files that are replaced by renaming (configuration, user database) need a rule for their directory.  What is not covered:
 * chmod, chown and the like by name, which the list of system calls leaves out; and connecting to Unix sockets by path.
 */
#include "sandbox_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#define FD_AUTO __attribute__((cleanup(close_fd))) int

/* What Debian 12's headers do not have yet.  A kernel takes a longer struct as long as what it does not know is zero. */
struct ruleset {
	uint64_t files;
	uint64_t network;
	uint64_t scoped;
};

#define MAY_TRUNCATE (1ULL << 14)
#define TO_ABSTRACT_SOCKETS (1ULL << 0)
#define TO_PROCESSES (1ULL << 1)

#define MAY_READ_FILES LANDLOCK_ACCESS_FS_READ_FILE
#define MAY_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define MAY_REMOVE LANDLOCK_ACCESS_FS_REMOVE_FILE
#define MAY_WRITE \
	(MAY_READ | MAY_REMOVE | MAY_TRUNCATE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG)

/* version → what it can refuse */
static const struct {
	int version;
	struct ruleset all;
} versions[] = {
	{1, {.files = (1ULL << 13) - 1}},
	{2, {.files = (1ULL << 14) - 1}}, /* moving between directories */
	{3, {.files = (1ULL << 15) - 1}}, /* truncating */
	{4, {.files = (1ULL << 15) - 1, .network = 3}}, /* TCP: to bind, to connect */
	{5, {.files = (1ULL << 16) - 1, .network = 3}}, /* ioctl on devices */
	{6, {.files = (1ULL << 16) - 1, .network = 3, .scoped = TO_ABSTRACT_SOCKETS | TO_PROCESSES}},
};

struct place {
	const char *path;
	uint64_t access;
};

static const struct place places[] = {
	{"/proc", MAY_READ}, /* callers: their cgroup, login, start */
	{"/sys/fs/cgroup", MAY_READ}, /* who is in a unit */
	{"/run/systemd/units", MAY_READ}, /* a unit's invocation */
	{"/etc", MAY_READ_FILES}, /* passwd, group, nsswitch.conf; cofferd.conf */
	/* name services that keep theirs elsewhere: systemd, SSSD, libnss-extrausers */
	{"/etc/userdb", MAY_READ},
	{"/run/userdb", MAY_READ},
	{"/run/host/userdb", MAY_READ},
	{"/run/systemd/userdb", MAY_READ},
	{"/usr/lib/userdb", MAY_READ},
	{"/usr/local/lib/userdb", MAY_READ},
	{"/var/lib/sss", MAY_READ},
	{"/var/lib/extrausers", MAY_READ_FILES},
};

static bool add_rule(int rules, const struct ruleset *all, int parent, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access & all->files, .parent_fd = parent};

	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

/* True for a path that is not there: whatever comes to be there later has no rule. */
static bool allow(int rules, const struct ruleset *all, const char *path, uint64_t access)
{
	FD_AUTO fd = open(path, O_PATH | O_CLOEXEC);
	struct stat found = {0};

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES;
	if (fstat(fd, &found) != 0)
		return false;
	if (!S_ISDIR(found.st_mode))
		access &= MAY_READ_FILES | MAY_TRUNCATE | LANDLOCK_ACCESS_FS_WRITE_FILE;
	return add_rule(rules, all, fd, access);
}

static bool allow_directory_of(int rules, const struct ruleset *all, const char *path, uint64_t access)
{
	char copy[PATH_MAX] = "";

	if (strlen(path) >= sizeof(copy))
		return false;
	memcpy(copy, path, strlen(path) + 1);
	return allow(rules, all, dirname(copy), access);
}

/* The file may be a symbolic link: what counts is where it leads today. */
static bool allow_config(int rules, const struct ruleset *all, const char *path)
{
	char *resolved = realpath(path, NULL);
	bool is_allowed = allow_directory_of(rules, all, path, MAY_READ_FILES) &&
			  (resolved == NULL || allow_directory_of(rules, all, resolved, MAY_READ_FILES));

	free(resolved);
	return is_allowed;
}

static bool allow_all(int rules, const struct ruleset *all, const struct sandbox *sandbox)
{
	const struct config *config = sandbox->config;
	const char *const own[] = {
		config->state_dir, config->anchor, config->backup_dir, config->archive_dir};
	bool is_allowed = allow_config(rules, all, sandbox->config_path);

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		is_allowed = is_allowed && allow(rules, all, places[i].path, places[i].access);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		is_allowed = is_allowed && allow(rules, all, own[i], MAY_WRITE);
	if (sandbox->owns_socket)
		is_allowed = is_allowed && allow_directory_of(rules, all, config->socket, MAY_REMOVE);
	return is_allowed;
}

/* A service manager in another container listens at an abstract address: it must be told that we are ready. */
static bool is_notified_abstractly(void)
{
	const char *address = getenv("NOTIFY_SOCKET");

	return address != NULL && address[0] == '@';
}

static struct ruleset all_of(int version)
{
	struct ruleset all = {0};

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (versions[i].version <= version)
			all = versions[i].all;
	if (is_notified_abstractly())
		all.scoped &= ~TO_ABSTRACT_SOCKETS;
	return all;
}

enum err sandbox_limit_paths(const struct sandbox *sandbox, int *version_out, const char **reason_out)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	*version_out = 0;
	if (version < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
		return OK;
	*reason_out = "sandbox: files cannot be limited (Landlock); SystemCallFilter= must allow the "
		      "landlock_ calls";

	struct ruleset all = all_of((int)version);
	FD_AUTO rules = version < 0 ? -1 : (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);

	if (rules < 0 || !allow_all(rules, &all, sandbox) ||
		syscall(SYS_landlock_restrict_self, rules, 0) != 0)
		return ERR_INTERNAL;
	*version_out = (int)version;
	return OK;
}
