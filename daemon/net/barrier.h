/*
 * Waits until the service manager keeps the connections that it was told of; one barrier for all that came since the last.
 */
#ifndef COFFER_NET_BARRIER_H
#define COFFER_NET_BARRIER_H

#include "handouts.h"

/* What could not be told is told, and a barrier sent behind it where none is on its way.  Never waits. */
void barrier_advance(struct handouts *set);

/* Refuses those that the manager has not confirmed in time. */
void barrier_sweep(struct handouts *set, int64_t now_ms);

/* When it may be refused for the manager's silence. */
int64_t barrier_deadline_ms(void);

/* Gives up the one on its way. */
void barrier_drop(struct handouts *set);

#endif
