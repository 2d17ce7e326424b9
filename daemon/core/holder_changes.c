/*
 * What requests do to holdings: give, give again, release, forget.  It is taken back with the request or its turn (P5), so
 * each change leaves behind what the holding was before.
 */
#include "holders.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "secret_rows.h"

/* ---- what the running turn did ---- */

struct pending *holders_add_pending(struct holders *holders)
{
	if (holders->pending_count == holders->pending_cap) {
		size_t cap = holders->pending_cap == 0 ? 64 : 2 * holders->pending_cap;
		struct pending *pending = reallocarray(holders->pending, cap, sizeof(*pending));

		if (pending == NULL)
			return NULL;
		holders->pending = pending;
		holders->pending_cap = cap;
	}

	struct pending *pending = &holders->pending[holders->pending_count++];

	*pending = (struct pending){0};
	return pending;
}

static struct pending *add_pending(struct holders *holders, struct holding *holding)
{
	struct pending *pending = holders_add_pending(holders);

	if (pending == NULL)
		return NULL;
	pending->holding = holding;
	pending->was_runs = holding->runs;
	pending->was_repeated = holding->is_repeated;
	pending->was_first_released = holding->is_first_released;
	return pending;
}

static void drop_holding(struct core *core, struct holding *holding)
{
	struct holder *holder = holding->holder;

	holding_remove(core, holding);
	if (TAILQ_EMPTY(&holder->holdings))
		holder_drop(core, holder);
}

size_t holders_mark(const struct core *core)
{
	return core->holders == NULL ? 0 : core->holders->pending_count;
}

void holders_take_back(struct core *core, size_t mark)
{
	struct holders *holders = core->holders;

	while (holders != NULL && holders->pending_count > mark) {
		struct pending *pending = &holders->pending[--holders->pending_count];
		struct holding *holding = pending->holding;

		if (holding == NULL) {
			holder_unit_take_back(core, pending);
			continue;
		}
		if (pending->is_new) {
			drop_holding(core, holding);
			continue;
		}
		holding->runs = pending->was_runs;
		holding->is_repeated = pending->was_repeated;
		holding->is_first_released = pending->was_first_released;
	}
}

void holders_keep(struct core *core)
{
	struct holders *holders = core->holders;

	for (size_t i = 0; holders != NULL && i < holders->pending_count; i++) {
		struct pending *pending = &holders->pending[i];

		if (pending->holding == NULL)
			holder_unit_keep(pending);
		else if (pending->is_last)
			drop_holding(core, pending->holding);
	}
	if (holders != NULL)
		holders->pending_count = 0;
}

/* ---- a fetch ---- */

/* The process that asks, with a descriptor of its own in here: the connection may be gone long before it. */
static enum err hold_caller(struct call *call, struct holder **out)
{
	struct process process = {0};
	int pidfd = -1;

	if (process_describe(call->who, &process) != OK)
		return call_refuse(call, ERR_DENIED, "the process that connected has ended", NULL); /* P9 */
	pidfd = fcntl(call->who->pidfd, F_DUPFD_CLOEXEC, 3);
	*out = pidfd < 0 ? NULL : holder_new(call->core, &process, call->who->uid, pidfd);
	if (*out != NULL)
		return OK;
	if (pidfd >= 0)
		close(pidfd);
	return call_refuse(call, ERR_BUSY, "no descriptor or memory to remember the holder", NULL);
}

static enum err find_holder(struct call *call, struct holder **out)
{
	bool is_proven = call->who->is_pid_proven && call->who->pidfd >= 0;

	*out = is_proven ? holders_of_caller(call->core, call->who)
			 : holder_unknown(call->core, call->who->uid, HOLDER_UNPROVEN_PID);
	if (*out != NULL)
		return OK;
	if (is_proven)
		return hold_caller(call, out);

	struct process unproven = {.pid = HOLDER_UNPROVEN_PID};

	*out = holder_new(call->core, &unproven, call->who->uid, -1);
	return *out != NULL ? OK : ERR_INTERNAL;
}

static void describe_run(const struct holder *holder, struct store_run *run)
{
	bool lives = holder->state == HOLDER_LIVES;

	run->state = lives ? RUN_HELD : RUN_UNKNOWN;
	run->start_ticks = holder->start_ticks;
	run->given_ticks = process_now_ticks();
	run->boot = lives ? process_boot() : "";
	run->exe = holder->exe;
	run->invocation = holder->invocation;
	run->cgroup = holder->cgroup;
	run->cgroup_id = holder->cgroup_id;
	run->end_status = RUN_STATUS_UNKNOWN;
}

/* The same versions for the same process: its first run stands for all of them, and this one costs a row and no more. */
static enum err give_again(struct call *call, struct holding *holding, struct store_run *run)
{
	struct store_run first = {.no = holding->run_no,
		.state = run->state,
		.is_repeated = true,
		.end_status = RUN_STATUS_UNKNOWN};
	bool was_repeated = holding->is_repeated;

	if (add_pending(call->core->holders, holding) == NULL)
		return ERR_INTERNAL;
	holding->runs += holding->runs != HOLDING_RUNS_UNKNOWN;
	holding->is_repeated = true;
	run->state = RUN_AGAIN;

	enum err err = was_repeated ? OK : store_run_set(call->core->store, &first);

	return err == OK ? store_run_insert(call->core->store, run) : err;
}

static enum err give_first(struct call *call, const struct integration *integration, struct holder *holder,
	struct store_run *run)
{
	if (!holders_have_room(call->core, holder))
		holders_poll(call->core); /* somebody may have ended in this very turn */
	if (!holders_have_room(call->core, holder))
		return call_refuse(call, ERR_BUSY, "limit of holders",
			"processes of this user hold too much already; see [limits] holders");

	struct holding *holding = holding_new(call->core, holder, run, integration->name);

	if (holding == NULL)
		return ERR_INTERNAL;

	struct pending *pending = add_pending(call->core->holders, holding);

	if (pending == NULL) {
		holding_remove(call->core, holding);
		return ERR_INTERNAL;
	}
	pending->is_new = true;

	enum err err = store_run_insert(call->core->store, run);

	holding->run_no = run->no;
	return err;
}

enum err holders_give(struct call *call, const struct integration *integration, struct store_run *run)
{
	struct holder *holder = NULL;
	enum err err = find_holder(call, &holder);

	if (err != OK)
		return err;
	describe_run(holder, run);

	struct holding *same = holding_same(holder, run);

	err = same != NULL ? give_again(call, same, run) : give_first(call, integration, holder, run);
	if (err != OK && TAILQ_EMPTY(&holder->holdings))
		holder_drop(call->core, holder);
	return err;
}

enum err holders_release(struct call *call, struct holding *holding, uint64_t run_no)
{
	struct pending *pending = add_pending(call->core->holders, holding);

	if (pending == NULL)
		return ERR_INTERNAL;
	if (run_no == holding->run_no)
		holding->is_first_released = true;
	holding->runs -= holding->runs != HOLDING_RUNS_UNKNOWN;
	pending->is_last = holding->runs == 0;
	return OK;
}

/* ---- revoked for good ---- */

static enum err is_any_left(struct call *call, const struct holding *holding, bool *is_left_out)
{
	*is_left_out = false;
	for (size_t i = 0; i < holding->version_count && !*is_left_out; i++) {
		enum err err = secrets_is_live(call, holding->integration_id, holding->versions[i].key,
			holding->versions[i].version, is_left_out);

		if (err != OK)
			return err;
	}
	return OK;
}

static enum err forget(struct call *call, struct holding *holding)
{
	struct store_run run = {.no = holding->run_no,
		.state = RUN_ENDED,
		.is_repeated = holding->is_repeated,
		.end_status = RUN_STATUS_UNKNOWN};

	struct pending *pending = add_pending(call->core->holders, holding);

	if (pending == NULL)
		return ERR_INTERNAL;
	holding->runs = 0;
	pending->is_last = true;
	return store_run_set(call->core->store, &run);
}

static enum err forget_of(struct call *call, const struct integration *integration, struct holder *holder)
{
	struct holding *holding = NULL;

	TAILQ_FOREACH(holding, &holder->holdings, of_holder)
	{
		bool is_left = holding->runs == 0 ||
			       memcmp(holding->integration_id, integration->id, STORE_ID_BYTES) != 0;
		enum err err = is_left ? OK : is_any_left(call, holding, &is_left);

		if (err == OK && !is_left)
			err = forget(call, holding);
		if (err != OK)
			return err;
	}
	return OK;
}

enum err holders_forget_revoked(struct call *call, const struct integration *integration)
{
	struct holders *holders = call->core->holders;
	enum err err = OK;

	for (size_t i = 0; err == OK && i < sizeof(holders->buckets) / sizeof(holders->buckets[0]); i++) {
		struct holder *holder = NULL;

		LIST_FOREACH(holder, &holders->buckets[i], by_pid)
		{
			if (err == OK && holder->state == HOLDER_UNKNOWN)
				err = forget_of(call, integration, holder);
		}
	}
	return err;
}
