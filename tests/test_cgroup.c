/* From /proc/PID/cgroup to the unit: real texts of several kinds of host, and hostile ones (P9). */
#include "cgroup.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define HYBRID "12:pids:/system.slice/wrong.service\n4:memory:/\n1:name=systemd:/system.slice/etl.service\n"

struct row {
	const char *text;
	const char *unit; /* NULL: none */
};

static void check_text(const char *text, size_t len, const char *unit)
{
	char found[UNIT_BYTES_MAX + 1] = "untouched";
	/* Exactly len bytes, so that a sanitizer sees a read past the end. */
	char *copy = len == 0 ? NULL : malloc(len);

	if (copy != NULL)
		memcpy(copy, text, len);

	const char *reason = cgroup_unit(copy, len, found);

	free(copy);
	ck_assert_msg(
		(reason == NULL) == (unit != NULL), "\"%s\": %s", text, reason == NULL ? found : reason);
	ck_assert_str_eq(found, unit == NULL ? "untouched" : unit);
}

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_text(rows[i].text, strlen(rows[i].text), rows[i].unit);
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

START_TEST(cgroup_refuses_text_that_the_kernel_does_not_write)
{
	static const struct row rows[] = {
		{"", NULL},
		{"\n", NULL},
		{"0", NULL},
		{"0::", NULL},
		{"0::\n", NULL},
		{"0:/system.slice/etl.service\n", NULL},
		{"0::/system.slice/etl.service", NULL},
		{"0::system.slice/etl.service\n", NULL},
		{"0::/system.slice/etl.service\n\n", NULL},
		{"0::/system.slice/etl.service\njunk\n", NULL},
		{"0::/system.slice/etl.service\n1:cpu:/half", NULL},
		{" 0::/system.slice/etl.service\n", NULL},
		{"0:cpu:/system.slice/etl.service\n", NULL},
		{"00::/system.slice/etl.service\n", NULL},
		{"0::/system.slice//etl.service\n", NULL},
		{"0::/system.slice/etl.service/\n", NULL},
		{"0::/system.slice/./etl.service\n", NULL},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(cgroup_refuses_a_text_with_a_zero_byte)
{
	static const char inside[] = "0::/system.slice/etl.service\0.evil\n";
	static const char before[] = "\0\n0::/system.slice/etl.service\n";

	check_text(inside, sizeof(inside) - 1, NULL);
	check_text(before, sizeof(before) - 1, NULL);
}
END_TEST

START_TEST(cgroup_refuses_every_cut_of_a_good_text)
{
	static const char text[] = "1:name=systemd:/\n0::/system.slice/etl.service\n";

	/* One cut leaves a whole text: that of the first line alone, whose path is the root. */
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		check_text(text, len, NULL);
	check_text(text, sizeof(text) - 1, "etl.service");
}
END_TEST

START_TEST(cgroup_refuses_two_lines_of_one_hierarchy)
{
	static const struct row rows[] = {
		{"0::/system.slice/etl.service\n0::/system.slice/etl.service\n", NULL},
		{"0::/system.slice/etl.service\n0::/\n", NULL},
		{"0::/a.service\n0::/a.service\n1:name=systemd:/a.service\n", NULL},
		{"1:name=systemd:/system.slice/a.service\n2:name=systemd:/system.slice/b.service\n", NULL},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(cgroup_refuses_what_is_no_unit)
{
	static const struct row rows[] = {
		{"0::/\n", NULL},
		{"0::/system.slice\n", NULL},
		{"0::/user.slice/user-1000.slice\n", NULL},
		{"0::/_system.slice\n", NULL},
		{"0::/lxc/web/system.slice/nginx.service\n", NULL},
		{"0::/system.slice/payload/etl.service\n", NULL},
		{"0::/system.slice/etl.servicex\n", NULL},
		{"0::/system.slice/etl\n", NULL},
		{"0::/system.slice/.service\n", NULL},
		{"0::/system.slice/@a.service\n", NULL},
		{"0::/system.slice/backup@.service\n", NULL},
		{"0::/system.slice/e tl.service\n", NULL},
		{"0::/system.slice/\xc3\xa9tl.service\n", NULL},
		{"0::/.slice/etl.service\n", NULL},
		{"0::/a@b.slice/etl.service\n", NULL},
		{"0::/a b.slice/etl.service\n", NULL},
		{"0::/system.slice/_\n", NULL},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(cgroup_refuses_paths_outside_of_its_view)
{
	static const struct row rows[] = {
		{"0::/..\n", NULL},
		{"0::/../etl.service\n", NULL},
		{"0::/../../system.slice/etl.service\n", NULL},
		{"0::/system.slice/../etl.service\n", NULL},
		{"0::/system.slice/etl.service/..\n", NULL},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(cgroup_refuses_a_removed_cgroup)
{
	static const struct row rows[] = {
		{"0::/system.slice/etl.service (deleted)\n", NULL},
		{"0::/system.slice/etl.service/worker (deleted)\n", NULL},
	};

	CHECK_ROWS(rows);
}
END_TEST

/* P9: a user names everything below its own manager. */
START_TEST(cgroup_gives_a_users_own_units_no_name)
{
	static const struct row rows[] = {
		{"0::/user.slice/user-1000.slice/user@1000.service\n", NULL},
		{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/etl.service\n", NULL},
		{"0::/user.slice/user-1000.slice/user@1000.service/system.slice/etl.service\n", NULL},
		{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/deleg.service/victim.service\n",
			NULL},
		{"0::/user.slice/user-0.slice/user@0.service/init.scope\n", NULL},
		{"0::/_user@1000.service/etl.service\n", NULL},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(cgroup_refuses_a_name_over_the_limit)
{
	char text[512] = "";
	char unit[UNIT_BYTES_MAX + 1] = "";
	size_t stem_len = UNIT_BYTES_MAX - strlen(".service");

	memset(unit, 'a', stem_len);
	memcpy(unit + stem_len, ".service", sizeof(".service"));
	snprintf(text, sizeof(text), "0::/system.slice/a%s\n", unit);
	check_text(text, strlen(text), NULL);
	snprintf(text, sizeof(text), "0::/system.slice/%s\n", unit);
	check_text(text, strlen(text), unit);
}
END_TEST

/* P9: what is deeper was named by whoever the subtree was delegated to. */
START_TEST(cgroup_ignores_names_borrowed_below_a_unit)
{
	static const struct row rows[] = {
		{"0::/system.slice/deleg.service/victim.service\n", "deleg.service"},
		{"0::/system.slice/deleg.service/system.slice/victim.service\n", "deleg.service"},
		{"0::/system.slice/deleg.service/user@1000.service\n", "deleg.service"},
		{"0::/machine.slice/machine-web.scope/payload/system.slice/nginx.service\n",
			"machine-web.scope"},
		{"0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service\n",
			"systemd-nspawn@web.service"},
		{"0::/system.slice/docker-0123456789abcdef.scope/system.slice/nginx.service\n",
			"docker-0123456789abcdef.scope"},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(cgroup_prefers_the_unified_hierarchy)
{
	static const struct row rows[] = {
		{HYBRID "0::/system.slice/other.service\n", "other.service"},
		{HYBRID "0::/\n", NULL},
		{"0::/system.slice/other.service\n" HYBRID, "other.service"},
		{HYBRID, "etl.service"},
		{"2:name=systemd,cpu:/system.slice/etl.service\n", NULL},
		{"2:name=systemdx:/system.slice/etl.service\n", NULL},
		{"2:xname=systemd:/system.slice/etl.service\n", NULL},
		{"2:name=openrc:/system.slice/etl.service\n", NULL},
		{"5:cpu,cpuacct:/system.slice/etl.service\n", NULL},
		{"5:cpu,cpuacct:/a:b\n0::/system.slice/etl.service\n", "etl.service"},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(cgroup_names_the_units_of_the_system_manager)
{
	static const struct row rows[] = {
		{"0::/init.scope\n", "init.scope"},
		{"0::/etl.service\n", "etl.service"},
		{"0::/system.slice/etl.service\n", "etl.service"},
		{"0::/system.slice/etl.service/worker/1\n", "etl.service"},
		{"0::/system.slice/system-backup.slice/backup@daily.service\n", "backup@daily.service"},
		{"0::/a.slice/a-b.slice/a-b-c.slice/etl.service\n", "etl.service"},
		{"0::/system.slice/_cpu.service\n", "cpu.service"},
		{"0::/system.slice/__x.service\n", "_x.service"},
		{"0::/_cgroup.slice/etl.service\n", "etl.service"},
		{"0::/system.slice/dbus.socket\n", "dbus.socket"},
		{"0::/system.slice/mnt-data.mount\n", "mnt-data.mount"},
		{"0::/system.slice/a\\x2db:c_d.service\n", "a\\x2db:c_d.service"},
		{"0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope"},
		{"0::/system.slice/user-etl.service\n", "user-etl.service"},
	};

	CHECK_ROWS(rows);
}
END_TEST

/* ---- where the unit is ---- */

struct place {
	const char *text;
	const char *path;
};

START_TEST(cgroup_gives_no_path_without_a_unit)
{
	static const char *const texts[] = {
		"",
		"0::/\n",
		"0::/system.slice\n",
		"0::/system.slice/etl.service",
		"0::/system.slice/../etl.service\n",
		"0::/system.slice/etl.service (deleted)\n",
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/etl.service\n",
		"0::/system.slice/etl.service\n0::/system.slice/etl.service\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char unit[UNIT_BYTES_MAX + 1] = "untouched";
		char path[64] = "untouched";

		ck_assert_msg(cgroup_unit_path(texts[i], strlen(texts[i]), unit, path, sizeof(path)) != NULL,
			"%s", texts[i]);
		ck_assert_str_eq(unit, "untouched");
		ck_assert_str_eq(path, "untouched");
	}
}
END_TEST

START_TEST(cgroup_refuses_a_path_that_does_not_fit)
{
	static const char text[] = "0::/system.slice/etl.service/deeper\n";
	static const char wanted[] = "/system.slice/etl.service";
	char unit[UNIT_BYTES_MAX + 1] = "untouched";
	char *path = malloc(sizeof(wanted));

	ck_assert_ptr_nonnull(path);
	strcpy(path, "untouched");
	for (size_t cap = 0; cap < sizeof(wanted); cap++)
		ck_assert_ptr_nonnull(cgroup_unit_path(text, strlen(text), unit, path, cap));
	ck_assert_str_eq(unit, "untouched");
	ck_assert_str_eq(path, "untouched");
	ck_assert_ptr_null(cgroup_unit_path(text, strlen(text), unit, path, sizeof(wanted)));
	ck_assert_str_eq(path, wanted);
	free(path);
}
END_TEST

/* P9: up to the unit, never into what was delegated below it; the name as the kernel has it. */
START_TEST(cgroup_gives_the_path_up_to_the_end_of_the_unit)
{
	static const struct place rows[] = {
		{"0::/etl.service\n", "/etl.service"},
		{"0::/system.slice/etl.service\n", "/system.slice/etl.service"},
		{"0::/system.slice/etl.service/a/b.service\n", "/system.slice/etl.service"},
		{"0::/system.slice/deleg.service/system.slice/victim.service\n",
			"/system.slice/deleg.service"},
		{"0::/a.slice/a-b.slice/a-b-c.slice/etl.service\n",
			"/a.slice/a-b.slice/a-b-c.slice/etl.service"},
		{"0::/system.slice/_cpu.service/x\n", "/system.slice/_cpu.service"},
		{HYBRID, "/system.slice/etl.service"},
		{"1:name=systemd:/a.service/x\n0::/b.service/y\n", "/b.service"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char unit[UNIT_BYTES_MAX + 1] = "", same[UNIT_BYTES_MAX + 1] = "";
		char path[128] = "";
		size_t len = strlen(rows[i].text);

		ck_assert_ptr_null(cgroup_unit_path(rows[i].text, len, unit, path, sizeof(path)));
		ck_assert_str_eq(path, rows[i].path);
		ck_assert_ptr_null(cgroup_unit(rows[i].text, len, same));
		ck_assert_str_eq(unit, same);
	}
}
END_TEST

UNIT_MAIN("cgroup", cgroup_refuses_text_that_the_kernel_does_not_write,
	cgroup_refuses_a_text_with_a_zero_byte, cgroup_refuses_every_cut_of_a_good_text,
	cgroup_refuses_two_lines_of_one_hierarchy, cgroup_refuses_what_is_no_unit,
	cgroup_refuses_paths_outside_of_its_view, cgroup_refuses_a_removed_cgroup,
	cgroup_gives_a_users_own_units_no_name, cgroup_refuses_a_name_over_the_limit,
	cgroup_ignores_names_borrowed_below_a_unit, cgroup_prefers_the_unified_hierarchy,
	cgroup_names_the_units_of_the_system_manager, cgroup_gives_no_path_without_a_unit,
	cgroup_refuses_a_path_that_does_not_fit, cgroup_gives_the_path_up_to_the_end_of_the_unit)
