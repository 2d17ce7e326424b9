/*
 * Asks for the history of an integration, hands integrations over, and says what became of their state.
 */
#include "changes.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "gate.h"
#include "integrations.h"
#include "params.h"
#include "table.h"

static const struct column history[] = {
	{"AT", "at", SHOW_TIME},
	{"BY", "by", SHOW_STATE},
	{"APPROVED BY", "approved_by", SHOW_STATE},
	{"KEY", "key", SHOW_STATE},
	{"VERSION", "version", SHOW_ORDINAL},
	{"FIELD", "field", SHOW_STATE},
	{"OLD", "old", SHOW_TEXT},
	{"NEW", "new", SHOW_TEXT},
	{"REASON", "reason", SHOW_TEXT},
	{0},
};

static const struct column transferred[] = {
	{"TRANSFERRED", "", SHOW_STATE},
	{0},
};

/* ---- show ---- */

enum err changes_show(struct cli *cli)
{
	REPLY_AUTO reply = {0};
	bool is_history = args_text(&cli->args, SLOT_HISTORY) != NULL;

	if (!is_history && args_text(&cli->args, FIELD_LIMIT) != NULL)
		return cli_usage(cli, "--limit is for --history");

	enum err err =
		cli_ask(cli, is_history ? REQUEST_INTEGRATION_HISTORY : REQUEST_INTEGRATION_SHOW, &reply);

	return err == OK ? cli_show(cli, &reply) : err;
}

enum err changes_print_shown(const struct reply *reply)
{
	const struct json_token *changes = reply_at(reply, NULL, "changes");

	if (changes == NULL)
		return integrations_print_whole(reply);

	enum err err = table_print(reply, changes, history);

	if (err == OK && reply_flag(reply, NULL, "more"))
		puts("There are older changes: --limit shows more of them.");
	return err;
}

/* ---- transfer ---- */

/* --owner of one integration is --to of a person's. */
static enum err put_person(const struct cli *cli, struct json_writer *w, enum field field, unsigned slot)
{
	const char *text = args_text(&cli->args, slot);

	if (text == NULL)
		return OK;
	if (!gate_is_utf8(text, strlen(text)))
		return cli_usage(cli, "--%s: not UTF-8", options_of(slot).name);
	json_put_string(w, field_info(field)->wire, text);
	return OK;
}

static enum err check_transfer(const struct cli *cli)
{
	bool is_one = args_text(&cli->args, FIELD_NAME) != NULL;
	bool has_from = args_text(&cli->args, SLOT_FROM) != NULL;
	bool has_to = args_text(&cli->args, SLOT_TO) != NULL;
	bool has_owner = args_text(&cli->args, FIELD_OWNER) != NULL;

	if (is_one == has_from)
		return cli_usage(cli, "either NAME --owner OWNER, or --from OWNER --to OWNER");
	if (is_one && (has_to || !has_owner))
		return cli_usage(cli, "NAME goes with --owner OWNER");
	if (has_from && (!has_to || has_owner))
		return cli_usage(cli, "--from OWNER goes with --to OWNER");
	if (args_text(&cli->args, FIELD_CONTACT) == NULL)
		return cli_usage(cli, "missing: --contact");
	return OK;
}

enum err changes_transfer(struct cli *cli)
{
	BUF_AUTO params = {0};
	REPLY_AUTO reply = {0};
	struct json_writer w = json_writer(&params);
	enum err err = check_transfer(cli);

	if (err != OK)
		return err;
	json_begin_object(&w);
	err = params_write(cli, REQUEST_INTEGRATION_TRANSFER, &w);
	if (err == OK)
		err = put_person(cli, &w, FIELD_FROM_OWNER, SLOT_FROM);
	if (err == OK)
		err = put_person(cli, &w, FIELD_OWNER, SLOT_TO);
	json_end_object(&w);
	if (err == OK)
		err = cli_call(cli, request_info(REQUEST_INTEGRATION_TRANSFER)->method, &params, &reply);
	return err == OK ? cli_show(cli, &reply) : err;
}

enum err changes_print_transferred(const struct reply *reply)
{
	return table_print(reply, reply_at(reply, NULL, "transferred"), transferred);
}

/* ---- review and states ---- */

enum err changes_print_review(const struct reply *reply)
{
	return table_say(reply, "{integration.name} is reviewed, by {integration.reviewed_by}");
}

enum err changes_print_state(const struct reply *reply)
{
	return table_say(reply, "{integration.name} is {integration.state}");
}

enum err changes_print_retired(const struct reply *reply)
{
	enum err err = table_say(reply,
		"{integration.name} is retired; destroyed: {revoked}, in use until drained: {draining}");

	if (err == OK && reply_integer(reply, NULL, "draining") > 0)
		err = table_say(reply, "coffer holders {integration.name} lists who may hold them");
	return err == OK ? table_say(reply, "Delete the credentials where they were made: coffer secret list "
					    "{integration.name} names the issuers")
			 : err;
}
