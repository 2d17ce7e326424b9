/*
 * The way of most commands to the daemon and back, and the one place that reports errors: what was tried,
 * what went wrong, what helps.  No message holds a value: neither arguments that may be one nor anything
 * that was read is ever part of it (P1).
 */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "commands.h"
#include "params.h"
#include "tty_json.h"
#include "tty_text.h"

static const struct {
	enum err err;
	const char *text;
} ways_out[] = {
	{ERR_DENIED, "coffer whoami shows your roles, what you manage and what you may fetch"},
	{ERR_NOT_FOUND, "coffer integration list and coffer secret list show what there is"},
	{ERR_CONFLICT, "look at it with the show command, then decide"},
	{ERR_SUSPENDED,
		"coffer integration show says since when, --history why; coffer integration resume ends it"},
	{ERR_RESERVED_NAME, "store it under another name"},
	{ERR_IN_USE, "--when-drained waits until nobody does, --force does it all the same"},
	{ERR_UNTESTED, "coffer secret test tests it, --untested does it all the same"},
	{ERR_RATE_LIMITED, "try again in a minute"},
	{ERR_SEALED, "the journal says why: journalctl -u cofferd"},
	{ERR_BUSY, "try again"},
	{ERR_TIMEOUT, "try again; the journal may say more: journalctl -u cofferd"},
	{ERR_AUDIT_UNAVAILABLE, "look at the daemon's disk and journal: journalctl -u cofferd"},
	{ERR_STORAGE_FULL, "free space where the daemon keeps its store"},
	{ERR_STORAGE, "look at the daemon's disk and journal: journalctl -u cofferd"},
	{ERR_INTERNAL, "the journal may say more: journalctl -u cofferd"},
	{ERR_UNREACHABLE,
		"is cofferd running? systemctl status cofferd; --socket and --user reach other vaults"},
	{ERR_UNSAFE_SOCKET,
		"its directory must belong to root or to you, and others must not be able to write there"},
	{ERR_UNKNOWN_METHOD, "the daemon is of another version: coffer status, coffer --version"},
	{ERR_UNSUPPORTED, "the daemon is of another version: coffer status, coffer --version"},
	{ERR_PROTOCOL, "is that a coffer daemon of this version? coffer --version"},
};

void cli_deinit(struct cli *cli)
{
	args_clear(&cli->args);
	coffer_close(cli->vault);
	*cli = (struct cli){0};
}

bool cli_is_json(const struct cli *cli)
{
	return args_text(&cli->args, SLOT_JSON) != NULL;
}

/* "coffer: secret put finance/sync PGPASSWORD: " */
static void append_subject(struct buf *line, const struct cli *cli)
{
	buf_append_string(line, "coffer: ");
	if (cli->command == NULL)
		return;
	buf_append_string(line, cli->command->words);
	for (const struct operand *o = cli->command->operands; o->need != NEED_NONE; o++) {
		const char *text = args_text(&cli->args, o->slot);

		if (text == NULL)
			continue;
		buf_append_byte(line, ' ');
		tty_text_append(line, text, strlen(text));
	}
	buf_append_string(line, ": ");
}

__attribute__((format(printf, 2, 0))) static void append_formatted(
	struct buf *line, const char *format, va_list arguments)
{
	char text[1024] = "";

	(void)vsnprintf(text, sizeof(text), format, arguments);
	tty_text_append(line, text, strlen(text));
}

static void write_line(struct buf *line)
{
	buf_append_byte(line, '\n');
	if (!buf_failed(line))
		(void)fwrite(line->bytes, 1, line->len, stderr);
}

enum err cli_fail(const struct cli *cli, enum err err, const char *format, ...)
{
	BUF_AUTO line = {0};
	va_list arguments;

	va_start(arguments, format);
	append_subject(&line, cli);
	append_formatted(&line, format, arguments);
	va_end(arguments);
	write_line(&line);
	return err;
}

enum err cli_usage(const struct cli *cli, const char *format, ...)
{
	BUF_AUTO line = {0};
	va_list arguments;

	va_start(arguments, format);
	append_subject(&line, cli);
	append_formatted(&line, format, arguments);
	va_end(arguments);
	buf_append_string(&line, " (coffer ");
	buf_append_string(&line, cli->command == NULL ? "" : cli->command->words);
	buf_append_string(&line, cli->command == NULL ? "--help)" : " --help)");
	write_line(&line);
	return ERR_USAGE;
}

void cli_say(const char *format, ...)
{
	BUF_AUTO line = {0};
	va_list arguments;

	va_start(arguments, format);
	buf_append_string(&line, "coffer: ");
	append_formatted(&line, format, arguments);
	va_end(arguments);
	write_line(&line);
}

void cli_guard(void)
{
	const struct rlimit none = {0};

	/* Neither can fail here, and the locked memory that values live in is kept out of dumps by itself. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
}

static enum err err_of(int number)
{
	for (enum err err = OK; err < ERR_COUNT; err++) {
		if (err_number(err) == number)
			return err;
	}
	return ERR_INTERNAL;
}

/* What the daemon or the way to it said, and what helps. */
enum err cli_report(const struct cli *cli, enum err err)
{
	const char *text = coffer_error_text(cli->vault, err_number(err));
	/* Where the daemon says more than the error's own sentence, it says what helps as well. */
	bool has_advice = err_class(err) != ERR_CLASS_LOCAL && strcmp(text, err_text(err)) != 0;

	/* Negative: the daemon may well run, but not for this user. */
	has_advice |= coffer_retry_after_ms(cli->vault) < 0;
	for (size_t i = 0; !has_advice && i < sizeof(ways_out) / sizeof(ways_out[0]); i++) {
		if (ways_out[i].err == err)
			return cli_fail(cli, err, "%s (%s)", text, ways_out[i].text);
	}
	return cli_fail(cli, err, "%s", text);
}

static enum err open_vault(struct cli *cli)
{
	struct coffer_options options = {
		.size = sizeof(options),
		.socket_path = args_text(&cli->args, SLOT_SOCKET),
		.timeout_ms = cli->timeout_ms,
		.flags = args_text(&cli->args, SLOT_USER) != NULL ? COFFER_USER_VAULT : 0,
	};

	if (cli->vault != NULL)
		return OK;

	int number = coffer_open(&options, &cli->vault);

	return err_of(number);
}

enum err cli_try(struct cli *cli, const char *method, const struct buf *params, struct reply *reply)
{
	enum err err = open_vault(cli);
	const char *text = NULL;
	size_t len = 0;

	if (err != OK)
		return err;
	err = err_of(coffer_call(cli->vault, method, params->bytes, params->len, &text, &len));
	return err == OK ? reply_read(reply, text, len) : err;
}

enum err cli_call(struct cli *cli, const char *method, const struct buf *params, struct reply *reply)
{
	if (buf_failed(params))
		return cli_fail(cli, ERR_TOO_LARGE, "more than one request can hold");

	enum err err = cli_try(cli, method, params, reply);

	return err == OK ? OK : cli_report(cli, err);
}

bool cli_is_retry(const struct cli *cli, enum err err)
{
	/* Negative: the daemon may well run, but not for this user. */
	return coffer_error_is_retry(err_number(err)) == 1 && coffer_retry_after_ms(cli->vault) >= 0;
}

enum err cli_show(const struct cli *cli, const struct reply *reply)
{
	if (cli_is_json(cli)) {
		tty_json_write(stdout, reply->text, reply->len);
		(void)fputc('\n', stdout);
		return OK;
	}

	enum err err = cli->command->print(reply);

	return err == OK ? OK : cli_fail(cli, err, "the result cannot be shown: no memory");
}

enum err cli_ask(struct cli *cli, enum request_kind kind, struct reply *reply)
{
	BUF_AUTO params = {0};
	struct json_writer w = json_writer(&params);

	json_begin_object(&w);

	enum err err = params_write(cli, kind, &w);

	json_end_object(&w);
	return err == OK ? cli_call(cli, request_info(kind)->method, &params, reply) : err;
}

enum err cli_request(struct cli *cli)
{
	REPLY_AUTO reply = {0};
	enum err err = cli_ask(cli, cli->command->kind, &reply);

	return err == OK ? cli_show(cli, &reply) : err;
}
