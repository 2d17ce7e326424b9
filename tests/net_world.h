/*
 * A server on a real loop and a real socket in a directory of its own, and clients of it, all in one
 * thread: a test says what clients do, then turns the loop until something is true.
 */
#ifndef COFFER_TESTS_NET_WORLD_H
#define COFFER_TESTS_NET_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"
#include "stub_core.h"
#include "unit.h"

enum { WORLD_TURNS_MAX = 2000, WORLD_TICK_MS = 10 };

struct world {
	uv_loop_t loop;
	uv_timer_t tick; /* so that a turn without events ends */
	struct server *server;
	struct config_limits limits;
	char directory[64];
	char path[100];
	unsigned stops;
};

static struct world world;

#define LIMIT(name, value, least, most, text) .name = value,
static const struct config_limits world_defaults = {
#include "limits.def"
};
#undef LIMIT

static void world_on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static void world_make_directory(void)
{
	snprintf(world.directory, sizeof(world.directory), "%s", "/tmp/coffer-net-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(world.directory));
	snprintf(world.path, sizeof(world.path), "%s/s", world.directory);
}

/* world.limits may be set before; a zero connections takes the defaults. */
static void world_start(void)
{
	const char *reason = "";
	int fd = -1;

	stub_init();
	world_make_directory();
	if (world.limits.connections == 0)
		world.limits = world_defaults;
	ck_assert_int_eq(uv_loop_init(&world.loop), 0);
	uv_timer_init(&world.loop, &world.tick);
	uv_timer_start(&world.tick, world_on_tick, WORLD_TICK_MS, WORLD_TICK_MS);
	ck_assert_int_eq(server_listen(world.path, &fd, &reason), OK);
	ck_assert_int_eq(server_start(&world.loop, fd, &stub, &world.limits, true, &world.server), OK);
}

static void world_on_stopped(void *arg)
{
	(void)arg;
	world.stops++;
}

static inline void turns(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		uv_run(&world.loop, UV_RUN_NOWAIT);
}

/* Turns the loop until condition is true; the test fails when it never is. */
#define TURN_UNTIL(condition) \
	do { \
		for (int turn_ = 0; turn_ < WORLD_TURNS_MAX && !(condition); turn_++) \
			uv_run(&world.loop, UV_RUN_ONCE); \
		ck_assert(condition); \
	} while (0)

/* Everything that the server holds is given back at the end of every test, whatever happened in it. */
static inline void world_stop(void)
{
	server_stop(world.server, 0, world_on_stopped, NULL);
	TURN_UNTIL(world.stops == 1);
	server_free(world.server);
	uv_close((uv_handle_t *)&world.tick, NULL);
	uv_run(&world.loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&world.loop), 0);
	ck_assert_uint_eq(stub.replies, 0);
	stub_deinit();
	unlink(world.path);
	ck_assert_int_eq(rmdir(world.directory), 0);
	world = (struct world){0};
}

static int client_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static int client_connect(int fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, world.path, strlen(world.path) + 1);
	return connect(fd, (const struct sockaddr *)&address, sizeof(address));
}

/* A client that the server has accepted. */
static int client_new(void)
{
	size_t before = server_connection_count(world.server);
	int fd = client_socket();

	ck_assert_int_eq(client_connect(fd), 0);
	TURN_UNTIL(server_connection_count(world.server) == before + 1);
	return fd;
}

static void client_send(int fd, const char *bytes, size_t len)
{
	ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void client_say(int fd, const char *text)
{
	client_send(fd, text, strlen(text));
}

/* Sends len bytes that fit no socket buffer at once, then a newline if asked. */
static inline void client_send_long(int fd, size_t len, bool ends)
{
	char chunk[4096] = "";

	memset(chunk, 'x', sizeof(chunk));
	for (size_t sent = 0; sent < len;) {
		size_t part = len - sent < sizeof(chunk) ? len - sent : sizeof(chunk);
		ssize_t count = send(fd, chunk, part, MSG_NOSIGNAL);

		if (count < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			uv_run(&world.loop, UV_RUN_NOWAIT);
			continue;
		}
		sent += (size_t)count;
	}
	if (ends)
		client_send(fd, "\n", 1);
}

static inline bool client_has_data(int fd)
{
	struct pollfd state = {.fd = fd, .events = POLLIN};

	return poll(&state, 1, 0) > 0;
}

/* What came so far; true when all of text and nothing else has come. */
static bool client_got(int fd, const char *text)
{
	char bytes[8192] = "";
	ssize_t count = recv(fd, bytes, sizeof(bytes) - 1, MSG_PEEK);

	return count == (ssize_t)strlen(text) && memcmp(bytes, text, strlen(text)) == 0;
}

static void client_expect(int fd, const char *text)
{
	char bytes[8192] = "";

	TURN_UNTIL(client_got(fd, text));
	ck_assert_int_eq(recv(fd, bytes, sizeof(bytes), 0), (ssize_t)strlen(text));
}

/* Reads exactly so many bytes of replies. */
static inline void client_discard(int fd, size_t len)
{
	char bytes[65536] = "";

	while (len > 0) {
		ssize_t count = recv(fd, bytes, len < sizeof(bytes) ? len : sizeof(bytes), 0);

		ck_assert(count > 0 || (count < 0 && errno == EAGAIN));
		len -= count > 0 ? (size_t)count : 0;
		uv_run(&world.loop, UV_RUN_NOWAIT);
	}
}

static inline bool client_is_closed(int fd)
{
	char byte = 0;
	ssize_t count = recv(fd, &byte, 1, MSG_PEEK);

	return count == 0 || (count < 0 && errno != EAGAIN);
}

/* One request and its reply. */
static void client_check(int fd)
{
	client_say(fd, "echo\n");
	client_expect(fd, "echo\n");
}

#endif
