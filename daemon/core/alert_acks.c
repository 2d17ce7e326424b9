/*
 * alert.ack: somebody has seen an alert and wants to hear of it again at a time of their choice, or when it begins anew.
 */
#include "alert_look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNTIL_DAYS_MAX = 366, DAY_MS = 86400000 };

static enum err check_until(struct call *call, int64_t until_ms)
{
	if (until_ms <= call->now_ms)
		return call_refuse(call, ERR_BAD_VALUE, "until is past", "until must lie in the future");
	if (until_ms - call->now_ms > UNTIL_DAYS_MAX * (int64_t)DAY_MS)
		return call_refuse(call, ERR_BAD_VALUE, "until is too far",
			"an alert is quiet for a year at most: somebody must look again");
	return OK;
}

/* An alert that is quiet for a year should say why. */
static enum err check_note(struct call *call, const char *note)
{
	if (note[strspn(note, " ")] != '\0')
		return OK;
	return call_refuse(call, ERR_BAD_VALUE, "an empty note", "note must say why the alert may be quiet");
}

/* The integration that was asked for is the one whose manager the caller may be. */
static bool is_of(const struct call *call, const struct alert *alert)
{
	char name[INTEGRATION_NAME_BYTES_MAX + 1] = "";

	return !request_text(call->request, FIELD_INTEGRATION, name, sizeof(name)) ||
	       strcmp(name, alert->integration) == 0;
}

static enum err find(struct call *call, const char *id, struct alert *out)
{
	ALERTS_AUTO alerts = {.core = call->core, .now_ms = call->now_ms, .viewer = call, .wanted = id};
	enum err err = alerts_look(&alerts);

	if (err == OK && (!alerts.has_found || !is_of(call, &alerts.found)))
		return call_refuse(call, ERR_NOT_FOUND, "no such alert",
			"there is no such alert, or not any more; see coffer alerts");
	*out = alerts.found;
	return err;
}

enum err handle_alert_ack(struct call *call)
{
	char id[ALERT_ID_BYTES] = "";
	char note[ALERT_NOTE_BYTES] = "";
	char until[64] = "";
	struct alert alert = {0};
	struct store_alert_ack ack = {
		.alert = id, .note = note, .time_ms = call->now_ms, .uid = call->who->uid};

	request_text(call->request, FIELD_ALERT, id, sizeof(id));
	request_text(call->request, FIELD_NOTE, note, sizeof(note));
	request_text(call->request, FIELD_UNTIL, until, sizeof(until));
	(void)text_time(until, strlen(until), &ack.until_ms); /* the decoder has seen to it */

	enum err err = check_until(call, ack.until_ms);

	if (err == OK)
		err = check_note(call, note);
	if (err == OK)
		err = find(call, id, &alert);
	if (err != OK)
		return err;
	ack.since_ms = alert.since_ms;
	ack.severity = alert.severity;
	snprintf(call->record.integration, sizeof(call->record.integration), "%s", alert.integration);
	call_subject(call, "alert=%s", id);
	call_subject(call, "until=%s", until);
	call_subject(call, "note");
	err = store_alert_ack_put(call->core->store, &ack);
	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_put_string(&call->w, "alert", id);
	json_put_time(&call->w, "until", ack.until_ms);
	json_end_object(&call->w);
	return OK;
}

static enum err on_any(void *arg, const struct store_alert_ack *ack)
{
	(void)ack;
	*(bool *)arg = true;
	return OK;
}

/* Where there are any: finding all alerts costs more than a tick should. */
enum err alerts_forget_acks(struct core *core, int64_t now_ms)
{
	ALERTS_AUTO alerts = {.core = core, .now_ms = now_ms};
	bool has_any = false;
	enum err err = store_alert_ack_each(core->store, on_any, &has_any);

	if (err != OK || !has_any)
		return err;
	err = alerts_look(&alerts);
	for (size_t i = 0; err == OK && i < alerts.ack_count; i++)
		if (!alerts.acks[i].is_alive)
			err = store_alert_ack_remove(core->store, alerts.acks[i].id);
	return err;
}
