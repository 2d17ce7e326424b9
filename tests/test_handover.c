/* What the service manager hands over: which descriptor is served as what, and what is closed. */
#include "handover.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

#define ID_1 "00112233445566778899aabbccddeeff"
#define ID_2 "ffeeddccbbaa99887766554433221100"

static void set_number(const char *variable, long number)
{
	char text[32] = "";

	snprintf(text, sizeof(text), "%ld", number);
	ck_assert_int_eq(setenv(variable, text, 1), 0);
}

/* Each test is a process of its own, which needs no other descriptor of this number. */
static void place(int at, int fd)
{
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(dup2(fd, at), at);
	if (fd != at)
		close(fd);
}

static void place_socket(int at, int type, bool is_listening)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	if (is_listening)
		ck_assert_int_eq(listen(fd, 1), 0);
	place(at, fd);
}

static void place_connection(int at)
{
	int pair[2] = {-1, -1};

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fcntl(pair[1], F_DUPFD, 100); /* the other end stays open */
	close(pair[1]);
	place(at, pair[0]);
}

static void tell(const char *count, const char *names)
{
	set_number("LISTEN_PID", getpid());
	setenv("LISTEN_FDS", count, 1);
	if (names != NULL)
		setenv("LISTEN_FDNAMES", names, 1);
	else
		unsetenv("LISTEN_FDNAMES");
}

static void check_refused(const char *count, const char *names)
{
	struct handover handover = {0};
	const char *reason = NULL;

	tell(count, names);
	ck_assert_int_eq(handover_take(&handover, &reason), ERR_CONFIG);
	ck_assert_int_eq(handover.socket, -1);
	ck_assert_int_eq(handover.credentials, -1);
	ck_assert_ptr_nonnull(strstr(reason, "cofferd.socket"));
	handover_clear(&handover);
}

static void check_nothing(void)
{
	struct handover handover = {0};
	const char *reason = NULL;

	ck_assert_int_eq(handover_count(), 0);
	ck_assert_int_eq(handover_take(&handover, &reason), OK);
	ck_assert_int_eq(handover.socket, -1);
	ck_assert_int_eq(handover.credentials, -1);
	ck_assert_uint_eq(handover.stored_count, 0);
	handover_clear(&handover);
}

static struct handover check_taken(const char *count, const char *names, int socket, int credentials)
{
	struct handover handover = {0};
	const char *reason = NULL;

	tell(count, names);
	ck_assert_int_eq(handover_take(&handover, &reason), OK);
	ck_assert_int_eq(handover.socket, socket);
	ck_assert_int_eq(handover.credentials, credentials);
	ck_assert_int_ne(fcntl(socket, F_GETFD) & FD_CLOEXEC, 0);
	return handover;
}

static void check_taken_and_cleared(const char *count, const char *names, int socket, int credentials)
{
	struct handover handover = check_taken(count, names, socket, credentials);

	handover_clear(&handover);
	ck_assert_int_eq(fcntl(socket, F_GETFD), -1);
}

/* ---- refusals ---- */

START_TEST(handover_of_another_process_is_not_ours)
{
	place_socket(3, SOCK_STREAM, true);
	tell("1", "api");
	set_number("LISTEN_PID", getppid());
	check_nothing();
	unsetenv("LISTEN_PID");
	check_nothing();
	ck_assert_int_ge(fcntl(3, F_GETFD), 0); /* nor ours to close */
}
END_TEST

START_TEST(handover_refuses_numbers_that_are_not_exact)
{
	static const char *const counts[] = {"", "0", "-1", "+1", " 1", "1 ", "01", "0x1", "1a", "8193",
		"4294967297", "18446744073709551617", "99999999999999999999999"};
	char pid[32] = "";

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		tell(counts[i], "api");
		check_nothing();
	}
	tell("1", "api");
	snprintf(pid, sizeof(pid), "0%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	check_nothing();
	unsetenv("LISTEN_FDS");
	check_nothing();
}
END_TEST

START_TEST(handover_refuses_sockets_when_it_cannot_tell_which_to_serve)
{
	place_socket(3, SOCK_STREAM, true);
	place_socket(4, SOCK_STREAM, true);
	place_socket(5, SOCK_DGRAM, false);
	check_refused("3", "api:other:datagram");
	check_refused("3", "coffer:coffer:datagram"); /* which one? */
	check_refused("3", "api:other:coffer"); /* the right name on what cannot be served */
	check_refused("2", "coffer"); /* names that do not fit the sockets */
	check_refused("2", "coffer:other:more");
	check_refused("2", "cofferd.socke:coffe");
	check_refused("2", NULL);
	check_refused("2", "");
	place_socket(3, SOCK_STREAM, false);
	check_refused("1", "cofferd.socket");
}
END_TEST

/* The one must never be served as the other: everybody may connect to the first. */
START_TEST(handover_serves_no_credentials_socket_as_the_other)
{
	place_socket(3, SOCK_STREAM, true);
	check_refused("1", "credentials");
	check_refused("1", "cofferd-credentials.socket");
	place_connection(4);
	check_refused("2", "credentials:" ID_1);
}
END_TEST

START_TEST(handover_refuses_what_is_no_listening_socket)
{
	int ends[2] = {-1, -1};

	ck_assert_int_eq(pipe(ends), 0);
	place(5, ends[0]);
	place_socket(3, SOCK_DGRAM, false);
	place_socket(4, SOCK_STREAM, false);
	close(6);
	check_refused("4", "coffer:cofferd.socket:pipe:closed");
	check_refused("4", "datagram:deaf:coffer:closed");
	check_refused("4", "datagram:deaf:pipe:coffer");

	int inet = socket(AF_INET, SOCK_STREAM, 0);

	if (inet >= 0 && listen(inet, 1) == 0) {
		place(7, inet);
		check_refused("5", "datagram:deaf:pipe:closed:coffer");
	}
}
END_TEST

/* An id alone makes no connection, and a connection without an id is nobody's. */
START_TEST(handover_closes_what_is_neither_socket_nor_connection)
{
	static const char *const names[] = {"stored", "", "0011223344556677889900aabbccddee0",
		"00112233445566778899aabbccddeef", "00112233445566778899AABBCCDDEEFF",
		"00112233445566778899aabbccddeeg0"};
	char all[128] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		place_socket(3, SOCK_STREAM, true);
		place_connection(4);
		snprintf(all, sizeof(all), "coffer:%s", names[i]);
		struct handover handover = check_taken("2", all, 3, -1);

		ck_assert_uint_eq(handover.stored_count, 0);
		ck_assert_int_eq(fcntl(4, F_GETFD), -1);
		handover_clear(&handover);
	}
	place_socket(3, SOCK_STREAM, true);
	place_socket(4, SOCK_STREAM, true); /* listening */
	place_socket(5, SOCK_DGRAM, false);
	struct handover handover = check_taken("3", "coffer:" ID_1 ":" ID_2, 3, -1);

	ck_assert_uint_eq(handover.stored_count, 0);
	handover_clear(&handover);
}
END_TEST

/* ---- what is taken ---- */

START_TEST(handover_finds_sockets_by_name_in_any_order)
{
	static const struct {
		const char *names;
		int socket;
		int credentials;
	} orders[] = {{"coffer:credentials", 3, 4}, {"credentials:coffer", 4, 3},
		{"cofferd-credentials.socket:cofferd.socket", 4, 3}, {"cofferd.socket:credentials", 3, 4},
		{"credentials:api", 4, 3}, {"api:credentials", 3, 4}};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		place_socket(3, SOCK_STREAM, true);
		place_socket(4, SOCK_STREAM, true);
		check_taken_and_cleared("2", orders[i].names, orders[i].socket, orders[i].credentials);
	}
}
END_TEST

START_TEST(handover_takes_the_socket_with_its_name_and_closes_the_others)
{
	place_socket(3, SOCK_STREAM, true);
	place_socket(4, SOCK_STREAM, true);
	check_taken_and_cleared("2", "other:coffer", 4, -1);
	ck_assert_int_eq(fcntl(3, F_GETFD), -1);
	place_socket(3, SOCK_STREAM, true);
	place_socket(4, SOCK_STREAM, true);
	check_taken_and_cleared("2", "cofferd.socket:coffer", 3, -1);
	ck_assert_int_eq(fcntl(4, F_GETFD), -1);
}
END_TEST

START_TEST(handover_takes_the_only_socket_whatever_its_name)
{
	place_socket(3, SOCK_STREAM, true);
	check_taken_and_cleared("1", "unknown", 3, -1);
	place_socket(3, SOCK_STREAM, true);
	check_taken_and_cleared("1", NULL, 3, -1);
	place_socket(3, SOCK_DGRAM, false);
	place_socket(4, SOCK_STREAM, true);
	check_taken_and_cleared("2", "datagram:api", 4, -1);
}
END_TEST

START_TEST(handover_takes_connections_back_under_their_ids)
{
	place_connection(3);
	place_socket(4, SOCK_STREAM, true);
	place_connection(5);
	place_socket(6, SOCK_STREAM, true);
	struct handover handover = check_taken("4", ID_2 ":credentials:" ID_1 ":coffer", 6, 4);

	ck_assert_uint_eq(handover.stored_count, 2);
	ck_assert_int_eq(handover.stored[0].fd, 3);
	ck_assert_str_eq(handover.stored[0].id, ID_2);
	ck_assert_int_eq(handover.stored[1].fd, 5);
	ck_assert_str_eq(handover.stored[1].id, ID_1);
	ck_assert_int_ne(fcntl(5, F_GETFD) & FD_CLOEXEC, 0);
	handover_clear(&handover);
	ck_assert_int_eq(fcntl(5, F_GETFD), -1);
}
END_TEST

UNIT_MAIN("handover", handover_of_another_process_is_not_ours, handover_refuses_numbers_that_are_not_exact,
	handover_refuses_sockets_when_it_cannot_tell_which_to_serve,
	handover_serves_no_credentials_socket_as_the_other, handover_refuses_what_is_no_listening_socket,
	handover_closes_what_is_neither_socket_nor_connection, handover_finds_sockets_by_name_in_any_order,
	handover_takes_the_socket_with_its_name_and_closes_the_others,
	handover_takes_the_only_socket_whatever_its_name, handover_takes_connections_back_under_their_ids)
