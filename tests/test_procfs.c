/* Small readings of /proc: texts that the kernel writes, texts that it does not, and names that are made to mislead. */
#include "procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "puppet.h"
#include "unit.h"

/* As the kernel writes them: the parent is 41, the session 43, the start 2200. */
#define FIELDS " S 41 42 43 0 -1 4194560 5 6 7 8 9 10 -11 -12 -20 -19 1 0 2200 225 "
#define REST "33 18446744073709551615 1 2 3 4 5 6 7 8 9 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"

/* len bytes and the NUL behind them, in memory of exactly that size. */
static bool parse(const char *text, size_t len, struct procfs_stat *out)
{
	char *copy = malloc(len + 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, len);
	copy[len] = '\0';

	bool is_good = procfs_parse_stat(copy, len, out);

	free(copy);
	return is_good;
}

static void check_refused(const char *text, size_t len)
{
	struct procfs_stat stat = {.state = '?', .parent = -7, .session = -7, .start_ticks = 7};

	ck_assert_msg(!parse(text, len, &stat), "accepted: %s", text);
	ck_assert_msg(stat.state == '?' && stat.parent == -7 && stat.session == -7 && stat.start_ticks == 7,
		"written to: %s", text);
}

/* ---- stat: refusals ---- */

START_TEST(stat_refuses_text_that_the_kernel_does_not_write)
{
	static const char *const texts[] = {
		"",
		"\n",
		")",
		") ",
		") S",
		") S ",
		"1 (a)",
		"1 (a) ",
		"1 (a) S",
		"1 (a)S 41 42 43",
		"1 (a)  41 42 43",
		"1 (a) SS" FIELDS REST,
		"1 a" FIELDS REST, /* no parenthesis */
		"1 (a" FIELDS REST,
		"1 (a) S  41 42 43 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2200 225 " REST,
		"1 (a) S 41\t42 43 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2200 225 " REST,
		"1 (a) S 41 42 43\n0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2200 225 " REST,
		"1 (a) S +41 42 43 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2200 225 " REST,
		"1 (a) S 0x29 42 43 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2200 225 " REST,
		"1 (a) S x 42 43 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2200 225 " REST,
		"1 (a) S 41 42 43 0 --1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2200 225 " REST,
		"1 (a) S 41 42 43 0 - 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2200 225 " REST,
		"1 (a) S 41 42 43 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2200.5 225 " REST,
		"1 (a) S 41 42 43 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 18446744073709551616 225 " REST,
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_refused(texts[i], strlen(texts[i]));
}
END_TEST

/* The kernel writes -1 for a process that is being taken apart. */
START_TEST(stat_refuses_numbers_that_no_process_has)
{
	static const char *const texts[] = {
		"1 (a) S -41 42 43 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2200 225 " REST,
		"1 (a) S 41 42 -1 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2200 225 " REST,
		"1 (a) S 41 42 43 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 -2200 225 " REST,
		"1 (a) S 2147483648 42 43 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2200 225 " REST,
		"1 (a) S 41 42 4294967339 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2200 225 " REST,
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_refused(texts[i], strlen(texts[i]));
}
END_TEST

/* The start time must be there to its last digit. */
START_TEST(stat_refuses_every_cut_before_the_end_of_the_start_time)
{
	static const char text[] =
		"1 (a b) S 41 42 43 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2200 225 33\n";
	size_t needed = (size_t)(strstr(text, "2200 ") - text) + strlen("2200 ");
	struct procfs_stat stat = {0};

	for (size_t len = 0; len < needed; len++)
		check_refused(text, len);
	for (size_t len = needed; len < sizeof(text); len++)
		ck_assert(parse(text, len, &stat));
	ck_assert_uint_eq(stat.start_ticks, 2200);
}
END_TEST

START_TEST(stat_refuses_a_zero_byte_behind_the_name)
{
	static const char text[] =
		"1 (a) S 41 42 43 0 -1 4194560 5\0 6 7 8 9 10 11 12 20 0 1 0 2200 225 " REST;

	check_refused(text, sizeof(text) - 1);
}
END_TEST

/* ---- stat: what it gives ---- */

/* Whoever may choose the name must not choose parent, session or start (P9). */
START_TEST(stat_is_not_misled_by_a_name)
{
	static const char *const names[] = {"", "a", " ", "(", ")", "))", "((", ") S", "a) S 1 2 3",
		") R 1 1 1 0", "x) Z 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 1 ", "a\nb", "\n", "a\\n",
		"\x80\xff", "S 1 2 3 "};
	char text[512] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct procfs_stat stat = {0};
		int len = snprintf(text, sizeof(text), "7 (%s)" FIELDS REST, names[i]);

		ck_assert_msg(parse(text, (size_t)len, &stat), "refused: %s", text);
		ck_assert_int_eq(stat.state, 'S');
		ck_assert_int_eq(stat.parent, 41);
		ck_assert_int_eq(stat.session, 43);
		ck_assert_uint_eq(stat.start_ticks, 2200);
	}
}
END_TEST

static void check_own_stat(void)
{
	struct procfs_stat stat = {0};

	ck_assert(procfs_stat(getpid(), &stat));
	ck_assert_int_eq(stat.state, 'R');
	ck_assert_int_eq(stat.parent, getppid());
	ck_assert_int_eq(stat.session, getsid(0));
	ck_assert_uint_gt(stat.start_ticks, 0);
}

START_TEST(stat_of_this_process_is_right_whatever_its_name_is)
{
	static const char *const names[] = {"plain", ") S 1 1 1", "((", ") ) )", "a\nb", "\x01\xff", " ", ""};
	struct procfs_stat first = {0}, stat = {0};

	ck_assert(procfs_stat(getpid(), &first));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_int_eq(prctl(PR_SET_NAME, names[i], 0, 0, 0), 0);
		check_own_stat();
		ck_assert(procfs_stat(getpid(), &stat));
		ck_assert_uint_eq(stat.start_ticks, first.start_ticks);
	}
}
END_TEST

START_TEST(stat_of_nobody_is_none)
{
	struct procfs_stat stat = {.state = '?'};
	struct puppet gone;

	puppets_start();
	gone = puppet_new();
	puppet_exit(&gone, 0);
	ck_assert(procfs_stat(gone.pid, &stat));
	ck_assert_int_eq(stat.state, 'Z');
	ck_assert_int_eq(stat.parent, getpid());
	puppet_wait(&gone);
	stat.state = '?';
	ck_assert(!procfs_stat(gone.pid, &stat));
	ck_assert(!procfs_stat(-1, &stat));
	ck_assert(!procfs_stat(0, &stat));
	ck_assert_int_eq(stat.state, '?');
	puppets_end();
}
END_TEST

/* ---- whole files ---- */

START_TEST(read_refuses_what_it_cannot_hold_or_read)
{
	char path[] = "/tmp/coffer-procfs-XXXXXX";
	char text[16] = "";
	size_t len = 99;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "0123456789abcdef", 16), 16);
	ck_assert(!procfs_read(path, text, sizeof(text), &len)); /* no room for the NUL */
	ck_assert(!procfs_read("/tmp", text, sizeof(text), &len));
	ck_assert(!procfs_read("/proc/self/there-is-none", text, sizeof(text), &len));
	ck_assert(!procfs_read(
		"/proc/self/mem", text, sizeof(text), &len)); /* opens, and cannot be read at 0 */
	ck_assert_uint_eq(len, 99);
	ck_assert_int_eq(ftruncate(fd, 15), 0);
	ck_assert(procfs_read(path, text, sizeof(text), &len));
	ck_assert_uint_eq(len, 15);
	ck_assert_str_eq(text, "0123456789abcde");
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert(procfs_read(path, text, sizeof(text), &len));
	ck_assert_uint_eq(len, 0);
	ck_assert_str_eq(text, "");
	close(fd);
	unlink(path);
}
END_TEST

/* ---- the login ---- */

START_TEST(login_refuses_text_that_the_kernel_does_not_write)
{
	static const char *const wrong[] = {"", "\n", " 5", "-1", "+5", "5 ", "5\n\n", "5x", "x",
		"4294967296", "18446744073709551616", "99999999999999999999999"};
	uid_t login = 7;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(!procfs_parse_login(wrong[i], &login), "accepted: %s", wrong[i]);
	ck_assert(!procfs_parse_login("4294967295", &login));
	ck_assert_uint_eq(login, 7);
	ck_assert(procfs_parse_login("4294967294", &login));
	ck_assert_uint_eq(login, 4294967294U);
	ck_assert(procfs_parse_login("0\n", &login));
	ck_assert_uint_eq(login, 0);
}
END_TEST

static int act_log_in(int uid)
{
	char text[16] = "";
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);
	int len = snprintf(text, sizeof(text), "%d", uid);
	bool is_written = fd >= 0 && write(fd, text, (size_t)len) == len;

	return is_written && close(fd) == 0 && setresuid(12345, 12345, 12345) == 0 ? 0 : errno;
}

/* P9 */
START_TEST(login_stays_when_the_process_becomes_another_user)
{
	struct puppet puppet;
	uid_t login = 7;

	puppets_start();
	puppet = puppet_new();
	ck_assert(!procfs_login(-1, &login));
	ck_assert_uint_eq(login, 7);

	int error = puppet_do(&puppet, act_log_in, 4711);

	if (error == EPERM || error == EACCES || error == ENOENT) {
		fprintf(stderr, "not tested: nobody can log in here: %s\n", strerror(error));
	} else {
		ck_assert_int_eq(error, 0);
		ck_assert(procfs_login(puppet.pid, &login));
		ck_assert_uint_eq(login, 4711);
	}
	puppet_die(&puppet);
	puppets_end();
}
END_TEST

/* ---- the first of a namespace ---- */

static int act_nothing(int arg)
{
	return arg;
}

START_TEST(an_ordinary_process_is_no_init)
{
	struct puppet puppet;

	puppets_start();
	ck_assert(procfs_is_init(-1)); /* what cannot be read may be one */
	ck_assert(!procfs_is_init(getpid()));
	puppet = puppet_new();
	ck_assert_int_eq(puppet_do(&puppet, act_nothing, 5), 5);
	ck_assert(!procfs_is_init(puppet.pid));
	puppet_die(&puppet);
	puppets_end();
}
END_TEST

START_TEST(a_process_whose_number_ends_like_that_of_an_init_is_none)
{
	enum { TRIES = 5000 }; /* others take numbers as well */
	pid_t pid = 0;

	for (int i = 0; i < TRIES && pid % 10 != 1; i++) {
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0)
			_exit(0);
		if (pid % 10 == 1)
			ck_assert(
				!procfs_is_init(pid)); /* a zombie at the latest: nobody has waited for it */
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	}
	ck_assert_int_eq(pid % 10, 1);
}
END_TEST

static int act_new_namespace(int arg)
{
	(void)arg;
	return unshare(CLONE_NEWPID) == 0 ? 0 : errno;
}

START_TEST(the_first_process_of_a_pid_namespace_is_an_init)
{
	ck_assert(procfs_is_init(1));
	puppets_start();

	struct puppet outside = puppet_new();
	int refused = puppet_do(&outside, act_new_namespace, 0);

	if (refused != 0) {
		printf("# SKIP of a namespace of one's own: %s\n", strerror(refused));
		puppets_end();
		return;
	}

	struct puppet first = puppet_fork(&outside);
	struct puppet second = puppet_fork(&outside);

	ck_assert(procfs_is_init(first.pid));
	ck_assert(!procfs_is_init(second.pid));
	ck_assert(!procfs_is_init(outside.pid));
	puppets_end();
}
END_TEST

/* ---- the unit's path ---- */

START_TEST(a_process_has_a_path_in_its_own_unit_alone)
{
	struct unit_place place, below;
	struct puppet puppet;
	char path[80] = "untouched";

	ck_assert(!procfs_unit_path(-1, "etl.service", path, sizeof(path)));
	ck_assert_str_eq(path, "untouched");
	if (!unit_place_real(&place))
		return;
	puppets_start();
	puppet = puppet_new();
	unit_place_below(&place, "worker", &below);
	ck_assert(!procfs_unit_path(puppet.pid, place.unit, path, sizeof(path)));
	unit_place_join(&below, &puppet);
	ck_assert(!procfs_unit_path(puppet.pid, "etl.service", path, sizeof(path)));
	ck_assert(!procfs_unit_path(puppet.pid, "worker", path, sizeof(path)));
	ck_assert(!procfs_unit_path(puppet.pid, "", path, sizeof(path)));
	ck_assert(!procfs_unit_path(puppet.pid, place.unit, path, strlen(place.unit) + 1));
	ck_assert(procfs_unit_path(puppet.pid, place.unit, path, strlen(place.unit) + 2));
	ck_assert_int_eq(path[0], '/');
	ck_assert_str_eq(path + 1, place.unit);
	puppet_die(&puppet);
	ck_assert(!procfs_unit_path(puppet.pid, place.unit, path, sizeof(path)));
	unit_place_remove(&below);
	unit_place_remove(&place);
	puppets_end();
}
END_TEST

UNIT_MAIN("procfs", stat_refuses_text_that_the_kernel_does_not_write,
	stat_refuses_numbers_that_no_process_has, stat_refuses_every_cut_before_the_end_of_the_start_time,
	stat_refuses_a_zero_byte_behind_the_name, stat_is_not_misled_by_a_name,
	stat_of_this_process_is_right_whatever_its_name_is, stat_of_nobody_is_none,
	read_refuses_what_it_cannot_hold_or_read, login_refuses_text_that_the_kernel_does_not_write,
	login_stays_when_the_process_becomes_another_user, an_ordinary_process_is_no_init,
	a_process_whose_number_ends_like_that_of_an_init_is_none,
	the_first_process_of_a_pid_namespace_is_an_init, a_process_has_a_path_in_its_own_unit_alone)
