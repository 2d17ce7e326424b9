/*
 * Every command, once: its words, the request behind it, what stands for which field, who carries it out
 * and how its result is shown.  Options: options.h.
 */
#ifndef COFFER_CLI_COMMANDS_H
#define COFFER_CLI_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "options.h"
#include "reply.h"
#include "request.h"

struct cli;

enum need {
	NEED_NONE, /* ends a list of operands */
	NEED_ONE,
	NEED_MAYBE,
	NEED_SOME, /* one or more; the last operand */
	NEED_ANY, /* as many as are given; the last operand */
};

struct operand {
	unsigned slot;
	enum need need;
};

enum { OPERANDS_MAX = 3, OWN_OPTIONS_MAX = 16 };

struct command {
	const char *words; /* "integration add" */
	enum request_kind kind; /* REQUEST_COUNT: no one request stands behind it */
	struct operand operands[OPERANDS_MAX + 1];
	unsigned options[OWN_OPTIONS_MAX + 1]; /* slots beside the request's fields; 0 ends the list */
	bool takes_value; /* asks for one, though no one request stands behind it */
	bool starts_program; /* everything behind "--" is a command and its arguments */
	enum err (*run)(struct cli *cli); /* reports its errors itself */
	enum err (*print)(const struct reply *reply); /* for people; NULL: run prints */
	const char *text; /* one line of help */
	const char *example;
};

/* All rows, in the order of the help. */
const struct command *commands_all(size_t *count_out);

/* The command of words[0..count), or NULL; *used_out words belong to it. */
const struct command *commands_find(char *const *words, size_t count, size_t *used_out);

/* True when word is the noun of some commands ("grant"). */
bool commands_has_noun(const char *word);

/* The words of the command most like these, or NULL. */
const char *commands_nearest(char *const *words, size_t count);

#endif
