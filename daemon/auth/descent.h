/*
 * Children inherit their parent's environment: may a unit still hold what a process of it was given before it ended?
 */
#ifndef COFFER_AUTH_DESCENT_H
#define COFFER_AUTH_DESCENT_H

#include <stdbool.h>
#include <stdint.h>

struct descent {
	const char *cgroup; /* directory of the unit */
	uint64_t cgroup_id; /* its inode when the process was given the values */
	uint64_t given_ticks; /* and when that was */
	bool is_any_parent; /* whoever is younger counts, whoever its parents are */
	int but_pid; /* this process is not meant itself; 0: none */
};

/*
 * False when that incarnation of the unit is gone or empty, or when no process in it can descend from a holder that has
 * ended: each is older than the delivery, or was started by an older process of the unit itself.  A descendant's parents
 * lead to a reaper: to the first process of a pid namespace, or out of the unit; an orphan in a session that is neither its own
 * nor its parent's shows that this parent is a reaper, too.  Any doubt is true.  Reads /proc once per process of the unit.
 */
bool descent_may_hold(const struct descent *descent);

/* True when a live process that is younger than given_ticks descends from pid, itself in the unit. */
bool descent_has_children(const struct descent *descent, int pid);

#endif
