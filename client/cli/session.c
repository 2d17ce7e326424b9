/*
 * Shows status and whoami.  Without a role the daemon says less, and what it does not say is left out.
 */
#include "session.h"

#include "table.h"

static const struct column status[] = {
	{"Version", "version", SHOW_TEXT},
	{"Sealed", "sealed", SHOW_TEXT},
	{"Reason", "reason", SHOW_TEXT},
	{"Started", "started_at", SHOW_TIME},
	{"Vault", "vault", SHOW_TEXT},
	{"Store, bytes", "store.bytes", SHOW_NUMBER},
	{"Integrations", "counts.integrations", SHOW_NUMBER},
	{"Secrets", "counts.secrets", SHOW_NUMBER},
	{"Versions", "counts.versions", SHOW_NUMBER},
	{"Grants", "counts.grants", SHOW_NUMBER},
	{"Runs", "counts.runs", SHOW_NUMBER},
	{"Audit records", "counts.audit_records", SHOW_NUMBER},
	{"Connections", "counts.connections", SHOW_NUMBER},
	{0},
};

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

enum err session_print_status(const struct reply *reply)
{
	return table_print_block(reply, NULL, status);
}

enum err session_print_whoami(const struct reply *reply)
{
	return table_print_block(reply, NULL, whoami);
}
