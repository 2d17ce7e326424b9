/*
 * Shows whoami.
 */
#include "session.h"

#include "table.h"

static const struct column whoami[] = {
	{"User", "user", SHOW_TEXT},
	{"Uid", "uid", SHOW_NUMBER},
	{"Gid", "gid", SHOW_NUMBER},
	{"Groups", "groups", SHOW_TEXT},
	{"Process", "pid", SHOW_NUMBER},
	{"Unit", "unit", SHOW_TEXT},
	{"Why no unit", "unit_reason", SHOW_TEXT},
	{"Roles", "roles", SHOW_TEXT},
	{"May fetch", "integrations", SHOW_TEXT},
	{"Staged only", "staged_only", SHOW_TEXT},
	{"Manages", "manages", SHOW_TEXT},
	{0},
};

enum err session_print_whoami(const struct reply *reply)
{
	return table_print_block(reply, NULL, whoami);
}
