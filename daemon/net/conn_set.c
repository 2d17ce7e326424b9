/*
 * The set as a whole: one request per connection and turn, so that a talker starves nobody, and one sweep
 * for all deadlines instead of a timer each (P8).  What happens to a single connection is conn.c's.
 */
#include "conn_set.h"

#include "reader.h"

enum err conn_set_init(struct conn_set *set, uv_loop_t *loop, struct core *core,
	const struct config_limits *limits, bool may_swap)
{
	*set = (struct conn_set){.loop = loop, .core = core, .turn = core_turn(core), .limits = *limits};
	LIST_INIT(&set->all);
	TAILQ_INIT(&set->ready);

	enum err err = intake_room_init(&set->room, (size_t)limits->line_pool_bytes, may_swap);

	if (err == OK)
		err = shares_resize(
			&set->shares, (size_t)limits->connections, (size_t)limits->connections_reserved);
	if (err != OK)
		conn_set_deinit(set);
	return err;
}

void conn_set_deinit(struct conn_set *set)
{
	intake_room_deinit(&set->room);
	shares_deinit(&set->shares);
}

void conn_set_handle_ready(struct conn_set *set)
{
	/* Nobody can join the queue before the turn's end, so everybody is met once. */
	while (!TAILQ_EMPTY(&set->ready)) {
		struct conn *conn = TAILQ_FIRST(&set->ready);

		TAILQ_REMOVE(&set->ready, conn, ready);
		reader_go_on(conn);
	}
}

bool conn_set_has_ready(const struct conn_set *set)
{
	return !TAILQ_EMPTY(&set->ready);
}

void conn_set_sweep(struct conn_set *set, int64_t now_ms)
{
	/* Closing leaves a connection in the list until the loop has let go of it. */
	for (struct conn *conn = LIST_FIRST(&set->all); conn != NULL; conn = LIST_NEXT(conn, all))
		if (now_ms >= conn->deadline_ms)
			conn_close(conn);
}

void conn_set_drain(struct conn_set *set)
{
	for (struct conn *conn = LIST_FIRST(&set->all); conn != NULL; conn = LIST_NEXT(conn, all))
		conn_drain(conn);
}

void conn_set_close_unasked(struct conn_set *set)
{
	for (struct conn *conn = LIST_FIRST(&set->all); conn != NULL; conn = LIST_NEXT(conn, all))
		conn_close_unasked(conn);
}

void conn_set_close(struct conn_set *set)
{
	for (struct conn *conn = LIST_FIRST(&set->all); conn != NULL; conn = LIST_NEXT(conn, all))
		conn_close(conn);
}
