/*
 * Results for people: aligned tables for lists, "Label: value" blocks for one object, one sentence for an
 * effect.  What is shown is a table of columns per noun; how, is decided here.
 */
#ifndef COFFER_CLI_TABLE_H
#define COFFER_CLI_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "err.h"
#include "reply.h"

struct column {
	const char *label; /* NULL ends the list */
	const char *path; /* of the member, as reply_at takes it; "" is the object itself */
	enum show show;
};

/*
 * An array of objects as an aligned table on standard output; array NULL or empty: "none".  On a terminal that is
 * too narrow for it, columns in which no row has anything are left out; if that is not enough, each object is a block.
 */
enum err table_print(const struct reply *reply, const struct json_token *array, const struct column *columns);

/* The same on another stream. */
enum err table_print_to(FILE *stream, const struct reply *reply, const struct json_token *array,
	const struct column *columns);

/* One object, a line per member that is there.  Lines of a text with several are indented. */
enum err table_print_block(
	const struct reply *reply, const struct json_token *object, const struct column *columns);

/* The same on another stream. */
enum err table_print_block_to(FILE *stream, const struct reply *reply, const struct json_token *object,
	const struct column *columns);

/* One line made from a template whose {path} parts are members of the result. */
enum err table_say(const struct reply *reply, const char *template);

#endif
