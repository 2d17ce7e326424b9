/*
 * The reading side of a connection: bytes, a line, and the line handed over.
 *
 * P8: a line is stopped at its limit, and what a caller sends ahead waits in its own share of memory.  P1:
 * nothing of one connection stays in the buffer that the next one reads into.  The reply, the deadlines'
 * enforcement and the end are conn.c's; what a line means is core's.
 */
#include "reader.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "conn_set.h"

/* ---- lines ---- */

/* A line may outgrow the strangers' limit once its sender turns out to be known. */
static enum err cut(struct conn *conn, char **line_out, size_t *len_out)
{
	struct conn_set *set = conn->set;
	enum err err = intake_cut(&conn->intake, &set->room, line_out, len_out);

	if (err != ERR_TOO_LARGE || conn->intake.limit >= set->limits.line_bytes)
		return err;
	if (!core_is_known(set->core, &conn->principal))
		return err;
	conn->intake.limit = (uint32_t)set->limits.line_bytes;
	return intake_cut(&conn->intake, &set->room, line_out, len_out);
}

/* What no JSON text holds or begins with: another protocol's greeting; its sender will not speak ours. */
static bool is_foreign(const char *line, size_t len)
{
	bool has_capital = len > 0 && line[0] >= 'A' && line[0] <= 'Z';

	return has_capital || memchr(line, '\0', len) != NULL;
}

/* False when there is no complete line to act upon yet. */
static bool take_line(struct conn *conn)
{
	char *line = NULL;
	size_t len = 0;
	enum err err = cut(conn, &line, &len);

	if (err == ERR_NOT_FOUND)
		return false;
	if (err != OK) {
		conn_refuse(conn, err, "the line is over the limit");
		return true;
	}
	if (is_foreign(line, len))
		conn->must_close = true;
	conn_hand_over(conn, line, len);
	intake_drop(&conn->intake, &conn->set->room, len, (uint32_t)conn->set->limits.line_bytes_stranger);
	return true;
}

/* At the end of each event: nothing of this connection stays in the buffer that the next one reads into. */
static void keep_rest(struct conn *conn)
{
	enum err err = intake_keep(&conn->intake, &conn->set->room, conn->principal.uid);

	if (err == OK)
		return;
	intake_clear(&conn->intake, &conn->set->room);
	if (conn->state == CONN_HANDED)
		conn->refusal = err; /* after the reply to the line that did arrive */
	else
		conn_refuse(conn, err, "no memory for an incomplete line");
}

/* ---- bytes ---- */

/* The peer has finished, or is gone.  A line that was cut off is recorded (P4), never executed. */
void reader_lose(struct conn *conn)
{
	if (conn->intake.len == 0) {
		conn_close(conn);
		return;
	}
	conn->is_silent = true;
	conn_refuse(conn, ERR_BAD_JSON, "truncated");
}

static ssize_t receive(struct conn *conn)
{
	size_t space = 0;
	unsigned char *tail = intake_tail(&conn->intake, &conn->set->room, &space);

	/* Without a control buffer the kernel drops descriptors that are passed to us (P8). */
	if (conn->challenge[0] == '\0')
		return recv(conn->fd, tail, space, MSG_DONTWAIT);

	struct credentials writer = {0};
	ssize_t count = credentials_receive(conn->fd, tail, space, &writer);

	if (count > 0)
		conn->credentials =
			conn->intake.len == 0 ? writer : credentials_of_both(conn->credentials, writer);
	return count;
}

/* False when there was nothing more to read, or when the connection was lost. */
static bool read_some(struct conn *conn)
{
	ssize_t count = receive(conn);

	if (count > 0) {
		intake_add(&conn->intake, (size_t)count);
		return true;
	}
	if (count == 0 || (errno != EAGAIN && errno != EINTR))
		reader_lose(conn);
	return false;
}

void reader_read(struct conn *conn)
{
	bool is_new = conn->intake.len == 0;
	uint32_t limit = 0;

	/* Once more only for a line that was just allowed to grow: its rest is likely here already. */
	do
		limit = conn->intake.limit;
	while (read_some(conn) && !take_line(conn) && conn->intake.limit > limit);

	if (conn->is_closing)
		return;
	keep_rest(conn);
	if (conn->intake.len > 0)
		turn_forget(); /* P1 */
	if (conn->state == CONN_READING && is_new && conn->intake.len > 0 && conn->has_spoken)
		conn->deadline_ms = clock_monotonic_ms() + conn->set->limits.line_ms;
}

void reader_go_on(struct conn *conn)
{
	conn->state = CONN_READING;
	if (conn->refusal != OK)
		conn_refuse(conn, conn->refusal, "no memory for the lines sent at once");
	else if (!take_line(conn))
		conn_read_on(conn);
}
