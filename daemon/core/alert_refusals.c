/*
 * Fetches that were refused within the last day, by whom; and callers that were refused very often in a minute.
 */
#include "alert_look.h"

#include <stdio.h>
#include <string.h>

#include "users.h"

enum { DAY_MS = 86400000, DAYS_LOOKED_AT = 31 };

/* What was refused of one integration on days in a row, up to now. */
struct series {
	bool is_rate; /* refused for the rate of its fetches alone */
	char outcome[32]; /* of the newest */
	uint32_t uid; /* the same */
	int64_t last_ms; /* 0: there is none */
	int64_t first_day;
	int64_t last_day;
	uint64_t count;
};

struct refusals {
	struct alerts *alerts;
	char integration[INTEGRATION_NAME_BYTES_MAX + 1];
	struct series series[2]; /* for the rate, and for anything else */
};

static bool is_rate(const char *outcome)
{
	return strcmp(outcome, err_word(ERR_RATE_LIMITED)) == 0;
}

static void write_caller(uint32_t uid, char out[USER_NAME_BYTES])
{
	if (uid == REFUSED_OTHERS)
		snprintf(out, USER_NAME_BYTES, "one of many users");
	else
		users_name(uid, out);
}

static void tell(struct refusals *refusals, const struct series *series)
{
	struct alerts *alerts = refusals->alerts;
	const char *integration = refusals->integration;
	enum alert_kind kind = series->is_rate ? ALERT_RATE_LIMITED : ALERT_DENIED;
	/* What began before the first day looked at would begin anew each day: when it did, nobody can tell. */
	bool is_old = series->first_day <= alerts->now_ms / DAY_MS - DAYS_LOOKED_AT;
	struct alert alert = alert_of(kind, SEVERITY_WARNING, is_old ? 0 : series->first_day * DAY_MS);
	char name[USER_NAME_BYTES] = "";

	if (series->last_ms == 0 || alerts->now_ms - series->last_ms >= DAY_MS)
		return;
	write_caller(series->uid, name);
	alert_place(&alert, integration, NULL, 0);
	alert_say(&alert, "%llu fetch%s refused %s, the last one with %s by %s",
		(unsigned long long)series->count, series->count == 1 ? "" : "es",
		is_old ? "for a month or longer" : "since then", series->outcome, name);
	if (series->is_rate)
		alert_advise(&alert, "coffer usage %s", integration);
	else
		alert_advise(&alert, "coffer audit list --integration %s --outcome refused", integration);
	alerts_add(alerts, &alert);
}

/* Of the integration that the rows were about so far; the next ones are about another. */
static void finish(struct refusals *refusals)
{
	for (size_t i = 0; i < 2; i++)
		tell(refusals, &refusals->series[i]);
}

static enum err on_refused(void *arg, const struct store_refused *row)
{
	struct refusals *refusals = arg;
	struct series *series = &refusals->series[is_rate(row->outcome)];

	if (strcmp(refusals->integration, row->integration) != 0) {
		finish(refusals);
		*refusals = (struct refusals){.alerts = refusals->alerts};
		snprintf(refusals->integration, sizeof(refusals->integration), "%s", row->integration);
	}
	if (series->last_ms == 0 || row->day > series->last_day + 1)
		*series = (struct series){.first_day = row->day};
	series->is_rate = is_rate(row->outcome);
	series->last_day = row->day;
	series->count += row->count;
	if (row->last_ms >= series->last_ms) {
		series->last_ms = row->last_ms;
		series->uid = row->uid;
		snprintf(series->outcome, sizeof(series->outcome), "%s", row->outcome);
	}
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
	struct refusals refusals = {.alerts = alerts};
	int64_t today = alerts->now_ms / DAY_MS;
	enum err err = store_refused_recent(
		alerts->core->store, today - DAYS_LOOKED_AT, today - 1, on_refused, &refusals);

	if (err != OK)
		return err;
	finish(&refusals);
	check_storms(alerts);
	return OK;
}
