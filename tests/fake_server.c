/*
 * Carries out the scripts of fake_server.h.  Every wait ends by itself after some seconds and counts as a failure,
 * so that a client that never comes fails its test and nothing hangs.
 */
#include "fake_server.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, TRICKLE_MS = 20, LINE_MAX_BYTES = 262144 };

static bool becomes_ready(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, PATIENCE_MS) == 1;
}

static bool do_accept(struct fake_server *server, int *fd)
{
	if (!becomes_ready(server->listener))
		return false;
	*fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
	return *fd >= 0;
}

static bool do_read(int fd, const char *expected)
{
	char *line = calloc(1, LINE_MAX_BYTES + 1);
	size_t len = 0;
	bool is_right = false;

	while (len < LINE_MAX_BYTES && becomes_ready(fd)) {
		ssize_t got = recv(fd, line + len, 1, 0);

		if (got != 1)
			break;
		if (line[len++] == '\n') {
			line[len - 1] = '\0';
			is_right = strstr(line, expected) != NULL;
			if (!is_right)
				fprintf(stderr, "expected: %s\nreceived: %.300s\n", expected, line);
			break;
		}
	}
	free(line);
	return is_right;
}

static bool do_send(int fd, const char *text, size_t piece)
{
	size_t len = strlen(text);

	for (size_t at = 0; at < len;) {
		ssize_t sent = send(fd, text + at, len - at < piece ? len - at : piece, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		at += (size_t)sent;
	}
	return true;
}

/* Until the client closes, which is what these steps are for. */
static bool do_repeat(int fd, const char *text, int pause_ms)
{
	do
		poll(NULL, 0, pause_ms);
	while (do_send(fd, text, SIZE_MAX));
	return true;
}

static bool do_hang(int fd)
{
	char byte = 0;

	while (becomes_ready(fd)) {
		if (recv(fd, &byte, 1, 0) <= 0)
			return true;
	}
	return false;
}

static bool do_step(struct fake_server *server, const struct fake_step *step, int *fd)
{
	switch (step->kind) {
	case FAKE_ACCEPT:
		return do_accept(server, fd);
	case FAKE_READ:
		return do_read(*fd, step->text);
	case FAKE_SEND:
		return do_send(*fd, step->text, SIZE_MAX);
	case FAKE_DRIP:
		return do_send(*fd, step->text, 1);
	case FAKE_FLOOD:
		return do_repeat(*fd, step->text, 0);
	case FAKE_TRICKLE:
		return do_repeat(*fd, step->text, TRICKLE_MS);
	case FAKE_HANG:
		return do_hang(*fd);
	case FAKE_CLOSE_UNREAD:
		return becomes_ready(*fd) && close(*fd) == 0;
	case FAKE_CLOSE:
		return close(*fd) == 0;
	case FAKE_END:
		return true;
	}
	return false;
}

static void *serve(void *arg)
{
	struct fake_server *server = arg;
	int fd = -1;

	for (const struct fake_step *step = server->script; step->kind != FAKE_END; step++) {
		if (!do_step(server, step, &fd)) {
			fprintf(stderr, "step %td of the script failed\n", step - server->script);
			server->has_failed = true;
			break;
		}
		if (step->kind == FAKE_CLOSE || step->kind == FAKE_CLOSE_UNREAD)
			fd = -1;
	}
	if (fd >= 0)
		close(fd);
	close(server->listener);
	return NULL;
}

static void must(bool is_true, const char *what)
{
	if (is_true)
		return;
	perror(what);
	abort();
}

void fake_start(struct fake_server *server, const struct fake_step *script)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*server = (struct fake_server){.script = script, .directory = "/tmp/coffer-fake-XXXXXX"};
	must(mkdtemp(server->directory) != NULL, "mkdtemp");
	snprintf(server->path, sizeof(server->path), "%s/s", server->directory);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->path);
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(server->listener >= 0, "socket");
	must(bind(server->listener, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
	must(listen(server->listener, 8) == 0, "listen");
	must(pthread_create(&server->thread, NULL, serve, server) == 0, "pthread_create");
}

bool fake_stop(struct fake_server *server)
{
	pthread_join(server->thread, NULL);
	unlink(server->path);
	rmdir(server->directory);
	return !server->has_failed;
}
