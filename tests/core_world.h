/*
 * A vault for tests of the core: a real store in a directory of its own, real keys, roles by uid, and
 * callers made by hand.  A line goes in, the reply comes back as text and as JSON read by another parser.
 *
 * The clock is the test's, and calls of the store can be made to fail, to wait or to be counted.
 */
#ifndef COFFER_TESTS_CORE_WORLD_H
#define COFFER_TESTS_CORE_WORLD_H

#include <cjson/cJSON.h>

#include "handler.h"
#include "puppet.h"
#include "unit.h"
#include "users.h"

#define ck_ok(expression) ck_assert_int_eq((int)(expression), (int)OK)
#define ck_err(expression, wanted) ck_assert_int_eq((int)(expression), (int)(wanted))

enum { UID_ADMIN = 70001, UID_OPERATOR, UID_AUDITOR, UID_APP, UID_OTHER_APP, UID_STRANGER };

/* ---- the time ---- */

extern int64_t core_clock_ms; /* what clock_wall_ms says */

/* ---- the archive ---- */

extern const char *core_archive_dir; /* of cores that are made from now on; NULL: they have none */

/* ---- the store's answers ---- */

/* An error here is given once, by the next call of that function, without its effect; begin keeps failing. */
extern struct core_faults {
	enum err begin;
	enum err append; /* of an audit record */
	enum err insert; /* of a version; the transaction is gone as well */
	enum err commit; /* the transaction is taken back */
	enum err checkpoint;
	bool holds_commit; /* durable, but the answer waits for core_answer_commit */
	unsigned commits; /* asked for so far */
	unsigned checkpoints;
	unsigned use_readings; /* of an integration's whole history of use */
	unsigned scrubs; /* of registers and stack */
	bool hides_status; /* how processes end is not told, as by kernels before 6.15 */
	bool loses_status; /* it is said to come later, and never does */
	unsigned full_percent; /* of the store's filesystem */
	bool may_swap; /* memory is not locked */
} core_faults;

void core_answer_commit(void);

/* ---- people: nobody has left, and nobody is in a group, but for these ---- */

enum { CORE_PEOPLE = 4 };

struct core_person {
	uint32_t uid; /* 0: the place is free */
	enum account account;
	gid_t group;
};

extern struct core_person core_people[CORE_PEOPLE];

/* ---- the vault ---- */

struct core_world {
	char dir[64];
	struct config_limits limits;
	struct config_rules rules;
	struct roles roles;
	struct core *core;
	struct root_key *root;
	unsigned char vault_id[VAULT_ID_BYTES];
	unsigned char wrapped[KEY_PURPOSE_COUNT][WRAPPED_KEY_BYTES];
	unsigned delivered; /* replies so far */
	bool skips_arena; /* do not look through the arena after every request */
	char *last_text; /* the reply to the last core_ask */
	cJSON *last;
};

void core_world_start(struct core_world *world);
void core_world_start_sealed(struct core_world *world); /* no store, no keys */
void core_world_reopen(struct core_world *world); /* as after a kill: nothing is recorded or closed */
void core_world_reopen_sealed(struct core_world *world); /* … but the vault cannot be opened */
enum err core_world_unseal(struct core_world *world); /* … and then it can, in the same core */
void core_world_end(struct core_world *world);

/* ---- one exchange, for tests of whole turns ---- */

struct asking {
	struct exchange exchange; /* first */
	struct core_world *world;
	struct principal who;
	unsigned place; /* among the delivered, from 1; 0: not yet */
	unsigned commits_before; /* how many commits had been asked for when it was delivered */
	char *text; /* the reply: a copy, NUL added, without its newline */
	cJSON *json;
	bool is_secret;
	bool must_close;
	bool keeps_reply; /* do not clear exchange.reply: as a caller that does not read */
};

void asking_start(struct asking *asking, struct core_world *world, uint32_t uid);
void asking_be(struct asking *asking, const struct puppet *puppet); /* it is this process that asks, proven */
__attribute__((format(printf, 3, 4))) void asking_send(
	struct asking *asking, const char *method, const char *params, ...);
void asking_send_line(struct asking *asking, const char *line);
const char *asking_word(const struct asking *asking); /* "ok", or the error's word */
void asking_end(struct asking *asking);

/* ---- one request, one turn ---- */

/* Returns "ok" or the error's word; the reply is in world->last until the next. */
__attribute__((format(printf, 4, 5))) const char *core_ask(
	struct core_world *world, uint32_t uid, const char *method, const char *params, ...);
const char *core_ask_line(struct core_world *world, uint32_t uid, const char *line);

/* The same, asked by a process that the kernel has proven. */
__attribute__((format(printf, 5, 6))) const char *core_ask_as(struct core_world *world, uint32_t uid,
	const struct puppet *puppet, const char *method, const char *params, ...);

/* The same; where a second person must approve it, root does (admin 70001 for what root asks). */
__attribute__((format(printf, 4, 5))) const char *core_ask_approved(
	struct core_world *world, uint32_t uid, const char *method, const char *params, ...);

#define core_ask_ok(...) ck_assert_str_eq(core_ask(__VA_ARGS__), "ok")
#define core_ask_refused(word, ...) ck_assert_str_eq(core_ask(__VA_ARGS__), word)
#define core_ask_as_ok(...) ck_assert_str_eq(core_ask_as(__VA_ARGS__), "ok")
#define core_ask_as_refused(word, ...) ck_assert_str_eq(core_ask_as(__VA_ARGS__), word)

/* A part of the last reply: of result, of error, of error.data. */
const cJSON *core_result(const struct core_world *world, const char *name);
const char *core_result_text(const struct core_world *world, const char *name);
const char *core_message(const struct core_world *world);
const cJSON *core_error_data(const struct core_world *world, const char *name);
int core_retry_ms(const struct core_world *world);

/* ---- what most tests have in the vault ---- */

void core_add_integration(struct core_world *world, const char *name);
void core_grant(struct core_world *world, const char *integration, uint32_t uid);
void core_put(struct core_world *world, const char *integration, const char *key, const char *value);
void core_stage(struct core_world *world, const char *integration, const char *key, const char *value);

/* "1:revoked 2:current", oldest first; good until the next call. */
const char *core_states(struct core_world *world, const char *integration, const char *key);

/* Number of audit records, asked of the store. */
uint64_t core_records(const struct core_world *world);
struct store_counts core_counts(const struct core_world *world);

/* The record with this number, 0: the newest.  Its subject is good until the next call. */
struct record core_record(const struct core_world *world, uint64_t seq);

/* The chain from the cut to the head that the core would go on from. */
void core_check_chain(const struct core_world *world);

/* Puts the integration into a state by the store's own means, which no method offers yet. */
void core_set_state(struct core_world *world, const char *integration, const char *state);

bool core_is_wiped(const struct core_world *world);

#endif
