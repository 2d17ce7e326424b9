/*
 * What a second person must approve: that it is not done before, that nobody approves for themselves, that what is approved is
 * what was asked for, and that it happens once.
 */
#include <stdio.h>
#include <string.h>

#include "approvals.h"
#include "core_world.h"

enum { UID_SECOND = 71001, UID_THIRD = 71002, DAY = 24 * 3600 * 1000 };

static struct core_world world;
static uid_t admins[] = {UID_ADMIN, UID_SECOND, UID_THIRD};

static void start(void)
{
	core_world_start(&world);
	world.roles.admin = (struct role_members){.uids = admins, .uid_count = 3};
	core_add_integration(&world, "app");
	core_grant(&world, "app", UID_APP);
	core_put(&world, "app", "A", "one");
	core_put(&world, "app", "A", "two");
	core_stage(&world, "app", "A", "three");
	for (enum request_kind kind = 0; kind < REQUEST_COUNT; kind++)
		world.rules.needs_approval[kind] =
			kind == REQUEST_GRANT_ADD || kind == REQUEST_GRANT_REMOVE ||
			kind == REQUEST_SECRET_REVOKE || kind == REQUEST_SECRET_PROMOTE ||
			kind == REQUEST_INTEGRATION_EDIT || kind == REQUEST_INTEGRATION_RETIRE;
}

#define GRANT "{\"integration\":\"app\",\"rule\":{\"user\":\"1\"}}"

static int filed(uint32_t uid, const char *method, const char *params)
{
	core_ask_refused("approval_required", &world, uid, method, "%s", params);

	const cJSON *id = core_error_data(&world, "request");

	ck_assert_ptr_nonnull(id);
	return id->valueint;
}

#define approve(uid, id) core_ask(&world, uid, "request.approve", "{\"id\":%d}", id)
#define approve_ok(uid, id) ck_assert_str_eq(approve(uid, id), "ok")
#define approve_refused(word, uid, id) ck_assert_str_eq(approve(uid, id), word)

static const char *part(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
}

static const char *state_of(int id)
{
	core_ask_ok(&world, UID_AUDITOR, "request.list", "{}");

	const cJSON *request = NULL;

	cJSON_ArrayForEach(request, core_result(&world, "requests"))
	{
		if (cJSON_GetObjectItem(request, "id")->valueint == id)
			return part(request, "state");
	}
	return "none";
}

static size_t grants(void)
{
	return core_counts(&world).grants;
}

/* ---- refusals ---- */

START_TEST(nobody_approves_their_own)
{
	int id = 0;

	start();
	id = filed(UID_ADMIN, "grant.add", GRANT);
	approve_refused("denied", UID_ADMIN, id);
	ck_assert_ptr_nonnull(strstr(core_message(&world), "of their own"));
	ck_assert_str_eq(core_record(&world, 0).detail, "nobody approves a request of their own");
	ck_assert_uint_eq(core_record(&world, 0).object, (uint64_t)id);
	ck_assert_str_eq(state_of(id), "pending");
	ck_assert_uint_eq(grants(), 1);
	core_world_end(&world);
}
END_TEST

/* Asks as a user behind a login; -1: none. */
static const char *ask_behind(uint32_t uid, int64_t login, const char *method, const char *params)
{
	static char word[32];
	struct asking asking = {0};

	asking_start(&asking, &world, uid);
	asking.who.has_login = login >= 0;
	asking.who.login_uid = login >= 0 ? (uid_t)login : 0;
	asking_send(&asking, method, "%s", params);
	turn_end(core_turn(world.core));
	snprintf(word, sizeof(word), "%s", asking_word(&asking));
	asking_end(&asking);
	return word;
}

START_TEST(two_users_behind_one_login_are_one_person)
{
	/* requester's login, approver's uid and login */
	static const struct {
		int64_t requester_login;
		uint32_t uid;
		int64_t login;
		const char *word;
	} rows[] = {
		{500, UID_SECOND, 500, "denied"},
		{UID_ADMIN, UID_SECOND, UID_ADMIN, "denied"},
		{-1, UID_SECOND, UID_ADMIN, "denied"},
		{UID_SECOND, UID_SECOND, -1, "denied"},
		{UID_SECOND, UID_SECOND, UID_SECOND, "denied"},
		{UID_ADMIN, 0, UID_ADMIN, "denied"},
		{0, 0, -1, "denied"},
		{500, UID_ADMIN, 501, "denied"},
		{500, UID_SECOND, 501, "ok"},
		{UID_ADMIN, UID_SECOND, UID_SECOND, "ok"},
		{-1, UID_SECOND, -1, "ok"},
		{500, UID_SECOND, -1, "ok"},
		{-1, UID_SECOND, 501, "ok"},
	};

	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char params[96] = "";
		size_t before = grants();

		snprintf(params, sizeof(params), "{\"integration\":\"app\",\"rule\":{\"user\":\"%zu\"}}",
			2 + i);
		ck_assert_str_eq(ask_behind(UID_ADMIN, rows[i].requester_login, "grant.add", params),
			"approval_required");
		snprintf(params, sizeof(params), "{\"id\":%zu}", 1 + i);

		const char *word = ask_behind(rows[i].uid, rows[i].login, "request.approve", params);

		ck_assert_msg(strcmp(word, rows[i].word) == 0, "row %zu: %s", i, word);
		ck_assert_uint_eq(grants() - before, strcmp(word, "ok") == 0);
	}
	core_world_end(&world);
}
END_TEST

/* Kernels before 6.5: without proof nobody knows behind which login a process is. */
START_TEST(an_unproven_process_neither_asks_nor_approves)
{
	struct asking asking = {0};

	start();
	asking_start(&asking, &world, UID_ADMIN);
	asking.who.pidfd = 1000000;
	asking_send(&asking, "grant.add", "%s", GRANT);
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&asking), "denied");
	asking_end(&asking);
	ck_assert_int_eq(filed(UID_ADMIN, "grant.add", GRANT), 1);
	asking_start(&asking, &world, UID_SECOND);
	asking.who.pidfd = 1000000;
	asking_send(&asking, "request.approve", "{\"id\":1}");
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&asking), "denied");
	asking_end(&asking);
	approve_ok(UID_SECOND, 1);
	core_world_end(&world);
}
END_TEST

/* P2 */
START_TEST(others_neither_approve_nor_learn_what_there_is)
{
	static const uint32_t uids[] = {UID_OPERATOR, UID_AUDITOR, UID_APP, UID_STRANGER};

	start();
	filed(UID_ADMIN, "grant.add", GRANT);
	for (size_t i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
		approve_refused("denied", uids[i], 1);
		approve_refused("denied", uids[i], 99);
		core_ask_refused("denied", &world, uids[i], "request.reject", "{\"id\":1}");

		char *text = strdup(world.last_text);

		core_ask_refused("denied", &world, uids[i], "request.reject", "{\"id\":99}");
		ck_assert_str_eq(world.last_text, text);
		free(text);
	}
	core_ask_refused("denied", &world, UID_APP, "request.list", "{}");
	core_ask_refused("denied", &world, UID_STRANGER, "request.list", "{\"integration\":\"app\"}");
	approve_refused("not_found", UID_SECOND, 99);
	core_ask_refused("not_found", &world, UID_SECOND, "request.reject", "{\"id\":99}");
	core_ask_refused("bad_value", &world, UID_AUDITOR, "request.list", "{\"state\":\"open\"}");
	core_ask_refused("not_found", &world, UID_AUDITOR, "request.list", "{\"integration\":\"none\"}");
	ck_assert_str_eq(state_of(1), "pending");
	core_world_end(&world);
}
END_TEST

START_TEST(what_is_decided_stays_decided)
{
	start();
	filed(UID_ADMIN, "grant.add", GRANT);
	core_ask_ok(&world, UID_SECOND, "request.reject", "{\"id\":1,\"note\":\"why?\"}");
	approve_refused("conflict", UID_THIRD, 1);
	core_ask_refused("conflict", &world, UID_THIRD, "request.reject", "{\"id\":1}");
	ck_assert_int_eq(filed(UID_ADMIN, "grant.add", GRANT), 2);
	approve_ok(UID_SECOND, 2);
	approve_refused("conflict", UID_THIRD, 2);
	core_ask_refused("conflict", &world, UID_SECOND, "request.reject", "{\"id\":2}");
	ck_assert_uint_eq(grants(), 2);
	core_world_end(&world);
}
END_TEST

/* P4 */
START_TEST(what_nobody_decides_expires)
{
	start();
	filed(UID_ADMIN, "grant.add", GRANT);
	core_clock_ms += 7 * (int64_t)DAY - 1;
	core_tick(world.core, false);
	ck_assert_str_eq(state_of(1), "pending");
	core_clock_ms += 1;
	approve_refused("expired", UID_SECOND, 1);
	core_ask_refused("expired", &world, UID_SECOND, "request.reject", "{\"id\":1}");
	core_tick(world.core, false);

	struct record record = core_record(&world, 0);

	ck_assert_str_eq(record.kind, "request.expire");
	ck_assert_uint_eq(record.object, 1);
	ck_assert_str_eq(record.integration, "app");
	ck_assert_str_eq(record.subject.text, "method=grant.add requested_by=70001");
	ck_assert_str_eq(state_of(1), "expired");
	core_check_chain(&world);
	approve_refused("expired", UID_SECOND, 1);
	ck_assert_int_eq(filed(UID_ADMIN, "grant.add", GRANT), 2);
	core_world_end(&world);
}
END_TEST

/* What the change is, and what was asked for before it. */
START_TEST(what_has_changed_since_is_not_done)
{
	static const struct {
		const char *method, *params;
		uint32_t uid;
		const char *change, *change_params;
		const char *word;
	} rows[] = {
		{"grant.add", GRANT, UID_ADMIN, "grant.add",
			"{\"integration\":\"app\",\"rule\":{\"user\":\"2\"}}", "conflict"},
		{"grant.remove", "{\"integration\":\"app\",\"id\":1}", UID_ADMIN, "grant.add",
			"{\"integration\":\"app\",\"rule\":{\"user\":\"2\"}}", "conflict"},
		{"integration.edit", "{\"name\":\"app\",\"title\":\"x\"}", UID_ADMIN, "integration.edit",
			"{\"name\":\"app\",\"owner\":\"y\"}", "conflict"},
		{"secret.promote", "{\"integration\":\"app\",\"key\":\"A\",\"untested\":true}", UID_OPERATOR,
			"secret.put", "{\"integration\":\"app\",\"key\":\"A\",\"value\":\"v\"}", "conflict"},
		{"secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":1}", UID_OPERATOR,
			"secret.rollback", "{\"integration\":\"app\",\"key\":\"A\",\"version\":1}",
			"conflict"},
		{"secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":1}", UID_OPERATOR,
			"integration.edit", "{\"name\":\"app\",\"title\":\"x\"}", "conflict"},
		/* What it is not about does not matter. */
		{"secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":1}", UID_OPERATOR,
			"secret.put", "{\"integration\":\"app\",\"key\":\"B\",\"value\":\"v\"}", "ok"},
		{"integration.edit", "{\"name\":\"app\",\"title\":\"x\"}", UID_ADMIN, "grant.add",
			"{\"integration\":\"app\",\"rule\":{\"user\":\"2\"}}", "ok"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool needs[REQUEST_COUNT] = {0};

		start();

		int id = filed(rows[i].uid, rows[i].method, rows[i].params);

		memcpy(needs, world.rules.needs_approval, sizeof(needs));
		memset(world.rules.needs_approval, 0, sizeof(needs));
		core_ask_ok(&world, UID_THIRD, rows[i].change, "%s", rows[i].change_params);

		const char *word = approve(UID_SECOND, id);
		bool is_done = strcmp(word, "ok") == 0;

		ck_assert_msg(strcmp(word, rows[i].word) == 0, "row %zu: %s", i, word);
		ck_assert_str_eq(state_of(id), is_done ? "approved" : "pending");
		core_check_chain(&world);
		core_world_end(&world);
	}
}
END_TEST

START_TEST(a_requester_who_lost_the_right_gets_nothing)
{
	start();
	filed(UID_ADMIN, "grant.add", GRANT);
	filed(UID_OPERATOR, "secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":1}");
	world.roles.operator.uid_count = 0;
	approve_refused("denied", UID_SECOND, 2);
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:draining 2:current 3:staged");
	admins[0] = UID_STRANGER;
	approve_refused("denied", UID_SECOND, 1);
	admins[0] = UID_ADMIN;
	ck_assert_uint_eq(grants(), 1);
	approve_ok(UID_SECOND, 1);
	core_world_end(&world);
}
END_TEST

/* What could not be done is refused at once, and not filed. */
START_TEST(what_cannot_be_done_is_not_filed)
{
	start();
	core_ask_refused("not_found", &world, UID_ADMIN, "grant.add",
		"{\"integration\":\"none\",\"rule\":{\"user\":\"1\"}}");
	core_ask_refused("conflict", &world, UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"%d\"}}", UID_APP);
	core_ask_refused(
		"not_found", &world, UID_ADMIN, "grant.remove", "{\"integration\":\"app\",\"id\":9}");
	core_ask_refused("in_use", &world, UID_OPERATOR, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"A\",\"version\":2}");
	core_ask_refused("untested", &world, UID_OPERATOR, "secret.promote",
		"{\"integration\":\"app\",\"key\":\"A\"}");
	core_ask_refused("denied", &world, UID_OPERATOR, "grant.add", "%s", GRANT);
	core_ask_ok(&world, UID_AUDITOR, "request.list", "{}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "requests")), 0);
	core_world_end(&world);
}
END_TEST

START_TEST(a_refusal_of_the_request_itself_leaves_it_pending)
{
	struct puppet puppet = {0};

	puppets_start();
	start();
	filed(UID_OPERATOR, "secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":3}");
	puppet = puppet_new();
	core_ask_as_ok(&world, UID_APP, &puppet, "env.fetch", "{\"integration\":\"app\",\"staged\":true}");
	approve_refused("in_use", UID_SECOND, 1);
	ck_assert_ptr_nonnull(strstr(core_message(&world), "stays pending: 1 holder"));
	ck_assert_int_eq(core_error_data(&world, "holder_count")->valueint, 1);
	ck_assert_str_eq(core_record(&world, 0).kind, "request.approve");
	ck_assert_str_eq(core_record(&world, 0).outcome, "in_use");
	ck_assert_str_eq(state_of(1), "pending");
	puppet_die(&puppet);
	core_processes_ended(world.core);
	turn_end(core_turn(world.core));
	approve_ok(UID_SECOND, 1);
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:draining 2:current 3:revoked");
	core_world_end(&world);
	puppets_end();
}
END_TEST

START_TEST(only_so_many_wait)
{
	start();
	for (int i = 1; i <= 32; i++) {
		char params[96] = "";

		snprintf(params, sizeof(params), "{\"integration\":\"app\",\"rule\":{\"user\":\"%d\"}}", i);
		ck_assert_int_eq(filed(UID_ADMIN, "grant.add", params), i);
	}
	core_ask_refused("busy", &world, UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"99\"}}");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "32 of your requests"));
	ck_assert_int_eq(filed(UID_ADMIN, "grant.add", GRANT), 1);
	ck_assert_int_eq(filed(UID_SECOND, "grant.add", GRANT), 33);
	core_ask_ok(&world, UID_ADMIN, "request.reject", "{\"id\":1}");
	ck_assert_int_eq(
		filed(UID_ADMIN, "grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"99\"}}"), 34);
	core_world_end(&world);
}
END_TEST

/* P5 */
START_TEST(what_cannot_be_stored_is_not_promised)
{
	start();
	core_faults.append = ERR_STORAGE_FULL;
	core_ask_refused("audit_unavailable", &world, UID_ADMIN, "grant.add", "%s", GRANT);
	core_faults.commit = ERR_STORAGE_FULL;
	core_ask_refused("audit_unavailable", &world, UID_ADMIN, "grant.add", "%s", GRANT);
	ck_assert_int_eq(filed(UID_ADMIN, "grant.add", GRANT), 1);
	core_faults.append = ERR_STORAGE_FULL;
	approve_refused("storage_full", UID_SECOND, 1);
	core_faults.commit = ERR_STORAGE_FULL;
	approve_refused("storage_full", UID_SECOND, 1);
	ck_assert_str_eq(state_of(1), "pending");
	ck_assert_uint_eq(grants(), 1);
	core_check_chain(&world);
	approve_ok(UID_SECOND, 1);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

/* ---- when ---- */

START_TEST(what_weakens_the_rules_of_production_always_needs_a_second_person)
{
	static const struct {
		const char *method, *params;
		const char *word;
	} rows[] = {
		{"integration.edit", "{\"name\":\"app\",\"environment\":\"sandbox\"}", "approval_required"},
		{"integration.edit", "{\"name\":\"app\",\"environment\":\"\"}", "approval_required"},
		{"integration.edit", "{\"name\":\"app\",\"managed_by\":[\"1\"]}", "approval_required"},
		{"integration.edit", "{\"name\":\"lab\",\"managed_by\":[\"1\"]}", "ok"},
		{"grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"70001\"}}", "approval_required"},
		{"grant.add", "{\"integration\":\"lab\",\"rule\":{\"user\":\"70001\"}}", "ok"},
		{"grant.add",
			"{\"integration\":\"app\",\"rule\":{\"user\":\"70001\",\"unit\":\"a.service\"}}",
			"approval_required"},
		{"grant.add", "{\"integration\":\"app\",\"rule\":{\"group\":\"70001\"}}",
			"approval_required"},
		{"grant.add", "{\"integration\":\"app\",\"rule\":{\"unit\":\"a.service\"}}",
			"approval_required"},
		{"grant.add", "{\"integration\":\"app\",\"rule\":{\"group\":\"70009\"}}", "ok"},
		{"grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"70001\",\"group\":\"70009\"}}",
			"ok"},
		{"grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"1\",\"group\":\"70001\"}}",
			"ok"},
		{"integration.edit", "{\"name\":\"app\",\"environment\":\"production\",\"title\":\"x\"}",
			"ok"},
		{"integration.edit", "{\"name\":\"lab\",\"environment\":\"production\"}", "ok"},
		{"grant.remove", "{\"integration\":\"app\",\"id\":1}", "ok"},
	};

	start();
	memset(world.rules.needs_approval, 0, sizeof(world.rules.needs_approval));
	core_ask_ok(&world, UID_ADMIN, "integration.add",
		"{\"name\":\"lab\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\","
		"\"environment\":\"sandbox\"}");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *word = core_ask(&world, UID_ADMIN, rows[i].method, "%s", rows[i].params);

		ck_assert_msg(strcmp(word, rows[i].word) == 0, "row %zu: %s", i, word);
	}
	core_world_end(&world);
}
END_TEST

/* It makes the units, and could become any user whose grant needs nobody. */
START_TEST(a_unit_is_not_root_itself_but_may_be_another_admin)
{
	static const struct {
		const char *rule;
		const char *word;
	} rows[] = {
		{"{\"user\":\"0\"}", "approval_required"},
		{"{\"user\":\"0\",\"unit\":\"a.service\"}", "approval_required"},
		{"{\"group\":\"0\"}", "approval_required"},
		{"{\"group\":\"0\",\"unit\":\"a.service\"}", "approval_required"},
		{"{\"token\":true,\"unit\":\"a.service\"}", "ok"},
		{"{\"unit\":\"b.service\"}", "ok"},
		{"{\"unit\":\"c@*.service\"}", "ok"},
	};

	start();
	memset(world.rules.needs_approval, 0, sizeof(world.rules.needs_approval));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *word = core_ask(
			&world, 0, "grant.add", "{\"integration\":\"app\",\"rule\":%s}", rows[i].rule);

		ck_assert_msg(strcmp(word, rows[i].word) == 0, "row %zu: %s", i, word);
	}
	ck_assert_str_eq(core_ask(&world, UID_ADMIN, "grant.add",
				 "{\"integration\":\"app\",\"rule\":{\"unit\":\"d.service\"}}"),
		"approval_required");
	core_world_end(&world);
}
END_TEST

START_TEST(the_list_is_for_production)
{
	start();
	core_ask_ok(&world, UID_ADMIN, "integration.add",
		"{\"name\":\"lab\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\","
		"\"environment\":\"sandbox\"}");
	core_ask_ok(&world, UID_ADMIN, "grant.add", "{\"integration\":\"lab\",\"rule\":{\"user\":\"1\"}}");
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"lab\",\"title\":\"x\"}");
	core_ask_ok(&world, UID_ADMIN, "grant.remove", "{\"integration\":\"lab\",\"id\":2}");
	world.rules.needs_approval[REQUEST_GRANT_ADD] = false;
	core_ask_ok(&world, UID_ADMIN, "grant.add", "%s", GRANT);
	core_world_end(&world);
}
END_TEST

/* A value cannot wait for a second person: what only that person makes current is staged. */
START_TEST(a_put_is_no_way_around_promote)
{
	static const char put[] = "{\"integration\":\"app\",\"key\":\"A\",\"value\":\"v\"}";
	static const char again[] = "{\"integration\":\"app\",\"key\":\"B\",\"value\":\"v\"}";
	struct record record = {0};

	start();
	core_ask_refused("approval_required", &world, UID_OPERATOR, "secret.put", "%s", put);
	ck_assert_ptr_null(core_error_data(&world, "request"));
	ck_assert_str_eq(core_message(&world),
		"a second person must approve: stage it (--stage); making it current is for a second person");
	record = core_record(&world, 0);
	ck_assert_str_eq(record.kind, "secret.put");
	ck_assert_str_eq(record.outcome, "approval_required");
	ck_assert_str_eq(record.key, "A");
	core_ask_refused("approval_required", &world, UID_ADMIN, "secret.put", "%s", put);
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:draining 2:current 3:staged");
	core_ask_ok(&world, UID_AUDITOR, "request.list", "{}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "requests")), 0);

	/* The first value replaces nothing.  Revoking it first does not make another one the first. */
	core_ask_ok(&world, UID_OPERATOR, "secret.put", "%s", again);
	world.rules.needs_approval[REQUEST_SECRET_REVOKE] = false;
	core_ask_ok(&world, UID_OPERATOR, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"B\",\"version\":1,\"force\":true}");
	core_ask_refused("approval_required", &world, UID_OPERATOR, "secret.put", "%s", again);
	core_ask_ok(&world, UID_OPERATOR, "secret.remove", "{\"integration\":\"app\",\"key\":\"B\"}");
	core_ask_refused("approval_required", &world, UID_OPERATOR, "secret.put", "%s", again);
	core_ask_ok(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"B\",\"value\":\"v\",\"stage\":true}");
	approve_ok(UID_SECOND, filed(UID_OPERATOR, "secret.promote",
				       "{\"integration\":\"app\",\"key\":\"B\",\"untested\":true}"));
	ck_assert_str_eq(core_states(&world, "app", "B"), "2:current");

	/* Back to what was current before: at once. */
	core_ask_ok(&world, UID_OPERATOR, "secret.rollback", "{\"integration\":\"app\",\"key\":\"A\"}");
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(a_put_is_free_where_promote_is)
{
	start();
	core_ask_ok(&world, UID_ADMIN, "integration.add",
		"{\"name\":\"lab\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\","
		"\"environment\":\"sandbox\"}");
	core_put(&world, "lab", "A", "one");
	core_put(&world, "lab", "A", "two");
	world.rules.needs_approval[REQUEST_SECRET_PROMOTE] = false;
	core_put(&world, "app", "A", "four");
	core_world_end(&world);
}
END_TEST

/* ---- filing ---- */

/* P4 */
START_TEST(what_is_filed_has_a_record_and_changes_nothing)
{
	struct record record = {0};

	start();
	filed(UID_ADMIN, "grant.add", GRANT);
	ck_assert_str_eq(core_message(&world),
		"a second person must approve: request 1 waits for another admin: coffer request approve 1");
	record = core_record(&world, 0);
	ck_assert_str_eq(record.kind, "grant.add");
	ck_assert_str_eq(record.outcome, "approval_required");
	ck_assert_str_eq(record.integration, "app");
	ck_assert_uint_eq(record.object, 1);
	ck_assert_str_eq(record.subject.text, "uid=1");
	filed(UID_OPERATOR, "secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":1}");
	record = core_record(&world, 0);
	ck_assert_str_eq(record.outcome, "approval_required");
	ck_assert_str_eq(record.key, "A");
	ck_assert_uint_eq(record.version, 1);
	ck_assert_uint_eq(record.object, 2);
	ck_assert_uint_eq(grants(), 1);
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:draining 2:current 3:staged");
	core_check_chain(&world);
	core_ask_ok(&world, UID_AUDITOR, "request.list", "{\"integration\":\"app\",\"state\":\"pending\"}");

	const cJSON *request = cJSON_GetArrayItem(core_result(&world, "requests"), 0);

	ck_assert_str_eq(part(request, "method"), "secret.revoke");
	ck_assert_str_eq(part(request, "integration"), "app");
	ck_assert_str_eq(part(request, "subject"), "key=A version=1");
	ck_assert_str_eq(part(cJSON_GetObjectItem(request, "params"), "key"), "A");
	ck_assert_str_eq(part(request, "requested_by"), "70002");
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(request, "login")));
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(request, "decided_by")));
	ck_assert_str_eq(part(cJSON_GetArrayItem(core_result(&world, "requests"), 1), "subject"), "uid=1");
	core_ask_ok(&world, UID_AUDITOR, "request.list", "{\"limit\":1}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "requests")), 1);
	ck_assert(cJSON_IsTrue(core_result(&world, "more")));
	core_world_end(&world);
}
END_TEST

START_TEST(the_same_request_has_the_same_number)
{
	uint64_t records = 0;

	start();
	ck_assert_int_eq(filed(UID_ADMIN, "grant.add", GRANT), 1);
	records = core_records(&world);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(filed(UID_ADMIN, "grant.add", GRANT), 1);
	ck_assert_uint_eq(core_records(&world), records + 1); /* a repeated refusal is counted */
	ck_assert_int_eq(filed(UID_ADMIN, "grant.add",
				 "{\"rule\":{\"user\":\"1\"},\"integration\":\"app\",\"request_id\":"
				 "\"0123456789abcdef0123456789abcdef\"}"),
		1);
	ck_assert_int_eq(filed(UID_SECOND, "grant.add", GRANT), 2);
	ck_assert_int_eq(
		filed(UID_ADMIN, "grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"2\"}}"), 3);
	core_world_reopen(&world);
	ck_assert_int_eq(filed(UID_ADMIN, "grant.add", GRANT), 1);
	core_world_end(&world);
}
END_TEST

START_TEST(a_repeated_request_id_follows_its_request)
{
	static const char params[] = "{\"integration\":\"app\",\"rule\":{\"user\":\"1\"},\"request_id\":"
				     "\"0123456789abcdef0123456789abcdef\"}";
	static const char other[] = "{\"integration\":\"app\",\"rule\":{\"user\":\"2\"},\"request_id\":"
				    "\"0123456789abcdef0123456789abcdef\"}";

	start();
	ck_assert_int_eq(filed(UID_ADMIN, "grant.add", params), 1);
	ck_assert_int_eq(filed(UID_ADMIN, "grant.add", params), 1);
	core_ask_refused("conflict", &world, UID_ADMIN, "grant.add", "%s", other);
	approve_ok(UID_SECOND, 1);
	core_ask_ok(&world, UID_ADMIN, "grant.add", "%s", params);
	ck_assert_int_eq(cJSON_GetObjectItem(core_result(&world, "grant"), "id")->valueint, 2);
	core_ask_refused("conflict", &world, UID_ADMIN, "grant.add", "%s", other);
	ck_assert_uint_eq(grants(), 2);
	core_clock_ms += 2 * (int64_t)DAY;
	core_tick(world.core, false);
	core_ask_refused("conflict", &world, UID_ADMIN, "grant.add", "%s", params);
	ck_assert_uint_eq(grants(), 2);
	ck_assert_int_eq(filed(UID_SECOND, "grant.add", other), 2);
	core_ask_ok(&world, UID_SECOND, "request.reject", "{\"id\":2}");
	core_ask_refused("denied", &world, UID_SECOND, "grant.add", "%s", other);
	ck_assert_ptr_nonnull(strstr(core_message(&world), "request 2 was rejected"));
	core_world_end(&world);
}
END_TEST

/* ---- done ---- */

START_TEST(whoever_asked_takes_it_back)
{
	start();
	filed(UID_OPERATOR, "secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":1}");
	core_ask_ok(&world, UID_OPERATOR, "request.reject",
		"{\"id\":1,\"note\":\"typo\",\"request_id\":\"0123456789abcdef0123456789abcdef\"}");
	ck_assert_str_eq(part(core_result(&world, "request"), "state"), "rejected");
	ck_assert_str_eq(part(core_result(&world, "request"), "note"), "typo");
	core_ask_ok(&world, UID_OPERATOR, "request.reject",
		"{\"id\":1,\"note\":\"typo\",\"request_id\":\"0123456789abcdef0123456789abcdef\"}");
	ck_assert_str_eq(core_record(&world, 0).detail, "repeated request_id, first result");
	core_world_end(&world);
}
END_TEST

/* P4, P10: each method, done once as whoever asked for it. */
START_TEST(an_approved_request_is_done_as_it_was_asked_for)
{
	static const struct {
		uint32_t uid;
		const char *method, *params, *subject;
	} rows[] = {
		{UID_ADMIN, "grant.add", GRANT, "uid=1 approved_by=71001 approval=1"},
		{UID_ADMIN, "grant.remove", "{\"integration\":\"app\",\"id\":1}",
			"approved_by=71001 approval=2"},
		{UID_ADMIN, "integration.edit",
			"{\"name\":\"app\",\"environment\":\"sandbox\",\"docs\":\"x\"}",
			"environment=sandbox docs approved_by=71001 approval=3"},
		{UID_OPERATOR, "secret.promote", "{\"integration\":\"app\",\"key\":\"A\",\"untested\":true}",
			"draining=2 approved_by=71001 approval=4"},
		{UID_OPERATOR, "secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":1}",
			"approved_by=71001 approval=5"},
		{UID_ADMIN, "integration.retire", "{\"name\":\"app\"}", NULL},
	};

	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int id = filed(rows[i].uid, rows[i].method, rows[i].params);
		unsigned checkpoints = core_faults.checkpoints;

		core_ask_ok(&world, UID_SECOND, "request.approve", "{\"id\":%d,\"note\":\"go\"}", id);
		ck_assert_str_eq(part(core_result(&world, "request"), "state"), "approved");
		ck_assert_str_eq(part(core_result(&world, "request"), "decided_by"), "71001");
		ck_assert_str_eq(part(core_result(&world, "request"), "note"), "go");
		ck_assert(cJSON_IsObject(core_result(&world, "result")));
		ck_assert_uint_eq(core_faults.checkpoints - checkpoints, i >= 4); /* P10 */

		struct record done = core_record(&world, core_record(&world, 0).seq - 1);

		ck_assert_str_eq(done.kind, rows[i].method);
		ck_assert_str_eq(done.outcome, "ok");
		ck_assert_uint_eq(done.uid, rows[i].uid);
		if (rows[i].subject != NULL)
			ck_assert_str_eq(done.subject.text, rows[i].subject);
		else
			ck_assert_ptr_nonnull(strstr(done.subject.text, "approved_by=71001"));

		struct record approved = core_record(&world, 0);

		ck_assert_str_eq(approved.kind, "request.approve");
		ck_assert_uint_eq(approved.uid, UID_SECOND);
		ck_assert_uint_eq(approved.object, (uint64_t)id);
		ck_assert_str_eq(approved.integration, "app");
		approve_refused("conflict", UID_THIRD, id);
		if (strcmp(rows[i].method, "integration.edit") == 0) /* back, for the next */
			core_ask_ok(&world, UID_ADMIN, "integration.edit",
				"{\"name\":\"app\",\"environment\":\"production\"}");
	}
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:revoked 2:revoked 3:revoked");
	ck_assert_uint_eq(grants(), 0);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

static enum err on_title(void *arg, const struct store_change *change)
{
	uint32_t *approver = arg;

	if (strcmp(change->field, "title") == 0)
		*approver = change->has_approver ? change->approved_by : 0;
	return OK;
}

START_TEST(an_approval_is_in_the_history)
{
	uint32_t approver = 0;

	start();
	filed(UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"title\":\"x\"}");
	approve_ok(UID_SECOND, 1);
	core_ask_ok(&world, UID_AUDITOR, "integration.show", "{\"name\":\"app\"}");
	ck_assert_str_eq(part(core_result(&world, "integration"), "title"), "x");
	ck_assert_str_eq(part(core_result(&world, "integration"), "changed_by"), "70001");
	ck_ok(store_change_each(world.core->store, on_title, &approver));
	ck_assert_uint_eq(approver, UID_SECOND);
	core_world_end(&world);
}
END_TEST

/* ---- locked grants ---- */

static void start_locked(void)
{
	core_world_start(&world);
	world.roles.admin = (struct role_members){.uids = admins, .uid_count = 3};
	core_ask_ok(&world, UID_ADMIN, "integration.add",
		"{\"name\":\"app\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\","
		"\"lock_grants\":true}");
	ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(core_result(&world, "integration"), "grants_locked")));
	ck_assert_ptr_nonnull(strstr(core_record(&world, 0).subject.text, "lock_grants"));
	core_put(&world, "app", "A", "one");
	core_put(&world, "app", "A", "two");
	core_stage(&world, "app", "B", "three");
}

START_TEST(locked_grants_take_no_group_and_are_never_quiet)
{
	start_locked();
	core_ask_refused("bad_value", &world, UID_ADMIN, "grant.add", "%s", GRANT);
	ck_assert_ptr_nonnull(strstr(core_message(&world), "destroy_values"));
	core_ask_refused("bad_value", &world, UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"group\":\"1\"},\"destroy_values\":true}");
	core_ask_refused("bad_value", &world, UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"1\",\"group\":\"1\"},\"destroy_values\":"
		"true}");
	core_add_integration(&world, "open");
	core_ask_refused("bad_value", &world, UID_ADMIN, "grant.add",
		"{\"integration\":\"open\",\"rule\":{\"user\":\"1\"},\"destroy_values\":true}");
	core_ask_refused("bad_request", &world, UID_ADMIN, "integration.edit",
		"{\"name\":\"app\",\"lock_grants\":false}");
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:draining 2:current");
	core_world_end(&world);
}
END_TEST

/* P10 */
START_TEST(a_grant_where_they_are_locked_destroys_all_values)
{
	unsigned checkpoints = 0;

	start_locked();
	ck_assert_int_eq(
		filed(UID_ADMIN, "grant.add",
			"{\"integration\":\"app\",\"rule\":{\"user\":\"70004\"},\"destroy_values\":true}"),
		1);
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:draining 2:current");
	checkpoints = core_faults.checkpoints;
	approve_ok(UID_SECOND, 1);
	ck_assert_uint_eq(core_faults.checkpoints, checkpoints + 1);
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:revoked 2:revoked");
	ck_assert_str_eq(core_states(&world, "app", "B"), "1:revoked");

	struct record record = core_record(&world, core_record(&world, 0).seq - 1);

	ck_assert_str_eq(record.kind, "grant.add");
	ck_assert_str_eq(record.key, "");
	ck_assert_str_eq(record.subject.text, "uid=70004 destroyed=3 approved_by=71001 approval=1");
	core_ask_refused(
		"not_found", &world, UID_APP, "env.fetch", "{\"integration\":\"app\",\"only\":[\"A\"]}");
	core_put(&world, "app", "A", "new");
	core_ask_ok(&world, UID_APP, "env.fetch", "{\"integration\":\"app\",\"only\":[\"A\"]}");
	ck_assert_str_eq(part(cJSON_GetArrayItem(core_result(&world, "env"), 0), "value"), "new");
	core_world_reopen(&world);
	core_ask_ok(&world, UID_APP, "env.fetch", "{\"integration\":\"app\",\"only\":[\"A\"]}");
	ck_assert_str_eq(part(cJSON_GetArrayItem(core_result(&world, "env"), 0), "value"), "new");
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

struct sealed {
	unsigned char bytes[2][32];
	size_t count;
};

static enum err on_dek(void *arg, const struct store_integration *integration)
{
	struct sealed *sealed = arg;

	memcpy(sealed->bytes[sealed->count++], integration->dek.bytes + 40, 32);
	return OK;
}

static enum err on_sealed(void *arg, const struct store_version *version)
{
	struct sealed *sealed = arg;

	if (sealed->count < 2 && version->sealed.bytes != NULL)
		memcpy(sealed->bytes[sealed->count++], version->sealed.bytes + 40, 32);
	return OK;
}

static bool is_in_file(const char *name, const unsigned char bytes[32])
{
	char path[96] = "";
	char *text = NULL;
	size_t len = 0;

	snprintf(path, sizeof(path), "%s/%s", world.dir, name);

	FILE *file = fopen(path, "r");

	ck_assert_ptr_nonnull(file);
	while (!feof(file)) {
		text = realloc(text, len + 65536);
		ck_assert_ptr_nonnull(text);
		len += fread(text + len, 1, 65536, file);
	}
	fclose(file);

	bool is_there = memmem(text, len, bytes, 32) != NULL;

	free(text);
	return is_there;
}

/* P10 */
START_TEST(no_file_keeps_a_destroyed_value_or_its_key)
{
	struct sealed sealed = {0};

	start_locked();
	ck_ok(store_integration_get(world.core->store, "app", on_dek, &sealed));
	ck_ok(store_version_each(world.core->store, on_sealed, &sealed));
	ck_assert_uint_eq(sealed.count, 2);
	filed(UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"70004\"},\"destroy_values\":true}");
	for (size_t i = 0; i < 2; i++)
		ck_assert(is_in_file("coffer.db", sealed.bytes[i]) ||
			  is_in_file("coffer.db-wal", sealed.bytes[i]));
	approve_ok(UID_SECOND, 1);
	for (size_t i = 0; i < 2; i++) {
		ck_assert(!is_in_file("coffer.db", sealed.bytes[i]));
		ck_assert(!is_in_file("coffer.db-wal", sealed.bytes[i]));
	}
	core_world_end(&world);
}
END_TEST

START_TEST(values_put_since_are_not_destroyed_by_an_old_approval)
{
	start_locked();
	filed(UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"70004\"},\"destroy_values\":true}");
	core_put(&world, "app", "B", "four");
	approve_refused("conflict", UID_SECOND, 1);
	ck_assert_str_eq(core_states(&world, "app", "B"), "1:staged 2:current");
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_approvals", nobody_approves_their_own, two_users_behind_one_login_are_one_person,
	an_unproven_process_neither_asks_nor_approves, others_neither_approve_nor_learn_what_there_is,
	what_is_decided_stays_decided, what_nobody_decides_expires, what_has_changed_since_is_not_done,
	a_requester_who_lost_the_right_gets_nothing, what_cannot_be_done_is_not_filed,
	a_refusal_of_the_request_itself_leaves_it_pending, only_so_many_wait,
	what_cannot_be_stored_is_not_promised,
	what_weakens_the_rules_of_production_always_needs_a_second_person,
	a_unit_is_not_root_itself_but_may_be_another_admin, the_list_is_for_production,
	a_put_is_no_way_around_promote, a_put_is_free_where_promote_is,
	what_is_filed_has_a_record_and_changes_nothing, the_same_request_has_the_same_number,
	a_repeated_request_id_follows_its_request, whoever_asked_takes_it_back,
	an_approved_request_is_done_as_it_was_asked_for, an_approval_is_in_the_history,
	locked_grants_take_no_group_and_are_never_quiet, a_grant_where_they_are_locked_destroys_all_values,
	no_file_keeps_a_destroyed_value_or_its_key, values_put_since_are_not_destroyed_by_an_old_approval)
