/*
 * Asks for the vault's numbers and writes them.  Whether there is a daemon, and whether it serves, are numbers as well: what
 * watches them must not depend on a file that nobody writes any more.
 */
#include "vault_metrics.h"

#include <stdio.h>

#include "cli.h"
#include "openmetrics.h"
#include "output_file.h"

static const char help_up[] = "1 when the daemon answered.";
static const char help_sealed[] = "1 while the vault is sealed and serves nothing.";

static enum err write_text(const struct cli *cli, const struct buf *text)
{
	const char *path = args_text(&cli->args, SLOT_TEXTFILE);

	if (buf_failed(text))
		return cli_fail(cli, ERR_INTERNAL, "no memory");
	if (path != NULL)
		return output_file_replace(cli, path, text->bytes, text->len);
	(void)fwrite(text->bytes, 1, text->len, stdout);
	return OK;
}

static bool is_away(enum err err)
{
	return err == ERR_UNREACHABLE || err == ERR_TIMEOUT;
}

/* What is known without the daemon's numbers; err is why there are none. */
static enum err write_little(const struct cli *cli, enum err err)
{
	BUF_AUTO text = {0};

	openmetrics_gauge(&text, "coffer_up", help_up, is_away(err) ? 0 : 1);
	if (!is_away(err))
		openmetrics_gauge(&text, "coffer_sealed", help_sealed, 1);
	openmetrics_end(&text);
	return write_text(cli, &text);
}

static enum err write_all(const struct cli *cli, const struct reply *reply)
{
	const struct json_token *families = reply_array(reply, NULL, "families");
	BUF_AUTO text = {0};

	if (families == NULL)
		return cli_fail(cli, ERR_PROTOCOL, "the daemon's answer holds no metrics");
	openmetrics_gauge(&text, "coffer_up", help_up, 1);
	openmetrics_gauge(&text, "coffer_sealed", help_sealed, 0);
	openmetrics_families(&text, reply, families);
	openmetrics_end(&text);
	return write_text(cli, &text);
}

enum err metrics_run(struct cli *cli)
{
	BUF_AUTO params = {0};
	REPLY_AUTO reply = {0};

	if (cli_is_json(cli) && args_text(&cli->args, SLOT_TEXTFILE) != NULL)
		return cli_usage(cli, "--textfile is for OpenMetrics, and --json does not go with it");
	buf_append_string(&params, "{}");

	enum err err = cli_try(cli, request_info(REQUEST_VAULT_METRICS)->method, &params, &reply);

	if (err == OK)
		return cli_is_json(cli) ? cli_show(cli, &reply) : write_all(cli, &reply);
	if (!cli_is_json(cli) && (err == ERR_SEALED || is_away(err))) {
		enum err told = cli_report(cli, err);
		enum err written = write_little(cli, err);

		return is_away(err) ? told : written;
	}
	return cli_report(cli, err);
}
