/*
 * The entries of a list in an apply file, and the words of a grant.
 */
#ifndef COFFER_CLI_APPLY_WORDS_H
#define COFFER_CLI_APPLY_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum { APPLY_WORD_BYTES = 512 };

struct apply_word {
	char text[APPLY_WORD_BYTES]; /* NUL-terminated */
	size_t len;
	bool is_too_long; /* cut off */
};

/* The next entry, trimmed; commas and line breaks separate them, "\," is a comma in one.  *at moves behind it.  False at the end. */
bool apply_words_entry(const char **at, struct apply_word *out);

/* The next word; white space separates them. */
bool apply_words_next(const char **at, struct apply_word *out);

#endif
