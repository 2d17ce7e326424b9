/*
 * Fetches audit records by pages and writes them as they are, one line each, so that what is verified later
 * is what the daemon said.  A page that does not move forward is an error: the daemon cannot keep us here.
 */
#include "audits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "output_file.h"
#include "params.h"
#include "table.h"

enum { PAGE_RECORDS = 500, LIST_RECORDS = 100 /* unless --limit */ };

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
	{"GRANT", "object", SHOW_ORDINAL},
	{"WHAT", "subject", SHOW_TEXT},
	{"TIMES", "repeats", SHOW_NUMBER},
	{"DETAIL", "detail", SHOW_TEXT},
	{0},
};

enum err audits_print_list(const struct reply *reply)
{
	return table_print(reply, reply_at(reply, NULL, "records"), list);
}

static void read_head(const struct reply *reply, struct audits_head *out)
{
	size_t len = 0;

	*out = (struct audits_head){0};
	if (json_integer(&reply->doc, reply_at(reply, NULL, "head.seq"), &out->seq) != OK ||
		json_text(&reply->doc, reply_at(reply, NULL, "head.hash"), out->hash, sizeof(out->hash),
			&len) != OK)
		*out = (struct audits_head){0};
}

static enum err fetch_page(struct cli *cli, int64_t after, int64_t limit, struct reply *reply)
{
	BUF_AUTO params = {0};
	struct json_writer w = json_writer(&params);

	json_begin_object(&w);
	json_put_integer(&w, field_info(FIELD_AFTER)->wire, after);
	json_put_integer(&w, field_info(FIELD_LIMIT)->wire, limit);
	json_end_object(&w);
	return cli_call(cli, request_info(REQUEST_AUDIT_LIST)->method, &params, reply);
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

enum err audits_each(
	struct cli *cli, int64_t after, audits_take_fn take, void *context, struct audits_head *head_out)
{
	bool is_last = false;

	while (!is_last) {
		REPLY_AUTO reply = {0};
		enum err err = fetch_page(cli, after, PAGE_RECORDS, &reply);

		if (err == OK)
			err = take_page(cli, &reply, take, context, &after, &is_last);
		if (err != OK)
			return err;
		read_head(&reply, head_out);
	}
	return OK;
}

static enum err write_record(
	struct cli *cli, void *context, const struct reply *reply, const struct json_token *record)
{
	FILE *stream = context;

	(void)fwrite(json_raw(&reply->doc, record), 1, record->len, stream);
	(void)fputc('\n', stream);
	return ferror(stream) == 0 ? OK
				   : cli_fail(cli, ERR_STORAGE, "cannot be written: %s", strerror(errno));
}

static enum err read_after(const struct cli *cli, int64_t *out)
{
	const char *text = args_text(&cli->args, FIELD_AFTER);
	char *end = NULL;

	*out = 0;
	if (text == NULL)
		return OK;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' && *text >= '0' && *text <= '9'
		       ? OK
		       : cli_usage(cli, "--after: not a number");
}

enum err audits_export(struct cli *cli)
{
	const char *path = args_text(&cli->args, SLOT_OUTPUT);
	struct audits_head head = {0};
	FILE *stream = NULL;
	int64_t after = 0;
	enum err err = read_after(cli, &after);

	if (err == OK)
		err = output_file_open(cli, path, &stream);
	if (err != OK)
		return err;
	err = audits_each(cli, after, write_record, stream, &head);
	return output_file_close(cli, path, stream, err);
}

static bool is_whole_log(const struct cli *cli)
{
	static const unsigned narrowing[] = {FIELD_AFTER, FIELD_SINCE, FIELD_UNTIL, FIELD_UID,
		FIELD_INTEGRATION, FIELD_OUTCOME, FIELD_KIND};

	for (size_t i = 0; i < sizeof(narrowing) / sizeof(narrowing[0]); i++) {
		if (args_text(&cli->args, narrowing[i]) != NULL)
			return false;
	}
	return true;
}

static int64_t list_limit(const struct cli *cli)
{
	const char *text = args_text(&cli->args, FIELD_LIMIT);

	/* What is no number params_write has refused. */
	return text != NULL ? strtoll(text, NULL, 10) : LIST_RECORDS;
}

/* The number after which the newest records begin. */
static enum err find_newest(struct cli *cli, int64_t limit, int64_t *after_out)
{
	REPLY_AUTO reply = {0};
	struct audits_head head = {0};
	enum err err = fetch_page(cli, 0, 1, &reply);

	if (err != OK)
		return err;
	read_head(&reply, &head);
	*after_out = head.seq > limit ? head.seq - limit : 0;
	return OK;
}

/* A full page with records of the log behind it may not be all. */
static void note_more(const struct reply *reply, int64_t limit)
{
	const struct json_token *records = reply_at(reply, NULL, "records");
	struct audits_head head = {0};
	int64_t last = 0;

	if (records == NULL || records->type != JSON_ARRAY || records->count < limit)
		return;
	for (const struct json_token *t = json_first(&reply->doc, records); t != NULL;
		t = json_next(&reply->doc, records, t)) {
		if (json_integer(&reply->doc, reply_at(reply, t, "seq"), &last) != OK)
			return;
	}
	read_head(reply, &head);
	if (head.seq > last)
		cli_say("more: --after %lld", (long long)last);
}

enum err audits_list(struct cli *cli)
{
	BUF_AUTO params = {0};
	REPLY_AUTO reply = {0};
	struct json_writer w = json_writer(&params);
	bool is_newest = is_whole_log(cli);
	int64_t after = 0;

	json_begin_object(&w);

	enum err err = params_write(cli, REQUEST_AUDIT_LIST, &w);
	int64_t limit = list_limit(cli);

	if (err == OK && is_newest)
		err = find_newest(cli, limit, &after);
	if (is_newest)
		json_put_integer(&w, field_info(FIELD_AFTER)->wire, after);
	json_end_object(&w);
	if (err == OK)
		err = cli_call(cli, request_info(REQUEST_AUDIT_LIST)->method, &params, &reply);
	if (err == OK)
		err = cli_show(cli, &reply);
	if (err == OK && !is_newest)
		note_more(&reply, limit);
	return err;
}
