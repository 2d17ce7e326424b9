/*
 * Alerts as the daemon lists them, most urgent first.  A timer asks by exit status alone, so an answer that is not
 * understood must not look like none.
 */
#include "alerts.h"

#include "cli.h"
#include "request.h"
#include "table.h"

static const struct column list[] = {
	{"SEVERITY", "severity", SHOW_STATE},
	{"INTEGRATION", "integration", SHOW_STATE},
	{"KEY", "key", SHOW_STATE},
	{"VERSION", "version", SHOW_ORDINAL},
	{"SINCE", "since", SHOW_TIME},
	{"WHAT", "text", SHOW_TEXT},
	{"TRY", "advice", SHOW_STATE},
	{0},
};

enum err alerts_print(const struct reply *reply)
{
	return table_print(reply, reply_at(reply, NULL, "alerts"), list);
}

enum err alerts_run(struct cli *cli)
{
	REPLY_AUTO reply = {0};
	enum err err = cli_ask(cli, REQUEST_ALERT_LIST, &reply);

	if (err != OK)
		return err;

	const struct json_token *alerts = reply_array(&reply, NULL, "alerts");

	if (alerts == NULL)
		return cli_fail(cli, ERR_PROTOCOL, "the daemon's answer holds no alerts");
	cli->exit_status = alerts->count > 0 ? 1 : 0;
	return cli_show(cli, &reply);
}
