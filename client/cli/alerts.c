/*
 * Alerts as the daemon lists them, most urgent first.  A timer asks by exit status alone, so an answer that is not
 * understood must not look like none.
 */
#include "alerts.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "gate.h"
#include "request.h"
#include "table.h"
#include "text.h"

static const struct column list[] = {
	{"SEVERITY", "severity", SHOW_STATE},
	{"ALERT", "id", SHOW_STATE},
	{"SINCE", "since", SHOW_TIME},
	{"WHAT", "text", SHOW_TEXT},
	{"TRY", "advice", SHOW_STATE},
	{0},
};

static const struct column seen[] = {
	{"SEVERITY", "severity", SHOW_STATE},
	{"ALERT", "id", SHOW_STATE},
	{"SINCE", "since", SHOW_TIME},
	{"WHAT", "text", SHOW_TEXT},
	{"SEEN BY", "acked.by", SHOW_STATE},
	{"QUIET UNTIL", "acked.until", SHOW_TIME},
	{"NOTE", "acked.note", SHOW_TEXT},
	{0},
};

/* ---- the list ---- */

static bool is_seen(const struct reply *reply, const struct json_token *alert)
{
	const struct json_token *acked = reply_at(reply, alert, "acked");

	return acked != NULL && acked->type == JSON_OBJECT;
}

/* Those that somebody has seen, or the others, as a list of their own. */
static size_t pick(const struct reply *reply, bool are_seen, struct buf *out)
{
	const struct json_token *alerts = reply_array(reply, NULL, "alerts");
	size_t count = 0;

	buf_append_string(out, "{\"alerts\":[");
	for (const struct json_token *t = json_first(&reply->doc, alerts); t != NULL;
		t = json_next(&reply->doc, alerts, t)) {
		if (is_seen(reply, t) != are_seen)
			continue;
		buf_append_string(out, count++ > 0 ? "," : "");
		buf_append(out, json_raw(&reply->doc, t), t->len);
	}
	buf_append_string(out, "]}");
	return count;
}

static enum err print_picked(const struct reply *reply, bool are_seen)
{
	BUF_AUTO text = {0};
	REPLY_AUTO picked = {0};
	size_t count = pick(reply, are_seen, &text);
	enum err err = buf_failed(&text) ? ERR_INTERNAL : reply_read(&picked, text.bytes, text.len);

	if (err != OK || (are_seen && count == 0))
		return err;
	if (are_seen)
		puts("");
	return table_print(&picked, reply_array(&picked, NULL, "alerts"), are_seen ? seen : list);
}

static bool shows_all;

enum err alerts_print(const struct reply *reply)
{
	enum err err = print_picked(reply, false);

	if (err == OK && shows_all)
		err = print_picked(reply, true);
	if (err == OK && reply_flag(reply, NULL, "more"))
		cli_say("there are more: these are the most urgent ones");
	return err;
}

enum err alerts_run(struct cli *cli)
{
	REPLY_AUTO reply = {0};
	BUF_AUTO unseen = {0};
	enum err err = cli_ask(cli, REQUEST_ALERT_LIST, &reply);

	if (err != OK)
		return err;
	if (reply_array(&reply, NULL, "alerts") == NULL)
		return cli_fail(cli, ERR_PROTOCOL, "the daemon's answer holds no alerts");
	shows_all = args_text(&cli->args, SLOT_ALL) != NULL;
	cli->exit_status = pick(&reply, false, &unseen) > 0 ? 1 : 0;
	return cli_show(cli, &reply);
}

/* ---- alert ack ---- */

/* A time as it is, or so long from now. */
static void read_until(const char *text, char out[TIME_TEXT_BYTES])
{
	struct timespec now = {0};
	int64_t seconds = 0;

	(void)snprintf(out, TIME_TEXT_BYTES, "%.*s", TIME_TEXT_BYTES - 1, text);
	if (text_duration(text, strlen(text), &seconds) && clock_gettime(CLOCK_REALTIME, &now) == 0)
		text_format_time((now.tv_sec + seconds) * 1000, out);
}

/* What stands between the first two colons, if it is the name of an integration: managers must give it. */
static void read_integration(const char *id, char out[INTEGRATION_NAME_BYTES_MAX + 1])
{
	const char *name = strchr(id, ':');
	size_t len = name == NULL ? 0 : strcspn(name + 1, ":");

	out[0] = '\0';
	if (len <= INTEGRATION_NAME_BYTES_MAX && len > 0 && text_is_integration_name(name + 1, len))
		(void)snprintf(out, INTEGRATION_NAME_BYTES_MAX + 1, "%.*s", (int)len, name + 1);
}

static void put_text(struct json_writer *w, const struct cli *cli, enum field field)
{
	const char *text = args_text(&cli->args, field);

	if (text != NULL)
		json_put_string(w, field_info(field)->wire, text);
}

static void write_ack(const struct cli *cli, struct buf *params)
{
	struct json_writer w = json_writer(params);
	const char *until = args_text(&cli->args, FIELD_UNTIL);
	char integration[INTEGRATION_NAME_BYTES_MAX + 1] = "";
	char time[TIME_TEXT_BYTES] = "";

	json_begin_object(&w);
	put_text(&w, cli, FIELD_ALERT);
	put_text(&w, cli, FIELD_NOTE);
	put_text(&w, cli, FIELD_REQUEST_ID);
	if (until != NULL) {
		read_until(until, time);
		json_put_string(&w, field_info(FIELD_UNTIL)->wire, time);
	}
	put_text(&w, cli, FIELD_INTEGRATION);
	if (args_text(&cli->args, FIELD_INTEGRATION) == NULL) {
		read_integration(args_text(&cli->args, FIELD_ALERT), integration);
		if (integration[0] != '\0')
			json_put_string(&w, field_info(FIELD_INTEGRATION)->wire, integration);
	}
	json_end_object(&w);
}

/* JSON can carry nothing else. */
static bool is_utf8(const struct cli *cli, enum field field)
{
	const char *text = args_text(&cli->args, field);

	return text == NULL || gate_is_utf8(text, strlen(text));
}

enum err alerts_ack(struct cli *cli)
{
	BUF_AUTO params = {0};
	REPLY_AUTO reply = {0};

	if (!is_utf8(cli, FIELD_ALERT) || !is_utf8(cli, FIELD_NOTE) || !is_utf8(cli, FIELD_UNTIL) ||
		!is_utf8(cli, FIELD_INTEGRATION) || !is_utf8(cli, FIELD_REQUEST_ID))
		return cli_usage(cli, "not UTF-8");
	write_ack(cli, &params);

	enum err err = cli_call(cli, request_info(REQUEST_ALERT_ACK)->method, &params, &reply);

	return err == OK ? cli_show(cli, &reply) : err;
}

enum err alerts_print_acked(const struct reply *reply)
{
	return table_say(reply, "{alert} is quiet until {until}");
}
