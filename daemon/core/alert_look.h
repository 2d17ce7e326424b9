/*
 * Alerts: conditions that somebody must act on.  None is stored: each is found again whenever it is asked for, and gone when
 * its condition is.  What is stored is who has seen it (alert_acks.c).
 */
#ifndef COFFER_CORE_ALERT_LOOK_H
#define COFFER_CORE_ALERT_LOOK_H

#include "handler.h"

#define ALERT(kind, word) ALERT_##kind,
enum alert_kind {
#include "alerts.def"
	ALERT_KIND_COUNT
};
#undef ALERT

const char *alert_word(enum alert_kind kind);

enum severity { SEVERITY_CRITICAL, SEVERITY_WARNING, SEVERITY_NOTICE, SEVERITY_COUNT };

const char *alert_severity_word(enum severity severity);

enum { ALERT_ID_BYTES = 401, ALERT_NOTE_BYTES = 501, ALERTS_TOLD = 1000 };

/* Somebody has seen the alert: it is quiet until a time, or until it begins anew or is more urgent. */
struct alert_ack {
	char id[ALERT_ID_BYTES];
	int64_t since_ms;
	enum severity severity; /* when it was seen */
	int64_t until_ms;
	uint32_t uid;
	char note[ALERT_NOTE_BYTES];
	bool is_alive; /* its alert is still there, since the same time */
};

struct alert {
	enum alert_kind kind;
	enum severity severity;
	char integration[INTEGRATION_NAME_BYTES_MAX + 1]; /* "": of the host */
	char key[KEY_BYTES_MAX + 1];
	uint64_t version;
	bool has_object;
	uint64_t object; /* number of a grant or token, or a uid, where the id needs it */
	int64_t since_ms; /* 0: nobody can tell */
	char text[240];
	char advice[320]; /* a command that mends it, or shows what to mend */
	const struct alert_ack *ack; /* set by alerts_add; NULL: nobody has seen it */
};

/* One look at everything. */
struct alerts {
	struct core *core;
	int64_t now_ms;
	const struct call *viewer; /* who must not see all of them, or NULL */
	const char *wanted; /* an id to find, or NULL */
	bool has_found;
	struct alert found;
	struct alert_ack *acks; /* owned; by id */
	size_t ack_count;
	size_t ack_cap;
	struct alert *told; /* owned; the most urgent ALERTS_TOLD, the least urgent of them first (a heap) */
	size_t told_count;
	size_t counts[SEVERITY_COUNT]; /* of all that nobody has seen */
	size_t of_kind[ALERT_KIND_COUNT]; /* the same */
	size_t acked;
};

enum err alerts_look(struct alerts *alerts); /* core, now_ms, viewer and wanted are set; then alerts_clear */
void alerts_clear(struct alerts *alerts);
#define ALERTS_AUTO __attribute__((cleanup(alerts_clear))) struct alerts

/* "rotation_overdue:finance/x:KEY:3": the same as long as the condition lasts. */
void alert_id(const struct alert *alert, char out[ALERT_ID_BYTES]);

/* Member alerts of status, for callers with a role: how many of each severity nobody has seen, and how many somebody has. */
enum err alerts_write_counts(struct call *call);

/* In the running transaction: forgets who has seen what is no more. */
enum err alerts_forget_acks(struct core *core, int64_t now_ms);

/* ---- for those that find them ---- */

struct alert alert_of(enum alert_kind kind, enum severity severity, int64_t since_ms);
void alert_place(struct alert *alert, const char *integration, const char *key, uint64_t version);
__attribute__((format(printf, 2, 3))) void alert_say(struct alert *alert, const char *format, ...);
__attribute__((format(printf, 2, 3))) void alert_advise(struct alert *alert, const char *format, ...);
void alerts_add(struct alerts *alerts, struct alert *alert);

/* An end that comes nearer: which severity, and since when; false: it is not near, or has come. */
bool alert_is_near(int64_t end_ms, int64_t now_ms, enum severity *severity_out, int64_t *since_ms_out,
	int64_t *days_out);
int64_t alert_days_left(int64_t end_ms, int64_t now_ms); /* begun ones count */

/* "90d" as milliseconds; false: never, or not said. */
bool alert_period(const char *text, int64_t *period_ms_out);

/* ---- where they are found ---- */

enum err alerts_of_versions(struct alerts *alerts); /* alert_versions.c */
enum err alerts_of_secrets(struct alerts *alerts); /* alert_records.c, and the next */
void alerts_of_record(struct alerts *alerts, const struct store_integration *integration);
enum err alerts_of_runs(
	struct alerts *alerts, const struct store_integration *integration); /* alert_runs.c */
enum err alerts_of_refusals(struct alerts *alerts); /* alert_refusals.c */
enum err alerts_of_grants(struct alerts *alerts); /* alert_people.c, and the next three */
void alerts_of_owner(struct alerts *alerts, const struct store_integration *integration);
void alerts_of_maker(struct alerts *alerts, const struct store_notable *version);
enum err alerts_of_requests(struct alerts *alerts);
enum err alerts_of_tokens(struct alerts *alerts); /* alert_tokens.c */
enum err alerts_of_host(struct alerts *alerts); /* alert_host.c */

#endif
