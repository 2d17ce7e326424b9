/*
 * A request inside a request: one of a queue, or one that a second person has approved.
 */
#ifndef COFFER_CORE_NESTED_H
#define COFFER_CORE_NESTED_H

#include "handler.h"

struct nested {
	/* in */
	const char *line; /* as a client would send it, without its newline; not owned */
	size_t len;
	struct principal *who; /* whose right counts and whom the record names; NULL: the outer request's */
	const struct approved *approved; /* NULL: nobody had to */
	enum err (*check)(struct call *inner, void *arg); /* asked before its handler; NULL: nothing is */
	void *check_arg;
	const char *request_id; /* under which its result is kept for who; NULL: it is not */
	/* out */
	struct buf result; /* on OK: JSON text */
	char reason[RECORD_DETAIL_BYTES]; /* on an error: for the record */
	char detail[200]; /* … for the caller; "": nothing */
	struct buf error_data; /* … more members of error.data, without braces */
	int64_t retry_after_ms;
};

/*
 * Only a change without a value and without a request_id, asked for by a right that a role gives: ERR_UNSUPPORTED for
 * anything else.  On OK its effects and its own record have joined the outer request; on an error nothing of it stays and the
 * outer request may go on, unless the store failed.  One at a time, and none inside another: ERR_INTERNAL.
 */
enum err nested_perform(struct call *outer, struct nested *nested);
void nested_clear(struct nested *nested); /* what came out */

#define NESTED_AUTO __attribute__((cleanup(nested_clear))) struct nested

#endif
