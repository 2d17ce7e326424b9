/*
 * Takes a value from standard input or the prompt to the daemon without ever leaving locked memory (P1), and
 * shows names, versions and dates of secrets; there is nothing here that could show a value (P3).
 */
#include "secrets.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base64.h"
#include "cli.h"
#include "commands.h"
#include "frame.h"
#include "params.h"
#include "table.h"
#include "text.h"
#include "tty.h"

static const struct column list[] = {
	{"KEY", "key", SHOW_STATE},
	{"CURRENT", "current", SHOW_ORDINAL},
	{"DRAINING", "draining", SHOW_TEXT},
	{"FETCHES", "fetches", SHOW_NUMBER},
	{"LAST FETCHED", "last_fetched_at", SHOW_LAST},
	{"ISSUER", "issuer", SHOW_TEXT},
	{"DESCRIPTION", "description", SHOW_TEXT},
	{0},
};

static const struct column secret[] = {
	{"Key", "key", SHOW_TEXT},
	{"Description", "description", SHOW_TEXT},
	{"Issuer", "issuer", SHOW_TEXT},
	{0},
};

static const struct column versions[] = {
	{"VERSION", "version", SHOW_NUMBER},
	{"STATE", "state", SHOW_STATE},
	{"CREATED", "created_at", SHOW_TIME},
	{"BY", "created_by", SHOW_STATE},
	{"EXPIRES", "expires_at", SHOW_LAST},
	{"FETCHES", "fetches", SHOW_NUMBER},
	{"LAST FETCHED", "last_fetched_at", SHOW_LAST},
	{"ISSUER'S REFERENCE", "issuer_ref", SHOW_TEXT},
	{"NOTE", "note", SHOW_TEXT},
	{0},
};

static enum err check_value(const struct cli *cli, const struct secret *value)
{
	bool is_multiline = args_text(&cli->args, FIELD_MULTILINE) != NULL;
	enum err err = text_check_value(value->bytes, value->len, is_multiline);

	if (err == OK)
		return OK;
	if (value->len == 0)
		return cli_fail(cli, err, "the value is empty");
	if (memchr(value->bytes, '\0', value->len) != NULL)
		return cli_fail(cli, err, "the value holds a NUL byte, which no environment can hold");
	return cli_fail(cli, err, "the value holds a line break; if it is meant to, say --multiline");
}

static void note_odd_value(const struct secret *value)
{
	static const struct {
		const char *start;
		const char *note;
	} odd[] = {
		{"-----BEGIN ", "the value looks like a key or certificate file; a copy of it is perhaps "
				"still where it came from"},
		{"coffer_", "the value looks like one of coffer's own tokens"},
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		size_t len = strlen(odd[i].start);

		if (value->len >= len && memcmp(value->bytes, odd[i].start, len) == 0)
			cli_say("note: %s", odd[i].note);
	}
}

/* As text where that is possible and not much longer, else as base64. */
static enum err write_value(struct json_writer *w, struct arena *arena, const struct secret *value)
{
	const char *text = (const char *)value->bytes;
	size_t encoded_len = base64_encoded_len(value->len);

	if (gate_is_utf8(text, value->len) && json_escaped_len(text, value->len) <= encoded_len + 32) {
		json_key(w, "value");
		json_write_text(w, text, value->len);
		return OK;
	}

	char *encoded = arena_alloc(arena, encoded_len);

	if (encoded == NULL)
		return ERR_INTERNAL;
	base64_encode(value->bytes, value->len, encoded);
	json_key(w, "value");
	json_write_text(w, encoded, encoded_len);
	json_put_string(w, "encoding", "base64");
	return OK;
}

enum err secrets_send(struct cli *cli, struct arena *arena, const struct secret *value,
	enum err (*members)(struct json_writer *w, const void *context), const void *context,
	struct reply *reply)
{
	char *bytes = arena_alloc(arena, LINE_BYTES_MAX);
	struct buf params = {0};
	struct json_writer w = json_writer(&params);

	if (bytes == NULL)
		return cli_fail(cli, ERR_INTERNAL, "not enough locked memory");
	buf_init_fixed(&params, bytes, LINE_BYTES_MAX);
	json_begin_object(&w);

	enum err err = members(&w, context);

	if (err != OK)
		return err;
	err = write_value(&w, arena, value);
	json_end_object(&w);
	if (err != OK)
		return cli_fail(cli, err, "not enough locked memory");
	return cli_call(cli, request_info(REQUEST_SECRET_PUT)->method, &params, reply);
}

static enum err write_arguments(struct json_writer *w, const void *context)
{
	return params_write(context, REQUEST_SECRET_PUT, w);
}

/* Before anybody is asked: a value for a key that cannot be is not worth typing. */
static enum err check_key(const struct cli *cli)
{
	const char *key = args_text(&cli->args, FIELD_KEY);
	enum err err = text_check_key(key, strlen(key));

	return err == OK ? OK : cli_fail(cli, err, "%s", err_text(err));
}

static enum err read_value(
	const struct cli *cli, struct arena *arena, struct secret *out, const char **why_out)
{
	if (isatty(STDIN_FILENO) != 1)
		return tty_read_value(arena, args_text(&cli->args, SLOT_EXACT) != NULL, out, why_out);
	*why_out = "give a value with line breaks on standard input";
	return args_text(&cli->args, FIELD_MULTILINE) != NULL ? ERR_BAD_VALUE
							      : tty_ask_value(arena, out, why_out);
}

enum err secrets_put(struct cli *cli)
{
	ARENA_AUTO arena = {0};
	REPLY_AUTO reply = {0};
	struct secret value = {0};
	const char *why = NULL;

	cli_guard();

	enum err err = check_key(cli);

	if (err != OK)
		return err;
	if (arena_init(&arena, SECRETS_SEND_BYTES + VALUE_BYTES_MAX + 1, false) != OK)
		return cli_fail(cli, ERR_INTERNAL, "not enough memory may be locked (ulimit -l)");

	err = read_value(cli, &arena, &value, &why);
	if (err != OK)
		return cli_fail(cli, err, "%s", why);
	err = check_value(cli, &value);
	if (err != OK)
		return err;
	note_odd_value(&value);
	err = secrets_send(cli, &arena, &value, write_arguments, cli, &reply);
	return err == OK ? cli_show(cli, &reply) : err;
}

enum err secrets_print_list(const struct reply *reply)
{
	return table_print(reply, reply_at(reply, NULL, "secrets"), list);
}

enum err secrets_print_one(const struct reply *reply)
{
	enum err err = table_print_block(reply, NULL, secret);

	if (err != OK)
		return err;
	puts("");
	return table_print(reply, reply_at(reply, NULL, "versions"), versions);
}

enum err secrets_print_version(const struct reply *reply)
{
	return table_say(reply, "{key}: version {version} is {state}");
}

enum err secrets_print_removed(const struct reply *reply)
{
	return table_say(reply, "{removed} removed");
}
