/*
 * Cleaning up behind a request that carried a value (P1): the copies that compilers and libraries leave in
 * vector registers and in dead stack frames, which no wipe of a variable reaches.
 */
#include <sodium.h>
#include <string.h>

#include "envelope.h"

enum { STACK_BYTES = 65536, COPY_BYTES_MAX = 4096 };

/*
 * The C library copies through different registers for different sizes, some of which vzeroall does not
 * reach (ymm16 and up): copies of zeros of all those sizes go through the same ones.
 */
static void scrub_by_copies(void)
{
	static const unsigned char zeros[COPY_BYTES_MAX];
	static unsigned char sink[COPY_BYTES_MAX];
	static const size_t sizes[] = {
		8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, COPY_BYTES_MAX};
	/* Through a pointer that the compiler cannot see through, or it would copy by its own means. */
	void *(*volatile copy)(void *, const void *, size_t) = memcpy;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		(void)copy(sink, zeros, sizes[i]);
}

#if defined(__x86_64__)
__attribute__((target("avx"))) static void zero_vectors(void)
{
	__asm__ volatile("vzeroall" ::
				 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			 "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

static void scrub_by_instruction(void)
{
	if (__builtin_cpu_supports("avx"))
		zero_vectors();
}
#else
static void scrub_by_instruction(void)
{
}
#endif

void scrub_registers_and_stack(void)
{
	scrub_by_copies();
	sodium_stackzero(STACK_BYTES);
	scrub_by_instruction();
}
