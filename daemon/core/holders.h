/*
 * Who may hold what: the live processes that were given versions, each known by its pidfd, and the units in which children
 * of an ended one may live.  The truth is in memory while the daemon runs; the rows behind it (holder_rows.c) let it be
 * found again after a restart.  "May" is the word: a process can copy a value.
 */
#ifndef COFFER_CORE_HOLDERS_H
#define COFFER_CORE_HOLDERS_H

#include <sys/queue.h>

#include "handler.h"
#include "process.h"

struct held_version {
	char key[KEY_BYTES_MAX + 1];
	uint64_t version;
};

enum {
	HOLDING_RUNS_UNKNOWN = -1,
	HOLDER_UNPROVEN_PID = 0, /* callers whose process is not proven: one holder for each user */
};

/* One set of versions that one process was given, by one run or several. */
struct holding {
	TAILQ_ENTRY(holding) of_holder;
	struct holder *holder;
	uint64_t run_no; /* the first run */
	char run[27];
	unsigned char integration_id[STORE_ID_BYTES];
	char integration[INTEGRATION_NAME_BYTES_MAX + 1];
	bool is_staged;
	int64_t given_ms;
	uint64_t given_ticks;
	int64_t runs; /* that are not released, 0: it goes with the turn; HOLDING_RUNS_UNKNOWN: several, before a restart */
	bool is_repeated;
	bool is_first_released;
	size_t version_count;
	struct held_version versions[];
};

enum holder_state { HOLDER_LIVES, HOLDER_UNKNOWN, HOLDER_ENDED };

/* A process, as the user that it was when it connected. */
struct holder {
	LIST_ENTRY(holder) by_pid; /* but for ended ones */
	TAILQ_ENTRY(holder) ended; /* while HOLDER_ENDED */
	TAILQ_HEAD(, holding) holdings;
	enum holder_state state;
	pid_t pid; /* 0: never proven */
	uint32_t uid;
	int pidfd; /* owned; -1 when HOLDER_UNKNOWN */
	uint64_t start_ticks;
	char *exe; /* owned texts, "" where not known */
	char *unit;
	char *invocation;
	char *cgroup;
	uint64_t cgroup_id;
	int64_t end_ms;
	int end_status; /* RUN_STATUS_UNKNOWN */
	bool is_dirty; /* the store does not know of its end or status yet */
	bool is_storing; /* in the running transaction */
	bool waits_for_status;
};

enum unit_state { UNIT_NEW, UNIT_STORED, UNIT_GONE };

/* A unit's invocation that was given the version by the service manager, or in which children of ended holders may live. */
struct unit_holding {
	TAILQ_ENTRY(unit_holding) all;
	enum unit_state state;
	bool is_storing; /* its row, in the running transaction */
	bool is_removing;
	unsigned char integration_id[STORE_ID_BYTES];
	char integration[INTEGRATION_NAME_BYTES_MAX + 1];
	struct held_version version;
	char *boot; /* owned, like the next three */
	char *unit;
	char *invocation;
	char *cgroup;
	uint64_t cgroup_id;
	int64_t given_ms;
	uint64_t
		given_ticks; /* 0: the unit itself was given it: whoever is in it counts, and so does it while it is empty */
	bool is_any_parent;
};

struct holders;

enum err holders_new(struct holders **out);
void holders_free(struct holders *holders); /* NULL is fine */

/* Reads what the store remembers and finds the processes again.  Once, at start. */
enum err holders_load(struct core *core);

/* ---- a fetch ---- */

/*
 * Remembers that the caller is given these versions and stores the run.  Taken back with the request or the turn.  BUSY: no
 * room to remember; DENIED: the caller has ended.
 */
enum err holders_give(struct call *call, const struct integration *integration, struct store_run *run);

/*
 * The same for a unit that the service manager asks for (call->exchange->delivery): its invocation is the holder, for as long as
 * it lasts; the process that asks is not.  DENIED: the caller has ended, or the unit's cgroup cannot be seen.
 */
enum err holders_give_unit(struct call *call, const struct integration *integration, struct store_run *run);

/* ---- what a request did to memory, until it is durable ---- */

size_t holders_mark(const struct core *core);
void holders_take_back(struct core *core, size_t mark); /* what came after the mark never was */
void holders_keep(struct core *core); /* it is durable */

/* ---- ends ---- */

/* Looks which processes have ended; in a turn of its own when a change is to be stored. */
void holders_poll(struct core *core);
bool holders_are_dirty(const struct core *core);
enum err holders_store(struct core *core); /* into the running transaction */
void holders_stored(struct core *core, bool is_durable);
void holders_tick(
	struct core *core, int64_t now_ms); /* units that are empty, statuses that nobody will tell */
void holders_end(struct core *core, struct holder *holder, int64_t now_ms); /* it has ended */

/* ---- asking ---- */

/* The process that asks, as the user that asks, is this live one; NULL when none of its runs is known. */
struct holder *holders_of_caller(struct core *core, const struct principal *who);

/* Is this run one of the very process that asks, also when it holds nothing any more? */
bool holders_is_own_run(struct call *call, const struct store_run *run);

/* The holding whose first run this is, also of a process that has just ended; NULL. */
struct holding *holders_find_run(const struct core *core, const struct store_run *run);

/* What is asked for; NULL and 0 match anything. */
struct holder_filter {
	const unsigned char *integration_id;
	const char *key;
	uint64_t version;
	bool is_processes_only;
};

/* One version and who may hold it: a process, or a unit. */
struct holder_view {
	const char *integration;
	const struct held_version *version;
	const struct holding *holding; /* NULL: unit is set */
	const struct unit_holding *unit;
};

typedef enum err holder_fn(void *arg, const struct holder_view *view);

enum err holders_each(struct core *core, const struct holder_filter *filter, holder_fn *fn, void *arg);

/* How many processes and units; each once, whatever sets of keys it was given the version with. */
size_t holders_count(struct core *core, const struct holder_filter *filter);

/* All of them, by integration, key, version and time: for holders_free_views, which HOLDER_VIEWS_AUTO calls. */
enum err holders_collect(struct core *core, const struct holder_filter *filter,
	struct holder_view **views_out, size_t *count_out);
void holders_free_views(struct holder_view **views);
#define HOLDER_VIEWS_AUTO __attribute__((cleanup(holders_free_views))) struct holder_view

size_t holders_processes(const struct core *core); /* remembered ones, for status */

/* Members of one entry of holder.list. */
void holders_write(struct json_writer *w, const struct holder_view *view);

/* The process has wiped what this run of the holding gave it. */
enum err holders_release(struct call *call, struct holding *holding, uint64_t run_no);

/* Holdings of processes that nobody can find any more, all of whose versions are revoked, end with them. */
enum err holders_forget_revoked(struct call *call, const struct integration *integration);

/* ---- run_requests.c ---- */

/* The run as it is known now: memory hears of an end before the row does. */
struct store_run runs_with_news(const struct core *core, const struct store_run *run);

/* Into the audit record: whose run it is. */
enum err runs_describe(struct call *call, const struct store_run *run);

/* A change of the run that the request names, whose result is its id; fn judges whether the caller may.  DENIED: there is none. */
enum err runs_change(struct call *call, store_run_fn *fn, void *arg);

/* ---- holder_units.c: for the others ---- */

TAILQ_HEAD(unit_list, unit_holding);

struct holders {
	LIST_HEAD(holder_list, holder) buckets[1024]; /* by pid */
	TAILQ_HEAD(ended_list, holder) ended;
	struct unit_list units;
	struct pending *pending; /* what the running turn did */
	size_t pending_count;
	size_t pending_cap;
	size_t count; /* processes that live, or may */
	size_t holding_bytes; /* of their holdings */
	struct uid_share *shares; /* how many of each user */
	size_t share_count;
	size_t share_cap;
	struct process_watch *watch;
};

/* What one request of the running turn did to a holding or to a unit. */
struct pending {
	struct holding *holding; /* NULL: it did it to unit */
	bool is_new; /* made it; otherwise what it was before: */
	int64_t was_runs;
	bool was_repeated;
	bool was_first_released;
	bool is_last; /* left no run of it: it goes when this is durable, and nothing after this is the last again */
	struct unit_holding *unit;
	struct unit_holding was_unit; /* owns the texts that unit does not */
};

struct pending *holders_add_pending(struct holders *holders); /* NULL: no memory */

/* ---- holder_deliveries.c: what was given to a unit was not, or is durable ---- */

void holder_unit_take_back(struct core *core, struct pending *pending);
void holder_unit_keep(struct pending *pending);

/* Where a process of a unit lives; texts are the caller's. */
struct holder_place {
	const char *unit;
	const char *invocation;
	const char *cgroup;
	uint64_t cgroup_id;
};

/* Also one that is marked as gone and not removed yet: its row would be the same. */
struct unit_holding *holder_units_find(const struct core *core,
	const unsigned char integration_id[STORE_ID_BYTES], const struct held_version *version,
	uint64_t cgroup_id);
struct unit_holding *holder_units_make(struct core *core, const unsigned char integration_id[STORE_ID_BYTES],
	const char *integration, const struct held_version *version, const struct holder_place *place);

/* The process has ended, or has wiped what it was given: do children of it that are left in its unit hold it? */
void holder_units_leave(struct core *core, const struct holding *holding, bool is_alive);
/* Does anybody in there still?  Else it is marked as gone. */
bool holder_units_check(struct unit_holding *unit);
void holder_units_tick(struct core *core);
void holder_unit_free(struct unit_holding *unit);

/* As the store has it; points into the holding. */
struct store_unit_holder holder_unit_row(const struct unit_holding *unit);

/* ---- holders.c: for the others ---- */

struct holder *holder_new(struct core *core, const struct process *process, uint32_t uid, int pidfd);
struct holding *holding_new(
	struct core *core, struct holder *holder, const struct store_run *run, const char *integration);
void holder_drop(struct core *core, struct holder *holder); /* with its holdings */
bool holders_have_room(const struct core *core, const struct holder *holder); /* for one more holding of it */
void holding_remove(struct core *core, struct holding *holding);
struct holding *holding_same(struct holder *holder, const struct store_run *run);
struct holder *holder_unknown(struct core *core, uint32_t uid, pid_t pid); /* or NULL */

#endif
