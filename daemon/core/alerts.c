/*
 * alert.list and the order of alerts.  Of very many the most urgent are told and all are counted.
 */
#include "alert_look.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holders.h"
#include "managers.h"
#include "users.h"

static const char *const words[] = {
#define ALERT(kind, word) [ALERT_##kind] = word,
#include "alerts.def"
#undef ALERT
};

static const char *const severities[] = {
	[SEVERITY_CRITICAL] = "critical", [SEVERITY_WARNING] = "warning", [SEVERITY_NOTICE] = "notice"};

const char *alert_word(enum alert_kind kind)
{
	return words[kind];
}

const char *alert_severity_word(enum severity severity)
{
	return severities[severity];
}

/* ---- one alert ---- */

struct alert alert_of(enum alert_kind kind, enum severity severity, int64_t since_ms)
{
	return (struct alert){.kind = kind, .severity = severity, .since_ms = since_ms};
}

void alert_place(struct alert *alert, const char *integration, const char *key, uint64_t version)
{
	snprintf(alert->integration, sizeof(alert->integration), "%s", integration);
	snprintf(alert->key, sizeof(alert->key), "%s", key != NULL ? key : "");
	alert->version = version;
}

void alert_say(struct alert *alert, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(alert->text, sizeof(alert->text), format, args);
	va_end(args);
}

void alert_advise(struct alert *alert, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(alert->advice, sizeof(alert->advice), format, args);
	va_end(args);
}

void alert_id(const struct alert *alert, char out[ALERT_ID_BYTES])
{
	size_t len = (size_t)snprintf(out, ALERT_ID_BYTES, "%s", words[alert->kind]);

	if (alert->integration[0] != '\0')
		len += (size_t)snprintf(out + len, ALERT_ID_BYTES - len, ":%s", alert->integration);
	if (alert->key[0] != '\0')
		len += (size_t)snprintf(out + len, ALERT_ID_BYTES - len, ":%s", alert->key);
	if (alert->version != 0)
		len += (size_t)snprintf(
			out + len, ALERT_ID_BYTES - len, ":%llu", (unsigned long long)alert->version);
	if (alert->has_object)
		snprintf(out + len, ALERT_ID_BYTES - len,
			alert->integration[0] != '\0' ? ":%llu" : ":uid=%llu",
			(unsigned long long)alert->object);
}

/* ---- the order ---- */

/* What somebody has seen comes last; then the more urgent first, and of two the older. */
static int compare(const void *a, const void *b)
{
	const struct alert *left = a;
	const struct alert *right = b;

	if ((left->ack != NULL) != (right->ack != NULL))
		return left->ack == NULL ? -1 : 1;
	if (left->severity != right->severity)
		return left->severity < right->severity ? -1 : 1;
	return (left->since_ms > right->since_ms) - (left->since_ms < right->since_ms);
}

static void swap(struct alert *a, struct alert *b)
{
	struct alert kept = *a;

	*a = *b;
	*b = kept;
}

static void sift_up(struct alert *heap, size_t at)
{
	while (at > 0 && compare(&heap[at], &heap[(at - 1) / 2]) > 0) {
		swap(&heap[at], &heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
}

static void sift_down(struct alert *heap, size_t count)
{
	for (size_t at = 0, least = 0;; at = least) {
		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
			if (compare(&heap[child], &heap[least]) > 0)
				least = child;
		if (least == at)
			return;
		swap(&heap[at], &heap[least]);
	}
}

/* The least urgent one of those kept stands at the top and gives way to a more urgent one. */
static void keep(struct alerts *alerts, const struct alert *alert)
{
	if (alerts->told_count < ALERTS_TOLD) {
		alerts->told[alerts->told_count] = *alert;
		sift_up(alerts->told, alerts->told_count++);
	} else if (compare(alert, &alerts->told[0]) < 0) {
		alerts->told[0] = *alert;
		sift_down(alerts->told, alerts->told_count);
	}
}

/* ---- acks ---- */

static int compare_id(const void *id, const void *ack)
{
	return strcmp(id, ((const struct alert_ack *)ack)->id);
}

static const struct alert_ack *find_ack(struct alerts *alerts, const struct alert *alert, const char *id)
{
	struct alert_ack *ack = alerts->ack_count == 0 ? NULL
						       : bsearch(id, alerts->acks, alerts->ack_count,
								 sizeof(*ack), compare_id);

	if (ack == NULL || ack->since_ms != alert->since_ms || alert->severity < ack->severity ||
		ack->until_ms <= alerts->now_ms)
		return NULL;
	ack->is_alive = true;
	return ack;
}

static enum err on_ack(void *arg, const struct store_alert_ack *row)
{
	struct alerts *alerts = arg;

	if (alerts->ack_count == alerts->ack_cap) {
		size_t cap = alerts->ack_cap == 0 ? 64 : 2 * alerts->ack_cap;
		struct alert_ack *acks = reallocarray(alerts->acks, cap, sizeof(*acks));

		if (acks == NULL)
			return ERR_INTERNAL;
		alerts->acks = acks;
		alerts->ack_cap = cap;
	}

	struct alert_ack *ack = &alerts->acks[alerts->ack_count++];

	*ack = (struct alert_ack){.since_ms = row->since_ms,
		.severity = (enum severity)row->severity,
		.until_ms = row->until_ms,
		.uid = row->uid};
	snprintf(ack->id, sizeof(ack->id), "%s", row->alert);
	snprintf(ack->note, sizeof(ack->note), "%s", row->note);
	return OK;
}

void alerts_add(struct alerts *alerts, struct alert *alert)
{
	char id[ALERT_ID_BYTES] = "";

	if (alerts->viewer != NULL && !managers_may_see_name(alerts->viewer, alert->integration))
		return; /* P2: a manager's are those of its integrations */
	alert_id(alert, id);
	alert->ack = find_ack(alerts, alert, id);
	if (alert->ack != NULL) {
		alerts->acked++;
	} else {
		alerts->counts[alert->severity]++;
		alerts->of_kind[alert->kind]++;
	}
	if (alerts->wanted != NULL && strcmp(alerts->wanted, id) == 0) {
		alerts->has_found = true;
		alerts->found = *alert;
	}
	keep(alerts, alert);
}

/* ---- ends that come nearer ---- */

enum { DAY_MS = 86400000 };

int64_t alert_days_left(int64_t end_ms, int64_t now_ms)
{
	return (end_ms - now_ms + DAY_MS - 1) / DAY_MS;
}

bool alert_is_near(
	int64_t end_ms, int64_t now_ms, enum severity *severity_out, int64_t *since_ms_out, int64_t *days_out)
{
	static const struct {
		int64_t before_ms;
		enum severity severity;
	} steps[] = {
		{1 * (int64_t)DAY_MS, SEVERITY_CRITICAL},
		{7 * (int64_t)DAY_MS, SEVERITY_WARNING},
		{30 * (int64_t)DAY_MS, SEVERITY_NOTICE},
	};

	for (size_t i = 0; end_ms > now_ms && i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (end_ms - now_ms > steps[i].before_ms)
			continue;
		*severity_out = steps[i].severity;
		*since_ms_out = end_ms - steps[i].before_ms;
		*days_out = alert_days_left(end_ms, now_ms);
		return true;
	}
	return false;
}

bool alert_period(const char *text, int64_t *period_ms_out)
{
	int64_t seconds = 0;

	if (text == NULL || !text_duration(text, strlen(text), &seconds))
		return false;
	*period_ms_out = seconds * 1000;
	return true;
}

/* ---- looking ---- */

static enum err on_integration(void *arg, const struct store_integration *integration)
{
	struct alerts *alerts = arg;

	alerts_of_record(alerts, integration);
	alerts_of_owner(alerts, integration);
	return alerts_of_runs(alerts, integration);
}

static enum err look_at_integrations(struct alerts *alerts)
{
	struct store_integration_filter all = {0};

	return store_integration_each(alerts->core->store, &all, on_integration, alerts);
}

enum err alerts_look(struct alerts *alerts)
{
	static enum err (*const sources[])(struct alerts *) = {look_at_integrations, alerts_of_versions,
		alerts_of_secrets, alerts_of_refusals, alerts_of_grants, alerts_of_requests, alerts_of_tokens,
		alerts_of_host};
	enum err err = OK;

	alerts->told = calloc(ALERTS_TOLD, sizeof(*alerts->told));
	if (alerts->told == NULL)
		return ERR_INTERNAL;
	holders_poll(alerts->core);
	err = store_alert_ack_each(alerts->core->store, on_ack, alerts);
	for (size_t i = 0; err == OK && i < sizeof(sources) / sizeof(sources[0]); i++)
		err = sources[i](alerts);
	return err;
}

void alerts_clear(struct alerts *alerts)
{
	free(alerts->acks);
	free(alerts->told);
	*alerts = (struct alerts){0};
}

/* ---- telling ---- */

static void write_ack(struct json_writer *w, const struct alert_ack *ack)
{
	char name[USER_NAME_BYTES] = "";

	json_key(w, "acked");
	if (ack == NULL) {
		json_write_null(w);
		return;
	}
	users_name(ack->uid, name);
	json_begin_object(w);
	json_put_string(w, "by", name);
	json_put_time(w, "until", ack->until_ms);
	json_put_string(w, "note", ack->note);
	json_end_object(w);
}

static void write_alert(struct json_writer *w, const struct alert *alert)
{
	char id[ALERT_ID_BYTES] = "";

	alert_id(alert, id);
	json_begin_object(w);
	json_put_string(w, "id", id);
	json_put_string(w, "kind", words[alert->kind]);
	json_put_string(w, "severity", severities[alert->severity]);
	json_put_string(w, "integration", alert->integration[0] != '\0' ? alert->integration : NULL);
	json_put_string(w, "key", alert->key[0] != '\0' ? alert->key : NULL);
	json_key(w, "version");
	if (alert->version != 0)
		json_write_integer(w, (int64_t)alert->version);
	else
		json_write_null(w);
	json_put_time(w, "since", alert->since_ms);
	json_put_string(w, "text", alert->text);
	json_put_string(w, "advice", alert->advice);
	write_ack(w, alert->ack);
	json_end_object(w);
}

static void write_counts(struct json_writer *w, const struct alerts *alerts)
{
	json_begin_object(w);
	for (size_t i = 0; i < SEVERITY_COUNT; i++)
		json_put_integer(w, severities[i], (int64_t)alerts->counts[i]);
	json_put_integer(w, "acked", (int64_t)alerts->acked);
	json_end_object(w);
}

static size_t sum(const struct alerts *alerts)
{
	return alerts->counts[SEVERITY_CRITICAL] + alerts->counts[SEVERITY_WARNING] +
	       alerts->counts[SEVERITY_NOTICE] + alerts->acked;
}

enum err alerts_write_counts(struct call *call)
{
	ALERTS_AUTO alerts = {.core = call->core, .now_ms = call->now_ms};
	enum err err = alerts_look(&alerts);

	json_key(&call->w, "alerts");
	write_counts(&call->w, &alerts);
	return err;
}

enum err handle_alert_list(struct call *call)
{
	ALERTS_AUTO alerts = {.core = call->core, .now_ms = call->now_ms, .viewer = call};
	struct json_writer *w = &call->w;
	enum err err = alerts_look(&alerts);

	if (err != OK)
		return err;
	qsort(alerts.told, alerts.told_count, sizeof(*alerts.told), compare);
	json_begin_object(w);
	session_write_place(call);
	json_key(w, "counts");
	write_counts(w, &alerts);
	json_key(w, "alerts");
	json_begin_array(w);
	for (size_t i = 0; i < alerts.told_count; i++)
		write_alert(w, &alerts.told[i]);
	json_end_array(w);
	json_put_bool(w, "more", sum(&alerts) > alerts.told_count);
	json_end_object(w);
	return OK;
}
