/* The environment of a service: see client/cli/unitfile.h, unitpath.h and unitwords.h. */
#include "harvest_world.h"
#include "unitfile.h"
#include "unitpath.h"
#include "unitwords.h"

static struct harvest harvest;

static void file(const char *path, const char *text)
{
	world_write(path, text, strlen(text));
}

static void read_unit(const char *unit)
{
	harvest_deinit(&harvest);
	ck_assert_int_eq(unitfile_read(&harvest, world, unit), OK);
	ck_assert(!harvest.has_failed);
}

/* A unit file with one [Service] section. */
static void read_service(const char *text)
{
	char whole[1024] = "";

	snprintf(whole, sizeof(whole), "[Unit]\nEnvironment=NOT=service\n[Service]\n%s", text);
	file("etc/systemd/system/x.service", whole);
	read_unit("x.service");
}

static void setup(void)
{
	world_make();
}

static void teardown(void)
{
	harvest_deinit(&harvest);
	world_remove();
}

static void refuses(const char *text, const char *word)
{
	setup();
	read_service(text);
	world_refuses(&harvest, 4, word);
	teardown();
}

static void takes(const char *text, const char *value)
{
	setup();
	read_service(text);
	ck_assert_uint_eq(harvest.problem_count, 0);
	world_has(&harvest, "A", value);
	teardown();
}

START_TEST(unitfile_refuses_specifiers)
{
	refuses("Environment=A=%h", "specifier");
	refuses("Environment=A=100%", "specifier");
	refuses("EnvironmentFile=/etc/%p", "specifier");
}
END_TEST

START_TEST(unitfile_knows_each_variable_that_is_taken_away)
{
	setup();
	read_service("UnsetEnvironment=A B=c \"C\"");
	ck_assert_uint_eq(harvest.problem_count, 3);
	ck_assert_str_eq(harvest.problems[0].key, "A");
	ck_assert_str_eq(harvest.problems[1].key, "B");
	ck_assert_str_eq(harvest.problems[2].key, "C");
	ck_assert(harvest.problems[1].has_no_value);
	teardown();
}
END_TEST

START_TEST(unitfile_refuses_what_systemd_would_drop)
{
	refuses("Environment=A='b", "not closed");
	refuses("Environment=A=\\q", "escape");
	refuses("Environment=A=\\x00", "escape");
	refuses("Environment=A=\\xff", "UTF-8");
	refuses("Environment=A", "not NAME=value");
	refuses("Environment=A.B=c", "variable name");
	refuses("Environment=PATH=/x", "acts upon");
	refuses("EnvironmentFile=relative", "relative");
	refuses("EnvironmentFile=/etc/*.env", "pattern");
	refuses("UnsetEnvironment=A", "takes this variable away");
}
END_TEST

START_TEST(unitfile_refuses_foreign_encodings)
{
	setup();
	read_service("Environment=A=b\r\n");
	world_refuses(&harvest, 0, "carriage return");
	teardown();
}
END_TEST

START_TEST(unitfile_refuses_units_that_are_not_there)
{
	setup();
	file("etc/systemd/system/masked.service", "");
	ck_assert_int_eq(unitfile_read(&harvest, world, "absent.service"), ERR_NOT_FOUND);
	ck_assert_int_eq(unitfile_read(&harvest, world, "masked.service"), ERR_NOT_FOUND);
	ck_assert_int_eq(unitfile_read(&harvest, world, "x.timer"), ERR_BAD_NAME);
	ck_assert_int_eq(unitfile_read(&harvest, world, "../x.service"), ERR_BAD_NAME);
	ck_assert_int_eq(unitfile_read(&harvest, world, ".service"), ERR_BAD_NAME);
	ck_assert_int_eq(unitfile_read(&harvest, world, ""), ERR_BAD_NAME);
	teardown();
}
END_TEST

START_TEST(unitfile_names_an_environment_file_that_cannot_be_read)
{
	setup();
	read_service("EnvironmentFile=/etc/absent.env\nEnvironmentFile=-/etc/absent.env\n");
	ck_assert_uint_eq(harvest.problem_count, 1);
	ck_assert_ptr_nonnull(strstr(harvest.problems[0].place.file, "/etc/absent.env"));
	teardown();
}
END_TEST

START_TEST(unitfile_splits_words_as_systemd_does)
{
	takes("Environment=A=b", "b");
	takes(" Environment = A=b \n", "b");
	takes("Environment=\"A=b c\" 'D=e'", "b c");
	takes("Environment=A=\"b c\"d", "b cd");
	takes("Environment=A='it\"s $X #1'", "it\"s $X #1");
	takes("Environment=A=\\x41\\101\\u00e4\\s\\t\\\\", "AA\xc3\xa4 \t\\");
	takes("Environment=A=100%%", "100%");
	takes("Environment=\"A=x\\ny\"", "x\ny");
	takes("Environment=B=1 \\\n# in between\n; and this\n  \"A=b \\\n c\"\n", "b   c");
	takes("Environment=A=1\nEnvironment=A=2", "2");
	takes("Environment=A=1\n[Install]\nEnvironment=A=3\n[Service]\nType=exec\n", "1");
}
END_TEST

START_TEST(unitfile_ends_every_word_where_the_text_ends)
{
	static const char *const texts[] = {
		"\\", "a\\", "'", "\"\\", "a='\\x4", "\\u12", "\\U0011", "\\U00110000", "\\ud800"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *text = strdup(texts[i]);
		char *at = text;
		size_t len = 0;
		const char *why = NULL;

		ck_assert_ptr_null(unitwords_next(&at, &len, &why));
		ck_assert_ptr_nonnull(why);
		free(text);
	}
}
END_TEST

START_TEST(unitfile_resets_by_an_empty_setting)
{
	setup();
	file("etc/a.env", "F=1\n");
	read_service("Environment=A=1 "
		     "B=2\nEnvironmentFile=/etc/a.env\nEnvironment=\nEnvironment=B=3\nEnvironmentFile=\n");
	ck_assert_ptr_null(world_find(&harvest, "A"));
	ck_assert_ptr_null(world_find(&harvest, "F"));
	ck_assert_ptr_null(world_find(&harvest, "NOT"));
	world_has(&harvest, "B", "3");
	teardown();
}
END_TEST

START_TEST(unitfile_lets_files_win_over_settings)
{
	setup();
	file("etc/a.env", "; c\nA='from # file'\n");
	file("etc/b.env", "B=2\n");
	read_service("EnvironmentFile=/etc/a.env\nEnvironmentFile=-/etc/b.env\nEnvironment=A=1 C=3\n");
	ck_assert_uint_eq(harvest.problem_count, 0);
	world_has(&harvest, "A", "from # file");
	world_has(&harvest, "B", "2");
	world_has(&harvest, "C", "3");
	ck_assert_uint_eq(world_find(&harvest, "A")->place.line, 2);
	/* The one that lost is kept: its line holds a credential, too. */
	ck_assert_uint_eq(harvest.assignment_count, 4);
	teardown();
}
END_TEST

START_TEST(unitfile_reads_drop_ins_in_the_order_of_their_names)
{
	char from[96] = "";

	setup();
	file("usr/lib/systemd/system/a-b@.service", "[Service]\nEnvironment=A=unit U=1\n");
	file("usr/lib/systemd/system/a-b@.service.d/20.conf", "[Service]\nEnvironment=A=template\n");
	file("etc/systemd/system/a-b@i.service.d/10.conf", "[Service]\nEnvironment=A=instance I=1\n");
	file("run/systemd/system/a-b@i.service.d/10.conf", "[Service]\nEnvironment=A=hidden H=1\n");
	file("run/systemd/system/a-.service.d/05.conf", "[Service]\nEnvironment=P=1\n");
	file("etc/systemd/system/service.d/05.conf", "[Service]\nEnvironment=ALL=hidden\n");
	file("etc/systemd/system/service.d/06.conf", "[Service]\nEnvironment=ALL=1\n");
	file("etc/systemd/system/a-b@i.service.d/30.txt", "[Service]\nEnvironment=A=no\n");
	file("usr/lib/systemd/system/a-b@i.service.d/40.conf", "[Service]\nEnvironment=A=masked\n");
	snprintf(from, sizeof(from), "%s/etc/systemd/system/a-b@i.service.d/40.conf", world);
	ck_assert_int_eq(symlink("/dev/null", from), 0);
	read_unit("a-b@i.service");
	ck_assert_uint_eq(harvest.problem_count, 0);
	world_has(&harvest, "A", "template");
	world_has(&harvest, "U", "1");
	world_has(&harvest, "I", "1");
	world_has(&harvest, "P", "1");
	world_has(&harvest, "ALL", "1");
	ck_assert_ptr_null(world_find(&harvest, "H"));
	teardown();
}
END_TEST

START_TEST(unitfile_takes_the_first_unit_file)
{
	setup();
	file("etc/systemd/system/x.service", "[Service]\nEnvironment=A=etc\n");
	file("usr/lib/systemd/system/x.service", "[Service]\nEnvironment=A=lib B=1\n");
	read_unit("x.service");
	world_has(&harvest, "A", "etc");
	ck_assert_ptr_null(world_find(&harvest, "B"));
	teardown();
}
END_TEST

UNIT_MAIN("unitfile", unitfile_refuses_specifiers, unitfile_knows_each_variable_that_is_taken_away,
	unitfile_refuses_what_systemd_would_drop, unitfile_refuses_foreign_encodings,
	unitfile_refuses_units_that_are_not_there, unitfile_names_an_environment_file_that_cannot_be_read,
	unitfile_splits_words_as_systemd_does, unitfile_ends_every_word_where_the_text_ends,
	unitfile_resets_by_an_empty_setting, unitfile_lets_files_win_over_settings,
	unitfile_reads_drop_ins_in_the_order_of_their_names, unitfile_takes_the_first_unit_file)
