/*
 * What every fuzz target shares.  A target is one function; fuzz_replay.c runs it over its corpus in every
 * build, libFuzzer over whatever it can think of.
 */
#ifndef COFFER_TESTS_FUZZ_H
#define COFFER_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The target's promise is broken: stop where a debugger and libFuzzer can see it. */
static inline void must(bool is_kept)
{
	if (!is_kept)
		abort();
}

#endif
