/* Words for a shell: it reads back the very bytes, and the filter before the terminal leaves them alone. */
#include <stdio.h>
#include <string.h>

#include "quote.h"
#include "tty_text.h"
#include "unit.h"

static const char *const words[] = {"", "plain", "a b", "it's", "'", "''", "\"", "$HOME `id` $(id)", "a\\b",
	"\\x41", "\\\\x41\\x", "printf '\\x41'", "*?[a]", "~", "-n", "#", "a;b&c|d>e", "!", "\xc3\xa9", "=",
	"a=b", "\t", "{a,b}"};

enum { WORD_COUNT = sizeof(words) / sizeof(words[0]) };

static void check_shell(const char *word)
{
	BUF_AUTO line = {0};
	char read[256] = "";

	buf_append_string(&line, "printf %s ");
	quote_append(&line, word);
	buf_append_byte(&line, '\0');

	FILE *shell = popen(line.bytes, "r");

	ck_assert_ptr_nonnull(shell);
	ck_assert_uint_eq(fread(read, 1, sizeof(read), shell), strlen(word));
	ck_assert_int_eq(pclose(shell), 0);
	ck_assert_str_eq(read, word);
}

START_TEST(quote_is_read_back_by_a_shell)
{
	for (size_t i = 0; i < WORD_COUNT; i++)
		check_shell(words[i]);
}
END_TEST

START_TEST(quote_passes_the_filter_of_the_terminal)
{
	for (size_t i = 0; i < WORD_COUNT; i++) {
		BUF_AUTO line = {0};
		BUF_AUTO shown = {0};

		if (strcmp(words[i], "\t") == 0)
			continue;
		quote_append(&line, words[i]);
		tty_text_append(&shown, line.bytes, line.len);
		ck_assert_uint_eq(shown.len, line.len);
		ck_assert_mem_eq(shown.bytes, line.bytes, line.len);
	}
}
END_TEST

START_TEST(quote_leaves_plain_words_as_they_are)
{
	BUF_AUTO line = {0};

	quote_append(&line, "/usr/bin/psql:5432,a@b%c+d-e_f=g.h");
	buf_append_byte(&line, '\0');
	ck_assert_str_eq(line.bytes, "/usr/bin/psql:5432,a@b%c+d-e_f=g.h");
}
END_TEST

UNIT_MAIN("quote", quote_is_read_back_by_a_shell, quote_passes_the_filter_of_the_terminal,
	quote_leaves_plain_words_as_they_are)
