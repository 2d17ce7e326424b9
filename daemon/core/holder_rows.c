/*
 * The rows behind the holders, so that a restart, also after a kill, finds them again: by pid, start time and boot.  What
 * cannot be proven either way is shown as unknown, never as gone.  What the kernel said about an end is written in the next
 * turn; until then it is true in memory, and a failed commit writes it again.
 */
#include "holders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

enum { STATUS_WAIT_MS = 10000 };

/* ---- finding again ---- */

struct loading {
	struct core *core;
	uint64_t *again; /* numbers of runs that another one stands for */
	size_t again_count;
	size_t again_cap;
};

/* The process of this run, from an earlier run or as it is found now. */
static struct holder *find_process(struct core *core, const struct store_run *run)
{
	struct process process = {
		.pid = run->pid, .start_ticks = run->start_ticks, .cgroup_id = run->cgroup_id};
	struct holder *holder = NULL;
	int pidfd = -1;

	LIST_FOREACH(holder, &core->holders->buckets[(size_t)run->pid % 1024], by_pid)
	{
		if (holder->state == HOLDER_LIVES && holder->pid == run->pid && holder->uid == run->uid &&
			holder->start_ticks == run->start_ticks)
			return holder;
	}

	enum process_state state = process_find(run->pid, run->start_ticks, run->boot, &pidfd);

	if (state == PROCESS_UNKNOWN) {
		holder = holder_unknown(core, run->uid, run->boot[0] == '\0' ? 0 : run->pid);
		process.pid = run->boot[0] == '\0' ? 0 : run->pid;
	}
	if (holder != NULL)
		return holder;
	snprintf(process.exe, sizeof(process.exe), "%s", run->exe);
	snprintf(process.unit, sizeof(process.unit), "%s", run->unit);
	snprintf(process.invocation, sizeof(process.invocation), "%s", run->invocation);
	snprintf(process.cgroup, sizeof(process.cgroup), "%s", run->cgroup);
	holder = holder_new(core, &process, run->uid, pidfd);
	if (holder == NULL && pidfd >= 0)
		close(pidfd);
	if (holder != NULL && state == PROCESS_ENDED)
		holders_end(core, holder, clock_wall_ms());
	return holder;
}

static bool note_again(struct loading *loading, uint64_t no)
{
	if (loading->again_count == loading->again_cap) {
		size_t cap = loading->again_cap == 0 ? 64 : 2 * loading->again_cap;
		uint64_t *again = reallocarray(loading->again, cap, sizeof(*again));

		if (again == NULL)
			return false;
		loading->again = again;
		loading->again_cap = cap;
	}
	loading->again[loading->again_count++] = no;
	return true;
}

static enum err on_held(void *arg, const struct store_run *run)
{
	struct loading *loading = arg;
	struct holder *holder = find_process(loading->core, run);
	struct holding *same = holder == NULL ? NULL : holding_same(holder, run);
	char name[INTEGRATION_NAME_BYTES_MAX + 1] = "";

	if (holder == NULL)
		return ERR_INTERNAL;
	if (same != NULL) {
		same->runs = HOLDING_RUNS_UNKNOWN;
		return note_again(loading, run->no) ? OK : ERR_INTERNAL;
	}

	enum err err = store_integration_name(loading->core->store, run->integration_id, name);

	if (err != OK && err != ERR_NOT_FOUND)
		return err;

	struct holding *holding = holding_new(loading->core, holder, run, name);

	if (holding == NULL)
		return ERR_INTERNAL;
	holding->is_repeated = run->is_repeated;
	if (run->is_repeated)
		holding->runs = HOLDING_RUNS_UNKNOWN;
	if (holder->state == HOLDER_ENDED)
		holder_units_leave(loading->core, holding, false);
	return OK;
}

/* Of another boot: nobody is left.  Else whether somebody is shows at the next tick. */
static enum err on_unit(void *arg, const struct store_unit_holder *row)
{
	struct core *core = arg;
	struct unit_holding *unit = calloc(1, sizeof(*unit));

	if (unit == NULL)
		return ERR_INTERNAL;
	memcpy(unit->integration_id, row->integration_id, sizeof(unit->integration_id));
	snprintf(unit->version.key, sizeof(unit->version.key), "%s", row->key);
	unit->version.version = row->version;
	unit->unit = strdup(row->unit);
	unit->invocation = strdup(row->invocation);
	unit->cgroup = strdup(row->cgroup);
	unit->cgroup_id = row->cgroup_id;
	unit->given_ms = row->given_ms;
	unit->given_ticks = row->given_ticks;
	unit->is_any_parent = row->is_any_parent;
	unit->state = strcmp(row->boot, process_boot()) == 0 ? UNIT_STORED : UNIT_GONE;
	unit->boot = strdup(row->boot);
	TAILQ_INSERT_TAIL(&core->holders->units, unit, all);
	if (unit->unit == NULL || unit->invocation == NULL || unit->cgroup == NULL || unit->boot == NULL)
		return ERR_INTERNAL;

	enum err err = store_integration_name(core->store, row->integration_id, unit->integration);

	return err == ERR_NOT_FOUND ? OK : err;
}

static enum err set_again(struct loading *loading)
{
	enum err err = loading->again_count == 0 ? OK : store_begin(loading->core->store);
	enum err committed = OK;

	if (loading->again_count == 0 || err != OK)
		return err;
	for (size_t i = 0; err == OK && i < loading->again_count; i++) {
		struct store_run run = {
			.no = loading->again[i], .state = RUN_AGAIN, .end_status = RUN_STATUS_UNKNOWN};

		err = store_run_set(loading->core->store, &run);
	}
	if (err == OK)
		store_commit(loading->core->store, core_on_own_commit, &committed);
	else
		store_abort(loading->core->store);
	return err == OK ? committed : err;
}

enum err holders_load(struct core *core)
{
	struct loading loading = {.core = core};
	enum err err = store_run_held(core->store, on_held, &loading);

	if (err == OK)
		err = store_unit_holder_each(core->store, on_unit, core);
	if (err == OK)
		err = set_again(&loading);
	free(loading.again);
	return err;
}

/* ---- writing ---- */

bool holders_are_dirty(const struct core *core)
{
	const struct holder *holder = NULL;
	const struct unit_holding *unit = NULL;

	if (core->holders == NULL)
		return false;
	TAILQ_FOREACH(holder, &core->holders->ended, ended)
	{
		if (holder->is_dirty)
			return true;
	}
	TAILQ_FOREACH(unit, &core->holders->units, all)
	{
		if (unit->state != UNIT_STORED)
			return true;
	}
	return false;
}

static enum err store_end(struct core *core, struct holder *holder)
{
	struct holding *holding = NULL;

	TAILQ_FOREACH(holding, &holder->holdings, of_holder)
	{
		struct store_run run = {.no = holding->run_no,
			.state = RUN_ENDED,
			.is_repeated = holding->is_repeated,
			.end_ms = holder->end_ms,
			.end_status = holder->end_status};
		enum err err = store_run_set(core->store, &run);

		if (err != OK)
			return err;
	}
	holder->is_storing = true;
	holder->is_dirty = false;
	return OK;
}

struct store_unit_holder holder_unit_row(const struct unit_holding *unit)
{
	struct store_unit_holder row = {.key = unit->version.key,
		.version = unit->version.version,
		.cgroup_id = unit->cgroup_id,
		.boot = unit->boot,
		.unit = unit->unit,
		.invocation = unit->invocation,
		.cgroup = unit->cgroup,
		.given_ms = unit->given_ms,
		.given_ticks = unit->given_ticks,
		.is_any_parent = unit->is_any_parent};

	memcpy(row.integration_id, unit->integration_id, sizeof(row.integration_id));
	return row;
}

static enum err store_unit(struct core *core, struct unit_holding *unit)
{
	struct store_unit_holder row = holder_unit_row(unit);

	if (unit->state == UNIT_GONE) {
		unit->is_removing = true;
		return store_unit_holder_remove(core->store, &row);
	}
	unit->is_storing = true;
	unit->state = UNIT_STORED;
	return store_unit_holder_put(core->store, &row);
}

enum err holders_store(struct core *core)
{
	struct holder *holder = NULL;
	struct unit_holding *unit = NULL;
	enum err err = OK;

	TAILQ_FOREACH(holder, &core->holders->ended, ended)
	{
		if (err == OK && holder->is_dirty)
			err = store_end(core, holder);
	}
	TAILQ_FOREACH(unit, &core->holders->units, all)
	{
		if (err == OK && unit->state != UNIT_STORED)
			err = store_unit(core, unit);
	}
	return err;
}

static void end_stored(struct core *core, struct holder *holder, bool is_durable)
{
	bool was_storing = holder->is_storing;

	holder->is_storing = false;
	if (was_storing && !is_durable)
		holder->is_dirty = true;
	else if (was_storing && !holder->is_dirty && !holder->waits_for_status)
		holder_drop(core, holder);
}

static void unit_stored(struct core *core, struct unit_holding *unit, bool is_durable)
{
	if (unit->is_removing && is_durable) {
		TAILQ_REMOVE(&core->holders->units, unit, all);
		holder_unit_free(unit);
		return;
	}
	if (unit->is_storing && !is_durable && unit->state == UNIT_STORED)
		unit->state = UNIT_NEW;
	unit->is_storing = false;
	unit->is_removing = false;
}

void holders_stored(struct core *core, bool is_durable)
{
	struct holders *holders = core->holders;

	for (struct holder *holder = holders == NULL ? NULL : TAILQ_FIRST(&holders->ended), *next = NULL;
		holder != NULL; holder = next) {
		next = TAILQ_NEXT(holder, ended);
		end_stored(core, holder, is_durable);
	}
	for (struct unit_holding *unit = holders == NULL ? NULL : TAILQ_FIRST(&holders->units), *next = NULL;
		unit != NULL; unit = next) {
		next = TAILQ_NEXT(unit, all);
		unit_stored(core, unit, is_durable);
	}
}

/* A parent that does not wait for its child keeps its descriptor here no longer than this. */
void holders_tick(struct core *core, int64_t now_ms)
{
	struct holder *holder = NULL;

	holders_poll(core);
	holder_units_tick(core);
	TAILQ_FOREACH(holder, &core->holders->ended, ended)
	{
		if (holder->waits_for_status &&
			(now_ms - holder->end_ms > STATUS_WAIT_MS || now_ms < holder->end_ms)) {
			holder->waits_for_status = false;
			holder->is_dirty = true;
		}
	}
}
