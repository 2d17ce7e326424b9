/*
 * The files of the archive: a directory that is not the daemon's alone is refused, a name is never written over, and
 * whatever fails or is killed in between, what has its own name is whole.
 */
#include "archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define ck_ok(expression) ck_assert_int_eq((int)(expression), (int)OK)
#define ck_err(expression, wanted) ck_assert_int_eq((int)(expression), (int)(wanted))

enum { SEGMENT_BYTES = 300000 };

static char folder[64];
static char segment[SEGMENT_BYTES];
static const char *reason;

/* ---- the linker sends archive.c's calls here (--wrap) ---- */

static int calls; /* so far */
static int fails_at; /* this call fails; 0: none */
static int fails_with;
static int kills_at; /* the process ends in this call, which is not made */
static bool is_short; /* a write takes half of what it is given */

static bool must_fail(void)
{
	calls++;
	if (calls == kills_at)
		_exit(0);
	if (calls != fails_at)
		return false;
	errno = fails_with;
	return true;
}

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
	return must_fail() ? -1 : __real_write(fd, bytes, is_short && len > 1 ? len / 2 : len);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	return must_fail() ? -1 : __real_fsync(fd);
}

int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return must_fail() ? -1 : __real_renameat(from_dir, from, to_dir, to);
}

/* ---- the folder ---- */

static void start(void)
{
	snprintf(folder, sizeof(folder), "/tmp/coffer-archive-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	memset(segment, 'x', sizeof(segment));
	calls = fails_at = kills_at = 0;
	is_short = false;
	reason = NULL;
}

static void end(void)
{
	char command[96] = "";

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static bool is_there(const char *name)
{
	return access(path_of(name), F_OK) == 0;
}

static bool is_whole(const char *name)
{
	struct stat st = {0};

	return lstat(path_of(name), &st) == 0 && S_ISREG(st.st_mode) && st.st_size == SEGMENT_BYTES &&
	       (st.st_mode & 07777) == 0600;
}

static size_t count_files(void)
{
	DIR *dir = opendir(folder);
	size_t count = 0;

	ck_assert_ptr_nonnull(dir);
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void plant(const char *name)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

#define NAME "audit-0123abcd-0000000001-0000000009.jsonl"
#define PART NAME ".part"

static enum err put(void)
{
	return archive_put(folder, NAME, segment, sizeof(segment), &reason);
}

START_TEST(a_directory_that_is_not_the_daemons_alone_is_refused)
{
	char link[80] = "";

	start();
	ck_ok(archive_check(folder, &reason));
	ck_assert_int_eq(chmod(folder, 0711), 0);
	ck_err(archive_check(folder, &reason), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(reason, "0700"));
	ck_err(put(), ERR_CONFIG);
	ck_assert_int_eq(chmod(folder, 01700), 0);
	ck_err(archive_check(folder, &reason), ERR_CONFIG);
	ck_assert_int_eq(chmod(folder, 0700), 0);
	snprintf(link, sizeof(link), "%s.link", folder);
	ck_assert_int_eq(symlink(folder, link), 0);
	ck_err(archive_check(link, &reason), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(reason, "symlink"));
	ck_assert_int_eq(unlink(link), 0);
	ck_err(archive_check(link, &reason), ERR_NOT_FOUND);
	plant("file");
	ck_err(archive_check(path_of("file"), &reason), ERR_CONFIG);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(folder, 12345, 12345), 0);
		ck_err(archive_check(folder, &reason), ERR_CONFIG);
		ck_assert_ptr_nonnull(strstr(reason, "user"));
	}
	end();
}
END_TEST

START_TEST(names_sort_as_the_records_do)
{
	char first[ARCHIVE_NAME_BYTES] = "", second[ARCHIVE_NAME_BYTES] = "";

	archive_name(first, "0123abcd", 999999, 1000000);
	archive_name(second, "0123abcd", 1000001, 9999999999);
	ck_assert_str_eq(first, "audit-0123abcd-0000999999-0001000000.jsonl");
	ck_assert_int_lt(strcmp(first, second), 0);
	archive_name(first, "0123abcd", UINT64_MAX, UINT64_MAX);
	ck_assert_uint_lt(strlen(first), ARCHIVE_NAME_BYTES - 1);
}
END_TEST

START_TEST(a_name_that_is_taken_is_never_written_over)
{
	start();
	plant(NAME);
	ck_err(put(), ERR_CONFLICT);
	ck_assert_uint_eq(count_files(), 1);
	ck_assert(!is_whole(NAME));
	ck_assert_int_eq(unlink(path_of(NAME)), 0);
	ck_ok(put());
	plant(NAME);
	ck_err(archive_publish(folder, NAME, &reason), ERR_CONFLICT);
	ck_assert(is_whole(PART) && !is_whole(NAME));
	end();
}
END_TEST

/* What lies under the passing name may be half a segment, or a trap. */
START_TEST(what_an_earlier_try_left_is_replaced)
{
	start();
	plant(PART);
	ck_ok(put());
	ck_assert(is_whole(PART));
	ck_assert_int_eq(unlink(path_of(PART)), 0);
	plant("target");
	ck_assert_int_eq(symlink("target", path_of(PART)), 0);
	ck_ok(put());
	ck_assert(is_whole(PART) && !is_whole("target"));
	ck_ok(archive_publish(folder, NAME, &reason));
	ck_assert(is_whole(NAME) && !is_there(PART));
	end();
}
END_TEST

START_TEST(a_write_that_takes_a_part_goes_on_with_the_rest)
{
	start();
	is_short = true;
	ck_ok(put());
	ck_assert(is_whole(PART));
	end();
}
END_TEST

/* P5: whichever call fails, nothing is left that could be taken for a segment. */
START_TEST(whatever_fails_leaves_no_segment)
{
	static const int errors[] = {ENOSPC, EIO, EDQUOT};
	bool has_succeeded = false;

	start();
	for (int at = 1; !has_succeeded; at++) {
		for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
			calls = 0;
			fails_at = at;
			fails_with = errors[i];

			enum err err = put();

			has_succeeded = err == OK;
			if (has_succeeded)
				break;
			ck_assert_uint_eq(count_files(), 0);
			ck_err(err, errors[i] == EIO ? ERR_STORAGE : ERR_STORAGE_FULL);
			ck_assert_ptr_nonnull(strstr(reason, "archive_dir"));
		}
		ck_assert_int_lt(at, 20);
	}
	ck_assert_int_gt(calls, 2); /* a write, the file's sync, the directory's */
	fails_at = 0;
	ck_assert(is_whole(PART));
	end();
}
END_TEST

START_TEST(a_full_disk_is_told_as_one)
{
	struct rlimit whole, small;

	start();
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &whole), 0);
	small = (struct rlimit){.rlim_cur = 1000, .rlim_max = whole.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);

	enum err err = put();

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &whole), 0);
	ck_err(err, ERR_STORAGE);
	ck_assert_uint_eq(count_files(), 0);
	end();
}
END_TEST

/* P5: killed at any call, with the store cut or not; the next start leaves the whole segment or none. */
static void check_kill(int at, bool is_cut)
{
	int status = 0;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		kills_at = at;
		if (put() == OK && is_cut)
			(void)archive_publish(folder, NAME, &reason);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	if (is_there(NAME))
		ck_assert(is_whole(NAME));

	/* The store is cut only behind a put that returned; here that is when the passing file is whole. */
	bool was_cut = is_cut && (is_whole(NAME) || is_whole(PART));

	ck_ok(archive_settle(folder, "0123abcd", was_cut ? 9 : 0, &reason));
	ck_assert(!is_there(PART));
	ck_assert(is_whole(NAME) == was_cut);
	(void)unlink(path_of(NAME));
	ck_assert_uint_eq(count_files(), 0);
}

START_TEST(a_kill_at_any_call_leaves_a_whole_segment_or_none)
{
	start();
	for (int at = 1; at <= 6; at++) {
		check_kill(at, false);
		check_kill(at, true);
	}
	end();
}
END_TEST

START_TEST(settling_leaves_what_is_not_its_own)
{
	static const char *const foreign[] = {"audit-0123abcd-0000000001-0000000009.jsonl",
		"audit-0123abce-0000000001-0000000009.jsonl.part", "audit-0123abcd-1-9.jsonl.part",
		"audit-0123abcd-0000000001-0000000009.jsonl.part.old", "notes.part"};

	start();
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		plant(foreign[i]);
	ck_ok(archive_settle(folder, "0123abcd", 100, &reason));
	ck_assert_uint_eq(count_files(), sizeof(foreign) / sizeof(foreign[0]));
	plant("audit-0123abcd-0000000010-0000000020.jsonl.part");
	ck_ok(archive_settle(folder, "0123abcd", 19, &reason));
	ck_assert_uint_eq(count_files(), sizeof(foreign) / sizeof(foreign[0]));
	end();
}
END_TEST

UNIT_MAIN("archive", a_directory_that_is_not_the_daemons_alone_is_refused, names_sort_as_the_records_do,
	a_name_that_is_taken_is_never_written_over, what_an_earlier_try_left_is_replaced,
	a_write_that_takes_a_part_goes_on_with_the_rest, whatever_fails_leaves_no_segment,
	a_full_disk_is_told_as_one, a_kill_at_any_call_leaves_a_whole_segment_or_none,
	settling_leaves_what_is_not_its_own)
