/*
 * The vault as main sees it: made from a store and its keys, told about time and reloads, asked nothing
 * else.  Requests come through turn.h.
 */
#ifndef COFFER_CORE_CORE_H
#define COFFER_CORE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "keys.h"
#include "policy.h"
#include "store.h"

struct core;

/* Why a vault serves nothing, and the way out: two texts that are not owned and stay until core_unseal. */
struct core_seal {
	const char *mend; /* one sentence for everybody: it names no path and nothing of the vault */
	const char *reason; /* for those with a role */
};

struct core_options {
	const struct config_limits *limits; /* not owned; until core_set_limits */
	const struct config_rules
		*rules; /* not owned; whoever owns them changes them in place, between turns */
	const struct roles *roles; /* not owned; until core_set_roles */
	struct store *store; /* owned from a successful core_new on; NULL when sealed */
	struct keys *keys; /* the same */
	struct core_seal seal; /* of a vault without a store */
	bool may_swap;
	const char *archive_dir; /* not owned; where audit records go that leave the store; NULL: nowhere */
	const char *host; /* this host's name, for checkpoints and exports; NULL: none */
	const char *
		state_dir; /* not owned; where the store is, for how full its filesystem is; NULL: not known */
	const char *root_key_file; /* not owned; NULL: it comes as a credential */
	const char *backup_dir; /* not owned; where files may hold what was revoked; NULL: nowhere */
};

/* ERR_INTERNAL: no (lockable) memory.  ERR_STORAGE: the state row cannot be read. */
enum err core_new(const struct core_options *options, struct core **out);
void core_free(struct core *core);

bool core_is_sealed(const struct core *core);

/* A sealed vault serves from now on.  After an error, as of core_new, it is as it was and store and keys are still the caller's. */
enum err core_unseal(struct core *core, struct store *store, struct keys *keys);

void core_set_roles(struct core *core, const struct roles *roles);
void core_set_limits(struct core *core, const struct config_limits *limits);

/* Who is connected, for status. */
typedef size_t core_connections_fn(void *arg);
void core_set_connections(struct core *core, core_connections_fn *fn, void *arg);

/* Called, maybe again and again, when the store failed in a way that only a restart can mend. */
typedef void core_broken_fn(void *arg);
void core_set_broken(struct core *core, core_broken_fn *fn, void *arg);

/* Records daemon.start, daemon.stop, daemon.reload; durable when it returns OK. */
enum err core_record_daemon(struct core *core, const char *kind);

/* About once a second, between turns: closes refusal windows, folds use, forgets old results.  shutting_down closes every window. */
void core_tick(struct core *core, bool shutting_down);

/*
 * A descriptor that is readable when a process ended that was given values, -1 when sealed; then core_processes_ended, once
 * per turn of the loop, and the turn's end.
 */
int core_processes_fd(const struct core *core);
void core_processes_ended(struct core *core);

/* Locked memory that core_new will ask for, for the check against RLIMIT_MEMLOCK. */
size_t core_locked_bytes(const struct config_limits *limits);

#endif
