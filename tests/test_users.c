/* Names and numbers.  The clock is this test's own, so a minute takes no time. */
#include "users.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "unit.h"

#define LONG_NAME "a-name-that-is-longer-than-anything-that-coffer-would-ever-show-to-anybody"

/*
 * A name service of this test's own in place of the C library's: it counts the questions, and its entries
 * need as much room as a test says.
 */
static int questions;
static size_t room_needed;
static const char *user_name;

static int64_t now_ms = 1000;

int64_t clock_wall_ms(void)
{
	return now_ms;
}

int64_t clock_monotonic_ms(void)
{
	return now_ms;
}

static char shell[64] = "/bin/bash";
static int user_error; /* the name service is away */

static int answer_user(bool is_known, struct passwd *entry, char *buffer, size_t len, struct passwd **result)
{
	questions++;
	*result = NULL;
	if (user_error != 0)
		return user_error;
	if (!is_known)
		return 0;
	if (len < room_needed || len <= strlen(user_name))
		return ERANGE;
	*entry = (struct passwd){
		.pw_name = strcpy(buffer, user_name), .pw_uid = 4242, .pw_gid = 4200, .pw_shell = shell};
	*result = entry;
	return 0;
}

int getpwnam_r(const char *restrict name, struct passwd *restrict entry, char *restrict buffer, size_t len,
	struct passwd **restrict result)
{
	return answer_user(user_name != NULL && strcmp(name, user_name) == 0, entry, buffer, len, result);
}

int getpwuid_r(uid_t uid, struct passwd *restrict entry, char *restrict buffer, size_t len,
	struct passwd **restrict result)
{
	return answer_user(user_name != NULL && uid == 4242, entry, buffer, len, result);
}

/* What /etc/shadow says. */
static char shadow_password[32]; /* "": it may not be read */
static long shadow_expire = -1;

int getspnam_r(const char *name, struct spwd *entry, char *buffer, size_t len, struct spwd **result)
{
	(void)name;
	(void)buffer;
	(void)len;
	*result = NULL;
	if (shadow_password[0] == '\0')
		return EACCES;
	*entry = (struct spwd){.sp_pwdp = shadow_password, .sp_expire = shadow_expire};
	*result = entry;
	return 0;
}

int getgrnam_r(const char *restrict name, struct group *restrict entry, char *restrict buffer, size_t len,
	struct group **restrict result)
{
	questions++;
	*result = NULL;
	if (strcmp(name, "broken") == 0)
		return EIO;
	if (strcmp(name, "staff") != 0)
		return 0;
	if (len < room_needed)
		return ERANGE;
	*entry = (struct group){.gr_name = buffer, .gr_gid = 77};
	buffer[0] = '\0';
	*result = entry;
	return 0;
}

static char ada[] = "ada", nobody_knows[] = "nobody-knows", twelve[] = "12";
static char *members[] = {ada, nobody_knows, twelve, NULL};

int getgrgid_r(gid_t gid, struct group *restrict entry, char *restrict buffer, size_t len,
	struct group **restrict result)
{
	questions++;
	*result = NULL;
	if (gid != 77)
		return 0;
	*entry = (struct group){.gr_name = strncpy(buffer, "staff", len), .gr_gid = 77, .gr_mem = members};
	*result = entry;
	return 0;
}

/* A user's groups: as many as a test says. */
static int group_count;

int getgrouplist(const char *user, gid_t group, gid_t *groups, int *count)
{
	int room = *count;

	ck_assert_str_eq(user, user_name);
	*count = group_count;
	for (int i = 0; i < room && i < group_count; i++)
		groups[i] = i == 0 ? group : (gid_t)(1000 + i);
	return room < group_count ? -1 : group_count;
}

START_TEST(users_has_no_groups_of_nobody_and_of_too_many)
{
	char longest[300] = "";
	gid_t *groups = NULL;
	size_t count = 7;

	user_name = NULL;
	ck_assert_int_eq(users_groups(4242, &groups, &count), ERR_NOT_FOUND);
	user_name = "ann";
	ck_assert_int_eq(users_groups(4243, &groups, &count), ERR_NOT_FOUND);
	group_count = 70000; /* more than the kernel takes */
	ck_assert_int_eq(users_groups(4242, &groups, &count), ERR_NOT_FOUND);
	memset(longest, 'a', sizeof(longest) - 1);
	user_name = longest;
	ck_assert_int_eq(users_groups(4242, &groups, &count), ERR_NOT_FOUND);
	ck_assert_ptr_null(groups);
	ck_assert_uint_eq(count, 7);
}
END_TEST

START_TEST(users_lists_groups_the_primary_one_first)
{
	static const int counts[] = {1, 64, 65, 5000, 65537};

	user_name = "ann";
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		gid_t *groups = NULL;
		size_t count = 0;

		group_count = counts[i];
		ck_assert_int_eq(users_groups(4242, &groups, &count), OK);
		ck_assert_uint_eq(count, (size_t)counts[i]);
		ck_assert_uint_eq(groups[0], 4200);
		if (count > 1)
			ck_assert_uint_eq(groups[count - 1], 1000 + count - 1);
		free(groups);
	}
}
END_TEST

START_TEST(users_refuses_names_that_nobody_has)
{
	static const char *const names[] = {"", "nobody-here", "-1", "+1", " 1", "1 ", "01", "0x10", "1.0",
		"4294967295", "4294967296", "18446744073709551616", "99999999999999999999"};
	uid_t uid = 7;
	gid_t gid = 7;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_int_eq(users_uid(names[i], &uid), ERR_NOT_FOUND);
		ck_assert_int_eq(users_gid(names[i], &gid), ERR_NOT_FOUND);
	}
	ck_assert_uint_eq(uid, 7);
	ck_assert_uint_eq(gid, 7);
}
END_TEST

START_TEST(users_refuses_when_the_name_service_fails)
{
	gid_t gid = 7;

	ck_assert_int_eq(users_gid("broken", &gid), ERR_NOT_FOUND);
	room_needed = 2 * 1048576; /* more than an entry may need */
	ck_assert_int_eq(users_gid("staff", &gid), ERR_NOT_FOUND);
	ck_assert_uint_eq(gid, 7);
}
END_TEST

START_TEST(users_shows_the_number_for_a_name_not_fit_to_be_shown)
{
	static const char *const names[] = {"", "two\nlines", "\x1b[2J", "\xff", LONG_NAME};
	char shown[USER_NAME_BYTES] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		user_name = names[i];
		now_ms += 60000;
		users_name(4242, shown);
		ck_assert_str_eq(shown, "4242");
	}
}
END_TEST

START_TEST(users_shows_the_number_where_there_is_no_name)
{
	char shown[USER_NAME_BYTES] = "";

	users_name(123456, shown);
	ck_assert_str_eq(shown, "123456");
	users_group_name(4294967294, shown);
	ck_assert_str_eq(shown, "4294967294");
}
END_TEST

START_TEST(users_remembers_a_name_for_a_minute)
{
	char shown[USER_NAME_BYTES] = "";

	user_name = "etl";
	users_name(4242, shown);
	ck_assert_str_eq(shown, "etl");
	user_name = "renamed";
	now_ms += 59999;
	users_name(4242, shown);
	ck_assert_str_eq(shown, "etl");
	ck_assert_int_eq(questions, 1);
	now_ms += 1;
	users_name(4242, shown);
	ck_assert_str_eq(shown, "renamed");
	ck_assert_int_eq(questions, 2);
}
END_TEST

START_TEST(users_keeps_users_and_groups_apart)
{
	char shown[USER_NAME_BYTES] = "";

	user_name = "etl";
	users_name(77, shown);
	ck_assert_str_eq(shown, "77");
	users_group_name(77, shown);
	ck_assert_str_eq(shown, "staff");
	users_name(77, shown);
	ck_assert_str_eq(shown, "77");
}
END_TEST

START_TEST(users_remembers_no_more_than_it_has_room_for)
{
	char shown[USER_NAME_BYTES] = "";
	char expected[USER_NAME_BYTES] = "";

	for (int round = 0; round < 2; round++) {
		for (uid_t uid = 0; uid < 100; uid++) {
			snprintf(expected, sizeof(expected), "%u", uid);
			users_name(uid, shown);
			ck_assert_str_eq(shown, expected);
		}
	}
}
END_TEST

START_TEST(users_finds_names_and_takes_numbers)
{
	uid_t uid = 7;
	gid_t gid = 7;

	user_name = "etl";
	room_needed = 300000;
	ck_assert_int_eq(users_uid("etl", &uid), OK);
	ck_assert_uint_eq(uid, 4242);
	ck_assert_int_eq(users_gid("staff", &gid), OK);
	ck_assert_uint_eq(gid, 77);
	ck_assert_int_eq(users_uid("0", &uid), OK);
	ck_assert_uint_eq(uid, 0);
	ck_assert_int_eq(users_gid("4294967294", &gid), OK);
	ck_assert_uint_eq(gid, 4294967294);
}
END_TEST

START_TEST(users_says_who_is_gone_and_who_is_locked)
{
	static const struct {
		const char *shell;
		const char *password;
		long expire;
		enum account wanted;
	} rows[] = {
		{"/bin/bash", "", -1, ACCOUNT_FINE},
		{"", "", -1, ACCOUNT_FINE},
		{"/usr/sbin/nologin", "", -1, ACCOUNT_LOCKED},
		{"/bin/false", "", -1, ACCOUNT_LOCKED},
		{"nologin", "", -1, ACCOUNT_LOCKED},
		{"/bin/nologin.sh", "", -1, ACCOUNT_FINE},
		{"/bin/bash", "$6$salt$hash", -1, ACCOUNT_FINE},
		{"/bin/bash", "!$6$salt$hash", -1, ACCOUNT_LOCKED},
		{"/bin/bash", "!", -1, ACCOUNT_FINE}, /* it never had one: it may log in by a key */
		{"/bin/bash", "*", -1, ACCOUNT_FINE},
		{"/bin/bash", "!!", -1, ACCOUNT_FINE},
		{"/bin/bash", "$6$salt$hash", 101, ACCOUNT_FINE},
		{"/bin/bash", "$6$salt$hash", 100, ACCOUNT_LOCKED},
	};

	now_ms = 100 * 86400000LL;
	user_name = "ada";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(shell, sizeof(shell), "%s", rows[i].shell);
		snprintf(shadow_password, sizeof(shadow_password), "%s", rows[i].password);
		shadow_expire = rows[i].expire;
		ck_assert_msg(users_account(4242) == rows[i].wanted, "row %zu", i);
	}
	ck_assert_int_eq(users_account(4243), ACCOUNT_GONE);
	user_error = ENOENT;
	ck_assert_int_eq(users_account(4242), ACCOUNT_GONE);
	user_error = EIO; /* nobody has said that it is not there */
	ck_assert_int_eq(users_account(4242), ACCOUNT_FINE);
	user_error = 0;
	room_needed = 5000;
	ck_assert_int_eq(users_account(4242), ACCOUNT_LOCKED);
	room_needed = 2000000;
	ck_assert_int_eq(users_account(4242), ACCOUNT_FINE);
}
END_TEST

START_TEST(users_lists_members_that_are_users)
{
	uid_t found[4] = {0};
	size_t count = 9;

	user_name = "ada";
	ck_assert_int_eq(users_members(78, found, 4, &count), ERR_NOT_FOUND);
	ck_assert_int_eq(users_members(77, found, 4, &count), OK);
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(found[0], 4242);
	ck_assert_uint_eq(found[1], 12);
	ck_assert_int_eq(users_members(77, found, 1, &count), OK);
	ck_assert_uint_eq(count, 1);
}
END_TEST

UNIT_MAIN("users", users_says_who_is_gone_and_who_is_locked, users_lists_members_that_are_users,
	users_has_no_groups_of_nobody_and_of_too_many, users_lists_groups_the_primary_one_first,
	users_refuses_names_that_nobody_has, users_refuses_when_the_name_service_fails,
	users_shows_the_number_for_a_name_not_fit_to_be_shown, users_shows_the_number_where_there_is_no_name,
	users_remembers_a_name_for_a_minute, users_keeps_users_and_groups_apart,
	users_remembers_no_more_than_it_has_room_for, users_finds_names_and_takes_numbers)
