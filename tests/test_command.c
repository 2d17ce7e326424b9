/* The digest of a command: the bytes of its description, and no two commands with the same. */
#include <string.h>

#include "base64.h"
#include "command.h"
#include "unit.h"
#include "vectors/vectors.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void check_vector(const char *const *arguments, size_t count, const char *expected)
{
	unsigned char digest[COMMAND_DIGEST_BYTES];
	char hex[2 * COMMAND_DIGEST_BYTES + 1] = "";

	command_digest(arguments, count, digest);
	hex_encode(digest, sizeof(digest), hex);
	ck_assert_str_eq(hex, expected);
}

START_TEST(command_keeps_arguments_apart)
{
	static const char *const pairs[][2] = {{"a", "bc"}, {"ab", "c"}, {"", "abc"}, {"abc", ""}};
	unsigned char digests[COUNT(pairs)][COMMAND_DIGEST_BYTES];

	for (size_t i = 0; i < COUNT(pairs); i++)
		command_digest(pairs[i], 2, digests[i]);
	for (size_t i = 0; i < COUNT(pairs); i++) {
		for (size_t j = 0; j < i; j++)
			ck_assert_mem_ne(digests[i], digests[j], COMMAND_DIGEST_BYTES);
	}
}
END_TEST

START_TEST(command_digests_the_bytes_of_its_description)
{
	static const char *const words[] = {"psql", "-c", "select 1"};
	static const char *const shell[] = {"/bin/sh", "-c", "psql -c 'select 1'"};
	static const char *const empty[] = {""};

	check_vector(NULL, 0, VECTOR_COMMAND_NOTHING);
	check_vector(empty, COUNT(empty), VECTOR_COMMAND_EMPTY);
	check_vector(words, COUNT(words), VECTOR_COMMAND_WORDS);
	check_vector(shell, COUNT(shell), VECTOR_COMMAND_SHELL);
}
END_TEST

UNIT_MAIN("command", command_keeps_arguments_apart, command_digests_the_bytes_of_its_description)
