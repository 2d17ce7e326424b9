/* The service manager's protocol: sockets handed over, messages, watchdog, signals. */
#include "service.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

static void set_number(const char *variable, long number)
{
	char text[32] = "";

	snprintf(text, sizeof(text), "%ld", number);
	ck_assert_int_eq(setenv(variable, text, 1), 0);
}

/* An abstract address of the kernel's choice. */
static int bound_socket(int type, struct sockaddr_un *address_out, socklen_t *len_out)
{
	int fd = socket(AF_UNIX, type, 0);

	*address_out = (struct sockaddr_un){.sun_family = AF_UNIX};
	ck_assert_int_eq(bind(fd, (struct sockaddr *)address_out, sizeof(sa_family_t)), 0);
	*len_out = sizeof(*address_out);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)address_out, len_out), 0);
	return fd;
}

/* Puts a socket to descriptor number at: each test is a process of its own, which needs no other. */
static void place_socket(int at, int type, bool is_listening)
{
	struct sockaddr_un address;
	socklen_t len = 0;
	int fd = bound_socket(type, &address, &len);

	if (is_listening)
		ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(dup2(fd, at), at);
	if (fd != at)
		close(fd);
}

static void hand_over(const char *count, const char *names)
{
	set_number("LISTEN_PID", getpid());
	setenv("LISTEN_FDS", count, 1);
	if (names != NULL)
		setenv("LISTEN_FDNAMES", names, 1);
	else
		unsetenv("LISTEN_FDNAMES");
}

START_TEST(service_ignores_sockets_of_another_process)
{
	hand_over("1", "api");
	place_socket(3, SOCK_STREAM, true);
	set_number("LISTEN_PID", getppid());
	ck_assert_int_eq(service_listen_count(), 0);
	ck_assert_int_eq(service_listen_fd("api"), -1);
	unsetenv("LISTEN_PID");
	ck_assert_int_eq(service_listen_count(), 0);
}
END_TEST

START_TEST(service_refuses_numbers_that_are_not_exact)
{
	static const char *const counts[] = {"", "0", "-1", "+1", " 1", "1 ", "01", "0x1", "1a", "1025",
		"4294967297", "18446744073709551617", "99999999999999999999999"};
	char pid[32] = "";

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		hand_over(counts[i], "api");
		ck_assert_msg(service_listen_count() == 0, "\"%s\"", counts[i]);
		ck_assert_int_eq(service_listen_fd("api"), -1);
	}
	hand_over("1", "api");
	snprintf(pid, sizeof(pid), "0%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	ck_assert_int_eq(service_listen_count(), 0);
	unsetenv("LISTEN_FDS");
	ck_assert_int_eq(service_listen_count(), 0);
}
END_TEST

START_TEST(service_refuses_names_that_do_not_fit_the_sockets)
{
	place_socket(3, SOCK_STREAM, true);
	place_socket(4, SOCK_STREAM, true);
	hand_over("2", "api");
	ck_assert_int_eq(service_listen_fd("api"), -1);
	hand_over("2", "api:other:more");
	ck_assert_int_eq(service_listen_fd("api"), -1);
	hand_over("2", "api:api"); /* which one? */
	ck_assert_int_eq(service_listen_fd("api"), -1);
	hand_over("2", "api:other");
	ck_assert_int_eq(service_listen_fd("ap"), -1);
	ck_assert_int_eq(service_listen_fd("api:other"), -1);
	ck_assert_int_eq(service_listen_fd(""), -1);
	unsetenv("LISTEN_FDNAMES");
	ck_assert_int_eq(service_listen_fd("api"), -1);
}
END_TEST

START_TEST(service_refuses_what_is_no_listening_socket)
{
	int ends[2] = {-1, -1};

	hand_over("5", "datagram:deaf:pipe:closed:inet");
	place_socket(3, SOCK_DGRAM, false);
	place_socket(4, SOCK_STREAM, false);
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(dup2(ends[0], 5), 5);
	close(6);
	ck_assert_int_eq(service_listen_fd("datagram"), -1);
	ck_assert_int_eq(service_listen_fd("deaf"), -1);
	ck_assert_int_eq(service_listen_fd("pipe"), -1);
	ck_assert_int_eq(service_listen_fd("closed"), -1);

	int inet = socket(AF_INET, SOCK_STREAM, 0);

	if (inet >= 0 && listen(inet, 1) == 0) {
		ck_assert_int_eq(dup2(inet, 7), 7);
		ck_assert_int_eq(service_listen_fd("inet"), -1);
	}
}
END_TEST

START_TEST(service_finds_sockets_by_name_in_any_order)
{
	place_socket(3, SOCK_STREAM, true);
	place_socket(4, SOCK_STREAM, true);
	hand_over("2", "credentials:api");
	ck_assert_int_eq(service_listen_count(), 2);
	ck_assert_int_eq(service_listen_fd("api"), 4);
	ck_assert_int_eq(service_listen_fd("credentials"), 3);
	ck_assert_int_ne(fcntl(4, F_GETFD) & FD_CLOEXEC, 0);
	hand_over("2", "api:credentials");
	ck_assert_int_eq(service_listen_fd("api"), 3);
}
END_TEST

static void check_not_taken(const char *count, const char *names)
{
	const char *reason = NULL;
	int fd = -1;

	hand_over(count, names);
	ck_assert_int_eq(service_take_socket(&fd, &reason), ERR_CONFIG);
	ck_assert_int_eq(fd, -1);
	ck_assert_ptr_nonnull(strstr(reason, "cofferd.socket"));
}

static void check_taken(const char *count, const char *names, int wanted)
{
	const char *reason = NULL;
	int fd = -1;

	hand_over(count, names);
	ck_assert_int_eq(service_take_socket(&fd, &reason), OK);
	ck_assert_int_eq(fd, wanted);
	ck_assert_int_ne(fcntl(wanted, F_GETFD) & FD_CLOEXEC, 0);
}

START_TEST(service_refuses_sockets_when_it_cannot_tell_which_to_serve)
{
	const char *reason = NULL;
	int fd = 0;

	place_socket(3, SOCK_STREAM, true);
	place_socket(4, SOCK_STREAM, true);
	place_socket(5, SOCK_DGRAM, false);
	check_not_taken("3", "api:other:datagram");
	check_not_taken("3", "coffer:coffer:datagram");
	check_not_taken("3", "api:other:coffer"); /* the right name on what cannot be served */
	check_not_taken("2", "coffer");
	place_socket(3, SOCK_STREAM, false);
	check_not_taken("1", "cofferd.socket");
	unsetenv("LISTEN_PID");
	ck_assert_int_eq(service_take_socket(&fd, &reason), OK);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(service_takes_the_socket_with_its_name_and_closes_the_others)
{
	place_socket(3, SOCK_STREAM, true);
	place_socket(4, SOCK_STREAM, true);
	check_taken("2", "other:coffer", 4);
	ck_assert_int_eq(fcntl(3, F_GETFD), -1);
	place_socket(3, SOCK_STREAM, true);
	check_taken("2", "cofferd.socket:coffer", 3);
	ck_assert_int_eq(fcntl(4, F_GETFD), -1);
}
END_TEST

START_TEST(service_takes_the_only_socket_whatever_its_name)
{
	place_socket(3, SOCK_STREAM, true);
	check_taken("1", "unknown", 3);
	check_taken("1", NULL, 3);
	place_socket(3, SOCK_DGRAM, false);
	place_socket(4, SOCK_STREAM, true);
	check_taken("2", "datagram:api", 4);
}
END_TEST

static int next_fd(void)
{
	int fd = dup(STDOUT_FILENO);

	close(fd);
	return fd;
}

START_TEST(service_notify_is_silent_without_a_manager)
{
	static char long_path[200];
	int next = next_fd();

	memset(long_path, 'a', sizeof(long_path) - 1);
	long_path[0] = '/';
	unsetenv("NOTIFY_SOCKET");
	service_notify("READY=1");

	static const char *const addresses[] = {
		"", "/", "@", "relative", "/does/not/exist", "vsock:2:1", long_path};

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		setenv("NOTIFY_SOCKET", addresses[i], 1);
		service_notify("READY=1");
	}
	ck_assert_int_eq(next_fd(), next); /* nothing was left open */
}
END_TEST

static void check_received(int fd, const char *expected)
{
	char text[64] = "";

	ck_assert_int_eq(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), (ssize_t)strlen(expected));
	ck_assert_str_eq(text, expected);
}

START_TEST(service_notify_reaches_an_abstract_socket)
{
	struct sockaddr_un address;
	socklen_t len = 0;
	char name[sizeof(address.sun_path) + 1] = "@";
	int fd = bound_socket(SOCK_DGRAM, &address, &len);

	memcpy(name + 1, address.sun_path + 1, len - offsetof(struct sockaddr_un, sun_path) - 1);
	setenv("NOTIFY_SOCKET", name, 1);
	service_notify("READY=1\nSTATUS=serving");
	check_received(fd, "READY=1\nSTATUS=serving");
}
END_TEST

START_TEST(service_notify_reaches_a_path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char directory[] = "/tmp/coffer-test-XXXXXX";
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", directory);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	service_notify("WATCHDOG=1");
	unlink(address.sun_path);
	rmdir(directory);
	check_received(fd, "WATCHDOG=1");
}
END_TEST

/* A manager that does not read must not stop the daemon. */
START_TEST(service_notify_gives_up_when_nobody_reads)
{
	struct sockaddr_un address;
	socklen_t len = 0;
	char name[sizeof(address.sun_path) + 1] = "@";
	int fd = bound_socket(SOCK_DGRAM, &address, &len);
	int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(name + 1, address.sun_path + 1, len - offsetof(struct sockaddr_un, sun_path) - 1);
	setenv("NOTIFY_SOCKET", name, 1);
	while (sendto(sender, "x", 1, 0, (struct sockaddr *)&address, len) == 1)
		;
	service_notify("READY=1");

	char byte = 0;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) > 0)
		ck_assert_int_eq(byte, 'x');
}
END_TEST

START_TEST(service_watchdog_is_half_of_what_is_asked_of_this_process)
{
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	ck_assert_int_eq(service_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "10s", 1);
	ck_assert_int_eq(service_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "0", 1);
	ck_assert_int_eq(service_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "10000000", 1);
	ck_assert_int_eq(service_watchdog_ms(), 5000);
	setenv("WATCHDOG_USEC", "1", 1);
	ck_assert_int_eq(service_watchdog_ms(), 1);
	set_number("WATCHDOG_PID", getppid());
	ck_assert_int_eq(service_watchdog_ms(), 0);
	set_number("WATCHDOG_PID", getpid());
	ck_assert_int_eq(service_watchdog_ms(), 1);
}
END_TEST

START_TEST(service_signals_become_readable)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	int fd = service_signal_fd();
	struct signalfd_siginfo info = {0};

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(read(fd, &info, sizeof(info)), -1); /* and does not block */
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		ck_assert_int_eq(raise(signals[i]), 0);
		ck_assert_int_eq(read(fd, &info, sizeof(info)), sizeof(info));
		ck_assert_uint_eq(info.ssi_signo, (unsigned)signals[i]);
	}
}
END_TEST

UNIT_MAIN("service", service_ignores_sockets_of_another_process, service_refuses_numbers_that_are_not_exact,
	service_refuses_names_that_do_not_fit_the_sockets, service_refuses_what_is_no_listening_socket,
	service_finds_sockets_by_name_in_any_order,
	service_refuses_sockets_when_it_cannot_tell_which_to_serve,
	service_takes_the_socket_with_its_name_and_closes_the_others,
	service_takes_the_only_socket_whatever_its_name, service_notify_is_silent_without_a_manager,
	service_notify_reaches_an_abstract_socket, service_notify_reaches_a_path,
	service_notify_gives_up_when_nobody_reads, service_watchdog_is_half_of_what_is_asked_of_this_process,
	service_signals_become_readable)
