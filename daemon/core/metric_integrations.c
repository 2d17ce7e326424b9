/*
 * Metrics of each integration, which are bounded: of more than some thousand the rest is counted and left out.  Retired
 * ones have none.
 */
#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert_look.h"
#include "holders.h"

enum { METERED_MAX = 2000 };

struct metered {
	char name[INTEGRATION_NAME_BYTES_MAX + 1];
	int64_t fetched_ms; /* 0: never, like the next two */
	int64_t due_ms;
	int64_t expires_ms;
	uint64_t holders;
};

static const char *const states[] = {"active", "suspended", "retired"};
static const enum version_state live_states[] = {VERSION_STAGED, VERSION_CURRENT, VERSION_DRAINING};

enum {
	STATE_COUNT = sizeof(states) / sizeof(states[0]),
	LIVE_COUNT = sizeof(live_states) / sizeof(live_states[0]),
};

struct surveying {
	struct call *call;
	struct metered *told; /* owned; by name */
	size_t count;
	uint64_t left_out;
	uint64_t in_state[STATE_COUNT];
	uint64_t versions[LIVE_COUNT];
};

static void clear_survey(struct surveying *survey)
{
	free(survey->told);
}

#define SURVEY_AUTO __attribute__((cleanup(clear_survey))) struct surveying

static int compare_name(const void *name, const void *told)
{
	return strcmp(name, ((const struct metered *)told)->name);
}

static struct metered *find(const struct surveying *survey, const char *name)
{
	return bsearch(name, survey->told, survey->count, sizeof(struct metered), compare_name);
}

/* The earlier of two times of which each may be missing. */
static int64_t earlier(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* ---- reading ---- */

static int64_t end_of(const struct store_integration *integration)
{
	const char *text = integration->text[FIELD_EXPIRES_AT - INTEGRATION_TEXT_FIRST];
	int64_t end_ms = 0;

	return text != NULL && text_time(text, strlen(text), &end_ms) ? end_ms : 0;
}

static enum err on_integration(void *arg, const struct store_integration *integration)
{
	struct surveying *survey = arg;
	struct metered *told = &survey->told[survey->count];

	for (size_t i = 0; i < STATE_COUNT; i++)
		survey->in_state[i] += strcmp(integration->state, states[i]) == 0;
	if (strcmp(integration->state, "retired") == 0)
		return OK;
	if (survey->count == METERED_MAX) {
		survey->left_out++;
		return OK;
	}
	*told = (struct metered){.expires_ms = end_of(integration)};
	snprintf(told->name, sizeof(told->name), "%s", integration->name);
	survey->count++;
	return store_use_last(survey->call->core->store, integration->id, &told->fetched_ms);
}

static enum err on_version(void *arg, const struct store_notable *version)
{
	struct surveying *survey = arg;
	struct metered *told = find(survey, version->integration);
	int64_t period_ms = 0;

	for (size_t i = 0; i < LIVE_COUNT; i++)
		survey->versions[i] += version->state == live_states[i];
	if (told == NULL || version->state != VERSION_CURRENT)
		return OK;
	told->expires_ms = earlier(told->expires_ms, version->expires_ms);
	if (alert_period(version->rotate_after, &period_ms))
		told->due_ms = earlier(told->due_ms, version->created_ms + period_ms);
	return OK;
}

/* ---- holders ---- */

/* A process, or a unit's invocation, for the integration of which it may hold something. */
struct held {
	const char *integration;
	const void *holder;
	const char *invocation; /* of a unit; else "" */
};

static int compare_held(const void *a, const void *b)
{
	const struct held *left = a;
	const struct held *right = b;
	int order = strcmp(left->integration, right->integration);

	if (order == 0)
		order = strcmp(left->invocation, right->invocation);
	return order != 0 ? order
			  : ((uintptr_t)left->holder > (uintptr_t)right->holder) -
				    ((uintptr_t)left->holder < (uintptr_t)right->holder);
}

static struct held held_of(const struct holder_view *view)
{
	struct held held = {.integration = view->integration, .invocation = ""};

	if (view->holding != NULL)
		held.holder = view->holding->holder;
	else
		held.invocation = view->unit->invocation;
	return held;
}

/* A process that was given two sets of keys, and a unit with two versions, are one each. */
static enum err count_holders(struct surveying *survey)
{
	HOLDER_VIEWS_AUTO *views = NULL;
	struct holder_filter all = {0};
	size_t count = 0;
	enum err err = holders_collect(survey->call->core, &all, &views, &count);
	struct held *held = err == OK && count > 0 ? calloc(count, sizeof(*held)) : NULL;

	if (err != OK || count == 0)
		return err;
	if (held == NULL)
		return ERR_INTERNAL;
	for (size_t i = 0; i < count; i++)
		held[i] = held_of(&views[i]);
	qsort(held, count, sizeof(*held), compare_held);
	for (size_t i = 0; i < count; i++) {
		struct metered *told = find(survey, held[i].integration);

		if (told != NULL && (i == 0 || compare_held(&held[i - 1], &held[i]) != 0))
			told->holders++;
	}
	free(held);
	return OK;
}

static enum err look(struct surveying *survey)
{
	struct store_integration_filter all = {0};
	struct store *store = survey->call->core->store;

	survey->told = calloc(METERED_MAX + 1, sizeof(*survey->told));
	if (survey->told == NULL)
		return ERR_INTERNAL;

	enum err err = store_integration_each(store, &all, on_integration, survey);

	if (err == OK)
		err = store_version_notable(store, on_version, survey);
	return err == OK ? count_holders(survey) : err;
}

/* ---- writing ---- */

static void write_states(const struct surveying *survey)
{
	static const char *const words[] = {"staged", "current", "draining"};

	metrics_begin(survey->call, METRIC_INTEGRATIONS);
	for (size_t i = 0; i < STATE_COUNT; i++)
		metrics_sample(survey->call, "state", states[i], (int64_t)survey->in_state[i]);
	metrics_end(survey->call);
	metrics_begin(survey->call, METRIC_VERSIONS);
	for (size_t i = 0; i < LIVE_COUNT; i++)
		metrics_sample(survey->call, "state", words[i], (int64_t)survey->versions[i]);
	metrics_end(survey->call);
	metrics_put(survey->call, METRIC_INTEGRATIONS_LEFT_OUT, survey->left_out);
}

static void write_holders(const struct surveying *survey)
{
	metrics_begin(survey->call, METRIC_INTEGRATION_HOLDERS);
	for (size_t i = 0; i < survey->count; i++)
		metrics_sample(
			survey->call, "integration", survey->told[i].name, (int64_t)survey->told[i].holders);
	metrics_end(survey->call);
}

/* A time that there is not has no sample. */
static void write_times(const struct surveying *survey, enum metric metric, size_t offset)
{
	metrics_begin(survey->call, metric);
	for (size_t i = 0; i < survey->count; i++) {
		int64_t time_ms = 0;

		memcpy(&time_ms, (const char *)&survey->told[i] + offset, sizeof(time_ms));
		if (time_ms != 0)
			metrics_sample(survey->call, "integration", survey->told[i].name, time_ms / 1000);
	}
	metrics_end(survey->call);
}

enum err metrics_of_integrations(struct call *call)
{
	SURVEY_AUTO survey = {.call = call};
	enum err err = look(&survey);

	if (err != OK)
		return err;
	write_states(&survey);
	write_holders(&survey);
	write_times(&survey, METRIC_INTEGRATION_FETCHED, offsetof(struct metered, fetched_ms));
	write_times(&survey, METRIC_INTEGRATION_DUE, offsetof(struct metered, due_ms));
	write_times(&survey, METRIC_INTEGRATION_EXPIRES, offsetof(struct metered, expires_ms));
	return OK;
}
