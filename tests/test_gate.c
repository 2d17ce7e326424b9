/* The gate: P8, hostile bytes are refused in one pass; and what passes means the same to another parser. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "random.h"
#include "unit.h"

enum { DEPTH_MAX = 5, TOKENS_MAX = 256, KEYS_MAX = 32 };

static const struct gate_limits limits = {
	.depth_max = DEPTH_MAX, .tokens_max = TOKENS_MAX, .keys_max = KEYS_MAX};

static struct json_token tokens[TOKENS_MAX];
static uint32_t token_count;

/* From memory of exactly this size, so that a sanitizer sees the first byte too many. */
static enum err scan(const char *text, size_t len)
{
	char *copy = malloc(len);

	if (len > 0)
		memcpy(copy, text, len);

	enum err err = gate_scan(copy, len, &limits, tokens, &token_count);

	free(copy);
	return err;
}

struct document {
	const char *text;
	size_t len;
};

#define DOCUMENT(text) \
	{ \
		text, sizeof(text) - 1 \
	}
#define REFUSES(...) \
	do { \
		static const struct document documents[] = {__VA_ARGS__}; \
		refuse_all(documents, sizeof(documents) / sizeof(documents[0])); \
	} while (0)

static void refuse_all(const struct document *documents, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		token_count = 12345;
		ck_assert_msg(scan(documents[i].text, documents[i].len) == ERR_BAD_JSON, "not BAD_JSON: %s",
			documents[i].text);
		ck_assert_uint_eq(token_count, 12345);
	}
}

/* ---- the line as a whole ---- */

START_TEST(gate_refuses_other_protocols)
{
	REFUSES(DOCUMENT(""), DOCUMENT(" "), DOCUMENT("\n"), DOCUMENT("GET / HTTP/1.1\r"),
		DOCUMENT("\x16\x03\x01\x02\0\x01"), DOCUMENT("SSH-2.0-OpenSSH_9.2"), DOCUMENT("\x80\x2e\x01"),
		DOCUMENT("<?xml version=\"1.0\"?>"), DOCUMENT("---\na: 1"));
}
END_TEST

START_TEST(gate_refuses_a_raw_nul)
{
	REFUSES(DOCUMENT("\0"), DOCUMENT("\0{}"), DOCUMENT("{\0}"), DOCUMENT("{}\0"),
		DOCUMENT("{\"a\0b\":1}"), DOCUMENT("{\"a\":\0001}"), DOCUMENT("{\"a\":1\0}"),
		DOCUMENT("{\"a\":\"x\0y\"}"), DOCUMENT("{\"a\":1}\0{\"a\":2}"));
}
END_TEST

START_TEST(gate_refuses_bytes_behind_the_object)
{
	REFUSES(DOCUMENT("{}x"), DOCUMENT("{\"op\":\"get\"}xyz"), DOCUMENT("{}{}"), DOCUMENT("{} {}"),
		DOCUMENT("{},"), DOCUMENT("{}]"), DOCUMENT("{}}"), DOCUMENT("{}\xef\xbb\xbf"),
		DOCUMENT("{};"), DOCUMENT("{}//"));
}
END_TEST

START_TEST(gate_refuses_a_byte_order_mark)
{
	REFUSES(DOCUMENT("\xef\xbb\xbf{}"), DOCUMENT("\xfe\xff{}"), DOCUMENT("\xff\xfe{}"),
		DOCUMENT("{\xef\xbb\xbf}"));
}
END_TEST

START_TEST(gate_refuses_utf_16_and_utf_32)
{
	REFUSES(DOCUMENT("{\0}\0"), DOCUMENT("\0{\0}"), DOCUMENT("\xff\xfe{\0}\0"),
		DOCUMENT("\xfe\xff\0{\0}"), DOCUMENT("{\0\0\0}\0\0\0"),
		DOCUMENT("{\0\"\0a\0\"\0:\0001\0}\0"));
}
END_TEST

START_TEST(gate_refuses_anything_but_an_object_at_the_top)
{
	REFUSES(DOCUMENT("[1]"), DOCUMENT("[]"), DOCUMENT("[{}]"), DOCUMENT("\"op\""), DOCUMENT("null"),
		DOCUMENT("true"), DOCUMENT("7"), DOCUMENT("-7"));
}
END_TEST

/* ---- grammar ---- */

START_TEST(gate_refuses_misplaced_commas_colons_and_brackets)
{
	REFUSES(DOCUMENT("{\"a\":1,}"), DOCUMENT("{,}"), DOCUMENT("{,\"a\":1}"),
		DOCUMENT("{\"a\":1,,\"b\":2}"), DOCUMENT("{\"a\":[1,]}"), DOCUMENT("{\"a\":[,1]}"),
		DOCUMENT("{\"a\":[,]}"), DOCUMENT("{\"a\":[1 2]}"), DOCUMENT("{\"a\":[1,,2]}"),
		DOCUMENT("{\"a\":1 \"b\":2}"), DOCUMENT("{\"a\"}"), DOCUMENT("{\"a\":}"),
		DOCUMENT("{\"a\" 1}"), DOCUMENT("{\"a\"::1}"), DOCUMENT("{\"a\":1:2}"), DOCUMENT("{:1}"),
		DOCUMENT("{1}"), DOCUMENT("{\"a\",1}"), DOCUMENT("{\"a\":[1}"), DOCUMENT("{\"a\":[1}]"),
		DOCUMENT("{\"a\":{]}"), DOCUMENT("{]"), DOCUMENT("{\"a\":[\"b\":1]}"), DOCUMENT("{\"a\":1]"),
		DOCUMENT("{\"a\":(1)}"));
}
END_TEST

START_TEST(gate_refuses_comments_and_the_quoting_of_other_languages)
{
	REFUSES(DOCUMENT("{\"a\":1}/**/"), DOCUMENT("/**/{}"), DOCUMENT("{/**/}"), DOCUMENT("{\"a\":1 //\n}"),
		DOCUMENT("{#\n}"), DOCUMENT("{'a':1}"), DOCUMENT("{\"a\":'b'}"), DOCUMENT("{a:1}"),
		DOCUMENT("{1:1}"), DOCUMENT("{null:1}"), DOCUMENT("{\"a\":b}"), DOCUMENT("{\"a\":`b`}"),
		DOCUMENT("{[]:1}"), DOCUMENT("{{}:1}"));
}
END_TEST

START_TEST(gate_refuses_words_that_are_not_json)
{
	REFUSES(DOCUMENT("{\"a\":NaN}"), DOCUMENT("{\"a\":Infinity}"), DOCUMENT("{\"a\":-Infinity}"),
		DOCUMENT("{\"a\":True}"), DOCUMENT("{\"a\":TRUE}"), DOCUMENT("{\"a\":nul}"),
		DOCUMENT("{\"a\":nulll}"), DOCUMENT("{\"a\":tru}"), DOCUMENT("{\"a\":undefined}"),
		DOCUMENT("{\"a\":truefalse}"), DOCUMENT("{\"a\":true false}"), DOCUMENT("{\"a\":n"));
}
END_TEST

START_TEST(gate_refuses_malformed_numbers)
{
	REFUSES(DOCUMENT("{\"a\":01}"), DOCUMENT("{\"a\":-01}"), DOCUMENT("{\"a\":00}"),
		DOCUMENT("{\"a\":2.}"), DOCUMENT("{\"a\":.5}"), DOCUMENT("{\"a\":1.e3}"),
		DOCUMENT("{\"a\":-.1}"), DOCUMENT("{\"a\":0x10}"), DOCUMENT("{\"a\":+1}"),
		DOCUMENT("{\"a\":-}"), DOCUMENT("{\"a\":--1}"), DOCUMENT("{\"a\":- 1}"),
		DOCUMENT("{\"a\":1 0}"), DOCUMENT("{\"a\":1_000}"), DOCUMENT("{\"a\":1a}"),
		DOCUMENT("{\"a\":1-1}"), DOCUMENT("{\"a\":0b1}"), DOCUMENT("{\"a\":\xef\xbc\x91}"),
		DOCUMENT("{\"a\":-"), DOCUMENT("{\"a\":1"));
}
END_TEST

START_TEST(gate_refuses_fractions_exponents_and_minus_zero)
{
	REFUSES(DOCUMENT("{\"a\":1.0}"), DOCUMENT("{\"a\":1e3}"), DOCUMENT("{\"a\":1E3}"),
		DOCUMENT("{\"a\":1e+3}"), DOCUMENT("{\"a\":0.0}"), DOCUMENT("{\"a\":0e0}"),
		DOCUMENT("{\"a\":1e400}"), DOCUMENT("{\"a\":-0}"), DOCUMENT("{\"a\":-0.0}"),
		DOCUMENT("{\"a\":-0e1}"));
}
END_TEST

START_TEST(gate_refuses_integers_that_a_double_cannot_hold)
{
	REFUSES(DOCUMENT("{\"a\":9007199254740992}"), DOCUMENT("{\"a\":9007199254740993}"),
		DOCUMENT("{\"a\":-9007199254740992}"), DOCUMENT("{\"a\":9223372036854775807}"),
		DOCUMENT("{\"a\":18446744073709551617}"), DOCUMENT("{\"a\":36893488147419103233}"),
		DOCUMENT("{\"a\":"
			 "10000000000000000000000000000000000000000000000000000000000000000000000000000000000"
			 "00000000}"));
}
END_TEST

START_TEST(gate_refuses_a_number_of_60000_digits)
{
	static char text[60000 + 6] = "{\"a\":";

	memset(text + 5, '1', 60000);
	text[60005] = '}';
	ck_assert_int_eq(scan(text, sizeof(text)), ERR_BAD_JSON);
	memset(text + 5, '0', 60000);
	ck_assert_int_eq(scan(text, sizeof(text)), ERR_BAD_JSON);
}
END_TEST

START_TEST(gate_refuses_white_space_that_is_not_json)
{
	REFUSES(DOCUMENT("{\f}"), DOCUMENT("{\v}"), DOCUMENT("{\xc2\xa0}"), DOCUMENT("{\xe2\x80\xa8}"),
		DOCUMENT("\x1f{}"), DOCUMENT("{}\x01"), DOCUMENT("{}\b"), DOCUMENT("{\"a\":\f1}"),
		DOCUMENT("{\"a\"\v:1}"), DOCUMENT("{\x7f}"), DOCUMENT("{}\xe3\x80\x80"), DOCUMENT("{\x85}"));
}
END_TEST

START_TEST(gate_refuses_a_carriage_return)
{
	REFUSES(DOCUMENT("{}\r"), DOCUMENT("\r{}"), DOCUMENT("{\r}"), DOCUMENT("{\"a\":\r1}"),
		DOCUMENT("{\"a\":1\r\n}"));
}
END_TEST

START_TEST(gate_refuses_every_beginning_of_a_document)
{
	static const char text[] = "{\"a\":[1,-20,\"b\\n\\ud83d\\ude00\",true,false,null,{\"c\":{}}],\"d\":"
				   "\"\xc3\xa9\xe2\x82\xac\"}";

	for (size_t len = 0; len < sizeof(text) - 1; len++)
		ck_assert_msg(scan(text, len) == ERR_BAD_JSON, "accepted %zu bytes", len);
	ck_assert_int_eq(scan(text, sizeof(text) - 1), OK);
}
END_TEST

/* ---- strings ---- */

START_TEST(gate_refuses_every_control_character_in_a_string)
{
	for (int byte = 0; byte < 0x20; byte++) {
		char value[] = "{\"a\":\"xxxxxxxxx?\"}";
		char key[] = "{\"xxxxxxxxx?\":1}";

		*strchr(value, '?') = (char)byte;
		*strchr(key, '?') = (char)byte;
		ck_assert_int_eq(scan(value, sizeof(value) - 1), ERR_BAD_JSON);
		ck_assert_int_eq(scan(key, sizeof(key) - 1), ERR_BAD_JSON);
	}
}
END_TEST

START_TEST(gate_refuses_an_escaped_nul)
{
	REFUSES(DOCUMENT("{\"a\":\"\\u0000\"}"), DOCUMENT("{\"a\":\"get\\u0000delete\"}"),
		DOCUMENT("{\"a\":[\"\\u0000\"]}"), DOCUMENT("{\"op\\u0000x\":1}"),
		DOCUMENT("{\"a\":\"\\0\"}"));
}
END_TEST

START_TEST(gate_refuses_lone_and_swapped_surrogates)
{
	REFUSES(DOCUMENT("{\"a\":\"\\ud800\"}"), DOCUMENT("{\"a\":\"\\udc00\"}"),
		DOCUMENT("{\"a\":\"\\udfff\"}"), DOCUMENT("{\"a\":\"\\udbff\"}"),
		DOCUMENT("{\"a\":\"\\ude00\\ud83d\"}"), DOCUMENT("{\"a\":\"\\ud83d\\ud83d\"}"),
		DOCUMENT("{\"a\":\"\\ud83dx\"}"), DOCUMENT("{\"a\":\"\\ud83d\\n\"}"),
		DOCUMENT("{\"a\":\"\\ud83d\\u\"}"), DOCUMENT("{\"a\":\"\\uD83D\\u0041\"}"),
		DOCUMENT("{\"a\":\"\\uD83D\\ue000\"}"), DOCUMENT("{\"a\":\"\\ud83d\\"),
		DOCUMENT("{\"a\":\"\\ud83d\\ude0"), DOCUMENT("{\"a\":\"\\ud83d"));
}
END_TEST

START_TEST(gate_refuses_invalid_utf_8)
{
	REFUSES(DOCUMENT("{\"a\":\"\xc0\xaf\"}"), DOCUMENT("{\"a\":\"\xc1\xbf\"}"),
		DOCUMENT("{\"a\":\"\xe0\x80\xaf\"}"), DOCUMENT("{\"a\":\"\xe0\x9f\xbf\"}"),
		DOCUMENT("{\"a\":\"\xed\xa0\x80\"}"), DOCUMENT("{\"a\":\"\xed\xbf\xbf\"}"),
		DOCUMENT("{\"a\":\"\xf0\x8f\xbf\xbf\"}"), DOCUMENT("{\"a\":\"\xf4\x90\x80\x80\"}"),
		DOCUMENT("{\"a\":\"\xf5\x80\x80\x80\"}"), DOCUMENT("{\"a\":\"\xff\"}"),
		DOCUMENT("{\"a\":\"\xfe\"}"), DOCUMENT("{\"a\":\"\x80\"}"), DOCUMENT("{\"a\":\"\xbf\"}"),
		DOCUMENT("{\"a\":\"\xe0\xff\"}"), DOCUMENT("{\"a\":\"\xc3\"}"),
		DOCUMENT("{\"a\":\"\xe2\x82\"}"), DOCUMENT("{\"a\":\"\xf0\x9f\x98\"}"),
		DOCUMENT("{\"a\":\"\xc3(\"}"), DOCUMENT("{\"a\":\"\xe2(\xa1\"}"),
		DOCUMENT("{\"a\":\"\xe2\x82(\"}"), DOCUMENT("{\"a\":\"\xf0\x9f\x98(\"}"),
		DOCUMENT("{\"\xff\":1}"), DOCUMENT("{\"a\":\"\xf8\x88\x80\x80\x80\"}"),
		DOCUMENT("{\"a\":\"\xc3"), DOCUMENT("{\"a\":\"xxxxxxx\xf0\x9f"),
		DOCUMENT("{\"a\":\"\xc0\x80\"}"));
}
END_TEST

START_TEST(gate_refuses_unknown_escapes)
{
	REFUSES(DOCUMENT("{\"a\":\"\\x41\"}"), DOCUMENT("{\"a\":\"\\u00G0\"}"),
		DOCUMENT("{\"a\":\"\\uqqqq\"}"), DOCUMENT("{\"a\":\"\\u 041\"}"),
		DOCUMENT("{\"a\":\"\\u+041\"}"), DOCUMENT("{\"a\":\"\\u004\"}"), DOCUMENT("{\"a\":\"\\u\"}"),
		DOCUMENT("{\"a\":\"\\U0041\"}"), DOCUMENT("{\"a\":\"\\'\"}"), DOCUMENT("{\"a\":\"\\a\"}"),
		DOCUMENT("{\"a\":\"\\v\"}"), DOCUMENT("{\"a\":\"\\e\"}"), DOCUMENT("{\"a\":\"\\ \"}"),
		DOCUMENT("{\"a\":\"\\\n\"}"), DOCUMENT("{\"a\":\"\\\"}"), DOCUMENT("{\"a\":\"\\\xc3\xa9\"}"),
		DOCUMENT("{\"a\":\"\\"), DOCUMENT("{\"a\":\"\\u00"), DOCUMENT("{\"a\":\"\\\0\"}"));
}
END_TEST

START_TEST(gate_refuses_keys_with_escapes)
{
	REFUSES(DOCUMENT("{\"\\u006fp\":1}"), DOCUMENT("{\"a\\n\":1}"), DOCUMENT("{\"\\\\\":1}"),
		DOCUMENT("{\"\\/\":1}"), DOCUMENT("{\"a\":{\"\\u0061\":1}}"));
}
END_TEST

/* ---- objects ---- */

START_TEST(gate_refuses_duplicate_keys)
{
	REFUSES(DOCUMENT("{\"op\":1,\"op\":1}"), DOCUMENT("{\"op\":1,\"op\":2}"),
		DOCUMENT("{\"a\":1,\"b\":2,\"c\":3,\"a\":4}"), DOCUMENT("{\"a\":{\"b\":1,\"b\":2}}"),
		DOCUMENT("{\"a\":[{\"b\":[1,2,{}],\"c\":{\"d\":1},\"b\":2}]}"), DOCUMENT("{\"\":1,\"\":2}"),
		DOCUMENT("{\"a\":{\"x\":1},\"b\":[[]],\"a\":{}}"),
		DOCUMENT("{\"\xc3\xa9\":1,\"\xc3\xa9\":2}"));
}
END_TEST

START_TEST(gate_refuses_a_duplicate_among_many_keys)
{
	char text[600] = "{";
	size_t len = 1;

	for (int i = 0; i < KEYS_MAX - 1; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "\"k%02d\":{\"k%02d\":0},", i, i);

	size_t end = len;

	len = end + (size_t)snprintf(text + end, sizeof(text) - end, "\"k00\":0}");
	ck_assert_int_eq(scan(text, len), ERR_BAD_JSON);
	len = end + (size_t)snprintf(text + end, sizeof(text) - end, "\"k30\":0}");
	ck_assert_int_eq(scan(text, len), ERR_BAD_JSON);
	len = end + (size_t)snprintf(text + end, sizeof(text) - end, "\"k31\":0}");
	ck_assert_int_eq(scan(text, len), OK);
}
END_TEST

/* ---- limits ---- */

/* {"a":[[…]]} with this many levels in all. */
static size_t nest(char *text, size_t depth)
{
	size_t len = 0;

	memcpy(text, "{\"a\":", 5);
	len = 5;
	for (size_t i = 1; i < depth; i++)
		text[len++] = '[';
	if (depth == 1)
		text[len++] = '0';
	for (size_t i = 1; i < depth; i++)
		text[len++] = ']';
	text[len++] = '}';
	return len;
}

START_TEST(gate_refuses_too_many_levels)
{
	static char text[200100];

	ck_assert_int_eq(scan(text, nest(text, DEPTH_MAX)), OK);
	ck_assert_int_eq(scan(text, nest(text, DEPTH_MAX + 1)), ERR_TOO_COMPLEX);
	ck_assert_int_eq(scan(text, nest(text, 100000)), ERR_TOO_COMPLEX);
	ck_assert_int_eq(scan("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}", 32), ERR_TOO_COMPLEX);
}
END_TEST

START_TEST(gate_holds_its_own_limit_of_levels_whatever_the_caller_allows)
{
	static const struct gate_limits generous = {
		.depth_max = 1000000, .tokens_max = TOKENS_MAX, .keys_max = KEYS_MAX};
	char text[200];

	ck_assert_int_eq(gate_scan(text, nest(text, GATE_DEPTH_LIMIT), &generous, tokens, &token_count), OK);
	ck_assert_int_eq(gate_scan(text, nest(text, GATE_DEPTH_LIMIT + 1), &generous, tokens, &token_count),
		ERR_TOO_COMPLEX);
}
END_TEST

/* {"a":[0,0,…]} with this many zeros. */
static size_t zeros(char *text, size_t count)
{
	size_t len = 6;

	memcpy(text, "{\"a\":[", 6);
	for (size_t i = 0; i < count; i++) {
		text[len++] = '0';
		text[len++] = ',';
	}
	memcpy(text + len - 1, "]}", 2);
	return len + 1;
}

START_TEST(gate_refuses_too_many_tokens)
{
	static char text[102400 + 16];

	ck_assert_int_eq(scan(text, zeros(text, TOKENS_MAX - 3)), OK);
	ck_assert_uint_eq(token_count, TOKENS_MAX);
	ck_assert_int_eq(scan(text, zeros(text, TOKENS_MAX - 2)), ERR_TOO_COMPLEX);
	ck_assert_int_eq(scan(text, zeros(text, 51200)), ERR_TOO_COMPLEX);
}
END_TEST

static size_t members(char *text, size_t cap, int count)
{
	size_t len = (size_t)snprintf(text, cap, "{\"k0\":0");

	for (int i = 1; i < count; i++)
		len += (size_t)snprintf(text + len, cap - len, ",\"k%d\":0", i);
	return len + (size_t)snprintf(text + len, cap - len, "}");
}

START_TEST(gate_refuses_too_many_keys)
{
	char text[512];

	ck_assert_int_eq(scan(text, members(text, sizeof(text), KEYS_MAX)), OK);
	ck_assert_int_eq(scan(text, members(text, sizeof(text), KEYS_MAX + 1)), ERR_TOO_COMPLEX);
}
END_TEST

START_TEST(gate_refuses_what_is_both_malformed_and_too_complex)
{
	static char text[2048];
	size_t len = nest(text, 100);

	ck_assert_int_ne(scan(text, len - 1), OK);
	len = zeros(text, 500);
	text[len - 2] = 'x';
	ck_assert_int_ne(scan(text, len), OK);
}
END_TEST

/* ---- what passes ---- */

START_TEST(gate_agrees_with_the_unicode_standard_on_every_code_point)
{
	for (uint32_t code = 1; code < 0x110000; code++) {
		bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
		char text[4] = {(char)code};
		size_t len = 1;

		if (code >= 0x10000) {
			text[0] = (char)(0xf0 | code >> 18);
			text[1] = (char)(0x80 | (code >> 12 & 63));
			text[2] = (char)(0x80 | (code >> 6 & 63));
			text[3] = (char)(0x80 | (code & 63));
			len = 4;
		} else if (code >= 0x800) {
			text[0] = (char)(0xe0 | code >> 12);
			text[1] = (char)(0x80 | (code >> 6 & 63));
			text[2] = (char)(0x80 | (code & 63));
			len = 3;
		} else if (code >= 0x80) {
			text[0] = (char)(0xc0 | code >> 6);
			text[1] = (char)(0x80 | (code & 63));
			len = 2;
		}
		if (gate_is_utf8(text, len) == is_surrogate)
			ck_abort_msg("wrong about U+%04X", code);
		if (len > 1 && gate_is_utf8(text, len - 1))
			ck_abort_msg("accepts half of U+%04X", code);
	}
	ck_assert(!gate_is_utf8("\0", 1));
	ck_assert(!gate_is_utf8("0123456789\0", 11));
	ck_assert(!gate_is_utf8("0123456789\xff", 11));
	ck_assert(gate_is_utf8("", 0));
	ck_assert(gate_is_utf8("\"\\\n\t\x01\x7f 0123456789", 17));
}
END_TEST

START_TEST(gate_finds_the_end_of_a_string_at_every_alignment)
{
	static const char *const specials[] = {
		"\xc3\xa9", "\\n", "\\\"", "\\\\", "\x7f", "", "\\ud83d\\ude00"};

	for (size_t s = 0; s < sizeof(specials) / sizeof(specials[0]); s++) {
		for (int before = 0; before < 20; before++) {
			for (int behind = 0; behind < 20; behind++) {
				char text[80] = {0};
				int len = snprintf(text, sizeof(text), "{\"a\":\"%.*s%s%.*s\"}", before,
					"xxxxxxxxxxxxxxxxxxxx", specials[s], behind, "yyyyyyyyyyyyyyyyyyyy");

				ck_assert_int_eq(scan(text, (size_t)len), OK);
				ck_assert_uint_eq(
					tokens[2].len, strlen(specials[s]) + (size_t)(before + behind));
				ck_assert(tokens[2].has_escape == (specials[s][0] == '\\'));
			}
		}
	}
}
END_TEST

START_TEST(gate_accepts_keys_that_differ)
{
	static const char text[] = "{\"op\":1,\"OP\":2,\"o\":3,\"opp\":4,\"\":5,\"a\":{\"op\":6},\"b\":{"
				   "\"op\":7,\"a\":{\"op\":8}}}";

	ck_assert_int_eq(scan(text, sizeof(text) - 1), OK);
}
END_TEST

START_TEST(gate_accepts_integers_up_to_2_53)
{
	static const char text[] = "{\"a\":[0,1,-1,10,9007199254740991,-9007199254740991]}";

	ck_assert_int_eq(scan(text, sizeof(text) - 1), OK);
	ck_assert_uint_eq(token_count, 9);
}
END_TEST

START_TEST(gate_accepts_white_space_between_tokens)
{
	static const char text[] =
		" \t\n{ \t\n\"a\" \t\n: \t\n[ \t\n1 \t\n, \t\n2 \t\n] \t\n, \"b\" : { } \t\n} \t\n";

	ck_assert_int_eq(scan(text, sizeof(text) - 1), OK);
	ck_assert_uint_eq(token_count, 7);
}
END_TEST

START_TEST(gate_describes_every_token)
{
	static const char text[] = "{\"a\":[1,{}], \"b\":\"x\\n\",\"c\":null}";
	static const struct json_token expected[] = {
		{JSON_OBJECT, false, 0, 32, 3, 9},
		{JSON_STRING, false, 2, 1, 0, 2},
		{JSON_ARRAY, false, 5, 6, 2, 5},
		{JSON_INTEGER, false, 6, 1, 0, 4},
		{JSON_OBJECT, false, 8, 2, 0, 5},
		{JSON_STRING, false, 14, 1, 0, 6},
		{JSON_STRING, true, 18, 3, 0, 7},
		{JSON_STRING, false, 24, 1, 0, 8},
		{JSON_NULL, false, 27, 4, 0, 9},
	};

	ck_assert_int_eq(scan(text, sizeof(text) - 1), OK);
	ck_assert_uint_eq(token_count, sizeof(expected) / sizeof(expected[0]));
	for (uint32_t i = 0; i < token_count; i++) {
		ck_assert_int_eq(tokens[i].type, expected[i].type);
		ck_assert(tokens[i].has_escape == expected[i].has_escape);
		ck_assert_uint_eq(tokens[i].start, expected[i].start);
		ck_assert_uint_eq(tokens[i].len, expected[i].len);
		ck_assert_uint_eq(tokens[i].count, expected[i].count);
		ck_assert_uint_eq(tokens[i].next, expected[i].next);
	}
}
END_TEST

/* ---- a second opinion ---- */

static void compare(const struct json_doc *doc, const struct json_token *token, const cJSON *other);

static void compare_members(
	const struct json_doc *doc, const struct json_token *container, const cJSON *other)
{
	const cJSON *child = other->child;

	ck_assert_int_eq(cJSON_GetArraySize(other), (int)container->count);
	for (const struct json_token *t = json_first(doc, container); t != NULL;
		t = json_next(doc, container, t)) {
		ck_assert_ptr_nonnull(child);
		if (container->type == JSON_OBJECT) {
			ck_assert_uint_eq(strlen(child->string), t->len);
			ck_assert_mem_eq(child->string, json_raw(doc, t), t->len);
			/* Neither parser can be led to another member of this name. */
			ck_assert_ptr_eq(cJSON_GetObjectItemCaseSensitive(other, child->string), child);
			ck_assert_ptr_eq(json_member(doc, container, child->string), t + 1);
		}
		compare(doc, container->type == JSON_OBJECT ? t + 1 : t, child);
		child = child->next;
	}
	ck_assert_ptr_null(child);
}

static void compare(const struct json_doc *doc, const struct json_token *token, const cJSON *other)
{
	static const int types[] = {[JSON_OBJECT] = cJSON_Object,
		[JSON_ARRAY] = cJSON_Array,
		[JSON_STRING] = cJSON_String,
		[JSON_INTEGER] = cJSON_Number,
		[JSON_TRUE] = cJSON_True,
		[JSON_FALSE] = cJSON_False,
		[JSON_NULL] = cJSON_NULL};
	char text[4096] = {0};
	size_t len = 0;
	int64_t integer = 0;

	ck_assert_int_eq(other->type & 0xff, types[token->type]);
	if (token->type == JSON_STRING) {
		ck_assert_int_eq(json_text(doc, token, text, sizeof(text), &len), OK);
		ck_assert_uint_eq(strlen(other->valuestring), len);
		ck_assert_mem_eq(other->valuestring, text, len);
		ck_assert(json_equals(doc, token, other->valuestring));
	} else if (token->type == JSON_INTEGER) {
		ck_assert_int_eq(json_integer(doc, token, &integer), OK);
		ck_assert(other->valuedouble == (double)integer);
	} else if (token->type == JSON_OBJECT || token->type == JSON_ARRAY) {
		compare_members(doc, token, other);
	}
}

/* What the gate lets through, the other parser must accept whole and understand in the same way. */
static bool passes_both(const char *text, size_t len)
{
	if (scan(text, len) != OK)
		return false;

	const struct json_doc doc = {.text = text, .tokens = tokens, .count = token_count};
	const char *end = NULL;
	cJSON *other = cJSON_ParseWithLengthOpts(text, len, &end, 0);

	ck_assert_msg(other != NULL, "only the gate accepts: %.*s", (int)len, text);
	while (end < text + len && (*end == ' ' || *end == '\t' || *end == '\n'))
		end++;
	ck_assert_ptr_eq(end, text + len);
	compare(&doc, tokens, other);
	cJSON_Delete(other);
	return true;
}

struct maker {
	struct random random;
	char text[4096];
	size_t len;
};

static void add(struct maker *maker, const char *text)
{
	size_t len = strlen(text);

	if (len <= sizeof(maker->text) - maker->len) {
		memcpy(maker->text + maker->len, text, len);
		maker->len += len;
	}
}

static const char *pick(struct maker *maker, const char *const *from, size_t count)
{
	return from[random_below(&maker->random, (uint32_t)count)];
}

#define PICK(maker, ...) \
	pick(maker, (const char *const[]){__VA_ARGS__}, \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void add_string(struct maker *maker, bool is_key)
{
	add(maker, "\"");
	for (uint32_t i = random_below(&maker->random, 6); i > 0; i--) {
		add(maker, PICK(maker, "a", "b", "op", "id", " ", "\x7f", "\xc3\xa9", "\xe2\x82\xac",
				   "\xf0\x9f\x98\x80", "0123456789"));
		if (!is_key)
			add(maker, PICK(maker, "", "", "\\n", "\\\\", "\\\"", "\\/", "\\u0041", "\\u00e9",
					   "\\u20AC", "\\ud83d\\ude00"));
	}
	add(maker, "\"");
}

static void add_value(struct maker *maker, uint32_t depth)
{
	uint32_t what = random_below(&maker->random, depth < DEPTH_MAX ? 6 : 4);
	bool is_object = what == 5 || depth == 0;

	if (what < 2 && depth > 0) {
		add_string(maker, false);
	} else if (what < 4 && depth > 0) {
		add(maker, PICK(maker, "0", "1", "-1", "12345", "9007199254740991", "-42", "true", "false",
				   "null"));
	} else {
		add(maker, is_object ? "{" : "[");
		for (uint32_t i = 0, count = random_below(&maker->random, 5); i < count; i++) {
			add(maker, i > 0 ? PICK(maker, ",", ", ", " ,") : "");
			if (is_object)
				add_string(maker, true);
			add(maker, is_object ? PICK(maker, ":", ": ", "\t:") : "");
			add_value(maker, depth + 1);
		}
		add(maker, is_object ? "}" : "]");
	}
}

static void mutate(struct maker *maker)
{
	static const char bytes[] = "{}[]\",:\\0123456789.eE+-tfnu \t\n\r\f\0\x01\x7f\x80\xc3\xed\xf4\xff";
	uint32_t at = random_below(&maker->random, (uint32_t)maker->len);
	char byte = bytes[random_below(&maker->random, sizeof(bytes))];
	size_t behind = maker->len - at;

	switch (random_below(&maker->random, 3)) {
	case 0:
		maker->text[at] = byte;
		break;
	case 1:
		memmove(maker->text + at, maker->text + at + 1, behind - 1);
		maker->len--;
		break;
	default:
		if (maker->len == sizeof(maker->text))
			break;
		memmove(maker->text + at + 1, maker->text + at, behind);
		maker->text[at] = byte;
		maker->len++;
	}
}

START_TEST(gate_and_another_parser_agree_on_what_passes)
{
	static struct maker maker = {.random = {.state = 20}};
	int accepted[4] = {0};

	for (int i = 0; i < 12000; i++) {
		maker.len = 0;
		add_value(&maker, 0);
		for (int mutations = i % 4; mutations > 0 && maker.len > 0; mutations--)
			mutate(&maker);
		accepted[i % 4] += passes_both(maker.text, maker.len);
	}
	/* Both answers must be common, or the comparison shows nothing. */
	ck_assert_int_gt(accepted[0], 1000);
	ck_assert_int_gt(accepted[1], 100);
	ck_assert_int_lt(accepted[1], 2500);
	ck_assert_int_gt(accepted[3], 10);
}
END_TEST

UNIT_MAIN("gate", gate_refuses_other_protocols, gate_refuses_a_raw_nul, gate_refuses_bytes_behind_the_object,
	gate_refuses_a_byte_order_mark, gate_refuses_utf_16_and_utf_32,
	gate_refuses_anything_but_an_object_at_the_top, gate_refuses_misplaced_commas_colons_and_brackets,
	gate_refuses_comments_and_the_quoting_of_other_languages, gate_refuses_words_that_are_not_json,
	gate_refuses_malformed_numbers, gate_refuses_fractions_exponents_and_minus_zero,
	gate_refuses_integers_that_a_double_cannot_hold, gate_refuses_a_number_of_60000_digits,
	gate_refuses_white_space_that_is_not_json, gate_refuses_a_carriage_return,
	gate_refuses_every_beginning_of_a_document, gate_refuses_every_control_character_in_a_string,
	gate_refuses_an_escaped_nul, gate_refuses_lone_and_swapped_surrogates, gate_refuses_invalid_utf_8,
	gate_refuses_unknown_escapes, gate_refuses_keys_with_escapes, gate_refuses_duplicate_keys,
	gate_refuses_a_duplicate_among_many_keys, gate_refuses_too_many_levels,
	gate_holds_its_own_limit_of_levels_whatever_the_caller_allows, gate_refuses_too_many_tokens,
	gate_refuses_too_many_keys, gate_refuses_what_is_both_malformed_and_too_complex,
	gate_agrees_with_the_unicode_standard_on_every_code_point,
	gate_finds_the_end_of_a_string_at_every_alignment, gate_accepts_keys_that_differ,
	gate_accepts_integers_up_to_2_53, gate_accepts_white_space_between_tokens, gate_describes_every_token,
	gate_and_another_parser_agree_on_what_passes)
