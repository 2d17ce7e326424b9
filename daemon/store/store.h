/*
 * The store's interface: a transaction with effects and audit records in, a callback once it is durable.
 *
 * One turn of the loop is one transaction; inside it each request has a savepoint.  An engine implements
 * the functions below; the only one so far is SQLite (sqlite.c and its neighbours).  Nothing here knows
 * keys or plaintext: values and keys arrive sealed and leave sealed.
 *
 * Calls between store_begin and store_commit are immediate; store_commit may answer later, from the loop,
 * and nothing may be told to anybody before it does.  Strings given to a visitor live until it returns.
 * Unless said otherwise a function returns OK, ERR_STORAGE_FULL or ERR_STORAGE.  After either error the
 * transaction may be gone: ask store_stands.  ERR_CONFLICT: the row is there already; ERR_INTERNAL: the call
 * itself was wrong (no or a second turn, request or step, a visitor that calls the function which runs it).
 * Whatever changes rows needs an open turn and is refused without one; reading does not.
 */
#ifndef COFFER_STORE_STORE_H
#define COFFER_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "record.h"
#include "request.h"

enum {
	STORE_ID_BYTES = 16,
	STORE_RKID_BYTES = 8,
	STORE_HASH_BYTES = 32,
	INTEGRATION_TEXT_FIRST = FIELD_TITLE,
	INTEGRATION_TEXT_LAST = FIELD_LABELS,
	INTEGRATION_TEXT_COUNT = FIELD_LABELS - FIELD_TITLE + 1,
};

struct store_blob {
	const unsigned char *bytes;
	size_t len;
};

/* ---- life ---- */

struct store;

/*
 * store_create makes coffer.db in an existing directory and refuses to touch anything that is there.
 * store_open opens it, compares its schema with the built-in one, applies migrations, checks its pages and makes a
 * truncating checkpoint (P10: the write-ahead log keeps no revoked ciphertext across a start).
 * Both check the directory (0700, owner is the caller, no symlink) and the file (0600, one link, regular).
 * reason_out gets a constant sentence for the log on any error.
 * ERR_NOT_FOUND: no store there.  ERR_CONFLICT: something is there already (create), or another process has
 * it (open).  ERR_CONFIG: wrong type, owner, mode, foreign or damaged file.  ERR_UNSUPPORTED: a newer schema; nothing
 * is written to it.  ERR_STORAGE*: I/O.
 */
enum err store_create(const char *directory, struct store **out, const char **reason_out);
enum err store_open(const char *directory, struct store **out, const char **reason_out);
void store_close(struct store *store); /* NULL is fine; an open transaction is rolled back */

/* Reads every page and every row once: ERR_STORAGE names damage.  Slow; for cofferd check. */
enum err store_check(struct store *store, const char **reason_out);

/* ---- the turn's transaction ---- */

typedef void store_durable_fn(void *arg, enum err err);

enum err store_begin(struct store *store);
bool store_stands(const struct store *store); /* a transaction is open and whole */
enum err store_savepoint(struct store *store); /* a request begins */
enum err store_release(struct store *store); /* … its effects join the turn */
enum err store_rollback_request(struct store *store); /* … or vanish */
enum err store_step(struct store *store); /* a part of the request begins, one at a time */
enum err store_step_release(struct store *store); /* … its effects join the request */
enum err store_step_rollback(struct store *store); /* … or vanish, and the request goes on */
/*
 * done may be called before it returns.  A turn that changed nothing writes nothing.  ERR_INTERNAL: a request is still
 * open, or there is no state row; like every other error it leaves nothing of the turn.
 */
void store_commit(struct store *store, store_durable_fn *done, void *arg);
void store_abort(struct store *store); /* the turn never happened */

/*
 * An error in a commit other than a full disk, or a sync that failed anywhere: what is on the disk is in
 * doubt, every later store_begin fails, and only a new process that opens the store again learns the truth.
 */
bool store_is_broken(const struct store *store);

/* Folds ciphertext out of the write-ahead log; call after a commit that shredded something (P10). */
enum err store_checkpoint(struct store *store);

/* ---- the state row ---- */

struct store_state {
	unsigned char vault_id[STORE_ID_BYTES];
	unsigned char rkid[STORE_RKID_BYTES]; /* which root key opens the keyring */
	int64_t created_ms;
	uint64_t commit_no; /* of the last commit; every row remembers the one that wrote it */
	uint64_t audit_seq; /* of the newest audit record */
	unsigned char audit_head[STORE_HASH_BYTES];
	uint64_t audit_cut_seq; /* the records up to here were archived and are gone; 0: none */
	unsigned char audit_cut_hash[STORE_HASH_BYTES]; /* of the last of them; zero: none */
	uint64_t audit_bytes; /* that the records which are left take up, about */
};

enum err store_state_init(
	struct store *store, const struct store_state *state); /* once, at creation: else ERR_CONFLICT */
enum err store_state_get(struct store *store, struct store_state *out); /* ERR_NOT_FOUND: never initialised */

/* ---- keys, sealed ---- */

typedef enum err store_key_fn(void *arg, const char *purpose, uint64_t epoch, struct store_blob wrapped);

enum err store_key_put(struct store *store, const char *purpose, uint64_t epoch, struct store_blob wrapped);
enum err store_key_each(struct store *store, store_key_fn *fn, void *arg);
enum err store_recovery_put(struct store *store, const char *fingerprint, struct store_blob box);
enum err store_recovery_each(struct store *store, store_key_fn *fn, void *arg); /* purpose: the fingerprint */

/* ---- integrations ---- */

struct store_integration {
	unsigned char id[STORE_ID_BYTES]; /* random, never reused */
	const char *name;
	const char *state; /* active, suspended, retired */
	int64_t state_ms; /* when it got its state; 0: when it was made */
	bool is_grants_locked; /* set by insert alone: another grant destroys its values */
	/* The documented fields, FIELD_TITLE … FIELD_LABELS; NULL: not given.  Lists and maps are joined by \n. */
	const char *text[INTEGRATION_TEXT_COUNT];
	uint64_t dek_generation;
	struct store_blob dek; /* wrapped data key */
	int64_t created_ms;
	uint32_t created_by;
	int64_t changed_ms;
	uint32_t changed_by;
	bool has_owner_uid; /* the owner was a user of this host when it was written */
	uint32_t owner_uid;
	int64_t reviewed_ms; /* 0: never */
	uint32_t reviewed_by;
};

struct store_integration_filter {
	const char *owner; /* NULL: any */
	const char *state;
	const char *workspace;
};

typedef enum err store_integration_fn(void *arg, const struct store_integration *integration);

enum err store_integration_insert(struct store *store,
	const struct store_integration *integration); /* ERR_CONFLICT: the name is taken */
enum err store_integration_update(struct store *store,
	const struct store_integration
		*integration); /* by id: all but name, created_*, is_grants_locked; ERR_NOT_FOUND */
enum err store_integration_get(
	struct store *store, const char *name, store_integration_fn *fn, void *arg); /* ERR_NOT_FOUND */
enum err store_integration_name(struct store *store, const unsigned char id[STORE_ID_BYTES],
	char out[INTEGRATION_NAME_BYTES_MAX + 1]); /* ERR_NOT_FOUND */
enum err store_integration_each(struct store *store, const struct store_integration_filter *filter,
	store_integration_fn *fn, void *arg); /* by name; a visitor's error ends it and is returned */

/* ---- grants ---- */

struct store_grant {
	uint64_t id; /* from 1, never reused */
	unsigned char integration_id[STORE_ID_BYTES];
	const char *integration; /* its name; set by the store */
	bool has_uid;
	uint32_t uid;
	const char *user; /* as it was typed; NULL without has_uid */
	bool has_gid;
	uint32_t gid;
	const char *group;
	const char *unit; /* name or pattern; NULL: not a condition */
	bool is_staged_only; /* a tester's: it matches only fetches of staged values */
	bool needs_token; /* a live token of the integration is a condition, too */
	int64_t created_ms;
	uint32_t created_by;
};

typedef enum err store_grant_fn(void *arg, const struct store_grant *grant);

enum err store_grant_insert(struct store *store, struct store_grant *grant); /* sets grant->id */
enum err store_grant_remove(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	uint64_t id); /* ERR_NOT_FOUND */
enum err store_grant_remove_all(struct store *store, const unsigned char integration_id[STORE_ID_BYTES]);
enum err store_grant_of(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	store_grant_fn *fn, void *arg);
enum err store_grant_each(struct store *store, store_grant_fn *fn, void *arg);
/* Those that could match this uid: its own and those without a user condition, by integration name. */
enum err store_grant_for_uid(struct store *store, uint32_t uid, store_grant_fn *fn, void *arg);
/* Those whose unit is one of these two texts, by integration name; pattern may be NULL. */
enum err store_grant_of_unit(
	struct store *store, const char *unit, const char *pattern, store_grant_fn *fn, void *arg);

/* ---- credentials of units ---- */

/* What a credential's name means for the unit of a grant; integration is set by the store. */
struct store_credential {
	const char *unit; /* the grant's, name or pattern */
	const char *name;
	const char *key;
	uint64_t grant;
	const char *integration;
};

typedef enum err store_credential_fn(void *arg, const struct store_credential *credential);

enum err store_credential_insert(struct store *store,
	const struct store_credential
		*credential); /* ERR_CONFLICT: this name of this unit means something already */
enum err store_credential_get(struct store *store, const char *unit, const char *name,
	store_credential_fn *fn, void *arg); /* of exactly this text of a unit; ERR_NOT_FOUND */
enum err store_credential_of(struct store *store, uint64_t grant, store_credential_fn *fn,
	void *arg); /* by name; they go with the grant */
enum err store_credential_each(
	struct store *store, store_credential_fn *fn, void *arg); /* every one, for cofferd check */

/* A connection of the service manager that a value left under. */
struct store_delivery {
	const char *id; /* 32 digits */
	int64_t time_ms;
	const char *run; /* its id */
};

typedef enum err store_delivery_fn(void *arg, const struct store_delivery *delivery);

enum err store_delivery_insert(
	struct store *store, const struct store_delivery *delivery); /* ERR_CONFLICT: one left already */
enum err store_delivery_each(
	struct store *store, store_delivery_fn *fn, void *arg); /* every one, for cofferd check */
/* Removes up to max_rows from before a time, the oldest first. */
enum err store_delivery_expire(struct store *store, int64_t before_ms, size_t max_rows);

/* ---- managers of integrations ---- */

struct store_manager {
	bool is_group;
	uint32_t id; /* uid, or gid */
};

typedef enum err store_manager_fn(void *arg, const struct store_manager *manager);
typedef enum err store_managed_fn(void *arg, const char *integration);

enum err store_manager_put(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const struct store_manager *manager); /* again is fine */
enum err store_manager_clear(struct store *store, const unsigned char integration_id[STORE_ID_BYTES]);
enum err store_manager_of(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	store_manager_fn *fn, void *arg);
/* Of the integration of this name; an absent one has none. */
enum err store_manager_of_name(struct store *store, const char *name, store_manager_fn *fn, void *arg);
/* The names of the integrations that this user or this group manages. */
enum err store_manager_managed(
	struct store *store, const struct store_manager *manager, store_managed_fn *fn, void *arg);
enum err store_manager_each(
	struct store *store, store_manager_fn *fn, void *arg); /* every row, for cofferd check */

/* ---- access tokens ---- */

struct store_token {
	uint64_t id; /* from 1, never reused */
	unsigned char integration_id[STORE_ID_BYTES];
	const char *integration; /* its name; set by the store */
	const char *name; /* of its own among the integration's tokens that are not revoked */
	const char *description;
	uint32_t uid; /* who alone may use it */
	const char *user; /* as it was typed */
	const char *unit; /* name or pattern; NULL: anywhere */
	uint64_t epoch; /* of the key that made the verifier */
	unsigned char verifier[STORE_HASH_BYTES]; /* zero once it is revoked */
	int64_t expires_ms; /* 0: never */
	int64_t created_ms;
	uint32_t created_by;
	int64_t last_used_ms; /* 0: never; insert does not look at it, nor at the next two */
	int64_t revoked_ms; /* 0: it is not */
	uint32_t revoked_by;
};

typedef enum err store_token_fn(void *arg, const struct store_token *token);

enum err store_token_live(struct store *store, int64_t now_ms, size_t *count_out); /* how many may be used */
uint64_t store_token_next(const struct store *store); /* the number that the next token must have */
enum err store_token_insert(struct store *store,
	struct store_token *token); /* ERR_CONFLICT: the name is taken; ERR_INTERNAL: not the next number */
enum err store_token_used(struct store *store, uint64_t id, int64_t now_ms); /* ERR_NOT_FOUND */
enum err store_token_revoke(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	uint64_t id, int64_t now_ms,
	uint32_t uid); /* ERR_NOT_FOUND: no such token, or it is revoked already */
enum err store_token_revoke_all(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	int64_t now_ms, uint32_t uid);
enum err store_token_get(struct store *store, uint64_t id, store_token_fn *fn, void *arg); /* ERR_NOT_FOUND */
enum err store_token_of(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	store_token_fn *fn, void *arg); /* by id */
enum err store_token_each(
	struct store *store, store_token_fn *fn, void *arg); /* by the integration's name, then id */

/* ---- secrets and versions ---- */

struct store_secret {
	unsigned char integration_id[STORE_ID_BYTES];
	unsigned char id[STORE_ID_BYTES];
	const char *key;
	const char *description; /* NULL: none */
	const char *issuer;
	const char *access; /* NULL: not said */
	uint64_t newest; /* highest version number ever used, also by removed ones of this row */
	int64_t created_ms;
	uint32_t created_by;
};

enum version_state { VERSION_STAGED, VERSION_CURRENT, VERSION_DRAINING, VERSION_REVOKED };

struct store_version {
	unsigned char integration_id[STORE_ID_BYTES];
	unsigned char secret_id[STORE_ID_BYTES];
	const char *key;
	uint64_t version;
	enum version_state state;
	struct store_blob sealed; /* {NULL, 0} once revoked */
	uint64_t dek_generation; /* of the data key that sealed it */
	uint32_t value_bytes; /* size class of the sealed value, for the set's limit; not its length */
	bool is_multiline;
	const char *note;
	const char *issuer_ref;
	int64_t expires_ms; /* 0: never */
	int64_t created_ms;
	uint32_t created_by;
	int64_t changed_ms; /* of the state */
};

typedef enum err store_secret_fn(void *arg, const struct store_secret *secret);
typedef enum err store_version_fn(void *arg, const struct store_version *version);

enum err store_secret_put(
	struct store *store, const struct store_secret *secret); /* insert or replace by (integration, key) */
enum err store_secret_get(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, store_secret_fn *fn, void *arg); /* ERR_NOT_FOUND */
enum err store_secret_each(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	store_secret_fn *fn, void *arg); /* by key */
enum err store_secret_remove(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key); /* and its versions; their numbers are remembered; ERR_NOT_FOUND */
/* Secrets that nobody has described, of integrations that are not retired. */
typedef enum err store_undescribed_fn(
	void *arg, const char *integration, const char *key, int64_t created_ms);
enum err store_secret_undescribed(struct store *store, store_undescribed_fn *fn, void *arg);
/* The highest number of a key that was removed; 0: it never was there. */
enum err store_secret_removed(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t *newest_out);

enum err store_version_insert(
	struct store *store, const struct store_version *version); /* its secret must be there */
/* Not to VERSION_REVOKED: that is shred's.  ERR_NOT_FOUND (both). */
enum err store_version_set_state(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t version, enum version_state state, int64_t changed_ms);
/* State revoked and the ciphertext gone from the row (P10); then store_checkpoint after the commit. */
enum err store_version_shred(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t version, int64_t changed_ms);
enum err store_version_of(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, store_version_fn *fn, void *arg); /* newest first */
/* A version that is not revoked, and what its integration asks for. */
struct store_notable {
	unsigned char integration_id[STORE_ID_BYTES];
	const char *integration;
	const char *integration_state;
	const char *rotate_after; /* NULL: not said */
	const char *key;
	uint64_t version;
	enum version_state state;
	int64_t expires_ms; /* 0: never */
	int64_t changed_ms;
	int64_t created_ms;
	uint32_t created_by;
};

typedef enum err store_notable_fn(void *arg, const struct store_notable *version);

enum err store_version_notable(
	struct store *store, store_notable_fn *fn, void *arg); /* by integration, key, version */
/* The same of all versions of retired integrations that still hold a value. */
enum err store_version_of_retired(struct store *store, store_notable_fn *fn, void *arg);
/* All current versions of an integration, by key, in one range read. */
enum err store_version_current(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	store_version_fn *fn, void *arg);
/* The staged and current versions of an integration, by key, the staged one of a key first. */
enum err store_version_usable(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	store_version_fn *fn, void *arg);
enum err store_version_each(
	struct store *store, store_version_fn *fn, void *arg); /* every one, for cofferd check */

/* ---- verdicts of tests ---- */

struct store_test {
	unsigned char integration_id[STORE_ID_BYTES];
	const char *key;
	uint64_t version;
	const char *run; /* its id */
	int64_t time_ms;
	uint32_t uid;
	uint32_t exit_status; /* 0: passed */
	int64_t duration_ms;
	unsigned char digest[STORE_HASH_BYTES]; /* of the command */
};

typedef enum err store_test_fn(void *arg, const struct store_test *test);

enum err store_test_insert(struct store *store,
	const struct store_test *test); /* ERR_CONFLICT: the run was a test of it already */
enum err store_test_of(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t version, size_t limit, store_test_fn *fn, void *arg); /* newest first */
enum err store_test_each(
	struct store *store, store_test_fn *fn, void *arg); /* every one, for cofferd check */

/* ---- changes ---- */

/* One field of an integration or of a secret, or the state of a version: from what to what, and who did it. */
struct store_change {
	const unsigned char *integration_id; /* STORE_ID_BYTES of them */
	uint64_t no; /* from 1 for each integration; insert gives it */
	int64_t time_ms;
	uint32_t uid;
	bool has_approver;
	uint32_t approved_by; /* the second person */
	const char *key; /* of the secret; "" or NULL: of the integration */
	uint64_t version; /* 0: not of a version */
	const char *field;
	const char *old; /* NULL: there was none; never a value, like the next */
	const char *new; /* NULL: there is none any more */
	const char *reason; /* NULL: none was given */
};

typedef enum err store_change_fn(void *arg, const struct store_change *change);

enum err store_change_insert(struct store *store, const struct store_change *change);
enum err store_change_of(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	size_t limit, store_change_fn *fn, void *arg); /* newest first */
enum err store_change_each(
	struct store *store, store_change_fn *fn, void *arg); /* every one, for cofferd check */

/* ---- runs and use ---- */

struct store_run_version {
	const char *key;
	uint64_t version;
};

/* Before RUN_AGAIN: somebody may hold what the run was given. */
enum run_state { RUN_HELD, RUN_UNKNOWN, RUN_AGAIN, RUN_RELEASED, RUN_ENDED };

enum { RUN_STATUS_UNKNOWN = -1 };

struct store_run {
	uint64_t no; /* from 1; set by insert */
	char id[27]; /* ULID */
	unsigned char integration_id[STORE_ID_BYTES];
	int64_t time_ms;
	uint32_t uid;
	int32_t pid;
	const char *unit; /* "" when not proven */
	const struct store_run_version *versions;
	size_t version_count;
	bool is_staged; /* it asked for staged values */
	enum run_state state;
	bool is_repeated; /* the same process was given the same versions again: rows of RUN_AGAIN belong to it */
	uint64_t start_ticks; /* of the process, since boot; 0: not known */
	uint64_t given_ticks; /* time_ms on the same clock */
	const char *boot; /* which boot and pid namespace pid and ticks belong to */
	const char *exe; /* "" where it is not visible; so are the next two without a unit */
	const char *invocation;
	const char *cgroup;
	uint64_t cgroup_id;
	int64_t end_ms; /* 0: not known to have ended */
	int32_t end_status; /* as wait(2) has it, or RUN_STATUS_UNKNOWN */
};

typedef enum err store_run_fn(void *arg, const struct store_run *run);

/* Processes of a unit's invocation that may be children of a holder which has ended. */
struct store_unit_holder {
	unsigned char integration_id[STORE_ID_BYTES];
	const char *key;
	uint64_t version;
	uint64_t cgroup_id;
	const char *boot;
	const char *unit;
	const char *invocation;
	const char *cgroup;
	int64_t given_ms;
	uint64_t given_ticks;
	bool is_any_parent;
};

typedef enum err store_unit_holder_fn(void *arg, const struct store_unit_holder *holder);

struct store_touched {
	const char *integration;
	const char *key;
	uint64_t version;
	enum version_state state;
	bool was_put; /* by this user */
	uint64_t fetches; /* by this user */
	int64_t last_ms;
};

typedef enum err store_touched_fn(void *arg, const struct store_touched *touched);

struct store_use {
	const char *key;
	uint64_t version;
	uint64_t fetches;
	int64_t last_ms;
};

typedef enum err store_use_fn(void *arg, const struct store_use *use);

enum err store_run_insert(
	struct store *store, struct store_run *run); /* ERR_TOO_LARGE: more than ENV_KEYS_MAX, or no key */
/* state, is_repeated and, unless unknown, end_ms and end_status of the run with this number; ERR_NOT_FOUND. */
enum err store_run_set(struct store *store, const struct store_run *run);
/* A visitor of runs must not call these again: the versions that it sees lie in one place of the store. */
enum err store_run_get(struct store *store, const char *id, store_run_fn *fn, void *arg); /* ERR_NOT_FOUND */
enum err store_run_held(
	struct store *store, store_run_fn *fn, void *arg); /* before RUN_AGAIN, oldest first */
enum err store_run_of(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	uint64_t before_no, size_t limit, store_run_fn *fn, void *arg); /* newest first */
/* The run with current values that ended last, of those whose status is known; *end_ms_out 0: none. */
enum err store_run_last_ended(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	int64_t *end_ms_out, int *status_out);
enum err store_run_each(struct store *store, store_run_fn *fn, void *arg); /* every one, for cofferd check */

enum err store_unit_holder_put(struct store *store,
	const struct store_unit_holder *holder); /* insert, or replace given_* and is_any_parent */
enum err store_unit_holder_remove(
	struct store *store, const struct store_unit_holder *holder); /* by its key; none is fine */
enum err store_unit_holder_each(struct store *store, store_unit_holder_fn *fn, void *arg);

/* Of the runs folded so far, and integration NULL: of all. */
enum err store_touched_by(
	struct store *store, uint32_t uid, const char *integration, store_touched_fn *fn, void *arg);
/* Use per key and version: run rows not yet folded, and the totals. */
enum err store_use_of(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], store_use_fn *fn, void *arg);
/* Folds up to max_rows run rows into totals; *folded_out says how many.  Run rows stay, marked as folded. */
enum err store_use_fold(struct store *store, size_t max_rows, size_t *folded_out);
/* Removes folded runs from before a time, of the oldest max_rows, up to the first that is younger or may be held. */
enum err store_run_expire(struct store *store, int64_t before_ms, size_t max_rows);

/* ---- use and refusals per UTC day (days since the epoch); runs with staged values are not use ---- */

enum {
	STORE_DAY_MS = 86400000,
	REFUSED_ROWS_A_DAY = 64, /* of an integration; who comes then is one of the others */
};
static const uint32_t REFUSED_OTHERS = 4294967295; /* no user has this number */

struct store_use_day {
	int64_t day;
	uint64_t count;
	int64_t last_ms;
};

struct store_use_user {
	uint32_t uid;
	uint64_t fetches;
	int64_t last_ms;
};

struct store_refused {
	unsigned char integration_id[STORE_ID_BYTES];
	const char *integration;
	int64_t day;
	const char *outcome;
	uint32_t uid;
	uint64_t count;
	int64_t last_ms;
};

typedef enum err store_use_day_fn(void *arg, const struct store_use_day *day);
typedef enum err store_use_user_fn(void *arg, const struct store_use_user *user);
typedef enum err store_refused_fn(void *arg, const struct store_refused *refused);

/* Fetches from first_day on, those that are not folded yet included: by day; by user, who came last first. */
enum err store_use_days(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	int64_t first_day, store_use_day_fn *fn, void *arg);
enum err store_use_users(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	int64_t first_day, size_t limit, store_use_user_fn *fn, void *arg);
/* The last fetch there ever was, 0: none. */
enum err store_use_last(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], int64_t *last_ms_out);

/* One more refused fetch, when there is an integration of this name. */
enum err store_refused_bump(
	struct store *store, const char *integration, const char *outcome, uint32_t uid, int64_t now_ms);
enum err store_refused_days(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	int64_t first_day, store_use_day_fn *fn, void *arg);
/* Of all integrations that have any since recent_day, those from first_day on: by integration and day. */
enum err store_refused_recent(
	struct store *store, int64_t first_day, int64_t recent_day, store_refused_fn *fn, void *arg);

/* Since when it could be used: granted and with a current value; 0: it cannot. */
enum err store_use_possible(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], int64_t *since_ms_out);

/* Removes up to max_rows of each kind from before a day, but never the last fetch. */
enum err store_days_expire(struct store *store, int64_t before_day, size_t max_rows);
/* Every row, for cofferd check. */
enum err store_days_check(struct store *store);

/* ---- alerts that somebody has seen ---- */

struct store_alert_ack {
	const char *alert; /* its id */
	int64_t since_ms; /* of the alert; 0: nobody can tell */
	unsigned severity; /* the same: 0 is the most urgent, 2 the least */
	int64_t until_ms;
	int64_t time_ms;
	uint32_t uid;
	const char *note;
};

typedef enum err store_alert_ack_fn(void *arg, const struct store_alert_ack *ack);

enum err store_alert_ack_put(
	struct store *store, const struct store_alert_ack *ack); /* insert, or replace the alert's */
enum err store_alert_ack_each(struct store *store, store_alert_ack_fn *fn, void *arg); /* by alert */
enum err store_alert_ack_remove(struct store *store, const char *alert); /* none is fine */

/* ---- what a second person must approve ---- */

enum approval_state { APPROVAL_PENDING, APPROVAL_APPROVED, APPROVAL_REJECTED, APPROVAL_EXPIRED };

struct store_approval {
	uint64_t id; /* from 1, never reused; set by insert */
	unsigned char integration_id[STORE_ID_BYTES];
	const char *integration; /* its name; set by the store */
	const char *method;
	const char *params; /* JSON object as it was asked for, never with a value */
	const char *subject; /* what it would do, for people */
	unsigned char object[STORE_HASH_BYTES]; /* digest of what it would change, as it was then */
	uint32_t uid; /* who asked */
	bool has_login; /* … behind a login */
	uint32_t login_uid;
	const char *request_id; /* NULL: none */
	int64_t requested_ms;
	int64_t expires_ms;
	enum approval_state state;
	int64_t decided_ms; /* 0: pending; so are the next two */
	uint32_t decided_by;
	const char *note; /* of whoever decided; NULL: none */
	int64_t used_ms; /* 0: what was approved was not taken by its requester, or there is nothing to take */
};

struct store_approval_filter {
	const char *integration; /* NULL: any */
	bool has_state;
	enum approval_state state;
};

typedef enum err store_approval_fn(void *arg, const struct store_approval *approval);

enum err store_approval_insert(struct store *store, struct store_approval *approval); /* pending */
/* Writes state, decided_ms, decided_by and note of the pending one with this id; ERR_NOT_FOUND. */
enum err store_approval_decide(struct store *store, const struct store_approval *decided);
enum err store_approval_get(
	struct store *store, uint64_t id, store_approval_fn *fn, void *arg); /* ERR_NOT_FOUND */
/* The pending one of the same uid, method and params; ERR_NOT_FOUND. */
enum err store_approval_same(
	struct store *store, const struct store_approval *like, store_approval_fn *fn, void *arg);
/* The oldest of the same uid, method and params that was approved, is not used and has not expired; ERR_NOT_FOUND. */
enum err store_approval_usable(struct store *store, const struct store_approval *like, int64_t now_ms,
	store_approval_fn *fn, void *arg);
enum err store_approval_use(struct store *store, uint64_t id, int64_t now_ms); /* once; ERR_NOT_FOUND */
/* The newest of the same uid, method and request_id; ERR_NOT_FOUND. */
enum err store_approval_repeated(
	struct store *store, const struct store_approval *like, store_approval_fn *fn, void *arg);
enum err store_approval_pending(
	struct store *store, uint32_t uid, size_t *all_out, size_t *of_uid_out); /* how many */
/* Pending beyond their expiry, oldest first. */
enum err store_approval_overdue(
	struct store *store, int64_t now_ms, size_t limit, store_approval_fn *fn, void *arg);
enum err store_approval_each(struct store *store, const struct store_approval_filter *filter,
	store_approval_fn *fn, void *arg); /* newest first; a visitor's error ends it and is returned */

/* ---- results kept for request_id ---- */

struct store_result {
	uint32_t uid;
	const char *method;
	const char *request_id;
	unsigned char content_mac[STORE_HASH_BYTES];
	struct store_blob result; /* JSON text, never with a value */
	int64_t time_ms;
};

typedef enum err store_result_fn(void *arg, const struct store_result *result);

enum err store_result_put(struct store *store, const struct store_result *result);
enum err store_result_get(struct store *store, uint32_t uid, const char *method, const char *request_id,
	store_result_fn *fn, void *arg); /* ERR_NOT_FOUND */
enum err store_result_expire(struct store *store, int64_t before_ms);

/* ---- audit ---- */

/*
 * Appends a sealed record (its subject NUL-terminated) and moves the state row's head to it, in the running transaction.
 * ERR_INTERNAL: it does not follow the head.
 */
enum err store_audit_append(struct store *store, const struct record *record);

struct store_audit_filter {
	uint64_t after; /* records with a higher number */
	uint64_t limit; /* 0: all */
	int64_t since_ms, until_ms; /* inclusive; 0: open */
	bool has_uid;
	uint32_t uid;
	const char *integration; /* NULL: any */
	const char *outcome; /* NULL: any; "refused": all but ok */
	const char *kind;
};

typedef enum err store_audit_fn(void *arg, const struct record *record);

enum err store_audit_each(
	struct store *store, const struct store_audit_filter *filter, store_audit_fn *fn, void *arg);

/* What a record counts for in audit_bytes. */
uint64_t store_audit_record_bytes(const struct record *record);

/*
 * Removes the records up to this one, whose hash must be this, and moves the state row's cut to it, in the running
 * transaction: the chain then begins behind it (P7).  ERR_INTERNAL: there is no such record.
 */
enum err store_audit_cut(struct store *store, uint64_t seq, const unsigned char hash[STORE_HASH_BYTES]);

/*
 * Counted refusals: one open window per uid and error word.  bump adds one and tells how many the window
 * has now (1: it was just opened).  each gives the windows opened before a time; close removes one.
 */
struct store_refusal {
	uint32_t uid;
	const char *outcome;
	uint32_t count;
	int64_t since_ms;
};

typedef enum err store_refusal_fn(void *arg, const struct store_refusal *refusal);

enum err store_refusal_bump(
	struct store *store, uint32_t uid, const char *outcome, int64_t now_ms, uint32_t *count_out);
enum err store_refusal_each(struct store *store, int64_t before_ms, store_refusal_fn *fn, void *arg);
enum err store_refusal_close(struct store *store, uint32_t uid, const char *outcome);

/* ---- counts for status ---- */

struct store_counts {
	uint64_t integrations, secrets, versions, grants, runs, audit_records;
	uint64_t file_bytes;
};

enum err store_counts(struct store *store, struct store_counts *out); /* kept in memory: costs no scan */

#endif
