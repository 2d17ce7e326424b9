/*
 * How an integration is used: its runs, or that there are none, and how near they come to its limit.
 */
#include "alert_look.h"

#include <string.h>
#include <sys/wait.h>

enum { DAY_MS = 86400000, PERCENT = 100, GRACE_PERCENT = 110, NEVER_DAYS = 7 };

static struct alert of_integration(const struct store_integration *integration, enum alert_kind kind,
	enum severity severity, int64_t since_ms)
{
	struct alert alert = alert_of(kind, severity, since_ms);

	alert_place(&alert, integration->name, NULL, 0);
	return alert;
}

/* Tests may fail: that is what they are for. */
static enum err check_failed(struct alerts *alerts, const struct store_integration *integration)
{
	int64_t end_ms = 0;
	int status = 0;
	enum err err = store_run_last_ended(alerts->core->store, integration->id, &end_ms, &status);

	if (err != OK || end_ms == 0 || status == 0)
		return err;

	struct alert alert = of_integration(integration, ALERT_RUN_FAILED, SEVERITY_WARNING, end_ms);

	if (WIFSIGNALED(status))
		alert_say(&alert, "the last run was ended by signal %d", WTERMSIG(status));
	else
		alert_say(&alert, "the last run ended with status %d", WEXITSTATUS(status));
	alert_advise(&alert, "coffer history %s", integration->name);
	alerts_add(alerts, &alert);
	return OK;
}

static void check_missed(struct alerts *alerts, const struct store_integration *integration, int64_t last_ms)
{
	const char *every = integration->text[FIELD_EXPECTED_EVERY - INTEGRATION_TEXT_FIRST];
	int64_t from_ms = last_ms > 0 ? last_ms : integration->created_ms;
	int64_t period_ms = 0;

	if (!alert_period(every, &period_ms) ||
		alerts->now_ms - from_ms <= period_ms / PERCENT * GRACE_PERCENT)
		return;

	struct alert alert =
		of_integration(integration, ALERT_RUN_MISSED, SEVERITY_WARNING, from_ms + period_ms);

	alert_say(&alert, "a run is expected every %s and there was none", every);
	alert_advise(&alert, "coffer history %s", integration->name);
	alerts_add(alerts, &alert);
}

static void check_unused(struct alerts *alerts, const struct store_integration *integration, int64_t last_ms)
{
	int64_t days = alerts->core->rules->unused_days;
	int64_t late_ms = last_ms + days * DAY_MS;
	struct alert alert = of_integration(integration, ALERT_UNUSED, SEVERITY_NOTICE, late_ms);

	if (late_ms > alerts->now_ms)
		return;
	alert_say(&alert, "nobody has fetched its values for more than %lld day%s", (long long)days,
		days == 1 ? "" : "s");
	alert_advise(&alert, "coffer usage %s --days 400", integration->name);
	alerts_add(alerts, &alert);
}

static enum err check_never_used(struct alerts *alerts, const struct store_integration *integration)
{
	int64_t since_ms = 0;
	enum err err = store_use_possible(alerts->core->store, integration->id, &since_ms);
	int64_t late_ms = since_ms + NEVER_DAYS * (int64_t)DAY_MS;

	if (err != OK || since_ms == 0 || late_ms > alerts->now_ms)
		return err;

	struct alert alert = of_integration(integration, ALERT_NEVER_USED, SEVERITY_NOTICE, late_ms);

	alert_say(&alert, "it is granted and has values, but nobody has ever fetched them");
	alert_advise(&alert, "coffer grant list %s", integration->name);
	alerts_add(alerts, &alert);
	return OK;
}

static void check_rate(struct alerts *alerts, const struct store_integration *integration)
{
	struct rates_near near = {0};

	if (!rates_near(alerts->core->rates, integration->id, alerts->now_ms, &near))
		return;

	struct alert alert = of_integration(integration, ALERT_RATE_NEAR, SEVERITY_NOTICE, near.since_ms);

	alert_say(&alert, "within the last hour it was fetched %lld times in a minute; its limit is %lld",
		(long long)near.peak, (long long)near.per_minute);
	alert_advise(&alert, "coffer integration edit %s --rate-limit N", integration->name);
	alerts_add(alerts, &alert);
}

enum err alerts_of_runs(struct alerts *alerts, const struct store_integration *integration)
{
	int64_t last_ms = 0;
	enum err err = OK;

	if (strcmp(integration->state, "active") != 0)
		return OK;
	check_rate(alerts, integration);
	err = check_failed(alerts, integration);
	if (err == OK)
		err = store_use_last(alerts->core->store, integration->id, &last_ms);
	if (err != OK)
		return err;
	check_missed(alerts, integration, last_ms);
	if (last_ms == 0)
		return check_never_used(alerts, integration);
	check_unused(alerts, integration, last_ms);
	return OK;
}
