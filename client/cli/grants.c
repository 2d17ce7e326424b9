/*
 * Shows grants: who may fetch, and what became of a change.
 */
#include "grants.h"

#include "table.h"

static const struct column list[] = {
	{"ID", "id", SHOW_NUMBER},
	{"INTEGRATION", "integration", SHOW_STATE},
	{"CONDITIONS", "rule", SHOW_TEXT},
	{"STAGED ONLY", "staged_only", SHOW_STATE},
	{"CREATED", "created_at", SHOW_TIME},
	{"BY", "created_by", SHOW_STATE},
	{0},
};

enum err grants_print_list(const struct reply *reply)
{
	return table_print(reply, reply_at(reply, NULL, "grants"), list);
}

enum err grants_print_added(const struct reply *reply)
{
	if (reply_flag(reply, NULL, "grant.staged_only"))
		return table_say(reply,
			"grant {grant.id}: {grant.rule} may fetch what is staged of {grant.integration}");
	return table_say(reply, "grant {grant.id}: {grant.rule} may fetch {grant.integration}");
}

enum err grants_print_removed(const struct reply *reply)
{
	return table_say(reply, "grant {removed} removed");
}
