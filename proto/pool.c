/*
 * The pool of locked blocks: whole pages, first fit, so that the pages touched stay few; a share per uid,
 * so that nobody's unread replies take the room of others (P8); wiped when given back (P1).
 *
 * Bookkeeping lives on the heap, apart from the blocks: an overrun in a block meets another block or a
 * guard page, never a list.  A block that the pool did not hand out is a fault of ours and ends the process.
 */
#include "locked.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORD_BITS = 64 };

/* At the first page of a block that is out; pages is 0 elsewhere. */
struct slot {
	size_t pages;
	uid_t uid;
};

struct share {
	uid_t uid;
	size_t pages;
};

struct pool {
	struct locked memory;
	size_t page_bytes;
	size_t page_count;
	size_t share_pages_max;
	uint64_t *used; /* one bit a page */
	struct slot *slots; /* one a page */
	struct share *shares; /* uids that hold something now, in no order: at most one a page */
	size_t share_count;
};

static void free_pool(struct pool **pool)
{
	pool_free(*pool);
}

enum err pool_new(size_t len, size_t per_uid_max, bool may_swap, struct pool **out)
{
	__attribute__((cleanup(free_pool))) struct pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return ERR_INTERNAL;

	enum err err = locked_map(len, may_swap, &pool->memory);

	if (err != OK)
		return err;
	pool->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	pool->page_count = pool->memory.len / pool->page_bytes;
	pool->share_pages_max = per_uid_max / pool->page_bytes;
	pool->used = calloc(pool->page_count / WORD_BITS + 1, sizeof(*pool->used));
	pool->slots = calloc(pool->page_count, sizeof(*pool->slots));
	pool->shares = calloc(pool->page_count, sizeof(*pool->shares));
	if (pool->used == NULL || pool->slots == NULL || pool->shares == NULL)
		return ERR_INTERNAL;
	*out = pool;
	pool = NULL;
	return OK;
}

void pool_free(struct pool *pool)
{
	if (pool == NULL)
		return;
	locked_unmap(&pool->memory);
	free(pool->used);
	free(pool->slots);
	free(pool->shares);
	free(pool);
}

static bool is_used(const struct pool *pool, size_t page)
{
	return (pool->used[page / WORD_BITS] >> (page % WORD_BITS) & 1) != 0;
}

static void mark(struct pool *pool, size_t first, size_t pages, bool used)
{
	for (size_t page = first; page < first + pages; page++) {
		uint64_t bit = UINT64_C(1) << (page % WORD_BITS);

		if (used)
			pool->used[page / WORD_BITS] |= bit;
		else
			pool->used[page / WORD_BITS] &= ~bit;
	}
}

static bool find_run(const struct pool *pool, size_t pages, size_t *first_out)
{
	size_t run = 0;

	for (size_t page = 0; page < pool->page_count; page++) {
		if (page % WORD_BITS == 0 && pool->used[page / WORD_BITS] == UINT64_MAX) {
			page += WORD_BITS - 1;
			run = 0;
			continue;
		}
		run = is_used(pool, page) ? 0 : run + 1;
		if (run == pages) {
			*first_out = page + 1 - pages;
			return true;
		}
	}
	return false;
}

/* The share of a uid, or the empty one at the end. */
static struct share *find_share(const struct pool *pool, uid_t uid)
{
	size_t i = 0;

	while (i < pool->share_count && pool->shares[i].uid != uid)
		i++;
	return &pool->shares[i];
}

static void add_share(struct pool *pool, uid_t uid, size_t pages)
{
	struct share *share = find_share(pool, uid);

	if (share == &pool->shares[pool->share_count]) {
		*share = (struct share){.uid = uid};
		pool->share_count++;
	}
	share->pages += pages;
}

static void drop_share(struct pool *pool, uid_t uid, size_t pages)
{
	struct share *share = find_share(pool, uid);

	assert(share < &pool->shares[pool->share_count] && share->pages >= pages);
	share->pages -= pages;
	if (share->pages == 0)
		*share = pool->shares[--pool->share_count];
}

static size_t held_pages(const struct pool *pool, uid_t uid)
{
	const struct share *share = find_share(pool, uid);

	return share == &pool->shares[pool->share_count] ? 0 : share->pages;
}

enum err pool_take(struct pool *pool, uid_t uid, size_t len, struct pool_block *out)
{
	size_t first = 0;

	assert(len > 0);
	if (len > pool->memory.len)
		return ERR_BUSY;

	size_t pages = (len + pool->page_bytes - 1) / pool->page_bytes;

	if (!find_run(pool, pages, &first))
		return ERR_BUSY;
	/* A page is free, so the table of shares has room for one more. */
	if (held_pages(pool, uid) + pages > pool->share_pages_max)
		return ERR_BUSY;
	add_share(pool, uid, pages);
	mark(pool, first, pages, true);
	pool->slots[first] = (struct slot){.pages = pages, .uid = uid};
	*out = (struct pool_block){.bytes = pool->memory.bytes + first * pool->page_bytes,
		.len = pages * pool->page_bytes,
		.uid = uid};
	return OK;
}

void pool_give(struct pool *pool, struct pool_block *block)
{
	if (block->bytes == NULL)
		return;

	uintptr_t offset = (uintptr_t)block->bytes - (uintptr_t)pool->memory.bytes;

	assert(offset < pool->memory.len && offset % pool->page_bytes == 0);

	size_t first = offset / pool->page_bytes;
	struct slot slot = pool->slots[first];

	assert(slot.pages > 0 && slot.pages * pool->page_bytes == block->len && slot.uid == block->uid);
	wipe(block->bytes, block->len);
	pool->slots[first] = (struct slot){0};
	mark(pool, first, slot.pages, false);
	drop_share(pool, slot.uid, slot.pages);
	*block = (struct pool_block){0};
}
