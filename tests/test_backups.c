/* Which files of the backup directory may hold what was destroyed since. */
#include "backups.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char dir[] = "/tmp/coffer-backups-XXXXXX";
static struct backup list[BACKUPS_MAX];

enum { BASE_MS = 1700000000 };

static void start(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void end(void)
{
	char command[64] = "";

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void written(const char *name, int64_t ms)
{
	struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT}, {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}};

	ck_assert_int_eq(utimensat(AT_FDCWD, path_of(name), times, AT_SYMLINK_NOFOLLOW), 0);
}

static void make(const char *name, int64_t ms)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
	written(name, ms);
}

/* The names, in order. */
static const char *names_since(int64_t ms)
{
	static char text[2 * sizeof(list)];
	size_t count = backups_since(dir, ms, list);

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i == 0 ? "" : " ",
			list[i].name);
	return text;
}

START_TEST(where_there_is_no_directory_there_are_no_backups)
{
	start();
	make("file", BASE_MS);
	ck_assert_uint_eq(backups_since("/tmp/coffer-there-is-none", 0, list), 0);
	ck_assert_uint_eq(backups_since("", 0, list), 0);
	ck_assert_uint_eq(backups_since(path_of("file"), 0, list), 0);
	end();
}
END_TEST

START_TEST(what_is_no_regular_file_is_left_out)
{
	start();
	make("file", BASE_MS);
	ck_assert_int_eq(symlink("file", path_of("link")), 0);
	ck_assert_int_eq(symlink("nowhere", path_of("dangling")), 0);
	ck_assert_int_eq(mkdir(path_of("directory"), 0700), 0);
	ck_assert_int_eq(mkfifo(path_of("fifo"), 0600), 0);
	ck_assert_str_eq(names_since(0), "file");
	end();
}
END_TEST

START_TEST(what_was_written_before_is_left_out)
{
	start();
	make("before", BASE_MS - 1);
	make("then", BASE_MS);
	make("after", BASE_MS + 1);
	ck_assert_str_eq(names_since(BASE_MS), "after then");
	ck_assert_str_eq(names_since(BASE_MS + 2), "");
	ck_assert_str_eq(names_since(0), "after then before");
	end();
}
END_TEST

/* The order of the directory is another one. */
START_TEST(the_newest_comes_first)
{
	start();
	make("c", BASE_MS + 3);
	make("a", BASE_MS + 1);
	make("d", BASE_MS + 4);
	make("b", BASE_MS + 2);
	ck_assert_str_eq(names_since(0), "d c b a");
	ck_assert_int_eq(list[0].written_ms, BASE_MS + 4);
	ck_assert_int_eq(list[3].written_ms, BASE_MS + 1);
	written("a", BASE_MS + 5000);
	ck_assert_str_eq(names_since(0), "a d c b");
	ck_assert_uint_eq(backups_since(dir, BASE_MS + 4, list), 2);
	end();
}
END_TEST

START_TEST(of_more_than_32_the_newest_are_told)
{
	enum { MADE = BACKUPS_MAX + 9 };
	char name[16] = "";

	start();
	for (int i = 0; i < MADE; i++) {
		int number = i * 7 % MADE; /* in no order */

		snprintf(name, sizeof(name), "b%d", number);
		make(name, BASE_MS + number);
	}
	ck_assert_uint_eq(backups_since(dir, 0, list), BACKUPS_MAX);
	for (int i = 0; i < BACKUPS_MAX; i++) {
		snprintf(name, sizeof(name), "b%d", MADE - 1 - i);
		ck_assert_str_eq(list[i].name, name);
	}
	end();
}
END_TEST

START_TEST(files_of_one_moment_are_all_told)
{
	enum { MADE = BACKUPS_MAX + 1 };
	char name[16] = "";

	start();
	for (int i = 0; i < MADE - 1; i++) {
		snprintf(name, sizeof(name), "b%d", i);
		make(name, BASE_MS);
	}
	ck_assert_uint_eq(backups_since(dir, BASE_MS, list), BACKUPS_MAX);
	make("one-more", BASE_MS);
	ck_assert_uint_eq(backups_since(dir, BASE_MS, list), BACKUPS_MAX);
	end();
}
END_TEST

START_TEST(a_name_of_the_longest_length_is_told_whole)
{
	char name[BACKUP_NAME_BYTES] = "";

	start();
	memset(name, 'n', sizeof(name) - 1);
	make(name, BASE_MS);
	ck_assert_str_eq(names_since(0), name);
	end();
}
END_TEST

UNIT_MAIN("backups", where_there_is_no_directory_there_are_no_backups, what_is_no_regular_file_is_left_out,
	what_was_written_before_is_left_out, the_newest_comes_first, of_more_than_32_the_newest_are_told,
	files_of_one_moment_are_all_told, a_name_of_the_longest_length_is_told_whole)
