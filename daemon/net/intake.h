/*
 * From bytes to lines, in locked memory only (P1).  Fresh bytes land in one buffer that all connections
 * use in turn; what a connection must keep until later moves into a block of the line pool.
 */
#ifndef COFFER_NET_INTAKE_H
#define COFFER_NET_INTAKE_H

#include <stddef.h>
#include <stdint.h>

#include "locked.h"

/* One for all connections. */
struct intake_room {
	struct locked fresh; /* empty and wiped between two events */
	struct pool *lines;
};

enum err intake_room_init(struct intake_room *room, size_t pool_bytes, bool may_swap);
void intake_room_deinit(struct intake_room *room); /* fine on {0} */

/* The unread bytes of one connection; {0} but for limit holds nothing. */
struct intake {
	struct pool_block block; /* where they lie; without a block: in the room's fresh buffer */
	uint32_t start;
	uint32_t len;
	uint32_t scanned; /* of these no newline */
	uint32_t limit; /* of the line that begins at start, at most LINE_BYTES_MAX */
};

/*
 * Where the next bytes of an incomplete line go, and how many: never more than the limit and a newline, at
 * least one.  intake_add tells how many came.
 */
unsigned char *intake_tail(struct intake *intake, struct intake_room *room, size_t *space_out);
void intake_add(struct intake *intake, size_t count);

/* The next line, still in place.  ERR_NOT_FOUND: incomplete.  ERR_TOO_LARGE: over intake->limit. */
enum err intake_cut(struct intake *intake, struct intake_room *room, char **line_out, size_t *len_out);

/* Wipes a line of this length and its newline; the line behind it has this limit. */
void intake_drop(struct intake *intake, struct intake_room *room, size_t line_len, uint32_t next_limit);

/* Ends an event: what is left moves out of the fresh buffer.  ERR_BUSY: no block; it is still there. */
enum err intake_keep(struct intake *intake, struct intake_room *room, uid_t uid);

/* Wipes and forgets everything. */
void intake_clear(struct intake *intake, struct intake_room *room);

#endif
