/*
 * The vault's life: made from an opened store and an unwrapped keyring, told about time and reloads.
 * Without a store it is sealed and answers only what needs none.
 */
#include "handler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alert_look.h"
#include "approvals.h"
#include "archives.h"
#include "base64.h"
#include "clock.h"
#include "holders.h"
#include "log.h"
#include "people.h"
#include "self.h"
#include "watches.h"

enum {
	/* A set of values, their padding, and the request's own texts and lists. */
	ARENA_BYTES = 2 * ENV_SET_BYTES_MAX + 512 * 1024,
	FOLD_ROWS = 2048, /* bounds how long a tick holds up the loop */
	RESULT_KEPT_MS = 24 * 3600 * 1000,
	RESULT_SWEEP_MS = 600 * 1000,
	DELIVERY_KEPT_MS = 7 * 24 * 3600 * 1000, /* no start of a unit waits for so long */
	EXPIRE_ROWS = 256, /* of runs, a tick */
	EXPIRE_DAY_ROWS = 8192, /* of days of use, a sweep */
};

size_t core_locked_bytes(const struct config_limits *limits)
{
	return ARENA_BYTES + (size_t)limits->reply_pool_bytes;
}

static enum err init_memory(struct core *core, bool may_swap)
{
	size_t pool = (size_t)core->limits->reply_pool_bytes;
	enum err err = arena_init(&core->arena, ARENA_BYTES, may_swap);

	if (err == OK)
		err = pool_new(pool, pool / 4, may_swap, &core->replies);
	if (err == OK)
		err = rates_new((size_t)core->limits->integrations, &core->rates);
	if (err == OK)
		err = watches_new(&core->watches);
	if (err == OK)
		err = people_new(&core->people);
	return err;
}

static enum err read_state(struct core *core)
{
	enum err err = store_state_get(core->store, &core->state);

	if (err != OK)
		return err;
	core->chain.seq = core->state.audit_seq;
	memcpy(core->chain.head, core->state.audit_head, sizeof(core->chain.head));
	return OK;
}

enum err core_unseal(struct core *core, struct store *store, struct keys *keys)
{
	core->store = store;

	enum err err = read_state(core);

	if (err == OK)
		err = holders_new(&core->holders);
	if (err == OK)
		err = holders_load(core);
	if (err != OK) {
		holders_free(core->holders);
		core->holders = NULL;
		core->store = NULL; /* still the caller's */
		return err;
	}
	core->keys = keys;
	core->seal = (struct core_seal){0};
	seal_tick(core, true);
	archives_recover(core);
	return OK;
}

bool core_is_sealed(const struct core *core)
{
	return core->store == NULL;
}

enum err core_new(const struct core_options *options, struct core **out)
{
	struct core *core = calloc(1, sizeof(*core));

	if (core == NULL)
		return ERR_INTERNAL;
	core->limits = options->limits;
	core->rules = options->rules;
	core->roles = options->roles;
	core->seal = options->seal;
	core->backup_dir = options->backup_dir;
	core->archive_dir = options->archive_dir;
	checkpoint_set_host(core->host, options->host != NULL ? options->host : "");
	core->started_ms = clock_wall_ms();
	core->state_dir = options->state_dir;
	core->root_key_file = options->root_key_file;
	core->has_retired = true; /* the first tick looks */

	enum err err = init_memory(core, options->may_swap);

	if (err == OK && options->store != NULL)
		err = core_unseal(core, options->store, options->keys);
	if (err != OK) {
		core_free(core);
		return err;
	}
	*out = core;
	return OK;
}

void core_free(struct core *core)
{
	if (core == NULL)
		return;
	arena_deinit(&core->arena);
	pool_free(core->replies);
	rates_free(core->rates);
	holders_free(core->holders);
	watches_free(core->watches);
	people_free(core->people);
	keys_free(core->keys);
	store_close(core->store);
	free(core);
}

void core_set_roles(struct core *core, const struct roles *roles)
{
	core->roles = roles;
	people_forget(core->people);
}

void core_set_limits(struct core *core, const struct config_limits *limits)
{
	core->limits = limits;
}

void core_set_connections(struct core *core, core_connections_fn *fn, void *arg)
{
	core->connections = fn;
	core->connections_arg = arg;
}

void core_set_broken(struct core *core, core_broken_fn *fn, void *arg)
{
	core->broken = fn;
	core->broken_arg = arg;
}

/* ---- transactions of the daemon's own, between turns ---- */

void core_on_own_commit(void *arg, enum err err)
{
	*(enum err *)arg = err;
}

/* Runs work in a transaction of its own.  An engine that answers later would keep the result for the next tick. */
enum err core_run_own(struct core *core, core_own_work_fn *work, void *arg)
{
	struct chain before = core->chain;
	enum err committed = ERR_STORAGE;
	enum err err = core->store == NULL ? ERR_SEALED : store_begin(core->store);

	if (err != OK)
		return err;
	err = work(core, arg);
	if (err == OK)
		store_commit(core->store, core_on_own_commit, &committed);
	else
		store_abort(core->store);
	if (err == OK)
		err = committed;
	if (err != OK)
		core->chain = before;
	return err;
}

static enum err record_daemon(struct core *core, void *arg)
{
	struct record record = {.time_ms = clock_wall_ms(),
		.repeats = 1,
		.uid = self_uid(),
		.gid = self_gid(),
		.pid = getpid()};

	snprintf(record.kind, sizeof(record.kind), "%s", (const char *)arg);
	snprintf(record.outcome, sizeof(record.outcome), "ok");
	return trail_append(core, &record);
}

/* Whoever keeps the journal elsewhere keeps a head of the audit log with it (P7). */
static void log_head(const struct core *core, const char *kind)
{
	char hash[2 * RECORD_HASH_BYTES + 1] = "";

	hex_encode(core->chain.head, RECORD_HASH_BYTES, hash);
	log_notice("%s is audit record %llu:%s", kind, (unsigned long long)core->chain.seq, hash);
}

enum err core_record_daemon(struct core *core, const char *kind)
{
	if (turn_is_open(&core->turn))
		turn_end(&core->turn); /* its requests came before */

	enum err err = core_run_own(core, record_daemon, (void *)(uintptr_t)kind);

	if (err == OK)
		log_head(core, kind);
	return err;
}

struct tick {
	int64_t before_ms;
	int64_t now_ms;
	bool must_expire;
};

/* Totals of use and the runs behind them are kept for so long. */
static enum err forget_use(struct core *core, const struct tick *tick)
{
	int64_t before_ms = tick->now_ms - USAGE_DAYS_MAX * (int64_t)STORE_DAY_MS;
	enum err err = store_run_expire(core->store, before_ms, EXPIRE_ROWS);

	if (err == OK && tick->must_expire)
		err = store_days_expire(core->store, before_ms / STORE_DAY_MS, EXPIRE_DAY_ROWS);
	return err;
}

/* By itself: it reads every row there is, and one that is damaged must not hold up the rest. */
static enum err forget_acks(struct core *core, void *arg)
{
	return alerts_forget_acks(core, *(const int64_t *)arg);
}

static enum err work_tick(struct core *core, void *arg)
{
	struct tick *tick = arg;
	size_t folded = 0;
	enum err err = trail_close_windows(core, tick->before_ms, tick->now_ms);

	if (err == OK)
		err = approvals_expire(core, tick->now_ms);
	if (err == OK)
		err = store_use_fold(core->store, FOLD_ROWS, &folded);
	if (err == OK && tick->must_expire)
		err = store_result_expire(core->store, tick->now_ms - RESULT_KEPT_MS);
	if (err == OK && tick->must_expire)
		err = store_delivery_expire(core->store, tick->now_ms - DELIVERY_KEPT_MS, EXPIRE_DAY_ROWS);
	if (err == OK)
		err = forget_use(core, tick);
	if (err == OK)
		err = holders_store(core);
	if (err == OK)
		err = retired_tick(core, tick->now_ms);
	return err;
}

void core_tick(struct core *core, bool shutting_down)
{
	int64_t now_ms = clock_wall_ms();
	struct tick tick = {.now_ms = now_ms, .before_ms = now_ms - core->limits->refusal_window_ms};

	if (shutting_down && turn_is_open(&core->turn))
		turn_end(&core->turn); /* no loop is left to do it */
	seal_tick(core, shutting_down);
	if (core->store == NULL || turn_is_open(&core->turn))
		return;
	if (shutting_down)
		tick.before_ms = INT64_MAX;
	tick.must_expire =
		now_ms - core->results_expired_ms > RESULT_SWEEP_MS || now_ms < core->results_expired_ms;

	holders_tick(core, now_ms);

	enum err err = core_run_own(core, work_tick, &tick);

	holders_stored(core, err == OK);
	if (err == OK && tick.must_expire) {
		core->results_expired_ms = now_ms;
		err = core_run_own(core, forget_acks, &now_ms);
	}
	if (err != OK)
		log_warning("housekeeping of the store failed: %s", err_word(err));
	turn_checkpoint(core);
	if (!shutting_down)
		archives_tick(core, now_ms);
	if (store_is_broken(core->store) && core->broken != NULL)
		core->broken(core->broken_arg);
}
