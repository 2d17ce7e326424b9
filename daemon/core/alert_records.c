/*
 * What the record of an integration asks for: that it is reviewed, does not end unnoticed, and says what it has.
 */
#include "alert_look.h"

#include <string.h>

enum { DAY_MS = 86400000, REVIEW_SOON_DAYS = 14 };

static const char *text_of(const struct store_integration *integration, enum field field)
{
	return integration->text[field - INTEGRATION_TEXT_FIRST];
}

static struct alert of_integration(const struct store_integration *integration, enum alert_kind kind,
	enum severity severity, int64_t since_ms)
{
	struct alert alert = alert_of(kind, severity, since_ms);

	alert_place(&alert, integration->name, NULL, 0);
	return alert;
}

static void check_review(struct alerts *alerts, const struct store_integration *integration)
{
	int64_t from_ms = integration->reviewed_ms != 0 ? integration->reviewed_ms : integration->created_ms;
	int64_t soon_ms = REVIEW_SOON_DAYS * (int64_t)DAY_MS;
	int64_t period_ms = 0;
	struct alert alert = {0};

	if (!alert_period(text_of(integration, FIELD_REVIEW_AFTER), &period_ms))
		return;
	soon_ms = soon_ms < period_ms / 2 ? soon_ms : period_ms / 2;

	int64_t due_ms = from_ms + period_ms;
	int64_t days = alert_days_left(due_ms, alerts->now_ms);

	if (due_ms <= alerts->now_ms) {
		alert = of_integration(integration, ALERT_REVIEW_OVERDUE, SEVERITY_WARNING, due_ms);
		alert_say(&alert, "nobody has reviewed it for %s", text_of(integration, FIELD_REVIEW_AFTER));
	} else if (due_ms - soon_ms <= alerts->now_ms) {
		alert = of_integration(integration, ALERT_REVIEW_DUE, SEVERITY_NOTICE, due_ms - soon_ms);
		alert_say(
			&alert, "its review is due within %lld day%s", (long long)days, days == 1 ? "" : "s");
	} else {
		return;
	}
	alert_advise(&alert, "coffer integration review %s", integration->name);
	alerts_add(alerts, &alert);
}

static void check_end(struct alerts *alerts, const struct store_integration *integration)
{
	const char *text = text_of(integration, FIELD_EXPIRES_AT);
	enum severity severity = SEVERITY_CRITICAL;
	int64_t end_ms = 0;
	int64_t since_ms = 0;
	int64_t days = 0;
	struct alert alert = {0};

	if (text == NULL || !text_time(text, strlen(text), &end_ms))
		return;
	if (end_ms <= alerts->now_ms) {
		alert = of_integration(integration, ALERT_INTEGRATION_EXPIRED, SEVERITY_CRITICAL, end_ms);
		alert_say(&alert, "the integration has expired and every fetch is refused");
	} else if (alert_is_near(end_ms, alerts->now_ms, &severity, &since_ms, &days)) {
		alert = of_integration(integration, ALERT_INTEGRATION_EXPIRES, severity, since_ms);
		alert_say(&alert, "the integration expires within %lld day%s", (long long)days,
			days == 1 ? "" : "s");
	} else {
		return;
	}
	alert_advise(&alert, "coffer integration edit %s --expires-at TIME", integration->name);
	alerts_add(alerts, &alert);
}

void alerts_of_record(struct alerts *alerts, const struct store_integration *integration)
{
	if (strcmp(integration->state, "retired") == 0)
		return;
	check_review(alerts, integration);
	check_end(alerts, integration);
}

static enum err on_undescribed(void *arg, const char *integration, const char *key, int64_t created_ms)
{
	struct alert alert = alert_of(ALERT_NO_DESCRIPTION, SEVERITY_NOTICE, created_ms);

	alert_place(&alert, integration, key, 0);
	alert_say(&alert, "the secret has no description");
	alert_advise(&alert, "coffer secret edit %s %s --description TEXT", integration, key);
	alerts_add(arg, &alert);
	return OK;
}

enum err alerts_of_secrets(struct alerts *alerts)
{
	return store_secret_undescribed(alerts->core->store, on_undescribed, alerts);
}
