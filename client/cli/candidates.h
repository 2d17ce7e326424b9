/*
 * What could stand where somebody has pressed Tab, on its way to the shell: a first line that says what it is, then a
 * word a line, with a tab and a few words about it behind.
 */
#ifndef COFFER_CLI_CANDIDATES_H
#define COFFER_CLI_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

struct candidates {
	const char *typed; /* what stands there already */
	size_t prefix_len; /* of typed: what is kept in front of each word, such as "--option=" */
	struct buf lines;
};

/*
 * Adds a word that what is typed can become; text is NULL or about it.  A word that a terminal would not show as it is
 * is left out: nobody can see what they would take.
 */
void candidates_add(struct candidates *candidates, const char *word, const char *text);

/* The same for words that may come several times. */
void candidates_add_once(struct candidates *candidates, const char *word, const char *text);

#endif
