/* Reading tokens and writing JSON; and the buffer that it is written into. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "random.h"
#include "unit.h"

enum { TOKENS_MAX = 1024 };

static struct json_token tokens[TOKENS_MAX];

static struct json_doc doc_of_bytes(const char *text, size_t len)
{
	static const struct gate_limits limits = {.depth_max = 16, .tokens_max = TOKENS_MAX, .keys_max = 64};
	struct json_doc doc = {.text = text, .tokens = tokens};

	ck_assert_int_eq(gate_scan(text, len, &limits, tokens, &doc.count), OK);
	return doc;
}

static struct json_doc doc_of(const char *text)
{
	return doc_of_bytes(text, strlen(text));
}

static const struct json_token *member(const struct json_doc *doc, const char *key)
{
	return json_member(doc, doc->tokens, key);
}

/* ---- reading ---- */

START_TEST(json_text_refuses_what_is_no_string)
{
	struct json_doc doc = doc_of("{\"a\":1,\"b\":[\"x\"],\"c\":null,\"d\":true}");
	char text[8] = "before";
	size_t len = 99;

	ck_assert_int_eq(json_text(&doc, NULL, text, sizeof(text), &len), ERR_BAD_PARAMS);
	ck_assert_int_eq(json_text(&doc, doc.tokens, text, sizeof(text), &len), ERR_BAD_PARAMS);
	ck_assert_int_eq(json_text(&doc, member(&doc, "a"), text, sizeof(text), &len), ERR_BAD_PARAMS);
	ck_assert_int_eq(json_text(&doc, member(&doc, "b"), text, sizeof(text), &len), ERR_BAD_PARAMS);
	ck_assert_int_eq(json_text(&doc, member(&doc, "c"), text, sizeof(text), &len), ERR_BAD_PARAMS);
	ck_assert_str_eq(text, "before");
	ck_assert_uint_eq(len, 99);
}
END_TEST

START_TEST(json_text_refuses_what_does_not_fit)
{
	struct json_doc doc = doc_of("{\"a\":\"1234\",\"b\":\"\\ud83d\\ude00\",\"c\":\"\"}");
	char text[8] = "before";
	size_t len = 99;

	ck_assert_int_eq(json_text(&doc, member(&doc, "a"), text, 4, &len), ERR_TOO_LARGE);
	ck_assert_int_eq(json_text(&doc, member(&doc, "b"), text, 4, &len), ERR_TOO_LARGE);
	ck_assert_int_eq(json_text(&doc, member(&doc, "c"), text, 0, &len), ERR_TOO_LARGE);
	ck_assert_str_eq(text, "before");
	ck_assert_uint_eq(len, 99);
	ck_assert_int_eq(json_text(&doc, member(&doc, "a"), text, 5, &len), OK);
	ck_assert_str_eq(text, "1234");
	ck_assert_int_eq(json_text(&doc, member(&doc, "b"), text, 5, &len), OK);
	ck_assert_str_eq(text, "\xf0\x9f\x98\x80");
	ck_assert_int_eq(json_text(&doc, member(&doc, "c"), text, 1, &len), OK);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(json_integer_refuses_what_is_no_integer)
{
	struct json_doc doc = doc_of("{\"a\":\"1\",\"b\":true,\"c\":{}}");
	int64_t value = 99;

	ck_assert_int_eq(json_integer(&doc, NULL, &value), ERR_BAD_PARAMS);
	ck_assert_int_eq(json_integer(&doc, member(&doc, "a"), &value), ERR_BAD_PARAMS);
	ck_assert_int_eq(json_integer(&doc, member(&doc, "b"), &value), ERR_BAD_PARAMS);
	ck_assert_int_eq(json_integer(&doc, member(&doc, "c"), &value), ERR_BAD_PARAMS);
	ck_assert_int_eq(value, 99);
}
END_TEST

START_TEST(json_member_finds_nothing_but_the_member_of_this_object)
{
	struct json_doc doc = doc_of("{\"a\":{\"b\":1},\"c\":\"d\",\"e\":{}}");

	ck_assert_ptr_null(json_member(&doc, NULL, "a"));
	ck_assert_ptr_null(member(&doc, "b"));
	ck_assert_ptr_null(member(&doc, "d"));
	ck_assert_ptr_null(member(&doc, "A"));
	ck_assert_ptr_null(member(&doc, ""));
	ck_assert_ptr_null(member(&doc, "aa"));
	ck_assert_ptr_null(json_member(&doc, member(&doc, "a"), "c"));
	ck_assert_ptr_null(json_member(&doc, member(&doc, "e"), "a"));
	ck_assert_ptr_eq(json_member(&doc, member(&doc, "a"), "b"), &tokens[4]);
	ck_assert_ptr_eq(member(&doc, "c"), &tokens[6]);
}
END_TEST

START_TEST(json_equals_compares_decoded_text)
{
	struct json_doc doc = doc_of("{\"a\":\"x\\u0041\\n\",\"b\":\"\",\"c\":\"xyz\",\"d\":1}");

	ck_assert(!json_equals(&doc, NULL, ""));
	ck_assert(!json_equals(&doc, member(&doc, "d"), "1"));
	ck_assert(!json_equals(&doc, member(&doc, "a"), "x\\u0041\\n"));
	ck_assert(!json_equals(&doc, member(&doc, "a"), "xA"));
	ck_assert(!json_equals(&doc, member(&doc, "a"), "xA\nx"));
	ck_assert(!json_equals(&doc, member(&doc, "b"), "x"));
	ck_assert(!json_equals(&doc, member(&doc, "c"), "xy"));
	ck_assert(!json_equals(&doc, member(&doc, "c"), "xyz "));
	ck_assert(!json_equals(&doc, member(&doc, "c"), "xyZ"));
	ck_assert(json_equals(&doc, member(&doc, "a"), "xA\n"));
	ck_assert(json_equals(&doc, member(&doc, "b"), ""));
	ck_assert(json_equals(&doc, member(&doc, "c"), "xyz"));
}
END_TEST

START_TEST(json_walks_over_entries_and_keys_and_not_into_them)
{
	struct json_doc doc =
		doc_of("{\"a\":[1,[2,3],{\"x\":4},5],\"b\":{\"k\":[6],\"l\":7},\"c\":[],\"d\":{}}");
	const struct json_token *list = member(&doc, "a");
	const struct json_token *map = member(&doc, "b");
	char seen[64] = {0};
	size_t len = 0;

	for (const struct json_token *t = json_first(&doc, list); t != NULL; t = json_next(&doc, list, t))
		len += (size_t)snprintf(
			seen + len, sizeof(seen) - len, "%.*s ", (int)t->len, json_raw(&doc, t));
	for (const struct json_token *t = json_first(&doc, map); t != NULL; t = json_next(&doc, map, t))
		len += (size_t)snprintf(seen + len, sizeof(seen) - len, "%.*s=%.*s ", (int)t->len,
			json_raw(&doc, t), (int)t[1].len, json_raw(&doc, t + 1));
	ck_assert_str_eq(seen, "1 [2,3] {\"x\":4} 5 k=[6] l=7 ");
	ck_assert_ptr_null(json_first(&doc, member(&doc, "c")));
	ck_assert_ptr_null(json_first(&doc, member(&doc, "d")));
	ck_assert_ptr_null(json_first(&doc, NULL));
}
END_TEST

START_TEST(json_text_decodes_every_escape)
{
	static const char *const texts[][2] = {
		{"{\"a\":\"\"}", ""},
		{"{\"a\":\"plain\"}", "plain"},
		{"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "\"\\/\b\f\n\r\t"},
		{"{\"a\":\"\\u0001\\u007f\\u0080\\u07ff\"}", "\x01\x7f\xc2\x80\xdf\xbf"},
		{"{\"a\":\"\\u0800\\ud7ff\\ue000\\uffff\"}",
			"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"},
		{"{\"a\":\"\\ud800\\udc00\\udbff\\udfff\"}", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
		{"{\"a\":\"x\\u00E9y\\u00e9z\"}", "x\xc3\xa9y\xc3\xa9z"},
		{"{\"a\":\"\xc3\xa9\\n\xf0\x9f\x98\x80\"}", "\xc3\xa9\n\xf0\x9f\x98\x80"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct json_doc doc = doc_of(texts[i][0]);
		char text[64] = {0};
		size_t len = 0;

		ck_assert_int_eq(json_text(&doc, member(&doc, "a"), text, sizeof(text), &len), OK);
		ck_assert_str_eq(text, texts[i][1]);
		ck_assert_uint_eq(len, strlen(texts[i][1]));
		ck_assert_uint_eq(json_text_len(&doc, member(&doc, "a")), len);
	}
}
END_TEST

START_TEST(json_integer_reads_the_whole_range)
{
	static const int64_t values[] = {0, 1, -1, 10, -10, 9007199254740991, -9007199254740991};
	struct json_doc doc = doc_of("{\"a\":[0,1,-1,10,-10,9007199254740991,-9007199254740991]}");
	const struct json_token *list = member(&doc, "a");
	size_t i = 0;

	for (const struct json_token *t = json_first(&doc, list); t != NULL; t = json_next(&doc, list, t)) {
		int64_t value = 0;

		ck_assert_int_eq(json_integer(&doc, t, &value), OK);
		ck_assert_int_eq(value, values[i++]);
	}
	ck_assert_uint_eq(i, sizeof(values) / sizeof(values[0]));
}
END_TEST

/* ---- the buffer ---- */

START_TEST(buf_of_fixed_size_keeps_its_bounds_and_its_failure)
{
	char bytes[8] = "........";
	struct buf buf = {0};

	buf_init_fixed(&buf, bytes, 4);
	buf_append_string(&buf, "abc");
	buf_append(&buf, NULL, 0);
	ck_assert(!buf_failed(&buf));
	buf_append_string(&buf, "de");
	ck_assert(buf_failed(&buf));
	buf_append_byte(&buf, 'f'); /* would fit, but half of a thing is no thing */
	ck_assert_uint_eq(buf.len, 3);
	ck_assert_mem_eq(bytes, "abc.....", 8);
	buf_clear(&buf);
	ck_assert_ptr_null(buf.bytes);
}
END_TEST

START_TEST(buf_refuses_a_size_that_overflows)
{
	volatile size_t huge = SIZE_MAX - 2;
	BUF_AUTO buf = {0};

	buf_append_string(&buf, "abc");
	buf_append(&buf, "x", huge);
	ck_assert(buf_failed(&buf));
	ck_assert_uint_eq(buf.len, 3);
}
END_TEST

START_TEST(buf_that_failed_hands_nothing_out)
{
	struct buf buf = {0};
	size_t len = 99;

	buf_append_string(&buf, "half");
	buf.has_failed = true;
	ck_assert_ptr_null(buf_take(&buf, &len));
	ck_assert_uint_eq(len, 0);
	ck_assert(!buf_failed(&buf));
}
END_TEST

START_TEST(buf_grows_and_hands_its_bytes_over)
{
	struct buf buf = {0};
	size_t len = 0;

	for (int i = 0; i < 100000; i++)
		buf_append_byte(&buf, (char)('a' + i % 26));
	ck_assert(!buf_failed(&buf));

	char *bytes = buf_take(&buf, &len);

	ck_assert_uint_eq(len, 100000);
	for (int i = 0; i < 100000; i++)
		ck_assert_int_eq(bytes[i], 'a' + i % 26);
	ck_assert_ptr_null(buf.bytes);
	ck_assert_uint_eq(buf.cap, 0);
	free(bytes);
	buf_clear(&buf);
}
END_TEST

/* ---- writing ---- */

START_TEST(json_writer_fails_for_good_in_a_full_buffer)
{
	static const char expected[] = "{\"a\":\"x\\ny\",\"b\":[1,2]}";

	for (size_t cap = 0; cap <= sizeof(expected); cap++) {
		char bytes[sizeof(expected)] = {0};
		struct buf buf = {0};

		buf_init_fixed(&buf, bytes, cap);

		struct json_writer w = json_writer(&buf);

		json_begin_object(&w);
		json_put_string(&w, "a", "x\ny");
		json_key(&w, "b");
		json_begin_array(&w);
		json_write_integer(&w, 1);
		json_write_integer(&w, 2);
		json_end_array(&w);
		json_end_object(&w);
		ck_assert(buf_failed(&buf) == (cap < sizeof(expected) - 1));
		ck_assert_mem_eq(bytes, expected, buf.len);
	}
}
END_TEST

START_TEST(json_writer_escapes_what_rfc_8259_asks_and_del)
{
	for (int byte = 0; byte < 256; byte++) {
		char c = (char)byte;
		char expected[16] = {'"', c, '"', '\0'};
		const char *shorts = "\"\"\\\\\bb\ff\nn\rr\tt";
		const char *at = NULL;
		BUF_AUTO buf = {0};
		struct json_writer w = json_writer(&buf);

		for (const char *s = shorts; *s != '\0'; s += 2)
			at = *s == c ? s : at;
		if (at != NULL)
			snprintf(expected, sizeof(expected), "\"\\%c\"", at[1]);
		else if (byte < 0x20 || byte == 0x7f)
			snprintf(expected, sizeof(expected), "\"\\u%04x\"", (unsigned)byte);
		json_write_text(&w, &c, 1);
		ck_assert_uint_eq(buf.len, json_escaped_len(&c, 1));
		ck_assert_uint_eq(buf.len, strlen(expected));
		ck_assert_mem_eq(buf.bytes, expected, buf.len);
	}
}
END_TEST

START_TEST(json_writer_and_gate_give_back_any_text)
{
	struct random random = {.state = 8259};

	for (int round = 0; round < 3000; round++) {
		static const char *const pieces[] = {"a", "\"", "\\", "\n", "\x01", "\x1f", "\x7f",
			"\xc3\xa9", "\xe2\x80\xa8", "\xf0\x9f\x98\x80", "0123456789", "/", "'", "\\u0041",
			"\t", "\r"};
		char text[512] = {0};
		char decoded[512] = {0};
		size_t len = 0;
		size_t decoded_len = 0;
		BUF_AUTO buf = {0};
		struct json_writer w = json_writer(&buf);

		for (uint32_t i = random_below(&random, 40); i > 0; i--) {
			const char *piece = pieces[random_below(&random, sizeof(pieces) / sizeof(pieces[0]))];

			memcpy(text + len, piece, strlen(piece));
			len += strlen(piece);
		}
		json_begin_object(&w);
		json_key(&w, "a");

		size_t before = buf.len;

		json_write_text(&w, text, len);
		ck_assert_uint_eq(buf.len - before, json_escaped_len(text, len));
		json_end_object(&w);
		ck_assert(!buf_failed(&buf));

		struct json_doc doc = doc_of_bytes(buf.bytes, buf.len);

		ck_assert_int_eq(
			json_text(&doc, member(&doc, "a"), decoded, sizeof(decoded), &decoded_len), OK);
		ck_assert_uint_eq(decoded_len, len);
		ck_assert_mem_eq(decoded, text, len);
	}
}
END_TEST

START_TEST(json_writer_puts_commas_where_they_belong)
{
	BUF_AUTO buf = {0};
	struct json_writer w = json_writer(&buf);

	json_begin_object(&w);
	json_put_string(&w, "a", NULL);
	json_put_integer(&w, "b", INT64_MIN);
	json_put_bool(&w, "c", true);
	json_key(&w, "d");
	json_begin_array(&w);
	json_end_array(&w);
	json_key_text(&w, "e f", 1);
	json_begin_array(&w);
	json_write_bool(&w, false);
	json_begin_object(&w);
	json_end_object(&w);
	json_begin_array(&w);
	json_write_null(&w);
	json_end_array(&w);
	json_write_raw(&w, "{\"x\":1}", 7);
	json_write_text(&w, "yz", 1);
	json_end_array(&w);
	json_put_time(&w, "f", 0);
	json_put_time(&w, "g", 1764067800123);
	json_put_hex(&w, "h", (const unsigned char *)"\x00\xa9", 2);
	json_put_hex(&w, "i", NULL, 0);
	json_end_object(&w);
	buf_append_byte(&buf, '\0');
	ck_assert_str_eq(buf.bytes,
		"{\"a\":null,\"b\":-9223372036854775808,\"c\":true,\"d\":[],\"e\":[false,"
		"{},[null],{\"x\":1},\"y\"],"
		"\"f\":null,\"g\":\"2025-11-25T10:50:00.123Z\",\"h\":\"00a9\",\"i\":\"\"}");
}
END_TEST

UNIT_MAIN("json", json_text_refuses_what_is_no_string, json_text_refuses_what_does_not_fit,
	json_integer_refuses_what_is_no_integer, json_member_finds_nothing_but_the_member_of_this_object,
	json_equals_compares_decoded_text, json_walks_over_entries_and_keys_and_not_into_them,
	json_text_decodes_every_escape, json_integer_reads_the_whole_range,
	buf_of_fixed_size_keeps_its_bounds_and_its_failure, buf_refuses_a_size_that_overflows,
	buf_that_failed_hands_nothing_out, buf_grows_and_hands_its_bytes_over,
	json_writer_fails_for_good_in_a_full_buffer, json_writer_escapes_what_rfc_8259_asks_and_del,
	json_writer_and_gate_give_back_any_text, json_writer_puts_commas_where_they_belong)
