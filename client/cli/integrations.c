/*
 * Shows integrations: the inventory as a table, one of them with all that is recorded.
 */
#include "integrations.h"

#include <stdio.h>

#include "grants.h"
#include "secrets.h"
#include "table.h"

static const struct column list[] = {
	{"NAME", "name", SHOW_STATE},
	{"STATE", "state", SHOW_STATE},
	{"ENVIRONMENT", "environment", SHOW_STATE},
	{"TITLE", "title", SHOW_TEXT},
	{"OWNER", "owner", SHOW_TEXT},
	{"CONTACT", "contact", SHOW_TEXT},
	{"LAST FETCHED", "last_fetched_at", SHOW_LAST},
	{0},
};

static const struct column record[] = {
	{"Name", "name", SHOW_TEXT},
	{"Title", "title", SHOW_TEXT},
	{"State", "state", SHOW_TEXT},
	{"Since", "state_at", SHOW_TIME},
	{"Description", "description", SHOW_TEXT},
	{"Owner", "owner", SHOW_TEXT},
	{"Contact", "contact", SHOW_TEXT},
	{"Backup contact", "backup_contact", SHOW_TEXT},
	{"Purpose", "purpose", SHOW_TEXT},
	{"Systems", "systems", SHOW_TEXT},
	{"Scope", "scope", SHOW_TEXT},
	{"Access", "access", SHOW_TEXT},
	{"Trigger", "trigger", SHOW_TEXT},
	{"Schedule", "schedule", SHOW_TEXT},
	{"Expected every", "expected_every", SHOW_TEXT},
	{"Environment", "environment", SHOW_TEXT},
	{"Documentation", "docs", SHOW_TEXT},
	{"Approval", "approval", SHOW_TEXT},
	{"Rotate after", "rotate_after", SHOW_TEXT},
	{"Never rotated because", "rotate_reason", SHOW_TEXT},
	{"Review after", "review_after", SHOW_TEXT},
	{"Expires", "expires_at", SHOW_TIME},
	{"Fetches per minute", "rate_limit", SHOW_NUMBER},
	{"Test", "test", SHOW_TEXT},
	{"Managed by", "managed_by", SHOW_TEXT},
	{"Labels", "labels", SHOW_TEXT},
	{"Created", "created_at", SHOW_TIME},
	{"Created by", "created_by", SHOW_TEXT},
	{"Changed", "changed_at", SHOW_TIME},
	{"Changed by", "changed_by", SHOW_TEXT},
	{"Reviewed", "reviewed_at", SHOW_LAST},
	{"Reviewed by", "reviewed_by", SHOW_TEXT},
	{"Grants locked", "grants_locked", SHOW_TEXT},
	{0},
};

static const struct column who[] = {
	{"USER", "user", SHOW_TEXT},
	{"UID", "uid", SHOW_NUMBER},
	{"GROUP", "group", SHOW_TEXT},
	{"GID", "gid", SHOW_NUMBER},
	{0},
};

enum err integrations_print_list(const struct reply *reply)
{
	return table_print(reply, reply_at(reply, NULL, "integrations"), list);
}

enum err integrations_print_one(const struct reply *reply)
{
	const struct json_token *integration = reply_at(reply, NULL, "integration");

	return integration == NULL ? OK : table_print_block(reply, integration, record);
}

enum err integrations_print_whole(const struct reply *reply)
{
	const struct json_token *managers = reply_array(reply, NULL, "managers");
	enum err err = integrations_print_one(reply);

	if (err != OK)
		return err;
	if (managers != NULL && managers->count > 0) {
		puts("\nManagers:");
		err = table_print(reply, managers, who);
	}
	if (err != OK)
		return err;
	puts("\nGrants:");
	err = grants_print_list(reply);
	if (err != OK)
		return err;
	puts("\nSecrets:");
	return secrets_print_list(reply);
}
