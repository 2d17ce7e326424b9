/*
 * Runs as a table: when, who, with what, and how it ended as far as that is known.
 */
#include "history.h"

#include "table.h"

static const struct column list[] = {
	{"AT", "at", SHOW_TIME},
	{"USER", "user", SHOW_STATE},
	{"UNIT", "unit", SHOW_STATE},
	{"PID", "pid", SHOW_NUMBER},
	{"VERSIONS", "versions", SHOW_VERSIONS},
	{"STAGED", "staged", SHOW_STATE},
	{"END", "", SHOW_END},
	{"ENDED", "ended_at", SHOW_TIME},
	{0},
};

enum err history_print(const struct reply *reply)
{
	return table_print(reply, reply_at(reply, NULL, "runs"), list);
}
