/*
 * What it takes to bring the vault to what a file says: the steps, each as one request, and what stays as it is.
 */
#ifndef COFFER_CLI_APPLY_PLAN_H
#define COFFER_CLI_APPLY_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "apply_file.h"
#include "buf.h"

enum apply_outcome {
	APPLY_DONE,
	APPLY_WAITS, /* for a second person */
	APPLY_LATER, /* until its integration is there, which waits */
};

struct apply_step {
	enum request_kind kind; /* REQUEST_COUNT: none, a grant that is not in the file stays */
	const char *integration; /* in the file's memory */
	unsigned line; /* of the file */
	struct buf params; /* JSON */
	char expect[TIME_TEXT_BYTES]; /* when the integration was last changed; "": no matter */
	int64_t grant; /* its number, of one that is or could be removed */
	struct buf
		what; /* for people, fit for a terminal, NUL-terminated: the fields, or the grant's conditions */
	enum apply_outcome outcome;
	int64_t request; /* the number under which it waits; 0: none */
};

struct apply_plan {
	struct cli *cli;
	const struct apply_file *file;
	bool prunes;
	struct apply_step *steps;
	size_t count;
	size_t cap;
	size_t unchanged; /* integrations that are as the file says */
	bool is_done; /* the daemon has done the steps, as their outcomes tell */
};

/* Asks the daemon about each integration of the file.  Errors are reported. */
enum err apply_plan_make(struct apply_plan *plan);
void apply_plan_clear(struct apply_plan *plan);

#define APPLY_PLAN_AUTO __attribute__((cleanup(apply_plan_clear))) struct apply_plan

#endif
