/* The text of a token: one token, one text; what is cut off, mistyped or made up is found out (P1: without a copy). */
#include <string.h>

#include "base64.h"
#include "random.h"
#include "token.h"
#include "unit.h"
#include "vectors/vectors.h"

static const unsigned char secret[TOKEN_SECRET_BYTES] = "0123456789abcdef0123456789ABCDEF";

static enum err read_text(const char *text, uint64_t *id_out, unsigned char *secret_out)
{
	return token_read(text, strlen(text), id_out, secret_out);
}

START_TEST(token_refuses_every_shorter_text_and_every_changed_byte)
{
	char text[TOKEN_TEXT_MAX + 1] = {0};
	size_t len = token_write(123456, secret, text);
	uint64_t id = 0;

	for (size_t i = 0; i < len; i++)
		ck_assert_int_eq(token_read(text, i, &id, NULL), ERR_BAD_VALUE);
	for (size_t i = 0; i < len; i++) {
		for (int change = 1; change < 256; change++) {
			text[i] ^= (char)change;
			ck_assert_msg(
				token_read(text, len, &id, NULL) == ERR_BAD_VALUE, "byte %zu, %d", i, change);
			text[i] ^= (char)change;
		}
	}
	ck_assert_uint_eq(id, 0);
	ck_assert_int_eq(token_read(text, len, &id, NULL), OK);
}
END_TEST

/* The checksum of all before the last eight digits is right in each. */
START_TEST(token_refuses_other_forms_even_with_the_right_checksum)
{
	static const char *const texts[] = {
		"coffer_0_0000000000000000000000000000000000000000000000000000_6c8133a2",
		"coffer_01_0000000000000000000000000000000000000000000000000000_cd5da464",
		"coffer__0000000000000000000000000000000000000000000000000000_1f5d3b42",
		"coffer_-1_0000000000000000000000000000000000000000000000000000_e1947e36",
		"coffer_+1_0000000000000000000000000000000000000000000000000000_2d9dd456",
		"coffer_ 1_0000000000000000000000000000000000000000000000000000_80f59fa7",
		"coffer_1x_0000000000000000000000000000000000000000000000000000_8abc9ef2",
		"coffer_9007199254740992_0000000000000000000000000000000000000000000000000000_35929610",
		"coffer_18446744073709551617_0000000000000000000000000000000000000000000000000000_76ae6033",
		"Coffer_1_000g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfg_70b31834",
		"coffee_1_000g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfg_9b28cb89",
		"coffer_1_000G40R40M30E209185GR38E1W8124GK2GAHC5RR34D1P70X3RFG_9dd91914",
		"coffer_1_000g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rf_e0c16b32",
		"coffer_1_000g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfg0_7aacd353",
		"coffer_1_000g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfh_595c960c",
		"coffer_1_i00g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfg_db3b3abb",
		"coffer_1_l00g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfg_ceb530c3",
		"coffer_1_o00g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfg_74e034d4",
		"coffer_1_u00g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfg_7586ffb1",
		"coffer_1__00g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfg_0a6f546b",
		"coffer_1_000g40r40m30e209185g 38e1w8124gk2gahc5rr34d1p70x3rfg_991a53c5",
		"coffer_1_000g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfg_C9E38B9D",
		"coffer_1_000g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfg_c9e38b9d\n",
		" coffer_1_000g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfg_c9e38b9d",
		"",
		"coffer_1_000g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfg",
	};
	unsigned char out[TOKEN_SECRET_BYTES] = "untouched";
	uint64_t id = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(read_text(texts[i], &id, out) == ERR_BAD_VALUE, "%s", texts[i]);
	ck_assert_uint_eq(id, 0);
}
END_TEST

START_TEST(token_that_is_refused_leaves_nothing_of_its_secret)
{
	/* its last digit has a bit too many */
	static const char text[] = "coffer_1_000g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfh_595c960c";
	static const unsigned char nothing[TOKEN_SECRET_BYTES];
	unsigned char out[TOKEN_SECRET_BYTES] = {0};
	uint64_t id = 0;

	ck_assert_int_eq(read_text(text, &id, out), ERR_BAD_VALUE);
	ck_assert_mem_eq(out, nothing, sizeof(out));
}
END_TEST

START_TEST(token_agrees_with_another_implementation)
{
#define ROW(number, hex, text) {number, hex, text},
	static const struct {
		uint64_t id;
		const char *hex, *text;
	} rows[] = {VECTOR_TOKENS(ROW)};
#undef ROW

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned char wanted[TOKEN_SECRET_BYTES] = {0};
		unsigned char got[TOKEN_SECRET_BYTES] = {0};
		char text[TOKEN_TEXT_MAX + 1] = {0};
		uint64_t id = 0;

		ck_assert_int_eq(hex_decode(rows[i].hex, 64, wanted, sizeof(wanted)), OK);
		ck_assert_uint_eq(token_write(rows[i].id, wanted, text), strlen(rows[i].text));
		ck_assert_str_eq(text, rows[i].text);
		ck_assert_int_eq(read_text(text, &id, got), OK);
		ck_assert_uint_eq(id, rows[i].id);
		ck_assert_mem_eq(got, wanted, sizeof(got));
	}
}
END_TEST

START_TEST(token_comes_back_as_it_was_written)
{
	struct random random = {.state = 5};

	for (size_t i = 0; i < 20000; i++) {
		unsigned char made[TOKEN_SECRET_BYTES] = {0};
		unsigned char got[TOKEN_SECRET_BYTES] = {0};
		char text[TOKEN_TEXT_MAX] = {0};
		uint64_t id = 0;
		uint64_t wanted = 1 + random_below(&random, 1u << 20);

		for (size_t j = 0; j < sizeof(made); j++)
			made[j] = (unsigned char)random_below(&random, 256);

		size_t len = token_write(wanted, made, text);

		ck_assert_int_eq(token_read(text, len, &id, got), OK);
		ck_assert_uint_eq(id, wanted);
		ck_assert_mem_eq(got, made, sizeof(got));
	}
}
END_TEST

UNIT_MAIN("token", token_refuses_every_shorter_text_and_every_changed_byte,
	token_refuses_other_forms_even_with_the_right_checksum,
	token_that_is_refused_leaves_nothing_of_its_secret, token_agrees_with_another_implementation,
	token_comes_back_as_it_was_written)
