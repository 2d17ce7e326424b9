/*
 * How often each integration was fetched in the running minute: a bounded table in memory, no history.
 */
#ifndef COFFER_CORE_RATES_H
#define COFFER_CORE_RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct rates;

/* Room for at least count integrations. */
enum err rates_new(size_t count, struct rates **out);
void rates_free(struct rates *rates);

/*
 * Counts one fetch of id (16 random bytes); false when per_minute were counted in this minute already,
 * with the wait until the next one in *retry_ms_out.
 */
bool rates_count(struct rates *rates, const unsigned char id[16], int64_t per_minute, int64_t now_ms,
	int64_t *retry_ms_out);

/* Minutes in which 80 % of what is allowed was reached: the first and last of a series, and the most in one. */
struct rates_near {
	int64_t since_ms;
	int64_t last_ms;
	int64_t peak;
	int64_t per_minute;
};

/* False when there was none within an hour. */
bool rates_near(
	const struct rates *rates, const unsigned char id[16], int64_t now_ms, struct rates_near *out);

#endif
