/*
 * Credentials of units, from the accepted connection to its end: real sockets and a real loop, a service manager that is
 * this test, and a stub for core.  What a reader must never see is an end before the value or the whole refusal (P5).
 */
#include "net_world.h"

#include <signal.h>
#include <stddef.h>

#include "claim.h"

enum {
	REFUSAL_BYTES = 1024 * 1024 + 1,
	SILENCE_MS = 5000,
	AT_ONCE = 24,
	PER_TURN = 8,
	KEPT_MAX = 128,
	VALUE_BYTES = 100
};

/* The unit that a peer claims is its unit, but for foreign.service; test_claim.c has the rest (P9). */
enum err __wrap_claim_take(
	int fd, const struct principal *principal, struct claim *out, const char **reason_out);

enum err __wrap_claim_take(
	int fd, const struct principal *principal, struct claim *out, const char **reason_out)
{
	(void)principal;
	*reason_out = "not in that unit";
	return claim_read(fd, out) && strcmp(out->unit, "foreign.service") != 0 ? OK : ERR_DENIED;
}

/* ---- the service manager ---- */

struct kept {
	int fd;
	char id[FD_STORE_ID_BYTES];
};

static struct {
	int socket;
	struct kept kept[KEPT_MAX];
	size_t count;
	unsigned stored; /* in all */
	unsigned removed;
	unsigned barriers;
	int held_barrier; /* -1: barriers are passed at once; -2: the next one is held */
	int listener;
	int credentials; /* a copy of the listener, that the server owns */
	char path[110];
} manager;

static void manager_start(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(address);
	char name[sizeof(address.sun_path) + 1] = "@";

	memset(&manager, 0, sizeof(manager));
	manager.held_barrier = -1;
	manager.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(manager.socket, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	ck_assert_int_eq(getsockname(manager.socket, (struct sockaddr *)&address, &len), 0);
	memcpy(name + 1, address.sun_path + 1, len - offsetof(struct sockaddr_un, sun_path) - 1);
	setenv("NOTIFY_SOCKET", name, 1);

	snprintf(manager.path, sizeof(manager.path), "%s/credentials", world.directory);
	address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address.sun_path, manager.path, strlen(manager.path) + 1);
	manager.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(manager.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(manager.listener, 256), 0);
	manager.credentials = dup(manager.listener);
}

static void manager_forget(const char *id)
{
	for (size_t i = 0; i < manager.count; i++)
		if (strcmp(manager.kept[i].id, id) == 0) {
			close(manager.kept[i].fd);
			manager.kept[i] = manager.kept[--manager.count];
			manager.removed++;
			return;
		}
}

static void manager_hear(const char *text, int fd)
{
	static const char store[] = "FDSTORE=1\nFDNAME=";
	static const char removal[] = "FDSTOREREMOVE=1\nFDNAME=";

	if (strncmp(text, store, strlen(store)) == 0) {
		ck_assert_uint_lt(manager.count, KEPT_MAX);
		manager.kept[manager.count].fd = fd;
		ck_assert(fd_store_is_id(text + strlen(store), strlen(text + strlen(store))));
		memcpy(manager.kept[manager.count].id, text + strlen(store), FD_STORE_ID_BYTES);
		manager.count++;
		manager.stored++;
	} else if (strncmp(text, removal, strlen(removal)) == 0) {
		manager_forget(text + strlen(removal));
	} else if (strcmp(text, "BARRIER=1") == 0) {
		manager.barriers++;
		if (manager.held_barrier == -2)
			manager.held_barrier = fd;
		else
			close(fd);
	} else {
		ck_abort_msg("the manager is told: %s", text);
	}
}

static void manager_work(void)
{
	for (;;) {
		union {
			char bytes[CMSG_SPACE(sizeof(int))];
			struct cmsghdr align;
		} control = {0};
		char text[128] = "";
		struct iovec part = {.iov_base = text, .iov_len = sizeof(text) - 1};
		struct msghdr message = {.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control)};
		int fd = -1;

		if (recvmsg(manager.socket, &message, 0) < 0)
			return;
		if (CMSG_FIRSTHDR(&message) != NULL)
			memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
		manager_hear(text, fd);
	}
}

static void manager_pass(void)
{
	ck_assert_int_ge(manager.held_barrier, 0);
	close(manager.held_barrier);
	manager.held_barrier = -1;
}

/* As TURN_UNTIL, while the manager works, too. */
#define MANAGED_UNTIL(condition) \
	do { \
		for (int managed_ = 0; managed_ < WORLD_TURNS_MAX && !(condition); managed_++) { \
			uv_run(&world.loop, UV_RUN_ONCE); \
			manager_work(); \
		} \
		ck_assert(condition); \
	} while (0)

static void managed_turns(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uv_run(&world.loop, UV_RUN_NOWAIT);
		manager_work();
	}
}

/* The sweep's interval passes, with the clock of the deadlines where the test put it. */
static void wait_for_sweep(void)
{
	int64_t before = (int64_t)uv_hrtime();

	while ((int64_t)uv_hrtime() - before < 250 * 1000000LL) {
		uv_run(&world.loop, UV_RUN_ONCE);
		manager_work();
	}
}

static void begin(void)
{
	world_start();
	manager_start();
	ck_assert_int_eq(server_hand_out(world.server, manager.credentials, NULL, 0), OK);
}

/* What was kept is closed, as the manager does when a service is stopped for good. */
static void finish_stopped(void)
{
	manager_work();
	for (size_t i = 0; i < manager.count; i++)
		close(manager.kept[i].fd);
	if (manager.held_barrier >= 0)
		close(manager.held_barrier);
	close(manager.socket);
	close(manager.listener);
	unlink(manager.path);
	server_free(world.server);
	uv_close((uv_handle_t *)&world.tick, NULL);
	uv_run(&world.loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&world.loop), 0);
	ck_assert_uint_eq(stub.replies, 0); /* P1: every locked block was given back */
	stub_deinit();
	unlink(world.path);
	ck_assert_int_eq(rmdir(world.directory), 0);
	world = (struct world){0};
}

static void finish(void)
{
	server_stop(world.server, 0, world_on_stopped, NULL);
	MANAGED_UNTIL(world.stops == 1);
	finish_stopped();
}

/* ---- units ---- */

/* Connects as the service manager does for "UNIT/CREDENTIAL"; it will only read. */
static void ask_on(int fd, const char *what)
{
	static unsigned calls = 0;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int len = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%x%03x/unit/%s",
		(unsigned)getpid(), calls++, what);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)),
		0);
	address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address.sun_path, manager.path, strlen(manager.path) + 1);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
}

static int unit_ask(const char *what)
{
	int fd = client_socket();

	ask_on(fd, what);
	return fd;
}

/* What a reader has read, and whether its end has come. */
struct reading {
	size_t zeros;
	size_t secrets;
	bool has_ended;
};

static void read_more(int fd, struct reading *reading)
{
	static char bytes[65536];
	ssize_t count = 0;

	while ((count = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
		size_t known = reading->zeros + reading->secrets + (size_t)count;

		for (ssize_t i = 0; i < count; i++) {
			reading->zeros += bytes[i] == '\0' ? 1 : 0;
			reading->secrets += bytes[i] == 'S' ? 1 : 0;
		}
		ck_assert_uint_eq(reading->zeros + reading->secrets, known);
	}
	if (count == 0)
		reading->has_ended = true;
	else
		ck_assert_int_eq(errno, EAGAIN);
}

static struct reading read_to_the_end(int fd)
{
	struct reading reading = {0};

	MANAGED_UNTIL((read_more(fd, &reading), reading.has_ended));
	close(fd);
	return reading;
}

static void check_refused(int fd)
{
	struct reading reading = read_to_the_end(fd);

	ck_assert_uint_eq(reading.zeros, REFUSAL_BYTES);
	ck_assert_uint_eq(reading.secrets, 0);
}

static void check_given(int fd)
{
	struct reading reading = read_to_the_end(fd);

	ck_assert_uint_eq(reading.zeros, 0);
	ck_assert_uint_eq(reading.secrets, VALUE_BYTES);
}

static void check_waits(int fd)
{
	struct reading reading = {0};

	read_more(fd, &reading);
	ck_assert(!reading.has_ended);
	ck_assert_uint_eq(reading.zeros + reading.secrets, 0);
}

/* ---- refusals ---- */

START_TEST(handouts_need_a_service_manager)
{
	world_start();
	manager_start();
	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(server_hand_out(world.server, manager.credentials, NULL, 0), ERR_NOT_FOUND);
	close(manager.credentials);
	int fd = client_new();

	client_check(fd); /* the other socket is served all the same */
	close(fd);
	finish();
}
END_TEST

START_TEST(handouts_refuse_what_is_no_listening_socket)
{
	world_start();
	manager_start();
	ck_assert_int_eq(server_hand_out(world.server, STDOUT_FILENO, NULL, 0), ERR_CONFIG);
	ck_assert_int_eq(server_hand_out(world.server, manager.socket, NULL, 0), ERR_CONFIG);
	close(manager.credentials);
	finish();
}
END_TEST

/* The only way to say no: one byte more than the manager takes. */
START_TEST(handouts_refuse_with_more_than_a_unit_may_have)
{
	begin();
	check_refused(unit_ask("x.service/no"));
	ck_assert_uint_eq(stub.delivered, 1);
	ck_assert_uint_eq(manager.stored, 1);
	MANAGED_UNTIL(manager.removed == 1);
	finish();
}
END_TEST

/* P9, and with a record of it (P4) */
START_TEST(handouts_refuse_who_asks_in_another_units_name)
{
	begin();
	check_refused(unit_ask("foreign.service/100"));
	ck_assert_str_eq(stub.refused_detail, "foreign.service: 100: not in that unit");
	check_refused(unit_ask("nonsense"));
	ck_assert_uint_eq(stub.delivered, 0);
	ck_assert_uint_eq(stub.refused, 2);
	ck_assert_int_eq(stub.refused_with, ERR_DENIED);
	ck_assert_str_eq(
		stub.refused_detail, "a process in no unit's name: without a name: not in that unit");
	finish();
}
END_TEST

/* P5: until then a crash would end it. */
START_TEST(handouts_answer_nothing_that_the_manager_does_not_keep)
{
	begin();
	manager.held_barrier = -2;
	int given = unit_ask("x.service/100");

	MANAGED_UNTIL(manager.held_barrier >= 0);
	int refused = unit_ask("x.service/no");

	managed_turns(50);
	ck_assert_uint_eq(stub.delivered, 0);
	check_waits(given);
	check_waits(refused);
	manager_pass();
	check_given(given);
	check_refused(refused);
	ck_assert_uint_eq(manager.barriers, 2);
	finish();
}
END_TEST

START_TEST(handouts_refuse_when_the_manager_says_nothing_for_too_long)
{
	begin();
	manager.held_barrier = -2;
	int fd = unit_ask("x.service/100");

	MANAGED_UNTIL(manager.held_barrier >= 0);
	stub_now_ms += SILENCE_MS - 1;
	wait_for_sweep();
	check_waits(fd);
	stub_now_ms += 1;
	check_refused(fd);
	ck_assert_uint_eq(stub.delivered, 0);
	ck_assert_int_eq(stub.refused_with, ERR_BUSY);
	close(manager.held_barrier);
	manager.held_barrier = -1;
	check_given(unit_ask("x.service/100")); /* the next one has a barrier of its own */
	finish();
}
END_TEST

START_TEST(handouts_leave_units_in_the_backlog_while_the_manager_is_busy)
{
	struct sockaddr_un address = {0};
	socklen_t len = sizeof(address);
	char byte = 0;

	begin();
	int flood = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(getsockname(manager.socket, (struct sockaddr *)&address, &len), 0);
	while (sendto(flood, "x", 1, 0, (struct sockaddr *)&address, len) == 1)
		;
	int fd = unit_ask("x.service/100");

	turns(50);
	stub_now_ms += 10 * SILENCE_MS;
	turns(50);
	check_waits(fd);
	int other = client_new();

	client_check(other); /* nobody else waits for that */
	close(other);
	while (recv(manager.socket, &byte, 1, 0) == 1)
		;
	check_given(fd);
	close(flood);
	finish();
}
END_TEST

START_TEST(handouts_take_no_more_at_once_than_they_can_see_through)
{
	int fds[3 * AT_ONCE] = {0};

	begin();
	manager.held_barrier = -2;
	fds[0] = unit_ask("x.service/100");
	MANAGED_UNTIL(manager.held_barrier >= 0);
	for (size_t i = 1; i < sizeof(fds) / sizeof(fds[0]); i++)
		fds[i] = unit_ask(i % 2 == 0 ? "x.service/100" : "x.service/no");
	MANAGED_UNTIL(manager.stored == AT_ONCE);
	wait_for_sweep();
	ck_assert_uint_eq(manager.stored, AT_ONCE);
	manager_pass();
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (i % 2 == 0)
			check_given(fds[i]);
		else
			check_refused(fds[i]);
	ck_assert_uint_eq(manager.stored, 3 * AT_ONCE);
	MANAGED_UNTIL(manager.count == 0);
	finish();
}
END_TEST

/* P1: so there are never more values in locked memory at once; and other callers come in between. */
START_TEST(handouts_ask_for_a_few_in_each_turn)
{
	int fds[AT_ONCE] = {0};
	unsigned most = 0;

	begin();
	manager.held_barrier = -2;
	fds[0] = unit_ask("x.service/100");
	MANAGED_UNTIL(manager.held_barrier >= 0);
	for (size_t i = 1; i < AT_ONCE; i++)
		fds[i] = unit_ask("x.service/100");
	MANAGED_UNTIL(manager.stored == AT_ONCE);
	manager_pass();
	while (stub.delivered < AT_ONCE) {
		uv_run(&world.loop, UV_RUN_ONCE);
		manager_work();
		most = stub.end_exchanges > most ? stub.end_exchanges : most;
	}
	ck_assert_uint_eq(most, PER_TURN);
	for (size_t i = 0; i < AT_ONCE; i++)
		check_given(fds[i]);
	finish();
}
END_TEST

/* ---- readers ---- */

START_TEST(handouts_give_the_value_once_and_then_the_end)
{
	begin();
	check_given(unit_ask("x.service/100"));
	check_given(unit_ask("t@a\\x2fb.service/100"));
	ck_assert_uint_eq(stub.delivered, 2);
	MANAGED_UNTIL(manager.removed == 2 && manager.count == 0);
	finish();
}
END_TEST

START_TEST(handouts_wait_for_a_reader_with_a_value_that_fits_no_buffer)
{
	struct reading reading = {0};

	begin();
	int fd = unit_ask("x.service/1000000");

	MANAGED_UNTIL(client_has_data(fd));
	managed_turns(20);
	reading = read_to_the_end(fd);
	ck_assert_uint_eq(reading.secrets, 1000000);
	ck_assert_uint_eq(reading.zeros, 0);
	finish();
}
END_TEST

START_TEST(handouts_forget_a_reader_that_has_left)
{
	begin();
	manager.held_barrier = -2;
	int fd = unit_ask("x.service/100");

	MANAGED_UNTIL(manager.held_barrier >= 0);
	close(fd); /* the unit was stopped */
	manager_pass();
	MANAGED_UNTIL(manager.removed == 1);
	ck_assert_uint_eq(stub.delivered, 0);
	finish();
}
END_TEST

/* P9: the connection lives on in somebody else's hands. */
START_TEST(handouts_refuse_when_the_process_that_connected_has_ended)
{
	begin();
	manager.held_barrier = -2;
	int fd = client_socket();
	pid_t child = fork();

	if (child == 0) {
		ask_on(fd, "x.service/100");
		pause();
		_exit(0);
	}
	MANAGED_UNTIL(manager.held_barrier >= 0);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	manager_pass();
	check_refused(fd);
	ck_assert_uint_eq(stub.delivered, 0);
	finish();
}
END_TEST

/* systemd reads no further than what it takes. */
START_TEST(handouts_end_a_refusal_whose_reader_has_had_enough)
{
	begin();
	int fd = unit_ask("x.service/no");

	MANAGED_UNTIL(client_has_data(fd));
	close(fd);
	MANAGED_UNTIL(manager.removed == 1);
	finish();
}
END_TEST

static void serve_again(const char *id, int fd)
{
	struct fd_store_entry entry = {.fd = dup(fd)};

	snprintf(entry.id, sizeof(entry.id), "%s", id);
	ck_assert_int_eq(server_hand_out(world.server, -1, &entry, 1), OK);
}

/* Our part of it goes, the connection does not end, and after a restart the refusal begins anew. */
START_TEST(handouts_leave_a_reader_that_does_not_read_to_the_manager)
{
	struct reading reading = {0};

	begin();
	int fd = unit_ask("x.service/no");

	MANAGED_UNTIL(client_has_data(fd));
	managed_turns(20);
	stub_now_ms += world.limits.drain_ms;
	wait_for_sweep();
	ck_assert_uint_eq(manager.removed, 0);
	ck_assert_uint_eq(manager.count, 1);
	read_more(fd, &reading);
	ck_assert(!reading.has_ended);
	ck_assert_uint_gt(reading.zeros, 0);
	ck_assert_uint_lt(reading.zeros, REFUSAL_BYTES);

	struct kept kept = manager.kept[0];

	manager.count = 0;
	finish();
	world_start();
	manager_start();
	close(manager.credentials);
	serve_again(kept.id, kept.fd);
	close(kept.fd);
	check_refused(fd);
	ck_assert_uint_eq(stub.delivered, 0); /* nothing may follow what was sent but more of it */
	finish();
}
END_TEST

/* ---- after a restart ---- */

static const char came_back_id[] = "00112233445566778899aabbccddeeff";

/* A connection that another process accepted. */
static int accepted(void)
{
	return accept4(manager.listener, NULL, NULL, SOCK_NONBLOCK);
}

static void begin_with_one(int *unit_out, int *fd_out)
{
	world_start();
	manager_start();
	close(manager.credentials);
	*unit_out = unit_ask("x.service/100");
	*fd_out = accepted();
	ck_assert_int_ge(*fd_out, 0);
}

START_TEST(handouts_refuse_one_that_came_back_and_was_begun)
{
	int spent = 2;
	int unit = -1;
	int fd = -1;

	begin_with_one(&unit, &fd);
	ck_assert_int_eq(send(fd, "SSS", 3, MSG_NOSIGNAL), 3);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &spent, sizeof(spent)), 0);
	serve_again(came_back_id, fd);
	close(fd);

	struct reading reading = read_to_the_end(unit);

	ck_assert_uint_eq(reading.secrets, 3);
	ck_assert_uint_eq(reading.zeros, REFUSAL_BYTES);
	ck_assert_uint_eq(stub.delivered, 0);
	ck_assert_uint_eq(stub.refused, 1); /* P4 */
	finish();
}
END_TEST

START_TEST(handouts_answer_one_that_came_back_untouched_under_its_id)
{
	int unit = -1;
	int fd = -1;

	begin_with_one(&unit, &fd);
	serve_again(came_back_id, fd);
	close(fd);
	check_given(unit);
	ck_assert_str_eq(stub.last_id, came_back_id);
	ck_assert_uint_eq(manager.stored, 0); /* it is kept already */
	finish();
}
END_TEST

/* As many as are answered at once: the units in the backlog come after them. */
START_TEST(handouts_accept_again_after_a_full_house_came_back)
{
	struct fd_store_entry back[AT_ONCE] = {0};
	int units[AT_ONCE] = {0};

	world_start();
	manager_start();
	for (size_t i = 0; i < AT_ONCE; i++) {
		units[i] = unit_ask("x.service/100");
		back[i].fd = accepted();
		ck_assert_int_ge(back[i].fd, 0);
		snprintf(back[i].id, sizeof(back[i].id), "%032zx", i);
	}
	int late = unit_ask("x.service/100");

	ck_assert_int_eq(server_hand_out(world.server, manager.credentials, back, AT_ONCE), OK);
	for (size_t i = 0; i < AT_ONCE; i++)
		check_given(units[i]);
	check_given(late);
	finish();
}
END_TEST

START_TEST(handouts_mark_a_connection_before_its_first_byte)
{
	int mark = 0;
	socklen_t len = sizeof(mark);

	begin();
	int fd = unit_ask("x.service/no");

	MANAGED_UNTIL(manager.count == 1);
	ck_assert_int_eq(getsockopt(manager.kept[0].fd, SOL_SOCKET, SO_RCVLOWAT, &mark, &len), 0);
	ck_assert_int_eq(mark, 1);
	MANAGED_UNTIL(client_has_data(fd));
	ck_assert_int_eq(getsockopt(manager.kept[0].fd, SOL_SOCKET, SO_RCVLOWAT, &mark, &len), 0);
	ck_assert_int_eq(mark, 2);
	check_refused(fd);
	finish();
}
END_TEST

/* ---- the end of the daemon ---- */

START_TEST(handouts_are_answered_while_the_server_stops)
{
	begin();
	manager.held_barrier = -2;
	int given = unit_ask("x.service/100");

	MANAGED_UNTIL(manager.held_barrier >= 0);
	server_stop(world.server, 60000, world_on_stopped, NULL);
	int late = unit_ask("x.service/100");

	managed_turns(20);
	ck_assert_uint_eq(world.stops, 0);
	manager_pass();
	check_given(given);
	MANAGED_UNTIL(world.stops == 1);
	check_waits(late); /* in the backlog, for the next start */
	close(late);
	finish_stopped();
}
END_TEST

START_TEST(handouts_that_are_left_when_the_server_stops_have_no_end)
{
	begin();
	manager.held_barrier = -2;
	int waiting = unit_ask("x.service/100");

	MANAGED_UNTIL(manager.held_barrier >= 0);
	int refused = unit_ask("x.service/no");

	managed_turns(20);
	ck_assert_uint_eq(manager.count, 2);
	struct kept kept[2] = {manager.kept[0], manager.kept[1]};

	manager.count = 0;
	finish(); /* drains for no time */
	check_waits(waiting);
	check_waits(refused);
	close(kept[0].fd);
	close(kept[1].fd);
	close(waiting);
	close(refused);
}
END_TEST

UNIT_MAIN("handouts", handouts_need_a_service_manager, handouts_refuse_what_is_no_listening_socket,
	handouts_refuse_with_more_than_a_unit_may_have, handouts_refuse_who_asks_in_another_units_name,
	handouts_answer_nothing_that_the_manager_does_not_keep,
	handouts_refuse_when_the_manager_says_nothing_for_too_long,
	handouts_leave_units_in_the_backlog_while_the_manager_is_busy,
	handouts_take_no_more_at_once_than_they_can_see_through, handouts_ask_for_a_few_in_each_turn,
	handouts_give_the_value_once_and_then_the_end,
	handouts_wait_for_a_reader_with_a_value_that_fits_no_buffer, handouts_forget_a_reader_that_has_left,
	handouts_refuse_when_the_process_that_connected_has_ended,
	handouts_end_a_refusal_whose_reader_has_had_enough,
	handouts_leave_a_reader_that_does_not_read_to_the_manager,
	handouts_refuse_one_that_came_back_and_was_begun,
	handouts_answer_one_that_came_back_untouched_under_its_id,
	handouts_accept_again_after_a_full_house_came_back, handouts_mark_a_connection_before_its_first_byte,
	handouts_are_answered_while_the_server_stops,
	handouts_that_are_left_when_the_server_stops_have_no_end)
