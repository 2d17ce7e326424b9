/*
 * Holds what was read and not yet handled.  A request may carry a value, so bytes are in locked memory from
 * the first moment and wiped as soon as they are consumed (P1).  A line that arrives whole never needs a
 * block; a stranger's incomplete line takes one page; only a line that was allowed to grow takes more (P8).
 * Reading from the socket, and who may send how long a line, is conn.c's.
 */
#include "intake.h"

#include <assert.h>
#include <string.h>

#include "frame.h"

enum {
	SMALL_BYTES = 4096,
	LARGE_BYTES = LINE_BYTES_MAX + 1,
	UID_SHARE = 8, /* a uid gets this part of the pool, and in any case one large block */
};

enum err intake_room_init(struct intake_room *room, size_t pool_bytes, bool may_swap)
{
	struct intake_room made = {0};
	size_t per_uid = pool_bytes / UID_SHARE;
	size_t one_line = (size_t)LARGE_BYTES + SMALL_BYTES; /* rounded up to pages */
	enum err err = locked_map(LARGE_BYTES, may_swap, &made.fresh);

	if (err == OK)
		err = pool_new(pool_bytes, per_uid > one_line ? per_uid : one_line, may_swap, &made.lines);
	if (err != OK) {
		intake_room_deinit(&made);
		return err;
	}
	*room = made;
	return OK;
}

void intake_room_deinit(struct intake_room *room)
{
	pool_free(room->lines);
	locked_unmap(&room->fresh);
	*room = (struct intake_room){0};
}

static unsigned char *held(const struct intake *intake, const struct intake_room *room)
{
	return (intake->block.bytes != NULL ? intake->block.bytes : room->fresh.bytes) + intake->start;
}

static void move_to_front(struct intake *intake)
{
	unsigned char *bytes = intake->block.bytes;

	memmove(bytes, bytes + intake->start, intake->len);
	wipe(bytes + intake->len, intake->start);
	intake->start = 0;
}

/* A full block's bytes go on in the fresh buffer, which has room for any line. */
static void move_to_fresh(struct intake *intake, struct intake_room *room)
{
	memcpy(room->fresh.bytes, intake->block.bytes, intake->len);
	pool_give(room->lines, &intake->block);
}

unsigned char *intake_tail(struct intake *intake, struct intake_room *room, size_t *space_out)
{
	size_t cap = (size_t)intake->limit + 1;

	/* intake_cut found no line in them, so they are within the limit. */
	assert(intake->len < cap && cap <= LARGE_BYTES);
	if (intake->start > 0)
		move_to_front(intake);
	if (intake->block.bytes != NULL && intake->len == intake->block.len)
		move_to_fresh(intake, room);
	if (intake->block.bytes != NULL && intake->block.len < cap)
		cap = intake->block.len;
	*space_out = cap - intake->len;
	return held(intake, room) + intake->len;
}

void intake_add(struct intake *intake, size_t count)
{
	intake->len += (uint32_t)count;
}

enum err intake_cut(struct intake *intake, struct intake_room *room, char **line_out, size_t *len_out)
{
	char *bytes = (char *)held(intake, room);
	enum err err = frame_cut(bytes, intake->len, intake->scanned, intake->limit, len_out);

	if (err == OK)
		*line_out = bytes;
	if (err == ERR_NOT_FOUND)
		intake->scanned = intake->len;
	return err;
}

void intake_drop(struct intake *intake, struct intake_room *room, size_t line_len, uint32_t next_limit)
{
	uint32_t consumed = (uint32_t)line_len + 1;

	assert(consumed <= intake->len);
	wipe(held(intake, room), consumed); /* P1 */
	intake->start += consumed;
	intake->len -= consumed;
	intake->scanned = 0;
	intake->limit = next_limit;
	if (intake->len == 0)
		intake_clear(intake, room);
}

enum err intake_keep(struct intake *intake, struct intake_room *room, uid_t uid)
{
	struct pool_block block = {0};

	if (intake->block.bytes != NULL || intake->len == 0)
		return OK;

	enum err err =
		pool_take(room->lines, uid, intake->len > SMALL_BYTES ? LARGE_BYTES : SMALL_BYTES, &block);

	if (err != OK)
		return err;
	memcpy(block.bytes, held(intake, room), intake->len);
	wipe(held(intake, room), intake->len);
	intake->block = block;
	intake->start = 0;
	return OK;
}

void intake_clear(struct intake *intake, struct intake_room *room)
{
	if (intake->block.bytes != NULL)
		pool_give(room->lines, &intake->block);
	else
		wipe(held(intake, room), intake->len);
	intake->start = 0;
	intake->len = 0;
	intake->scanned = 0;
}
