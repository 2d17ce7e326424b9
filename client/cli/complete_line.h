/*
 * What is wanted at the end of a command line that somebody is still typing.
 */
#ifndef COFFER_CLI_COMPLETE_LINE_H
#define COFFER_CLI_COMPLETE_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "options.h"

struct command;

enum wanted {
	WANT_NOTHING, /* or nothing that anybody can guess */
	WANT_COMMAND,
	WANT_VERB,
	WANT_OPTION,
	WANT_WORD, /* one of a few, known by its slot */
	WANT_ACTION, /* of run --on-change */
	WANT_FILE,
	WANT_DIRECTORY,
	WANT_PROGRAM, /* a command line of its own begins here */
	WANT_USER,
	WANT_MANAGER, /* a user or %group */
	WANT_UNIT,
	WANT_CONDITION, /* of a grant */
	WANT_INTEGRATION,
	WANT_GRANTED, /* an integration that the caller may fetch */
	WANT_KEY,
	WANT_KEYS, /* separated by commas */
	WANT_VERSION,
	WANT_OBJECT, /* number of a grant, token or request, known by its command */
	WANT_ALERT,
	WANT_OWNER,
	WANT_WORKSPACE,
};

struct complete_line {
	enum wanted wanted;
	const struct command *command; /* NULL: not known yet, or run */
	bool is_run;
	bool is_help; /* help COMMAND: its words, but none of its arguments */
	unsigned slot; /* whose value is wanted */
	const char *noun; /* whose verb is wanted */
	const char *typed;
	size_t prefix_len; /* of typed, which is no part of the value: "--option=" or what is before a comma */
	size_t program_at; /* index of the first word of the command line of its own */
	const char *integration; /* given already, as all below; or NULL */
	const char *key;
	const char *socket;
	bool is_user_vault;
	char *const *words; /* before the one that is being typed */
	size_t count;
};

/* words[0..count) without the program's name; the last one is being typed and may be empty.  Nothing is copied. */
void complete_line_read(char *const *words, size_t count, struct complete_line *out);

/* True when an option was given before. */
bool complete_line_has(const struct complete_line *line, const char *name);

#endif
