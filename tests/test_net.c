/*
 * net as a whole: real sockets, a real loop, the kernel's word on the peer; core is a stub and the clock
 * stands still until a test moves it.
 */
#include "net_world.h"

enum { SLOW_TURN_MS = 400 }; /* longer than a sweep's interval */

static size_t connections(void)
{
	return server_connection_count(world.server);
}

/* Before 6.5 a kernel does not name the process that connected; then there is nothing to find dead. */
static bool can_know_the_process(void)
{
	int pair[2] = {-1, -1};
	struct principal principal = {.pidfd = -1};
	const char *reason = NULL;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(peer_identify(pair[0], &principal, &reason), OK);

	bool can = !peer_needs_proof(&principal);

	peer_clear(&principal);
	close(pair[0]);
	close(pair[1]);
	return can;
}

static unsigned count_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
	return count;
}

/* ---- lines ---- */

/* P8: at the byte over the limit, not at the newline */
START_TEST(server_refuses_a_line_at_the_byte_over_the_limit)
{
	world_start();
	int fd = client_new();

	client_send_long(fd, 4096, false);
	turns(20);
	ck_assert_uint_eq(stub.refused, 0);
	ck_assert_uint_eq(connections(), 1);
	client_send(fd, "x", 1);
	client_expect(fd, "too_large\n");
	TURN_UNTIL(client_is_closed(fd));
	ck_assert_uint_eq(stub.handled, 0);
	ck_assert_int_eq(stub.refused_with, ERR_TOO_LARGE);
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_refuses_a_flood_without_a_newline_in_little_memory)
{
	world_start();
	stub.is_known = true;
	int fd = client_new();
	char chunk[4096] = "";

	memset(chunk, 'x', sizeof(chunk));
	TURN_UNTIL(send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) < 0 && errno != EAGAIN);
	TURN_UNTIL(connections() == 0);
	ck_assert_uint_eq(stub.refused, 1);
	ck_assert_int_eq(stub.refused_with, ERR_TOO_LARGE);
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_refuses_a_known_callers_line_over_the_larger_limit)
{
	world_start();
	stub.is_known = true;
	int fd = client_new();

	client_send_long(fd, 131073, false);
	client_expect(fd, "too_large\n");
	TURN_UNTIL(client_is_closed(fd));
	ck_assert_uint_eq(stub.handled, 0);
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_closes_after_three_malformed_lines)
{
	world_start();
	int fd = client_new();

	for (int i = 0; i < 2; i++) {
		client_say(fd, "bad\n");
		client_expect(fd, "bad\n");
	}
	client_check(fd);
	client_say(fd, "bad\n");
	client_expect(fd, "bad\n");
	TURN_UNTIL(client_is_closed(fd));
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_closes_after_the_greeting_of_another_protocol)
{
	static const struct {
		const char *bytes;
		size_t len;
	} greetings[] = {
		{"GET / HTTP/1.1\r\n", 16}, {"SSH-2.0-x\r\n", 11}, {"\x16\x03\x01\0\n", 5}, {"{\0}\n", 4}};

	world_start();
	for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
		int fd = client_new();

		client_send(fd, greetings[i].bytes, greetings[i].len);
		TURN_UNTIL(client_has_data(fd));
		client_discard(fd, greetings[i].len); /* the answer */
		TURN_UNTIL(client_is_closed(fd));
		TURN_UNTIL(connections() == 0);
		close(fd);
	}
	ck_assert_uint_eq(stub.handled, 4);
	world_stop();
}
END_TEST

START_TEST(server_records_a_truncated_line_and_does_not_execute_it)
{
	world_start();
	int fd = client_new();

	client_say(fd, "echo cut off");
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	TURN_UNTIL(client_is_closed(fd));
	ck_assert(client_got(fd, ""));
	ck_assert_uint_eq(stub.handled, 0);
	ck_assert_uint_eq(stub.refused, 1);
	ck_assert_int_eq(stub.refused_with, ERR_BAD_JSON);
	ck_assert_str_eq(stub.refused_detail, "truncated");
	close(fd);
	world_stop();
}
END_TEST

/* P8: the smallest pool gives a uid one large line */
START_TEST(server_refuses_a_part_of_a_line_when_the_pool_is_used_up)
{
	world.limits = world_defaults;
	world.limits.line_pool_bytes = 262144;
	world_start();
	stub.is_known = true;

	int large = client_new();
	int fd = client_new();

	client_send_long(large, 100000, false);
	turns(20);
	client_say(fd, "echo");
	client_expect(fd, "busy\n");
	TURN_UNTIL(client_is_closed(fd));
	ck_assert_uint_eq(stub.refused, 1);
	client_say(large, "\n");
	TURN_UNTIL(stub.last_len == 100000);
	close(large);
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_answers_the_line_before_those_it_has_no_memory_for)
{
	world.limits = world_defaults;
	world.limits.line_pool_bytes = 262144;
	world_start();
	stub.is_known = true;

	int large = client_new();
	int fd = client_new();

	client_send_long(large, 100000, false);
	turns(20);
	client_say(fd, "echo 1\necho 2\n");
	client_expect(fd, "echo 1\nbusy\n");
	TURN_UNTIL(client_is_closed(fd));
	ck_assert_uint_eq(stub.handled, 1);
	ck_assert_int_eq(stub.refused_with, ERR_BUSY);
	close(large);
	close(fd);
	world_stop();
}
END_TEST

/* ---- deadlines ---- */

START_TEST(server_closes_a_silent_connection)
{
	world_start();
	int fd = client_new();

	stub_now_ms += world.limits.first_line_ms - 1;
	turns(20);
	ck_assert(!client_is_closed(fd));
	stub_now_ms += 1;
	TURN_UNTIL(client_is_closed(fd));
	ck_assert_uint_eq(stub.handled + stub.refused, 0);
	TURN_UNTIL(connections() == 0);
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_closes_a_first_line_that_does_not_end)
{
	world_start();
	int fd = client_new();

	client_say(fd, "ec");
	turns(20);
	stub_now_ms += world.limits.first_line_ms;
	TURN_UNTIL(client_is_closed(fd));
	ck_assert_uint_eq(stub.handled, 0);
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_gives_a_started_line_no_more_time_for_each_byte)
{
	world_start();
	int fd = client_new();

	client_check(fd);
	for (int i = 0; i < 4; i++) {
		client_send(fd, "x", 1);
		turns(20);
		ck_assert(!client_is_closed(fd));
		stub_now_ms += world.limits.line_ms / 4;
	}
	TURN_UNTIL(client_is_closed(fd));
	ck_assert_uint_eq(stub.handled, 1);
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_closes_an_idle_connection)
{
	world_start();
	int fd = client_new();

	client_check(fd);
	stub_now_ms += world.limits.idle_ms - 1;
	client_check(fd);
	stub_now_ms += world.limits.idle_ms;
	TURN_UNTIL(client_is_closed(fd));
	close(fd);
	world_stop();
}
END_TEST

static int speaker_fd;

/* A turn that takes longer than every deadline; meanwhile a whole line arrives. */
static void be_slow(void)
{
	stub.ended = NULL;
	client_say(speaker_fd, "echo 2\n");
	stub_now_ms += world.limits.first_line_ms + world.limits.line_ms + world.limits.drain_ms +
		       world.limits.idle_ms;
	uv_sleep(SLOW_TURN_MS);
}

/* The daemon's own slowness is not the client's; only who has sent nothing in all that time is closed. */
START_TEST(server_answers_a_line_that_came_while_a_turn_was_slow)
{
	world_start();
	speaker_fd = client_new();
	int fd = client_new();
	int silent = client_new();

	client_check(speaker_fd);
	stub.ended = be_slow;
	client_say(fd, "echo 1\n");
	TURN_UNTIL(stub.ended == NULL);
	client_expect(fd, "echo 1\n");
	turns(2); /* at once: this sweep was due in the slow turn already */
	ck_assert(client_is_closed(silent));
	client_expect(speaker_fd, "echo 2\n");
	client_check(speaker_fd);
	close(speaker_fd);
	close(fd);
	close(silent);
	world_stop();
}
END_TEST

/* P1, P8 */
START_TEST(server_closes_who_never_reads_and_takes_the_secret_back)
{
	struct pool_block all = {0};

	world_start();
	int fd = client_new();

	client_say(fd, "secret 3000000\n");
	TURN_UNTIL(client_has_data(fd));
	turns(20);
	ck_assert_uint_eq(stub.replies, 1);
	stub_now_ms += world.limits.drain_ms;
	TURN_UNTIL(connections() == 0);
	ck_assert_uint_eq(stub.replies, 0);
	ck_assert_uint_eq(stub.undelivered, 0); /* part of it is in the caller's socket */
	ck_assert_int_eq(pool_take(stub.pool, 1, STUB_POOL_BYTES, &all), OK);
	ck_assert_ptr_null(memchr(all.bytes, 'S', all.len));
	pool_give(stub.pool, &all);
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_reads_nothing_while_a_reply_is_stuck)
{
	world_start();
	int fd = client_new();

	client_say(fd, "big 3000000\n");
	TURN_UNTIL(client_has_data(fd));
	client_say(fd, "echo\n");
	turns(50);
	ck_assert_uint_eq(stub.handled, 1);
	client_discard(fd, 3000000);
	client_expect(fd, "echo\n");
	ck_assert_uint_eq(stub.handled, 2);
	client_check(fd);
	close(fd);
	world_stop();
}
END_TEST

/* ---- events ---- */

/* P8: who does not read its events holds up nobody, and is not closed for being slow. */
START_TEST(server_waits_for_a_slow_watcher_and_serves_the_others)
{
	world_start();
	int slow = client_new();
	int other = client_new();

	client_say(slow, "watch\n");
	client_expect(slow, "watch\n");
	stub_tell(3000000, false);
	turns(20);
	stub_now_ms += 10 * world.limits.drain_ms;
	turns(50);
	client_check(other);
	ck_assert(!client_is_closed(slow) && connections() == 2);
	stub_tell(2, false); /* has to wait for the first */
	client_discard(slow, 3000000);
	client_expect(slow, "e\n");
	client_check(slow);
	close(slow);
	close(other);
	TURN_UNTIL(connections() == 0);
	ck_assert_ptr_null(stub.subscriber);
	world_stop();
}
END_TEST

START_TEST(server_closes_a_watcher_behind_its_last_event)
{
	world_start();
	int fd = client_new();

	client_say(fd, "watch\n");
	client_expect(fd, "watch\n");
	stub_tell(2, true);
	client_expect(fd, "e\n");
	TURN_UNTIL(client_is_closed(fd));
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_sends_events_between_replies_only)
{
	world_start();
	int fd = client_new();

	client_say(fd, "watch\n");
	client_expect(fd, "watch\n");
	client_say(fd, "later 1\n");
	TURN_UNTIL(stub.held != NULL);
	stub_tell(2, false);
	turns(20);
	ck_assert(!client_has_data(fd));
	stub_deliver_held();
	client_expect(fd, "later 1\ne\n");
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_does_not_close_a_watcher_for_being_idle)
{
	world_start();
	int fd = client_new();

	client_say(fd, "watch\n");
	client_expect(fd, "watch\n");
	stub_now_ms += 100 * world.limits.idle_ms;
	turns(20);
	ck_assert(!client_is_closed(fd));
	stub_tell(2, false);
	client_expect(fd, "e\n");
	client_say(fd, "ec"); /* a line that was begun has its time as ever */
	turns(20);
	stub_now_ms += world.limits.line_ms;
	TURN_UNTIL(client_is_closed(fd));
	close(fd);
	world_stop();
}
END_TEST

/* ---- who gets in ---- */

/* P8 */
START_TEST(server_gives_one_uid_an_eighth_of_the_connections)
{
	int fds[5] = {0};

	world.limits = world_defaults;
	world.limits.connections = 32;
	world.limits.connections_reserved = 4;
	world_start();
	for (size_t i = 0; i < 4; i++)
		fds[i] = client_new();
	fds[4] = client_socket();
	ck_assert_int_eq(client_connect(fds[4]), 0);
	TURN_UNTIL(client_is_closed(fds[4]));
	ck_assert_uint_eq(connections(), 4);
	client_check(fds[0]);

	/* a place that was left is free again */
	close(fds[0]);
	TURN_UNTIL(connections() == 3);
	fds[0] = client_new();
	client_check(fds[0]);
	for (size_t i = 0; i < 5; i++)
		close(fds[i]);
	world_stop();
}
END_TEST

START_TEST(server_keeps_the_reserved_connections_for_administrators)
{
	int fds[16] = {0};
	int stranger = -1;

	world.limits = world_defaults;
	world.limits.connections = 16;
	world.limits.connections_reserved = 4;
	world_start();
	stub.is_privileged = true;
	for (size_t i = 0; i < 12; i++)
		fds[i] = client_new();
	stub.is_privileged = false;
	stranger = client_socket();
	ck_assert_int_eq(client_connect(stranger), 0);
	TURN_UNTIL(client_is_closed(stranger));
	close(stranger);
	stub.is_privileged = true;
	for (size_t i = 12; i < 16; i++)
		fds[i] = client_new();
	stranger = client_socket();
	ck_assert_int_eq(client_connect(stranger), 0);
	TURN_UNTIL(client_is_closed(stranger));
	client_check(fds[15]);
	close(stranger);
	for (size_t i = 0; i < 16; i++)
		close(fds[i]);
	world_stop();
}
END_TEST

START_TEST(server_takes_new_limits_while_it_runs)
{
	struct config_limits limits = world_defaults;
	int fds[3] = {0};

	limits.connections = 16;
	world_start();
	fds[0] = client_new();
	server_set_limits(world.server, &limits);
	fds[1] = client_new();
	fds[2] = client_socket();
	ck_assert_int_eq(client_connect(fds[2]), 0);
	TURN_UNTIL(client_is_closed(fds[2]));
	client_check(fds[0]);
	server_set_limits(world.server, &world_defaults);
	close(fds[2]);
	fds[2] = client_new();
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	world_stop();
}
END_TEST

/* P8 */
START_TEST(server_survives_the_end_of_descriptors)
{
	enum { CLIENTS = 12 };
	int fds[CLIENTS] = {0};
	struct rlimit files = {0};

	world_start();
	int served = client_new();

	for (size_t i = 0; i < CLIENTS; i++)
		fds[i] = client_socket();
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	while (dup(0) >= 0)
		;
	for (size_t i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(client_connect(fds[i]), 0);

	/* the first in the queue learns that there is no room; the loop rests; who is in is served */
	TURN_UNTIL(client_is_closed(fds[0]));
	ck_assert(!client_is_closed(fds[1]));
	turns(5);
	ck_assert(!client_is_closed(fds[1]));
	client_check(served);

	files.rlim_cur = 256;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	TURN_UNTIL(connections() >= 2);
	client_check(fds[CLIENTS - 1]);
	client_check(served);
	for (size_t i = 0; i < CLIENTS; i++)
		close(fds[i]);
	close(served);
	world_stop();
}
END_TEST

/* P9 */
START_TEST(server_takes_no_descriptors)
{
	enum { DESCRIPTORS = 200 };
	union {
		char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	char text[] = "echo\n";
	struct iovec part = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int passed[DESCRIPTORS] = {0}; /* many times descriptor 0 */

	world_start();
	int fd = client_new();

	client_check(fd);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(passed));
	memcpy(CMSG_DATA(header), passed, sizeof(passed));

	unsigned before = count_descriptors();

	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(sendmsg(fd, &message, MSG_NOSIGNAL), 5);
		client_expect(fd, "echo\n");
		ck_assert_uint_eq(count_descriptors(), before);
	}
	close(fd);
	world_stop();
}
END_TEST

/* P9 */
START_TEST(server_writes_no_secret_for_a_dead_process)
{
	int go[2] = {0};
	char byte = 0;

	if (!can_know_the_process())
		return;
	world_start();
	ck_assert_int_eq(pipe(go), 0);
	int fd = client_socket();
	pid_t child = fork();

	if (child == 0) {
		close(go[1]);
		_exit(client_connect(fd) == 0 && read(go[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(go[0]);
	TURN_UNTIL(connections() == 1);
	client_check(fd); /* the connector lives */
	close(go[1]);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	client_say(fd, "echo\n"); /* no secret: still answered */
	client_expect(fd, "echo\n");
	client_say(fd, "secret 100\n");
	TURN_UNTIL(client_is_closed(fd));
	ck_assert(client_got(fd, ""));
	ck_assert_uint_eq(stub.undelivered, 1);
	ck_assert_uint_eq(stub.replies, 0);
	close(fd);
	world_stop();
}
END_TEST

/* ---- turns ---- */

START_TEST(server_closes_quietly_when_the_peer_is_gone_before_the_reply)
{
	world_start();
	int fd = client_new();

	client_say(fd, "secret 100\n");
	close(fd);
	TURN_UNTIL(connections() == 0);
	ck_assert_uint_eq(stub.handled, 1);
	ck_assert_uint_eq(stub.replies, 0);
	ck_assert_uint_eq(stub.undelivered, 1);

	/* with a reply that it never read in its socket */
	fd = client_new();
	client_say(fd, "echo\n");
	TURN_UNTIL(client_has_data(fd));
	client_say(fd, "ec");
	close(fd);
	TURN_UNTIL(connections() == 0);
	ck_assert_uint_eq(stub.replies, 0);
	world_stop();
}
END_TEST

START_TEST(server_keeps_a_lost_connection_until_core_delivers)
{
	world_start();
	int fd = client_new();

	client_say(fd, "later\nx");
	TURN_UNTIL(stub.held != NULL);
	close(fd);
	turns(20);
	ck_assert_uint_eq(connections(), 1);
	stub_deliver_held();
	TURN_UNTIL(connections() == 0);
	ck_assert_uint_eq(stub.replies, 0);
	world_stop();
}
END_TEST

START_TEST(server_waits_for_a_late_reply_without_spinning)
{
	world_start();
	int fd = client_new();
	unsigned turned = 0;

	client_say(fd, "later\n");
	TURN_UNTIL(stub.held != NULL);
	client_say(fd, "echo\n");
	turns(3);
	ck_assert_uint_eq(stub.handled, 1);
	/* each turn now waits for the tick, though there are bytes to read */
	for (uint64_t end = uv_now(&world.loop) + 5 * WORLD_TICK_MS; uv_now(&world.loop) < end; turned++)
		uv_run(&world.loop, UV_RUN_ONCE);
	ck_assert_uint_le(turned, 10);
	stub_deliver_held();
	client_expect(fd, "later\necho\n");
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_answers_pipelined_lines_in_order_and_one_a_turn)
{
	world_start();
	int talker = client_new();
	int other = client_new();

	client_say(talker, "echo 1\necho 2\necho 3\necho 4\n");
	client_say(other, "echo x\n");
	TURN_UNTIL(stub.handled == 5);
	/* the other one did not wait for all of the talker's */
	ck_assert_ptr_nonnull(memchr(stub.order, 'x', 2));
	ck_assert_uint_eq(stub.ends, 4);
	client_expect(talker, "echo 1\necho 2\necho 3\necho 4\n");
	client_expect(other, "echo x\n");
	close(talker);
	close(other);
	world_stop();
}
END_TEST

START_TEST(server_answers_many_pipelined_lines_without_waiting_for_events)
{
	char lines[201] = "";

	memset(lines, '\n', sizeof(lines) - 1);
	world_start();
	int fd = client_new();

	client_say(fd, lines);
	TURN_UNTIL(stub.handled > 0);
	while (stub.handled < 200) {
		ck_assert_int_eq(uv_backend_timeout(&world.loop), 0); /* the loop would not wait */
		turns(1);
	}
	client_expect(fd, lines);
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_answers_a_line_that_comes_with_the_next_ones_beginning)
{
	world_start();
	int fd = client_new();

	client_say(fd, "echo 1\nec");
	client_expect(fd, "echo 1\n");
	client_say(fd, "ho 2\nech");
	client_expect(fd, "echo 2\n");
	client_say(fd, "o 3\n");
	client_expect(fd, "echo 3\n");
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_answers_who_has_finished_writing)
{
	world_start();
	int fd = client_new();

	client_say(fd, "echo 1\necho 2\n");
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	client_expect(fd, "echo 1\necho 2\n");
	TURN_UNTIL(client_is_closed(fd));
	ck_assert_uint_eq(stub.refused, 0);
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_closes_after_a_reply_that_says_so)
{
	world_start();
	int fd = client_new();

	client_say(fd, "bye\necho\n");
	client_expect(fd, "bye\n");
	TURN_UNTIL(client_is_closed(fd));
	ck_assert_uint_eq(stub.handled, 1);
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_takes_a_line_of_just_the_limit)
{
	world_start();
	int fd = client_new();

	client_send_long(fd, 4096, false);
	turns(5);
	client_send(fd, "\n", 1);
	TURN_UNTIL(stub.handled == 1);
	ck_assert_uint_eq(stub.last_len, 4096);
	client_send_long(fd, 4096, true);
	TURN_UNTIL(stub.handled == 2);
	ck_assert_uint_eq(stub.last_len, 4096);
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_takes_a_long_line_of_a_known_caller)
{
	world_start();
	stub.is_known = true;
	int fd = client_new();

	for (unsigned i = 1; i <= 3; i++) {
		client_send_long(fd, 131072, true);
		TURN_UNTIL(stub.handled == i);
		ck_assert_uint_eq(stub.last_len, 131072);
		client_discard(fd, 131073);
	}
	ck_assert_uint_eq(stub.refused, 0);
	close(fd);
	world_stop();
}
END_TEST

/* P5: what arrived in one turn shares one commit */
START_TEST(server_ends_one_turn_for_five_hundred_connections)
{
	enum { CONNECTIONS = 500 };
	int fds[CONNECTIONS] = {0};
	struct rlimit files = {0};

	/* a client, its connection and its pidfd each */
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	ck_assert_uint_ge(files.rlim_max, 3 * CONNECTIONS + 100);
	files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	world_start();
	stub.is_privileged = true;
	for (size_t i = 0; i < CONNECTIONS; i++)
		fds[i] = client_new();
	for (size_t i = 0; i < CONNECTIONS; i++)
		client_say(fds[i], "echo\n");
	turns(1);
	ck_assert_uint_eq(stub.handled, CONNECTIONS);
	ck_assert_uint_eq(stub.ends, 1);
	ck_assert_uint_eq(stub.end_exchanges, CONNECTIONS);
	for (size_t i = 0; i < CONNECTIONS; i++) {
		ck_assert(client_got(fds[i], "echo\n"));
		close(fds[i]);
	}
	world_stop();
}
END_TEST

/* ---- stopping ---- */

START_TEST(server_drains_a_reply_before_it_stops)
{
	world_start();
	int slow = client_new();
	int idle = client_new();

	client_say(slow, "big 1000000\n");
	TURN_UNTIL(client_has_data(slow));
	server_stop(world.server, 60000, world_on_stopped, NULL);
	TURN_UNTIL(client_is_closed(idle));
	ck_assert_int_ne(access(world.path, F_OK), 0);
	turns(20);
	ck_assert_uint_eq(world.stops, 0);
	client_discard(slow, 1000000);
	TURN_UNTIL(world.stops == 1);
	ck_assert(client_is_closed(slow));
	close(slow);
	close(idle);
	world_stop();
}
END_TEST

/* A restart must not lose a request that was sent in good time. */
START_TEST(server_answers_what_had_arrived_when_it_was_stopped)
{
	world_start();
	int asked = client_new();
	int ahead = client_new();
	int half = client_new();

	turns(5);
	client_say(asked, "echo 1\n");
	client_say(ahead, "echo 2\necho 3\n");
	client_say(half, "echo 4");
	server_stop(world.server, 60000, world_on_stopped, NULL);
	TURN_UNTIL(world.stops == 1);
	ck_assert(client_got(asked, "echo 1\n"));
	ck_assert(client_got(ahead, "echo 2\n"));
	ck_assert(client_is_closed(half));
	ck_assert_uint_eq(stub.handled, 2);
	close(asked);
	close(ahead);
	close(half);
	world_stop();
}
END_TEST

START_TEST(server_stops_waiting_when_the_drain_is_over)
{
	world_start();
	int slow = client_new();

	client_say(slow, "secret 3000000\n");
	TURN_UNTIL(client_has_data(slow));
	server_stop(world.server, 1, world_on_stopped, NULL);
	TURN_UNTIL(world.stops == 1);
	ck_assert_uint_eq(stub.replies, 0);
	close(slow);
	world_stop();
}
END_TEST

START_TEST(server_stops_without_executing_what_waits_for_its_turn)
{
	world_start();
	int fd = client_new();

	client_say(fd, "echo 1\necho 2\necho 3\n");
	TURN_UNTIL(stub.handled == 1);
	server_stop(world.server, 60000, world_on_stopped, NULL);
	TURN_UNTIL(world.stops == 1);
	ck_assert_uint_eq(stub.handled, 1);
	ck_assert(client_got(fd, "echo 1\n"));
	close(fd);
	world_stop();
}
END_TEST

static void stop_now(void)
{
	stub.ended = NULL;
	server_stop(world.server, 60000, world_on_stopped, NULL);
}

START_TEST(server_can_be_stopped_from_within_a_turn)
{
	world_start();
	int fd = client_new();
	int late = client_new();

	client_say(late, "later\n");
	TURN_UNTIL(stub.held != NULL);
	client_say(fd, "echo 1\necho 2\n");
	stub.ended = stop_now;
	TURN_UNTIL(client_got(fd, "echo 1\n"));
	turns(20);
	ck_assert_uint_eq(world.stops, 0);
	stub_deliver_held();
	TURN_UNTIL(world.stops == 1);
	ck_assert(client_got(fd, "echo 1\n"));
	ck_assert(client_got(late, "later\n"));
	ck_assert_uint_eq(stub.handled, 2);
	close(fd);
	close(late);
	world_stop();
}
END_TEST

START_TEST(server_is_not_stopped_before_core_has_delivered)
{
	world_start();
	int fd = client_new();

	client_say(fd, "later\n");
	TURN_UNTIL(stub.held != NULL);
	server_stop(world.server, 0, world_on_stopped, NULL);
	TURN_UNTIL(client_is_closed(fd));
	turns(20);
	ck_assert_uint_eq(world.stops, 0);
	stub_deliver_held();
	TURN_UNTIL(world.stops == 1);
	ck_assert_uint_eq(stub.replies, 0);
	close(fd);
	world_stop();
}
END_TEST

START_TEST(server_leaves_a_file_that_is_not_its_own)
{
	struct stat before = {0};
	struct stat after = {0};

	world_start();
	ck_assert_int_eq(unlink(world.path), 0);
	close(open(world.path, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(stat(world.path, &before), 0);
	server_stop(world.server, 0, world_on_stopped, NULL);
	TURN_UNTIL(world.stops == 1);
	ck_assert_int_eq(stat(world.path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	world_stop();
}
END_TEST

START_TEST(server_refuses_what_is_not_a_listening_socket)
{
	int pair[2] = {-1, -1};
	struct server *server = NULL;

	world_start();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(server_start(&world.loop, pair[0], &stub, &world.limits, true, &server), ERR_CONFIG);
	ck_assert_ptr_null(server);
	ck_assert_int_eq(fcntl(pair[0], F_GETFD), 0); /* still ours */
	close(pair[0]);
	close(pair[1]);
	world_stop();
}
END_TEST

/* ---- proof of the process, where the kernel does not name it ---- */

/* P9 */
START_TEST(server_gives_core_the_credentials_of_the_writer_where_it_must_be_proven)
{
	world_start();
	int fd = client_new();
	int other = client_new();
	char first[sizeof(stub.challenge)] = "";

	client_check(fd);
	if (can_know_the_process()) {
		ck_assert_str_eq(stub.challenge, "");
		ck_assert_uint_eq(stub.credentialed, 0);
	} else {
		ck_assert_uint_eq(strspn(stub.challenge, "0123456789abcdef"), 32);
		ck_assert_uint_eq(strlen(stub.challenge), 32);
		ck_assert_uint_eq(stub.credentialed, 1);
		ck_assert_int_eq(stub.cred_pid, getpid());
		memcpy(first, stub.challenge, sizeof(first));
		client_check(other);
		ck_assert_str_ne(stub.challenge, first);
		client_check(fd);
		ck_assert_str_eq(stub.challenge, first);
	}
	close(fd);
	close(other);
	world_stop();
}
END_TEST

/* P9: half a line of one process and half of another prove nothing */
START_TEST(server_gives_core_no_credentials_of_a_line_with_two_writers)
{
	world_start();
	int fd = client_new();

	client_say(fd, "ec");
	turns(20);

	pid_t child = fork();

	if (child == 0)
		_exit(send(fd, "ho\n", 3, 0) == 3 ? 0 : 1);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	client_expect(fd, "echo\n");
	ck_assert_uint_eq(stub.credentialed, 0);
	client_check(fd);
	ck_assert_uint_eq(stub.credentialed, can_know_the_process() ? 0 : 1);
	close(fd);
	world_stop();
}
END_TEST

/* P9: what another process sends behind our line is not ours */
START_TEST(server_tells_the_writers_of_two_lines_apart)
{
	world_start();
	int fd = client_new();

	client_say(fd, "echo 1\n");

	pid_t child = fork();

	if (child == 0)
		_exit(send(fd, "echo 2\n", 7, 0) == 7 ? 0 : 1);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	TURN_UNTIL(stub.handled == 1);
	ck_assert_int_eq(stub.cred_pid, can_know_the_process() ? 0 : getpid());
	TURN_UNTIL(stub.handled == 2);
	ck_assert_int_eq(stub.cred_pid, can_know_the_process() ? 0 : child);
	close(fd);
	world_stop();
}
END_TEST

UNIT_MAIN("net", server_refuses_a_line_at_the_byte_over_the_limit,
	server_refuses_a_flood_without_a_newline_in_little_memory,
	server_refuses_a_known_callers_line_over_the_larger_limit, server_closes_after_three_malformed_lines,
	server_closes_after_the_greeting_of_another_protocol,
	server_records_a_truncated_line_and_does_not_execute_it,
	server_refuses_a_part_of_a_line_when_the_pool_is_used_up,
	server_answers_the_line_before_those_it_has_no_memory_for, server_closes_a_silent_connection,
	server_closes_a_first_line_that_does_not_end, server_gives_a_started_line_no_more_time_for_each_byte,
	server_closes_an_idle_connection, server_answers_a_line_that_came_while_a_turn_was_slow,
	server_closes_who_never_reads_and_takes_the_secret_back, server_reads_nothing_while_a_reply_is_stuck,
	server_waits_for_a_slow_watcher_and_serves_the_others, server_closes_a_watcher_behind_its_last_event,
	server_sends_events_between_replies_only, server_does_not_close_a_watcher_for_being_idle,
	server_gives_one_uid_an_eighth_of_the_connections,
	server_keeps_the_reserved_connections_for_administrators, server_takes_new_limits_while_it_runs,
	server_survives_the_end_of_descriptors, server_takes_no_descriptors,
	server_writes_no_secret_for_a_dead_process,
	server_closes_quietly_when_the_peer_is_gone_before_the_reply,
	server_keeps_a_lost_connection_until_core_delivers, server_waits_for_a_late_reply_without_spinning,
	server_answers_pipelined_lines_in_order_and_one_a_turn,
	server_answers_many_pipelined_lines_without_waiting_for_events,
	server_answers_a_line_that_comes_with_the_next_ones_beginning,
	server_answers_who_has_finished_writing, server_closes_after_a_reply_that_says_so,
	server_takes_a_line_of_just_the_limit, server_takes_a_long_line_of_a_known_caller,
	server_ends_one_turn_for_five_hundred_connections, server_drains_a_reply_before_it_stops,
	server_answers_what_had_arrived_when_it_was_stopped, server_stops_waiting_when_the_drain_is_over,
	server_stops_without_executing_what_waits_for_its_turn, server_can_be_stopped_from_within_a_turn,
	server_is_not_stopped_before_core_has_delivered, server_leaves_a_file_that_is_not_its_own,
	server_refuses_what_is_not_a_listening_socket,
	server_gives_core_the_credentials_of_the_writer_where_it_must_be_proven,
	server_gives_core_no_credentials_of_a_line_with_two_writers,
	server_tells_the_writers_of_two_lines_apart)
