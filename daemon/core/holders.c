/*
 * The processes that were given versions, in memory.
 *
 * P9: a process is found again by its pid only while both its pidfd here and the caller's show a living one: then there is
 * one process of that number.  What a request changes here is taken back with the request or its turn (P5); what the
 * kernel says, that a process has ended, is never taken back, only stored again.
 */
#include "holders.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "secret_rows.h"

enum { UNPROVEN_PID = 0 };

struct uid_share {
	uint32_t uid;
	size_t count;
};

/* What one request of the running turn did to a holding. */
struct pending {
	struct holding *holding;
	bool is_new; /* made it; otherwise what it was before: */
	int64_t was_runs;
	bool was_repeated;
	bool was_first_released;
	bool is_last; /* left no run of it: it goes when this is durable, and nothing after this is the last again */
};

/* ---- life ---- */

enum err holders_new(struct holders **out)
{
	struct holders *holders = calloc(1, sizeof(*holders));

	if (holders == NULL)
		return ERR_INTERNAL;
	TAILQ_INIT(&holders->ended);
	TAILQ_INIT(&holders->units);
	if (process_watch_new(&holders->watch) != OK) {
		free(holders);
		return ERR_INTERNAL;
	}
	*out = holders;
	return OK;
}

static void free_holder(struct holder *holder)
{
	for (struct holding *holding = NULL; (holding = TAILQ_FIRST(&holder->holdings)) != NULL;) {
		TAILQ_REMOVE(&holder->holdings, holding, of_holder);
		free(holding);
	}
	if (holder->pidfd >= 0)
		close(holder->pidfd);
	free(holder->exe);
	free(holder->unit);
	free(holder->invocation);
	free(holder->cgroup);
	free(holder);
}

void holders_free(struct holders *holders)
{
	if (holders == NULL)
		return;
	for (size_t i = 0; i < sizeof(holders->buckets) / sizeof(holders->buckets[0]); i++)
		for (struct holder *holder = NULL; (holder = LIST_FIRST(&holders->buckets[i])) != NULL;) {
			LIST_REMOVE(holder, by_pid);
			free_holder(holder);
		}
	for (struct holder *holder = NULL; (holder = TAILQ_FIRST(&holders->ended)) != NULL;) {
		TAILQ_REMOVE(&holders->ended, holder, ended);
		free_holder(holder);
	}
	for (struct unit_holding *unit = NULL; (unit = TAILQ_FIRST(&holders->units)) != NULL;) {
		TAILQ_REMOVE(&holders->units, unit, all);
		holder_unit_free(unit);
	}
	process_watch_free(holders->watch);
	free(holders->pending);
	free(holders->shares);
	free(holders);
}

/* ---- how many of whom ---- */

static struct uid_share *find_share(const struct holders *holders, uint32_t uid)
{
	for (size_t i = 0; i < holders->share_count; i++)
		if (holders->shares[i].uid == uid)
			return &holders->shares[i];
	return NULL;
}

static bool take_share(struct holders *holders, uint32_t uid)
{
	struct uid_share *share = find_share(holders, uid);

	if (share == NULL && holders->share_count == holders->share_cap) {
		size_t cap = holders->share_cap == 0 ? 16 : 2 * holders->share_cap;
		struct uid_share *shares = reallocarray(holders->shares, cap, sizeof(*shares));

		if (shares == NULL)
			return false;
		holders->shares = shares;
		holders->share_cap = cap;
	}
	if (share == NULL) {
		share = &holders->shares[holders->share_count++];
		*share = (struct uid_share){.uid = uid};
	}
	share->count++;
	holders->holding_count++;
	return true;
}

static void give_share(struct holders *holders, uint32_t uid)
{
	struct uid_share *share = find_share(holders, uid);

	holders->holding_count--;
	if (--share->count == 0)
		*share = holders->shares[--holders->share_count];
}

/* P8: what one user's processes can make the daemon remember is bounded, whatever sets of keys they ask for. */
static bool has_room(const struct core *core, uint32_t uid)
{
	const struct uid_share *share = find_share(core->holders, uid);
	size_t most = (size_t)config_within_descriptors(core->limits).holders;

	return core->holders->holding_count < most && (share == NULL || share->count < most / 4);
}

/* ---- processes and what they hold ---- */

static struct holder_list *bucket_of(struct holders *holders, pid_t pid)
{
	size_t count = sizeof(holders->buckets) / sizeof(holders->buckets[0]);

	return &holders->buckets[(size_t)pid % count];
}

static bool copy_texts(struct holder *holder, const struct process *process)
{
	holder->exe = strdup(process->exe);
	holder->unit = strdup(process->unit);
	holder->invocation = strdup(process->invocation);
	holder->cgroup = strdup(process->cgroup);
	return holder->exe != NULL && holder->unit != NULL && holder->invocation != NULL &&
	       holder->cgroup != NULL;
}

struct holder *holder_new(struct core *core, const struct process *process, uint32_t uid, int pidfd)
{
	struct holder *holder = calloc(1, sizeof(*holder));

	if (holder == NULL)
		return NULL;
	TAILQ_INIT(&holder->holdings);
	holder->state = pidfd >= 0 ? HOLDER_LIVES : HOLDER_UNKNOWN;
	holder->pid = process->pid;
	holder->uid = uid;
	holder->pidfd = -1;
	holder->start_ticks = process->start_ticks;
	holder->cgroup_id = process->cgroup_id;
	holder->end_status = RUN_STATUS_UNKNOWN;
	if (!copy_texts(holder, process) ||
		(pidfd >= 0 && process_watch_add(core->holders->watch, pidfd, holder, false) != OK)) {
		free_holder(holder);
		return NULL;
	}
	core->holders->count++;
	holder->pidfd = pidfd;
	LIST_INSERT_HEAD(bucket_of(core->holders, holder->pid), holder, by_pid);
	return holder;
}

void holder_drop(struct core *core, struct holder *holder)
{
	struct holding *holding = NULL;

	if (holder->state == HOLDER_ENDED) {
		TAILQ_REMOVE(&core->holders->ended, holder, ended);
	} else {
		LIST_REMOVE(holder, by_pid);
		core->holders->count--;
	}
	TAILQ_FOREACH(holding, &holder->holdings, of_holder)
	{
		give_share(core->holders, holder->uid);
	}
	if (holder->pidfd >= 0)
		process_watch_remove(core->holders->watch, holder->pidfd);
	free_holder(holder);
}

struct holding *holding_new(
	struct core *core, struct holder *holder, const struct store_run *run, const char *integration)
{
	struct holding *holding =
		calloc(1, sizeof(*holding) + run->version_count * sizeof(holding->versions[0]));

	if (holding == NULL || !take_share(core->holders, holder->uid)) {
		free(holding);
		return NULL;
	}
	holding->holder = holder;
	holding->run_no = run->no;
	memcpy(holding->run, run->id, sizeof(holding->run));
	memcpy(holding->integration_id, run->integration_id, sizeof(holding->integration_id));
	snprintf(holding->integration, sizeof(holding->integration), "%s", integration);
	holding->is_staged = run->is_staged;
	holding->given_ms = run->time_ms;
	holding->given_ticks = run->given_ticks;
	holding->runs = 1;
	holding->version_count = run->version_count;
	for (size_t i = 0; i < run->version_count; i++) {
		snprintf(holding->versions[i].key, sizeof(holding->versions[i].key), "%s",
			run->versions[i].key);
		holding->versions[i].version = run->versions[i].version;
	}
	TAILQ_INSERT_TAIL(&holder->holdings, holding, of_holder);
	return holding;
}

static bool is_same_set(const struct holding *holding, const struct store_run *run)
{
	if (memcmp(holding->integration_id, run->integration_id, sizeof(holding->integration_id)) != 0 ||
		holding->is_staged != run->is_staged || holding->version_count != run->version_count)
		return false;
	for (size_t i = 0; i < run->version_count; i++)
		if (holding->versions[i].version != run->versions[i].version ||
			strcmp(holding->versions[i].key, run->versions[i].key) != 0)
			return false;
	return true;
}

struct holding *holding_same(struct holder *holder, const struct store_run *run)
{
	struct holding *holding = NULL;

	TAILQ_FOREACH(holding, &holder->holdings, of_holder)
	{
		if (holding->runs != 0 && is_same_set(holding, run))
			return holding;
	}
	return NULL;
}

struct holder *holder_unknown(struct core *core, uint32_t uid, pid_t pid)
{
	struct holder *holder = NULL;

	LIST_FOREACH(holder, bucket_of(core->holders, pid), by_pid)
	{
		if (holder->state == HOLDER_UNKNOWN && holder->pid == pid && holder->uid == uid)
			return holder;
	}
	return NULL;
}

struct holder *holders_of_caller(struct core *core, const struct principal *who)
{
	struct holder *holder = NULL;

	if (!who->is_pid_proven)
		return NULL;
	LIST_FOREACH(holder, bucket_of(core->holders, who->pid), by_pid)
	{
		/* P9: both live, so there is one process of this number; the caller is asked last. */
		if (holder->state == HOLDER_LIVES && holder->pid == who->pid &&
			!process_has_ended(holder->pidfd) && peer_is_alive(who))
			return holder;
	}
	return NULL;
}

/* P9: the caller lives after its start time was read, so that is the time of the process that asks. */
bool holders_is_own_run(struct call *call, const struct store_run *run)
{
	struct process caller = {0};

	return call->who->is_pid_proven && run->uid == call->who->uid && run->pid == call->who->pid &&
	       strcmp(run->boot, process_boot()) == 0 && process_describe(call->who, &caller) == OK &&
	       caller.start_ticks != 0 && caller.start_ticks == run->start_ticks;
}

/* ---- what the running turn did ---- */

static struct pending *add_pending(struct holders *holders, struct holding *holding)
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

	*pending = (struct pending){.holding = holding,
		.was_runs = holding->runs,
		.was_repeated = holding->is_repeated,
		.was_first_released = holding->is_first_released};
	return pending;
}

static void drop_holding(struct core *core, struct holding *holding)
{
	struct holder *holder = holding->holder;

	TAILQ_REMOVE(&holder->holdings, holding, of_holder);
	give_share(core->holders, holder->uid);
	free(holding);
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
		const struct pending *pending = &holders->pending[--holders->pending_count];
		struct holding *holding = pending->holding;

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

	for (size_t i = 0; holders != NULL && i < holders->pending_count; i++)
		if (holders->pending[i].is_last)
			drop_holding(core, holders->pending[i].holding);
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
			 : holder_unknown(call->core, call->who->uid, UNPROVEN_PID);
	if (*out != NULL)
		return OK;
	if (is_proven)
		return hold_caller(call, out);

	struct process unproven = {.pid = UNPROVEN_PID};

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
	if (!has_room(call->core, call->who->uid))
		return call_refuse(call, ERR_BUSY, "limit of holders",
			"too many processes of this user hold values already; see [limits] holders");

	struct holding *holding = holding_new(call->core, holder, run, integration->name);

	if (holding == NULL)
		return ERR_INTERNAL;

	struct pending *pending = add_pending(call->core->holders, holding);

	if (pending == NULL) {
		TAILQ_REMOVE(&holder->holdings, holding, of_holder);
		give_share(call->core->holders, holder->uid);
		free(holding);
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

/* ---- ends ---- */

void holders_end(struct core *core, struct holder *holder, int64_t now_ms)
{
	struct holding *holding = NULL;

	LIST_REMOVE(holder, by_pid);
	core->holders->count--;
	holder->state = HOLDER_ENDED;
	holder->end_ms = now_ms;
	holder->is_dirty = true;
	TAILQ_INSERT_TAIL(&core->holders->ended, holder, ended);
	TAILQ_FOREACH(holding, &holder->holdings, of_holder)
	{
		holder_units_leave(core, holding, false);
	}
}

/* How it ended; the kernel tells when its parent has waited for it, which may be later or never. */
static void take_status(struct core *core, struct holder *holder)
{
	bool is_later = false;
	int status = RUN_STATUS_UNKNOWN;

	if (process_end_status(holder->pidfd, &status, &is_later)) {
		holder->end_status = status;
		holder->is_dirty = true;
	}
	holder->waits_for_status =
		is_later && process_watch_add(core->holders->watch, holder->pidfd, holder, true) == OK;
}

void holders_poll(struct core *core)
{
	struct holder *holder = NULL;

	if (core->holders == NULL)
		return;
	while ((holder = process_watch_take(core->holders->watch)) != NULL) {
		if (holder->state == HOLDER_LIVES)
			holders_end(core, holder, clock_wall_ms());
		take_status(core, holder);
	}
}

/* ---- asking ---- */

static struct holding *find_run(struct holder *holder, uint64_t run_no)
{
	struct holding *holding = NULL;

	TAILQ_FOREACH(holding, &holder->holdings, of_holder)
	{
		if (holding->runs != 0 && holding->run_no == run_no)
			return holding;
	}
	return NULL;
}

static struct holding *find_run_of(const struct core *core, pid_t pid, uint64_t run_no)
{
	struct holder *holder = NULL;
	struct holding *found = NULL;

	LIST_FOREACH(holder, bucket_of(core->holders, pid), by_pid)
	{
		if (found == NULL)
			found = find_run(holder, run_no);
	}
	return found;
}

/* A run's pid is the caller's as it was told, proven or not. */
struct holding *holders_find_run(const struct core *core, const struct store_run *run)
{
	struct holder *holder = NULL;
	struct holding *found = find_run_of(core, run->pid, run->no);

	if (found == NULL)
		found = find_run_of(core, UNPROVEN_PID, run->no);
	TAILQ_FOREACH(holder, &core->holders->ended, ended)
	{
		if (found == NULL)
			found = find_run(holder, run->no);
	}
	return found;
}

static bool matches(const struct holder_filter *filter, const unsigned char *integration_id,
	const struct held_version *version)
{
	return (filter->integration_id == NULL ||
		       memcmp(filter->integration_id, integration_id, STORE_ID_BYTES) == 0) &&
	       (filter->key == NULL || strcmp(filter->key, version->key) == 0) &&
	       (filter->version == 0 || filter->version == version->version);
}

static enum err visit_holding(
	const struct holding *holding, const struct holder_filter *filter, holder_fn *fn, void *arg)
{
	enum err err = OK;

	for (size_t i = 0; err == OK && holding->runs != 0 && i < holding->version_count; i++) {
		struct holder_view view = {.integration = holding->integration,
			.version = &holding->versions[i],
			.holding = holding};

		if (matches(filter, holding->integration_id, view.version))
			err = fn(arg, &view);
	}
	return err;
}

static enum err visit_units(struct core *core, const struct holder_filter *filter, holder_fn *fn, void *arg)
{
	struct unit_holding *unit = NULL;
	enum err err = OK;

	TAILQ_FOREACH(unit, &core->holders->units, all)
	{
		struct holder_view view = {
			.integration = unit->integration, .version = &unit->version, .unit = unit};

		if (err == OK && unit->state != UNIT_GONE &&
			matches(filter, unit->integration_id, &unit->version) && holder_units_check(unit))
			err = fn(arg, &view);
	}
	return err;
}

enum err holders_each(struct core *core, const struct holder_filter *filter, holder_fn *fn, void *arg)
{
	struct holders *holders = core->holders;
	struct holder *holder = NULL;
	struct holding *holding = NULL;
	enum err err = OK;

	holders_poll(core);
	for (size_t i = 0; i < sizeof(holders->buckets) / sizeof(holders->buckets[0]); i++)
		LIST_FOREACH(holder, &holders->buckets[i], by_pid)
		{
			TAILQ_FOREACH(holding, &holder->holdings, of_holder)
			{
				if (err == OK)
					err = visit_holding(holding, filter, fn, arg);
			}
		}
	return err == OK && !filter->is_processes_only ? visit_units(core, filter, fn, arg) : err;
}

struct counting {
	const struct holder *last; /* the holdings of a process come one after the other */
	size_t count;
};

static enum err on_counted(void *arg, const struct holder_view *view)
{
	struct counting *counting = arg;
	const struct holder *holder = view->holding != NULL ? view->holding->holder : NULL;

	if (holder == NULL || holder != counting->last)
		counting->count++;
	counting->last = holder;
	return OK;
}

size_t holders_count(struct core *core, const struct holder_filter *filter)
{
	struct counting counting = {0};

	(void)holders_each(core, filter, on_counted, &counting);
	return counting.count;
}

struct collecting {
	struct holder_view *views;
	size_t count;
	size_t cap;
};

static enum err on_collected(void *arg, const struct holder_view *view)
{
	struct collecting *collecting = arg;

	if (collecting->count == collecting->cap) {
		size_t cap = collecting->cap == 0 ? 64 : 2 * collecting->cap;
		struct holder_view *views = reallocarray(collecting->views, cap, sizeof(*views));

		if (views == NULL)
			return ERR_INTERNAL;
		collecting->views = views;
		collecting->cap = cap;
	}
	collecting->views[collecting->count++] = *view;
	return OK;
}

static int64_t since_of(const struct holder_view *view)
{
	return view->unit != NULL ? view->unit->given_ms : view->holding->given_ms;
}

static int compare(const void *a, const void *b)
{
	const struct holder_view *left = a;
	const struct holder_view *right = b;
	int order = strcmp(left->integration, right->integration);

	if (order == 0)
		order = strcmp(left->version->key, right->version->key);
	if (order == 0)
		order = (left->version->version > right->version->version) -
			(left->version->version < right->version->version);
	if (order == 0)
		order = (since_of(left) > since_of(right)) - (since_of(left) < since_of(right));
	if (order == 0 && left->holding != NULL && right->holding != NULL)
		order = (left->holding->run_no > right->holding->run_no) -
			(left->holding->run_no < right->holding->run_no);
	return order;
}

enum err holders_collect(struct core *core, const struct holder_filter *filter,
	struct holder_view **views_out, size_t *count_out)
{
	struct collecting collecting = {0};
	enum err err = holders_each(core, filter, on_collected, &collecting);

	if (err != OK) {
		free(collecting.views);
		return err;
	}
	if (collecting.count > 0)
		qsort(collecting.views, collecting.count, sizeof(*collecting.views), compare);
	*views_out = collecting.views;
	*count_out = collecting.count;
	return OK;
}

size_t holders_processes(const struct core *core)
{
	return core->holders == NULL ? 0 : core->holders->count;
}
