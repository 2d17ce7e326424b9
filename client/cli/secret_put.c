/*
 * Stores values.  One that is made here for somebody else's system is in the vault before that system hears of it:
 * whatever is killed in between, it is staged, and the next try says so.
 */
#include "secret_put.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "feed.h"
#include "gate.h"
#include "params.h"
#include "tty.h"
#include "versions.h"

static enum err write_members(struct json_writer *w, const void *context)
{
	const struct put *put = context;
	enum err err = params_write(put->cli, REQUEST_SECRET_PUT, w);

	if (put->is_staged && args_text(&put->cli->args, FIELD_STAGE) == NULL)
		json_put_bool(w, field_info(FIELD_STAGE)->wire, true);
	if (put->expect_version >= 0)
		json_put_integer(w, field_info(FIELD_EXPECT_VERSION)->wire, put->expect_version);
	return err;
}

/* Only one version may be staged; which one it is helps whoever was interrupted in between. */
static void name_staged(struct cli *cli)
{
	struct standing standing = {0};
	const char *integration = args_text(&cli->args, FIELD_INTEGRATION);
	const char *key = args_text(&cli->args, FIELD_KEY);

	if (versions_read(cli, &standing) != OK || standing.staged == 0)
		return;
	cli_say("version %lld is staged: coffer secret promote %s %s makes it current, "
		"coffer secret revoke %s %s %lld destroys it",
		(long long)standing.staged, integration, key, integration, key, (long long)standing.staged);
}

static enum err put_value(struct cli *cli, const struct put *put, struct arena *arena,
	const struct secret *value, struct reply *reply)
{
	enum err err = value_send(cli, arena, value, write_members, put, reply);

	if (err == ERR_CONFLICT && (put->is_staged || args_text(&cli->args, FIELD_STAGE) != NULL))
		name_staged(cli);
	return err;
}

/* Nobody has fetched it, and the system it was made for does not know it. */
static enum err take_back(struct cli *cli, int64_t version, const char *why)
{
	struct version_request revoke = {.kind = REQUEST_SECRET_REVOKE, .version = version};
	REPLY_AUTO reply = {0};
	enum err err = versions_try(cli, &revoke, &reply);

	if (err == OK)
		return cli_fail(cli, ERR_CONFLICT,
			"%s; the staged version %lld is revoked and everything as before", why,
			(long long)version);
	(void)cli_report(cli, err);
	return cli_fail(cli, err, "%s; version %lld is still staged: revoke it", why, (long long)version);
}

static enum err feed(struct cli *cli, const struct secret *value, int64_t version)
{
	enum { SIGNAL_FIRST = 129, SIGNAL_LAST = 192 };
	char why[64] = "the command cannot be started";
	int status = 0;
	enum err err = feed_command(args_text(&cli->args, SLOT_TO_STDIN_OF), value, &status);

	if (err == OK && status == 0)
		return OK;
	if (err == OK)
		(void)snprintf(why, sizeof(why), "the command ended with status %d", status);
	if (status < SIGNAL_FIRST || status > SIGNAL_LAST)
		return take_back(cli, version, why);
	/* It had no chance to say, and the only other copy may be where it has become the one that counts. */
	return cli_fail(cli, ERR_CONFLICT,
		"%s, by a signal: whether it passed the value on is not known, "
		"so version %lld stays staged: promote it or revoke it",
		why, (long long)version);
}

enum err secret_put_deliver(struct cli *cli, const struct put *put, struct arena *arena,
	const struct secret *value, struct reply *reply)
{
	enum err err = put_value(cli, put, arena, value, reply);

	if (err != OK || args_text(&cli->args, SLOT_TO_STDIN_OF) == NULL)
		return err;

	int64_t version = reply_integer(reply, NULL, "version");

	if (version <= 0)
		return cli_fail(
			cli, ERR_PROTOCOL, "the daemon's answer names no version; nothing was passed on");
	return feed(cli, value, version);
}

/* Whoever did not ask for a staged version wants the one that the command has taken to be current. */
static enum err promote(struct cli *cli, int64_t version)
{
	struct version_request promote = {
		.kind = REQUEST_SECRET_PROMOTE, .version = version, .is_untested = true};
	REPLY_AUTO reply = {0};
	enum err err = versions_try(cli, &promote, &reply);

	if (err == OK)
		return cli_show(cli, &reply);
	(void)cli_report(cli, err);
	cli_say("the command has taken version %lld, which is still staged: "
		"coffer secret promote --untested makes it current",
		(long long)version);
	return err;
}

static void free_text(char **text)
{
	free(*text);
}

#define TEXT_AUTO __attribute__((cleanup(free_text))) char

static enum err send_description(struct cli *cli, const char *description)
{
	BUF_AUTO params = {0};
	REPLY_AUTO reply = {0};
	struct json_writer w = json_writer(&params);

	if (!gate_is_utf8(description, strlen(description)))
		return cli_fail(cli, ERR_BAD_VALUE, "the value is stored; the description is not UTF-8");
	json_begin_object(&w);
	json_put_string(&w, field_info(FIELD_INTEGRATION)->wire, args_text(&cli->args, FIELD_INTEGRATION));
	json_put_string(&w, field_info(FIELD_KEY)->wire, args_text(&cli->args, FIELD_KEY));
	json_put_string(&w, field_info(FIELD_DESCRIPTION)->wire, description);
	json_end_object(&w);
	return cli_call(cli, request_info(REQUEST_SECRET_EDIT)->method, &params, &reply);
}

/* Of a new key, when the value is safe: whoever sits there knows best what it is for.  Nobody is asked in a script. */
static enum err ask_description(struct cli *cli, int64_t version)
{
	TEXT_AUTO *description = NULL;

	if (version != 1 || args_text(&cli->args, FIELD_DESCRIPTION) != NULL || !tty_can_ask())
		return OK;
	if (tty_ask_line("what is it for? (the description; Enter leaves it out)", &description) != OK ||
		description[0] == '\0')
		return OK;
	return send_description(cli, description);
}

enum err secret_put_run(struct cli *cli)
{
	ARENA_AUTO arena = {0};
	REPLY_AUTO reply = {0};
	struct secret value = {0};
	bool is_fed = args_text(&cli->args, SLOT_TO_STDIN_OF) != NULL;
	struct put put = {.cli = cli, .is_staged = is_fed, .expect_version = -1};

	cli_guard();

	enum err err = value_check_arguments(cli);

	if (err != OK)
		return err;
	if (arena_init(&arena, VALUE_SEND_BYTES + VALUE_GET_BYTES, false) != OK)
		return cli_fail(cli, ERR_INTERNAL, "not enough memory may be locked (ulimit -l)");
	err = value_get(cli, &arena, &value);
	if (err == OK)
		err = secret_put_deliver(cli, &put, &arena, &value, &reply);
	if (err != OK)
		return err;

	int64_t version = reply_integer(&reply, NULL, "version");

	arena_wipe(&arena); /* P1: while somebody thinks of a description, nobody needs the value */
	err = is_fed && args_text(&cli->args, FIELD_STAGE) == NULL ? promote(cli, version)
								   : cli_show(cli, &reply);
	return err == OK ? ask_description(cli, version) : err;
}
