/*
 * Preloaded into the daemon by drop_unsynced.py: writes down each change of the files of one directory before
 * it is made, and each sync of them after it has succeeded, so that the test can take back what a power cut
 * takes back (P5, P10).  It covers the calls that the daemon and SQLite make; the test compares its notes
 * with the files after each kill, so that a change made in another way is noticed.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(long) == sizeof(off64_t), "an offset is one argument of a system call");

enum { BYTES_MAX = 1 << 20 };

enum kind { CREATE, UNLINK, WRITE, TRUNCATE, SYNC };

/* One note, as drop_unsynced.py reads it; the name and the bytes follow. */
struct note {
	uint32_t kind;
	uint32_t name_bytes;
	uint64_t offset;
	uint64_t bytes;
};

static char directory[PATH_MAX];
static char log_path[PATH_MAX];
static bool is_lying;

/* The daemon soon reduces its environment. */
__attribute__((constructor)) static void read_environment(void)
{
	const char *watched = getenv("UNSYNCED_DIRECTORY");
	const char *log = getenv("UNSYNCED_LOG");

	if (watched == NULL || log == NULL)
		return;
	snprintf(directory, sizeof(directory), "%s", watched);
	snprintf(log_path, sizeof(log_path), "%s", log);
	is_lying = getenv("UNSYNCED_LIES") != NULL;
}

/*
 * Opened at the first note, which is made before the daemon enters its sandbox: it begins by closing every descriptor that it
 * does not know.  Later notes take only calls that the sandbox allows.
 */
static void note(enum kind kind, const char *name, size_t offset, const void *bytes, size_t len)
{
	static long log_fd = -1;
	static char whole[sizeof(struct note) + PATH_MAX + BYTES_MAX];
	struct note head = {kind, (uint32_t)strlen(name), offset, len};
	size_t whole_len = sizeof(head) + head.name_bytes + len;

	if (log_fd < 0)
		log_fd = syscall(
			SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (log_fd < 0 || whole_len > sizeof(whole))
		abort();
	memcpy(whole, &head, sizeof(head));
	memcpy(whole + sizeof(head), name, head.name_bytes);
	if (len > 0)
		memcpy(whole + sizeof(head) + head.name_bytes, bytes, len);
	/* At once, or a kill would leave a part of it. */
	if (write((int)log_fd, whole, whole_len) != (ssize_t)whole_len)
		abort(); /* without its notes the test would prove nothing */
}

/* The file's name below the directory; "": the directory itself; NULL: of no interest. */
static const char *name_below(const char *path)
{
	size_t len = strlen(directory);

	if (len == 0 || strncmp(path, directory, len) != 0)
		return NULL;
	if (path[len] == '/')
		return path + len + 1;
	return path[len] == '\0' ? path + len : NULL;
}

static const char *name_of(int fd, char path[PATH_MAX])
{
	char link[32] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

	ssize_t len = readlinkat(AT_FDCWD, link, path, PATH_MAX - 1);

	path[len < 0 ? 0 : len] = '\0';
	return name_below(path);
}

static void note_change(enum kind kind, int fd, off64_t offset, const void *bytes, size_t len)
{
	char path[PATH_MAX] = "";
	const char *name = name_of(fd, path);

	if (name != NULL)
		note(kind, name, (size_t)offset, bytes, len);
}

static int sync_file(int fd, long number)
{
	char path[PATH_MAX] = "";
	const char *name = name_of(fd, path);

	if (name != NULL && is_lying)
		return 0;

	int rc = (int)syscall(number, fd);

	if (rc == 0 && name != NULL)
		note(SYNC, name, 0, NULL, 0);
	return rc;
}

/* ---- in the place of libc's ---- */

int open64(const char *path, int flags, ...)
{
	const char *name = name_below(path);
	mode_t mode = 0;

	if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {
		va_list more;

		va_start(more, flags);
		mode = va_arg(more, mode_t);
		va_end(more);
	}
	struct stat found;

	if (name != NULL && (flags & O_CREAT) != 0 && stat(path, &found) != 0)
		note(CREATE, name, 0, NULL, 0);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int unlinkat(int folder, const char *path, int flags)
{
	const char *name = name_below(path);

	if (name != NULL)
		note(UNLINK, name, 0, NULL, 0);
	return (int)syscall(SYS_unlinkat, folder, path, flags);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset)
{
	note_change(WRITE, fd, offset, bytes, len);
	return syscall(SYS_pwrite64, fd, bytes, len, offset);
}

int ftruncate64(int fd, off64_t len)
{
	note_change(TRUNCATE, fd, len, NULL, 0);
	return (int)syscall(SYS_ftruncate, fd, len);
}

int fsync(int fd)
{
	return sync_file(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return sync_file(fd, SYS_fdatasync);
}
