/*
 * The loop's turn: its one transaction, its one commit, and the delivery of what was prepared in it, to
 * nobody before the commit is durable (P4, P5).
 */
#include "handler.h"

#include <stdio.h>

#include "archives.h"
#include "clock.h"
#include "holders.h"
#include "log.h"
#include "managers.h"
#include "watches.h"

struct core *turn_core(struct turn *turn)
{
	return (struct core *)(void *)((char *)turn - offsetof(struct core, turn));
}

struct turn *core_turn(struct core *core)
{
	return &core->turn;
}

/* ---- the beginning ---- */

enum err turn_begin(struct core *core)
{
	struct turn *turn = &core->turn;

	if (turn->failure != OK || turn->has_begun)
		return turn->failure;

	enum err err = store_begin(core->store);

	if (err == OK) {
		turn->has_begun = true;
		turn->chain_before = core->chain;
		keys_hold(core->keys); /* once a turn instead of once a use: mprotect is a system call */
	}
	return err;
}

void turn_check(struct core *core, enum err err)
{
	struct turn *turn = &core->turn;

	if (turn->has_begun && turn->failure == OK && !store_stands(core->store))
		turn->failure = err;
}

void turn_enqueue(struct turn *turn, struct exchange *exchange)
{
	exchange->next = NULL;
	if (turn->last != NULL)
		turn->last->next = exchange;
	else
		turn->first = exchange;
	turn->last = exchange;
}

/* ---- the end of the turn ---- */

bool turn_is_open(const struct turn *turn)
{
	return turn->first != NULL || turn->has_begun;
}

/* Whatever was prepared and is not durable is taken back and replaced by the error (P4, P5). */
static void take_back(struct core *core, struct exchange *exchange, enum err err)
{
	if (exchange->err == OK && !exchange->saw_store)
		return; /* it tells nothing of what was lost */

	bool must_close = exchange->reply.must_close;
	enum err told = exchange->err == OK ? reply_store_failure(exchange, err)
					    : reply_unrecorded(exchange, exchange->err);

	if (exchange->has_authenticated)
		exchange->principal->token_id = 0; /* P4: what has no record did not happen */
	reply_clear(core, &exchange->reply);
	exchange->err = told;
	exchange->reply.must_close = must_close;
	reply_write_error(exchange, &(struct refusal){.err = told});
	if (exchange->delivery != NULL)
		deliveries_log_refusal(core, exchange, "", "it could not be recorded");
}

void turn_checkpoint(struct core *core)
{
	enum err err = core->must_checkpoint ? store_checkpoint(core->store) : OK;

	core->must_checkpoint = err != OK;
	if (err != OK)
		log_error("the write-ahead log could not be folded after a revoke: %s; trying again",
			err_word(err));
}

/*
 * The reply to a revoke leaves only after the log no longer holds the ciphertext (P10).  What could not be
 * folded stays to be folded, and every answer that it concerns is an error until it is, also a repeated one.
 */
static void checkpoint(struct core *core, struct exchange *first)
{
	for (struct exchange *exchange = first; exchange != NULL; exchange = exchange->next)
		core->must_checkpoint = core->must_checkpoint || exchange->needs_checkpoint;
	turn_checkpoint(core);
	if (!core->must_checkpoint)
		return;
	for (struct exchange *exchange = first; exchange != NULL; exchange = exchange->next)
		if (exchange->needs_checkpoint)
			take_back(core, exchange, ERR_STORAGE);
}

static void count(struct core_totals *totals, const struct exchange *exchange)
{
	if (exchange->err != OK)
		totals->refused[exchange->err]++;
	else if (exchange->duty == DUTY_FETCH)
		totals->fetches++;
}

static void on_durable(void *arg, enum err err)
{
	struct core *core = arg;
	struct turn *turn = &core->turn;
	struct exchange *first = turn->first;

	if (turn->has_begun)
		keys_release(core->keys);
	if (err != OK) {
		core->chain = turn->chain_before;
		log_error("nothing of this turn was stored: %s", err_word(err));
		for (struct exchange *exchange = first; exchange != NULL; exchange = exchange->next)
			take_back(core, exchange, err);
		holders_take_back(core, 0);
	} else {
		holders_keep(core);
	}
	holders_stored(core, err == OK);
	watches_settle(core, err == OK);
	archives_settle(core);
	*turn = (struct turn){0};
	if (err == OK && core->store != NULL)
		checkpoint(core, first);
	for (struct exchange *exchange = first, *next = NULL; exchange != NULL; exchange = next) {
		next = exchange->next;
		exchange->next = NULL;
		exchange->needs_checkpoint = false;
		exchange->has_authenticated = false;
		count(&core->totals, exchange);
		exchange->deliver(exchange);
	}
	core_wake_subscribers(core);
	if (core->store != NULL && store_is_broken(core->store) && core->broken != NULL)
		core->broken(core->broken_arg);
}

/* The ends of processes join the turn; what cannot be written now is written in a later one. */
static void store_ends(struct core *core)
{
	struct turn *turn = &core->turn;
	enum err err = turn->has_begun && turn->failure == OK && holders_are_dirty(core)
			       ? store_savepoint(core->store)
			       : ERR_NOT_FOUND;

	if (err != OK)
		return;
	err = holders_store(core);
	if (err == OK)
		err = store_release(core->store);
	else if (store_stands(core->store))
		(void)store_rollback_request(core->store);
	if (err == OK)
		return;
	log_warning("the ends of processes could not be stored: %s", err_word(err));
	holders_stored(core, false);
	turn_check(core, err);
}

void turn_end(struct turn *turn)
{
	struct core *core = turn_core(turn);

	store_ends(core);
	if (!turn->has_begun) {
		turn->chain_before = core->chain;
		on_durable(core, turn->failure);
	} else if (turn->failure != OK) {
		store_abort(core->store);
		on_durable(core, turn->failure);
	} else {
		store_commit(core->store, on_durable, core);
	}
}

/* ---- processes ---- */

int core_processes_fd(const struct core *core)
{
	return core->holders == NULL ? -1 : process_watch_fd(core->holders->watch);
}

void core_processes_ended(struct core *core)
{
	holders_poll(core);
	if (holders_are_dirty(core))
		(void)turn_begin(
			core); /* the end of this turn stores it, and the next tick what that could not */
}

/* ---- what net asks ---- */

struct knowing {
	struct core *core;
	const struct principal *who;
};

static enum err on_any_grant(void *arg, const struct store_grant *grant)
{
	const struct knowing *knowing = arg;
	const char *reason = NULL;

	return grants_match(knowing->core, grant, GRANT_STAGED, knowing->who, &reason)
		       ? ERR_CONFLICT
		       : OK; /* any error ends the search */
}

bool core_is_known(struct core *core, const struct principal *principal)
{
	if (policy_roles(core->roles, principal) != 0)
		return true;
	if (core->store == NULL)
		return false;
	if (managers_manages_any(core, principal))
		return true;

	struct knowing knowing = {.core = core, .who = principal};

	return store_grant_for_uid(core->store, principal->uid, on_any_grant, &knowing) == ERR_CONFLICT;
}

bool core_is_privileged(struct core *core, const struct principal *principal)
{
	return (policy_roles(core->roles, principal) & ROLE_ADMIN) != 0;
}

static void describe_delivery(struct core *core, const struct delivery *delivery, struct record *record)
{
	struct call call = {.subject = core->subject};

	call_subject_text(&call, "credential", delivery->name);
	record->subject = call.record.subject;
	snprintf(record->unit, sizeof(record->unit), "%s", delivery->unit);
}

void core_note_undelivered(struct core *core, const struct exchange *exchange)
{
	const char *kind = exchange->delivery != NULL     ? DELIVERY_KIND
			   : exchange->duty == DUTY_FETCH ? "env.fetch"
							  : "token.create";
	struct record record = {0};

	core->undelivered++;
	core->undelivered_ms = clock_wall_ms();
	trail_describe(&record, exchange->principal, clock_wall_ms());
	snprintf(record.kind, sizeof(record.kind), "%s", kind);
	if (exchange->delivery != NULL)
		describe_delivery(core, exchange->delivery, &record);
	snprintf(record.outcome, sizeof(record.outcome), "undelivered");
	snprintf(record.detail, sizeof(record.detail), "the process that connected ended before the reply");
	if (core->store == NULL || turn_begin(core) != OK)
		return;

	enum err err = trail_append(core, &record);

	if (err != OK) {
		turn_check(core, err);
		log_error("an undelivered reply could not be recorded: %s", err_word(err));
	}
}
