/*
 * A descriptor is handed out only if it is what its name says: a listening Unix stream socket, or a connection of one, so
 * that a mistake in a unit file cannot make the daemon serve something else.  A socket that was handed over is served, or the
 * start refused, or its loss is logged and it is closed, so that nobody waits at it.
 */
#include "handover.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "service.h"

enum {
	FIRST = 3,
	MOST = 8192, /* sockets, and what a store of FileDescriptorStoreMax=4096 holds */
};

int handover_count(void)
{
	if (!service_is_ours("LISTEN_PID"))
		return 0;
	return (int)service_number(getenv("LISTEN_FDS"), MOST);
}

static bool has_option(int fd, int option, int wanted)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

static bool is_stream(int fd, bool is_listening)
{
	return has_option(fd, SO_DOMAIN, AF_UNIX) && has_option(fd, SO_TYPE, SOCK_STREAM) &&
	       has_option(fd, SO_ACCEPTCONN, is_listening ? 1 : 0);
}

/* ---- names ---- */

struct names {
	const char *at; /* of the next one; NULL: there are none, or not as many as descriptors */
	int count;
};

static struct names read_names(int count)
{
	struct names names = {.at = getenv("LISTEN_FDNAMES"), .count = count};
	int found = 1;

	for (const char *at = names.at; at != NULL && *at != '\0'; at++)
		found += *at == ':' ? 1 : 0;
	if (found != count)
		names.at = NULL;
	return names;
}

/* "" when there are no names. */
static const char *next_name(struct names *names, size_t *len_out)
{
	const char *name = names->at != NULL ? names->at : "";

	*len_out = strcspn(name, ":");
	if (names->at != NULL)
		names->at += *len_out + (names->at[*len_out] == ':' ? 1 : 0);
	return name;
}

/* The descriptor with this name; -1 when it is absent, there twice, or nothing to serve. */
static int find_listening(const char *name, int count)
{
	struct names names = read_names(count);
	int found = -1;

	for (int fd = FIRST; fd < FIRST + count; fd++) {
		size_t len = 0;
		const char *its_name = next_name(&names, &len);

		if (len != strlen(name) || memcmp(its_name, name, len) != 0)
			continue;
		if (found >= 0)
			return -1;
		found = fd;
	}
	return found >= 0 && is_stream(found, true) ? found : -1;
}

static int find_either(const char *first, const char *second, int count)
{
	int fd = find_listening(first, count);

	return fd >= 0 ? fd : find_listening(second, count);
}

/* The only listening socket but this one, or -1. */
static int find_only(int but, int count)
{
	int found = -1;

	for (int fd = FIRST; fd < FIRST + count; fd++) {
		if (fd == but || !is_stream(fd, true))
			continue;
		if (found >= 0)
			return -1;
		found = fd;
	}
	return found;
}

/* ---- sorting ---- */

/* Whether it is kept; taken into out when it is a connection that came back. */
static bool take_stored(struct handover *out, int fd, const char *name, size_t len)
{
	struct fd_store_entry *entry = &out->stored[out->stored_count];

	if (!fd_store_is_id(name, len) || !is_stream(fd, false))
		return false;
	*entry = (struct fd_store_entry){.fd = fd};
	memcpy(entry->id, name, len);
	out->stored_count++;
	return true;
}

static void sort(struct handover *out, int count)
{
	struct names names = read_names(count);
	int closed = 0;

	for (int fd = FIRST; fd < FIRST + count; fd++) {
		size_t len = 0;
		const char *name = next_name(&names, &len);

		if (fd == out->socket || fd == out->credentials || take_stored(out, fd, name, len))
			continue;
		close(fd);
		closed++;
	}
	if (closed > 0)
		log_warning("closed %d of %d descriptors handed over: no name or kind that is known", closed,
			count);
}

/* The flag is for each of them: what is not known is closed before anything is executed. */
static void keep_from_children(int count)
{
	for (int fd = FIRST; fd < FIRST + count; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

enum err handover_take(struct handover *out, const char **reason_out)
{
	int count = handover_count();

	*out = (struct handover){.socket = -1, .credentials = -1};
	if (count == 0)
		return OK;
	keep_from_children(count);
	out->credentials = find_either("cofferd-credentials.socket", "credentials", count);
	out->socket = find_either("cofferd.socket", "coffer", count);
	if (out->socket < 0)
		out->socket = find_only(out->credentials, count);
	if (out->socket < 0) {
		*out = (struct handover){.socket = -1, .credentials = -1};
		*reason_out =
			"none of the descriptors handed over (LISTEN_FDS) can be served: expected is one "
			"listening Unix stream socket, or among several one with "
			"FileDescriptorName=cofferd.socket or coffer";
		return ERR_CONFIG;
	}
	out->stored = calloc((size_t)count, sizeof(*out->stored));
	if (out->stored == NULL) {
		*reason_out = "out of memory";
		return ERR_INTERNAL;
	}
	sort(out, count);
	return OK;
}

void handover_clear(struct handover *handover)
{
	if (handover->socket >= 0)
		close(handover->socket);
	if (handover->credentials >= 0)
		close(handover->credentials);
	for (size_t i = 0; i < handover->stored_count; i++)
		close(handover->stored[i].fd);
	free(handover->stored);
	*handover = (struct handover){.socket = -1, .credentials = -1};
}
