/*
 * A daemon that speaks canned lines: a thread that carries out a script, step by step, on a socket in a new
 * private directory.  What the client sent is judged by the script; fake_stop says whether all of it happened.
 */
#ifndef COFFER_TESTS_FAKE_SERVER_H
#define COFFER_TESTS_FAKE_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum fake_step_kind {
	FAKE_END, /* closes what is open */
	FAKE_ACCEPT, /* waits for a connection */
	FAKE_READ, /* reads a line, which must contain text */
	FAKE_SEND, /* sends text */
	FAKE_DRIP, /* sends text a byte at a time */
	FAKE_FLOOD, /* sends text again and again until the client closes */
	FAKE_TRICKLE, /* the same with a pause before each */
	FAKE_HANG, /* reads until the client closes */
	FAKE_CLOSE, /* closes with nothing unread */
	FAKE_CLOSE_UNREAD, /* waits until something has arrived, and closes without reading it */
};

struct fake_step {
	enum fake_step_kind kind;
	const char *text;
};

struct fake_server {
	char directory[64];
	char path[96];
	int listener;
	const struct fake_step *script;
	bool has_failed;
	pthread_t thread;
};

void fake_start(struct fake_server *server, const struct fake_step *script);

/* Waits for the end of the script, removes the directory; true when every step went as written. */
bool fake_stop(struct fake_server *server);

#endif
