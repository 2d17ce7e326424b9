/*
 * The bytes between this process and the daemon.  What arrives may hold values, so it goes from the kernel
 * straight into locked memory, which grows by moving to a larger region and wiping the old one (P1).
 * Nothing blocks past its deadline, raises SIGPIPE or survives an exec.  What lines mean is call.c's.
 */
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* Locked memory counts in whole mappings against RLIMIT_MEMLOCK, and most replies are small. */
enum { REPLY_BYTES_FIRST = 16384, REPLY_GROWTH = 8 };

static int64_t now_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t channel_deadline(int timeout_ms)
{
	return timeout_ms < 0 ? DEADLINE_NONE : now_ms() + timeout_ms;
}

/* Milliseconds left for poll(2): 0 when the deadline has passed, -1 for no deadline. */
static int time_left(int64_t deadline_ms)
{
	if (deadline_ms == DEADLINE_NONE)
		return -1;

	int64_t left = deadline_ms - now_ms();

	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static enum err fail(struct channel *channel, enum err err, const char *why)
{
	channel->why = why;
	return err;
}

static enum err fail_errno(struct channel *channel, enum err err)
{
	return fail(channel, err, strerrordesc_np(errno));
}

static enum err wait_for(struct channel *channel, short events, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd poll_fd = {.fd = channel->fd, .events = events};
		int ready = poll(&poll_fd, 1, time_left(deadline_ms));

		if (ready > 0)
			return OK;
		if (ready == 0)
			return fail(channel, ERR_TIMEOUT, "no answer in time");
		if (errno != EINTR)
			return fail_errno(channel, ERR_INTERNAL);
	}
}

/* The daemon asks for proof exactly where the kernel answers ENOPROTOOPT to this. */
static bool lacks_peerpidfd(int fd)
{
#ifdef COFFER_WITHOUT_PEERPIDFD
	(void)fd;
	return true;
#else
	int pidfd = -1;
	socklen_t len = sizeof(pidfd);

	/* Asked before there is a peer, so that no descriptor is made. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) != 0)
		return errno == ENOPROTOOPT;
	close(pidfd);
	return false;
#endif
}

/* Programs that were started without standard descriptors must not print into this connection. */
static int above_standard(int fd)
{
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;

	int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	close(fd);
	return moved;
}

/* A blocking connect(2) waits for a full backlog as long as sending may take; poll(2) cannot wait for that. */
static enum err limit_connect(struct channel *channel, int64_t deadline_ms)
{
	int left = time_left(deadline_ms);

	if (left < 0)
		return OK;
	if (left == 0)
		return fail(channel, ERR_TIMEOUT, "no answer in time");

	struct timeval limit = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};

	if (setsockopt(channel->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
		return fail_errno(channel, ERR_INTERNAL);
	return OK;
}

static enum err connect_before(
	struct channel *channel, const struct sockaddr_un *address, int64_t deadline_ms)
{
	enum err err = limit_connect(channel, deadline_ms);

	while (err == OK && connect(channel->fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
		if (errno == EAGAIN)
			return fail(channel, ERR_TIMEOUT, "it accepts no connection");
		if (errno != EINTR)
			return fail_errno(channel, errno == EACCES ? ERR_DENIED : ERR_UNREACHABLE);
		err = limit_connect(channel, deadline_ms);
	}
	return err;
}

enum err channel_connect(struct channel *channel, const struct sockaddr_un *address, int64_t deadline_ms)
{
	*channel = (struct channel){
		.fd = above_standard(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), .owner = getpid()};
	if (channel->fd < 0)
		return fail_errno(channel, ERR_INTERNAL);
	channel->needs_proof = lacks_peerpidfd(channel->fd);

	enum err err = connect_before(channel, address, deadline_ms);

	if (err != OK)
		channel_close(channel);
	return err;
}

bool channel_is_open(struct channel *channel)
{
	/* The daemon would take a child for its parent (P9), and two processes would share one stream of answers. */
	if (channel->fd >= 0 && channel->owner != getpid())
		channel_close(channel);
	return channel->fd >= 0;
}

void channel_close(struct channel *channel)
{
	if (channel->fd >= 0)
		close(channel->fd);
	channel->fd = -1;
	channel->has_events = false;
	locked_unmap(&channel->rest);
	channel->rest_len = 0;
}

/* Drops the first sent bytes from the pieces; returns how many pieces are behind us. */
static size_t skip_sent(struct iovec *pieces, size_t count, size_t sent)
{
	size_t done = 0;

	while (done < count && sent >= pieces[done].iov_len) {
		sent -= pieces[done].iov_len;
		done++;
	}
	if (done < count) {
		pieces[done].iov_base = (char *)pieces[done].iov_base + sent;
		pieces[done].iov_len -= sent;
	}
	return done;
}

enum err channel_send(struct channel *channel, struct iovec *pieces, size_t count, int64_t deadline_ms)
{
	channel->is_unread = false;
	while (count > 0) {
		struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
		ssize_t sent = sendmsg(channel->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent >= 0) {
			size_t done = skip_sent(pieces, count, (size_t)sent);

			pieces += done;
			count -= done;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			/* Closed before the newline was sent.  The daemon's last words may still wait to be read. */
			channel->is_unread = true;
			return OK;
		} else if (errno == EAGAIN) {
			enum err err = wait_for(channel, POLLOUT, deadline_ms);

			if (err != OK)
				return err;
		} else if (errno != EINTR) {
			return fail_errno(channel, ERR_UNREACHABLE);
		}
	}
	return OK;
}

static enum err grow(struct channel *channel, struct locked *memory, size_t used)
{
	size_t cap = memory->len == 0 ? REPLY_BYTES_FIRST : memory->len * REPLY_GROWTH;
	struct locked larger = {0};

	if (cap > REPLY_BYTES_MAX)
		cap = REPLY_BYTES_MAX + 1;
	if (locked_map(cap, true, &larger) != OK)
		return fail(channel, ERR_INTERNAL, "out of memory");
	if (used > 0)
		memcpy(larger.bytes, memory->bytes, used);
	locked_unmap(memory);
	*memory = larger;
	return OK;
}

static enum err on_end(struct channel *channel, size_t len)
{
	if (len > 0)
		return fail(channel, ERR_PROTOCOL, "the answer is cut short");
	return fail(channel, ERR_UNREACHABLE, "it closed the connection without an answer");
}

/* Appends what has arrived, at least a byte. */
static enum err receive_some(struct channel *channel, struct locked *memory, size_t *len, int64_t deadline_ms)
{
	enum err err = *len == memory->len ? grow(channel, memory, *len) : OK;

	while (err == OK) {
		err = wait_for(channel, POLLIN, deadline_ms);
		if (err != OK)
			return err;

		ssize_t got = recv(channel->fd, memory->bytes + *len, memory->len - *len, MSG_DONTWAIT);

		if (got > 0) {
			*len += (size_t)got;
			return OK;
		}
		if (got == 0)
			return on_end(channel, *len);
		/* The kernel says this when the other end closed with something of ours unread. */
		if (errno == ECONNRESET && *len == 0)
			channel->is_unread = true;
		if (errno != EINTR && errno != EAGAIN)
			return fail_errno(channel, ERR_UNREACHABLE);
	}
	return err;
}

/* Keeps what lies behind the first used bytes for the next line. */
static enum err keep_rest(struct channel *channel, const struct locked *memory, size_t used, size_t len)
{
	struct locked rest = {0};

	if (used == len)
		return OK;
	if (locked_map(len - used, true, &rest) != OK)
		return fail(channel, ERR_INTERNAL, "out of memory");
	memcpy(rest.bytes, memory->bytes + used, len - used);
	channel->rest = rest;
	channel->rest_len = len - used;
	return OK;
}

/* The other way round: the rest becomes the beginning of memory. */
static size_t take_rest(struct channel *channel, struct locked *memory)
{
	size_t len = channel->rest_len;

	if (len > 0)
		*memory = channel->rest;
	channel->rest = (struct locked){0};
	channel->rest_len = 0;
	return len;
}

/* Nothing of a line is lost because a wait ended in its middle. */
static enum err put_back(struct channel *channel, struct locked *memory, size_t len, enum err err)
{
	if (err != ERR_TIMEOUT || !channel->has_events || len == 0)
		return err;
	channel->rest = *memory;
	channel->rest_len = len;
	*memory = (struct locked){0};
	return err;
}

static enum err end_line(struct channel *channel, const struct locked *memory, size_t line_len, size_t len)
{
	if (line_len + 1 != len && !channel->has_events)
		return fail(channel, ERR_PROTOCOL, "something follows the answer");
	/* A whole answer came, whatever became of the request's last bytes. */
	channel->is_unread = false;
	return keep_rest(channel, memory, line_len + 1, len);
}

enum err channel_receive(struct channel *channel, struct locked *memory, size_t *len_out, int64_t deadline_ms)
{
	size_t len = take_rest(channel, memory);
	size_t scanned = 0;

	for (;;) {
		enum err err = frame_cut((const char *)memory->bytes, len, scanned, REPLY_BYTES_MAX, len_out);

		if (err == OK)
			return end_line(channel, memory, *len_out, len);
		if (err != ERR_NOT_FOUND)
			return fail(channel, ERR_PROTOCOL, "the answer is too long");
		scanned = len;
		err = receive_some(channel, memory, &len, deadline_ms);
		if (err != OK)
			return put_back(channel, memory, len, err);
	}
}
