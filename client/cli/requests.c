/*
 * Shows requests that need a second person.  Whoever approves one sees all that was asked for, not only what the daemon makes
 * of it; texts of others reach the terminal through the table alone.
 */
#include "requests.h"

#include <stdio.h>

#include "table.h"

static const struct column list[] = {
	{"ID", "id", SHOW_NUMBER},
	{"STATE", "state", SHOW_STATE},
	{"WHAT", "method", SHOW_STATE},
	{"INTEGRATION", "integration", SHOW_STATE},
	{"DOES", "subject", SHOW_TEXT},
	{"ASKED FOR", "params", SHOW_TEXT},
	{"BY", "requested_by", SHOW_STATE},
	{"LOGIN", "login", SHOW_STATE},
	{"AT", "requested_at", SHOW_TIME},
	{"UNTIL", "expires_at", SHOW_TIME},
	{"DECIDED BY", "decided_by", SHOW_STATE},
	{"DECIDED", "decided_at", SHOW_TIME},
	{"NOTE", "note", SHOW_TEXT},
	{0},
};

enum err requests_print_list(const struct reply *reply)
{
	enum err err = table_print(reply, reply_at(reply, NULL, "requests"), list);

	if (err == OK && reply_flag(reply, NULL, "more"))
		puts("there are older ones; --limit shows more");
	return err;
}

/* What is shown once is not shown here: its result says what is left to do. */
enum err requests_print_approved(const struct reply *reply)
{
	const struct json_token *detail = reply_at(reply, NULL, "result.detail");

	if (detail != NULL && detail->type == JSON_STRING)
		return table_say(reply,
			"request {request.id} is approved: {request.method} of {request.integration} for "
			"{request.requested_by}: {result.detail}");
	return table_say(reply,
		"request {request.id} is approved and done: {request.method} of {request.integration} for "
		"{request.requested_by}");
}

enum err requests_print_rejected(const struct reply *reply)
{
	return table_say(reply, "request {request.id} is rejected, nothing was done: {request.method} of "
				"{request.integration} for "
				"{request.requested_by}");
}
