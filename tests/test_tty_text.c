/* What reaches a terminal: see client/cli/tty_text.h.  No text draws a line that nobody wrote. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tty_json.h"
#include "tty_text.h"
#include "unit.h"

static void check(const char *text, size_t len, const char *expected)
{
	struct buf buf = {0};

	tty_text_append(&buf, text, len);
	buf_append_byte(&buf, '\0');
	ck_assert(!buf_failed(&buf));
	ck_assert_str_eq(buf.bytes, expected);
	buf_clear(&buf);
}

#define CHECK(text, expected) check(text, sizeof(text) - 1, expected)

START_TEST(tty_text_shows_control_characters_as_bytes)
{
	CHECK("a\nb", "a\\x0ab");
	CHECK("a\rb\tc", "a\\x0db\\x09c");
	CHECK("\x1b[2J", "\\x1b[2J");
	CHECK("a\0b", "a\\x00b");
	CHECK("\x7f", "\\x7f");
	CHECK("\xc2\x9b"
	      "31m",
		"\\xc2\\x9b31m");
}
END_TEST

START_TEST(tty_text_shows_what_reorders_or_hides_text_as_bytes)
{
	for (unsigned char last = 0xaa; last <= 0xae; last++) {
		char text[] = {'\xe2', '\x80', (char)last, '\0'};
		char expected[16] = "";

		snprintf(expected, sizeof(expected), "\\xe2\\x80\\x%02x", last);
		check(text, 3, expected);
	}
	for (unsigned char last = 0xa6; last <= 0xa9; last++) {
		char text[] = {'\xe2', '\x81', (char)last, '\0'};
		char expected[16] = "";

		snprintf(expected, sizeof(expected), "\\xe2\\x81\\x%02x", last);
		check(text, 3, expected);
	}
	CHECK("\xe2\x80\xa8", "\\xe2\\x80\\xa8"); /* line separator */
	CHECK("\xe2\x80\x8f", "\\xe2\\x80\\x8f"); /* right-to-left mark */
	CHECK("\xef\xbb\xbf", "\\xef\\xbb\\xbf"); /* byte order mark */
	CHECK("\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"); /* tag */
	CHECK("a\xc2\xad", "a\\xc2\\xad"); /* soft hyphen */
	CHECK("\xe3\x85\xa4", "\\xe3\\x85\\xa4"); /* Hangul filler: a title of it looks empty */
	CHECK("\xf3\xa0\x84\x80", "\\xf3\\xa0\\x84\\x80"); /* variation selector 17 */
}
END_TEST

#define GRAVE "\xcc\x80"

START_TEST(tty_text_shows_only_so_many_marks_over_a_letter)
{
	CHECK("e" GRAVE GRAVE GRAVE GRAVE, "e" GRAVE GRAVE GRAVE GRAVE);
	CHECK("e" GRAVE GRAVE GRAVE GRAVE GRAVE GRAVE "x",
		"e" GRAVE GRAVE GRAVE GRAVE "\\xcc\\x80\\xcc\\x80x");
	CHECK("e" GRAVE "e" GRAVE "e" GRAVE "e" GRAVE "e" GRAVE,
		"e" GRAVE "e" GRAVE "e" GRAVE "e" GRAVE "e" GRAVE);
}
END_TEST

static void check_json(const char *json, const char *expected)
{
	char *written = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&written, &len);

	tty_json_write(out, json, strlen(json));
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_str_eq(written, expected);
	free(written);
}

START_TEST(tty_json_escapes_what_is_hidden_and_nothing_else)
{
	check_json("{\"a\":[\"b\\n\\\"\",1,null]}", "{\"a\":[\"b\\n\\\"\",1,null]}");
	check_json("\"\xe2\x80\xae"
		   "abc\"",
		"\"\\u202eabc\"");
	check_json("\"\xc2\x9b"
		   "31m\x7f\"",
		"\"\\u009b31m\\u007f\"");
	check_json("\"\xf3\xa0\x81\x81\"", "\"\\udb40\\udc41\"");
	check_json("\"J\xc3\xb6rg \xf0\x9f\x98\x80\"", "\"J\xc3\xb6rg \xf0\x9f\x98\x80\"");
	check_json("\"\xe2\x80", "\"\xe2\x80");
}
END_TEST

START_TEST(tty_text_shows_what_is_not_utf8_as_bytes)
{
	CHECK("\x80", "\\x80");
	CHECK("a\xff"
	      "b",
		"a\\xffb");
	CHECK("\xc0\xaf", "\\xc0\\xaf"); /* overlong */
	CHECK("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* surrogate */
	CHECK("\xe2\x80", "\\xe2\\x80"); /* cut off */
	CHECK("\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80");
}
END_TEST

START_TEST(tty_text_cannot_be_imitated)
{
	CHECK("\\x1b", "\\x5cx1b");
	CHECK("C:\\temp", "C:\\temp");
	CHECK("\\", "\\");
}
END_TEST

START_TEST(tty_text_leaves_plain_text_alone)
{
	CHECK("", "");
	CHECK("%s%n plain text", "%s%n plain text");
	CHECK("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 \xe4\xb8\xad",
		"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 \xe4\xb8\xad");
}
END_TEST

UNIT_MAIN("tty_text", tty_text_shows_control_characters_as_bytes,
	tty_text_shows_what_reorders_or_hides_text_as_bytes, tty_text_shows_what_is_not_utf8_as_bytes,
	tty_text_shows_only_so_many_marks_over_a_letter, tty_text_cannot_be_imitated,
	tty_text_leaves_plain_text_alone, tty_json_escapes_what_is_hidden_and_nothing_else)
