/* Environment files, strictly: see client/cli/dotenv.h. */
#include "dotenv.h"
#include "harvest_world.h"

static struct harvest harvest;

static void parse_bytes(const char *text, size_t len, enum dotenv_reader reader)
{
	struct harvest_file *file = NULL;
	char path[64] = "";

	harvest_deinit(&harvest);
	world_make();
	world_write("env", text, len);
	snprintf(path, sizeof(path), "%s/env", world);
	ck_assert_int_eq(harvest_read(&harvest, path, &file), OK);
	dotenv_parse(&harvest, file, reader);
	ck_assert(!harvest.has_failed);
	world_remove();
}

static void parse(const char *text)
{
	parse_bytes(text, strlen(text), DOTENV_LIBRARIES);
}

static void refuses(const char *text, unsigned line, const char *word)
{
	parse(text);
	world_refuses(&harvest, line, word);
	harvest_deinit(&harvest);
}

static void takes(const char *text, const char *value)
{
	parse(text);
	ck_assert_uint_eq(harvest.problem_count, 0);
	ck_assert_uint_eq(harvest.assignment_count, 1);
	world_has(&harvest, "A", value);
	harvest_deinit(&harvest);
}

START_TEST(dotenv_refuses_what_readers_take_for_a_comment_or_a_value)
{
	refuses("A=b#c", 1, "#");
	refuses("A=b #c", 1, "#");
	refuses("A='b' # c", 1, "closing");
	refuses("# x\\\nA=b", 1, "backslash");
}
END_TEST

START_TEST(dotenv_refuses_what_some_readers_expand)
{
	refuses("A=$V", 1, "$");
	refuses("A=a${V:-d}", 1, "$");
	refuses("A=\"x$V\"", 1, "$");
	refuses("A='x${V}'", 1, "${");
	refuses("A=\"`id`\"", 1, "$ or `");
}
END_TEST

START_TEST(dotenv_refuses_escapes_that_readers_disagree_on)
{
	refuses("A=\"x\\ny\"", 1, "backslash");
	refuses("A=\"x\\\"y\"", 1, "backslash");
	refuses("A=x\\ny", 1, "backslash");
	refuses("A='it\\'s'", 1, "backslash");
	refuses("A='x\\\\y'", 1, "backslash");
	refuses("A='x\\'", 1, "not closed");
}
END_TEST

START_TEST(dotenv_refuses_odd_quotes)
{
	refuses("A=`b`", 1, "quote");
	refuses("A=b'c'", 1, "quote");
	refuses("A='b'c", 1, "closing");
	refuses("A='b", 1, "not closed");
	/* What follows is read on, so that nothing else goes unnamed. */
	parse("X=y\nA=\"b\nc");
	ck_assert_uint_eq(harvest.problem_count, 2);
	ck_assert_uint_eq(harvest.problems[0].place.line, 2);
	ck_assert_str_eq(harvest.problems[0].key, "");
	harvest_deinit(&harvest);
}
END_TEST

START_TEST(dotenv_refuses_lines_that_are_no_assignment_to_all)
{
	refuses("A: 1", 1, "colon");
	refuses("A", 1, "without a value");
	refuses("export A", 1, "without a value");
	refuses("A =1", 1, "before");
	refuses("A= 1", 1, "after");
	refuses("A=1 ", 1, "end of the line");
	refuses("A=1\xc2\xa0", 1, "white space");
	refuses("=1", 1, "not NAME=value");
	refuses("FOO.BAR=1", 1, "not NAME=value");
	refuses("'A'=b", 1, "not NAME=value");
	refuses("1A=b", 1, "variable name");
	refuses("; x", 1, "not NAME=value");
	refuses("A=1\nB=2\nA=3", 3, "second time");
}
END_TEST

START_TEST(dotenv_refuses_foreign_encodings)
{
	refuses("\xef\xbb\xbf"
		"A=1",
		1, "byte order mark");
	refuses("B=1\nA=1\r\n", 2, "carriage return");
	refuses("A='1\n2\r\n3'", 1, "carriage return");
	refuses("A=\xff", 1, "UTF-8");
	refuses("A=a\x01", 1, "control");
	parse_bytes("A=b\0c", 5, DOTENV_LIBRARIES);
	world_refuses(&harvest, 1, "NUL");
	harvest_deinit(&harvest);
}
END_TEST

START_TEST(dotenv_refuses_what_coffer_could_not_store)
{
	refuses("A=", 1, "empty");
	refuses("A=''", 1, "empty");
	refuses("PATH=/x", 1, "acts upon");
	refuses("LD_PRELOAD=/x", 1, "acts upon");

	char *text = malloc(VALUE_BYTES_MAX + 4);

	ck_assert_ptr_nonnull(text);
	memcpy(text, "A=", 2);
	memset(text + 2, 'x', VALUE_BYTES_MAX + 1);
	parse_bytes(text, VALUE_BYTES_MAX + 2, DOTENV_LIBRARIES);
	ck_assert_uint_eq(harvest.problem_count, 0);
	parse_bytes(text, VALUE_BYTES_MAX + 3, DOTENV_LIBRARIES);
	world_refuses(&harvest, 1, "longer");
	harvest_deinit(&harvest);
	free(text);
}
END_TEST

/* P1: what is no name may be a piece of a value. */
START_TEST(dotenv_remembers_no_key_that_has_not_the_shape_of_one)
{
	refuses("9hunter2=x", 1, "variable name");
	parse("9hunter2=x\n=hunter2\n");
	ck_assert_uint_eq(harvest.problem_count, 2);
	ck_assert_str_eq(harvest.problems[0].key, "");
	ck_assert_str_eq(harvest.problems[1].key, "");
	harvest_deinit(&harvest);
}
END_TEST

START_TEST(dotenv_names_all_lines_at_once)
{
	parse("A=1\nB=$x\n\nC=2\nD: 3\nE='a\nb' c\nF=4\nG\n");
	ck_assert_uint_eq(harvest.problem_count, 4);

	const unsigned lines[] = {2, 5, 6, 9};

	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(harvest.problems[i].place.line, lines[i]);
	ck_assert_uint_eq(harvest.problems[2].place.last_line, 7);
	ck_assert_uint_eq(harvest.assignment_count, 3);
	world_has(&harvest, "F", "4");
	harvest_deinit(&harvest);
}
END_TEST

START_TEST(dotenv_of_systemd_knows_other_comments_and_no_export)
{
	parse_bytes("; x\n# y\nA=1\n", 12, DOTENV_SYSTEMD);
	ck_assert_uint_eq(harvest.problem_count, 0);
	world_has(&harvest, "A", "1");
	parse_bytes("export A=1\n", 11, DOTENV_SYSTEMD);
	world_refuses(&harvest, 1, "not NAME=value");
	harvest_deinit(&harvest);
}
END_TEST

/* What is not told one by one must not be hidden by a choice of keys either. */
START_TEST(dotenv_counts_problems_up_to_a_limit)
{
	char *text = calloc(HARVEST_PROBLEMS_MAX + 10, 8);

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < HARVEST_PROBLEMS_MAX + 10; i++)
		strcat(text, "A=$b\n");
	parse(text);
	ck_assert_uint_eq(harvest.problem_count, HARVEST_PROBLEMS_MAX);
	ck_assert_str_eq(harvest.problems[0].key, "A");
	ck_assert_str_eq(harvest.problems[HARVEST_PROBLEMS_MAX - 1].key, "");
	harvest_deinit(&harvest);
	free(text);
}
END_TEST

START_TEST(dotenv_takes_no_more_assignments_than_its_limit)
{
	char *text = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(stream);
	for (unsigned i = 0; i <= HARVEST_ASSIGNMENTS_MAX; i++)
		fprintf(stream, "A%u=1\n", i);
	ck_assert_int_eq(fclose(stream), 0);
	parse(text);
	world_refuses(&harvest, HARVEST_ASSIGNMENTS_MAX + 1, "more assignments");
	ck_assert_uint_eq(harvest.assignment_count, HARVEST_ASSIGNMENTS_MAX);
	harvest_deinit(&harvest);
	free(text);
}
END_TEST

START_TEST(dotenv_refuses_what_is_not_a_small_regular_file)
{
	struct harvest_file *file = NULL;

	ck_assert_int_eq(harvest_read(&harvest, "/nonexistent/env", &file), ERR_NOT_FOUND);
	ck_assert_int_eq(harvest_read(&harvest, "/dev/null", &file), ERR_BAD_VALUE);
	ck_assert_int_eq(harvest_read(&harvest, "/tmp", &file), ERR_BAD_VALUE);
	ck_assert_uint_eq(harvest.problem_count, 3);
	harvest_deinit(&harvest);

	char path[64] = "";

	world_make();
	snprintf(path, sizeof(path), "%s/big", world);
	world_write("big", "", 0);
	ck_assert_int_eq(truncate(path, HARVEST_FILE_BYTES_MAX + 1), 0);
	ck_assert_int_eq(harvest_read(&harvest, path, &file), ERR_TOO_LARGE);
	ck_assert_ptr_null(file);
	world_remove();
	harvest_deinit(&harvest);
}
END_TEST

START_TEST(dotenv_takes_what_all_readers_read_alike)
{
	takes("A=b", "b");
	takes("A=b\n", "b");
	takes("  A=b c=d\n", "b c=d");
	takes("\tA=a\tb", "a\tb");
	takes("export A=b", "b");
	takes("export \t A=b", "b");
	takes("A='b'", "b");
	takes("A='b'  \t\n", "b");
	takes("A=' b '", " b ");
	takes("A=\"b # c\"", "b # c");
	takes("A='pa#ss$w\\ord\"`'", "pa#ss$w\\ord\"`");
	takes("A=\"it's\"", "it's");
	takes("A='x\\ny'", "x\\ny");
	takes("A=\"a\nb\"\n", "a\nb");
	takes("# c\n\n  # d\nA=b\n#", "b");
	takes("A=p\xc3\xa4ss", "p\xc3\xa4ss");
	takes("A=a=b==", "a=b==");
}
END_TEST

START_TEST(dotenv_says_where_each_one_stands)
{
	parse("\n# c\nA='x\ny\nz'\nB=1");
	ck_assert_uint_eq(world_find(&harvest, "A")->place.line, 3);
	ck_assert_uint_eq(world_find(&harvest, "A")->place.last_line, 5);
	ck_assert_uint_eq(world_find(&harvest, "B")->place.line, 6);
	harvest_deinit(&harvest);
}
END_TEST

UNIT_MAIN("dotenv", dotenv_refuses_what_readers_take_for_a_comment_or_a_value,
	dotenv_refuses_what_some_readers_expand, dotenv_refuses_escapes_that_readers_disagree_on,
	dotenv_refuses_odd_quotes, dotenv_refuses_lines_that_are_no_assignment_to_all,
	dotenv_refuses_foreign_encodings, dotenv_refuses_what_coffer_could_not_store,
	dotenv_remembers_no_key_that_has_not_the_shape_of_one, dotenv_names_all_lines_at_once,
	dotenv_of_systemd_knows_other_comments_and_no_export, dotenv_counts_problems_up_to_a_limit,
	dotenv_takes_no_more_assignments_than_its_limit, dotenv_refuses_what_is_not_a_small_regular_file,
	dotenv_takes_what_all_readers_read_alike, dotenv_says_where_each_one_stands)
