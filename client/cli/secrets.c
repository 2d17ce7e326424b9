/*
 * Shows names, versions, dates and tests of secrets; there is nothing here that could show a value (P3).
 */
#include "secrets.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "table.h"

static const struct column list[] = {
	{"KEY", "key", SHOW_STATE},
	{"CURRENT", "current", SHOW_ORDINAL},
	{"STAGED", "staged", SHOW_ORDINAL},
	{"DRAINING", "draining", SHOW_TEXT},
	{"FETCHES", "fetches", SHOW_NUMBER},
	{"LAST FETCHED", "last_fetched_at", SHOW_LAST},
	{"ACCESS", "access", SHOW_STATE},
	{"ISSUER", "issuer", SHOW_TEXT},
	{"DESCRIPTION", "description", SHOW_TEXT},
	{0},
};

static const struct column touched[] = {
	{"INTEGRATION", "integration", SHOW_STATE},
	{"KEY", "key", SHOW_STATE},
	{"VERSION", "version", SHOW_NUMBER},
	{"STATE", "state", SHOW_STATE},
	{"PUT", "put", SHOW_STATE},
	{"FETCHED", "fetched", SHOW_NUMBER},
	{"LAST FETCHED", "last_fetched_at", SHOW_LAST},
	{0},
};

static const struct column secret[] = {
	{"Key", "key", SHOW_TEXT},
	{"Description", "description", SHOW_TEXT},
	{"Issuer", "issuer", SHOW_TEXT},
	{"Access", "access", SHOW_TEXT},
	{0},
};

static const struct column versions[] = {
	{"VERSION", "version", SHOW_NUMBER},
	{"STATE", "state", SHOW_STATE},
	{"CHANGED", "changed_at", SHOW_TIME},
	{"CREATED", "created_at", SHOW_TIME},
	{"BY", "created_by", SHOW_STATE},
	{"EXPIRES", "expires_at", SHOW_LAST},
	{"TESTED", "tested", SHOW_STATE},
	{"HOLDERS", "holders", SHOW_NUMBER},
	{"FETCHES", "fetches", SHOW_NUMBER},
	{"LAST FETCHED", "last_fetched_at", SHOW_LAST},
	{"ISSUER'S REFERENCE", "issuer_ref", SHOW_TEXT},
	{"NOTE", "note", SHOW_TEXT},
	{0},
};

static const struct column tests[] = {
	{"AT", "at", SHOW_TIME},
	{"BY", "by", SHOW_STATE},
	{"VERDICT", "passed", SHOW_VERDICT},
	{"STATUS", "exit_status", SHOW_NUMBER},
	{"TOOK", "duration_ms", SHOW_DURATION},
	{"COMMAND", "command_digest", SHOW_DIGEST},
	{0},
};

enum err secrets_list(struct cli *cli)
{
	if (args_text(&cli->args, FIELD_INTEGRATION) == NULL &&
		args_text(&cli->args, FIELD_TOUCHED_BY) == NULL)
		return cli_usage(cli, "name an INTEGRATION, or a user with --touched-by");
	return cli_request(cli);
}

/* Asked for by user the daemon lists versions instead of secrets. */
enum err secrets_print_list(const struct reply *reply)
{
	bool is_by_user = reply_at(reply, NULL, "user") != NULL;

	return table_print(reply, reply_at(reply, NULL, "secrets"), is_by_user ? touched : list);
}

static enum err print_tests(const struct reply *reply, const struct json_token *version)
{
	const struct json_token *array = reply_array(reply, version, "tests");

	if (array == NULL || array->count == 0)
		return OK;
	printf("\nTests of version %" PRId64 ":\n", reply_integer(reply, version, "version"));
	return table_print(reply, array, tests);
}

enum err secrets_print_one(const struct reply *reply)
{
	enum err err = table_print_block(reply, NULL, secret);

	if (err != OK)
		return err;
	puts("");

	const struct json_token *array = reply_array(reply, NULL, "versions");

	err = table_print(reply, array, versions);
	for (const struct json_token *t = json_first(&reply->doc, array); err == OK && t != NULL;
		t = json_next(&reply->doc, array, t))
		err = print_tests(reply, t);
	return err;
}

enum err secrets_print_edited(const struct reply *reply)
{
	const struct json_token *edited = reply_at(reply, NULL, "secret");

	return edited == NULL ? OK : table_print_block(reply, edited, secret);
}

enum err secrets_print_version(const struct reply *reply)
{
	if (reply_integer(reply, NULL, "replaced") > 0)
		return table_say(
			reply, "{key}: version {version} is {state}, version {replaced} is draining");
	return table_say(reply, "{key}: version {version} is {state}");
}

enum err secrets_print_removed(const struct reply *reply)
{
	return table_say(reply, "{removed} removed");
}
