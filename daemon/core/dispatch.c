/*
 * One line becomes one reply: decode, ask the right, work inside a savepoint, write the audit record into
 * the same transaction (P4).  What a method does is its handler's business; the commit is turn.c's.
 */
#include "handler.h"

#include <stdio.h>
#include <string.h>

#include "approvals.h"
#include "clock.h"
#include "envelope.h"
#include "frame.h"
#include "log.h"
#include "managers.h"

#define REQUEST(kind, method, right, state, duty, handler, ...) [REQUEST_##kind] = handle_##handler,
static handler_fn *const handlers[REQUEST_COUNT] = {
#include "requests.def"
};
#undef REQUEST

/* The verb that must not exist (P3): who asks for it by name is worth a sentence in the record. */
static bool asks_for_a_value(const struct request *request)
{
	const struct json_token *method =
		request->doc.count > 0 ? json_member(&request->doc, request->tokens, "method") : NULL;

	return method != NULL && json_equals(&request->doc, method, "secret.get");
}

/* The rule for unknown methods: only those who have business here learn that a method does not exist. */
static enum err refuse_unknown(struct call *call, enum err parsed)
{
	if (parsed == ERR_UNKNOWN_METHOD && !core_is_known(call->core, call->who))
		return call_refuse(call, ERR_DENIED,
			asks_for_a_value(call->request) ? "secret.get was asked for by a stranger"
							: "unknown method asked by a stranger",
			NULL);
	if (parsed == ERR_UNKNOWN_METHOD && asks_for_a_value(call->request))
		return call_refuse(
			call, parsed, "secret.get was asked for: no request returns a value to a role", NULL);
	return call_refuse(call, parsed,
		call->request->detail != NULL ? call->request->detail : err_text(parsed),
		call->request->detail);
}

/* What was asked for is known as soon as the line is: the record of a refusal names it, too. */
static void describe_object(struct call *call)
{
	struct record *record = &call->record;

	call->info = request_info(call->request->kind);
	snprintf(record->kind, sizeof(record->kind), "%s", call->info->method);
	request_text(call->request, FIELD_NAME, record->integration, sizeof(record->integration));
	request_text(call->request, FIELD_INTEGRATION, record->integration, sizeof(record->integration));
	request_text(call->request, FIELD_KEY, record->key, sizeof(record->key));
}

enum err dispatch_check(struct call *call, enum err parsed)
{
	if (call->request->has_kind)
		describe_object(call);

	const struct request_info *info = call->info;

	if (info == NULL)
		return refuse_unknown(call, parsed);
	if (info->state == STATE_OPEN && call->core->store == NULL)
		return seal_refuse(call);
	if (info->right != RIGHT_GRANTED && !policy_allows(info->right, call->roles)) {
		enum err err = managers_check(call, parsed); /* P2 */

		if (err != OK)
			return err;
	}
	if (parsed != OK)
		return refuse_unknown(call, parsed);
	return OK;
}

enum err dispatch_handle(struct call *call)
{
	enum err err = approvals_begin(call);

	if (err == OK)
		err = handlers[call->request->kind](call);
	if (err == OK)
		err = approvals_end(call);
	if (err == OK && buf_failed(&call->result))
		return ERR_INTERNAL;
	if (err == OK && call->result.len > REPLY_BYTES_MAX)
		return call_refuse(call, ERR_TOO_LARGE, "the reply is too large",
			"the reply is too large; ask for less");
	return err;
}

static bool may_shred(enum request_kind kind)
{
	return kind == REQUEST_SECRET_REVOKE || kind == REQUEST_GRANT_ADD ||
	       kind == REQUEST_INTEGRATION_RETIRE || kind == REQUEST_APPROVAL_APPROVE;
}

static enum err run_handler(struct call *call)
{
	bool is_change = call->info->duty == DUTY_CHANGE;
	enum err err = is_change && call->info->right != RIGHT_GRANTED ? results_find(call) : OK;

	if (err != OK)
		return err;
	if (call->is_repeated) {
		call->must_checkpoint =
			may_shred(call->request->kind); /* P10: the first one may have failed */
		return OK;
	}
	err = dispatch_handle(call);
	if (err == OK && is_change && !call->is_repeated)
		err = results_keep(call);
	return err;
}

enum err dispatch_record(struct call *call)
{
	if (call->info->duty == DUTY_READ)
		return OK;
	snprintf(call->record.outcome, sizeof(call->record.outcome), "ok");
	return trail_append(call->core, &call->record);
}

/* The record of a refusal, when the request's own effects are gone (P4); with it what waits for a second person. */
static enum err record_refusal(struct call *call, enum err refused)
{
	struct core *core = call->core;

	if (core->store == NULL) {
		seal_log_refusal(call, refused);
		return OK;
	}

	enum err err = turn_begin(core);

	if (err == OK)
		err = store_savepoint(core->store);
	if (err != OK)
		return err;

	struct chain before = core->chain;

	err = call->draft != NULL && refused == ERR_APPROVAL_REQUIRED
		      ? approvals_file(call)
		      : trail_refuse(core, &call->record, refused);
	if (err == OK)
		return store_release(core->store);
	core->chain = before;
	if (store_stands(core->store)) {
		enum err rolled_back = store_rollback_request(core->store);

		if (rolled_back != OK)
			err = rolled_back;
	}
	return err;
}

enum err dispatch_perform(struct call *call, handler_fn *work)
{
	struct core *core = call->core;
	struct call_mark mark = call_mark(core);
	bool needs_store = call->info->state == STATE_OPEN;
	enum err err = core->store != NULL ? turn_begin(core) : OK;

	if (core->store == NULL || (err != OK && !needs_store))
		return work(call);
	if (err == OK)
		err = store_savepoint(core->store);
	if (err != OK)
		return err;
	err = work(call);
	if (err == OK && !call->is_rehearsal)
		err = dispatch_record(call);
	if (err == OK && !call->is_rehearsal)
		return store_release(core->store);
	call_take_back(core, &mark);
	if (store_stands(core->store)) {
		enum err rolled_back = store_rollback_request(core->store);

		if (rolled_back != OK)
			return rolled_back;
	}
	return err;
}

void dispatch_begin(struct call *call, struct core *core, struct exchange *exchange)
{
	call->core = core;
	call->exchange = exchange;
	call->who = exchange->principal;
	call->roles = policy_roles(core->roles, exchange->principal);
	call->request = &core->request;
	call->subject = core->subject;
	call->now_ms = clock_wall_ms();
	call->w = json_writer(&call->result);
	trail_describe(&call->record, call->who, call->now_ms);
	snprintf(call->record.kind, sizeof(call->record.kind), "line");
	exchange->reply = (struct reply){0};
	exchange->err = OK;
	exchange->duty = DUTY_READ;
	exchange->saw_store = false;
	exchange->needs_checkpoint = false;
	exchange->has_authenticated = false;
	exchange->delivery = NULL;
	exchange->id_len = (size_t)snprintf(exchange->id, sizeof(exchange->id), "null");
}

/* Whoever wonders about a grant that did not match wants to know why there was no unit to match (P9). */
static void describe_place(struct call *call, enum err told)
{
	const struct principal *who = call->who;
	const struct delivery *delivery = call->exchange->delivery;

	if (delivery != NULL) {
		call_subject_text(call, "credential", delivery->name);
		if (strcmp(call->record.unit, delivery->unit) != 0)
			call_subject_text(call, "claims", delivery->unit);
		return;
	}
	if (told == ERR_DENIED && call->info != NULL && call->info->right == RIGHT_GRANTED &&
		who->unit[0] == '\0' && who->unit_reason != NULL)
		call_subject(call, "no unit: %s", who->unit_reason);
}

/* Records the refusal and prepares its reply; when even the record fails, that is the answer. */
static void refuse(struct call *call, enum err err)
{
	turn_check(call->core, err);

	/* A handler gives its reason when it is not the store that failed but what it found there. */
	enum err told = call->record.detail[0] != '\0' ? err : reply_store_failure(call->exchange, err);

	if (!call->is_key_known)
		call->record.key[0] = '\0'; /* P1: somebody may have given a value for a key */
	if (call->exchange->duty == DUTY_FETCH)
		call->record.subject = (struct record_subject){0}; /* nothing of what was opened goes out */

	describe_place(call, told);

	enum err recorded = record_refusal(call, told);

	if (recorded != OK) {
		turn_check(call->core, recorded);
		told = reply_unrecorded(call->exchange, told);
	}
	call->exchange->err = told;

	struct refusal refusal = {.err = told, .retry_after_ms = call->retry_after_ms};

	if (told == err) {
		refusal.detail = call->detail;
		refusal.data =
			call->error_data.len > 0 && !buf_failed(&call->error_data) ? &call->error_data : NULL;
	}
	reply_write_error(call->exchange, &refusal);
}

void dispatch_finish(struct call *call, enum err err)
{
	struct core *core = call->core;

	if (err != OK) {
		pool_give(core->replies, &call->secret_block);
		if (call->exchange->has_authenticated)
			call->who->token_id = 0; /* P4: what has no record did not happen */
		refuse(call, err);
	} else if (call->secret_block.bytes != NULL) {
		reply_take_secret(call);
	} else {
		reply_write_result(call);
	}
	call->exchange->needs_checkpoint = err == OK && call->must_checkpoint;
	buf_clear(&call->result);
	buf_clear(&call->error_data);
	turn_enqueue(&core->turn, call->exchange);
}

/* A refused line is not asked: what it carried may not have been understood as a value. */
static bool carried_a_value(const struct call *call)
{
	return call->core->arena.used > 0 || request_has(call->request, FIELD_VALUE);
}

void turn_handle(struct turn *turn, struct exchange *exchange, char *line, size_t len)
{
	struct core *core = turn_core(turn);
	struct call call = {0};

	dispatch_begin(&call, core, exchange);

	enum err err = request_parse(line, len, &core->request);

	memcpy(exchange->id, core->request.id, core->request.id_len);
	exchange->id_len = core->request.id_len;
	err = dispatch_check(&call, err);
	if (call.info != NULL) {
		exchange->duty = call.info->duty;
		exchange->saw_store = call.info->state == STATE_OPEN;
	}
	if (err == OK)
		err = dispatch_perform(&call, run_handler);
	dispatch_finish(&call, err);

	/* P1: nothing of the request outlives it but the reply's locked block. */
	bool must_scrub = err != OK || carried_a_value(&call);

	arena_wipe(&core->arena);
	wipe(line, len);
	if (must_scrub)
		scrub_registers_and_stack();
}

void turn_forget(void)
{
	scrub_registers_and_stack();
}

void turn_refuse(struct turn *turn, struct exchange *exchange, enum err err, const char *detail)
{
	struct core *core = turn_core(turn);
	struct call call = {0};

	dispatch_begin(&call, core, exchange);
	dispatch_finish(&call, call_refuse(&call, err, detail != NULL ? detail : err_text(err), detail));
	scrub_registers_and_stack(); /* P1: the line may have carried a value */
}
