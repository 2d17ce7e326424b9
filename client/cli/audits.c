/*
 * Fetches audit records by pages.  A page that does not move forward is an error: the daemon cannot keep us here.
 */
#include "audits.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "moments.h"
#include "params.h"
#include "table.h"

enum { PAGE_RECORDS = 500, LIST_RECORDS = 100 /* unless --limit */, LIST_RECORDS_MAX = 1000 };

static const struct column list[] = {
	{"SEQ", "seq", SHOW_NUMBER},
	{"TIME", "time", SHOW_TIME},
	{"KIND", "kind", SHOW_STATE},
	{"OUTCOME", "outcome", SHOW_STATE},
	{"UID", "uid", SHOW_NUMBER},
	{"UNIT", "unit", SHOW_STATE},
	{"INTEGRATION", "integration", SHOW_STATE},
	{"KEY", "key", SHOW_STATE},
	{"VERSION", "version", SHOW_ORDINAL},
	{"NUMBER", "object", SHOW_ORDINAL},
	{"WHAT", "subject", SHOW_TEXT},
	{"TIMES", "repeats", SHOW_NUMBER},
	{"DETAIL", "detail", SHOW_TEXT},
	{0},
};

enum err audits_print_list(const struct reply *reply)
{
	return table_print(reply, reply_at(reply, NULL, "records"), list);
}

void audits_read_place(const struct reply *reply, const char *name, struct audits_place *out)
{
	const struct json_token *place = reply_at(reply, NULL, name);
	size_t len = 0;

	*out = (struct audits_place){0};
	if (place == NULL || json_integer(&reply->doc, reply_at(reply, place, "seq"), &out->seq) != OK ||
		json_text(&reply->doc, reply_at(reply, place, "hash"), out->hash, sizeof(out->hash), &len) !=
			OK)
		*out = (struct audits_place){0};
}

/* ---- conditions ---- */

static const unsigned conditions[] = {
	FIELD_SINCE, FIELD_UNTIL, FIELD_UID, FIELD_INTEGRATION, FIELD_OUTCOME, FIELD_KIND, SLOT_BY_USER};

bool audits_are_filtered(const struct cli *cli)
{
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		if (args_text(&cli->args, conditions[i]) != NULL)
			return true;
	}
	return false;
}

enum err audits_settle(struct cli *cli)
{
	enum err err = moments_settle(cli, FIELD_SINCE, false);

	if (err == OK)
		err = moments_settle(cli, FIELD_UNTIL, true);
	return err == OK ? moments_settle_user(cli) : err;
}

enum err audits_read_after(const struct cli *cli, int64_t *out)
{
	*out = 0;
	return params_count(cli, FIELD_AFTER, out);
}

/* ---- pages ---- */

static enum err set_number(struct cli *cli, enum field field, int64_t number)
{
	char text[24] = "";

	(void)snprintf(text, sizeof(text), "%lld", (long long)number);
	return args_set(&cli->args, field, text);
}

static enum err fetch_page(struct cli *cli, int64_t after, int64_t limit, struct reply *reply)
{
	BUF_AUTO params = {0};
	struct json_writer w = json_writer(&params);
	enum err err = set_number(cli, FIELD_AFTER, after);

	if (err == OK)
		err = set_number(cli, FIELD_LIMIT, limit);
	json_begin_object(&w);
	if (err == OK)
		err = params_write(cli, REQUEST_AUDIT_LIST, &w);
	json_end_object(&w);
	return err == OK ? cli_try(cli, request_info(REQUEST_AUDIT_LIST)->method, &params, reply) : err;
}

static enum err take_page(struct cli *cli, const struct reply *reply, audits_take_fn take, void *context,
	int64_t *after, bool *is_last_out)
{
	const struct json_token *records = reply_at(reply, NULL, "records");

	if (records == NULL || records->type != JSON_ARRAY)
		return cli_fail(cli, ERR_PROTOCOL, "the daemon's answer holds no records");
	*is_last_out = records->count == 0;
	for (const struct json_token *t = json_first(&reply->doc, records); t != NULL;
		t = json_next(&reply->doc, records, t)) {
		int64_t seq = 0;

		if (json_integer(&reply->doc, reply_at(reply, t, "seq"), &seq) != OK || seq <= *after)
			return cli_fail(cli, ERR_PROTOCOL, "the daemon's records are out of order");

		enum err err = take(cli, context, reply, t);

		if (err != OK)
			return err;
		*after = seq;
	}
	return OK;
}

enum err audits_page(struct cli *cli, struct audits_paging *paging)
{
	REPLY_AUTO reply = {0};

	paging->is_asked = false;

	enum err err = fetch_page(cli, paging->after, PAGE_RECORDS, &reply);

	if (err != OK)
		return err;
	paging->is_asked = true;
	err = take_page(cli, &reply, paging->take, paging->context, &paging->after, &paging->is_last);
	if (err == OK)
		audits_read_place(&reply, "head", &paging->head);
	return err;
}

enum err audits_each(struct cli *cli, struct audits_paging *paging)
{
	enum err err = OK;

	while (err == OK && !paging->is_last)
		err = audits_page(cli, paging);
	return err == OK || paging->is_asked ? err : cli_report(cli, err);
}

/* ---- the list ---- */

/* The number after which the newest records begin. */
static enum err find_newest(struct cli *cli, int64_t limit, int64_t *after_out)
{
	REPLY_AUTO reply = {0};
	struct audits_place head = {0};
	enum err err = fetch_page(cli, 0, 1, &reply);

	if (err != OK)
		return cli_report(cli, err);
	audits_read_place(&reply, "head", &head);
	*after_out = head.seq > limit ? head.seq - limit : 0;
	return OK;
}

/* Of more the daemon gives the oldest thousand, which would pass for all of them. */
static enum err read_limit(const struct cli *cli, int64_t *out)
{
	enum err err = params_count(cli, FIELD_LIMIT, out);

	if (err == OK && (*out < 1 || *out > LIST_RECORDS_MAX))
		return cli_usage(
			cli, "--limit: 1 to %d; coffer audit export writes all records", LIST_RECORDS_MAX);
	return err;
}

/* A full page with records of the log behind it may not be all. */
static void note_more(const struct reply *reply, int64_t limit)
{
	const struct json_token *records = reply_at(reply, NULL, "records");
	struct audits_place head = {0};
	int64_t last = 0;

	if (records == NULL || records->type != JSON_ARRAY || records->count < limit)
		return;
	for (const struct json_token *t = json_first(&reply->doc, records); t != NULL;
		t = json_next(&reply->doc, records, t)) {
		if (json_integer(&reply->doc, reply_at(reply, t, "seq"), &last) != OK)
			return;
	}
	audits_read_place(reply, "head", &head);
	if (head.seq > last)
		cli_say("more: --after %lld", (long long)last);
}

/* Who looks for records and finds none may want those that are no longer here. */
static void note_archived(const struct reply *reply)
{
	struct audits_place cut = {0};

	audits_read_place(reply, "cut", &cut);
	if (cut.seq > 0)
		cli_say("records up to %lld are archived", (long long)cut.seq);
}

static enum err ask_newest(struct cli *cli, int64_t limit)
{
	int64_t after = 0;
	enum err err = find_newest(cli, limit, &after);

	if (err == OK)
		err = set_number(cli, FIELD_LIMIT, limit);
	return err == OK ? set_number(cli, FIELD_AFTER, after) : err;
}

enum err audits_list(struct cli *cli)
{
	REPLY_AUTO reply = {0};
	bool is_newest = !audits_are_filtered(cli) && args_text(&cli->args, FIELD_AFTER) == NULL;
	int64_t limit = LIST_RECORDS;
	enum err err = audits_settle(cli);

	if (err == OK)
		err = read_limit(cli, &limit);
	if (err == OK && is_newest)
		err = ask_newest(cli, limit);
	if (err == OK)
		err = cli_ask(cli, REQUEST_AUDIT_LIST, &reply);
	if (err == OK)
		err = cli_show(cli, &reply);
	if (err == OK && !is_newest) {
		note_more(&reply, limit);
		note_archived(&reply);
	}
	return err;
}
