/* Time, in one place, so that tests can move it. */
#ifndef COFFER_OPS_CLOCK_H
#define COFFER_OPS_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void); /* milliseconds since the epoch */
int64_t clock_monotonic_ms(void); /* for deadlines */

#endif
