/*
 * Memory that is never swapped, dumped or inherited by a fork: one anonymous mapping with a guard page on
 * each side.  Everything that may hold plaintext in transit lives in one of these (P1).
 */
#ifndef COFFER_PROTO_LOCKED_H
#define COFFER_PROTO_LOCKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* Overwrites memory in a way that the compiler cannot drop. */
void wipe(void *bytes, size_t len);

struct locked {
	unsigned char *bytes;
	size_t len; /* rounded up to whole pages */
};

/*
 * Maps and locks len bytes, zeroed; pages become resident at first touch.  ERR_INTERNAL when the mapping
 * or the lock fails (RLIMIT_MEMLOCK); may_swap accepts a failing lock.
 */
enum err locked_map(size_t len, bool may_swap, struct locked *out);

/* True once a lock has failed and was done without: what this process holds may reach the swap (P1). */
bool locked_is_swappable(void);

/* Wipes and unmaps.  Fine on {0}. */
void locked_unmap(struct locked *locked);

/*
 * One request's scratch memory: allocation moves a pointer, arena_wipe forgets everything at once.
 * Alignment is 16 bytes.  arena_alloc returns NULL when the arena is used up.
 */
struct arena {
	struct locked memory;
	size_t used;
};

enum err arena_init(struct arena *arena, size_t len, bool may_swap);
void *arena_alloc(struct arena *arena, size_t len);
void arena_rewind(struct arena *arena, size_t used); /* wipes and forgets what came after this mark */
void arena_wipe(struct arena *arena);
void arena_deinit(struct arena *arena);

/*
 * Blocks of locked memory shared out among uids: replies that hold values, partial request lines.
 * A block belongs to a uid, counts against its share, and is wiped when given back.
 */
struct pool;

struct pool_block {
	unsigned char *bytes;
	size_t len; /* whole pages */
	uid_t uid;
};

/* len bytes in all, at most per_uid_max for one uid.  ERR_INTERNAL as locked_map. */
enum err pool_new(size_t len, size_t per_uid_max, bool may_swap, struct pool **out);
void pool_free(struct pool *pool); /* NULL is fine; blocks still out become invalid */

/* ERR_BUSY when the uid's share or the pool is used up. */
enum err pool_take(struct pool *pool, uid_t uid, size_t len, struct pool_block *out);
void pool_give(struct pool *pool, struct pool_block *block); /* wipes; the block is {0} afterwards */

/*
 * Plaintext on its way through a request: a span of an arena, wiped by secret_clear at the latest.
 * There is no printer and no comparison but the constant-time one.
 */
struct secret {
	unsigned char *bytes; /* in locked memory; not owned */
	size_t len;
};

void secret_clear(struct secret *secret);

#define SECRET_AUTO __attribute__((cleanup(secret_clear))) struct secret

#endif
