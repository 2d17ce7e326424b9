/*
 * A token goes from the connection's locked memory to standard output by write(2) and nowhere else (P1), alone, so that a
 * redirection makes a file for --token-file; what else there is to say goes to standard error.
 */
#include "tokens.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "table.h"

static const struct column list[] = {
	{"ID", "id", SHOW_NUMBER},
	{"INTEGRATION", "integration", SHOW_STATE},
	{"NAME", "name", SHOW_STATE},
	{"STATE", "state", SHOW_STATE},
	{"USER", "user", SHOW_TEXT},
	{"UNIT", "unit", SHOW_TEXT},
	{"LAST USED", "last_used_at", SHOW_LAST},
	{"EXPIRES", "expires_at", SHOW_LAST},
	{"CREATED", "created_at", SHOW_TIME},
	{"BY", "created_by", SHOW_STATE},
	{"DESCRIPTION", "description", SHOW_TEXT},
	{0},
};

enum err tokens_print_list(const struct reply *reply)
{
	return table_print(reply, reply_at(reply, NULL, "tokens"), list);
}

enum err tokens_print_revoked(const struct reply *reply)
{
	return table_say(reply, "token {revoked} revoked");
}

static bool write_out(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t written = write(STDOUT_FILENO, text, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		text += written;
		len -= (size_t)written;
	}
	return true;
}

/* The result as it is, or the token's text. */
static enum err print_token(const struct cli *cli, const struct reply *reply, const struct json_token *token)
{
	bool is_json = cli_is_json(cli);
	const char *text = is_json ? reply->text : json_raw(&reply->doc, token);
	size_t len = is_json ? reply->len : token->len;

	if (write_out(text, len) && write_out("\n", 1))
		return OK;
	return cli_fail(cli, ERR_STORAGE,
		"token %lld was made and cannot be written: %s; it is shown once: revoke it and make another",
		(long long)reply_integer(reply, NULL, "id"), strerrordesc_np(errno));
}

enum err tokens_create(struct cli *cli)
{
	REPLY_AUTO reply = {0};

	cli_guard();

	enum err err = cli_ask(cli, REQUEST_TOKEN_CREATE, &reply);

	if (err != OK)
		return err;

	const struct json_token *token = reply_at(&reply, NULL, "token");
	long long id = reply_integer(&reply, NULL, "id");

	if (token == NULL || token->type != JSON_STRING || token->has_escape)
		return cli_fail(cli, ERR_CONFLICT,
			"token %lld was made by this request before, and is shown once: revoke it and make "
			"another",
			id);
	err = print_token(cli, &reply, token);
	if (err != OK)
		return err;
	cli_say("token %lld; it is not shown again: keep it in a file that others may not read, or in a "
		"credential",
		id);
	if (isatty(STDOUT_FILENO))
		cli_say("it is on this terminal now, and perhaps in its history: \"> FILE\" keeps it out of "
			"both");
	return OK;
}
