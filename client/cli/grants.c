/*
 * Shows grants: who may fetch, and what became of a change.
 */
#include "grants.h"

#include <stdio.h>

#include "table.h"

static const struct column list[] = {
	{"ID", "id", SHOW_NUMBER},
	{"INTEGRATION", "integration", SHOW_STATE},
	{"CONDITIONS", "rule", SHOW_TEXT},
	{"CREDENTIALS", "credentials", SHOW_TEXT},
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

static const struct column explained[] = {
	{"ID", "id", SHOW_NUMBER},
	{"RULE", "rule", SHOW_TEXT},
	{"MATCHES", "matches", SHOW_STATE},
	{"CONDITIONS", "conditions", SHOW_CONDITIONS},
	{0},
};

static const char *question_of(const struct reply *reply)
{
	if (reply_at(reply, NULL, "credential") != NULL)
		return "credential {credential} of {unit}: {verdict}";
	return reply_at(reply, NULL, "unit_reason") == NULL
		       ? "user {user} ({uid}) in unit {unit}: {verdict}"
		       : "user {user} ({uid}) without a unit ({unit_reason}): {verdict}";
}

enum err grants_print_explained(const struct reply *reply)
{
	enum err err = table_say(reply, question_of(reply));
	const struct json_token *grants = reply_array(reply, NULL, "grants");

	if (err != OK || grants == NULL || grants->count == 0)
		return err;
	puts("");
	return table_print(reply, grants, explained);
}

enum err grants_print_removed(const struct reply *reply)
{
	return table_say(reply, "grant {removed} removed");
}
