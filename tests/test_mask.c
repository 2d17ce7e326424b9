/* Hiding values in an output: client/cli/mask.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base64.h"
#include "buf.h"
#include "locked.h"
#include "mask.h"
#include "mask_model.h"
#include "random.h"
#include "text.h"
#include "unit.h"

enum { MODEL_ROUNDS = 6000, MODEL_VALUES_MAX = 4, NEVER = 1000 };

/* --wrap: how many calls still succeed. */
static int calls_left = NEVER;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
int __real_mprotect(void *address, size_t len, int protection);
int __wrap_mprotect(void *address, size_t len, int protection);

static bool is_refused(void)
{
	return calls_left != NEVER && calls_left-- == 0;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return is_refused() ? NULL : __real_calloc(count, size);
}

int __wrap_mprotect(void *address, size_t len, int protection)
{
	return is_refused() ? -1 : __real_mprotect(address, len, protection);
}

/* What came out. */
static struct buf seen;

static void on_output(void *arg, const char *bytes, size_t len)
{
	ck_assert_uint_gt(len, 0);
	buf_append(arg, bytes, len);
}

static struct mask *new_mask(void)
{
	struct mask *mask = NULL;

	ck_assert_int_eq(mask_new(&mask), OK);
	return mask;
}

static void add(struct mask *mask, const char *value, size_t len)
{
	ck_assert_int_eq(mask_add(mask, value, len), OK);
}

static struct mask *mask_of(const char *first, const char *second)
{
	struct mask *mask = new_mask();

	add(mask, first, strlen(first));
	if (second != NULL)
		add(mask, second, strlen(second));
	ck_assert_int_eq(mask_build(mask), OK);
	return mask;
}

static struct mask_stream *new_stream(const struct mask *mask)
{
	struct mask_stream *stream = NULL;

	ck_assert_int_eq(mask_stream_new(mask, on_output, &seen, &stream), OK);
	return stream;
}

static void feed(struct mask_stream *stream, const char *text)
{
	mask_feed(stream, text, strlen(text));
}

static void check_seen(const char *expected, size_t len)
{
	ck_assert(!buf_failed(&seen));
	if (seen.len != len || (len > 0 && memcmp(seen.bytes, expected, len) != 0))
		ck_abort_msg("<%.*s> and not <%.*s>", (int)seen.len, seen.bytes, (int)len, expected);
}

/* Nothing more than this has come out up to now. */
static void check_out(const char *expected)
{
	check_seen(expected, strlen(expected));
}

static void forget_seen(void)
{
	buf_clear(&seen);
}

/* Feeds in two pieces and in pieces of one byte. */
static void check_cuts(struct mask_stream *stream, const struct buf *output, const char *expected, size_t len)
{
	for (size_t cut = 0; cut < output->len; cut++) {
		mask_feed(stream, output->bytes, cut);
		mask_feed(stream, output->bytes + cut, output->len - cut);
		mask_flush(stream);
		check_seen(expected, len);
		forget_seen();
	}
	for (size_t i = 0; i < output->len; i++)
		mask_feed(stream, output->bytes + i, 1);
	mask_flush(stream);
	check_seen(expected, len);
	forget_seen();
}

static void check_output(const struct mask *mask, const char *output, const char *expected)
{
	struct mask_stream *stream = new_stream(mask);
	struct buf copy = {0};

	buf_append_string(&copy, output);
	check_cuts(stream, &copy, expected, strlen(expected));
	buf_clear(&copy);
	mask_stream_free(stream);
}

/* ---- refusals ---- */

START_TEST(mask_refuses_a_value_that_is_too_short)
{
	struct mask *mask = new_mask();

	ck_assert_int_eq(mask_add(mask, "", 0), ERR_BAD_VALUE);
	ck_assert_int_eq(mask_add(mask, "seven..", 7), ERR_BAD_VALUE);
	add(mask, "eight...", 8);
	ck_assert_int_eq(mask_build(mask), OK);
	check_output(mask, "seven.. eight...", "seven.. ***");
	mask_free(mask);
}
END_TEST

START_TEST(mask_refuses_more_than_an_environment_holds)
{
	static char value[VALUE_BYTES_MAX + 1];
	struct mask *mask = new_mask();
	size_t total = 0;

	ck_assert_int_eq(mask_add(mask, value, sizeof(value)), ERR_TOO_LARGE);
	for (; total + VALUE_BYTES_MAX <= ENV_SET_BYTES_MAX; total += VALUE_BYTES_MAX)
		add(mask, value, VALUE_BYTES_MAX);
	ck_assert_int_eq(mask_add(mask, value, ENV_SET_BYTES_MAX - total + 1), ERR_TOO_LARGE);
	add(mask, value, ENV_SET_BYTES_MAX - total);
	ck_assert_int_eq(mask_add(mask, value, 8), ERR_TOO_LARGE);
	mask_free(mask);
	mask = new_mask();
	for (size_t i = 0; i < ENV_KEYS_MAX; i++)
		add(mask, value, 8);
	ck_assert_int_eq(mask_add(mask, value, 8), ERR_TOO_LARGE);
	mask_free(mask);
}
END_TEST

static enum err try_all(void)
{
	struct mask *mask = NULL;
	struct mask_stream *stream = NULL;
	enum err err = mask_new(&mask);

	if (err == OK)
		err = mask_add(mask, "correct-horse", 13);
	if (err == OK)
		err = mask_build(mask);
	if (err == OK)
		err = mask_stream_new(mask, on_output, &seen, &stream);
	mask_stream_free(stream);
	mask_free(mask);
	return err;
}

START_TEST(mask_says_when_there_is_no_memory)
{
	int refused = 0;

	for (;; refused++) {
		calls_left = refused;

		enum err err = try_all();

		if (calls_left >= 0) {
			calls_left = NEVER;
			ck_assert_int_eq(err, OK);
			break;
		}
		ck_assert_int_eq(err, ERR_INTERNAL);
	}
	ck_assert_int_eq(refused, 3);
}
END_TEST

/* ---- forms ---- */

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";

static void put_hex(struct buf *out, const char *value, size_t len, const char *digits)
{
	for (size_t i = 0; i < len; i++) {
		buf_append_byte(out, digits[(unsigned char)value[i] >> 4]);
		buf_append_byte(out, digits[value[i] & 15]);
	}
}

static void put_percent(struct buf *out, const char *value, size_t len, const char *digits, bool is_form)
{
	for (size_t i = 0; i < len; i++) {
		if (isalnum((unsigned char)value[i]) || model_is_in(value[i], "-_.~")) {
			buf_append_byte(out, value[i]);
		} else if (is_form && value[i] == ' ') {
			buf_append_byte(out, '+');
		} else {
			buf_append_byte(out, '%');
			put_hex(out, value + i, 1, digits);
		}
	}
}

static void put_base64(struct buf *out, const char *value, size_t len, bool is_url, bool is_padded)
{
	size_t text_len = base64_encoded_len(len);
	char *text = malloc(text_len + 1);

	ck_assert_ptr_nonnull(text);
	base64_encode((const unsigned char *)value, len, text);
	for (size_t i = 0; i < text_len; i++) {
		if (is_url && (text[i] == '+' || text[i] == '/'))
			text[i] = text[i] == '+' ? '-' : '_';
		if (text[i] != '=' || is_padded)
			buf_append_byte(out, text[i]);
	}
	free(text);
}

/* With the letters for what has one, \u00xx for other control characters and, when asked, \/. */
static void put_json(struct buf *out, const char *value, size_t len, const char *digits, bool has_slash)
{
	static const char named[] = "\n\r\t\b\f\"\\/";
	static const char names[] = "nrtbf\"\\/";

	for (size_t i = 0; i < len; i++) {
		const char *at = value[i] == '/' && !has_slash ? NULL : strchr(named, value[i]);

		if (at != NULL && *at != '\0') {
			buf_append_byte(out, '\\');
			buf_append_byte(out, names[at - named]);
		} else if ((unsigned char)value[i] < 0x20) {
			buf_append_string(out, "\\u00");
			put_hex(out, value + i, 1, digits);
		} else {
			buf_append_byte(out, value[i]);
		}
	}
}

enum { FORMS = 14 };

static void put_form(struct buf *out, const char *value, size_t len, int form)
{
	const char *digits = form % 2 == 0 ? hex_lower : hex_upper;

	if (form < 2)
		put_hex(out, value, len, digits);
	else if (form < 6)
		put_percent(out, value, len, digits, form < 4);
	else if (form < 10)
		put_base64(out, value, len, form < 8, form % 2 == 0);
	else if (form < 13)
		put_json(out, value, len, digits, form == 10);
	else
		buf_append(out, value, len);
}

static const char *const awkward_values[] = {
	"correct-horse",
	"p@ss w/rd\"+\\100%41",
	"\\\\n\\u0041//\"\"%%%",
	"+ + + + =/=/?&%20",
	"two lines of\ntext and a\ttab\r\n\x01\x1f\x7f\b\f",
	"\xc3\xbc \xf0\x9f\x98\x80 \xe2\x82\xac",
	"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\x80",
	"==========",
};

START_TEST(mask_hides_each_form_at_every_cut)
{
	for (size_t v = 0; v < sizeof(awkward_values) / sizeof(awkward_values[0]); v++) {
		struct mask *mask = mask_of(awkward_values[v], NULL);
		struct mask_stream *stream = new_stream(mask);

		for (int form = 0; form < FORMS; form++) {
			struct buf output = {0};

			buf_append_string(&output, "it is (");
			put_form(&output, awkward_values[v], strlen(awkward_values[v]), form);
			buf_append_string(&output, ").\n");
			check_cuts(stream, &output, "it is (***).\n", 13);
			buf_clear(&output);
		}
		mask_stream_free(stream);
		mask_free(mask);
	}
}
END_TEST

START_TEST(mask_hides_forms_in_the_spelling_of_any_encoder)
{
	struct mask *mask = mask_of("gr\xc3\xbc\xc3\x9f"
				    "e \xf0\x9f\xa6\x81 \xe2\x82\xac!",
		"p@ss'w$rd x");

	check_output(mask, "\"gr\\u00fc\\u00DFe \\ud83e\\uDd81 \\u20ac!\"", "\"***\"");
	check_output(mask, "'p@ss\\'w\\$rd\\ x'", "'***'");
	check_output(mask, "?a=p@ss'w%24rd+x&b", "?a=***&b");
	check_output(mask, "?a=%70%40%73%73%27%77%24%72%64%20%78", "?a=***");
	check_output(mask, "704073732777247264207d 70407373277724726420780a", "704073732777247264207d ***0a");
	check_output(mask, "7040737327 70407373277724726420780A", "7040737327 ***0A");
	check_output(mask, "0704073732777247264207870", "0***70"); /* at an odd place */
	check_output(mask, "70407373277724726420", "70407373277724726420");
	mask_free(mask);
}
END_TEST

START_TEST(mask_reads_on_where_an_escape_is_none)
{
	struct mask *mask = mask_of("4get \"me\" not", "u00 \"ack\"");

	check_output(mask, "100%4get%20%22me%22%20not", "100%***");
	check_output(mask, "%%4get+%22me%22+not%", "%%***%");
	check_output(mask, "\\u00 \\\"ack\\\"\\", "\\***\\");
	check_output(mask, "\\u0\\u00 \\\"ack\\\"", "\\u0\\***");
	check_output(mask, "%4get", "%4get");
	mask_free(mask);
}
END_TEST

/* The digits that hold bits of the value, and the padding behind them. */
static void expect_base64(
	struct buf *out, const struct buf *encoded, size_t before, size_t len, bool is_followed)
{
	size_t first = before * 8 / 6;
	size_t last = ((before + len) * 8 + 5) / 6;

	buf_append(out, encoded->bytes, first);
	buf_append_string(out, "***");
	while (!is_followed && last < encoded->len && encoded->bytes[last] == '=')
		last++;
	buf_append(out, encoded->bytes + last, encoded->len - last);
}

static void check_base64(struct mask_stream *stream, size_t before, size_t after, int form)
{
	static const char text[] = "abccorrect?>?>horse~~\xff\xffxyz";
	struct buf encoded = {0};
	struct buf expected = {0};
	size_t len = sizeof(text) - 1 - 6;

	put_base64(&encoded, text + 3 - before, before + len + after, form < 2, form % 2 == 0);
	expect_base64(&expected, &encoded, before, len, after > 0);
	check_cuts(stream, &encoded, expected.bytes, expected.len);
	buf_clear(&encoded);
	buf_clear(&expected);
}

START_TEST(mask_hides_base64_at_each_alignment)
{
	struct mask *mask = mask_of("correct?>?>horse~~\xff\xff", NULL);
	struct mask_stream *stream = new_stream(mask);

	for (size_t before = 0; before <= 3; before++)
		for (size_t after = 0; after <= 3; after++)
			for (int form = 0; form < 4; form++)
				check_base64(stream, before, after, form);
	mask_stream_free(stream);

	/* Any digit may be the first, because letters may stand before it. */
	check_output(mask, "xY29ycmVjdD8+Pz5ob3JzZX5+//8=", "x***");
	check_output(mask, "xxY29ycmVjdD8-Pz5ob3JzZX5-__8===", "xx***=");
	check_output(mask, "xxxY29ycmVjdD8+Pz5ob3JzZX5+//8 =", "xxx*** =");
	check_output(mask, "=Y29ycmVjdD8+Pz5ob3JzZX5+//7=", "=Y29ycmVjdD8+Pz5ob3JzZX5+//7=");
	mask_free(mask);
}
END_TEST

static void put_in_lines(struct buf *out, const struct buf *text, size_t width, const char *line_break)
{
	for (size_t i = 0; i < text->len; i++) {
		if (i > 0 && i % width == 0)
			buf_append_string(out, line_break);
		buf_append_byte(out, text->bytes[i]);
	}
}

START_TEST(mask_hides_base64_in_lines)
{
	static const char value[] = "-----correct horse battery staple----";
	struct mask *mask = mask_of(value, NULL);
	struct mask_stream *stream = new_stream(mask);
	struct buf encoded = {0};

	put_base64(&encoded, value, strlen(value), false, false);
	for (size_t width = 1; width < encoded.len; width++) {
		for (int is_terminal = 0; is_terminal < 2; is_terminal++) {
			struct buf output = {0};

			put_in_lines(&output, &encoded, width, is_terminal ? "\r\n" : "\n");
			check_cuts(stream, &output, "***", 3);
			buf_clear(&output);
		}
	}
	buf_clear(&encoded);
	mask_stream_free(stream);
	/* Three breaks in a row end it. */
	check_output(mask, "LS0tLS1jb3JyZWN0IGhvcnNlIGJhdHRl\n\ncnkgc3RhcGxlLS0tLQ", "***");
	check_output(mask, "LS0tLS1jb3JyZWN0IGhvcnNlIGJhdHRl\n\n\ncnkgc3RhcGxlLS0tLQ",
		"LS0tLS1jb3JyZWN0IGhvcnNlIGJhdHRl\n\n\ncnkgc3RhcGxlLS0tLQ");
	mask_free(mask);
}
END_TEST

/* ---- lines ---- */

START_TEST(mask_hides_each_line_of_a_value)
{
	struct mask *mask = mask_of("first line\nshort\r\n   {\n\tthird line  \n        \n}", NULL);

	check_output(mask, "first line, third line", "***, ***");
	check_output(mask, "short {\n        \n}", "short {\n        \n}");
	check_output(mask, "  third line\n", "  ***\n");
	check_output(mask, "dGhpcmQgbGluZQ==", "***");
	check_output(mask, "first line\nshort\r\n   {\n\tthird line  \n        \n}!", "***!");
	check_output(mask, "first line\nshort\r\n   {\n\tthird line  \n        \n]",
		"***\nshort\r\n   {\n\t***  \n        \n]");
	mask_free(mask);
}
END_TEST

START_TEST(mask_hides_what_a_terminal_makes_of_a_value)
{
	struct mask *mask = mask_of("one\ntwo\nthree\n\n", "a\nb\nc\n\n\n\n");

	check_output(mask, "one\r\ntwo\r\nthree\r\n\r\n", "***");
	check_output(mask, "one\r\ntwo\r\nthree\r\n", "***\r\n");
	check_output(mask, "one\ntwo\nthree", "***");
	check_output(mask, "a\nb\nc\n\n\n\n", "***");
	check_output(mask, "a\nb\nc", "a\nb\nc"); /* too short without its end */
	mask_free(mask);
}
END_TEST

/* ---- several values ---- */

START_TEST(mask_leaves_other_output_alone)
{
	static char output[100000];
	struct mask *mask = mask_of("correct-horse", NULL);
	struct mask *empty = new_mask();
	struct mask_stream *stream = new_stream(mask);
	struct random random = {.state = 7};

	for (size_t i = 0; i < sizeof(output); i++)
		output[i] = (char)random_next(&random);
	mask_feed(stream, output, sizeof(output));
	mask_feed(stream, output, 0);
	mask_flush(stream);
	check_seen(output, sizeof(output));
	forget_seen();
	mask_stream_free(stream);
	check_output(mask, "correct-hors correct-horsf *** ", "correct-hors correct-horsf *** ");
	ck_assert_int_eq(mask_build(empty), OK);
	check_output(empty, "correct-horse%", "correct-horse%");
	mask_free(empty);
	mask_free(mask);
}
END_TEST

START_TEST(mask_hides_all_of_overlapping_values)
{
	static const struct {
		const char *first;
		const char *second;
		const char *output;
		const char *expected;
	} cases[] = {
		{"correct-horse", "correct-horse-battery", "<correct-horse-battery>",
			"<***>"}, /* beginning */
		{"correct-horse", "correct-horse-battery", "<correct-horse-batterx>", "<***-batterx>"},
		{"horse-battery", "correct-horse-battery", "<correct-horse-battery>", "<***>"}, /* end */
		{"horse-battery", "correct-horse-battery", "<dorrect-horse-battery>", "<dorrect-***>"},
		{"ct-horse-b", "correct-horse-battery", "<correct-horse-battery>", "<***>"}, /* middle */
		{"ct-horse-b", "correct-horse-battery", "<correct-horse-batter>", "<corre***atter>"},
		{"correct-horse", "horse-battery", "<correct-horse-battery>", "<***>"}, /* overlapping */
		{"correct-horse", "horse-battery", "<correct-horsehorse-battery>", "<***>"}, /* touching */
		{"correct-horse", "horse-battery", "<correct-horse horse-battery>", "<*** ***>"},
		{"abcabcabc", NULL, "<abcabcabcabcabc>", "<***>"}, /* itself */
		{"aaaaaaaa", "aaaaaaaaaaaab", "<aaaaaaaaaaab>", "<***b>"},
		{"correct-horse", "7072652d636f727265", "<7072652d636f72726563742d686f727365>",
			"<***>"}, /* forms */
		{"***-***-***", "correct-horse", "***-***-***correct-horse", "***"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mask *mask = mask_of(cases[i].first, cases[i].second);

		check_output(mask, cases[i].output, cases[i].expected);
		mask_free(mask);
	}
}
END_TEST

/* ---- against the model ---- */

struct round {
	struct random random;
	struct buf values[MODEL_VALUES_MAX];
	size_t value_count;
	const char *alphabet;
	struct buf output;
};

static void put_random(struct round *round, struct buf *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_append_byte(out,
			round->alphabet[random_below(&round->random, (uint32_t)strlen(round->alphabet))]);
}

/* A piece of a value, or all of it. */
static void put_piece(struct round *round, struct buf *out, const struct buf *value)
{
	uint32_t first = random_below(&round->random, 3) > 0 ? 0 : random_below(&round->random, 6);
	uint32_t len = (uint32_t)value->len - first;

	if (random_below(&round->random, 3) == 0)
		len -= random_below(&round->random, len);
	put_form(out, value->bytes + first, len, (int)random_below(&round->random, FORMS + 4));
}

static void make_values(struct round *round)
{
	round->value_count = 1 + random_below(&round->random, MODEL_VALUES_MAX);
	for (size_t i = 0; i < round->value_count; i++) {
		struct buf *value = &round->values[i];

		/* Often one that shares its beginning, middle or end with another. */
		if (i > 0 && random_below(&round->random, 2) == 0)
			put_random(round, value, random_below(&round->random, 4));
		if (i > 0 && random_below(&round->random, 2) == 0)
			buf_append(value, round->values[i - 1].bytes, round->values[i - 1].len);
		put_random(round, value, random_below(&round->random, 4));
		while (value->len < MASK_VALUE_BYTES_MIN)
			put_random(round, value, 1 + random_below(&round->random, 8));
	}
}

static void make_output(struct round *round)
{
	uint32_t pieces = 1 + random_below(&round->random, 8);

	for (uint32_t i = 0; i < pieces; i++) {
		put_random(round, &round->output, random_below(&round->random, 5));
		put_piece(round, &round->output,
			&round->values[random_below(&round->random, (uint32_t)round->value_count)]);
	}
	put_random(round, &round->output, random_below(&round->random, 5));
}

static void feed_round(struct round *round, struct mask_stream *stream)
{
	const struct buf *output = &round->output;
	uint32_t longest = 1 + random_below(&round->random, 12);

	for (size_t at = 0; at < output->len;) {
		size_t len = 1 + random_below(&round->random, longest);

		if (len > output->len - at)
			len = output->len - at;
		mask_feed(stream, output->bytes + at, len);
		at += len;
	}
	mask_flush(stream);
}

static void play_round(struct round *round)
{
	struct mask *mask = new_mask();
	struct model model = {0};

	make_values(round);
	make_output(round);
	for (size_t i = 0; i < round->value_count; i++) {
		add(mask, round->values[i].bytes, round->values[i].len);
		model_value(&model, round->values[i].bytes, round->values[i].len);
	}
	ck_assert_int_eq(mask_build(mask), OK);

	struct mask_stream *stream = new_stream(mask);
	struct model_text expected = model_mask(&model, round->output.bytes, round->output.len);

	feed_round(round, stream);
	check_seen(expected.bytes, expected.len);
	forget_seen();
	free(expected.bytes);
	model_free(&model);
	mask_stream_free(stream);
	mask_free(mask);
}

START_TEST(mask_agrees_with_a_model)
{
	static const char *const alphabets[] = {"ab", "aab", "a\n", "ab\r\n ", "a%4", "a %+2", "a\\\"n",
		"u0\\1", "61", "a/\\u", "YWFh", "A=/", "\xc3\xa9", "\xf0\x9f\x98\x80"};
	struct round round = {.random = {.state = 1}};

	for (int i = 0; i < MODEL_ROUNDS; i++) {
		round.alphabet = alphabets[(size_t)i % (sizeof(alphabets) / sizeof(alphabets[0]))];
		play_round(&round);
		for (size_t v = 0; v < MODEL_VALUES_MAX; v++)
			buf_clear(&round.values[v]);
		buf_clear(&round.output);
	}
}
END_TEST

/* ---- what is held back ---- */

START_TEST(mask_holds_back_only_what_may_go_on)
{
	static const struct {
		const char *output;
		const char *out; /* before the end */
	} cases[] = {
		{"hello, world ", "hello, world "},
		{"hello, world", "hello, worl"}, /* d could be the end of a base64 digit's neighbour */
		{"hello!\n", "hello!\n"},
		{"x correct-hors", "x "},
		{"x correct-hort ", "x correct-hort "},
		{"x correct-correct", "x correct-"},
		{"x correct-horse", "x ***"},
		{"x correct-horse-batt", "x ***"},
		{"x correct-horse-batt ", "x ***-batt "},
		{"x 636f7", "x "},
		{"x 63g ", "x 63g "},
		{"x Y29", "x "},
		{"100%", "100"},
		{"100%6", "100"},
		{"C:\\", "C:"},
	};
	struct mask *mask = mask_of("correct-horse", "correct-horse-battery");

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mask_stream *stream = new_stream(mask);

		feed(stream, cases[i].output);
		check_out(cases[i].out);
		forget_seen();
		mask_stream_free(stream);
	}
	mask_free(mask);
}
END_TEST

START_TEST(mask_flush_lets_go_what_is_held_and_begins_anew)
{
	struct mask *mask = mask_of("correct-horse", "correct-horse-battery");
	struct mask_stream *stream = new_stream(mask);

	mask_flush(stream);
	check_out("");
	feed(stream, "correct-hor");
	mask_flush(stream);
	check_out("correct-hor");
	feed(stream, "se, correct-horse-bat");
	mask_flush(stream);
	check_out("correct-horse, ***-bat");
	feed(stream, "tery\ncorrect-horse");
	mask_flush(stream);
	feed(stream, "correct-horse\n");
	check_out("correct-horse, ***-battery\n******\n");
	forget_seen();
	mask_stream_free(stream);
	mask_free(mask);
}
END_TEST

START_TEST(mask_streams_do_not_mix)
{
	struct mask *mask = mask_of("correct-horse", NULL);
	struct mask_stream *first = new_stream(mask);
	struct mask_stream *second = new_stream(mask);

	feed(first, "correct-");
	feed(second, "horse ");
	feed(first, "horse ");
	feed(second, "correct-horse ");
	check_out("horse *** *** ");
	forget_seen();
	mask_stream_free(first);
	mask_stream_free(second);
	mask_free(mask);
}
END_TEST

/* ---- idle ---- */

START_TEST(mask_idle_keeps_a_longer_beginning_of_a_value)
{
	struct mask *mask = mask_of("correct-horse", NULL);
	struct mask_stream *stream = new_stream(mask);

	feed(stream, "Password: corr");
	ck_assert(!mask_is_waiting(stream));
	mask_idle(stream);
	check_out("Password: ");
	feed(stream, "ect-horse\n");
	check_out("Password: ***\n");
	forget_seen();
	mask_stream_free(stream);
	mask_free(mask);
}
END_TEST

/* A program that writes a value byte by byte, and slowly. */
START_TEST(mask_idle_never_lets_more_than_three_bytes_go_in_any_form)
{
	static const char value[] = "c%/\\\"o\x01 rrect/horse";
	struct mask *mask = mask_of(value, NULL);

	for (int form = 0; form < FORMS; form++) {
		struct mask_stream *stream = new_stream(mask);
		struct buf output = {0};
		struct buf four = {0};

		put_form(&output, value, strlen(value), form);
		put_form(&four, value, MASK_IDLE_BYTES_MAX + 1, form);
		for (size_t i = 0; i < output.len; i++) {
			mask_feed(stream, output.bytes + i, 1);
			mask_idle(stream);
			ck_assert(!mask_is_waiting(stream));
		}
		ck_assert_uint_lt(seen.len, four.len + 3);
		ck_assert_int_eq(memcmp(seen.bytes, output.bytes, seen.len - 3), 0);
		ck_assert_int_eq(memcmp(seen.bytes + seen.len - 3, "***", 3), 0);
		forget_seen();
		buf_clear(&output);
		buf_clear(&four);
		mask_stream_free(stream);
	}
	mask_free(mask);
}
END_TEST

START_TEST(mask_idle_lets_a_prompt_go_and_hides_the_rest)
{
	struct mask *mask = mask_of("correct-horse", "Zorro-Zorro");
	struct mask_stream *stream = new_stream(mask);

	ck_assert(!mask_is_waiting(stream));
	feed(stream, "Quit? [Y/n] cor");
	check_out("Quit? [Y/n] ");
	ck_assert(mask_is_waiting(stream));
	mask_idle(stream);
	ck_assert(!mask_is_waiting(stream));
	check_out("Quit? [Y/n] cor");
	feed(stream, "rect-horse cor");
	check_out("Quit? [Y/n] cor*** ");
	mask_idle(stream);
	feed(stream, "rects\n");
	check_out("Quit? [Y/n] cor*** corrects\n");
	forget_seen();

	/* A line that ends like base64 of a beginning, as a terminal ends it. */
	feed(stream, "all 25 tests Wm9\r\n");
	check_out("all 25 tests ");
	mask_idle(stream);
	check_out("all 25 tests Wm9\r\n");
	feed(stream, "ycm8tWm9ycm8=\n");
	check_out("all 25 tests Wm9\r\n***\n");
	forget_seen();
	mask_stream_free(stream);
	mask_free(mask);
}
END_TEST

/* ---- sizes ---- */

static void feed_in_pieces(struct mask_stream *stream, const struct buf *output)
{
	for (size_t at = 0; at < output->len; at += 1999)
		mask_feed(stream, output->bytes + at, output->len - at < 1999 ? output->len - at : 1999);
}

static void make_long_value(char *value)
{
	struct random random = {.state = 3};

	for (size_t i = 0; i < VALUE_BYTES_MAX; i++)
		value[i] = (char)(1 + random_below(&random, 9));
}

static void check_long_form(struct mask_stream *stream, const struct buf *form, size_t last_unit)
{
	feed_in_pieces(stream, form);
	check_out("***");
	mask_flush(stream);
	check_out("***");
	forget_seen();

	/* All of it is held until its last unit, and given back when that is another one. */
	mask_feed(stream, form->bytes, form->len - last_unit);
	check_out("");
	feed(stream, "??");
	ck_assert_uint_eq(seen.len, form->len - last_unit + 2);
	ck_assert_int_eq(memcmp(seen.bytes, form->bytes, form->len - last_unit), 0);
	mask_flush(stream);
	forget_seen();
}

static void check_long_value(const char *value, size_t len)
{
	struct mask *mask = new_mask();
	struct buf escaped = {0};
	struct buf encoded = {0};
	struct buf lines = {0};

	add(mask, value, len);
	ck_assert_int_eq(mask_build(mask), OK);

	struct mask_stream *stream = new_stream(mask);

	for (size_t i = 0; i < len; i++) {
		buf_append_string(&escaped, "\\u00");
		put_hex(&escaped, value + i, 1, hex_lower);
	}
	put_base64(&encoded, value, len, false, true);
	put_in_lines(&lines, &encoded, 1, "\r\n");
	check_long_form(stream, &escaped, 6);
	check_long_form(stream, &lines, 1);
	buf_clear(&escaped);
	buf_clear(&encoded);
	buf_clear(&lines);
	mask_stream_free(stream);
	mask_free(mask);
}

START_TEST(mask_holds_long_values_in_their_longest_forms)
{
	static char value[VALUE_BYTES_MAX];

	make_long_value(value);
	check_long_value(value, VALUE_BYTES_MAX);
	check_long_value(value, 15000); /* another share of the next power of two */
}
END_TEST

/* Trying a value at every place anew would take hours. */
START_TEST(mask_takes_no_longer_for_hostile_output)
{
	enum { LEN = 1 << 20 };
	static char value[VALUE_BYTES_MAX];
	static char output[LEN];
	struct mask *mask = new_mask();

	memset(value, 'a', sizeof(value));
	memset(output, 'a', sizeof(output));
	value[sizeof(value) - 1] = 'b';
	output[LEN - 1] = 'b';
	add(mask, value, sizeof(value));
	ck_assert_int_eq(mask_build(mask), OK);

	struct mask_stream *stream = new_stream(mask);

	mask_feed(stream, output, sizeof(output));
	ck_assert_uint_eq(seen.len, LEN - sizeof(value) + 3);
	ck_assert_int_eq(memcmp(seen.bytes + seen.len - 4, "a***", 4), 0);
	forget_seen();
	mask_stream_free(stream);
	mask_free(mask);
}
END_TEST

/* A full environment of many lines: every table is as full as it gets. */
START_TEST(mask_takes_a_full_environment_of_short_lines)
{
	static char values[ENV_SET_BYTES_MAX / VALUE_BYTES_MAX][VALUE_BYTES_MAX];
	enum { COUNT = sizeof(values) / sizeof(values[0]) };
	struct mask *mask = new_mask();
	struct random random = {.state = 5};

	for (size_t v = 0; v < COUNT; v++) {
		for (size_t i = 0; i < VALUE_BYTES_MAX; i++)
			values[v][i] = i % 9 == 8 ? '\n' : (char)('a' + random_below(&random, 26));
		add(mask, values[v], VALUE_BYTES_MAX);
	}
	ck_assert_int_eq(mask_build(mask), OK);

	struct mask_stream *stream = new_stream(mask);

	for (size_t v = 0; v < COUNT; v++) {
		mask_feed(stream, values[v] + 9 * v, 8);
		feed(stream, "!");
		mask_feed(stream, values[v], VALUE_BYTES_MAX);
		feed(stream, "!");
	}
	for (size_t i = 0; i < seen.len; i += 4)
		ck_assert_int_eq(memcmp(seen.bytes + i, "***!", 4), 0);
	ck_assert_uint_eq(seen.len, (size_t)COUNT * 8);
	forget_seen();
	mask_stream_free(stream);
	mask_free(mask);
}
END_TEST

/* ---- P1 ---- */

/* Another text than the value, so that this file holds no copy of it. */
static const char turned[] = "dpssfdu.ipstf.cbuufsz.tubqmf";

static void turn_back(char *out)
{
	for (size_t i = 0; i < sizeof(turned) - 1; i++)
		out[i] = (char)(turned[i] - 1);
}

static bool holds_value(const char *bytes, size_t len)
{
	enum { LEN = 16 };
	const char *end = bytes + len;

	for (const char *at = bytes; end - at >= LEN; at++) {
		size_t same = 0;

		at = memchr(at, turned[0] - 1, (size_t)(end - at));
		if (at == NULL || end - at < LEN)
			return false;
		while (same < LEN && at[same] == turned[same] - 1)
			same++;
		if (same == LEN)
			return true;
	}
	return false;
}

/* Through the kernel, because a sanitizer forbids to look at much of it. */
static bool range_holds_value(int memory, unsigned long start, unsigned long end)
{
	static char block[65536];
	bool is_found = false;

	for (unsigned long at = start; at < end && !is_found; at += sizeof(block) - 64) {
		size_t want = end - at < sizeof(block) ? end - at : sizeof(block);
		ssize_t got = pread(memory, block, want, (off_t)at);

		if (got <= 0)
			return false;
		is_found = holds_value(block, (size_t)got);
	}
	memset(block, 0, sizeof(block));
	return is_found;
}

/* Whether the value stands in writable memory that is not locked.  Shadow memory of a sanitizer holds none. */
static bool is_in_ordinary_memory(void)
{
	enum { LEN_MAX = 256 << 20 };
	FILE *maps = fopen("/proc/self/smaps", "re");
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	char line[512];
	char access[5] = "";
	unsigned long start = 0;
	unsigned long end = 0;
	bool is_found = false;

	ck_assert(maps != NULL && memory >= 0);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long first = 0;
		unsigned long last = 0;

		if (sscanf(line, "%lx-%lx %4s", &first, &last, access) == 3) {
			start = first;
			end = last;
		}
		if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " lo") == NULL && access[1] == 'w' &&
			end - start <= LEN_MAX)
			is_found |= range_holds_value(memory, start, end);
	}
	fclose(maps);
	close(memory);
	return is_found;
}

static void count_output(void *arg, const char *bytes, size_t len)
{
	(void)bytes;
	*(size_t *)arg += len;
}

/* P1 */
START_TEST(mask_keeps_values_in_locked_memory_only)
{
	enum { LEN = sizeof(turned) - 1, HELD = LEN - 2 };
	struct locked locked = {0};
	struct mask *mask = new_mask();
	struct mask_stream *stream = NULL;
	size_t out = 0;

	ck_assert_int_eq(locked_map(LEN, false, &locked), OK);
	turn_back((char *)locked.bytes);
	add(mask, (const char *)locked.bytes, LEN);
	ck_assert_int_eq(mask_build(mask), OK);
	ck_assert_int_eq(mask_stream_new(mask, count_output, &out, &stream), OK);
	mask_feed(stream, (const char *)locked.bytes, HELD);
	ck_assert(!is_in_ordinary_memory());
	mask_feed(stream, (const char *)locked.bytes + HELD, LEN - HELD);
	mask_feed(stream, (const char *)locked.bytes, HELD);
	mask_flush(stream);
	ck_assert_uint_eq(out, 3 + HELD);
	ck_assert(!is_in_ordinary_memory());
	mask_stream_free(stream);
	mask_free(mask);
	ck_assert(!is_in_ordinary_memory());

	/* The search finds what is there. */
	char *copy = malloc(LEN);

	ck_assert_ptr_nonnull(copy);
	turn_back(copy);
	ck_assert(is_in_ordinary_memory());
	wipe(copy, LEN);
	free(copy);
	locked_unmap(&locked);
}
END_TEST

UNIT_MAIN("mask", mask_refuses_a_value_that_is_too_short, mask_refuses_more_than_an_environment_holds,
	mask_says_when_there_is_no_memory, mask_leaves_other_output_alone,
	mask_idle_keeps_a_longer_beginning_of_a_value,
	mask_idle_never_lets_more_than_three_bytes_go_in_any_form, mask_holds_back_only_what_may_go_on,
	mask_flush_lets_go_what_is_held_and_begins_anew, mask_streams_do_not_mix,
	mask_takes_no_longer_for_hostile_output, mask_takes_a_full_environment_of_short_lines,
	mask_holds_long_values_in_their_longest_forms, mask_keeps_values_in_locked_memory_only,
	mask_hides_each_form_at_every_cut, mask_hides_forms_in_the_spelling_of_any_encoder,
	mask_reads_on_where_an_escape_is_none, mask_hides_base64_at_each_alignment,
	mask_hides_base64_in_lines, mask_hides_each_line_of_a_value,
	mask_hides_what_a_terminal_makes_of_a_value, mask_hides_all_of_overlapping_values,
	mask_idle_lets_a_prompt_go_and_hides_the_rest, mask_agrees_with_a_model)
