/*
 * The subscription of a supervisor to changes: lost and taken up again as daemons come and go, and what was missed
 * meanwhile found by comparing versions.
 */
#ifndef COFFER_CLI_SUBSCRIPTION_H
#define COFFER_CLI_SUBSCRIPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "coffer.h"
#include "run_options.h"
#include "known_versions.h"

struct subscription {
	const struct run_options *options;
	coffer *vault; /* NULL: there is none, and there will be none */
	struct known_versions versions;
	bool has_changed; /* since the owner cleared it: something that the program would fetch is another version now */
	int64_t again_at_ms; /* to be taken up; NEVER_MS: it stands, or is none */
	int64_t pause_ms;
};

/* The first one, which --wait may wait for.  0, or the exit status: it has said why. */
int subscription_start(struct subscription *subscription, const struct run_options *options);

/* To wait on for POLLIN, then subscription_read; or -1. */
int subscription_fd(const struct subscription *subscription);

/* Takes all events that are there.  Does not block. */
void subscription_read(struct subscription *subscription);

/* Takes it up again; to be called when again_at_ms has come.  Blocks for a few seconds at most. */
void subscription_renew(struct subscription *subscription);

/* Fine on {0}. */
void subscription_close(struct subscription *subscription);

#endif
