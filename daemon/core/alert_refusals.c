/*
 * Fetches that were refused within the last day, by whom; and callers that were refused very often in a minute.
 */
#include "alert_look.h"

#include <string.h>

#include "users.h"

enum { DAY_MS = 86400000, DAYS_LOOKED_AT = 31 };

/* What was refused of one integration, newest first: days in a row belong together. */
struct series {
	struct alerts *alerts;
	bool is_open;
	bool is_rate; /* refused for the rate of its fetches alone */
	char integration[INTEGRATION_NAME_BYTES_MAX + 1];
	char outcome[32]; /* of the newest */
	uint32_t uid; /* the same */
	int64_t last_ms;
	int64_t first_day;
	uint64_t count; /* in those days */
};

static bool is_rate(const char *outcome)
{
	return strcmp(outcome, err_word(ERR_RATE_LIMITED)) == 0;
}

static void write_caller(uint32_t uid, char out[USER_NAME_BYTES])
{
	if (uid == REFUSED_OTHERS)
		strcpy(out, "one of many users");
	else
		users_name(uid, out);
}

static void finish(struct series *series)
{
	struct alerts *alerts = series->alerts;
	enum alert_kind kind = series->is_rate ? ALERT_RATE_LIMITED : ALERT_DENIED;
	struct alert alert = alert_of(kind, SEVERITY_WARNING, series->first_day * DAY_MS);
	char name[USER_NAME_BYTES] = "";

	if (!series->is_open || alerts->now_ms - series->last_ms >= DAY_MS)
		return;
	write_caller(series->uid, name);
	alert_place(&alert, series->integration, NULL, 0);
	alert_say(&alert, "%llu fetch%s since that day refused, last with %s by %s",
		(unsigned long long)series->count, series->count == 1 ? " was" : "es were", series->outcome,
		name);
	if (series->is_rate)
		alert_advise(&alert, "coffer usage %s", series->integration);
	else
		alert_advise(
			&alert, "coffer audit list --integration %s --outcome refused", series->integration);
	alerts_add(alerts, &alert);
}

static void begin(struct series *series, const struct store_refused *row)
{
	*series = (struct series){.alerts = series->alerts,
		.is_open = true,
		.is_rate = is_rate(row->outcome),
		.uid = row->uid,
		.first_day = row->day};
	strncpy(series->integration, row->integration, sizeof(series->integration) - 1);
	strncpy(series->outcome, row->outcome, sizeof(series->outcome) - 1);
}

static enum err on_refused(void *arg, const struct store_refused *row)
{
	struct series *series = arg;

	if (row->integration == NULL)
		return ERR_STORAGE;
	if (!series->is_open || strcmp(series->integration, row->integration) != 0 ||
		series->is_rate != is_rate(row->outcome)) {
		finish(series);
		begin(series, row);
	}
	if (row->day < series->first_day - 1)
		return OK; /* an older series */
	series->first_day = row->day;
	series->count += row->count;
	if (row->last_ms > series->last_ms)
		series->last_ms = row->last_ms;
	return OK;
}

static void check_storms(struct alerts *alerts)
{
	for (size_t i = 0; i < STORMS_MAX; i++) {
		const struct storm *storm = &alerts->core->storms[i];
		struct alert alert = alert_of(ALERT_REFUSALS, SEVERITY_WARNING, storm->since_ms);
		char name[USER_NAME_BYTES] = "";

		if (storm->count == 0 || alerts->now_ms - storm->last_ms >= DAY_MS)
			continue;
		users_name(storm->uid, name);
		alert.has_object = true;
		alert.object = storm->uid;
		alert_say(&alert, "%s was refused up to %u times in one window", name, storm->count);
		alert_advise(&alert, "coffer audit list --uid %u --outcome refused", storm->uid);
		alerts_add(alerts, &alert);
	}
}

enum err alerts_of_refusals(struct alerts *alerts)
{
	struct series series = {.alerts = alerts};
	enum err err = store_refused_each(
		alerts->core->store, alerts->now_ms / DAY_MS - DAYS_LOOKED_AT, on_refused, &series);

	if (err != OK)
		return err;
	finish(&series);
	check_storms(alerts);
	return OK;
}
