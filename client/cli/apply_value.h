/*
 * What one entry of an apply file says, as the JSON that the daemon takes, and whether the vault says the same.
 */
#ifndef COFFER_CLI_APPLY_VALUE_H
#define COFFER_CLI_APPLY_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "apply_file.h"
#include "json.h"
#include "reply.h"

/* The field that a key of the file stands for; FIELD_RULE for "grant". */
bool apply_value_field(const char *key, size_t len, enum field *out);

/* True when integration.edit takes the field: others can only be given when the integration is made. */
bool apply_value_can_be_edited(enum field field);

/* Is it one that the daemon would take?  ERR_BAD_VALUE, and why is a sentence without the value. */
enum err apply_value_check(
	const struct apply_section *section, const struct apply_entry *entry, char *why, size_t cap);

/* The members of a request that the entry stands for: its field, or rule and staged_only. */
void apply_value_write(struct json_writer *w, const struct apply_entry *entry);

/* The vault's value (NULL or null: none) says the same. */
bool apply_value_equals(
	const struct reply *reply, const struct json_token *current, const struct apply_entry *entry);

#endif
