/*
 * The protocol between a service manager and a service, as far as cofferd speaks it: environment variables
 * that were set for exactly this process, and datagrams.
 *
 * A variable that is not exactly what the manager writes counts as absent.  A descriptor is handed out only
 * if it is a listening Unix stream socket, so that a mistake in a unit file cannot make the daemon serve
 * something else; and a socket that was handed over is served, or the start refused, or its loss is logged
 * and it is closed, so that nobody waits at it.  What to do without a socket or a manager is the caller's.
 */
#include "service.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

enum {
	LISTEN_FDS_FIRST = 3,
	LISTEN_FDS_MAX = 1024,
	NOTIFY_WAIT_MS = 100,
};

/* A canonical decimal number from 1 to most; 0 for anything else. */
static uint64_t read_number(const char *text, uint64_t most)
{
	uint64_t value = 0;

	if (text == NULL || text[0] == '0')
		return 0;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return 0;

		uint64_t digit = (uint64_t)(*text - '0');

		if (value > (most - digit) / 10)
			return 0;
		value = value * 10 + digit;
	}
	return value;
}

/* Variables are inherited: those for another process must not be taken for ours. */
static bool is_ours(const char *variable)
{
	return read_number(getenv(variable), INT_MAX) == (uint64_t)getpid();
}

int service_listen_count(void)
{
	if (!is_ours("LISTEN_PID"))
		return 0;
	return (int)read_number(getenv("LISTEN_FDS"), LISTEN_FDS_MAX);
}

static bool has_option(int fd, int option, int wanted)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

static bool is_listening(int fd)
{
	return has_option(fd, SO_DOMAIN, AF_UNIX) && has_option(fd, SO_TYPE, SOCK_STREAM) &&
	       has_option(fd, SO_ACCEPTCONN, 1);
}

/* Position of name among the names, in whatever order they came; -1 when it is absent or there twice. */
static int find_name(const char *names, const char *name, int count)
{
	size_t name_len = strlen(name);
	int found = -1;
	int seen = 0;

	for (const char *at = names;; at++) {
		size_t len = strcspn(at, ":");

		if (len == name_len && memcmp(at, name, len) == 0) {
			if (found >= 0)
				return -1;
			found = seen;
		}
		seen++;
		at += len;
		if (*at == '\0')
			break;
	}
	return seen == count ? found : -1;
}

int service_listen_fd(const char *name)
{
	int count = service_listen_count();
	const char *names = getenv("LISTEN_FDNAMES");
	int position = count > 0 && names != NULL ? find_name(names, name, count) : -1;
	int fd = LISTEN_FDS_FIRST + position;

	if (position < 0 || !is_listening(fd) || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return -1;
	return fd;
}

/* The only listening socket, or -1. */
static int find_only_socket(int count)
{
	int found = -1;

	for (int fd = LISTEN_FDS_FIRST; fd < LISTEN_FDS_FIRST + count; fd++) {
		if (!is_listening(fd))
			continue;
		if (found >= 0)
			return -1;
		found = fd;
	}
	return found;
}

static void close_others(int kept, int count)
{
	for (int fd = LISTEN_FDS_FIRST; fd < LISTEN_FDS_FIRST + count; fd++)
		if (fd != kept)
			close(fd);
	if (count > 1)
		log_warning("of %d descriptors handed over, one is served and the others are closed", count);
}

enum err service_take_socket(int *fd_out, const char **reason_out)
{
	static const char *const names[] = {"cofferd.socket", "coffer"};
	int count = service_listen_count();
	int fd = -1;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && fd < 0; i++)
		fd = service_listen_fd(names[i]);
	if (fd < 0)
		fd = find_only_socket(count);
	if (count > 0 && (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)) {
		*reason_out =
			"none of the descriptors handed over (LISTEN_FDS) can be served: expected is one "
			"listening Unix stream socket, or among several one with "
			"FileDescriptorName=cofferd.socket or coffer";
		return ERR_CONFIG;
	}
	if (fd >= 0)
		close_others(fd, count);
	*fd_out = fd;
	return OK;
}

/* "/path", or "@name" for the abstract namespace. */
static bool notify_address(struct sockaddr_un *out, socklen_t *len_out)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path == NULL ? 0 : strlen(path);

	if (len < 2 || len >= sizeof(out->sun_path) || (path[0] != '/' && path[0] != '@'))
		return false;
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(out->sun_path, path, len);
	if (path[0] == '@')
		out->sun_path[0] = '\0';
	/* The length of an abstract name counts; a path has its NUL. */
	*len_out = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '/' ? 1 : 0));
	return true;
}

void service_notify(const char *state)
{
	struct sockaddr_un address = {0};
	socklen_t address_len = 0;

	if (!notify_address(&address, &address_len))
		return;

	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	/* Connected, because only then poll waits for room in the manager's queue. */
	if (connect(fd, (struct sockaddr *)&address, address_len) == 0 &&
		send(fd, state, strlen(state), MSG_NOSIGNAL) < 0) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

		if (poll(&poll_fd, 1, NOTIFY_WAIT_MS) > 0)
			send(fd, state, strlen(state), MSG_NOSIGNAL);
	}
	close(fd);
}

long service_watchdog_ms(void)
{
	uint64_t interval_us = read_number(getenv("WATCHDOG_USEC"), LONG_MAX);

	if (interval_us == 0 || (getenv("WATCHDOG_PID") != NULL && !is_ours("WATCHDOG_PID")))
		return 0;
	return interval_us < 2000 ? 1 : (long)(interval_us / 2000);
}

int service_signal_fd(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
		return -1;
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}
