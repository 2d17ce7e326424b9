/*
 * The values of a fetch, from the store into the locked block that is its reply.
 */
#ifndef COFFER_CORE_ENV_VALUES_H
#define COFFER_CORE_ENV_VALUES_H

#include "handler.h"

/*
 * Opens the values that the request asks for, stores the run, and writes the whole reply line into
 * call->secret_block.  The caller has been granted the integration.  NOT_FOUND, EXPIRED: a key, named in the
 * detail; STORAGE: a value does not open; BUSY: no locked memory for the reply.
 */
enum err env_values_deliver(struct call *call, const struct integration *integration);

#endif
