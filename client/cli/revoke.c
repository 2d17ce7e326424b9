/*
 * Revokes versions.  Whether one is held is the daemon's to say: waiting only finds the moment at which it is worth
 * asking, and then the daemon judges once more.
 */
#include "revoke.h"

#include <stdio.h>

#include "cli.h"
#include "commands.h"
#include "holder_lines.h"
#include "params.h"
#include "table.h"
#include "versions.h"
#include "wait.h"

enum { HOLDERS_NAMED = 8, BACKUPS_MAX = 32 };

static bool has_text(const struct reply *reply, const char *path)
{
	const struct json_token *value = reply_at(reply, NULL, path);

	return value != NULL && value->type == JSON_STRING && value->len > 0;
}

enum err revoke_print(const struct reply *reply)
{
	/* Without and with an issuer, without and with a reference. */
	static const char *const deletes[2][2] = {
		{"delete it where it was made, too",
			"delete it where it was made, too: its reference there is {issuer_ref}"},
		{"delete it where it was made, too: {issuer}",
			"delete it where it was made, too: {issuer}, reference {issuer_ref}"},
	};
	const struct json_token *backups = reply_array(reply, NULL, "backups");
	enum err err = table_say(reply, "{key}: version {version} is revoked");

	if (err == OK)
		err = table_say(reply, deletes[has_text(reply, "issuer")][has_text(reply, "issuer_ref")]);
	if (err != OK || backups == NULL)
		return err;
	if (backups->count == 0)
		return table_say(reply, "no backup holds it");
	return table_say(
		reply, backups->count < BACKUPS_MAX
			       ? "backups that still hold it, sealed: {backups}"
			       : "backups that still hold it, sealed: {backups}, and perhaps older ones");
}

static bool counts(
	const struct draining *draining, const struct reply *reply, const struct json_token *holder)
{
	return reply_integer(reply, holder, "version") == draining->version &&
	       !(draining->is_processes_only && reply_is(reply, holder, "holder", "unit"));
}

/* "version 2 may be held by 3: etl.service (pid 4711, since …), …", or nothing when nobody does. */
static void name_holders(const struct draining *draining, const struct reply *reply, struct buf *text)
{
	const struct json_token *holders = reply_array(reply, NULL, "holders");
	BUF_AUTO names = {0};
	char head[80] = "";
	unsigned count = 0;

	for (const struct json_token *t = json_first(&reply->doc, holders); t != NULL;
		t = json_next(&reply->doc, holders, t)) {
		if (!counts(draining, reply, t) || ++count > HOLDERS_NAMED)
			continue;
		buf_append_string(&names, count == 1 ? "" : ", ");
		holder_lines_append(&names, reply, t);
	}
	if (count == 0)
		return;
	(void)snprintf(
		head, sizeof(head), "version %lld may be held by %u: ", (long long)draining->version, count);
	buf_append_string(text, head);
	buf_append(text, names.bytes, names.len);
	buf_append_string(text, count > HOLDERS_NAMED ? ", ..." : "");
}

/* What a wait goes through, look by look. */
struct drain {
	const struct draining *draining;
	struct reply *reply;
};

static enum err list_holders(struct cli *cli, struct reply *reply)
{
	BUF_AUTO params = {0};
	struct json_writer w = json_writer(&params);

	json_begin_object(&w);
	json_put_string(&w, field_info(FIELD_INTEGRATION)->wire, args_text(&cli->args, FIELD_INTEGRATION));
	json_put_string(&w, field_info(FIELD_KEY)->wire, args_text(&cli->args, FIELD_KEY));
	json_end_object(&w);

	enum err err = cli_try(cli, request_info(REQUEST_HOLDER_LIST)->method, &params, reply);

	return err == OK && reply_array(reply, NULL, "holders") == NULL ? ERR_PROTOCOL : err;
}

/* The daemon has the last word: somebody may have taken it up in between. */
static enum err try_revoke(const struct drain *drain, struct buf *text, bool *is_done_out)
{
	const struct draining *draining = drain->draining;
	const struct version_request request = {
		.kind = REQUEST_SECRET_REVOKE,
		.version = draining->version,
		.expect_version = draining->expect_version,
		.is_processes_only = draining->is_processes_only,
	};
	enum err err = versions_try(draining->cli, &request, drain->reply);

	*is_done_out = err == OK;
	if (err != ERR_IN_USE)
		return err;
	buf_append_string(text, "the daemon says that it may still be held");
	return OK;
}

static enum err look(void *context, struct buf *text, bool *is_done_out)
{
	const struct drain *drain = context;
	struct standing standing = {0};
	REPLY_AUTO reply = {0};
	enum err err = versions_read(drain->draining->cli, &standing);

	/* Nobody can wait for the end of what everybody is being given. */
	if (err == OK && standing.current == drain->draining->version) {
		buf_append_string(
			text, "it is the current version, which is handed out: promote another one first");
		return ERR_CONFLICT;
	}
	if (err == OK)
		err = list_holders(drain->draining->cli, &reply);
	if (err != OK)
		return err;
	name_holders(drain->draining, &reply, text);
	return text->len > 0 || buf_failed(text) ? OK : try_revoke(drain, text, is_done_out);
}

enum err revoke_when_drained(const struct draining *draining, struct reply *reply)
{
	struct drain drain = {.draining = draining, .reply = reply};
	const struct waiting waiting = {
		.cli = draining->cli,
		.timeout_ms = draining->timeout_ms,
		.go_on = draining->go_on,
		.look = look,
		.context = &drain,
	};

	return wait_for(&waiting);
}

/* Who stands in the way of a plain revoke is shown. */
static enum err revoke_now(struct cli *cli)
{
	REPLY_AUTO reply = {0};
	enum err err = cli_ask(cli, REQUEST_SECRET_REVOKE, &reply);

	if (err == ERR_IN_USE)
		holder_lines_show_refused(cli);
	return err == OK ? cli_show(cli, &reply) : err;
}

static enum err check_options(const struct cli *cli)
{
	static const struct {
		unsigned one;
		unsigned other;
		const char *why;
	} apart[] = {
		{FIELD_FORCE, FIELD_PROCESSES_ONLY,
			"--force goes over all holders, --processes-only over some"},
		{FIELD_FORCE, SLOT_WHEN_DRAINED, "--force does not wait, --when-drained does"},
		{FIELD_REQUEST_ID, SLOT_WHEN_DRAINED, "--request-id is for a request that is made at once"},
	};

	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++) {
		if (args_text(&cli->args, apart[i].one) != NULL &&
			args_text(&cli->args, apart[i].other) != NULL)
			return cli_usage(cli, "%s: choose one", apart[i].why);
	}
	if (args_text(&cli->args, SLOT_TIMEOUT) != NULL && args_text(&cli->args, SLOT_WHEN_DRAINED) == NULL)
		return cli_usage(cli, "--timeout is for --when-drained");
	return OK;
}

enum err revoke_run(struct cli *cli)
{
	struct draining draining = {
		.cli = cli,
		.is_processes_only = args_text(&cli->args, FIELD_PROCESSES_ONLY) != NULL,
		.go_on = "nothing was revoked",
	};
	REPLY_AUTO reply = {0};
	enum err err = check_options(cli);

	if (err == OK)
		err = wait_timeout(cli, &draining.timeout_ms);
	if (err == OK && args_text(&cli->args, SLOT_WHEN_DRAINED) == NULL)
		return revoke_now(cli);
	if (err == OK)
		err = versions_check_names(cli);
	if (err == OK)
		err = params_count(cli, FIELD_VERSION, &draining.version);
	if (err == OK)
		err = params_count(cli, FIELD_EXPECT_VERSION, &draining.expect_version);
	if (err == OK)
		err = revoke_when_drained(&draining, &reply);
	return err == OK ? cli_show(cli, &reply) : err;
}
