/*
 * grant.explain about a unit's credential; the rest of the request is explain.c's.
 */
#ifndef COFFER_CORE_EXPLAIN_H
#define COFFER_CORE_EXPLAIN_H

#include "handler.h"

/* BAD_VALUE: no unit goes with it. */
enum err explain_credential(struct call *call, const struct integration *integration);

#endif
