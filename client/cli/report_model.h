/*
 * The document behind every form of the report: JSON with one object per vault, collected from a daemon or merged from
 * files, and read back through the gate.  Every form shows this and nothing else.
 *
 *   {"report":"coffer-report/1","generated_at":…,"figures":{…},"vaults":[{"host","vault","version","generated_at","since",
 *    "days","audit":{"seq","hash"},"integrations":[…],"alerts":[…],"audit_after":{…}}]}
 *
 * An entry of integrations[] has the protocol's own objects (integration, grants, secrets with versions, usage, holders,
 * history, tokens, requests), and what is worked out from them: review_at, rotate_at of each secret, runs, held.
 */
#ifndef COFFER_CLI_REPORT_MODEL_H
#define COFFER_CLI_REPORT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "reply.h"

#define REPORT_FORMAT "coffer-report/1"

enum { REPORT_DAY_MS = 86400000, REPORT_DAYS_MAX = 400 /* use is kept for so long */ };

/* What is counted over all vaults. */
enum figure {
#define FIGURE(name, wire, text) FIGURE_##name,
#include "report_figures.def"
#undef FIGURE
	FIGURE_COUNT
};

struct report_entry {
	const struct json_token *vault;
	const struct json_token *whole; /* the entry of integrations[] */
	const struct json_token *record; /* its integration */
	size_t vault_no;
};

struct report {
	char *text; /* owned */
	struct reply doc;
	struct report_entry *entries; /* owned; in the order of the document */
	size_t count;
	size_t vault_count;
	int64_t figures[FIGURE_COUNT];
};

/*
 * Reads a document; text is the report's own from then on, also on failure.  ERR_PROTOCOL: no JSON, or no report of
 * this format.  ERR_TOO_COMPLEX: more tokens than a report of this length has.  ERR_INTERNAL: no memory.
 */
enum err report_read(struct report *report, char *text, size_t len);
void report_clear(struct report *report);

#define REPORT_AUTO __attribute__((cleanup(report_clear))) struct report

/* How a figure is called in JSON, and for people. */
const char *report_figure_wire(enum figure figure);
const char *report_figure_text(enum figure figure);

/*
 * Going through an array below object (NULL: the document); nothing when it is something else:
 * for (struct report_walk walk = report_walk(report, object, path); report_step(&walk);) … walk.at
 */
struct report_walk {
	const struct report *report;
	const struct json_token *array;
	const struct json_token *at;
};

struct report_walk report_walk(
	const struct report *report, const struct json_token *object, const char *path);
bool report_step(struct report_walk *walk);

/* A time in milliseconds; 0 when there is none. */
int64_t report_time(const struct report *report, const struct json_token *object, const char *path);

/* True when somebody has said to have seen this alert. */
bool report_is_acked(const struct report *report, const struct json_token *alert);

/* The sum, or the last number that the gate takes: a merged file may claim anything. */
int64_t report_sum(int64_t a, int64_t b);

/* The entry of this vault with this integration's name, or NULL. */
const struct report_entry *report_find(
	const struct report *report, const struct json_token *vault, const struct json_token *name);

#endif
