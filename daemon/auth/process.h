/*
 * Which process this is, beyond a pid that may come again: what a holder is known by while it lives, found again after a
 * restart of the daemon, and told apart from its successor (P9).
 */
#ifndef COFFER_AUTH_PROCESS_H
#define COFFER_AUTH_PROCESS_H

#include "peer.h"

enum {
	PROCESS_BOOT_BYTES = 64,
	PROCESS_EXE_BYTES = 256,
	PROCESS_INVOCATION_BYTES = 33,
	PROCESS_CGROUP_BYTES = 512,
};

struct process {
	pid_t pid;
	uint64_t start_ticks; /* since boot, as /proc/PID/stat has it; 0: not known */
	char exe[PROCESS_EXE_BYTES]; /* "": the kernel does not show it to the daemon */
	char unit[UNIT_BYTES_MAX + 1]; /* the three below are "" and 0 without one */
	char invocation
		[PROCESS_INVOCATION_BYTES]; /* 32 hex digits, or "" where the service manager does not tell */
	char cgroup[PROCESS_CGROUP_BYTES]; /* directory of the unit, or "" when it cannot be seen */
	uint64_t cgroup_id; /* its inode: no other incarnation of the unit has it */
};

/* This boot and the pid namespace that the daemon's pids are of; "" where the kernel does not tell: then nothing can be found again. */
const char *process_boot(void);

/* Now, on the clock that start times are counted on. */
uint64_t process_now_ticks(void);

/* Which invocation of the unit the service manager tells of now; "" when it tells of none. */
void process_invocation(const char *unit, char out[PROCESS_INVOCATION_BYTES]);

/*
 * What the kernel tells about a caller whose pid is proven.  Where something cannot be told it stays empty.  ERR_DENIED: the
 * process has ended meanwhile, so that nothing of this is worth anything (P9).
 */
enum err process_describe(const struct principal *who, struct process *out);

enum process_state { PROCESS_LIVES, PROCESS_ENDED, PROCESS_UNKNOWN };

/*
 * The process that had this pid and start time in this boot.  LIVES: *pidfd_out is its pidfd, the caller's.  ENDED: proven.
 * UNKNOWN: neither can be proven.
 */
enum process_state process_find(pid_t pid, uint64_t start_ticks, const char *boot, int *pidfd_out);

/* Executable of a live process, or "". */
void process_exe(pid_t pid, char out[PROCESS_EXE_BYTES]);

bool process_has_ended(int pidfd);

/*
 * How an ended process ended, as wait(2) has it (kernels from 6.15 on, once its parent has waited for it): false when the
 * kernel does not tell, with *is_later_out set when asking again after the parent has waited may help.
 */
bool process_end_status(int pidfd, int *status_out, bool *is_later_out);

/* ---- processes that are waited for ---- */

struct process_watch;

enum err process_watch_new(struct process_watch **out);
void process_watch_free(struct process_watch *watch); /* NULL is fine */
int process_watch_fd(const struct process_watch *watch); /* readable when process_watch_take has something */

/* Tells once when the process ends; with is_reaped only when its parent has waited for it. */
enum err process_watch_add(struct process_watch *watch, int pidfd, void *tag, bool is_reaped);

/* Before the pidfd is closed: another descriptor of it would keep it in here. */
void process_watch_remove(struct process_watch *watch, int pidfd);

/* The tag of one process that has ended; NULL when there is none (more). */
void *process_watch_take(struct process_watch *watch);

#endif
