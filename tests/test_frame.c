/* Cutting lines: P8, a sender is stopped at the first byte over the limit. */
#include <string.h>

#include "frame.h"
#include "unit.h"

static enum err cut(const char *bytes, size_t scanned, size_t limit, size_t *line_len_out)
{
	return frame_cut(bytes, strlen(bytes), scanned, limit, line_len_out);
}

START_TEST(frame_refuses_a_line_over_the_limit)
{
	size_t len = 99;

	ck_assert_int_eq(cut("12345\n", 0, 4, &len), ERR_TOO_LARGE);
	ck_assert_int_eq(cut("12345", 0, 4, &len), ERR_TOO_LARGE);
	ck_assert_int_eq(cut("1", 0, 0, &len), ERR_TOO_LARGE);
	ck_assert_uint_eq(len, 99);
}
END_TEST

START_TEST(frame_refuses_at_the_limit_and_not_at_the_newline)
{
	static char bytes[LINE_BYTES_STRANGER + 1];
	size_t len = 0;

	memset(bytes, 'x', sizeof(bytes));
	ck_assert_int_eq(frame_cut(bytes, LINE_BYTES_STRANGER, 0, LINE_BYTES_STRANGER, &len), ERR_NOT_FOUND);
	ck_assert_int_eq(
		frame_cut(bytes, LINE_BYTES_STRANGER + 1, LINE_BYTES_STRANGER, LINE_BYTES_STRANGER, &len),
		ERR_TOO_LARGE);
}
END_TEST

START_TEST(frame_refuses_a_newline_behind_the_limit_even_when_a_later_one_is_near)
{
	size_t len = 0;

	ck_assert_int_eq(cut("123456\n\n\n", 3, 4, &len), ERR_TOO_LARGE);
}
END_TEST

START_TEST(frame_survives_the_largest_limit)
{
	size_t len = 0;

	ck_assert_int_eq(cut("1234", 0, SIZE_MAX, &len), ERR_NOT_FOUND);
	ck_assert_int_eq(cut("1234\n", 0, SIZE_MAX, &len), OK);
}
END_TEST

START_TEST(frame_waits_for_the_rest_of_a_line)
{
	size_t len = 99;

	ck_assert_int_eq(frame_cut(NULL, 0, 0, 10, &len), ERR_NOT_FOUND);
	ck_assert_int_eq(cut("1234", 0, 4, &len), ERR_NOT_FOUND);
	ck_assert_int_eq(cut("1234", 4, 4, &len), ERR_NOT_FOUND);
	ck_assert_uint_eq(len, 99);
}
END_TEST

START_TEST(frame_looks_at_scanned_bytes_no_more)
{
	size_t len = 0;

	/* Nobody calls it like this; it shows that what was scanned costs nothing a second time. */
	ck_assert_int_eq(cut("\n23\n", 1, 10, &len), OK);
	ck_assert_uint_eq(len, 3);
}
END_TEST

START_TEST(frame_cuts_the_first_line)
{
	size_t len = 0;

	ck_assert_int_eq(cut("1234\n", 0, 4, &len), OK);
	ck_assert_uint_eq(len, 4);
	ck_assert_int_eq(cut("1234\n", 4, 4, &len), OK);
	ck_assert_uint_eq(len, 4);
	ck_assert_int_eq(cut("ab\ncd\n", 0, 10, &len), OK);
	ck_assert_uint_eq(len, 2);
	ck_assert_int_eq(cut("\n", 0, 10, &len), OK);
	ck_assert_uint_eq(len, 0);
}
END_TEST

UNIT_MAIN("frame", frame_refuses_a_line_over_the_limit, frame_refuses_at_the_limit_and_not_at_the_newline,
	frame_refuses_a_newline_behind_the_limit_even_when_a_later_one_is_near,
	frame_survives_the_largest_limit, frame_waits_for_the_rest_of_a_line,
	frame_looks_at_scanned_bytes_no_more, frame_cuts_the_first_line)
