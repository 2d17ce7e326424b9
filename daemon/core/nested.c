/*
 * A request inside a request.  It goes the same way as any other: parsed, its right asked, its handler run, its record
 * written into the transaction of its effect (P4).  The line's own step in the store makes it all or nothing; what a refusal
 * means for the outer request, and its record, are the outer handler's business.
 */
#include "nested.h"

#include <stdio.h>
#include <string.h>

static bool takes_a_value(const struct request_info *info)
{
	for (size_t i = 0; i < info->field_count; i++)
		if (info->fields[i].field == FIELD_VALUE)
			return true;
	return false;
}

/* What shows or carries values, or belongs to the very process that asks, cannot be done for somebody else (P3). */
static enum err check_kind(struct call *call)
{
	const struct request_info *info = call->info;

	if (info->duty != DUTY_CHANGE || info->right == RIGHT_GRANTED || info->right == RIGHT_ANYONE ||
		(call->request->kind == REQUEST_TOKEN_CREATE && call->approved == NULL) ||
		takes_a_value(info))
		return call_refuse(call, ERR_UNSUPPORTED, "this method does not run inside another",
			"this method cannot be part of another request");
	if (request_has(call->request, FIELD_REQUEST_ID))
		return call_refuse(call, ERR_UNSUPPORTED, "a request inside another has a request_id",
			"a request inside another has no request_id of its own");
	return OK;
}

/* An answer that is shown once is for whoever asks, not for somebody who runs it for them (P1). */
static enum err refuse_secret(struct call *call)
{
	pool_give(call->core->replies, &call->secret_block);
	return call_refuse(call, ERR_UNSUPPORTED, "its answer is a secret",
		"the answer to this method is shown once, and cannot be part of another request");
}

static struct call begin(struct call *outer, const struct nested *nested)
{
	struct core *core = outer->core;
	struct principal *who = nested->who != NULL ? nested->who : outer->who;
	struct call call = {.core = core,
		.exchange = outer->exchange,
		.who = who,
		.roles = policy_roles(core->roles, who),
		.request = &core->inner_request,
		.subject = core->inner_subject,
		.now_ms = outer->now_ms,
		.is_nested = true,
		.approved = nested->approved};

	trail_describe(&call.record, who, call.now_ms);
	return call;
}

static enum err run(struct call *call, const struct nested *nested)
{
	enum err err = check_kind(call);

	if (err == OK && nested->check != NULL)
		err = nested->check(call, nested->check_arg);
	if (err == OK)
		err = dispatch_handle(call);
	if (err == OK && call->secret_block.bytes != NULL)
		err = refuse_secret(call);
	if (err == OK && nested->request_id != NULL)
		err = results_keep_as(call, nested->request_id);
	if (err == OK && call->approved != NULL)
		call_subject(call, "approved_by=%u approval=%llu", call->approved->by,
			(unsigned long long)call->approved->request);
	return err == OK ? dispatch_record(call) : err;
}

/* In its own step: done and recorded, or nothing of it happened. */
static enum err perform(struct call *call, const struct nested *nested)
{
	struct core *core = call->core;
	struct call_mark mark = call_mark(core);
	enum err err = store_step(core->store);

	if (err != OK)
		return err;
	err = run(call, nested);
	if (err == OK)
		return store_step_release(core->store);
	call_take_back(core, &mark);
	if (store_stands(core->store)) {
		enum err rolled_back = store_step_rollback(core->store);

		if (rolled_back != OK)
			return rolled_back;
	}
	return err;
}

static void tell(struct nested *nested, struct call *call)
{
	const char *detail = call->detail != NULL ? call->detail : "";

	snprintf(nested->reason, sizeof(nested->reason), "%s", call->record.detail);
	snprintf(nested->detail, sizeof(nested->detail), "%s", detail);
	nested->error_data = call->error_data;
	nested->retry_after_ms = call->retry_after_ms;
	buf_clear(&call->result);
}

enum err nested_perform(struct call *outer, struct nested *nested)
{
	struct core *core = outer->core;
	struct call call = begin(outer, nested);
	size_t used = core->arena.used;

	if (outer->is_nested)
		return ERR_INTERNAL;
	call.w = json_writer(&call.result);

	enum err err = dispatch_check(&call, request_parse(nested->line, nested->len, &core->inner_request));

	if (err == OK)
		err = perform(&call, nested);
	if (err != OK) {
		tell(nested, &call);
	} else {
		nested->result = call.result;
		outer->must_checkpoint = outer->must_checkpoint || call.must_checkpoint;
		buf_clear(&call.error_data);
	}
	arena_rewind(&core->arena, used); /* a long queue has room as well */
	return err;
}

void nested_clear(struct nested *nested)
{
	buf_clear(&nested->result);
	buf_clear(&nested->error_data);
}
