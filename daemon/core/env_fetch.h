/*
 * What env.fetch and env.watch share: the integration that the caller is granted; and the values of a fetch, from the
 * store into the locked block that is its reply.
 */
#ifndef COFFER_CORE_ENV_FETCH_H
#define COFFER_CORE_ENV_FETCH_H

#include "handler.h"

/* By which of its grants the caller may. */
struct env_right {
	bool is_tester; /* only grants for staged values match */
	bool is_by_token; /* without the connection's token it would have less, or nothing */
};

/*
 * The integration that the request names, or the only one granted.  DENIED alike for what is forbidden and what does not
 * exist (P2); CONFLICT: several are granted.
 */
enum err env_find(
	struct call *call, enum grant_use use, struct integration *out, struct env_right *right_out);

/* SUSPENDED, RETIRED, EXPIRED: nothing goes out of this integration now. */
enum err env_check_open(struct call *call, const struct integration *integration);

/* RATE_LIMITED: it was fetched too often in this minute; else this one is counted. */
enum err env_check_rate(struct call *call, const struct integration *integration);

enum env_scope {
	ENV_CURRENT,
	ENV_STAGED_FIRST, /* a staged version stands in for the current one of its key */
	ENV_STAGED_ALONE, /* for testers: never a current value (P2) */
};

/*
 * Opens the values that the request asks for, stores the run, and writes the whole reply line into
 * call->secret_block.  The caller has been granted the integration for this scope.  NOT_FOUND, EXPIRED: a key, named in the
 * detail; TOO_LARGE: staged and current values together are over the set's limit; STORAGE: a value does not open; BUSY: no
 * locked memory for the reply.
 */
enum err env_values_deliver(struct call *call, const struct integration *integration, enum env_scope scope);

#endif
