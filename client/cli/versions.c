/*
 * Reads where a secret stands from its versions, newest first, as the daemon lists them.  Deciding what follows from
 * it is left to the commands.
 */
#include "versions.h"

#include <string.h>

#include "cli.h"

enum err versions_check_names(const struct cli *cli)
{
	const char *integration = args_text(&cli->args, FIELD_INTEGRATION);
	const char *key = args_text(&cli->args, FIELD_KEY);

	if (!text_is_integration_name(integration, strlen(integration)))
		return cli_usage(cli, "the name of an integration is [workspace/]slug");
	if (text_check_key(key, strlen(key)) == ERR_BAD_NAME)
		return cli_fail(cli, ERR_BAD_NAME, "%s", err_text(ERR_BAD_NAME));
	return OK;
}

static void add_staged(const struct reply *reply, const struct json_token *version, struct standing *out)
{
	const struct json_token *tests = reply_array(reply, version, "tests");
	const struct json_token *newest = tests == NULL ? NULL : json_first(&reply->doc, tests);

	out->staged = reply_integer(reply, version, "version");
	out->is_tested = reply_flag(reply, version, "tested");
	if (newest == NULL)
		return;
	reply_text(reply, newest, "run", out->verdict, sizeof(out->verdict));
	out->has_passed = reply_flag(reply, newest, "passed");
}

static void add_version(const struct reply *reply, const struct json_token *version, struct standing *out)
{
	int64_t number = reply_integer(reply, version, "version");

	if (number > out->newest)
		out->newest = number;
	if (reply_is(reply, version, "state", "current"))
		out->current = number;
	else if (reply_is(reply, version, "state", "staged"))
		add_staged(reply, version, out);
}

struct standing versions_sum(const struct reply *shown)
{
	const struct json_token *versions = reply_array(shown, NULL, "versions");
	struct standing standing = {0};

	for (const struct json_token *t = json_first(&shown->doc, versions); t != NULL;
		t = json_next(&shown->doc, versions, t))
		add_version(shown, t, &standing);
	for (const struct json_token *t = json_first(&shown->doc, versions); t != NULL;
		t = json_next(&shown->doc, versions, t)) {
		int64_t number = reply_integer(shown, t, "version");
		bool is_older = standing.draining == 0 || number < standing.draining;

		if (reply_is(shown, t, "state", "draining") && number < standing.current && is_older)
			standing.draining = number;
	}
	return standing;
}

static void begin_params(const struct cli *cli, struct json_writer *w)
{
	static const enum field named[] = {FIELD_INTEGRATION, FIELD_KEY};

	json_begin_object(w);
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		json_put_string(w, field_info(named[i])->wire, args_text(&cli->args, named[i]));
}

enum err versions_read(struct cli *cli, struct standing *out)
{
	BUF_AUTO params = {0};
	REPLY_AUTO reply = {0};
	struct json_writer w = json_writer(&params);

	begin_params(cli, &w);
	json_end_object(&w);

	enum err err = cli_try(cli, request_info(REQUEST_SECRET_SHOW)->method, &params, &reply);

	if (err == OK)
		*out = versions_sum(&reply);
	return err;
}

enum err versions_try(struct cli *cli, const struct version_request *request, struct reply *reply)
{
	BUF_AUTO params = {0};
	struct json_writer w = json_writer(&params);

	begin_params(cli, &w);
	json_put_integer(&w, field_info(FIELD_VERSION)->wire, request->version);
	if (request->expect_version > 0)
		json_put_integer(&w, field_info(FIELD_EXPECT_VERSION)->wire, request->expect_version);
	if (request->is_untested)
		json_put_bool(&w, field_info(FIELD_UNTESTED)->wire, true);
	if (request->is_processes_only)
		json_put_bool(&w, field_info(FIELD_PROCESSES_ONLY)->wire, true);
	json_end_object(&w);
	return cli_try(cli, request_info(request->kind)->method, &params, reply);
}
