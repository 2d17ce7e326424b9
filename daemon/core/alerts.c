/*
 * alert.list: conditions that somebody must act on, found in the store when they are asked for; each goes when its
 * condition does.
 */
#include "holders.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "managers.h"

enum { ALERTS_MAX = 1000, RUNS_LOOKED_AT = 64, DAY_MS = 86400000, PERCENT = 100, GRACE_PERCENT = 110 };

enum severity { SEVERITY_CRITICAL, SEVERITY_WARNING, SEVERITY_NOTICE };

struct alert {
	const char *kind;
	enum severity severity;
	char integration[INTEGRATION_NAME_BYTES_MAX + 1];
	char key[KEY_BYTES_MAX + 1];
	uint64_t version;
	int64_t since_ms;
	char text[160];
	char advice[320];
};

struct alerts {
	struct call *call;
	struct alert *list;
	size_t count;
};

static void free_list(struct alert **list)
{
	free(*list);
}

__attribute__((format(printf, 2, 3))) static void add_advice(struct alert *alert, const char *format, ...)
{
	va_list args;

	if (alert == NULL)
		return;
	va_start(args, format);
	vsnprintf(alert->advice, sizeof(alert->advice), format, args);
	va_end(args);
}

/* Beyond the limit the most urgent ones of those found first stay: a list that long is read from its top. */
static struct alert *add(struct alerts *alerts, const char *kind, enum severity severity, int64_t since_ms)
{
	struct alert *alert = alerts->count == ALERTS_MAX ? NULL : &alerts->list[alerts->count++];

	if (alert != NULL)
		*alert = (struct alert){.kind = kind, .severity = severity, .since_ms = since_ms};
	return alert;
}

/* ---- versions ---- */

static struct alert *add_version(struct alerts *alerts, const struct store_notable *version, const char *kind,
	enum severity severity, int64_t since_ms)
{
	struct alert *alert = add(alerts, kind, severity, since_ms);

	if (alert == NULL)
		return NULL;
	snprintf(alert->integration, sizeof(alert->integration), "%s", version->integration);
	snprintf(alert->key, sizeof(alert->key), "%s", version->key);
	alert->version = version->version;
	return alert;
}

/* How long before the end of a version which severity begins. */
static const struct {
	int64_t before_ms;
	enum severity severity;
} expiry_steps[] = {
	{1 * (int64_t)DAY_MS, SEVERITY_CRITICAL},
	{7 * (int64_t)DAY_MS, SEVERITY_WARNING},
	{30 * (int64_t)DAY_MS, SEVERITY_NOTICE},
};

static void write_days_left(struct alert *alert, int64_t days)
{
	snprintf(alert->text, sizeof(alert->text), "the version expires within %lld day%s", (long long)days,
		days == 1 ? "" : "s");
}

static void check_expiry(struct alerts *alerts, const struct store_notable *version)
{
	int64_t left_ms = version->expires_ms - alerts->call->now_ms;
	struct alert *alert = NULL;

	if (version->expires_ms == 0 || version->state == VERSION_DRAINING)
		return;
	if (left_ms <= 0) {
		alert = add_version(
			alerts, version, "secret_expired", SEVERITY_CRITICAL, version->expires_ms);
		if (alert != NULL)
			snprintf(alert->text, sizeof(alert->text),
				"the %s version has expired and is refused",
				version->state == VERSION_STAGED ? "staged" : "current");
	}
	for (size_t i = 0; left_ms > 0 && alert == NULL && i < sizeof(expiry_steps) / sizeof(expiry_steps[0]);
		i++) {
		if (left_ms > expiry_steps[i].before_ms)
			continue;
		alert = add_version(alerts, version, "secret_expires", expiry_steps[i].severity,
			version->expires_ms - expiry_steps[i].before_ms);
		if (alert == NULL)
			return;
		write_days_left(alert, (left_ms + DAY_MS - 1) / DAY_MS);
	}
	if (alert != NULL)
		add_advice(alert, "coffer rotate %s %s", version->integration, version->key);
}

static enum err on_newest_test(void *arg, const struct store_test *test)
{
	*(struct store_test *)arg = *test;
	return OK;
}

static enum err check_test(struct alerts *alerts, const struct store_notable *version)
{
	struct store_test test = {0};
	enum err err = store_test_of(alerts->call->core->store, version->integration_id, version->key,
		version->version, 1, on_newest_test, &test);
	struct alert *alert = NULL;

	if (err != OK || test.exit_status == 0)
		return err;
	alert = add_version(alerts, version, "test_failed", SEVERITY_WARNING, test.time_ms);
	if (alert == NULL)
		return OK;
	snprintf(alert->text, sizeof(alert->text), "the test of the staged version ended with status %u",
		test.exit_status);
	add_advice(alert, "coffer secret show %s %s", version->integration, version->key);
	return OK;
}

static void check_drained(struct alerts *alerts, const struct store_notable *version)
{
	struct holder_filter filter = {
		.integration_id = version->integration_id, .key = version->key, .version = version->version};
	struct alert *alert = NULL;

	if (holders_count(alerts->call->core, &filter) > 0)
		return;
	alert = add_version(alerts, version, "drained", SEVERITY_NOTICE, version->changed_ms);
	if (alert == NULL)
		return;
	snprintf(alert->text, sizeof(alert->text), "nobody holds this draining version: revoking it is safe");
	add_advice(alert, "coffer secret revoke %s %s %llu", version->integration, version->key,
		(unsigned long long)version->version);
}

static enum err on_version(void *arg, const struct store_notable *version)
{
	struct alerts *alerts = arg;

	if (!managers_may_see(alerts->call, version->integration_id))
		return OK;
	check_expiry(alerts, version);
	if (version->state == VERSION_DRAINING)
		check_drained(alerts, version);
	return version->state == VERSION_STAGED ? check_test(alerts, version) : OK;
}

/* ---- runs ---- */

struct last_runs {
	const struct core *core;
	int64_t started_ms; /* of the newest run; 0: none */
	int64_t ended_ms; /* of the one that ended last */
	int status;
};

/* Tests may fail: that is what they are for. */
static enum err on_run(void *arg, const struct store_run *row)
{
	struct last_runs *last = arg;
	struct store_run run = runs_with_news(last->core, row);

	if (run.is_staged)
		return OK;
	if (run.time_ms > last->started_ms)
		last->started_ms = run.time_ms;
	if (run.end_status != RUN_STATUS_UNKNOWN && run.end_ms > last->ended_ms) {
		last->ended_ms = run.end_ms;
		last->status = run.end_status;
	}
	return OK;
}

static struct alert *add_integration(struct alerts *alerts, const struct store_integration *integration,
	const char *kind, int64_t since_ms)
{
	struct alert *alert = add(alerts, kind, SEVERITY_WARNING, since_ms);

	if (alert == NULL)
		return NULL;
	snprintf(alert->integration, sizeof(alert->integration), "%s", integration->name);
	add_advice(alert, "coffer history %s", integration->name);
	return alert;
}

static void check_failed(
	struct alerts *alerts, const struct store_integration *integration, const struct last_runs *last)
{
	struct alert *alert = last->ended_ms == 0 || last->status == 0
				      ? NULL
				      : add_integration(alerts, integration, "run_failed", last->ended_ms);

	if (alert == NULL)
		return;
	if (WIFSIGNALED(last->status))
		snprintf(alert->text, sizeof(alert->text), "the last run was ended by signal %d",
			WTERMSIG(last->status));
	else
		snprintf(alert->text, sizeof(alert->text), "the last run ended with status %d",
			WEXITSTATUS(last->status));
}

static void check_missed(
	struct alerts *alerts, const struct store_integration *integration, const struct last_runs *last)
{
	const char *every = integration->text[FIELD_EXPECTED_EVERY - INTEGRATION_TEXT_FIRST];
	int64_t from_ms = last->started_ms > 0 ? last->started_ms : integration->created_ms;
	int64_t seconds = 0;
	struct alert *alert = NULL;

	if (every == NULL || !text_duration(every, strlen(every), &seconds) ||
		strcmp(integration->state, "active") != 0 ||
		alerts->call->now_ms - from_ms <= seconds * 1000 / PERCENT * GRACE_PERCENT)
		return;
	alert = add_integration(alerts, integration, "run_missed", from_ms + seconds * 1000);
	if (alert != NULL)
		snprintf(alert->text, sizeof(alert->text), "a run is expected every %s and there was none",
			every);
}

static enum err on_integration(void *arg, const struct store_integration *integration)
{
	struct alerts *alerts = arg;
	struct last_runs last = {.core = alerts->call->core};

	if (!managers_may_see(alerts->call, integration->id))
		return OK;

	enum err err = store_run_of(
		alerts->call->core->store, integration->id, INT64_MAX, RUNS_LOOKED_AT, on_run, &last);

	if (err != OK)
		return err;
	check_failed(alerts, integration, &last);
	check_missed(alerts, integration, &last);
	return OK;
}

/* ---- the list ---- */

static int compare(const void *a, const void *b)
{
	const struct alert *left = a;
	const struct alert *right = b;

	if (left->severity != right->severity)
		return left->severity < right->severity ? -1 : 1;
	return (left->since_ms > right->since_ms) - (left->since_ms < right->since_ms);
}

static void write_alert(struct json_writer *w, const struct alert *alert)
{
	static const char *const words[] = {[SEVERITY_CRITICAL] = "critical",
		[SEVERITY_WARNING] = "warning",
		[SEVERITY_NOTICE] = "notice"};

	json_begin_object(w);
	json_put_string(w, "kind", alert->kind);
	json_put_string(w, "severity", words[alert->severity]);
	json_put_string(w, "integration", alert->integration);
	json_put_string(w, "key", alert->key[0] != '\0' ? alert->key : NULL);
	json_key(w, "version");
	if (alert->version != 0)
		json_write_integer(w, (int64_t)alert->version);
	else
		json_write_null(w);
	json_put_time(w, "since", alert->since_ms);
	json_put_string(w, "text", alert->text);
	json_put_string(w, "advice", alert->advice);
	json_end_object(w);
}

enum err handle_alert_list(struct call *call)
{
	__attribute__((cleanup(free_list))) struct alert *list = calloc(ALERTS_MAX, sizeof(*list));
	struct alerts alerts = {.call = call, .list = list};
	struct store_integration_filter all = {0};

	if (list == NULL)
		return ERR_INTERNAL;
	holders_poll(call->core);

	enum err err = store_version_notable(call->core->store, on_version, &alerts);

	if (err == OK)
		err = store_integration_each(call->core->store, &all, on_integration, &alerts);
	if (err != OK)
		return err;
	qsort(list, alerts.count, sizeof(*list), compare);
	json_begin_object(&call->w);
	json_key(&call->w, "alerts");
	json_begin_array(&call->w);
	for (size_t i = 0; i < alerts.count; i++)
		write_alert(&call->w, &list[i]);
	json_end_array(&call->w);
	json_end_object(&call->w);
	return OK;
}
