/*
 * Inside core: the vault's state, one request on its way through it, and the list of handlers.
 */
#ifndef COFFER_CORE_HANDLER_H
#define COFFER_CORE_HANDLER_H

#include "chain.h"
#include "checkpoint.h"
#include "core.h"
#include "rates.h"
#include "turn.h"

/* One loop turn: its transaction and the exchanges that wait for it. */
struct turn {
	struct exchange *first;
	struct exchange *last;
	bool has_begun; /* the store's transaction is open */
	enum err failure; /* not OK: the transaction is lost, nobody of this turn gets what was prepared */
	struct chain chain_before;
};

enum { STORMS_MAX = 16, STORM_REFUSALS = 100 };

/* Somebody who was refused very often within one window. */
struct storm {
	uint32_t uid;
	uint32_t count; /* the most in one; 0: free */
	int64_t since_ms;
	int64_t last_ms;
};

enum { TOLD_MAX = 64 };

/* A refused credential that the journal was told of. */
struct told {
	uint64_t hash; /* of unit, name and reason */
	int64_t last_ms; /* 0: never */
	unsigned unsaid; /* times since then */
};

struct people;

/* Since the daemon began. */
struct core_totals {
	uint64_t fetches;
	uint64_t refused[ERR_COUNT];
};

struct core {
	const struct config_limits *limits;
	const struct config_rules *rules;
	const struct roles *roles;
	struct store *store;
	struct keys *keys;
	struct core_seal seal; /* while there is no store */
	struct {
		int64_t since_ms; /* when the window began; 0: none is open */
		unsigned shown;
		uint64_t hidden;
	} seal_log;
	const char *backup_dir;
	const char *archive_dir;
	char host[CHECKPOINT_HOST_BYTES]; /* this host's name, fit for any text */
	struct store_state state; /* vault_id and the like, as read at start */
	struct chain chain;
	struct arena arena; /* plaintext of the request at hand */
	struct pool *replies; /* replies that hold values */
	struct rates *rates;
	struct holders *holders; /* NULL: sealed */
	struct watches *watches;
	struct request request; /* the request at hand */
	struct turn turn;
	bool has_retired; /* a retired integration may have left versions that somebody held */
	bool must_checkpoint; /* something was shredded and the write-ahead log may still hold it (P10) */
	int64_t started_ms;
	struct core_totals totals;
	uint64_t undelivered;
	int64_t undelivered_ms; /* the last one */
	struct storm storms[STORMS_MAX];
	struct told told[TOLD_MAX];
	struct people *people;
	const char *state_dir; /* NULL: not known */
	const char *root_key_file; /* NULL: a credential */
	core_connections_fn *connections;
	void *connections_arg;
	core_broken_fn *broken;
	void *broken_arg;
	int64_t results_expired_ms; /* when old results were last dropped */
	struct {
		uint64_t to; /* a segment up to this record waits for the commit; 0: none does */
		char file[96];
	} archiving;
	const char *archive_trouble; /* why the last archiving by itself failed, a constant */
	int64_t archive_look_ms; /* when it is looked for again */
	char subject[RECORD_SUBJECT_BYTES_MAX]; /* record.subject of the request at hand */
	unsigned queues; /* that connections hold (queue.c) */
	/* The same of the one that it runs inside itself (nested.c). */
	struct request inner_request;
	char inner_subject[RECORD_SUBJECT_BYTES_MAX];
};

/* The second person's word on a request that needs one. */
struct approved {
	uint64_t request; /* its number */
	uint32_t by; /* uid */
	const char *subject; /* what was shown to them, when it is the requester who asks again; else NULL */
};

/* One request in the hands of its handler. */
struct call {
	struct core *core;
	struct exchange *exchange;
	struct principal *who;
	unsigned roles; /* set of enum role */
	const struct request *request;
	const struct request_info *info; /* NULL: the method is unknown */
	int64_t now_ms;
	struct buf result; /* JSON text of the result; never with a value */
	struct json_writer w; /* writes result */
	struct record record; /* what the audit record will say, apart from outcome and numbering */
	int64_t retry_after_ms; /* with RATE_LIMITED and BUSY */
	const char *detail; /* on a refusal: told to the caller; names things of ours only */
	char detail_store[400];
	struct buf error_data; /* on a refusal: more members of error.data, without braces */
	struct pool_block secret_block; /* a fetch's whole reply line, secret_len bytes of it */
	size_t secret_len;
	bool must_checkpoint; /* the reply waits for a truncating checkpoint (P10) */
	bool is_key_known; /* the key in record.key is one of the vault's; another word may be a value in the wrong place */
	bool is_repeated; /* its request_id gave the first result again: nothing is left to do */
	bool is_rehearsal; /* set by the handler: its result is told and nothing else of it stays, no record either */
	bool is_nested; /* it runs inside another request */
	const struct approved *approved; /* NULL: nobody had to */
	struct approval_draft *draft; /* not NULL: a second person may have to approve it; in the arena */
	bool has_new_managers; /* it changed who manages the integration */
	char *subject; /* RECORD_SUBJECT_BYTES_MAX of room for record.subject */
};

typedef enum err handler_fn(struct call *call);

#define REQUEST(kind, method, right, state, duty, handler, ...) handler_fn handle_##handler;
#include "requests.def"
#undef REQUEST

/* A NUL-terminated copy of text in the request's arena; NULL stays NULL, and is also the answer when the arena is used up. */
const char *call_copy(struct call *call, const char *text);

/* A text of the request in its arena; NULL: it is absent, or the arena is used up. */
const char *call_text(struct call *call, enum field field);

/* Adds to record.subject, separated by a space; silently ends at its limit. */
__attribute__((format(printf, 2, 3))) void call_subject(struct call *call, const char *format, ...);

/* Adds NAME='text', what somebody wrote, with typographic quotes for its own and ? for what is hidden: it cannot end before its end. */
void call_subject_text(struct call *call, const char *name, const char *text);

/* What is worth saying of something done: into the audit record. */
void call_detail(struct call *call, const char *detail);

/* Refuses: reason goes into the audit record (a constant), detail (may be NULL) to the caller. */
enum err call_refuse(struct call *call, enum err err, const char *reason, const char *detail);

/* ---- seal.c: a vault that serves nothing ---- */

enum err seal_refuse(struct call *call); /* ERR_SEALED, with the way out for everybody */
void seal_log_refusal(struct call *call, enum err refused); /* there is no audit log to record it in */
void seal_tick(struct core *core, bool shutting_down); /* tells how many refusals were not shown */

/* What a request did to memory so far: taken back when it does not stay. */
struct call_mark {
	struct chain chain;
	size_t holders;
	size_t watches;
};

struct call_mark call_mark(const struct core *core);
void call_take_back(struct core *core, const struct call_mark *mark);

/* ---- dispatch.c: the same way for a request and for one inside another ---- */

/* Sets call->info and what the record names; then: is the vault open, may this caller, is the line whole? */
enum err dispatch_check(struct call *call, enum err parsed);
enum err dispatch_handle(struct call *call);
enum err dispatch_record(struct call *call); /* of something done, in the transaction of its effect (P4) */

/* One request, from its caller to its reply, which waits for the turn's end; work inside a savepoint: wholly done and recorded, or nothing of it happened. */
void dispatch_begin(struct call *call, struct core *core, struct exchange *exchange);
enum err dispatch_perform(struct call *call, handler_fn *work);
void dispatch_finish(struct call *call, enum err err);

/* ---- deliveries.c ---- */

#define DELIVERY_KIND "credential.deliver" /* kind of their records */

/* The line for the journal: which unit does not start, and why; not again and again for one that is restarted all the time. */
void deliveries_log_refusal(
	struct core *core, const struct exchange *exchange, const char *integration, const char *why);

/* core.c: takes the answer of a commit that is waited for; arg is an enum err. */
void core_on_own_commit(void *arg, enum err err);

/*
 * core.c: work of the daemon's own, between turns, in a transaction of its own; durable when it returns OK, and nothing
 * of it happened otherwise.
 */
typedef enum err core_own_work_fn(struct core *core, void *arg);
enum err core_run_own(struct core *core, core_own_work_fn *work, void *arg);

/* ---- turn.c: for dispatch.c and the daemon's own records ---- */

struct core *turn_core(struct turn *turn);

/* Opens the turn's transaction unless it is open. */
enum err turn_begin(struct core *core);

/* After any error: is there still a transaction to go on in?  If not, the turn has failed with it. */
void turn_check(struct core *core, enum err err);

/* The exchange waits for the turn's end. */
void turn_enqueue(struct turn *turn, struct exchange *exchange);

/* Folds the write-ahead log when something shredded may still be in it (P10). */
void turn_checkpoint(struct core *core);

/* ---- replies.c ---- */

struct refusal {
	enum err err;
	const char *detail; /* NULL: nothing */
	int64_t retry_after_ms;
	const struct buf *data; /* NULL, or as call->error_data */
};

void reply_write_error(struct exchange *exchange, const struct refusal *refusal);
void reply_write_result(struct call *call);

/* The reply of a fetch was written by its handler, straight into the locked block. */
void reply_take_secret(struct call *call);

/* What a failing store means to this caller: a fetch or a refusal that cannot be recorded does not happen. */
enum err reply_store_failure(const struct exchange *exchange, enum err err);

/* What is told instead of a refusal that has no record; the one that the store failed keeps its name. */
enum err reply_unrecorded(const struct exchange *exchange, enum err refused);

/* ---- trail.c: the audit record of what happened (P4) ---- */

void trail_describe(struct record *record, const struct principal *who, int64_t now_ms);
enum err trail_append(struct core *core, struct record *record);
/* A refusal: the first of its uid and error word is recorded at once, more within the window are counted durably. */
enum err trail_refuse(struct core *core, struct record *record, enum err err);
/* Records and closes the windows that opened before a time, and those of a clock that was set back since. */
enum err trail_close_windows(struct core *core, int64_t before_ms, int64_t now_ms);

/* ---- results.c: the same request_id gives the first result again ---- */

/*
 * OK with call->is_repeated: call->result is the first result. ERR_CONFLICT: same id, other content.  Asked by dispatch, but for
 * methods whose right no role gives: there by the handler, once it has found that this caller may.
 */
enum err results_find(struct call *call);
enum err results_keep(struct call *call);
enum err results_keep_as(struct call *call, const char *request_id);

/* ---- integration_load.c: shared by all that work on one integration ---- */

enum { TEST_COMMAND_BYTES = 1001 };

struct integration {
	unsigned char id[STORE_ID_BYTES];
	char name[INTEGRATION_NAME_BYTES_MAX + 1];
	char state[16];
	uint64_t dek_generation;
	unsigned char dek[WRAPPED_KEY_BYTES];
	size_t dek_len;
	int64_t expires_ms; /* 0: never */
	int64_t rate_limit; /* fetches a minute; 0: the configured default */
	char test[TEST_COMMAND_BYTES]; /* its own test command, or "" */
	bool is_grants_locked;
	bool is_production;
};

/* Also where nothing says otherwise. */
bool integration_is_production(const struct store_integration *integration);

/* By name; sets record.integration.  ERR_NOT_FOUND is the caller's to word. */
enum err integration_load(struct call *call, const char *name, struct integration *out);

/* By the request's integration or name field, for callers with a role.  ERR_NOT_FOUND; sets record.integration. */
enum err integration_find(struct call *call, enum field field, struct integration *out);

/* The whole record of the request's name, its texts copied into the request's arena so that it can be changed.  ERR_NOT_FOUND. */
enum err integration_load_whole(struct call *call, struct store_integration *out);

/* The same by name: for those that work on several.  Room in the arena is the caller's to give back. */
enum err integration_load_record(struct call *call, const char *name, struct store_integration *out);

/* ---- integration_rules.c, integration_owners.c, integration_states.c: for those that change one ---- */

/* May its record be stored like this?  BAD_VALUE names all that is missing. */
enum err integration_check(struct call *call, const struct store_integration *integration);

/* Remembers which user of this host the owner is, if any. */
void integration_resolve_owner(struct store_integration *integration);

/* RETIRED: its record stays as it is. */
enum err integration_check_open(struct call *call, const struct store_integration *integration);

/* From now on it is in another state: row, history, record of audit, and whoever watches it. */
enum err integration_set_state(struct call *call, struct store_integration *integration, const char *state);

/* integration_retire.c: destroys what retired integrations have left once nobody holds it; in the tick's transaction (P10). */
enum err retired_tick(struct core *core, int64_t now_ms);

/* ---- changes.c ---- */

/* One row of history in the request's transaction; integration_id, key, version, field, old, new and reason are the caller's. */
enum err changes_note(struct call *call, const struct store_change *change);

/* ---- integrations.c: for those that change one ---- */

/* Member integration of a result: every documented field, and what became of it; and a result of that member alone. */
void integration_put(struct call *call, const struct store_integration *integration);
void integration_write(struct call *call, const struct store_integration *integration);

/* ---- session.c ---- */

/* Members host and vault of a result. */
void session_write_place(struct call *call);

/* ---- usage.c ---- */

enum { USAGE_DAYS_MAX = 400 }; /* use is kept for so long */

/* ---- audits.c ---- */

/* "name":{"seq":…,"hash":…}: a place in the chain. */
void audits_write_place(
	struct json_writer *w, const char *name, uint64_t seq, const unsigned char hash[RECORD_HASH_BYTES]);

/* ---- grants.c ---- */

/* The conditions of a stored grant, but for its token; points into the grant. */
struct grant_rule grants_rule(const struct store_grant *grant);

/* Member rule of an object. */
void grants_write_rule(struct json_writer *w, const struct store_grant *grant);

/*
 * Does this stored grant let the caller in?  One that needs a token reads the token's row, every time.  reason_out: which
 * condition failed, a constant.
 */
bool grants_match(struct core *core, const struct store_grant *grant, enum grant_use use,
	const struct principal *who, const char **reason_out);

/* ---- grant_credentials.c: what the request says that its unit's credentials mean ---- */

/* BAD_VALUE, TOO_LARGE: nothing was stored. */
enum err grants_check_credentials(struct call *call, const struct store_grant *grant);
/* CONFLICT: another grant says what one of them means. */
enum err grants_store_credentials(struct call *call, const struct store_grant *grant);
/* Member credentials of an object of this grant. */
enum err grants_write_credentials(struct call *call, uint64_t grant);

/* ---- tokens.c ---- */

struct token_facts token_facts(const struct store_token *token); /* for the policy; points into the token */

/* Has the caller's connection shown a token of this integration, and is it still good?  reason_out: why not, a constant. */
bool tokens_allow(struct core *core, const unsigned char integration_id[STORE_ID_BYTES],
	const struct principal *who, const char **reason_out);

/* ---- grants.c, secret_list.c: their part of integration.show ---- */

enum err grants_write(struct call *call, const unsigned char integration_id[STORE_ID_BYTES]);
enum err secrets_write(struct call *call, const unsigned char integration_id[STORE_ID_BYTES]);

#endif
