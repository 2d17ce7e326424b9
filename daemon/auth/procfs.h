/*
 * Small readings of /proc.  None of them proves whose pid it is: that is for the caller, who holds a pidfd (P9).
 */
#ifndef COFFER_AUTH_PROCFS_H
#define COFFER_AUTH_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The whole file, NUL added; false when it cannot be read or is longer than cap - 1. */
bool procfs_read(const char *path, char *out, size_t cap, size_t *len_out);

struct procfs_stat {
	char state; /* R, S, D, Z … */
	pid_t parent;
	pid_t session;
	uint64_t start_ticks;
};

bool procfs_stat(pid_t pid, struct procfs_stat *out);

/* The text of proc_pid_stat(5), a NUL behind it; the name in parentheses may hold anything.  False for any other text. */
bool procfs_parse_stat(const char *text, size_t len, struct procfs_stat *out);

/* True for the first process of a pid namespace, which is a reaper of orphans, and where it cannot be read. */
bool procfs_is_init(pid_t pid);

/*
 * Behind which login the process is, whoever it became since: proc_pid_loginuid(5).  False when it is behind none, and where
 * the kernel does not tell.
 */
bool procfs_login(pid_t pid, uid_t *out);

/* The file's text, a NUL behind it: one decimal number.  False for 4294967295, which means none, and for any other text. */
bool procfs_parse_login(const char *text, uid_t *out);

/* Path of the unit below the root of its hierarchy; false when the process is not in this unit (any more). */
bool procfs_unit_path(pid_t pid, const char *unit, char *out, size_t cap);

#endif
