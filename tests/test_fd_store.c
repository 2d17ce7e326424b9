/* Descriptors that the service manager keeps, with a manager that is this test. */
#include "fd_store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

#define ID "00112233445566778899aabbccddeeff"

/* Its socket; NOTIFY_SOCKET names it. */
static int manager_new(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(address);
	char name[sizeof(address.sun_path) + 1] = "@";
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	memcpy(name + 1, address.sun_path + 1, len - offsetof(struct sockaddr_un, sun_path) - 1);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

/* The next message; returns the descriptor that came with it, -1 when none did. */
static int manager_read(int manager, char text[128])
{
	union {
		char bytes[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec part = {.iov_base = text, .iov_len = 127};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t len = recvmsg(manager, &message, 0);
	int fd = -1;

	ck_assert_int_ge(len, 0);
	text[len] = '\0';
	if (CMSG_FIRSTHDR(&message) != NULL) {
		ck_assert_uint_eq(CMSG_FIRSTHDR(&message)->cmsg_len, CMSG_LEN(sizeof(int)));
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	}
	return fd;
}

static void fill(int manager)
{
	struct sockaddr_un address = {0};
	socklen_t len = sizeof(address);
	int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(getsockname(manager, (struct sockaddr *)&address, &len), 0);
	while (sendto(sender, "x", 1, 0, (struct sockaddr *)&address, len) == 1)
		;
	ck_assert_int_eq(errno, EAGAIN);
	close(sender);
}

static bool hangs_up(int fd)
{
	struct pollfd state = {.fd = fd};

	return poll(&state, 1, 0) == 1 && (state.revents & POLLHUP) != 0;
}

START_TEST(fd_store_is_not_there_without_a_manager)
{
	struct fd_store store = {.socket = 77};
	int fd = -1;

	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(fd_store_open(&store), ERR_NOT_FOUND);
	ck_assert_int_eq(store.socket, -1);
	ck_assert_int_eq(fd_store_put(&store, 0, ID), ERR_INTERNAL);
	ck_assert_int_eq(fd_store_barrier(&store, &fd), ERR_INTERNAL);
	ck_assert_int_eq(fd, -1);
	fd_store_close(&store);
}
END_TEST

START_TEST(fd_store_does_not_wait_for_a_manager_that_does_not_read)
{
	struct fd_store store = {0};
	int manager = manager_new();
	int fd = -1;

	ck_assert_int_eq(fd_store_open(&store), OK);
	ck_assert(fd_store_has_room(&store));
	fill(manager);
	ck_assert(!fd_store_has_room(&store));
	ck_assert_int_eq(fd_store_put(&store, 0, ID), ERR_BUSY);
	ck_assert_int_eq(fd_store_remove(&store, ID), ERR_BUSY);
	ck_assert_int_eq(fd_store_barrier(&store, &fd), ERR_BUSY);
	ck_assert_int_eq(fd, -1);
	fd_store_close(&store);
}
END_TEST

START_TEST(fd_store_tells_a_manager_that_is_gone_from_a_busy_one)
{
	struct fd_store store = {0};
	int manager = manager_new();

	ck_assert_int_eq(fd_store_open(&store), OK);
	close(manager);
	ck_assert_int_eq(fd_store_put(&store, 0, ID), ERR_INTERNAL);
	fd_store_close(&store);
}
END_TEST

START_TEST(fd_store_knows_an_id)
{
	ck_assert(fd_store_is_id(ID, 32));
	ck_assert(!fd_store_is_id(ID, 31));
	ck_assert(!fd_store_is_id(ID "0", 33));
	ck_assert(!fd_store_is_id("", 0));
	ck_assert(!fd_store_is_id("00112233445566778899aabbccddeefF", 32));
	ck_assert(!fd_store_is_id("00112233445566778899aabbccddee:f", 32));
}
END_TEST

START_TEST(fd_store_hands_over_the_descriptor_under_its_id)
{
	struct fd_store store = {0};
	char text[128] = "";
	int manager = manager_new();
	int ends[2] = {-1, -1};

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(fd_store_open(&store), OK);
	ck_assert_int_eq(fd_store_put(&store, ends[1], ID), OK);
	ck_assert_int_eq(fd_store_remove(&store, ID), OK);
	close(ends[1]);

	int kept = manager_read(manager, text);

	ck_assert_str_eq(text, "FDSTORE=1\nFDNAME=" ID);
	ck_assert(!hangs_up(ends[0])); /* the manager's copy is the same pipe */
	close(kept);
	ck_assert(hangs_up(ends[0]));
	ck_assert_int_eq(manager_read(manager, text), -1);
	ck_assert_str_eq(text, "FDSTOREREMOVE=1\nFDNAME=" ID);
	fd_store_close(&store);
}
END_TEST

/* P5: what has left is kept, whatever becomes of the sender. */
START_TEST(fd_store_keeps_what_its_sender_has_closed)
{
	struct fd_store store = {0};
	char text[128] = "";
	int manager = manager_new();
	int ends[2] = {-1, -1};

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(fd_store_open(&store), OK);
	ck_assert_int_eq(fd_store_put(&store, ends[1], ID), OK);
	close(ends[1]);
	fd_store_close(&store);
	ck_assert(!hangs_up(ends[0]));
	ck_assert_int_ge(manager_read(manager, text), 0);
	ck_assert(!hangs_up(ends[0]));
}
END_TEST

START_TEST(fd_store_barrier_hangs_up_when_the_manager_has_come_to_it)
{
	struct fd_store store = {0};
	char text[128] = "";
	int manager = manager_new();
	int fd = -1;

	ck_assert_int_eq(fd_store_open(&store), OK);
	ck_assert_int_eq(fd_store_barrier(&store, &fd), OK);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert(!hangs_up(fd));

	int theirs = manager_read(manager, text);

	ck_assert_str_eq(text, "BARRIER=1");
	ck_assert(!hangs_up(fd));
	close(theirs);
	ck_assert(hangs_up(fd));
	close(fd);
	fd_store_close(&store);
}
END_TEST

START_TEST(fd_store_finds_a_manager_that_was_started_anew)
{
	struct sockaddr_un address = {0};
	socklen_t len = sizeof(address);
	struct fd_store store = {0};
	char text[128] = "";
	int manager = manager_new();

	ck_assert_int_eq(fd_store_open(&store), OK);
	ck_assert_int_eq(getsockname(manager, (struct sockaddr *)&address, &len), 0);
	close(manager);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(manager, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(fd_store_remove(&store, ID), OK);
	ck_assert_int_eq(manager_read(manager, text), -1);
	ck_assert_str_eq(text, "FDSTOREREMOVE=1\nFDNAME=" ID);
	fd_store_close(&store);
}
END_TEST

UNIT_MAIN("fd_store", fd_store_is_not_there_without_a_manager,
	fd_store_does_not_wait_for_a_manager_that_does_not_read,
	fd_store_tells_a_manager_that_is_gone_from_a_busy_one, fd_store_knows_an_id,
	fd_store_hands_over_the_descriptor_under_its_id, fd_store_keeps_what_its_sender_has_closed,
	fd_store_barrier_hangs_up_when_the_manager_has_come_to_it,
	fd_store_finds_a_manager_that_was_started_anew)
