/*
 * What of the daemon's status is shown, and how often.  Without a role the daemon says less, and what it does not say is
 * left out.
 */
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "status_screen.h"
#include "table.h"

enum { SECONDS_DEFAULT = 2, SECONDS_MAX = 3600 };

static const struct column status[] = {
	{"Version", "version", SHOW_TEXT},
	{"Sealed", "sealed", SHOW_TEXT},
	{"Way out", "mend", SHOW_TEXT},
	{"Reason", "reason", SHOW_TEXT},
	{"Host", "host", SHOW_TEXT},
	{"Vault", "vault", SHOW_TEXT},
	{"Started", "started_at", SHOW_TIME},
	{"Alerts", "alerts", SHOW_TEXT},
	{"Integrations", "counts.integrations", SHOW_NUMBER},
	{"Secrets", "counts.secrets", SHOW_NUMBER},
	{"Versions", "counts.versions", SHOW_NUMBER},
	{"Grants", "counts.grants", SHOW_NUMBER},
	{"Tokens", "counts.tokens", SHOW_NUMBER},
	{"Requests pending", "counts.requests_pending", SHOW_NUMBER},
	{"Runs", "counts.runs", SHOW_NUMBER},
	{"Holders", "counts.holders", SHOW_NUMBER},
	{"Connections", "counts.connections", SHOW_NUMBER},
	{"Store", "store.bytes", SHOW_BYTES},
	{"Free beside it", "store.free_bytes", SHOW_BYTES},
	{"Audit records", "counts.audit_records", SHOW_NUMBER},
	{"Audit head", "audit.head.hash", SHOW_TEXT},
	{"Audit trouble", "audit.trouble", SHOW_TEXT},
	{0},
};

enum err status_print(const struct reply *reply)
{
	return table_print_block(reply, NULL, status);
}

/* ---- again and again ---- */

static void write_head(FILE *stream, const struct cli *cli, int seconds)
{
	const char *socket = args_text(&cli->args, SLOT_SOCKET);
	time_t now = time(NULL);
	struct tm local = {0};
	char clock[16] = "";

	(void)localtime_r(&now, &local);
	(void)strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	fprintf(stream, "coffer status%s%s, every %d s: %s\n\n", socket != NULL ? " of " : "",
		socket != NULL ? socket : "", seconds, clock);
}

/* One look as text; a daemon that is not there is something to be seen, too. */
static enum err look(struct cli *cli, int seconds, char **text_out)
{
	BUF_AUTO params = {0};
	REPLY_AUTO reply = {0};
	size_t len = 0;
	FILE *stream = open_memstream(text_out, &len);

	if (stream == NULL)
		return ERR_INTERNAL;
	buf_append_string(&params, "{}");
	write_head(stream, cli, seconds);

	enum err err = cli_try(cli, request_info(REQUEST_STATUS)->method, &params, &reply);

	if (err == OK)
		err = table_print_block_to(stream, &reply, NULL, status);
	else if (cli_is_retry(cli, err))
		fprintf(stream, "%s\n", coffer_error_text(cli->vault, err_number(err)));
	if (fclose(stream) != 0)
		return ERR_INTERNAL;
	return err == OK || cli_is_retry(cli, err) ? OK : err;
}

static enum err watch(struct cli *cli, int seconds)
{
	for (;;) {
		char *text = NULL;
		enum err err = look(cli, seconds, &text);

		if (err == OK)
			screen_draw(text);
		else
			screen_leave();
		free(text);
		if (err != OK)
			return cli_report(cli, err);
		screen_sleep(seconds);
	}
}

static enum err read_seconds(const struct cli *cli, const char *text, int *out)
{
	size_t len = strlen(text);

	*out = len == 0 ? SECONDS_DEFAULT : 0;
	if (len > 0 && len < 5 && strspn(text, "0123456789") == len)
		*out = atoi(text);
	return *out >= 1 && *out <= SECONDS_MAX ? OK : cli_usage(cli, "--watch: seconds from 1 to 3600");
}

/* A vault that serves nothing is an answer, but no success for whoever asks whether it is well. */
static enum err once(struct cli *cli)
{
	REPLY_AUTO reply = {0};
	enum err err = cli_ask(cli, cli->command->kind, &reply);

	if (err == OK)
		err = cli_show(cli, &reply);
	return err == OK && reply_flag(&reply, NULL, "sealed") ? ERR_SEALED : err;
}

enum err status_run(struct cli *cli)
{
	const char *text = args_text(&cli->args, SLOT_WATCH);
	int seconds = 0;

	if (text == NULL)
		return once(cli);

	enum err err = read_seconds(cli, text, &seconds);

	if (err == OK && cli_is_json(cli))
		err = cli_usage(cli, "--watch draws on a terminal and --json does not go with it");
	if (err == OK && !screen_enter())
		err = cli_usage(
			cli, "--watch needs a terminal that can be drawn on; elsewhere ask again and again");
	return err == OK ? watch(cli, seconds) : err;
}
