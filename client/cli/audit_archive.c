/*
 * What an auditor saves elsewhere, and what an admin moves out of the store: a portion at a time, until there is no more.
 */
#include "audit_archive.h"

#include <stdio.h>
#include <string.h>

#include "checkpoint.h"
#include "cli.h"
#include "moments.h"
#include "output_file.h"
#include "table.h"

/* Nothing but a signed checkpoint is ever written: it is what later verdicts rest on. */
static enum err read_checkpoint(
	const struct cli *cli, const struct reply *reply, char text[CHECKPOINT_TEXT_BYTES])
{
	struct checkpoint checkpoint = {0};

	reply_text(reply, NULL, "checkpoint", text, CHECKPOINT_TEXT_BYTES);
	if (checkpoint_read(text, strlen(text), &checkpoint) != OK || !checkpoint_is_signed(&checkpoint))
		return cli_fail(cli, ERR_PROTOCOL, "the daemon's answer is no signed checkpoint");
	return OK;
}

static enum err write_file(struct cli *cli, const char *path, const char *text)
{
	FILE *stream = NULL;
	enum err err = output_file_open(cli, path, &stream);

	if (err != OK)
		return err;
	(void)fputs(text, stream);
	return output_file_close(cli, path, stream, OK);
}

enum err audit_checkpoint_run(struct cli *cli)
{
	REPLY_AUTO reply = {0};
	const char *path = args_text(&cli->args, SLOT_OUTPUT);
	bool has_file = path != NULL && strcmp(path, "-") != 0;
	char text[CHECKPOINT_TEXT_BYTES] = "";
	char key[2 * CHECKPOINT_KEY_BYTES + 1] = "";
	enum err err = cli_ask(cli, REQUEST_AUDIT_CHECKPOINT, &reply);

	if (err == OK)
		err = read_checkpoint(cli, &reply, text);
	if (err == OK && has_file)
		err = write_file(cli, path, text);
	if (err != OK)
		return err;
	if (cli_is_json(cli))
		return cli_show(cli, &reply); /* as it is: no printer is asked */
	if (!has_file)
		(void)fputs(text, stdout);
	reply_text(&reply, NULL, "public_key", key, sizeof(key));
	cli_say("signed by %s: note this key once, and give it to audit verify --key", key);
	return OK;
}

enum err audit_archive_print(const struct reply *reply)
{
	if (reply_integer(reply, NULL, "records") == 0)
		return table_say(reply, "No records are that old.");
	return table_say(reply, "{records} records, up to number {cut.seq}, are archived as {file}");
}

/* Portions end with the first that is not full: what comes meanwhile is younger than the time that was settled. */
enum err audit_archive_run(struct cli *cli)
{
	bool has_more = true;
	bool has_any = false;
	enum err err = moments_settle(cli, FIELD_UNTIL, true);

	while (err == OK && has_more) {
		REPLY_AUTO reply = {0};

		err = cli_ask(cli, REQUEST_AUDIT_ARCHIVE, &reply);
		if (err != OK)
			return err;
		has_more = reply_flag(&reply, NULL, "more");
		/* An empty last portion is worth a word only when it is the only one. */
		if (!has_any || reply_integer(&reply, NULL, "records") > 0)
			err = cli_show(cli, &reply);
		has_any = true;
		(void)fflush(stdout);
	}
	return err;
}
