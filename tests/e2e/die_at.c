/*
 * Preloaded into the daemon by credentials.py: from the message on that hands the first connection to the service manager, it
 * counts the calls that touch a connection, the manager or the disk, and ends the daemon before the one whose number is in
 * DIE_AT, at once and without a line of its own, as kill -9 does (the sandbox lets it send no signal).  Number 1 is the
 * first behind that message.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DIED = 137 };

static long die_at;
static long count;
static int has_begun;

/* The daemon soon reduces its environment. */
__attribute__((constructor)) static void read_environment(void)
{
	const char *text = getenv("DIE_AT");

	die_at = text != NULL ? strtol(text, NULL, 10) : 0;
}

static void step(void)
{
	if (has_begun && ++count == die_at)
		_exit(DIED);
}

/* ISO C has no cast from an object to a function: the address is copied. */
static void find(const char *name, void *call_out)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (found == NULL)
		abort();
	memcpy(call_out, &found, sizeof(found));
}

#define STEP(type, name, parameters, arguments) \
	type name parameters; \
	type name parameters \
	{ \
		static type(*call) parameters; \
		if (call == NULL) \
			find(#name, &call); \
		step(); \
		return call arguments; \
	}

STEP(int, setsockopt, (int fd, int level, int option, const void *value, socklen_t len),
	(fd, level, option, value, len))
STEP(int, shutdown, (int fd, int how), (fd, how))
STEP(int, pipe2, (int ends[2], int flags), (ends, flags))
STEP(int, fsync, (int fd), (fd))
STEP(int, fdatasync, (int fd), (fd))
STEP(int, close, (int fd), (fd))
STEP(ssize_t, send, (int fd, const void *bytes, size_t len, int flags), (fd, bytes, len, flags))

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	static ssize_t (*call)(int, const struct msghdr *, int);

	if (call == NULL)
		find("sendmsg", &call);
	step();

	ssize_t sent = call(fd, message, flags);

	if (message->msg_controllen > 0)
		has_begun = 1;
	return sent;
}
