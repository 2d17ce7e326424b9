/*
 * holder.list and holder.release; and what other requests tell of holders.
 */
#include "holders.h"

#include <string.h>

#include "managers.h"
#include "secret_rows.h"
#include "users.h"

enum { HOLDERS_LISTED = 1000 };

/* ---- one entry ---- */

static const char *kind_of(const struct holder_view *view)
{
	if (view->unit != NULL)
		return "unit";
	return view->holding->holder->state == HOLDER_UNKNOWN ? "unknown" : "process";
}

static const char *text_or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static void write_process(struct json_writer *w, const struct holding *holding)
{
	const struct holder *holder = holding->holder;
	char user[USER_NAME_BYTES] = "";
	char exe[PROCESS_EXE_BYTES] = "";

	users_name(holder->uid, user);
	/* A process can become another program: what it is now says more than what it was. */
	if (holder->state == HOLDER_LIVES)
		process_exe(holder->pid, exe);
	if (holder->pid != 0)
		json_put_integer(w, "pid", holder->pid);
	else
		json_put_string(w, "pid", NULL);
	json_put_integer(w, "uid", holder->uid);
	json_put_string(w, "user", user);
	json_put_string(w, "exe", text_or_null(exe[0] != '\0' ? exe : holder->exe));
	json_put_string(w, "unit", text_or_null(holder->unit));
	json_put_string(w, "invocation", text_or_null(holder->invocation));
	json_put_time(w, "since", holding->given_ms);
	json_put_string(w, "run", holding->run);
	json_put_bool(w, "staged", holding->is_staged);
	json_put_bool(w, "delivered", false);
}

static void write_unit(struct json_writer *w, const struct unit_holding *unit)
{
	static const char *const not_told[] = {"pid", "uid", "user", "exe"};

	for (size_t i = 0; i < sizeof(not_told) / sizeof(not_told[0]); i++)
		json_put_string(w, not_told[i], NULL);
	json_put_string(w, "unit", unit->unit);
	json_put_string(w, "invocation", text_or_null(unit->invocation));
	json_put_time(w, "since", unit->given_ms);
	json_put_string(w, "run", NULL);
	json_put_bool(w, "staged", false);
	json_put_bool(w, "delivered", unit->given_ticks == 0);
}

void holders_write(struct json_writer *w, const struct holder_view *view)
{
	json_begin_object(w);
	json_put_string(w, "integration", view->integration);
	json_put_string(w, "key", view->version->key);
	json_put_integer(w, "version", (int64_t)view->version->version);
	json_put_string(w, "holder", kind_of(view));
	if (view->unit != NULL)
		write_unit(w, view->unit);
	else
		write_process(w, view->holding);
	json_end_object(w);
}

/* ---- holder.list ---- */

static enum err write_list(struct call *call, const struct holder_filter *filter)
{
	HOLDER_VIEWS_AUTO *views = NULL;
	size_t count = 0;
	size_t listed = 0;
	enum err err = holders_collect(call->core, filter, &views, &count);

	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_key(&call->w, "holders");
	json_begin_array(&call->w);
	for (size_t i = 0; i < count; i++) {
		if (!managers_may_see_name(call, views[i].integration))
			continue;
		if (listed++ < HOLDERS_LISTED)
			holders_write(&call->w, &views[i]);
	}
	json_end_array(&call->w);
	json_put_bool(&call->w, "more", listed > HOLDERS_LISTED);
	json_end_object(&call->w);
	return OK;
}

/* A key that is not there would read as one that nobody holds. */
static enum err find_wanted(struct call *call, struct integration *integration)
{
	struct secret_row secret = {0};

	if (request_has(call->request, FIELD_KEY))
		return secrets_find(call, integration, &secret);
	return integration_find(call, FIELD_INTEGRATION, integration);
}

enum err handle_holder_list(struct call *call)
{
	struct integration integration = {0};
	struct holder_filter filter = {0};
	bool is_named = request_has(call->request, FIELD_INTEGRATION);

	if (request_has(call->request, FIELD_KEY) && !is_named)
		return call_refuse(call, ERR_BAD_PARAMS, "key without integration", "key needs integration");

	enum err err = is_named ? find_wanted(call, &integration) : OK;

	if (err != OK)
		return err;
	if (is_named)
		filter.integration_id = integration.id;
	if (request_has(call->request, FIELD_KEY))
		filter.key = call->record.key;
	return write_list(call, &filter);
}

/* ---- holder.release ---- */

static enum err release(struct call *call, struct holder *holder, const struct store_run *run)
{
	struct holding *holding = holding_same(holder, run);
	bool is_first = holding != NULL && holding->run_no == run->no;
	bool is_last = holding != NULL && holding->runs == 1;
	struct store_run released = {.no = run->no,
		.state = RUN_RELEASED,
		.is_repeated = run->is_repeated,
		.end_ms = call->now_ms,
		.end_status = RUN_STATUS_UNKNOWN};

	if (holding == NULL || (is_first && holding->is_first_released))
		return OK; /* released already */

	enum err err = holders_release(call, holding, run->no);

	/* The first run's row stands for all of them until the last one is released. */
	if (err == OK && (!is_first || is_last))
		err = store_run_set(call->core->store, &released);
	if (err == OK && is_last && !is_first) {
		released.no = holding->run_no;
		released.is_repeated = true;
		err = store_run_set(call->core->store, &released);
	}
	if (err == OK && is_last)
		holder_units_leave(call->core, holding, true);
	return err;
}

static enum err on_own_run(void *arg, const struct store_run *run)
{
	struct call *call = arg;
	struct holder *holder = holders_of_caller(call->core, call->who);

	memcpy(call->record.run, run->id, sizeof(call->record.run));
	if (!holders_is_own_run(call, run))
		return call_refuse(call, ERR_DENIED, "the run is another process's", NULL); /* P2 */

	enum err err = runs_describe(call, run);

	if (err == OK)
		err = results_find(call);
	if (err != OK || call->is_repeated || run->state == RUN_RELEASED || holder == NULL)
		return err;
	return release(call, holder, run);
}

enum err handle_holder_release(struct call *call)
{
	return runs_change(call, on_own_run, call);
}
