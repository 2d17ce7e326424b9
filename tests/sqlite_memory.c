/*
 * Pieces of powers of two out of large mappings.  A freed piece is poisoned and waits in a queue, so that it does not come
 * back at once.
 */
#include "sqlite_memory.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_WATCHED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define IS_WATCHED 1
#endif

#ifdef IS_WATCHED
#include <sanitizer/asan_interface.h>

enum { SMALLEST = 64, ORDERS = 24, MAPPING_BYTES = 64 << 20, WAITING = 256 };

struct piece {
	struct piece *next; /* while it is free */
	size_t order;
	char bytes[];
};

static struct {
	char *at;
	size_t left;
	struct queue {
		struct piece *first, *last;
		size_t count;
	} free[ORDERS];
} memory;

static size_t piece_bytes(size_t order)
{
	return (size_t)SMALLEST << order;
}

static size_t order_for(size_t len)
{
	size_t order = 0;

	while (piece_bytes(order) < sizeof(struct piece) + len)
		order++;
	return order;
}

static size_t room_of(const struct piece *piece)
{
	return piece_bytes(piece->order) - sizeof(*piece);
}

static struct piece *piece_of(void *bytes)
{
	return (struct piece *)(void *)((char *)bytes - offsetof(struct piece, bytes));
}

static struct piece *cut_piece(size_t order)
{
	size_t size = piece_bytes(order);

	if (memory.left < size) {
		memory.at =
			mmap(NULL, MAPPING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory.at == MAP_FAILED)
			abort();
		memory.left = MAPPING_BYTES;
	}

	struct piece *piece = (struct piece *)(void *)memory.at;

	memory.at += size;
	memory.left -= size;
	piece->order = order;
	return piece;
}

static void *on_malloc(int len)
{
	size_t order = order_for((size_t)len);
	struct queue *queue = &memory.free[order];
	struct piece *piece = queue->first;

	if (queue->count <= WAITING) {
		piece = cut_piece(order);
	} else {
		queue->first = piece->next;
		queue->count--;
	}
	__asan_unpoison_memory_region(piece->bytes, room_of(piece));
	return piece->bytes;
}

static void on_free(void *bytes)
{
	struct piece *piece = piece_of(bytes);
	struct queue *queue = &memory.free[piece->order];

	__asan_poison_memory_region(piece->bytes, room_of(piece));
	piece->next = NULL;
	if (queue->count++ == 0)
		queue->first = piece;
	else
		queue->last->next = piece;
	queue->last = piece;
}

static int on_size(void *bytes)
{
	return (int)room_of(piece_of(bytes));
}

static int on_round_up(int len)
{
	return (int)(piece_bytes(order_for((size_t)len)) - sizeof(struct piece));
}

static void *on_realloc(void *bytes, int len)
{
	size_t room = room_of(piece_of(bytes));

	if (room >= (size_t)len)
		return bytes;

	void *moved = on_malloc(len);

	memcpy(moved, bytes, room);
	on_free(bytes);
	return moved;
}

static int on_init(void *arg)
{
	(void)arg;
	return SQLITE_OK;
}

static void on_shutdown(void *arg)
{
	(void)arg;
}

void sqlite_memory_start(void)
{
	static const sqlite3_mem_methods methods = {.xMalloc = on_malloc,
		.xFree = on_free,
		.xRealloc = on_realloc,
		.xSize = on_size,
		.xRoundup = on_round_up,
		.xInit = on_init,
		.xShutdown = on_shutdown};

	(void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods); /* refused when SQLite is in use */
}
#else
void sqlite_memory_start(void)
{
}
#endif
