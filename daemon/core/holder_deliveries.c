/*
 * What the service manager was given for a unit: its invocation holds it, from before the first process of it runs until it has
 * ended and its cgroup is empty.  The row that survives the daemon is written with the delivery, in one transaction.
 */
#include "holders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- where the unit lives ---- */

/* Its own, also while a process of the service manager asks from outside: then as it was when the unit got its first value. */
static bool find_place(const struct core *core, const char *unit, struct process *out)
{
	const struct unit_holding *known = NULL;

	if (out->cgroup[0] != '\0')
		return true;
	process_invocation(unit, out->invocation);
	TAILQ_FOREACH(known, &core->holders->units, all)
	{
		size_t size = strlen(known->cgroup) + 1; /* of a row: it may hold anything (P7) */

		if (known->given_ticks != 0 || out->invocation[0] == '\0' || size > sizeof(out->cgroup) ||
			strcmp(known->unit, unit) != 0 || strcmp(known->invocation, out->invocation) != 0)
			continue;
		memcpy(out->cgroup, known->cgroup, size);
		out->cgroup_id = known->cgroup_id;
		return out->cgroup[0] != '\0';
	}
	return false;
}

static enum err describe(struct call *call, struct process *out)
{
	const char *unit = call->exchange->delivery->unit;
	struct principal who = *call->who;

	snprintf(who.unit, sizeof(who.unit), "%s", unit);
	if (process_describe(&who, out) != OK)
		return call_refuse(call, ERR_DENIED, "the process that connected has ended", NULL); /* P9 */
	if (!find_place(call->core, unit, out))
		return call_refuse(call, ERR_DENIED,
			"the unit's cgroup cannot be seen, so nobody could tell how long it holds the value",
			NULL);
	return OK;
}

/* ---- giving ---- */

static enum err store_row(struct core *core, const struct unit_holding *unit)
{
	struct store_unit_holder row = holder_unit_row(unit);

	return store_unit_holder_put(core->store, &row);
}

/* From now on all that it says is of this invocation; what it said before stays with the pending change. */
static enum err change(struct unit_holding *unit, const struct process *process, int64_t now_ms)
{
	char *invocation = strdup(process->invocation);

	if (invocation == NULL)
		return ERR_INTERNAL;
	unit->invocation = invocation;
	unit->given_ms = now_ms;
	unit->given_ticks = 0;
	unit->is_any_parent = true;
	unit->state = UNIT_STORED;
	return OK;
}

static enum err give(struct call *call, const struct integration *integration,
	const struct held_version *version, const struct process *process)
{
	struct core *core = call->core;
	const struct holder_place place = {
		process->unit, process->invocation, process->cgroup, process->cgroup_id};
	struct unit_holding *unit = holder_units_find(core, integration->id, version, place.cgroup_id);
	bool is_new = unit == NULL;
	struct pending *pending = holders_add_pending(core->holders);

	if (pending == NULL)
		return ERR_INTERNAL;
	if (is_new)
		unit = holder_units_make(core, integration->id, integration->name, version, &place);
	if (unit == NULL) {
		core->holders->pending_count--;
		return ERR_INTERNAL;
	}
	pending->unit = unit;
	pending->is_new = is_new;
	pending->was_unit = *unit;

	enum err err = change(unit, process, call->now_ms);

	return err == OK ? store_row(core, unit) : err;
}

void holder_unit_take_back(struct core *core, struct pending *pending)
{
	struct unit_holding *unit = pending->unit;
	const struct unit_holding *was = &pending->was_unit;

	if (unit->invocation != was->invocation)
		free(unit->invocation);
	unit->invocation = was->invocation;
	unit->given_ms = was->given_ms;
	unit->given_ticks = was->given_ticks;
	unit->is_any_parent = was->is_any_parent;
	unit->state = was->state;
	if (!pending->is_new)
		return;
	TAILQ_REMOVE(&core->holders->units, unit, all);
	holder_unit_free(unit);
}

void holder_unit_keep(struct pending *pending)
{
	if (pending->unit->invocation != pending->was_unit.invocation)
		free(pending->was_unit.invocation);
}

static void describe_run(const struct process *process, struct store_run *run)
{
	/* The process that asked has passed it on to the unit: from the start it holds nothing. */
	run->state = RUN_RELEASED;
	run->given_ticks = process_now_ticks();
	run->boot = process_boot();
	run->exe = "";
	run->invocation = process->invocation;
	run->cgroup = process->cgroup;
	run->cgroup_id = process->cgroup_id;
	run->end_status = RUN_STATUS_UNKNOWN;
}

enum err holders_give_unit(struct call *call, const struct integration *integration, struct store_run *run)
{
	struct process process = {0};
	enum err err = describe(call, &process);

	if (err != OK)
		return err;
	describe_run(&process, run);
	for (size_t i = 0; err == OK && i < run->version_count; i++) {
		struct held_version version = {.version = run->versions[i].version};

		snprintf(version.key, sizeof(version.key), "%s", run->versions[i].key);
		err = give(call, integration, &version, &process);
	}
	return err == OK ? store_run_insert(call->core->store, run) : err;
}
