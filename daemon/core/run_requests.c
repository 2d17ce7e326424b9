/*
 * run.list and run.end: each start of an integration, and how it ended as far as anybody can tell.
 */
#include "holders.h"

#include <string.h>
#include <sys/wait.h>

#include "users.h"

enum { RUNS_DEFAULT = 100, RUNS_MAX = 1000, DAY_MS = 86400000, SIGNAL_EXIT = 128 };

/* ---- run.list ---- */

struct listing {
	struct call *call;
	int64_t since_ms;
};

/* A process that lets go of what it was given says so later; what a unit was given has no process to say it. */
static const char *state_word(const struct store_run *run)
{
	static const char *const words[] = {[RUN_HELD] = "running",
		[RUN_UNKNOWN] = "unknown",
		[RUN_AGAIN] = "again",
		[RUN_RELEASED] = "released",
		[RUN_ENDED] = "ended"};

	return run->state == RUN_RELEASED && run->end_ms == 0 ? "delivered" : words[run->state];
}

/* A process that has just ended, or was not found again: memory knows what the row does not. */
struct store_run runs_with_news(const struct core *core, const struct store_run *run)
{
	struct store_run told = *run;
	const struct holding *holding = holders_find_run(core, run);

	if (holding != NULL && holding->holder->state == HOLDER_UNKNOWN)
		told.state = RUN_UNKNOWN;
	if (holding == NULL || holding->holder->state != HOLDER_ENDED)
		return told;
	told.state = RUN_ENDED;
	told.end_ms = holding->holder->end_ms;
	if (holding->holder->end_status != RUN_STATUS_UNKNOWN)
		told.end_status = holding->holder->end_status;
	return told;
}

static void write_versions(struct json_writer *w, const struct store_run *run)
{
	json_key(w, "versions");
	json_begin_array(w);
	for (size_t i = 0; i < run->version_count; i++) {
		json_begin_object(w);
		json_put_string(w, "key", run->versions[i].key);
		json_put_integer(w, "version", (int64_t)run->versions[i].version);
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_number(struct json_writer *w, const char *key, bool is_known, int64_t number)
{
	json_key(w, key);
	if (is_known)
		json_write_integer(w, number);
	else
		json_write_null(w);
}

static void write_end(struct json_writer *w, const struct store_run *run)
{
	bool is_told = run->end_status != RUN_STATUS_UNKNOWN;

	json_put_string(w, "state", state_word(run));
	json_put_time(w, "ended_at", run->end_ms);
	write_number(w, "exit_status", is_told && WIFEXITED(run->end_status), WEXITSTATUS(run->end_status));
	write_number(w, "signal", is_told && WIFSIGNALED(run->end_status), WTERMSIG(run->end_status));
}

static enum err on_run(void *arg, const struct store_run *row)
{
	struct listing *listing = arg;
	struct json_writer *w = &listing->call->w;
	struct store_run run = runs_with_news(listing->call->core, row);
	char user[USER_NAME_BYTES] = "";

	if (run.time_ms < listing->since_ms)
		return OK;
	users_name(run.uid, user);
	json_begin_object(w);
	json_put_string(w, "run", run.id);
	json_put_time(w, "at", run.time_ms);
	json_put_integer(w, "uid", run.uid);
	json_put_string(w, "user", user);
	json_put_integer(w, "pid", run.pid);
	json_put_string(w, "unit", run.unit[0] != '\0' ? run.unit : NULL);
	json_put_bool(w, "staged", run.is_staged);
	write_versions(w, &run);
	write_end(w, &run);
	json_end_object(w);
	return OK;
}

enum err handle_run_list(struct call *call)
{
	struct integration integration = {0};
	int64_t limit = request_count(call->request, FIELD_LIMIT, RUNS_DEFAULT);
	int64_t days = request_count(call->request, FIELD_DAYS, 0);
	struct listing listing = {.call = call, .since_ms = days == 0 ? 0 : call->now_ms - days * DAY_MS};
	enum err err = integration_find(call, FIELD_INTEGRATION, &integration);

	if (err != OK)
		return err;
	holders_poll(call->core);
	json_begin_object(&call->w);
	json_key(&call->w, "runs");
	json_begin_array(&call->w);
	err = store_run_of(call->core->store, integration.id, INT64_MAX,
		(size_t)(limit < RUNS_MAX ? limit : RUNS_MAX), on_run, &listing);
	json_end_array(&call->w);
	json_end_object(&call->w);
	return err;
}

/* ---- changes by whose run it is ---- */

enum err runs_describe(struct call *call, const struct store_run *run)
{
	enum err err =
		store_integration_name(call->core->store, run->integration_id, call->record.integration);

	return err == ERR_NOT_FOUND ? OK : err;
}

enum err runs_change(struct call *call, store_run_fn *fn, void *arg)
{
	char id[RUN_ID_BYTES + 1] = "";

	request_text(call->request, FIELD_RUN, id, sizeof(id));
	holders_poll(call->core);

	enum err err = store_run_get(call->core->store, id, fn, arg);

	if (err == ERR_NOT_FOUND)
		err = call_refuse(call, ERR_DENIED, "no such run", NULL); /* P2 */
	if (err != OK || call->is_repeated)
		return err;
	json_begin_object(&call->w);
	json_put_string(&call->w, "run", id);
	json_end_object(&call->w);
	return OK;
}

/* ---- run.end ---- */

struct ending {
	struct call *call;
	int exit_status;
};

static int exit_status_of(int status)
{
	return WIFSIGNALED(status) ? SIGNAL_EXIT + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The kernel's word counts more than a supervisor's; both saying the same is fine. */
static enum err set_status(struct ending *ending, const struct store_run *row)
{
	struct call *call = ending->call;
	struct store_run told = runs_with_news(call->core, row);
	struct store_run run = *row;

	if (told.end_status != RUN_STATUS_UNKNOWN)
		return exit_status_of(told.end_status) == ending->exit_status
			       ? OK
			       : call_refuse(call, ERR_CONFLICT, "another status is known",
					 "how this run ended is known already, and otherwise");
	run.end_status = W_EXITCODE(ending->exit_status, 0);
	if (run.end_ms == 0)
		run.end_ms = call->now_ms; /* of a process that was never proven nobody else will tell */
	return store_run_set(call->core->store, &run);
}

static enum err on_ended(void *arg, const struct store_run *run)
{
	struct ending *ending = arg;
	struct call *call = ending->call;

	memcpy(call->record.run, run->id, sizeof(call->record.run));
	if (run->uid != call->who->uid)
		return call_refuse(call, ERR_DENIED, "the run is another user's", NULL); /* P2 */
	call_subject(call, "exit=%d", ending->exit_status);

	enum err err = runs_describe(call, run);

	if (err == OK)
		err = results_find(call);
	return err != OK || call->is_repeated ? err : set_status(ending, run);
}

enum err handle_run_end(struct call *call)
{
	struct ending ending = {call, (int)request_count(call->request, FIELD_EXIT_STATUS, 0)};

	if (ending.exit_status > UINT8_MAX)
		return call_refuse(
			call, ERR_BAD_VALUE, "exit_status out of range", "exit_status is 0 to 255");
	return runs_change(call, on_ended, &ending);
}
