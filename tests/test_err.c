/* The table of errors: what clients, scripts and exit codes rely on. */
#include <string.h>

#include "err.h"
#include "unit.h"

START_TEST(err_of_a_word_nobody_knows_is_protocol)
{
	static const char *const words[] = {"", "denie", "deniedd", "Denied", "ok", "no such word"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		ck_assert_int_eq(err_from_word(words[i], strlen(words[i])), ERR_PROTOCOL);
	ck_assert_int_eq(err_from_word("denied", 5), ERR_PROTOCOL);
}
END_TEST

START_TEST(err_lookups_survive_a_number_that_is_no_error)
{
	ck_assert_str_eq(err_word((enum err)ERR_COUNT), "internal");
	ck_assert_str_eq(err_word((enum err) - 1), "internal");
	ck_assert_int_eq(err_exit_code((enum err)1000), 70);
}
END_TEST

START_TEST(err_numbers_and_texts_are_unique)
{
	for (int i = OK; i < ERR_COUNT; i++) {
		for (int j = i + 1; j < ERR_COUNT; j++) {
			ck_assert_int_ne(err_number((enum err)i), err_number((enum err)j));
			ck_assert_str_ne(err_text((enum err)i), err_text((enum err)j));
		}
	}
}
END_TEST

START_TEST(err_words_lead_back_to_the_first_row_that_has_them)
{
	for (int i = OK + 1; i < ERR_COUNT; i++) {
		const char *word = err_word((enum err)i);
		enum err first = err_from_word(word, strlen(word));

		ck_assert_int_le(first, i);
		ck_assert_str_eq(err_word(first), word);
	}
	ck_assert_int_eq(err_from_word("bad_request", strlen("bad_request")), ERR_BAD_REQUEST);
	ck_assert_int_eq(err_from_word("sealed", strlen("sealed")), ERR_SEALED);
}
END_TEST

START_TEST(err_words_are_plain_and_exit_codes_are_codes)
{
	for (int i = OK + 1; i < ERR_COUNT; i++) {
		const char *word = err_word((enum err)i);

		ck_assert_uint_gt(strlen(word), 0);
		ck_assert_uint_eq(strspn(word, "abcdefghijklmnopqrstuvwxyz_"), strlen(word));
		ck_assert_int_ge(err_exit_code((enum err)i), 64);
		ck_assert_int_le(err_exit_code((enum err)i), 78);
	}
}
END_TEST

START_TEST(err_codes_are_those_of_json_rpc)
{
	ck_assert_int_eq(err_rpc_code(ERR_BAD_JSON), -32700);
	ck_assert_int_eq(err_rpc_code(ERR_BAD_REQUEST), -32600);
	ck_assert_int_eq(err_rpc_code(ERR_UNKNOWN_METHOD), -32601);
	ck_assert_int_eq(err_rpc_code(ERR_BAD_PARAMS), -32602);
	ck_assert_int_eq(err_rpc_code(ERR_DENIED), -32010);
	ck_assert_int_eq(err_rpc_code(ERR_INTERNAL), -32031);
}
END_TEST

START_TEST(err_of_success_is_ok)
{
	ck_assert_str_eq(err_word(OK), "ok");
	ck_assert_int_eq(err_number(OK), 0);
	ck_assert_int_eq(err_exit_code(OK), 0);
	ck_assert_int_eq(err_rpc_code(OK), 0);
	ck_assert_int_eq(err_class(ERR_DENIED), ERR_CLASS_CLIENT);
	ck_assert_int_eq(err_class(ERR_SEALED), ERR_CLASS_RETRY);
	ck_assert_int_eq(err_class(ERR_STORAGE), ERR_CLASS_SERVER);
	ck_assert_int_eq(err_class(ERR_TIMEOUT), ERR_CLASS_LOCAL);
}
END_TEST

UNIT_MAIN("err", err_of_a_word_nobody_knows_is_protocol, err_lookups_survive_a_number_that_is_no_error,
	err_numbers_and_texts_are_unique, err_words_lead_back_to_the_first_row_that_has_them,
	err_words_are_plain_and_exit_codes_are_codes, err_codes_are_those_of_json_rpc, err_of_success_is_ok)
