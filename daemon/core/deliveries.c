/*
 * A credential of a unit, asked for by the service manager: it has no line and no role, and goes the way of a request all the
 * same.  The default answer is no (P2), and what is done is recorded before anything leaves (P4).
 */
#include "handler.h"

#include <stdio.h>
#include <string.h>

#include "env_open.h"
#include "envelope.h"
#include "holders.h"
#include "unit_credentials.h"

static const struct request_info delivery_info = {
	.method = DELIVERY_KIND, .right = RIGHT_GRANTED, .state = STATE_OPEN, .duty = DUTY_FETCH};

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

/* What the journal says beside the reason: the other integration, or the way out. */
static const char *word_hint(
	struct call *call, enum err err, const char *reason, const struct unit_credential *found)
{
	const char *unit = call->exchange->delivery->unit;
	char *text = call->detail_store;
	size_t cap = sizeof(call->detail_store);

	if (err == ERR_DENIED)
		snprintf(text, cap, "%s; coffer grant add INTEGRATION unit=%s", reason, unit);
	else if (err == ERR_CONFLICT)
		snprintf(text, cap, "%s: %s and %s", reason, found->integration, found->other);
	else
		return NULL;
	return text;
}

static enum err find(struct call *call, struct integration *integration, struct unit_credential *found)
{
	const struct delivery *delivery = call->exchange->delivery;
	const char *reason = NULL;
	enum err err = unit_credentials_find(call->core, delivery->unit, delivery->name, found, &reason);

	if (err != OK)
		return call_refuse(call, err, reason, word_hint(call, err, reason, found));
	err = integration_load(call, found->integration, integration);
	if (err == OK)
		err = env_check_open(call, integration);
	return err == OK ? env_check_rate(call, integration) : err;
}

/* The value as it is, in a locked block that is the whole reply (P1). */
static enum err write_value(struct call *call, const struct secret *value)
{
	enum err err = pool_take(call->core->replies, call->who->uid, value->len, &call->secret_block);

	if (err != OK)
		return call_refuse(call, err, "no locked memory for the value", NULL);
	memcpy(call->secret_block.bytes, value->bytes, value->len);
	call->secret_len = value->len;
	return OK;
}

/* A crash leaves connections behind, and nobody else remembers whether the value had left: one that comes back is not answered twice. */
static enum err note_delivery(struct call *call)
{
	struct store_delivery delivery = {
		.id = call->exchange->delivery->id, .time_ms = call->now_ms, .run = call->record.run};
	enum err err = store_delivery_insert(call->core->store, &delivery);

	return err == ERR_CONFLICT
		       ? call_refuse(call, err,
				 "the value may have left already; the unit must be started anew", NULL)
		       : err;
}

static enum err deliver(struct call *call)
{
	struct integration integration = {0};
	struct unit_credential found = {0};
	struct store_run_version versions[ENV_KEYS_MAX] = {0};
	enum err err = find(call, &integration, &found);
	struct env_opening *opening = err == OK ? env_opening_new(call, &integration, ENV_CURRENT) : NULL;

	if (err != OK)
		return err;
	if (opening == NULL)
		return ERR_INTERNAL;
	opening->only = found.key;
	err = env_open(opening);
	if (err != OK)
		return err;

	struct store_run run = env_run(opening, versions);

	snprintf(call->record.key, sizeof(call->record.key), "%s", found.key);
	call->record.version = opening->items[0].version;
	call->record.object = found.grant;
	call->is_key_known = true;
	call_subject_text(call, "credential", call->exchange->delivery->name);
	err = note_delivery(call);
	if (err == OK)
		err = holders_give_unit(call, &integration, &run);
	return err == OK ? write_value(call, &opening->items[0].value) : err;
}

/* The journal is root's, who may know why. */
static enum err refuse_sealed(struct call *call)
{
	const struct core_seal *seal = &call->core->seal;
	enum err err = seal_refuse(call);

	snprintf(call->detail_store, sizeof(call->detail_store), "the vault is sealed%s%s%s%s",
		seal->reason != NULL ? ": " : "", seal->reason != NULL ? seal->reason : "",
		seal->mend != NULL ? "; " : "", seal->mend != NULL ? seal->mend : "");
	call->detail = call->detail_store;
	return err;
}

/* A store that failed has left no reason. */
static const char *why_refused(const struct call *call)
{
	if (call->detail != NULL)
		return call->detail;
	return call->record.detail[0] != '\0' ? call->record.detail : err_text(call->exchange->err);
}

/* P9: the record's unit is the kernel's word, and the claim is a claim. */
void turn_refuse_delivery(struct turn *turn, struct exchange *exchange, const struct delivery *claim,
	enum err err, const char *reason)
{
	struct core *core = turn_core(turn);
	struct call call = {0};

	dispatch_begin(&call, core, exchange);
	describe(&call, claim);
	snprintf(call.record.unit, sizeof(call.record.unit), "%s", exchange->principal->unit);
	dispatch_finish(&call, call_refuse(&call, err, reason, NULL));
	deliveries_log_refusal(core, exchange, "", reason);
}

void turn_deliver(struct turn *turn, struct exchange *exchange, const struct delivery *delivery)
{
	struct core *core = turn_core(turn);
	struct call call = {0};

	core->request = (struct request){0}; /* what the one before asked for is not asked for now */
	dispatch_begin(&call, core, exchange);
	describe(&call, delivery);

	enum err err = core->store == NULL ? refuse_sealed(&call) : dispatch_perform(&call, deliver);

	dispatch_finish(&call, err);
	if (exchange->err != OK)
		deliveries_log_refusal(core, exchange, call.record.integration, why_refused(&call));
	arena_wipe(&core->arena);
	scrub_registers_and_stack(); /* P1 */
}
