/*
 * audit follow: new records as they come, by asking for them once a second.  A daemon that has answered once may be away
 * for a while.  An interrupt is waited for between two looks, so that no line is cut in half.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "audit_export.h"
#include "audits.h"
#include "cli.h"
#include "tty_json.h"

enum { PAUSE_MS = 1000 };

/* What a line shows, and the word before it where it does not explain itself. */
static const struct {
	const char *word;
	const char *path;
	enum show show;
} parts[] = {
	{"", "seq", SHOW_NUMBER},
	{"", "time", SHOW_TIME},
	{"", "kind", SHOW_TEXT},
	{"", "outcome", SHOW_TEXT},
	{"uid ", "uid", SHOW_NUMBER},
	{"unit ", "unit", SHOW_TEXT},
	{"", "integration", SHOW_TEXT},
	{"", "key", SHOW_TEXT},
	{"version ", "version", SHOW_ORDINAL},
	{"", "subject", SHOW_TEXT},
	{"", "detail", SHOW_TEXT},
};

static bool is_empty(const struct reply *reply, const struct json_token *value, enum show show)
{
	return value == NULL || value->len == 0 ||
	       (show == SHOW_ORDINAL && json_raw(&reply->doc, value)[0] == '0');
}

static enum err print_record(
	struct cli *cli, void *context, const struct reply *reply, const struct json_token *record)
{
	BUF_AUTO line = {0};

	(void)context;
	if (cli_is_json(cli)) {
		tty_json_write(stdout, json_raw(&reply->doc, record), record->len);
		(void)fputc('\n', stdout);
		return OK;
	}
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const struct json_token *value = reply_at(reply, record, parts[i].path);

		if (is_empty(reply, value, parts[i].show))
			continue;
		buf_append_string(&line, line.len > 0 ? "  " : "");
		buf_append_string(&line, parts[i].word);
		reply_show(&line, reply, value, parts[i].show);
	}
	buf_append_byte(&line, '\n');
	if (buf_failed(&line))
		return cli_fail(cli, ERR_INTERNAL, "no memory");
	(void)fwrite(line.bytes, 1, line.len, stdout);
	return OK;
}

/* The newest record that is there already. */
static enum err find_start(struct cli *cli, int64_t *after_out)
{
	REPLY_AUTO reply = {0};
	struct audits_place head = {0};
	BUF_AUTO params = {0};

	buf_append_string(&params, "{\"limit\":1}");

	enum err err = cli_call(cli, request_info(REQUEST_AUDIT_LIST)->method, &params, &reply);

	audits_read_place(&reply, "head", &head);
	*after_out = head.seq;
	return err;
}

/* True when somebody wants it to end. */
static bool rest(const sigset_t *ending)
{
	static const struct timespec pause = {
		.tv_sec = PAUSE_MS / 1000, .tv_nsec = PAUSE_MS % 1000 * 1000000};

	return sigtimedwait(ending, NULL, &pause) > 0;
}

/* All that has come since the last look. */
static enum err look(struct cli *cli, struct audits_paging *paging, bool *is_away)
{
	enum err err = OK;

	paging->is_last = false;
	while (err == OK && !paging->is_last)
		err = audits_page(cli, paging);
	if (err == OK || paging->is_asked) {
		*is_away = false;
		return err;
	}
	if (!cli_is_retry(cli, err))
		return cli_report(cli, err);
	if (!*is_away)
		cli_say("no answer from the daemon, which is asked again");
	*is_away = true;
	return OK;
}

enum err audit_follow_run(struct cli *cli)
{
	struct audits_paging paging = {.take = print_record};
	bool is_away = false;
	sigset_t ending;
	enum err err = audits_settle(cli);

	if (err == OK)
		err = args_text(&cli->args, FIELD_AFTER) != NULL ? audits_read_after(cli, &paging.after)
								 : find_start(cli, &paging.after);
	(void)sigemptyset(&ending);
	(void)sigaddset(&ending, SIGINT);
	(void)sigaddset(&ending, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &ending, NULL);
	do {
		if (err == OK)
			err = look(cli, &paging, &is_away);
		/* Whoever reads it is gone: main says so. */
		if (fflush(stdout) != 0)
			return OK;
	} while (err == OK && !rest(&ending));
	return err;
}
