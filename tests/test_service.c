/* The service manager's protocol: messages, watchdog, signals. */
#include "service.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
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

/* A manager's socket in the environment of this test. */
static int manager_socket(void)
{
	struct sockaddr_un address;
	socklen_t len = 0;
	char name[sizeof(address.sun_path) + 1] = "@";
	int fd = bound_socket(SOCK_DGRAM, &address, &len);

	memcpy(name + 1, address.sun_path + 1, len - offsetof(struct sockaddr_un, sun_path) - 1);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

START_TEST(service_notify_reaches_an_abstract_socket)
{
	int fd = manager_socket();

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

static void check_silent(int fd)
{
	char byte = 0;

	ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
}

START_TEST(service_status_is_sent_when_it_says_something_else)
{
	int fd = manager_socket();

	service_status("Serving, connections: %d", 1);
	check_received(fd, "STATUS=Serving, connections: 1");
	service_status("Serving, connections: %d", 1);
	check_silent(fd);
	service_status("Serving, connections: %d", 2);
	check_received(fd, "STATUS=Serving, connections: 2");
	service_status("Serving, connections: %d", 1);
	check_received(fd, "STATUS=Serving, connections: 1");
}
END_TEST

/* A path in a reason must not be able to say READY=1 or MAINPID= in its second line. */
START_TEST(service_status_is_one_line_that_fits)
{
	static char long_text[5000];
	static char received[5000];
	int fd = manager_socket();

	service_status("%s", "a\nMAINPID=1\033\xff");
	check_received(fd, "STATUS=a\\x0aMAINPID=1\\x1b\\xff");
	memset(long_text, 'a', sizeof(long_text) - 1);
	service_status("%s", long_text);

	ssize_t len = recv(fd, received, sizeof(received), MSG_DONTWAIT);

	ck_assert_int_gt(len, 200);
	ck_assert_int_lt(len, 600);
	ck_assert_ptr_null(memchr(received, '\n', (size_t)len));
}
END_TEST

START_TEST(service_reload_says_when_it_began)
{
	int fd = manager_socket();
	char text[128] = "";
	struct timespec before = {0}, after = {0};
	unsigned long long usec = 0;
	int end = 0;

	clock_gettime(CLOCK_MONOTONIC, &before);
	service_notify_reloading();
	clock_gettime(CLOCK_MONOTONIC, &after);
	ck_assert_int_gt(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), 0);
	ck_assert_int_eq(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%llu%n", &usec, &end), 1);
	ck_assert_uint_eq((size_t)end, strlen(text));
	ck_assert_uint_ge(usec,
		(unsigned long long)before.tv_sec * 1000000 + (unsigned long long)before.tv_nsec / 1000);
	ck_assert_uint_le(
		usec, (unsigned long long)after.tv_sec * 1000000 + (unsigned long long)after.tv_nsec / 1000);
}
END_TEST

START_TEST(service_asks_for_more_time_now_and_then)
{
	int fd = manager_socket();

	service_extend_start();
	check_received(fd, "EXTEND_TIMEOUT_USEC=60000000");
	for (int i = 0; i < 1000; i++)
		service_extend_start();
	check_silent(fd);
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

UNIT_MAIN("service", service_notify_is_silent_without_a_manager, service_notify_reaches_an_abstract_socket,
	service_notify_reaches_a_path, service_notify_gives_up_when_nobody_reads,
	service_status_is_sent_when_it_says_something_else, service_status_is_one_line_that_fits,
	service_reload_says_when_it_began, service_asks_for_more_time_now_and_then,
	service_watchdog_is_half_of_what_is_asked_of_this_process, service_signals_become_readable)
