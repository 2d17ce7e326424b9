/*
 * Processes that do what a test tells them, one thing at a time: fork, leave their session, join a cgroup, end.  They end
 * by themselves when the test's process does, whoever their parent is by then.
 */
#ifndef COFFER_TESTS_PUPPET_H
#define COFFER_TESTS_PUPPET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PUPPETS_MAX = 24 };

struct puppet {
	int number; /* its line to the test */
	pid_t pid;
	int pidfd; /* good after its end, too, until puppets_end */
};

/* Runs in the puppet; what it returns is the answer. */
typedef int puppet_act_fn(int arg);

/* Before the first puppet.  Orphans become children of the test. */
void puppets_start(void);
void puppets_end(void); /* and of all puppets */

struct puppet puppet_new(void); /* a child of the test */
struct puppet puppet_fork(const struct puppet *parent); /* a child of that one */

int puppet_do(const struct puppet *puppet, puppet_act_fn *act, int arg);

/* It exits, or is killed by a signal (as the negative of it).  Returns when it has ended; nobody has waited for it. */
void puppet_exit(const struct puppet *puppet, int status);
void puppet_wait(const struct puppet *puppet); /* the test waits for its own child */
void puppet_die(const struct puppet *puppet); /* both, with status 0 */

/* Start times are counted in ticks: what happens behind this is younger than what was before it. */
void puppets_pass_a_tick(void);

/* ---- a unit's directory ---- */

struct unit_place {
	char unit[64]; /* its name */
	char directory[256];
	uint64_t id; /* its inode */
	bool is_real; /* a cgroup; else a plain directory in which the test plays the kernel */
};

/* False where no cgroup of version 2 can be made: says so and why. */
bool unit_place_real(struct unit_place *out);
void unit_place_plain(struct unit_place *out);
void unit_place_below(const struct unit_place *place, const char *name, struct unit_place *out);
void unit_place_join(const struct unit_place *place, const struct puppet *puppet);
void unit_place_remove(const struct unit_place *place); /* the puppets must have left it */

/* The kernel is this one or a later one. */
bool kernel_is(int major, int minor);

#endif
