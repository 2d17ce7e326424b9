/* Locked memory and what is built on it: P1, and P8 for the shares of the pool. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "locked.h"
#include "random.h"
#include "unit.h"

enum { ALICE = 1001, BOB = 1002 };

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static bool is_zero(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

static struct locked map(size_t len)
{
	struct locked locked = {0};

	ck_assert_int_eq(locked_map(len, false, &locked), OK);
	return locked;
}

typedef void child_fn(void *arg);

/* The signal that ends a child which runs fn, or 0 when it returns. */
static int signal_of_child(child_fn *fn, void *arg)
{
	int status = 0;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct rlimit none = {0};

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)signal(SIGSEGV, SIG_DFL);
		(void)signal(SIGABRT, SIG_DFL);
		(void)close(STDERR_FILENO);
		fn(arg);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void touch(void *at)
{
	*(volatile unsigned char *)at = 1;
}

START_TEST(locked_refuses_a_length_that_wraps)
{
	struct locked locked = {0};

	ck_assert_int_eq(locked_map(0, true, &locked), ERR_INTERNAL);
	ck_assert_int_eq(locked_map(SIZE_MAX, true, &locked), ERR_INTERNAL);
	ck_assert_int_eq(locked_map(SIZE_MAX - 3 * page_bytes(), true, &locked), ERR_INTERNAL);
	ck_assert_ptr_null(locked.bytes);
}
END_TEST

START_TEST(locked_refuses_when_the_lock_fails_unless_told_otherwise)
{
	struct rlimit none = {0};
	struct locked locked = {0};

	/* Each test is a process of its own: nothing after this one sees its limits. */
	if (geteuid() == 0)
		ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	ck_assert_int_eq(locked_map(1, false, &locked), ERR_INTERNAL);
	ck_assert_ptr_null(locked.bytes);
	ck_assert_int_eq(locked_map(1, true, &locked), OK);
	locked_unmap(&locked);
}
END_TEST

/* P1: an overrun on either side ends the process. */
START_TEST(locked_has_a_guard_page_on_each_side)
{
	struct locked locked = map(100);

	ck_assert_int_eq(signal_of_child(touch, locked.bytes - 1), SIGSEGV);
	ck_assert_int_eq(signal_of_child(touch, locked.bytes + locked.len), SIGSEGV);
	ck_assert_int_eq(signal_of_child(touch, locked.bytes), 0);
	ck_assert_int_eq(signal_of_child(touch, locked.bytes + locked.len - 1), 0);
	locked_unmap(&locked);
}
END_TEST

static void abort_unless_zero(void *arg)
{
	struct locked *locked = arg;

	if (!is_zero(locked->bytes, locked->len))
		abort();
}

/* P1 */
START_TEST(locked_is_empty_in_a_forked_child)
{
	struct locked locked = map(1);

	memset(locked.bytes, 0x5a, locked.len);
	ck_assert_int_eq(signal_of_child(abort_unless_zero, &locked), 0);
	ck_assert_uint_eq(locked.bytes[0], 0x5a);
	locked_unmap(&locked);
}
END_TEST

/* The flags that the kernel shows for the mapping that begins at bytes. */
static void read_flags(const unsigned char *bytes, char *out, size_t cap)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	char line[512];
	bool is_here = false;

	ck_assert_ptr_nonnull(smaps);
	out[0] = '\0';
	while (fgets(line, sizeof(line), smaps) != NULL) {
		unsigned long start = 0;
		unsigned long end = 0;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			is_here = start == (unsigned long)bytes;
		if (is_here && strncmp(line, "VmFlags:", 8) == 0)
			(void)snprintf(out, cap, "%s", line + 8);
	}
	(void)fclose(smaps);
}

/* P1: neither swapped (lo) nor dumped (dd) nor inherited (wf). */
START_TEST(locked_tells_the_kernel_to_keep_it_here)
{
	struct locked locked = map(1);
	char flags[512];

	read_flags(locked.bytes, flags, sizeof(flags));
	ck_assert_ptr_nonnull(strstr(flags, " lo"));
	ck_assert_ptr_nonnull(strstr(flags, " dd"));
	ck_assert_ptr_nonnull(strstr(flags, " wf"));
	locked_unmap(&locked);
}
END_TEST

START_TEST(locked_rounds_up_to_pages_and_begins_zeroed)
{
	struct locked locked = map(page_bytes() + 1);

	ck_assert_uint_eq(locked.len, 2 * page_bytes());
	ck_assert(is_zero(locked.bytes, locked.len));
	locked_unmap(&locked);
	ck_assert_ptr_null(locked.bytes);
	locked_unmap(&locked);
}
END_TEST

START_TEST(wipe_overwrites_all_and_takes_nothing)
{
	unsigned char bytes[] = {1, 2, 3, 4};

	wipe(bytes, 3);
	ck_assert(is_zero(bytes, 3));
	ck_assert_uint_eq(bytes[3], 4);
	wipe(NULL, 0);
}
END_TEST

START_TEST(arena_refuses_more_than_is_left)
{
	struct arena arena = {0};

	ck_assert_int_eq(arena_init(&arena, 1, false), OK);

	size_t len = arena.memory.len;

	ck_assert_ptr_null(arena_alloc(&arena, len + 1));
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 14));
	ck_assert_ptr_nonnull(arena_alloc(&arena, len - 16));
	ck_assert_ptr_null(arena_alloc(&arena, 17));
	ck_assert_ptr_nonnull(arena_alloc(&arena, 1));
	ck_assert_ptr_null(arena_alloc(&arena, 1));
	arena_deinit(&arena);
}
END_TEST

START_TEST(arena_aligns_each_piece)
{
	struct arena arena = {0};
	unsigned char *previous = NULL;

	ck_assert_int_eq(arena_init(&arena, 4096, false), OK);
	for (size_t len = 1; len < 40; len++) {
		unsigned char *piece = arena_alloc(&arena, len);

		ck_assert_ptr_nonnull(piece);
		ck_assert_uint_eq((uintptr_t)piece % 16, 0);
		ck_assert(previous == NULL || piece >= previous + len - 1);
		memset(piece, 0xff, len);
		previous = piece;
	}
	arena_deinit(&arena);
	ck_assert_ptr_null(arena.memory.bytes);
}
END_TEST

/* P1 */
START_TEST(arena_forgets_everything_when_wiped)
{
	struct arena arena = {0};

	ck_assert_int_eq(arena_init(&arena, 4096, false), OK);

	unsigned char *first = arena_alloc(&arena, 1000);

	ck_assert_ptr_nonnull(first);
	memset(first, 0x5a, 1000);
	arena_wipe(&arena);
	ck_assert(is_zero(arena.memory.bytes, arena.memory.len));
	ck_assert_ptr_eq(arena_alloc(&arena, 1), first);
	arena_deinit(&arena);
}
END_TEST

/* P1 */
START_TEST(arena_forgets_what_came_after_a_mark)
{
	struct arena arena = {0};

	ck_assert_int_eq(arena_init(&arena, 4096, false), OK);

	unsigned char *first = arena_alloc(&arena, 100);
	size_t mark = arena.used;
	unsigned char *second = arena_alloc(&arena, 100);

	memset(first, 0x5a, 100);
	memset(second, 0x5a, 100);
	arena_rewind(&arena, mark);
	ck_assert(is_zero(second, 100));
	ck_assert_uint_eq(first[99], 0x5a);
	ck_assert_ptr_eq(arena_alloc(&arena, 1), second);
	arena_deinit(&arena);
}
END_TEST

/* P1 */
START_TEST(secret_is_wiped_at_the_end_of_its_scope)
{
	unsigned char bytes[8] = "secret";

	{
		SECRET_AUTO secret = {.bytes = bytes, .len = 6};

		ck_assert_uint_eq(secret.bytes[0], 's');
	}
	ck_assert(is_zero(bytes, 6));
	secret_clear(&(struct secret){0});
}
END_TEST

static struct pool *pool_of(size_t pages, size_t share_pages)
{
	struct pool *pool = NULL;

	ck_assert_int_eq(pool_new(pages * page_bytes(), share_pages * page_bytes(), false, &pool), OK);
	return pool;
}

static struct pool_block take(struct pool *pool, uid_t uid, size_t pages)
{
	struct pool_block block = {0};

	ck_assert_int_eq(pool_take(pool, uid, pages * page_bytes(), &block), OK);
	ck_assert_uint_eq(block.len, pages * page_bytes());
	return block;
}

static enum err try_take(struct pool *pool, uid_t uid, size_t len)
{
	struct pool_block block = {0};
	enum err err = pool_take(pool, uid, len, &block);

	if (err == OK)
		pool_give(pool, &block);
	return err;
}

/* P8 */
START_TEST(pool_is_busy_when_a_share_is_used_up)
{
	struct pool *pool = pool_of(8, 3);
	struct pool_block first = take(pool, ALICE, 2);

	ck_assert_int_eq(try_take(pool, ALICE, 2 * page_bytes()), ERR_BUSY);
	ck_assert_int_eq(try_take(pool, ALICE, page_bytes() + 1), ERR_BUSY);
	ck_assert_int_eq(try_take(pool, BOB, 4 * page_bytes()), ERR_BUSY);
	ck_assert_int_eq(try_take(pool, ALICE, page_bytes()), OK);
	ck_assert_int_eq(try_take(pool, BOB, 3 * page_bytes()), OK);
	pool_give(pool, &first);
	ck_assert_int_eq(try_take(pool, ALICE, 3 * page_bytes()), OK);
	pool_free(pool);
}
END_TEST

START_TEST(pool_is_busy_when_it_is_used_up)
{
	struct pool *pool = pool_of(4, 4);
	struct pool_block blocks[4];

	ck_assert_int_eq(try_take(pool, ALICE, 5 * page_bytes()), ERR_BUSY);
	ck_assert_int_eq(try_take(pool, ALICE, SIZE_MAX), ERR_BUSY);
	for (uid_t i = 0; i < 4; i++)
		blocks[i] = take(pool, ALICE + i, 1);
	ck_assert_int_eq(try_take(pool, ALICE + 4, 1), ERR_BUSY);

	/* Two pages are free, but not side by side. */
	pool_give(pool, &blocks[0]);
	pool_give(pool, &blocks[2]);
	ck_assert_int_eq(try_take(pool, BOB, 2 * page_bytes()), ERR_BUSY);
	pool_give(pool, &blocks[1]);
	ck_assert_int_eq(try_take(pool, BOB, 3 * page_bytes()), OK);
	pool_free(pool);
}
END_TEST

struct gift {
	struct pool *pool;
	struct pool_block block;
};

static void give(void *arg)
{
	struct gift *gift = arg;

	pool_give(gift->pool, &gift->block);
}

START_TEST(pool_ends_the_process_for_a_block_that_is_not_its_own)
{
	struct pool *pool = pool_of(8, 8);
	struct pool *other = pool_of(8, 8);
	struct pool_block block = take(pool, ALICE, 2);
	struct gift gifts[] = {
		{other, block},
		{pool, {.bytes = block.bytes + 1, .len = block.len, .uid = ALICE}},
		{pool, {.bytes = block.bytes + page_bytes(), .len = page_bytes(), .uid = ALICE}},
		{pool, {.bytes = block.bytes, .len = page_bytes(), .uid = ALICE}},
		{pool, {.bytes = block.bytes, .len = block.len, .uid = BOB}},
		{pool, {.bytes = block.bytes - page_bytes(), .len = page_bytes(), .uid = ALICE}},
	};

	for (size_t i = 0; i < sizeof(gifts) / sizeof(gifts[0]); i++)
		ck_assert_int_eq(signal_of_child(give, &gifts[i]), SIGABRT);

	struct gift twice = {pool, block};

	pool_give(pool, &block);
	ck_assert_int_eq(signal_of_child(give, &twice), SIGABRT);
	pool_give(pool, &block);
	pool_free(pool);
	pool_free(other);
	pool_free(NULL);
}
END_TEST

/* P1 */
START_TEST(pool_wipes_what_is_given_back)
{
	struct pool *pool = pool_of(2, 2);
	struct pool_block block = take(pool, ALICE, 2);
	const unsigned char *bytes = block.bytes;
	size_t len = block.len;

	memset(block.bytes, 0x5a, block.len);
	pool_give(pool, &block);
	ck_assert(is_zero(bytes, len));
	ck_assert_ptr_null(block.bytes);
	pool_free(pool);
}
END_TEST

START_TEST(pool_rounds_up_to_pages_and_starts_low)
{
	struct pool *pool = pool_of(200, 200);
	struct pool_block first = {0};
	struct pool_block second = {0};

	ck_assert_int_eq(pool_take(pool, ALICE, 1, &first), OK);
	ck_assert_int_eq(pool_take(pool, ALICE, page_bytes() + 1, &second), OK);
	ck_assert_uint_eq(first.len, page_bytes());
	ck_assert_uint_eq(second.len, 2 * page_bytes());
	ck_assert_ptr_eq(second.bytes, first.bytes + first.len);

	struct pool_block rest = take(pool, BOB, 197);

	pool_give(pool, &first);
	first = take(pool, BOB, 1);
	ck_assert_ptr_eq(first.bytes + page_bytes(), second.bytes);
	pool_give(pool, &rest);
	pool_free(pool);
}
END_TEST

enum { MODEL_PAGES = 150, MODEL_SHARE = 60, MODEL_UIDS = 7, MODEL_BLOCKS = 64, MODEL_STEPS = 20000 };

struct model {
	struct pool *pool;
	struct pool_block blocks[MODEL_BLOCKS];
	size_t held[MODEL_UIDS];
	size_t held_all;
};

static bool overlaps(const struct model *model, const struct pool_block *block)
{
	for (size_t i = 0; i < MODEL_BLOCKS; i++) {
		const struct pool_block *other = &model->blocks[i];

		if (other->bytes != NULL && block->bytes < other->bytes + other->len &&
			other->bytes < block->bytes + block->len)
			return true;
	}
	return false;
}

static void model_take(struct model *model, struct pool_block *slot, uid_t uid, size_t pages)
{
	struct pool_block block = {0};
	enum err err = pool_take(model->pool, uid, pages * page_bytes(), &block);

	if (err != OK) {
		/* Small blocks always fit unless the share or the pool is full: holes of one page remain usable. */
		ck_assert_int_eq(err, ERR_BUSY);
		ck_assert(pages > 1 || model->held[uid] == MODEL_SHARE || model->held_all == MODEL_PAGES);
		return;
	}
	ck_assert(!overlaps(model, &block));
	ck_assert(is_zero(block.bytes, block.len));
	memset(block.bytes, 0x5a, block.len);
	*slot = block;
	model->held[uid] += pages;
	model->held_all += pages;
	ck_assert_uint_le(model->held[uid], MODEL_SHARE);
	ck_assert_uint_le(model->held_all, MODEL_PAGES);
}

START_TEST(pool_agrees_with_a_model)
{
	struct model model = {.pool = pool_of(MODEL_PAGES, MODEL_SHARE)};
	struct random random = {.state = 42};

	for (int step = 0; step < MODEL_STEPS; step++) {
		struct pool_block *slot = &model.blocks[random_below(&random, MODEL_BLOCKS)];

		if (slot->bytes == NULL) {
			model_take(&model, slot, random_below(&random, MODEL_UIDS),
				1 + random_below(&random, 8));
			continue;
		}
		model.held[slot->uid] -= slot->len / page_bytes();
		model.held_all -= slot->len / page_bytes();
		pool_give(model.pool, slot);
	}
	for (size_t i = 0; i < MODEL_BLOCKS; i++)
		pool_give(model.pool, &model.blocks[i]);
	for (uid_t uid = 0; uid < MODEL_UIDS; uid++)
		ck_assert_int_eq(try_take(model.pool, uid, MODEL_SHARE * page_bytes()), OK);
	pool_free(model.pool);
}
END_TEST

UNIT_MAIN("locked", locked_refuses_a_length_that_wraps,
	locked_refuses_when_the_lock_fails_unless_told_otherwise, locked_has_a_guard_page_on_each_side,
	arena_refuses_more_than_is_left, arena_forgets_what_came_after_a_mark,
	pool_is_busy_when_a_share_is_used_up, pool_is_busy_when_it_is_used_up,
	pool_ends_the_process_for_a_block_that_is_not_its_own, locked_is_empty_in_a_forked_child,
	locked_tells_the_kernel_to_keep_it_here, locked_rounds_up_to_pages_and_begins_zeroed,
	wipe_overwrites_all_and_takes_nothing, arena_aligns_each_piece, arena_forgets_everything_when_wiped,
	secret_is_wiped_at_the_end_of_its_scope, pool_wipes_what_is_given_back,
	pool_rounds_up_to_pages_and_starts_low, pool_agrees_with_a_model)
