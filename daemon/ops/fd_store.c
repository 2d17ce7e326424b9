/*
 * P5 for connections: messages are handled in the order in which they were sent, also after their sender has died, so a
 * connection whose message has left is not closed by our end.
 *
 * A lost message is never repeated by itself: the caller knows what it stands for.
 */
#include "fd_store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service.h"

enum { MESSAGE_BYTES = 128 };

enum err fd_store_open(struct fd_store *store)
{
	store->socket = service_connect();
	return store->socket >= 0 ? OK : ERR_NOT_FOUND;
}

void fd_store_close(struct fd_store *store)
{
	if (store->socket >= 0)
		close(store->socket);
	store->socket = -1;
}

bool fd_store_has_room(const struct fd_store *store)
{
	struct pollfd state = {.fd = store->socket, .events = POLLOUT};

	/* An error is for the send to find. */
	return store->socket < 0 || poll(&state, 1, 0) != 0;
}

/* 0, or the errno. */
static int send_once(int socket_fd, const char *text, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec part = {.iov_base = (void *)(size_t)text, .iov_len = strlen(text)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.align = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	}

	ssize_t sent = 0;

	do
		sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? errno : 0;
}

static bool is_busy(int error)
{
	/* ETOOMANYREFS: too many descriptors are on their way to managers of all kinds. */
	return error == EAGAIN || error == ENOBUFS || error == ETOOMANYREFS;
}

/* A manager that was started anew has another socket at the same address. */
static enum err tell(struct fd_store *store, const char *text, int fd)
{
	int error = store->socket >= 0 ? send_once(store->socket, text, fd) : ENOTCONN;

	if (error != 0 && !is_busy(error)) {
		fd_store_close(store);
		if (fd_store_open(store) == OK)
			error = send_once(store->socket, text, fd);
	}
	if (error == 0)
		return OK;
	return is_busy(error) ? ERR_BUSY : ERR_INTERNAL;
}

enum err fd_store_put(struct fd_store *store, int fd, const char *id)
{
	char text[MESSAGE_BYTES] = "";

	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", id);
	return tell(store, text, fd);
}

enum err fd_store_remove(struct fd_store *store, const char *id)
{
	char text[MESSAGE_BYTES] = "";

	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", id);
	return tell(store, text, -1);
}

/* The manager closes its copy of the writing end; ours is closed at once, so nobody else has one. */
enum err fd_store_barrier(struct fd_store *store, int *fd_out)
{
	int ends[2] = {-1, -1};

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return ERR_INTERNAL;

	enum err err = tell(store, "BARRIER=1", ends[1]);

	close(ends[1]);
	if (err != OK)
		close(ends[0]);
	else
		*fd_out = ends[0];
	return err;
}

bool fd_store_is_id(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
			return false;
	return len == FD_STORE_ID_BYTES - 1;
}
