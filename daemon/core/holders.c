/*
 * The processes that were given versions, in memory: found, made, ended.
 *
 * P9: a process is found again by its pid only while both its pidfd here and the caller's show a living one: then there is
 * one process of that number.  What the kernel says, that a process has ended, is never taken back, only stored again.
 */
#include "holders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

struct uid_share {
	uint32_t uid;
	size_t processes;
	size_t bytes; /* of their holdings */
};

/* What each process may make the daemon remember, on the average of all: one largest set, or many small ones. */
enum { BYTES_EACH = sizeof(struct holding) + ENV_KEYS_MAX * sizeof(struct held_version) };

static size_t bytes_of(size_t version_count)
{
	return sizeof(struct holding) + version_count * sizeof(struct held_version);
}

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

static struct uid_share *make_share(struct holders *holders, uint32_t uid)
{
	struct uid_share *share = find_share(holders, uid);

	if (share != NULL)
		return share;
	if (holders->share_count == holders->share_cap) {
		size_t cap = holders->share_cap == 0 ? 16 : 2 * holders->share_cap;
		struct uid_share *shares = reallocarray(holders->shares, cap, sizeof(*shares));

		if (shares == NULL)
			return NULL;
		holders->shares = shares;
		holders->share_cap = cap;
	}
	share = &holders->shares[holders->share_count++];
	*share = (struct uid_share){.uid = uid};
	return share;
}

static bool take_share(struct holders *holders, uint32_t uid, size_t processes, size_t bytes)
{
	struct uid_share *share = make_share(holders, uid);

	if (share == NULL)
		return false;
	share->processes += processes;
	share->bytes += bytes;
	holders->count += processes;
	holders->holding_bytes += bytes;
	return true;
}

static void give_share(struct holders *holders, uint32_t uid, size_t processes, size_t bytes)
{
	struct uid_share *share = find_share(holders, uid);

	share->processes -= processes;
	share->bytes -= bytes;
	holders->count -= processes;
	holders->holding_bytes -= bytes;
	if (share->processes == 0 && share->bytes == 0)
		*share = holders->shares[--holders->share_count];
}

/* P8: what one user's processes can make the daemon remember is bounded, whatever sets of keys they ask for. */
bool holders_have_room(const struct core *core, const struct holder *holder)
{
	const struct holders *holders = core->holders;
	const struct uid_share *share = find_share(holders, holder->uid);
	size_t processes = (size_t)config_within_descriptors(core->limits).holders;
	size_t bytes = (size_t)core->limits->holders * BYTES_EACH;

	/* The process itself is counted already. */
	if (TAILQ_EMPTY(&holder->holdings) &&
		(holders->count > processes || share->processes > processes / 4))
		return false;
	return holders->holding_bytes < bytes && share->bytes < bytes / 4;
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
		(pidfd >= 0 && process_watch_add(core->holders->watch, pidfd, holder, false) != OK) ||
		!take_share(core->holders, uid, 1, 0)) {
		if (pidfd >= 0)
			process_watch_remove(core->holders->watch, pidfd);
		free_holder(holder);
		return NULL;
	}
	holder->pidfd = pidfd;
	LIST_INSERT_HEAD(bucket_of(core->holders, holder->pid), holder, by_pid);
	return holder;
}

/* What has ended takes no place any more, though it is still to be stored. */
static void leave_places(struct holders *holders, struct holder *holder)
{
	const struct holding *holding = NULL;
	size_t bytes = 0;

	LIST_REMOVE(holder, by_pid);
	TAILQ_FOREACH(holding, &holder->holdings, of_holder)
	{
		bytes += bytes_of(holding->version_count);
	}
	give_share(holders, holder->uid, 1, bytes);
}

void holder_drop(struct core *core, struct holder *holder)
{
	if (holder->state == HOLDER_ENDED) {
		TAILQ_REMOVE(&core->holders->ended, holder, ended);
	} else {
		leave_places(core->holders, holder);
	}
	if (holder->pidfd >= 0)
		process_watch_remove(core->holders->watch, holder->pidfd);
	free_holder(holder);
}

struct holding *holding_new(
	struct core *core, struct holder *holder, const struct store_run *run, const char *integration)
{
	size_t bytes = bytes_of(run->version_count);
	struct holding *holding = calloc(1, bytes);

	if (holding == NULL ||
		(holder->state != HOLDER_ENDED && !take_share(core->holders, holder->uid, 0, bytes))) {
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

void holding_remove(struct core *core, struct holding *holding)
{
	TAILQ_REMOVE(&holding->holder->holdings, holding, of_holder);
	if (holding->holder->state != HOLDER_ENDED)
		give_share(core->holders, holding->holder->uid, 0, bytes_of(holding->version_count));
	free(holding);
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
		if (holder->state == HOLDER_LIVES && holder->pid == who->pid && holder->uid == who->uid &&
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

/* ---- ends ---- */

void holders_end(struct core *core, struct holder *holder, int64_t now_ms)
{
	struct holding *holding = NULL;

	leave_places(core->holders, holder);
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
	bool was_waiting = holder->waits_for_status;
	bool is_later = false;
	int status = RUN_STATUS_UNKNOWN;

	if (process_end_status(holder->pidfd, &status, &is_later)) {
		holder->end_status = status;
		holder->is_dirty = true;
	}
	holder->waits_for_status =
		is_later && process_watch_add(core->holders->watch, holder->pidfd, holder, true) == OK;
	if (was_waiting && !holder->waits_for_status)
		holder->is_dirty = true; /* nothing more will be told: it goes with the next turn */
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

/* ---- of which holding a run is ---- */

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
		found = find_run_of(core, HOLDER_UNPROVEN_PID, run->no);
	TAILQ_FOREACH(holder, &core->holders->ended, ended)
	{
		if (found == NULL)
			found = find_run(holder, run->no);
	}
	return found;
}

size_t holders_processes(const struct core *core)
{
	return core->holders == NULL ? 0 : core->holders->count;
}
