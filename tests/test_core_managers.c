/*
 * Managers: what they are refused, what they may, and on which integration; names that somebody else got later; groups.
 * UID_APP manages "own" and nobody manages "foreign".
 */
#include <stdio.h>
#include <string.h>

#include "core_world.h"
#include "users.h"

enum { GROUP = 71000 };

static struct core_world world;

/* ---- the user database: the linker sends the core's calls here (--wrap) ---- */

static uid_t user_named_alice;

enum err __real_users_uid(const char *name, uid_t *out);
enum err __wrap_users_uid(const char *name, uid_t *out);
enum err __wrap_users_uid(const char *name, uid_t *out)
{
	if (strcmp(name, "alice") != 0)
		return __real_users_uid(name, out);
	*out = user_named_alice;
	return OK;
}

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "own");
	core_add_integration(&world, "foreign");
	for (int i = 0; i < 2; i++) {
		core_put(&world, i == 0 ? "own" : "foreign", "KEY", "first");
		core_put(&world, i == 0 ? "own" : "foreign", "KEY", "second");
		core_grant(&world, i == 0 ? "own" : "foreign", UID_OTHER_APP);
	}
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
				 "{\"name\":\"own\",\"managed_by\":[\"%d\"]}", UID_APP),
		"ok");
}

#define by_manager(method, ...) core_ask(&world, UID_APP, method, __VA_ARGS__)
#define manager_may(method, ...) ck_assert_str_eq(by_manager(method, __VA_ARGS__), "ok")
#define manager_may_not(method, ...) ck_assert_str_eq(by_manager(method, __VA_ARGS__), "denied")

static int count(const char *list)
{
	return cJSON_GetArraySize(core_result(&world, list));
}

/* One request of each method of an integration, with %s for its name. */
static const struct row {
	const char *method;
	const char *params;
	bool is_managers; /* a manager may ask it of its own */
} rows[] = {
	{"integration.show", "{\"name\":\"%s\"}", true},
	{"integration.edit", "{\"name\":\"%s\",\"purpose\":\"p\"}", true},
	{"integration.history", "{\"name\":\"%s\"}", true},
	{"integration.review", "{\"name\":\"%s\"}", true},
	{"integration.transfer", "{\"name\":\"%s\",\"owner\":\"e\",\"contact\":\"c\"}", false},
	{"integration.suspend", "{\"name\":\"%s\"}", false},
	{"integration.resume", "{\"name\":\"%s\"}", false},
	{"integration.retire", "{\"name\":\"%s\"}", false},
	{"secret.edit", "{\"integration\":\"%s\",\"key\":\"KEY\",\"issuer\":\"i\"}", true},
	{"grant.list", "{\"integration\":\"%s\"}", true},
	{"grant.explain", "{\"integration\":\"%s\"}", true},
	{"grant.explain", "{\"integration\":\"%s\",\"user\":\"70005\",\"unit\":\"a.service\"}", true},
	{"grant.add", "{\"integration\":\"%s\",\"rule\":{\"user\":\"70004\"}}", false},
	{"grant.remove", "{\"integration\":\"%s\",\"id\":1}", false},
	{"token.list", "{\"integration\":\"%s\"}", true},
	{"token.create",
		"{\"integration\":\"%s\",\"token_name\":\"t\",\"description\":\"d\",\"user\":\"70004\"}",
		false},
	{"token.revoke", "{\"integration\":\"%s\",\"id\":1}", false},
	{"secret.list", "{\"integration\":\"%s\"}", true},
	{"secret.show", "{\"integration\":\"%s\",\"key\":\"KEY\"}", true},
	{"secret.put", "{\"integration\":\"%s\",\"key\":\"KEY\",\"value\":\"third\",\"stage\":true}", true},
	{"secret.promote", "{\"integration\":\"%s\",\"key\":\"KEY\",\"untested\":true}", true},
	{"secret.rollback", "{\"integration\":\"%s\",\"key\":\"KEY\",\"version\":2}", true},
	{"secret.revoke", "{\"integration\":\"%s\",\"key\":\"KEY\",\"version\":1}", true},
	{"secret.put", "{\"integration\":\"%s\",\"key\":\"GONE\",\"value\":\"x\"}", true},
	{"secret.revoke", "{\"integration\":\"%s\",\"key\":\"GONE\",\"version\":1,\"force\":true}", true},
	{"secret.remove", "{\"integration\":\"%s\",\"key\":\"GONE\"}", true},
	{"holder.list", "{\"integration\":\"%s\"}", true},
	{"run.list", "{\"integration\":\"%s\"}", true},
	{"usage.show", "{\"integration\":\"%s\"}", true},
	{"env.fetch", "{\"integration\":\"%s\"}", false},
	{"env.watch", "{\"integration\":\"%s\"}", false},
	{"audit.list", "{\"integration\":\"%s\"}", false},
	{"secret.list", "{\"integration\":\"%s\",\"touched_by\":\"0\"}", false},
	{"integration.edit", "{\"name\":\"%s\",\"managed_by\":[\"70004\",\"70005\"]}", false},
	{"integration.edit", "{\"name\":\"%s\",\"managed_by\":\"\"}", false},
	{"integration.edit", "{\"name\":\"%s\",\"environment\":\"sandbox\"}", false},
	{"integration.edit", "{\"name\":\"%s\",\"title\":\"t\",\"test\":\"id\"}", false},
};

static char *format(const struct row *row, const char *name)
{
	const char *at = strstr(row->params, "%s");
	char *text = NULL;

	ck_assert_ptr_nonnull(at);
	ck_assert_int_gt(asprintf(&text, "%.*s%s%s", (int)(at - row->params), row->params, name, at + 2), 0);
	return text;
}

static void ask_row(uint32_t uid, const struct row *row, const char *name, const char *expected)
{
	char *params = format(row, name);
	const char *word = core_ask(&world, uid, row->method, "%s", params);

	ck_assert_msg(strcmp(word, expected) == 0, "%s %s by %u: %s instead of %s", row->method, params, uid,
		word, expected);
	free(params);
}

/* P2: to the byte. */
START_TEST(a_manager_is_told_nothing_of_what_it_does_not_manage)
{
	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask_row(UID_APP, &rows[i], "foreign", "denied");
		char *forbidden = strdup(world.last_text);

		ask_row(UID_APP, &rows[i], "absent", "denied");
		ck_assert_str_eq(forbidden, world.last_text);
		ask_row(UID_STRANGER, &rows[i], "foreign", "denied");
		ck_assert_str_eq(forbidden, world.last_text);
		ask_row(UID_STRANGER, &rows[i], "own", "denied");
		ck_assert_str_eq(forbidden, world.last_text);
		free(forbidden);
	}
	core_world_end(&world);
}
END_TEST

START_TEST(a_manager_may_do_on_its_own_what_managers_may_and_nothing_else)
{
	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ask_row(UID_APP, &rows[i], "own", rows[i].is_managers ? "ok" : "denied");
	core_world_end(&world);
}
END_TEST

/* P2: the right comes first, so that no complaint about the rest tells that something is there. */
START_TEST(what_is_wrong_with_a_request_is_told_to_its_manager_alone)
{
	static const char *const params[] = {
		"{\"integration\":\"%s\"}",
		"{\"integration\":\"%s\",\"key\":\"not a key\",\"value\":\"v\"}",
		"{\"key\":\"not a key\",\"value\":\"v\",\"integration\":\"%s\"}",
		"{\"integration\":\"%s\",\"key\":\"K\",\"value\":\"v\",\"no_such_field\":1}",
	};

	start();
	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		const struct row row = {"secret.put", params[i], true};
		char *own = format(&row, "own");

		ask_row(UID_APP, &row, "foreign", "denied");
		ask_row(UID_APP, &row, "absent", "denied");
		ck_assert_str_ne(by_manager("secret.put", "%s", own), "denied");
		ck_assert_str_ne(by_manager("secret.put", "%s", own), "ok");
		free(own);
	}
	core_world_end(&world);
}
END_TEST

START_TEST(a_request_that_names_nothing_is_a_managers_only_as_a_list_of_its_own)
{
	start();
	ck_assert_str_eq(
		core_ask(&world, UID_STRANGER, "secret.put", "{\"key\":\"K\",\"value\":\"v\"}"), "denied");
	ck_assert_str_eq(by_manager("secret.put", "{\"key\":\"K\",\"value\":\"v\"}"), "bad_request");
	manager_may_not("secret.list", "{\"touched_by\":\"0\"}");
	ck_assert_str_eq(by_manager("secret.list", "{}"), "bad_request");
	manager_may("integration.list", "{}");
	ck_assert_int_eq(count("integrations"), 1);
	manager_may("grant.list", "{}");
	ck_assert_int_eq(count("grants"), 1);
	core_ask_ok(&world, UID_OTHER_APP, "env.fetch", "{\"integration\":\"own\"}");
	core_ask_ok(&world, UID_OTHER_APP, "env.fetch", "{\"integration\":\"foreign\"}");
	manager_may("holder.list", "{}");
	ck_assert_int_eq(count("holders"), 1);
	ck_assert(cJSON_IsFalse(core_result(&world, "more")));
	core_ask_ok(&world, UID_AUDITOR, "holder.list", "{}");
	ck_assert_int_eq(count("holders"), 2);
	manager_may("alert.list", "{}");
	for (const cJSON *alert = core_result(&world, "alerts")->child; alert != NULL; alert = alert->next)
		ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(alert, "integration")), "own");
	ck_assert_int_gt(count("alerts"), 0);
	core_world_end(&world);
}
END_TEST

START_TEST(a_manager_that_is_none_any_more_gets_nothing_not_even_its_first_result_again)
{
	static const char put[] = "{\"integration\":\"own\",\"key\":\"K\",\"value\":\"v\","
				  "\"request_id\":\"0123456789abcdef0123456789abcdef\"}";

	start();
	manager_may("secret.put", put);
	manager_may("secret.put", put);
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
				 "{\"name\":\"own\",\"managed_by\":\"\"}"),
		"ok");
	manager_may_not("secret.put", put);
	manager_may_not("integration.list", "{}");
	core_world_end(&world);
}
END_TEST

/* Somebody who was admin when it was done, and only manages now. */
START_TEST(a_result_is_not_given_again_to_whom_the_fields_are_closed_now)
{
	static const char edit[] = "{\"name\":\"own\",\"environment\":\"production\",\"title\":\"x\","
				   "\"request_id\":\"0123456789abcdef0123456789abcdef\"}";
	uid_t app = UID_APP;
	struct role_members before = {0};

	start();
	before = world.roles.admin;
	world.roles.admin = (struct role_members){.uids = &app, .uid_count = 1};
	manager_may("integration.edit", edit);
	manager_may("integration.edit", edit);
	world.roles.admin = before;
	manager_may_not("integration.edit", edit);
	core_world_end(&world);
}
END_TEST

START_TEST(managed_by_refuses_whom_nobody_knows_and_who_is_nobody)
{
	static const char *const names[] = {"no-such-user-here", "%no-such-group-here", "65534", "%65534",
		"4294967295", "%4294967295", "%", "-1"};

	start();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		core_ask_refused("bad_value", &world, UID_ADMIN, "integration.edit",
			"{\"name\":\"own\",\"managed_by\":[\"70005\",\"%s\"]}", names[i]);
		ck_assert_ptr_null(strstr(world.last_text, "no-such"));
		core_ask_refused("bad_value", &world, UID_ADMIN, "integration.add",
			"{\"name\":\"new\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":"
			"\"c\","
			"\"managed_by\":[\"%s\"]}",
			names[i]);
	}
	/* Nothing of it happened. */
	manager_may("integration.show", "{\"name\":\"own\"}");
	ck_assert_str_eq(core_ask(&world, UID_OTHER_APP, "integration.show", "{\"name\":\"own\"}"), "denied");
	core_ask_refused("not_found", &world, UID_ADMIN, "integration.show", "{\"name\":\"new\"}");
	core_world_end(&world);
}
END_TEST

/* Whose name it was when managed_by was written, and who has it by now. */
START_TEST(a_name_that_somebody_else_got_later_gains_nothing)
{
	start();
	user_named_alice = UID_APP;
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
				 "{\"name\":\"own\",\"managed_by\":[\"alice\"]}"),
		"ok");
	user_named_alice = UID_STRANGER;
	ck_assert_str_eq(core_ask(&world, UID_STRANGER, "integration.show", "{\"name\":\"own\"}"), "denied");
	manager_may("integration.show", "{\"name\":\"own\"}");
	/* Another edit looks nobody up anew; writing the field again does. */
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"own\",\"purpose\":\"p\"}");
	ck_assert_str_eq(core_ask(&world, UID_STRANGER, "integration.show", "{\"name\":\"own\"}"), "denied");
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
				 "{\"name\":\"own\",\"managed_by\":[\"alice\"]}"),
		"ok");
	ck_assert_ptr_nonnull(
		strstr(core_record(&world, core_record(&world, 0).seq - 1).subject.text, "managers=70006"));
	core_ask_ok(&world, UID_STRANGER, "integration.show", "{\"name\":\"own\"}");
	manager_may_not("integration.show", "{\"name\":\"own\"}");
	core_world_end(&world);
}
END_TEST

static const char *ask_with(uint32_t uid, gid_t gid, gid_t *groups, size_t count_of, const char *line)
{
	static char word[64];
	struct asking asking;

	asking_start(&asking, &world, uid);
	asking.who.gid = gid;
	asking.who.groups = groups;
	asking.who.group_count = count_of;
	asking_send(&asking, "integration.show", "%s", line);
	turn_end(core_turn(world.core));
	snprintf(word, sizeof(word), "%s", asking_word(&asking));
	asking.who.groups = NULL;
	asking_end(&asking);
	return word;
}

START_TEST(a_group_manages_through_its_members)
{
	static const char show[] = "{\"name\":\"own\"}";
	gid_t groups[] = {5, GROUP};
	gid_t overflow[] = {65534, (gid_t)-1};

	start();
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
				 "{\"name\":\"own\",\"managed_by\":[\"%%%d\"]}", GROUP),
		"ok");
	ck_assert_str_eq(ask_with(UID_APP, UID_APP, NULL, 0, show), "denied");
	ck_assert_str_eq(ask_with(GROUP, UID_APP, NULL, 0, show), "denied"); /* a uid is no gid */
	ck_assert_str_eq(ask_with(UID_APP, UID_APP, groups, 1, show), "denied");
	ck_assert_str_eq(ask_with(UID_APP, UID_APP, overflow, 2, show), "denied");
	ck_assert_str_eq(ask_with(65534, GROUP, NULL, 0, show), "denied");
	ck_assert_str_eq(ask_with(UID_APP, GROUP, NULL, 0, show), "ok");
	ck_assert_str_eq(ask_with(UID_APP, UID_APP, groups, 2, show), "ok");
	ck_assert_str_eq(ask_with(UID_APP, UID_APP, groups, 2, "{\"name\":\"foreign\"}"), "denied");
	core_world_end(&world);
}
END_TEST

START_TEST(an_operator_keeps_nothing_and_a_manager_with_a_role_has_both)
{
	start();
	core_ask_refused(
		"denied", &world, UID_OPERATOR, "integration.edit", "{\"name\":\"own\",\"purpose\":\"p\"}");
	core_ask_refused("denied", &world, UID_AUDITOR, "secret.put",
		"{\"integration\":\"own\",\"key\":\"K\",\"value\":\"v\"}");
	ck_assert_str_eq(
		core_ask_approved(&world, UID_ADMIN, "integration.edit",
			"{\"name\":\"own\",\"managed_by\":[\"%d\",\"%d\"]}", UID_OPERATOR, UID_AUDITOR),
		"ok");
	core_ask_ok(&world, UID_OPERATOR, "integration.edit", "{\"name\":\"own\",\"purpose\":\"p\"}");
	core_ask_refused("denied", &world, UID_OPERATOR, "integration.edit",
		"{\"name\":\"own\",\"environment\":\"sandbox\"}");
	core_ask_refused("denied", &world, UID_OPERATOR, "integration.edit",
		"{\"name\":\"foreign\",\"purpose\":\"p\"}");
	core_ask_ok(
		&world, UID_AUDITOR, "secret.put", "{\"integration\":\"own\",\"key\":\"K\",\"value\":\"v\"}");
	core_ask_refused("denied", &world, UID_AUDITOR, "secret.put",
		"{\"integration\":\"foreign\",\"key\":\"K\",\"value\":\"v\"}");
	core_ask_ok(&world, UID_AUDITOR, "integration.list", "{}");
	ck_assert_int_eq(count("integrations"), 2); /* what a role shows is not cut down */
	core_world_end(&world);
}
END_TEST

/*
 * P2: a row of requests.def that a manager may ask names one integration, or is a list that its handler cuts down.  What
 * may be asked without a name and is no list is not a manager's then.
 */
START_TEST(every_right_of_a_manager_is_about_an_integration)
{
	for (enum request_kind kind = 0; kind < REQUEST_COUNT; kind++) {
		const struct request_info *info = request_info(kind);
		size_t names = 0;

		for (size_t i = 0; i < info->field_count; i++)
			names += info->fields[i].field == FIELD_NAME ||
				 info->fields[i].field == FIELD_INTEGRATION;
		if (!policy_allows_manager(info->right))
			continue;
		ck_assert_msg(info->state == STATE_OPEN, "%s", info->method);
		ck_assert_msg(names <= 1, "%s", info->method); /* which one would be the one that counts? */
		ck_assert_msg(names == 1 || (info->right == RIGHT_VIEWER && info->duty == DUTY_READ), "%s",
			info->method);
	}
}
END_TEST

START_TEST(an_alert_is_seen_to_by_a_manager_of_its_own_integration)
{
	static const char more[] = "\"until\":\"2027-02-01T00:00:00Z\",\"note\":\"n\"";

	start();
	manager_may_not("alert.ack", "{\"alert\":\"no_description:own:KEY\",%s}", more);
	manager_may_not("alert.ack",
		"{\"integration\":\"foreign\",\"alert\":\"no_description:foreign:KEY\",%s}", more);
	ck_assert_str_eq(
		by_manager("alert.ack",
			"{\"integration\":\"own\",\"alert\":\"no_description:foreign:KEY\",%s}", more),
		"not_found");
	core_ask_ok(&world, UID_OPERATOR, "alert.ack", "{\"alert\":\"no_description:foreign:KEY\",%s}", more);
	manager_may("alert.ack", "{\"integration\":\"own\",\"alert\":\"no_description:own:KEY\",%s}", more);
	core_world_end(&world);
}
END_TEST

START_TEST(integration_show_tells_the_numbers_that_count)
{
	const cJSON *shown = NULL;

	start();
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
				 "{\"name\":\"own\",\"managed_by\":[\"%%71000\",\"70004\",\"root\"]}"),
		"ok");
	manager_may("integration.show", "{\"name\":\"own\"}");
	ck_assert_int_eq(count("managers"), 3);
	shown = cJSON_GetArrayItem(core_result(&world, "managers"), 0);
	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(shown, "user")), "root");
	shown = cJSON_GetArrayItem(core_result(&world, "managers"), 2);
	ck_assert_int_eq(cJSON_GetObjectItem(shown, "gid")->valueint, 71000);
	core_world_end(&world);
}
END_TEST

START_TEST(whoami_tells_a_manager_and_nobody_else_what_it_manages)
{
	start();
	core_ask_ok(&world, UID_STRANGER, "whoami", "{}");
	ck_assert_int_eq(count("manages"), 0);
	core_ask_ok(&world, UID_ADMIN, "whoami", "{}");
	ck_assert_int_eq(count("manages"), 0);
	manager_may("whoami", "{}");
	ck_assert_int_eq(count("manages"), 1);
	/* By the user and by its group: once, and in order. */
	core_add_integration(&world, "a/first");
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
				 "{\"name\":\"own\",\"managed_by\":[\"%d\",\"%%%d\",\"%d\"]}", UID_APP,
				 UID_APP, UID_APP),
		"ok");
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
				 "{\"name\":\"a/first\",\"managed_by\":[\"%%%d\"]}", UID_APP),
		"ok");
	manager_may("whoami", "{}");
	ck_assert_int_eq(count("manages"), 2);
	ck_assert_str_eq(
		cJSON_GetStringValue(cJSON_GetArrayItem(core_result(&world, "manages"), 0)), "a/first");
	core_world_end(&world);
}
END_TEST

START_TEST(a_manager_is_no_stranger)
{
	start();
	ck_assert_str_eq(core_ask(&world, UID_STRANGER, "no.such.method", "{}"), "denied");
	ck_assert_str_eq(by_manager("no.such.method", "{}"), "unknown_method");
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
				 "{\"name\":\"own\",\"managed_by\":\"\"}"),
		"ok");
	ck_assert_str_eq(by_manager("no.such.method", "{}"), "denied");
	core_world_end(&world);
}
END_TEST

/* P3: nothing that a manager may ask has a value in it. */
START_TEST(no_reply_to_a_manager_holds_a_value)
{
	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *params = format(&rows[i], "own");

		(void)by_manager(rows[i].method, "%s", params);
		ck_assert_ptr_null(strstr(world.last_text, "second"));
		ck_assert_ptr_null(strstr(world.last_text, "third"));
		free(params);
	}
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_managers", a_manager_is_told_nothing_of_what_it_does_not_manage,
	a_manager_may_do_on_its_own_what_managers_may_and_nothing_else,
	what_is_wrong_with_a_request_is_told_to_its_manager_alone,
	a_request_that_names_nothing_is_a_managers_only_as_a_list_of_its_own,
	a_manager_that_is_none_any_more_gets_nothing_not_even_its_first_result_again,
	a_result_is_not_given_again_to_whom_the_fields_are_closed_now,
	managed_by_refuses_whom_nobody_knows_and_who_is_nobody,
	a_name_that_somebody_else_got_later_gains_nothing, a_group_manages_through_its_members,
	an_operator_keeps_nothing_and_a_manager_with_a_role_has_both,
	every_right_of_a_manager_is_about_an_integration,
	an_alert_is_seen_to_by_a_manager_of_its_own_integration,
	integration_show_tells_the_numbers_that_count, whoami_tells_a_manager_and_nobody_else_what_it_manages,
	a_manager_is_no_stranger, no_reply_to_a_manager_holds_a_value)
