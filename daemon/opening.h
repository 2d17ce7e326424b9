/*
 * From the vault on the disk to a core that serves it; or, under a service manager, to one that is sealed and says why,
 * because a service that only ends is started again for ever and tells nobody.
 */
#ifndef COFFER_DAEMON_OPENING_H
#define COFFER_DAEMON_OPENING_H

#include "core.h"
#include "setup.h"

enum { OPENING_REASON_BYTES = 1024 };

/* Stays where it is while the core lives: the core's seal points into it. */
struct opening {
	const struct config *config; /* not owned */
	struct store *store; /* open, and not yet the core's */
	struct keys *keys;
	struct core_seal seal; /* {NULL, NULL}: none */
	char reason[OPENING_REASON_BYTES];
	bool may_seal;
};

/*
 * Opens the vault and changes nothing in it.  OK also when it cannot be opened and may be served sealed.  An error is to be
 * complained of with opening->reason; then, or where opening_finish will not be called, opening_clear.
 */
enum err opening_begin(struct opening *opening, const struct config *config);

/*
 * Makes the core of it and records the start; sealed where that fails.  Store, keys and seal in options are filled in here.
 * After an error as above there is no core.
 */
enum err opening_finish(struct opening *opening, struct core_options *options, struct core **core_out);

void opening_clear(struct opening *opening);

#endif
