/*
 * The two clocks of the daemon.  Nothing else asks the kernel for the time, so a test that defines these
 * two functions decides what time it is.
 */
#include "clock.h"

#include <time.h>

static int64_t read_ms(clockid_t id)
{
	struct timespec now = {0};

	/* Cannot fail: both clocks exist on every Linux. */
	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

int64_t clock_monotonic_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}
