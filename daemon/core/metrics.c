/*
 * vault.metrics: the vault in numbers, for a monitoring system.  Each family is there whenever the vault is open, also at
 * zero: what is not there cannot be watched.  Its text is the client's to write.
 */
#include "metrics.h"

#include <string.h>

#include "alert_look.h"
#include "archives.h"
#include "holders.h"
#include "space.h"

#define METRIC(id, name, type, unit, help) [METRIC_##id] = {name, type, unit, help},
static const struct {
	const char *name;
	const char *type;
	const char *unit;
	const char *help;
} families[] = {
#include "metrics.def"
};
#undef METRIC

/* ---- writing ---- */

void metrics_begin(struct call *call, enum metric metric)
{
	struct json_writer *w = &call->w;

	json_begin_object(w);
	json_put_string(w, "name", families[metric].name);
	json_put_string(w, "type", families[metric].type);
	json_put_string(w, "unit", families[metric].unit);
	json_put_string(w, "help", families[metric].help);
	if (strcmp(families[metric].type, "counter") == 0)
		json_put_time(w, "created", call->core->started_ms);
	json_key(w, "samples");
	json_begin_array(w);
}

void metrics_end(struct call *call)
{
	json_end_array(&call->w);
	json_end_object(&call->w);
}

void metrics_sample(struct call *call, const char *label, const char *text, int64_t value)
{
	struct json_writer *w = &call->w;

	json_begin_object(w);
	json_key(w, "labels");
	json_begin_object(w);
	if (label != NULL)
		json_put_string(w, label, text);
	json_end_object(w);
	json_put_integer(w, "value", value);
	json_end_object(w);
}

void metrics_put(struct call *call, enum metric metric, uint64_t value)
{
	metrics_begin(call, metric);
	metrics_sample(call, NULL, NULL, (int64_t)value);
	metrics_end(call);
}

/* ---- the parts ---- */

static enum err write_daemon(struct call *call)
{
	struct core *core = call->core;

	metrics_begin(call, METRIC_BUILD_INFO);
	metrics_sample(call, "version", COFFER_VERSION, 1);
	metrics_end(call);
	metrics_put(call, METRIC_START_TIME, (uint64_t)(core->started_ms / 1000));
	if (core->connections != NULL)
		metrics_put(call, METRIC_CONNECTIONS, core->connections(core->connections_arg));
	return OK;
}

static enum err write_counts(struct call *call)
{
	struct store *store = call->core->store;
	struct store_counts counts = {0};
	size_t tokens = 0, pending = 0, own = 0;
	enum err err = store_counts(store, &counts);

	if (err == OK)
		err = store_token_live(store, call->now_ms, &tokens);
	if (err == OK)
		err = store_approval_pending(store, call->who->uid, &pending, &own);
	metrics_put(call, METRIC_SECRETS, counts.secrets);
	metrics_put(call, METRIC_GRANTS, counts.grants);
	metrics_put(call, METRIC_TOKENS, tokens);
	metrics_put(call, METRIC_APPROVALS_PENDING, pending);
	metrics_put(call, METRIC_HOLDERS, holders_processes(call->core));
	metrics_put(call, METRIC_AUDIT_RECORDS, counts.audit_records);
	metrics_put(call, METRIC_STORE_SIZE, counts.file_bytes);
	return err;
}

static enum err write_space(struct call *call)
{
	struct archives_state audit = {0};
	uint64_t bytes = 0;

	archives_look(call->core, &audit);
	metrics_put(call, METRIC_AUDIT_SIZE, audit.bytes);
	metrics_put(call, METRIC_AUDIT_LIMIT, audit.limit_bytes);
	metrics_put(call, METRIC_AUDIT_TROUBLE, audit.trouble != NULL ? 1 : 0);
	if (call->core->state_dir != NULL && space_free_bytes(call->core->state_dir, &bytes) == OK)
		metrics_put(call, METRIC_STORE_FREE, bytes);
	return OK;
}

static enum err write_alerts(struct call *call)
{
	ALERTS_AUTO alerts = {.core = call->core, .now_ms = call->now_ms};
	enum err err = alerts_look(&alerts);

	metrics_begin(call, METRIC_ALERTS);
	for (enum severity severity = 0; severity < SEVERITY_COUNT; severity++)
		metrics_sample(
			call, "severity", alert_severity_word(severity), (int64_t)alerts.counts[severity]);
	metrics_end(call);
	metrics_begin(call, METRIC_ALERTS_OF_KIND);
	for (enum alert_kind kind = 0; kind < ALERT_KIND_COUNT; kind++)
		metrics_sample(call, "kind", alert_word(kind), (int64_t)alerts.of_kind[kind]);
	metrics_end(call);
	metrics_put(call, METRIC_ALERTS_ACKED, alerts.acked);
	return err;
}

static enum err write_totals(struct call *call)
{
	const struct core_totals *totals = &call->core->totals;

	metrics_put(call, METRIC_FETCHES, totals->fetches);
	metrics_begin(call, METRIC_REFUSALS);
	for (enum err err = OK + 1; err < ERR_COUNT; err++)
		if (err_class(err) != ERR_CLASS_LOCAL)
			metrics_sample(call, "error", err_word(err), (int64_t)totals->refused[err]);
	metrics_end(call);
	metrics_put(call, METRIC_UNDELIVERED, call->core->undelivered);
	return OK;
}

enum err handle_vault_metrics(struct call *call)
{
	static enum err (*const parts[])(struct call *) = {
		write_daemon, write_counts, write_space, write_alerts, write_totals, metrics_of_integrations};
	struct json_writer *w = &call->w;
	enum err err = OK;

	json_begin_object(w);
	session_write_place(call);
	json_key(w, "families");
	json_begin_array(w);
	for (size_t i = 0; err == OK && i < sizeof(parts) / sizeof(parts[0]); i++)
		err = parts[i](call);
	json_end_array(w);
	json_end_object(w);
	return err;
}
