/*
 * The arguments of one command: what was given for which slot.
 */
#ifndef COFFER_CLI_ARGS_H
#define COFFER_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "options.h"

struct cli;

struct given {
	unsigned slot;
	const char *text; /* "" for an option that takes no value */
	bool is_owned; /* asked for, to be freed */
};

struct args {
	struct given *given; /* in the order given */
	size_t count;
	size_t cap;
	char *const *program; /* what stands behind "--" of a command that starts one, or NULL; not owned */
};

/*
 * Reads argv[0..argc), which holds neither the program's name nor the command's words and ends in NULL, into
 * cli->args.
 * ERR_USAGE, reported; no text that may be a value is repeated.  ERR_INTERNAL: no memory.
 */
enum err args_parse(struct cli *cli, int argc, char *const *argv);

/* All that is needed is there: asks for missing options on a terminal, else names all that is missing. */
enum err args_complete(struct cli *cli);

void args_clear(struct args *args);

/* Gives a slot this text alone, of which it keeps a copy, whatever was given before.  ERR_INTERNAL: no memory. */
enum err args_set(struct args *args, unsigned slot, const char *text);

/* What was given first for a slot, or NULL. */
const char *args_text(const struct args *args, unsigned slot);

/* Iteration over all that was given for a slot: *cursor starts at 0; NULL at the end. */
const char *args_next(const struct args *args, unsigned slot, size_t *cursor);

/* True when one of the comma lists given for a slot has this word; also when nothing was given for it. */
bool args_lists(const struct args *args, unsigned slot, const char *word);

#endif
