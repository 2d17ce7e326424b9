/*
 * One import under way, and its second half: storing what was found and judged.
 */
#ifndef COFFER_CLI_IMPORT_SEND_H
#define COFFER_CLI_IMPORT_SEND_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"
#include "harvest.h"
#include "json.h"
#include "reply.h"

struct cli;

/* What one import is doing; its result grows as JSON, of our own and in the form of the protocol's. */
struct import {
	struct cli *cli;
	struct harvest harvest;
	const char *integration;
	const char *unit; /* NULL: a file */
	bool is_dry;
	struct buf result;
	struct json_writer w;
	size_t stored;
};

/* True when the key is to be taken (--only). */
bool import_wants(const struct import *import, const char *key);

/* "/etc/app.env:12-14" */
void import_append_place(struct buf *line, const struct place *place);

/*
 * Stores what is effective and wanted (a dry run: nothing) and shows the result.  What came before a failure
 * stays stored, and is shown.  Errors are reported.
 */
enum err import_send(struct import *import);

/* The result of an import for people. */
enum err import_print(const struct reply *reply);

#endif
