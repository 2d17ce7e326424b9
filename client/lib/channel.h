/*
 * One connection to the daemon: lines out, lines in, each step before a deadline, nothing inherited by
 * children or programs.
 */
#ifndef COFFER_LIB_CHANNEL_H
#define COFFER_LIB_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "err.h"
#include "locked.h"

#define DEADLINE_NONE INT64_MAX

struct channel {
	int fd; /* -1: closed */
	pid_t owner; /* the process that connected: the only one whom the daemon knows by this connection */
	bool needs_proof; /* the kernel has no SO_PEERPIDFD: hello and session.prove come first */
	bool is_unread; /* the daemon closed before it had read the whole of the last line */
	bool has_events; /* lines may come that nobody asked for: what follows a line is kept, not refused */
	struct locked rest; /* where has_events: what came behind the last line, the beginning of the next */
	size_t rest_len;
	const char *why; /* after an error: a constant sentence */
};

/* Monotonic time in milliseconds at which a wait of timeout_ms ends; negative: DEADLINE_NONE. */
int64_t channel_deadline(int timeout_ms);

/* Errors: UNREACHABLE, DENIED (the kernel, not the daemon), TIMEOUT, INTERNAL.  channel must be closed. */
enum err channel_connect(struct channel *channel, const struct sockaddr_un *address, int64_t deadline_ms);

/* False also, after closing it here, for a connection that was inherited by fork. */
bool channel_is_open(struct channel *channel);

/* Fine on a closed one. */
void channel_close(struct channel *channel);

/* Sends all of the count pieces (changing them), whose last byte is the newline.  Errors: UNREACHABLE, TIMEOUT. */
enum err channel_send(struct channel *channel, struct iovec *pieces, size_t count, int64_t deadline_ms);

/*
 * Receives one line into memory, which is {0} before, grows as needed and is the caller's, and writes the line's
 * length without the newline.  Errors: UNREACHABLE, TIMEOUT (with has_events a part of a line is kept for the next
 * call), PROTOCOL (cut short, over REPLY_BYTES_MAX, more than one line without has_events), INTERNAL.
 */
enum err channel_receive(
	struct channel *channel, struct locked *memory, size_t *len_out, int64_t deadline_ms);

#endif
