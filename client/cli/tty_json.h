/*
 * JSON of the daemon's, made fit for a terminal without another meaning.
 */
#ifndef COFFER_CLI_TTY_JSON_H
#define COFFER_CLI_TTY_JSON_H

#include <stddef.h>
#include <stdio.h>

/* Writes json[0..len), which the gate has passed; what is hidden in its strings becomes \u escapes. */
void tty_json_write(FILE *out, const char *json, size_t len);

#endif
