/*
 * Memory for what must not leave it: no swap, no core dump, nothing for a forked child, a guard page on
 * each side, wiped before it is given back (P1).  Sharing it out among callers: pool.c.
 */
#include "locked.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void wipe(void *bytes, size_t len)
{
	if (len > 0)
		explicit_bzero(bytes, len);
}

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static bool is_swappable;

bool locked_is_swappable(void)
{
	return is_swappable;
}

static enum err protect(void *bytes, size_t len, bool may_swap)
{
	if (mprotect(bytes, len, PROT_READ | PROT_WRITE) != 0)
		return ERR_INTERNAL;
	if (mlock2(bytes, len, MLOCK_ONFAULT) != 0) {
		if (!may_swap)
			return ERR_INTERNAL;
		is_swappable = true;
	}
	if (madvise(bytes, len, MADV_DONTDUMP) != 0)
		return ERR_INTERNAL;
	/* EINVAL: a kernel before 4.14 does not know it. */
	if (madvise(bytes, len, MADV_WIPEONFORK) != 0 && errno != EINVAL)
		return ERR_INTERNAL;
	return OK;
}

enum err locked_map(size_t len, bool may_swap, struct locked *out)
{
	size_t page = page_bytes();

	if (len == 0 || len > SIZE_MAX - 3 * page)
		return ERR_INTERNAL;

	size_t rounded = (len + page - 1) / page * page;
	unsigned char *mapping =
		mmap(NULL, rounded + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mapping == MAP_FAILED)
		return ERR_INTERNAL;

	enum err err = protect(mapping + page, rounded, may_swap);

	if (err != OK) {
		(void)munmap(mapping, rounded + 2 * page);
		return err;
	}
	*out = (struct locked){.bytes = mapping + page, .len = rounded};
	return OK;
}

void locked_unmap(struct locked *locked)
{
	size_t page = page_bytes();

	if (locked->bytes == NULL)
		return;
	wipe(locked->bytes, locked->len);
	(void)munmap(locked->bytes - page, locked->len + 2 * page);
	*locked = (struct locked){0};
}

enum err arena_init(struct arena *arena, size_t len, bool may_swap)
{
	struct locked memory = {0};
	enum err err = locked_map(len, may_swap, &memory);

	if (err != OK)
		return err;
	*arena = (struct arena){.memory = memory};
	return OK;
}

void *arena_alloc(struct arena *arena, size_t len)
{
	enum { ALIGNMENT = 16 };
	size_t left = arena->memory.len - arena->used;

	/* Judged before rounding: left is a multiple of the alignment, so what fits still fits when rounded. */
	if (len > left)
		return NULL;

	void *bytes = arena->memory.bytes + arena->used;

	arena->used += (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return bytes;
}

void arena_rewind(struct arena *arena, size_t used)
{
	wipe(arena->memory.bytes + used, arena->used - used);
	arena->used = used;
}

void arena_wipe(struct arena *arena)
{
	arena_rewind(arena, 0);
}

void arena_deinit(struct arena *arena)
{
	locked_unmap(&arena->memory);
	*arena = (struct arena){0};
}

void secret_clear(struct secret *secret)
{
	wipe(secret->bytes, secret->len);
	*secret = (struct secret){0};
}
