/*
 * Inside core: checkpoints of the audit log, and the archiving of its oldest records.
 */
#ifndef COFFER_CORE_ARCHIVES_H
#define COFFER_CORE_ARCHIVES_H

#include "checkpoint.h"
#include "handler.h"

/* checkpoints.c: the vault's signed word about one record. */
enum err checkpoints_sign(struct core *core, const struct chain *at, int64_t now_ms, struct checkpoint *out);

/* What is to leave the store: records up to a time, or as many as take up this much; both may be given. */
struct archive_order {
	int64_t until_ms; /* records up to here; 0: none by their age */
	uint64_t excess_bytes; /* the oldest records that take up so much; 0: none */
	uint64_t durable_seq; /* records behind it may still be taken back, and stay */
};

struct archived {
	uint64_t from; /* 0: there was nothing to archive */
	uint64_t to;
	bool has_more; /* the portion was full */
	char file[96];
	const char *reason; /* a constant, after an error that is not the store's; else NULL */
};

/* In the running transaction: the segment is durable under its passing name, and its records are gone from the store. */
enum err archives_cut(
	struct core *core, const struct archive_order *order, int64_t now_ms, struct archived *out);

/* Behind the commit, or what took its place: the segment gets its name, or is taken back. */
void archives_settle(struct core *core);

/* At start: what a kill left behind. */
void archives_recover(struct core *core);

/* Once a second, between turns: what [audit] keep_days and max_mib ask for. */
void archives_tick(struct core *core, int64_t now_ms);

/* How full the log is, for status and alerts. */
struct archives_state {
	uint64_t bytes;
	uint64_t limit_bytes; /* 0: none */
	const char *
		trouble; /* why what the configuration asks for could not be archived, a constant; NULL: it could */
};

void archives_look(const struct core *core, struct archives_state *out);

#endif
