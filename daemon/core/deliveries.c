/*
 * A credential of a unit, asked for by the service manager: it has no line and no role, and goes the way of a request all the
 * same.  The default answer is no (P2), and it is recorded before anything leaves (P4).
 */
#include "handler.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "envelope.h"

static const struct request_info delivery_info = {
	.method = "credential.deliver", .right = RIGHT_GRANTED, .state = STATE_OPEN, .duty = DUTY_FETCH};

/* The record speaks of the unit that asks, not of the process of the service manager that asks for it. */
static void describe(struct call *call, const struct delivery *delivery)
{
	struct record *record = &call->record;

	call->info = &delivery_info;
	call->exchange->delivery = delivery;
	call->exchange->duty = DUTY_FETCH;
	call->exchange->saw_store = true;
	snprintf(record->kind, sizeof(record->kind), "%s", delivery_info.method);
	snprintf(record->unit, sizeof(record->unit), "%s", delivery->unit);
}

static enum err deliver(struct call *call)
{
	return call_refuse(call, ERR_DENIED, "no grant of a unit alone matches", NULL);
}

void turn_deliver(struct turn *turn, struct exchange *exchange, const struct delivery *delivery)
{
	struct core *core = turn_core(turn);
	struct call call = {0};

	dispatch_begin(&call, core, exchange);
	describe(&call, delivery);

	enum err err = core->store == NULL ? seal_refuse(&call) : dispatch_perform(&call, deliver);

	dispatch_finish(&call, err);
	if (exchange->err != OK)
		deliveries_log_refusal(core, exchange, call.record.detail);
	arena_wipe(&core->arena);
	scrub_registers_and_stack(); /* P1 */
}
