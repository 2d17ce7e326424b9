/*
 * Names from outside, made fit to be shown: one line of valid UTF-8 without control characters.
 */
#ifndef COFFER_OPS_ESCAPE_H
#define COFFER_OPS_ESCAPE_H

#include <stddef.h>

/*
 * Copies text to out (cap bytes, at least 4); what is no printable character becomes \xNN.  What does not
 * fit into cap - 4 bytes is cut off and "..." put in its place.  Returns the length written, without the NUL.
 */
size_t escape_text(const char *text, char *out, size_t cap);

#endif
