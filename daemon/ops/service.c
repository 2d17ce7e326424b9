/*
 * The protocol between a service manager and a service, as far as cofferd speaks it: environment variables
 * that were set for exactly this process, and datagrams.
 *
 * A variable that is not exactly what the manager writes counts as absent.  What to do without a manager is the
 * caller's; what the manager hands over is handover.c's.
 */
#include "service.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "escape.h"

enum {
	NOTIFY_WAIT_MS = 100,
	STATUS_BYTES = 512,
	EXTEND_EACH_MS = 10000,
};

uint64_t service_number(const char *text, uint64_t most)
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

bool service_is_ours(const char *variable)
{
	return service_number(getenv(variable), INT_MAX) == (uint64_t)getpid();
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

int service_connect(void)
{
	struct sockaddr_un address = {0};
	socklen_t address_len = 0;

	if (!notify_address(&address, &address_len))
		return -1;

	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, address_len) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool service_is_managed(void)
{
	return getenv("NOTIFY_SOCKET") != NULL;
}

void service_notify(const char *state)
{
	int fd = service_connect();

	if (fd < 0)
		return;
	if (send(fd, state, strlen(state), MSG_NOSIGNAL) < 0) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

		if (poll(&poll_fd, 1, NOTIFY_WAIT_MS) > 0)
			send(fd, state, strlen(state), MSG_NOSIGNAL);
	}
	close(fd);
}

void service_status(const char *format, ...)
{
	static char sent[STATUS_BYTES]; /* one for the life of the process */
	static const char key[] = "STATUS=";
	char text[STATUS_BYTES] = "";
	char state[sizeof(key) + STATUS_BYTES] = "STATUS=";
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (strcmp(text, sent) == 0)
		return;
	memcpy(sent, text, sizeof(sent));
	escape_text(text, state + sizeof(key) - 1, STATUS_BYTES);
	service_notify(state);
}

void service_notify_reloading(void)
{
	char state[64] = "";
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)now.tv_sec * 1000000ULL + (unsigned long long)now.tv_nsec / 1000);
	service_notify(state);
}

void service_extend_start(void)
{
	static int64_t asked_ms; /* one for the life of the process */
	int64_t now_ms = clock_monotonic_ms();

	if (asked_ms != 0 && now_ms - asked_ms < EXTEND_EACH_MS)
		return;
	asked_ms = now_ms;
	service_notify("EXTEND_TIMEOUT_USEC=60000000");
}

long service_watchdog_ms(void)
{
	uint64_t interval_us = service_number(getenv("WATCHDOG_USEC"), LONG_MAX);

	if (interval_us == 0 || (getenv("WATCHDOG_PID") != NULL && !service_is_ours("WATCHDOG_PID")))
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
