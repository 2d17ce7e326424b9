/*
 * Holders in words.  The word is always "may": a process can copy a value, and the children of one that has ended may
 * have inherited it.
 */
#include "holder_lines.h"

#include <stdio.h>

#include "cells.h"
#include "cli.h"
#include "table.h"

static const struct column list[] = {
	{"INTEGRATION", "integration", SHOW_STATE},
	{"KEY", "key", SHOW_STATE},
	{"VERSION", "version", SHOW_NUMBER},
	{"WHO", "", SHOW_HOLDER},
	{"USER", "user", SHOW_STATE},
	{"UNIT", "unit", SHOW_STATE},
	{"EXE", "exe", SHOW_TEXT},
	{"SINCE", "since", SHOW_TIME},
	{0},
};

/* Without what the message before them says. */
static const struct column *const refused = list + 3;

enum err holder_lines_print(const struct reply *reply)
{
	enum err err = table_print(reply, reply_at(reply, NULL, "holders"), list);

	if (err == OK && reply_flag(reply, NULL, "more"))
		cli_say("there are more: name an integration, or a key as well");
	return err;
}

/* The unit says more than the user that it runs as. */
static void append_owner(struct buf *buf, const struct reply *reply, const struct json_token *holder)
{
	const struct json_token *unit = reply_at(reply, holder, "unit");
	bool has_unit = unit != NULL && unit->type == JSON_STRING && unit->len > 0;

	reply_show(buf, reply, has_unit ? unit : reply_at(reply, holder, "user"), SHOW_TEXT);
}

void holder_lines_append(struct buf *buf, const struct reply *reply, const struct json_token *holder)
{
	append_owner(buf, reply, holder);
	buf_append_string(buf, reply_is(reply, holder, "holder", "process") ? " (pid " : " (");
	cells_show(buf, reply, holder, SHOW_HOLDER);
	buf_append_string(buf, ", since ");
	reply_show(buf, reply, reply_at(reply, holder, "since"), SHOW_TIME);
	buf_append_byte(buf, ')');
}

void holder_lines_show_refused(const struct cli *cli)
{
	REPLY_AUTO data = {0};
	const char *text = NULL;
	size_t len = 0;

	if (coffer_error_data(cli->vault, &text, &len) != COFFER_OK || reply_read(&data, text, len) != OK)
		return;

	const struct json_token *holders = reply_array(&data, NULL, "holders");
	int64_t count = reply_integer(&data, NULL, "holder_count");

	if (holders == NULL || holders->count == 0)
		return;
	if (table_print_to(stderr, &data, holders, refused) == OK && count > holders->count)
		cli_say("%lld in all: coffer holders shows them", (long long)count);
}
