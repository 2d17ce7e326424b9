/* What reaches standard error: one line per call, whatever the names hold (P8). */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "escape.h"
#include "unit.h"

/* Standard error into a file in memory; each test is a process of its own. */
static int capture(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
	unsetenv("JOURNAL_STREAM");
	return fd;
}

static const char *captured(int fd)
{
	static char text[16384];
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	ck_assert_int_ge(len, 0);
	text[len] = '\0';
	return text;
}

START_TEST(log_line_stays_one_line)
{
	int fd = capture();

	log_error("name %s", "a\nb\r<0>c\x1b[2J\x7f");
	ck_assert_str_eq(captured(fd), "cofferd: name a\\x0ab\\x0d<0>c\\x1b[2J\\x7f\n");
}
END_TEST

START_TEST(log_escapes_what_is_not_valid_text)
{
	int fd = capture();

	/* C1 controls, an overlong slash, a lone surrogate, a cut character */
	log_info("\xc2\x9b \xc0\xaf \xed\xa0\x80 \xe2\x82");
	ck_assert_str_eq(captured(fd), "cofferd: \\xc2\\x9b \\xc0\\xaf \\xed\\xa0\\x80 \\xe2\\x82\n");
}
END_TEST

START_TEST(log_escapes_what_turns_or_hides_text)
{
	int fd = capture();

	/* right-to-left override, line separator, zero width space, tag */
	log_info("%s", "a\xe2\x80\xae"
		       "b \xe2\x80\xa8 \xe2\x80\x8b \xf3\xa0\x81\x81");
	ck_assert_str_eq(captured(fd), "cofferd: a\\xe2\\x80\\xaeb \\xe2\\x80\\xa8 \\xe2\\x80\\x8b "
				       "\\xf3\\xa0\\x81\\x81\n");
}
END_TEST

START_TEST(log_marks_a_text_that_was_cut_off)
{
	static char name[5000];
	int fd = capture();

	memset(name, '\n', sizeof(name) - 1);
	log_info("%s", name);

	const char *line = captured(fd);
	size_t len = strlen(line);

	ck_assert_uint_le(len, 4096);
	ck_assert_str_eq(line + len - 4, "...\n");
	ck_assert_ptr_eq(strchr(line, '\n'), line + len - 1);
}
END_TEST

START_TEST(log_drops_levels_above_the_set_one)
{
	int fd = capture();

	log_debug("hidden");
	log_set_level(LOG_LEVEL_WARNING);
	log_notice("hidden");
	log_warning("shown");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("shown too");
	ck_assert_str_eq(captured(fd), "cofferd: shown\ncofferd: shown too\n");
}
END_TEST

START_TEST(log_survives_a_closed_standard_error_and_keeps_errno)
{
	close(STDERR_FILENO);
	errno = ENOENT;
	log_error("nobody reads this");
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(log_shows_utf8_as_it_is)
{
	int fd = capture();

	log_notice("J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x94\x91 %d", 7);
	ck_assert_str_eq(captured(fd), "cofferd: J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x94\x91 7\n");
}
END_TEST

/* JOURNAL_STREAM as the service manager sets it for this descriptor, but for what is added to the inode. */
static void claim_journal(int fd, int added, const char *end)
{
	struct stat status = {0};
	char stream[64] = "";

	ck_assert_int_eq(fstat(fd, &status), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju%s", (uintmax_t)status.st_dev,
		(uintmax_t)status.st_ino + (uintmax_t)added, end);
	ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
}

START_TEST(log_gives_priorities_to_nobody_but_the_journal)
{
	int fd = capture();

	claim_journal(fd, 1, "");
	log_error("inherited");
	claim_journal(fd, 0, "0");
	log_error("longer");
	setenv("JOURNAL_STREAM", "", 1);
	log_error("empty");
	ck_assert_str_eq(captured(fd), "cofferd: inherited\ncofferd: longer\ncofferd: empty\n");
}
END_TEST

START_TEST(log_gives_priorities_to_the_journal)
{
	int fd = capture();

	claim_journal(fd, 0, "");
	log_error("one");
	log_info("two");
	ck_assert_str_eq(captured(fd), "<3>one\n<6>two\n");
}
END_TEST

START_TEST(log_about_keeps_the_reason_behind_a_long_path)
{
	static char path[4096];

	memset(path, 'a', sizeof(path) - 1);
	ck_assert_str_eq(log_about("socket", "/run/s", "no"), "socket /run/s: no");
	memcpy(path + sizeof(path) - 4, "end", 3);

	const char *text = log_about("socket", path, "the reason");

	ck_assert_uint_lt(strlen(text), 512);
	ck_assert_int_eq(strncmp(text, "socket ...aaa", 13), 0);
	ck_assert_ptr_nonnull(strstr(text, "aend: the reason"));
}
END_TEST

START_TEST(escape_never_writes_past_its_room)
{
	char guarded[64];
	char out[64];

	for (size_t cap = 4; cap < 40; cap++) {
		memset(guarded, 0x5a, sizeof(guarded));

		size_t len = escape_text("ab\ncd\xc3\xa9gh\xffijklmnop", guarded, cap);

		ck_assert_uint_lt(len, cap);
		ck_assert_uint_eq(strlen(guarded), len);
		for (size_t i = cap; i < sizeof(guarded); i++)
			ck_assert_int_eq(guarded[i], 0x5a);
	}
	ck_assert_uint_eq(escape_text("", out, 4), 0);
	ck_assert_uint_eq(escape_text("abcd", out, 8), 4);
	ck_assert_str_eq(out, "abcd");
	ck_assert_uint_eq(escape_text("abcde", out, 8), 7);
	ck_assert_str_eq(out, "abcd...");
	ck_assert_uint_eq(escape_text("abc\xc3\xa9", out, 8), 6); /* no half characters */
	ck_assert_str_eq(out, "abc...");
}
END_TEST

UNIT_MAIN("log", log_line_stays_one_line, log_escapes_what_is_not_valid_text,
	log_escapes_what_turns_or_hides_text, log_marks_a_text_that_was_cut_off,
	log_drops_levels_above_the_set_one, log_survives_a_closed_standard_error_and_keeps_errno,
	log_shows_utf8_as_it_is, log_gives_priorities_to_nobody_but_the_journal,
	log_gives_priorities_to_the_journal, log_about_keeps_the_reason_behind_a_long_path,
	escape_never_writes_past_its_room)
