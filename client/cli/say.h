/*
 * One line on standard error, in one write: "coffer: " and the pieces.  Never give it a value (P1).
 */
#ifndef COFFER_CLI_SAY_H
#define COFFER_CLI_SAY_H

/* The list ends with NULL. */
void say(const char *first, ...) __attribute__((sentinel));

#endif
