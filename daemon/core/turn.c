/*
 * One line becomes one reply: decode, ask the right, work inside a savepoint, write the audit record into
 * the same transaction.  The turn's single commit stands between that and anybody's hearing of it:
 * P4 (recorded before told) and P5 (told only when durable) are kept here.  What a method does is its
 * handler's business.
 */
#include "handler.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "envelope.h"
#include "frame.h"
#include "log.h"

#define REQUEST(kind, method, right, state, duty, handler, ...) [REQUEST_##kind] = handle_##handler,
static handler_fn *const handlers[REQUEST_COUNT] = {
#include "requests.def"
};
#undef REQUEST

enum { RETRY_AFTER_MS = 1000 };

static struct core *turn_core(struct turn *turn)
{
	return (struct core *)(void *)((char *)turn - offsetof(struct core, turn));
}

struct turn *core_turn(struct core *core)
{
	return &core->turn;
}

/* ---- what handlers use ---- */

enum err call_refuse(struct call *call, enum err err, const char *reason, const char *detail)
{
	snprintf(call->record.detail, sizeof(call->record.detail), "%s", reason);
	call->detail = detail;
	return err;
}

const char *call_copy(struct call *call, const char *text)
{
	if (text == NULL)
		return NULL;

	size_t size = strlen(text) + 1;
	char *copy = arena_alloc(&call->core->arena, size);

	return copy == NULL ? NULL : memcpy(copy, text, size);
}

void call_subject(struct call *call, const char *format, ...)
{
	struct record_subject *subject = &call->record.subject;
	char *text = call->core->subject;
	size_t room = sizeof(call->core->subject) - subject->len;
	size_t space = subject->len > 0 ? 1 : 0;
	va_list args;

	if (room <= space)
		return;
	va_start(args, format);
	int len = vsnprintf(text + subject->len + space, room - space, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= room - space)
		return;
	if (space > 0)
		text[subject->len] = ' ';
	for (char *c = text + subject->len + space; *c != '\0'; c++)
		if (*c == '\\')
			*c = '/'; /* see record.h */
	subject->text = text;
	subject->len += space + (size_t)len;
}

/* ---- replies ---- */

void reply_clear(struct core *core, struct reply *reply)
{
	if (reply->is_secret)
		pool_give(core->replies, &reply->block);
	else
		free(reply->bytes);
	*reply = (struct reply){0};
}

static void begin_reply(struct json_writer *w, const struct exchange *exchange)
{
	json_begin_object(w);
	json_put_string(w, "jsonrpc", "2.0");
	json_key(w, "id");
	json_write_raw(w, exchange->id, exchange->id_len);
}

/* Without memory for a reply the only honest answer is to close. */
static void end_reply(struct json_writer *w, struct exchange *exchange)
{
	json_end_object(w);
	buf_append_byte(w->buf, '\n');
	if (buf_failed(w->buf)) {
		exchange->reply.must_close = true;
		return;
	}
	exchange->reply.bytes = buf_take(w->buf, &exchange->reply.len);
}

static void reply_with_error(struct exchange *exchange, enum err err, const char *detail, int64_t retry_after_ms)
{
	BUF_AUTO buf = {0};
	struct json_writer w = json_writer(&buf);
	char message[400] = "";

	snprintf(message, sizeof(message), "%s%s%s", err_text(err), detail != NULL ? ": " : "",
		detail != NULL ? detail : "");
	begin_reply(&w, exchange);
	json_key(&w, "error");
	json_begin_object(&w);
	json_put_integer(&w, "code", err_rpc_code(err));
	json_put_string(&w, "message", message);
	json_key(&w, "data");
	json_begin_object(&w);
	json_put_string(&w, "error", err_word(err));
	json_put_bool(&w, "retry", err_class(err) == ERR_CLASS_RETRY);
	if (err == ERR_BUSY || err == ERR_RATE_LIMITED)
		json_put_integer(&w, "retry_after_ms", retry_after_ms > 0 ? retry_after_ms : RETRY_AFTER_MS);
	json_end_object(&w);
	json_end_object(&w);
	end_reply(&w, exchange);
}

static void reply_with_result(struct call *call)
{
	BUF_AUTO buf = {0};
	struct json_writer w = json_writer(&buf);

	begin_reply(&w, call->exchange);
	json_key(&w, "result");
	json_write_raw(&w, call->result.bytes, call->result.len);
	end_reply(&w, call->exchange);
}

/* The reply of a fetch was written by its handler, straight into the locked block. */
static void reply_with_secret(struct call *call)
{
	struct reply *reply = &call->exchange->reply;

	reply->is_secret = true;
	reply->block = call->secret_block;
	reply->bytes = (char *)call->secret_block.bytes;
	reply->len = call->secret_len;
	call->secret_block = (struct pool_block){0};
}

/* ---- one request ---- */

static enum err begin_turn(struct core *core)
{
	struct turn *turn = &core->turn;

	if (turn->failure != OK || turn->has_begun)
		return turn->failure;

	enum err err = store_begin(core->store);

	if (err == OK) {
		turn->has_begun = true;
		turn->chain_before = core->chain;
	}
	return err;
}

/* After any error: is there still a transaction to go on in? */
static void check_turn(struct core *core, enum err err)
{
	struct turn *turn = &core->turn;

	if (turn->has_begun && turn->failure == OK && !store_stands(core->store))
		turn->failure = err;
}

/* What a failing store means to this caller: a fetch or a refusal that cannot be recorded does not happen. */
static enum err store_failure(const struct exchange *exchange, enum err err)
{
	bool is_storage = err == ERR_STORAGE || err == ERR_STORAGE_FULL;

	if (!is_storage)
		return err;
	if (exchange->duty == DUTY_CHANGE)
		return err;
	return ERR_AUDIT_UNAVAILABLE;
}

/* The rule for unknown methods: only those who have business here learn that a method does not exist. */
static enum err refuse_unknown(struct call *call, enum err parsed)
{
	if (parsed == ERR_UNKNOWN_METHOD && !core_is_known(call->core, call->who))
		return call_refuse(call, ERR_DENIED, "unknown method asked by a stranger", NULL);
	return call_refuse(call, parsed, call->request->detail != NULL ? call->request->detail : err_text(parsed),
		call->request->detail);
}

static enum err check_request(struct call *call, enum err parsed)
{
	const struct request_info *info = call->info;

	if (info == NULL)
		return refuse_unknown(call, parsed);
	if (info->state == STATE_OPEN && call->core->store == NULL)
		return call_refuse(call, ERR_SEALED, "the vault is sealed", NULL);
	if (info->right != RIGHT_GRANTED && !policy_allows(info->right, call->roles))
		return call_refuse(call, ERR_DENIED, "no role gives this right", NULL); /* P2 */
	if (parsed != OK)
		return refuse_unknown(call, parsed);
	return OK;
}

static enum err run_handler(struct call *call)
{
	bool is_repeated = false;
	enum err err = OK;

	if (call->info->duty == DUTY_CHANGE)
		err = results_find(call, &is_repeated);
	if (err != OK)
		return err;
	if (is_repeated) {
		snprintf(call->record.detail, sizeof(call->record.detail), "repeated request_id, first result");
		return OK;
	}
	err = handlers[call->request->kind](call);
	if (err == OK && buf_failed(&call->result))
		return ERR_INTERNAL;
	if (err == OK && call->result.len > REPLY_BYTES_MAX)
		return call_refuse(call, ERR_TOO_LARGE, "the reply is too large", "the reply is too large; ask for less");
	if (err == OK && call->info->duty == DUTY_CHANGE)
		err = results_keep(call);
	return err;
}

/* The record of something done, in the transaction of its effect (P4). */
static enum err record_success(struct call *call)
{
	if (call->info->duty == DUTY_READ)
		return OK;
	snprintf(call->record.outcome, sizeof(call->record.outcome), "ok");
	return trail_append(call->core, &call->record);
}

/* The record of a refusal, when the request's own effects are gone (P4). */
static enum err record_refusal(struct call *call, enum err refused)
{
	struct core *core = call->core;

	if (core->store == NULL) {
		log_notice("refused uid %u: %s: %s", call->who->uid, call->record.kind, err_word(refused));
		return OK;
	}

	enum err err = begin_turn(core);

	if (err == OK)
		err = store_savepoint(core->store);
	if (err != OK)
		return err;

	struct chain before = core->chain;

	err = trail_refuse(core, &call->record, refused);
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

/* Runs the request inside its savepoint: wholly done and recorded, or nothing of it happened. */
static enum err perform(struct call *call)
{
	struct core *core = call->core;
	struct chain before = core->chain;
	bool needs_store = call->info->state == STATE_OPEN;
	enum err err = core->store != NULL ? begin_turn(core) : OK;

	if (core->store == NULL || (err != OK && !needs_store))
		return run_handler(call);
	if (err == OK)
		err = store_savepoint(core->store);
	if (err != OK)
		return err;
	err = run_handler(call);
	if (err == OK)
		err = record_success(call);
	if (err == OK)
		return store_release(core->store);
	core->chain = before;
	if (store_stands(core->store)) {
		enum err rolled_back = store_rollback_request(core->store);

		if (rolled_back != OK)
			return rolled_back;
	}
	return err;
}

static void enqueue(struct turn *turn, struct exchange *exchange)
{
	exchange->next = NULL;
	if (turn->last != NULL)
		turn->last->next = exchange;
	else
		turn->first = exchange;
	turn->last = exchange;
}

static void prepare_call(struct call *call, struct core *core, struct exchange *exchange)
{
	call->core = core;
	call->exchange = exchange;
	call->who = exchange->principal;
	call->roles = policy_roles(core->roles, exchange->principal);
	call->request = &core->request;
	call->now_ms = clock_wall_ms();
	call->w = json_writer(&call->result);
	trail_describe(&call->record, call->who, call->now_ms);
	snprintf(call->record.kind, sizeof(call->record.kind), "line");
	exchange->reply = (struct reply){0};
	exchange->err = OK;
	exchange->duty = DUTY_READ;
	exchange->id_len = (size_t)snprintf(exchange->id, sizeof(exchange->id), "null");
}

/* Records the refusal and prepares its reply; when even the record fails, that is the answer. */
static void refuse(struct call *call, enum err err)
{
	check_turn(call->core, err);

	enum err told = store_failure(call->exchange, err);

	if (call->exchange->duty == DUTY_FETCH)
		call->record.subject = (struct record_subject){0}; /* nothing of what was opened goes out */

	enum err recorded = record_refusal(call, told);

	if (recorded != OK) {
		check_turn(call->core, recorded);
		if (told != ERR_STORAGE && told != ERR_STORAGE_FULL)
			told = ERR_AUDIT_UNAVAILABLE;
	}
	call->exchange->err = told;
	reply_with_error(call->exchange, told, told == err ? call->detail : NULL, call->retry_after_ms);
}

static void finish_call(struct call *call, enum err err)
{
	struct core *core = call->core;

	if (err != OK) {
		pool_give(core->replies, &call->secret_block);
		refuse(call, err);
	} else if (call->secret_block.bytes != NULL) {
		reply_with_secret(call);
	} else {
		reply_with_result(call);
	}
	if (err == OK && call->must_checkpoint) {
		core->turn.must_checkpoint = true;
		call->exchange->needs_checkpoint = true;
	}
	buf_clear(&call->result);
	enqueue(&core->turn, call->exchange);
}

static bool carried_a_value(const struct call *call)
{
	return call->core->arena.used > 0 || request_has(call->request, FIELD_VALUE);
}

void turn_handle(struct turn *turn, struct exchange *exchange, char *line, size_t len)
{
	struct core *core = turn_core(turn);
	struct call call = {0};

	prepare_call(&call, core, exchange);

	enum err err = request_parse(line, len, &core->request);

	memcpy(exchange->id, core->request.id, core->request.id_len);
	exchange->id_len = core->request.id_len;
	if (core->request.has_kind) {
		call.info = request_info(core->request.kind);
		exchange->duty = call.info->duty;
		snprintf(call.record.kind, sizeof(call.record.kind), "%s", call.info->method);
	}
	err = check_request(&call, err);
	if (err == OK)
		err = perform(&call);
	finish_call(&call, err);

	/* P1: nothing of the request outlives it but the reply's locked block. */
	bool must_scrub = carried_a_value(&call);

	arena_wipe(&core->arena);
	wipe(line, len);
	if (must_scrub)
		scrub_registers_and_stack();
}

void turn_refuse(struct turn *turn, struct exchange *exchange, enum err err, const char *detail)
{
	struct core *core = turn_core(turn);
	struct call call = {0};

	prepare_call(&call, core, exchange);
	finish_call(&call, call_refuse(&call, err, detail != NULL ? detail : err_text(err), detail));
}

/* ---- the end of the turn ---- */

bool turn_is_open(const struct turn *turn)
{
	return turn->first != NULL || turn->has_begun;
}

/* Whatever was prepared and is not durable is taken back and replaced by the error (P4, P5). */
static void take_back(struct core *core, struct exchange *exchange, enum err err)
{
	if (exchange->duty == DUTY_READ && exchange->err == OK)
		return; /* it promised nothing */

	bool must_close = exchange->reply.must_close;
	enum err told = exchange->err == OK ? store_failure(exchange, err) : ERR_AUDIT_UNAVAILABLE;

	reply_clear(core, &exchange->reply);
	exchange->err = told;
	exchange->reply.must_close = must_close;
	reply_with_error(exchange, told, NULL, 0);
}

/* The reply to a revoke leaves only after the log no longer holds the ciphertext (P10). */
static void checkpoint(struct core *core, struct exchange *first)
{
	enum err err = store_checkpoint(core->store);

	if (err == OK)
		return;
	log_error("the write-ahead log could not be folded after a revoke: %s", err_word(err));
	for (struct exchange *exchange = first; exchange != NULL; exchange = exchange->next)
		if (exchange->needs_checkpoint)
			take_back(core, exchange, err);
}

static void on_durable(void *arg, enum err err)
{
	struct core *core = arg;
	struct turn *turn = &core->turn;
	struct exchange *first = turn->first;
	bool must_checkpoint = turn->must_checkpoint;

	if (err != OK) {
		core->chain = turn->chain_before;
		log_error("nothing of this turn was stored: %s", err_word(err));
		for (struct exchange *exchange = first; exchange != NULL; exchange = exchange->next)
			take_back(core, exchange, err);
	}
	*turn = (struct turn){0};
	if (err == OK && must_checkpoint)
		checkpoint(core, first);
	for (struct exchange *exchange = first, *next = NULL; exchange != NULL; exchange = next) {
		next = exchange->next;
		exchange->next = NULL;
		exchange->needs_checkpoint = false;
		exchange->deliver(exchange);
	}
	if (core->store != NULL && store_is_broken(core->store) && core->broken != NULL)
		core->broken(core->broken_arg);
}

void turn_end(struct turn *turn)
{
	struct core *core = turn_core(turn);

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

/* ---- what net asks ---- */

static enum err on_any_grant(void *arg, const struct store_grant *grant)
{
	const struct principal *who = arg;
	struct grant_rule rule = {grant->has_uid, grant->uid, grant->has_gid, grant->gid, grant->unit};
	const char *reason = NULL;

	return policy_grant_matches(&rule, who, &reason) ? ERR_CONFLICT : OK; /* any error ends the search */
}

bool core_is_known(struct core *core, const struct principal *principal)
{
	if (policy_roles(core->roles, principal) != 0)
		return true;
	if (core->store == NULL)
		return false;
	return store_grant_for_uid(core->store, principal->uid, on_any_grant, (void *)(uintptr_t)principal) == ERR_CONFLICT;
}

bool core_is_privileged(struct core *core, const struct principal *principal)
{
	return (policy_roles(core->roles, principal) & ROLE_ADMIN) != 0;
}

void core_note_undelivered(struct core *core, const struct principal *principal)
{
	struct record record = {0};

	core->undelivered++;
	trail_describe(&record, principal, clock_wall_ms());
	snprintf(record.kind, sizeof(record.kind), "env.fetch");
	snprintf(record.outcome, sizeof(record.outcome), "undelivered");
	snprintf(record.detail, sizeof(record.detail), "the process that connected ended before the reply");
	if (core->store == NULL || begin_turn(core) != OK)
		return;

	enum err err = trail_append(core, &record);

	if (err != OK) {
		check_turn(core, err);
		log_error("an undelivered fetch could not be recorded: %s", err_word(err));
	}
}
