/* The host's name harms nothing, whatever bytes the kernel was given for it. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "host.h"
#include "unit.h"

START_TEST(what_is_no_plain_name_is_made_one)
{
	static const char *const rows[][2] = {
		{"", "-"},
		{"db1.example.org", "db1.example.org"},
		{"DB_1", "DB_1"},
		{"a b", "a_b"},
		{"\x1b[2J", "__2J"},
		{"\xff\xfe", "__"},
		{"=cmd|' /C calc'!A0", "_cmd____C_calc__A0"},
		{"<b>\"\\\n", "_b____"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[HOST_NAME_BYTES] = "";

		snprintf(name, sizeof(name), "%s", rows[i][0]);
		host_name_clean(name);
		ck_assert_str_eq(name, rows[i][1]);
	}
}
END_TEST

START_TEST(the_name_is_the_one_of_this_host)
{
	char name[HOST_NAME_BYTES] = "", wanted[HOST_NAME_BYTES] = "";
	struct utsname system = {0};

	ck_assert_int_eq(uname(&system), 0);
	snprintf(wanted, sizeof(wanted), "%s", system.nodename);
	host_name_clean(wanted);
	host_name(name);
	ck_assert_str_eq(name, wanted);
}
END_TEST

UNIT_MAIN("host", what_is_no_plain_name_is_made_one, the_name_is_the_one_of_this_host)
