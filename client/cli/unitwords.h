/*
 * The words of a setting in a unit file, as systemd splits them: quotes, C escapes, and assignments.
 */
#ifndef COFFER_CLI_UNITWORDS_H
#define COFFER_CLI_UNITWORDS_H

#include <stddef.h>

/*
 * Takes the next word from the NUL-terminated text at *at and unquotes it in place; *at moves behind it.
 * NULL at the end of the text, and when it cannot be read: *why_out is then a constant sentence, else NULL.
 */
char *unitwords_next(char **at, size_t *len_out, const char **why_out);

/*
 * Undoes %% in place.  NULL when it is done; a constant sentence when a specifier is left, which means what
 * only the service manager knows.
 */
const char *unitwords_expand(char *word, size_t *len);

#endif
