/*
 * What needs a second person: it is not done but filed, and done once when somebody else has approved it.
 */
#ifndef COFFER_CORE_APPROVALS_H
#define COFFER_CORE_APPROVALS_H

#include "handler.h"

/* What a request would change, as it is now. */
struct approval_object {
	unsigned char integration_id[STORE_ID_BYTES];
	bool is_production;
	bool is_locked; /* its grants are */
	unsigned char digest
		[STORE_HASH_BYTES]; /* of its record, and of the grants or versions that the request is about */
};

/* Of the integration that the request names; ERR_NOT_FOUND. */
enum err approval_object_read(struct call *call, struct approval_object *out);

/* A request on its way to be filed; in the request's arena. */
struct approval_draft {
	struct approval_object object;
	const char *params; /* canonical JSON, without request_id */
	bool is_needed; /* as far as the request tells */
};

/* ---- for dispatch.c ---- */

/*
 * Before the handler runs: looks at what it would change, and makes a draft of what may need a second person.  A request_id
 * that was filed before gets the same answer again, as a refusal.
 */
enum err approvals_begin(struct call *call);

/*
 * After the handler has shown that it can be done: APPROVAL_REQUIRED where it must not be done alone, and what it did is to be
 * taken back.  Then approvals_file, if the draft is still there.
 */
enum err approvals_end(struct call *call);

/* As approvals_end, when it is needed. */
enum err approvals_demand(struct call *call);

/* Stores the request with a record of its own (P4), in the transaction of its refusal. */
enum err approvals_file(struct call *call);

/* ---- for core.c ---- */

/* Marks what nobody decided in time, each with a record; a few at a time. */
enum err approvals_expire(struct core *core, int64_t now_ms);

/* ---- for the handlers ---- */

/*
 * For a version that secret.put would make current: it carries a value, which is never filed, so where promoting needs a second
 * person it is refused, unless it is the first of its key.
 */
enum err approvals_check_put(struct call *call, const struct integration *integration, uint64_t version);

/* "method=grant.add requested_by=1001": what a record says of a request. */
void approval_describe(struct call *call, const struct store_approval *approval);

#endif
