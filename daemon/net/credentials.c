/*
 * recvmsg with room for one SCM_CREDENTIALS and nothing else.  A descriptor cannot be passed to us: what does
 * not fit is dropped by the kernel, and what fits all the same is closed here (P8, P9).
 */
#include "credentials.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum err credentials_ask(int fd)
{
	int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0 ? OK : ERR_INTERNAL;
}

static void close_descriptors(const struct cmsghdr *header)
{
	size_t len = header->cmsg_len - CMSG_LEN(0);

	for (size_t at = 0; at + sizeof(int) <= len; at += sizeof(int)) {
		int fd = -1;

		memcpy(&fd, CMSG_DATA(header) + at, sizeof(fd));
		close(fd);
	}
}

static void read_control(struct msghdr *message, struct credentials *out)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
		header = CMSG_NXTHDR(message, header)) {
		struct ucred cred = {0};

		if (header->cmsg_level != SOL_SOCKET)
			continue;
		if (header->cmsg_type == SCM_RIGHTS)
			close_descriptors(header);
		if (header->cmsg_type != SCM_CREDENTIALS || header->cmsg_len != CMSG_LEN(sizeof(cred)))
			continue;
		memcpy(&cred, CMSG_DATA(header), sizeof(cred));
		/* Bytes written before SO_PASSCRED was set come with pid 0: nobody's. */
		*out = (struct credentials){
			.are_known = cred.pid > 0, .pid = cred.pid, .uid = cred.uid, .gid = cred.gid};
	}
}

ssize_t credentials_receive(int fd, void *bytes, size_t len, struct credentials *out)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control = {0};
	struct iovec part = {.iov_base = bytes, .iov_len = len};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t count = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);

	*out = (struct credentials){0};
	if (count >= 0)
		read_control(&message, out);
	return count;
}

struct credentials credentials_of_both(struct credentials first, struct credentials second)
{
	bool are_same = first.pid == second.pid && first.uid == second.uid && first.gid == second.gid;

	if (!first.are_known || !second.are_known || !are_same)
		return (struct credentials){0};
	return first;
}
