/*
 * What metrics.c and metric_integrations.c share: families and their samples as members of a result.
 */
#ifndef COFFER_CORE_METRICS_H
#define COFFER_CORE_METRICS_H

#include "handler.h"

#define METRIC(id, name, type, unit, help) METRIC_##id,
enum metric {
#include "metrics.def"
	METRIC_COUNT
};
#undef METRIC

/* Opens an entry of families, with its list of samples; metrics_end closes it. */
void metrics_begin(struct call *call, enum metric metric);
void metrics_end(struct call *call);

/* One sample of the open family; label NULL: it has none. */
void metrics_sample(struct call *call, const char *label, const char *text, int64_t value);

/* A family of one sample without labels. */
void metrics_put(struct call *call, enum metric metric, uint64_t value);

/* metric_integrations.c: how many there are in each state and of versions; and those that each active or suspended one has. */
enum err metrics_of_integrations(struct call *call);

#endif
