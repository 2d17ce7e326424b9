/*
 * The options of commands, made from the fields of their requests: a new field is an option without another line.
 */
#ifndef COFFER_CLI_OPTIONS_H
#define COFFER_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "request.h"

struct command;

/* What can be given: a field of a request (enum field), or an option of the command line alone. */
enum slot {
	SLOT_OWN_FIRST = FIELD_COUNT - 1,
#define OPTION(name, typed, metavar, text) SLOT_##name,
#include "options.def"
#undef OPTION
	SLOT_COUNT
};

/* One option of a command as it is typed and explained. */
struct option {
	unsigned slot;
	char name[32];
	const char *metavar; /* NULL: takes no value */
	bool may_stand_alone; /* takes a value only as --name=value */
	const char *text;
	bool is_needed;
	bool is_list; /* may be given several times */
};

/* How a slot is typed and explained, whatever the command. */
struct option options_of(unsigned slot);

/* The options of a command (NULL: those of all commands) into out; their number. */
size_t options_list(const struct command *command, struct option out[SLOT_COUNT]);

/* True when the command takes a value, which never stands in its arguments. */
bool options_take_value(const struct command *command);

#endif
