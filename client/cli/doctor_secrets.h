/*
 * Is this variable a secret?  By its name and the shape of its value.
 */
#ifndef COFFER_CLI_DOCTOR_SECRETS_H
#define COFFER_CLI_DOCTOR_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

/* By the name alone, where the value is not known. */
bool secrets_is_name(const char *name);

/* A constant that says by what it was seen ("its name", "a URL with a password", …); NULL: it looks harmless. */
const char *secrets_seen_by(const char *name, const char *value, size_t len);

#endif
