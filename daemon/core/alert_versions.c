/*
 * Versions that somebody must act upon: they expire, are due, wait to be promoted, or are free to go.
 */
#include "alert_look.h"
#include "holders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_MS = 86400000 };

struct looking {
	struct alerts *alerts;
	struct holder_view *views; /* by integration, key, version */
	size_t view_count;
	char retired[INTEGRATION_NAME_BYTES_MAX + 1]; /* the last one with values that somebody holds */
};

static struct alert of_version(
	const struct store_notable *version, enum alert_kind kind, enum severity severity, int64_t since_ms)
{
	struct alert alert = alert_of(kind, severity, since_ms);

	alert_place(&alert, version->integration, version->key, version->version);
	return alert;
}

static const char *plural(int64_t count)
{
	return count == 1 ? "" : "s";
}

/* ---- ends ---- */

static void check_expiry(struct alerts *alerts, const struct store_notable *version)
{
	enum severity severity = SEVERITY_CRITICAL;
	int64_t since_ms = 0;
	int64_t days = 0;
	struct alert alert = {0};

	if (version->expires_ms == 0 || version->state == VERSION_DRAINING)
		return;
	if (version->expires_ms <= alerts->now_ms) {
		alert = of_version(version, ALERT_SECRET_EXPIRED, SEVERITY_CRITICAL, version->expires_ms);
		alert_say(&alert, "the %s version has expired and is refused",
			version->state == VERSION_STAGED ? "staged" : "current");
	} else if (alert_is_near(version->expires_ms, alerts->now_ms, &severity, &since_ms, &days)) {
		since_ms = since_ms > version->created_ms ? since_ms : version->created_ms;
		alert = of_version(version, ALERT_SECRET_EXPIRES, severity, since_ms);
		alert_say(&alert, "the version expires within %lld day%s", (long long)days, plural(days));
	} else {
		return;
	}
	alert_advise(&alert, "coffer rotate %s %s", version->integration, version->key);
	alerts_add(alerts, &alert);
}

static void check_rotation(struct alerts *alerts, const struct store_notable *version)
{
	int64_t soon_ms = alerts->core->rules->rotate_soon_days * DAY_MS;
	int64_t period_ms = 0;
	struct alert alert = {0};

	if (!alert_period(version->rotate_after, &period_ms))
		return;
	soon_ms = soon_ms < period_ms / 2 ? soon_ms : period_ms / 2;

	int64_t due_ms = version->created_ms + period_ms;
	int64_t days = alert_days_left(due_ms, alerts->now_ms);

	if (due_ms <= alerts->now_ms) {
		alert = of_version(version, ALERT_ROTATION_OVERDUE, SEVERITY_WARNING, due_ms);
		alert_say(&alert, "the current version is older than %s", version->rotate_after);
	} else if (due_ms - soon_ms <= alerts->now_ms) {
		alert = of_version(version, ALERT_ROTATION_DUE, SEVERITY_NOTICE, due_ms - soon_ms);
		alert_say(&alert, "rotation is due within %lld day%s", (long long)days, plural(days));
	} else {
		return;
	}
	alert_advise(&alert, "coffer rotate %s %s", version->integration, version->key);
	alerts_add(alerts, &alert);
}

/* ---- staged ones ---- */

static enum err on_newest_test(void *arg, const struct store_test *test)
{
	*(struct store_test *)arg = *test;
	return OK;
}

static enum err check_test(struct alerts *alerts, const struct store_notable *version)
{
	struct store_test test = {0};
	enum err err = store_test_of(alerts->core->store, version->integration_id, version->key,
		version->version, 1, on_newest_test, &test);

	if (err != OK || test.exit_status == 0)
		return err;

	struct alert alert = of_version(version, ALERT_TEST_FAILED, SEVERITY_WARNING, test.time_ms);

	alert_say(&alert, "the test of the staged version ended with status %u", test.exit_status);
	alert_advise(&alert, "coffer secret show %s %s", version->integration, version->key);
	alerts_add(alerts, &alert);
	return OK;
}

static enum err check_staged(struct alerts *alerts, const struct store_notable *version)
{
	int64_t days = alerts->core->rules->staged_days;
	int64_t late_ms = version->changed_ms + days * DAY_MS;
	struct alert alert = of_version(version, ALERT_STAGED_FORGOTTEN, SEVERITY_NOTICE, late_ms);

	if (late_ms <= alerts->now_ms) {
		alert_say(&alert, "the version has been staged for more than %lld day%s", (long long)days,
			plural(days));
		alert_advise(&alert, "coffer rotate %s %s --resume", version->integration, version->key);
		alerts_add(alerts, &alert);
	}
	return check_test(alerts, version);
}

/* ---- who holds it ---- */

static int compare_held(const void *a, const void *b)
{
	const struct store_notable *version = a;
	const struct holder_view *view = b;
	int order = strcmp(version->integration, view->integration);

	if (order == 0)
		order = strcmp(version->key, view->version->key);
	return order != 0 ? order
			  : (version->version > view->version->version) -
				    (version->version < view->version->version);
}

static bool is_held(const struct looking *looking, const struct store_notable *version)
{
	return looking->view_count > 0 && bsearch(version, looking->views, looking->view_count,
						  sizeof(*looking->views), compare_held) != NULL;
}

static void check_drained(struct alerts *alerts, const struct store_notable *version)
{
	struct alert alert = of_version(version, ALERT_DRAINED, SEVERITY_NOTICE, version->changed_ms);

	alert_say(&alert, "nobody holds this draining version: revoking it is safe");
	alert_advise(&alert, "coffer secret revoke %s %s %llu", version->integration, version->key,
		(unsigned long long)version->version);
	alerts_add(alerts, &alert);
}

/* One for the integration, whatever it is that is held. */
static void note_retired(struct looking *looking, const struct store_notable *version)
{
	struct alert alert = alert_of(ALERT_RETIRED_NOT_DRAINED, SEVERITY_WARNING, 0);

	if (strcmp(looking->retired, version->integration) == 0)
		return;
	snprintf(looking->retired, sizeof(looking->retired), "%s", version->integration);
	alert_place(&alert, version->integration, NULL, 0);
	alert_say(&alert, "the integration is retired, and a process may still hold values of it");
	alert_advise(&alert, "coffer holders %s", version->integration);
	alerts_add(looking->alerts, &alert);
}

static enum err on_version(void *arg, const struct store_notable *version)
{
	struct looking *looking = arg;
	bool is_retired = strcmp(version->integration_state, "retired") == 0;

	if (is_retired && is_held(looking, version))
		note_retired(looking, version);
	if (version->state == VERSION_DRAINING && !is_held(looking, version))
		check_drained(looking->alerts, version);
	if (is_retired)
		return OK;
	check_expiry(looking->alerts, version);
	if (version->state == VERSION_STAGED)
		return check_staged(looking->alerts, version);
	if (version->state == VERSION_CURRENT) {
		check_rotation(looking->alerts, version);
		alerts_of_maker(looking->alerts, version);
	}
	return OK;
}

enum err alerts_of_versions(struct alerts *alerts)
{
	HOLDER_VIEWS_AUTO *views = NULL;
	struct holder_filter all = {0};
	struct looking looking = {.alerts = alerts};
	enum err err = holders_collect(alerts->core, &all, &views, &looking.view_count);

	looking.views = views;
	return err == OK ? store_version_notable(alerts->core->store, on_version, &looking) : err;
}
