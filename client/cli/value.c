/*
 * Takes a value to the daemon without ever leaving locked memory (P1), wherever it came from.
 */
#include "value.h"

#include <string.h>
#include <unistd.h>

#include "base64.h"
#include "cli.h"
#include "frame.h"
#include "generate.h"
#include "tty.h"

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

/* Before anybody is asked: a value for a key that cannot be is not worth typing. */
static enum err check_key(const struct cli *cli)
{
	const char *key = args_text(&cli->args, FIELD_KEY);
	enum err err = text_check_key(key, strlen(key));

	return err == OK ? OK : cli_fail(cli, err, "%s", err_text(err));
}

enum err value_check_arguments(const struct cli *cli)
{
	const char *generate = args_text(&cli->args, SLOT_GENERATE);
	const char *command = args_text(&cli->args, SLOT_TO_STDIN_OF);
	enum err err = check_key(cli);
	size_t len = 0;

	if (err != OK)
		return err;
	if (generate != NULL && !generate_len(generate, &len))
		return cli_usage(
			cli, "--generate: a length from %d to %d", GENERATE_LEN_MIN, GENERATE_LEN_MAX);
	if (generate != NULL && args_text(&cli->args, SLOT_EXACT) != NULL)
		return cli_usage(cli, "--exact is for standard input, and --generate does not read it");
	if (command != NULL && generate == NULL)
		return cli_usage(cli, "--to-stdin-of is for a value that is made here: add --generate");
	if (command != NULL && *command == '\0')
		return cli_usage(cli, "--to-stdin-of: no command");
	return OK;
}

/* A value from somebody: the prompt or standard input. */
static enum err read_value(
	const struct cli *cli, struct arena *arena, struct secret *out, const char **why_out)
{
	if (isatty(STDIN_FILENO) != 1)
		return tty_read_value(arena, args_text(&cli->args, SLOT_EXACT) != NULL, out, why_out);
	*why_out = "give a value with line breaks on standard input";
	return args_text(&cli->args, FIELD_MULTILINE) != NULL ? ERR_BAD_VALUE
							      : tty_ask_value(arena, out, why_out);
}

enum err value_get(const struct cli *cli, struct arena *arena, struct secret *out)
{
	const char *generate = args_text(&cli->args, SLOT_GENERATE);
	const char *why = "no random value can be made";
	size_t len = 0;
	enum err err = OK;

	if (generate != NULL)
		err = generate_len(generate, &len) ? generate_value(arena, len, out) : ERR_USAGE;
	else
		err = read_value(cli, arena, out, &why);
	if (err != OK)
		return cli_fail(cli, err, "%s", why);
	err = check_value(cli, out);
	if (err == OK)
		note_odd_value(out);
	return err;
}

enum err value_send(struct cli *cli, struct arena *arena, const struct secret *value,
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
