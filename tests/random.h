/*
 * Numbers that look random and are the same in every run, so that a test that fails once fails again.
 */
#ifndef COFFER_TESTS_RANDOM_H
#define COFFER_TESTS_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state; /* not 0 */
};

static inline uint64_t random_next(struct random *random)
{
	random->state ^= random->state << 13;
	random->state ^= random->state >> 7;
	random->state ^= random->state << 17;
	return random->state * 0x2545f4914f6cdd1du;
}

/* 0 … bound - 1 */
static inline uint32_t random_below(struct random *random, uint32_t bound)
{
	return (uint32_t)((random_next(random) >> 32) % bound);
}

#endif
