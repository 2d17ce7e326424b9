/*
 * Families of metrics as OpenMetrics text, which readers of the older Prometheus format understand as well.
 */
#ifndef COFFER_CLI_OPENMETRICS_H
#define COFFER_CLI_OPENMETRICS_H

#include <stdint.h>

#include "buf.h"
#include "reply.h"

/* A gauge of one sample. */
void openmetrics_gauge(struct buf *out, const char *name, const char *help, int64_t value);

/*
 * The families of a result.  Of what cannot be said in this format, and of types that this version does not know, nothing is
 * written: one bad name would make the whole text unreadable.
 */
void openmetrics_families(struct buf *out, const struct reply *reply, const struct json_token *families);

void openmetrics_end(struct buf *out);

#endif
