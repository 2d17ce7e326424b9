/*
 * A process that stays with one child: starts it with signals as the caller had them, passes on what it is sent
 * itself, and learns how it ended.  From supervise_init on signals are read like input, so whoever waits here is
 * interrupted by nothing.
 */
#ifndef COFFER_CLI_SUPERVISE_H
#define COFFER_CLI_SUPERVISE_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All may be NULL. */
struct supervise_hooks {
	/* Sees every signal before it is passed on; true: it is not to be. */
	bool (*on_signal)(void *arg, int signal, bool is_kernel);
	/* Around the time in which this process is stopped together with its child. */
	void (*before_stop)(void *arg);
	void (*after_stop)(void *arg);
};

struct supervisor {
	/* to be set before supervise_init */
	struct supervise_hooks hooks;
	void *hooks_arg;
	bool has_group; /* the child leads a process group of its own: what the terminal does to ours misses it */
	bool follows_stops; /* stops whenever the child does, not only when it was told to stop itself */
	int stop_signal; /* how it stops itself: SIGTSTP, of which the kernel decides whether it may; or SIGSTOP */
	/* the rest is its own */
	int signal_fd;
	sigset_t caller_mask;
	struct sigaction caller_chld;
	bool is_stopped;
	bool is_stop_wanted;
	pid_t child; /* 0: none runs */
	int status; /* of the last child, as shells tell it: 128+n after signal n */
};

/* False: it has said why. */
bool supervise_init(struct supervisor *supervisor);

/* Signals are the caller's again.  Fine on one that was not started. */
void supervise_deinit(struct supervisor *supervisor);

/* fork(2).  0 in the child, where signals are the caller's; negative: errno tells. */
pid_t supervise_fork(struct supervisor *supervisor);

struct supervise_program {
	const char *path;
	char *const *arguments;
	char *const *environment;
	int stdio[3]; /* what becomes descriptor 0, 1, 2, above them all; -1: what is there stays */
	int terminal; /* where the child's group goes to the foreground; -1: nowhere */
};

/*
 * Starts a program whose environment may lie in memory that no fork inherits (proto/locked.h).  Returns when it has
 * been executed, and needs no copy of ours any more.  0, or the errno of what failed.
 */
int supervise_spawn(struct supervisor *supervisor, const struct supervise_program *program);

/*
 * Waits until a descriptor is ready, a signal came or deadline_ms (NEVER_MS: none) has passed; passes signals on and
 * sees after the child.  fds[0] is the supervisor's, the others are the caller's, negative ones are passed over.
 */
void supervise_wait(struct supervisor *supervisor, struct pollfd *fds, nfds_t count, int64_t deadline_ms);

/* Sends the child a signal, or its whole group; nothing without a child. */
void supervise_kill(const struct supervisor *supervisor, int signal);
void supervise_kill_group(const struct supervisor *supervisor, int signal);

/* The descriptor, or in its place one that is none of the standard ones; close-on-exec.  -1 stays -1. */
int supervise_above_standard(int fd);

#endif
