/*
 * grant.explain: what it refuses, that it says of each condition what the decision itself says, and that it decides
 * as a fetch would; and what the record of a refused fetch tells of its caller.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core_world.h"
#include "users.h"

enum { UID_ALICE = 70101, GROUP_STAFF = 71001, GROUP_OTHER = 71002 };

static struct core_world world;

/* ---- the user database: the linker sends the core's calls here (--wrap) ---- */

enum err __real_users_uid(const char *name, uid_t *out);
enum err __wrap_users_uid(const char *name, uid_t *out);
enum err __wrap_users_uid(const char *name, uid_t *out)
{
	if (strcmp(name, "alice") != 0)
		return __real_users_uid(name, out);
	*out = UID_ALICE;
	return OK;
}

enum err __wrap_users_groups(uid_t uid, gid_t **groups_out, size_t *count_out);
enum err __wrap_users_groups(uid_t uid, gid_t **groups_out, size_t *count_out)
{
	static const gid_t groups[] = {GROUP_OTHER, GROUP_STAFF};

	if (uid != UID_ALICE)
		return ERR_NOT_FOUND;
	*groups_out = malloc(sizeof(groups));
	ck_assert_ptr_nonnull(*groups_out);
	memcpy(*groups_out, groups, sizeof(groups));
	*count_out = 2;
	return OK;
}

/* ---- asking ---- */

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_put(&world, "app", "KEY", "v");
}

static void grant(const char *rule, bool is_staged_only)
{
	ck_assert_str_eq(
		core_ask_approved(&world, UID_ADMIN, "grant.add", "{\"integration\":\"app\",\"rule\":%s%s}",
			rule, is_staged_only ? ",\"staged_only\":true" : ""),
		"ok");
}

static void explain(const char *more)
{
	core_ask_ok(&world, UID_AUDITOR, "grant.explain", "{\"integration\":\"app\"%s}", more);
}

#define ck_verdict(text) ck_assert_str_eq(core_result_text(&world, "verdict"), text)

static const cJSON *explained(int index)
{
	const cJSON *grant_of = cJSON_GetArrayItem(core_result(&world, "grants"), index);

	ck_assert_ptr_nonnull(grant_of);
	return grant_of;
}

static bool matches(int index)
{
	return cJSON_IsTrue(cJSON_GetObjectItem(explained(index), "matches"));
}

/* "user:yes unit:no" */
static const char *conditions(int index)
{
	static char text[128];
	const cJSON *one = NULL;

	text[0] = '\0';
	cJSON_ArrayForEach(one, cJSON_GetObjectItem(explained(index), "conditions"))
	{
		bool holds = cJSON_IsTrue(cJSON_GetObjectItem(one, "holds"));
		size_t len = strlen(text);

		ck_assert_int_eq(holds, cJSON_IsNull(cJSON_GetObjectItem(one, "reason")));
		snprintf(text + len, sizeof(text) - len, "%s%s:%s", len > 0 ? " " : "",
			cJSON_GetStringValue(cJSON_GetObjectItem(one, "condition")), holds ? "yes" : "no");
	}
	return text;
}

START_TEST(explain_refuses_what_it_cannot_answer)
{
	start();
	core_ask_refused("bad_request", &world, UID_AUDITOR, "grant.explain", "{}");
	core_ask_refused("not_found", &world, UID_AUDITOR, "grant.explain", "{\"integration\":\"absent\"}");
	core_ask_refused("not_found", &world, UID_AUDITOR, "grant.explain",
		"{\"integration\":\"app\",\"user\":\"no-such-user-here\"}");
	core_ask_refused("bad_value", &world, UID_AUDITOR, "grant.explain",
		"{\"integration\":\"app\",\"unit\":\"etl@*.service\"}");
	core_ask_refused("bad_value", &world, UID_AUDITOR, "grant.explain",
		"{\"integration\":\"app\",\"unit\":\"no unit\"}");
	core_ask_refused("denied", &world, UID_STRANGER, "grant.explain", "{\"integration\":\"app\"}");
	core_world_end(&world);
}
END_TEST

START_TEST(explain_says_of_each_condition_whether_it_holds)
{
	start();
	explain("");
	ck_verdict("the integration has no grant");
	grant("{\"user\":\"alice\",\"unit\":\"etl@*.service\"}", false);
	grant("{\"group\":\"71001\"}", true);
	grant("{\"user\":\"70004\",\"group\":\"71002\"}", false);
	explain(",\"user\":\"alice\"");
	ck_verdict("no grant matches");
	ck_assert(cJSON_IsNull(core_result(&world, "grant")));
	ck_assert_str_eq(conditions(0), "user:yes unit:no");
	ck_assert_str_eq(conditions(1), "group:yes staged:no");
	ck_assert_str_eq(conditions(2), "user:no group:yes");
	ck_assert(!matches(0) && !matches(1) && !matches(2));
	explain(",\"user\":\"alice\",\"unit\":\"etl@1.service\"");
	ck_verdict("grant 1 matches");
	ck_assert(matches(0));
	explain(",\"user\":\"alice\",\"unit\":\"other.service\",\"staged\":true");
	ck_verdict("grant 2 matches");
	ck_assert_str_eq(conditions(0), "user:yes unit:no");
	/* A number without an account is a user without groups. */
	explain(",\"user\":\"70004\",\"staged\":true");
	ck_verdict("no grant matches");
	ck_assert_str_eq(conditions(1), "group:no staged:yes");
	explain(",\"user\":\"65534\"");
	ck_verdict("no grant matches");
	core_world_end(&world);
}
END_TEST

static const char *reason_of(int index, int condition)
{
	const cJSON *one = cJSON_GetArrayItem(cJSON_GetObjectItem(explained(index), "conditions"), condition);

	return cJSON_GetStringValue(cJSON_GetObjectItem(one, "reason"));
}

#define make_token(name, user) \
	core_ask_ok(&world, UID_ADMIN, "token.create", \
		"{\"integration\":\"app\",\"token_name\":\"%s\",\"description\":\"d\",\"user\":\"%s\"}", \
		name, user)

/* Nobody knows what a connection will show: the condition holds when there is a token to show. */
START_TEST(explain_looks_for_a_token_that_the_user_could_show)
{
	start();
	grant("{\"user\":\"alice\",\"token\":true}", false);
	make_token("others", "70004");
	explain(",\"user\":\"alice\"");
	ck_verdict("no grant matches");
	ck_assert_str_eq(conditions(0), "user:yes token:no");
	ck_assert_str_eq(reason_of(0, 1), "the user has no token of it");
	make_token("hers", "alice");
	explain(",\"user\":\"alice\"");
	ck_verdict("grant 1 matches");
	ck_assert_str_eq(conditions(0), "user:yes token:yes");
	explain(",\"user\":\"70004\"");
	ck_assert_str_eq(conditions(0), "user:no token:yes");
	ck_verdict("no grant matches");
	core_ask_ok(&world, UID_ADMIN, "token.revoke", "{\"integration\":\"app\",\"id\":2}");
	explain(",\"user\":\"alice\"");
	ck_verdict("no grant matches");
	ck_assert_str_eq(reason_of(0, 1), "the token is revoked");
	core_world_end(&world);
}
END_TEST

START_TEST(explain_tells_the_state_that_a_fetch_would_meet)
{
	start();
	grant("{\"user\":\"alice\"}", false);
	core_set_state(&world, "app", "suspended");
	explain(",\"user\":\"alice\"");
	ck_verdict("grant 1 matches, but the integration is suspended");
	ck_assert_str_eq(core_result_text(&world, "blocked"), "suspended");
	core_set_state(&world, "app", "active");
	core_ask_ok(&world, UID_ADMIN, "integration.edit",
		"{\"name\":\"app\",\"expires_at\":\"2020-01-01T00:00:00Z\"}");
	explain(",\"user\":\"alice\"");
	ck_verdict("grant 1 matches, but the integration is expired");
	core_world_end(&world);
}
END_TEST

START_TEST(explain_without_a_user_is_about_the_caller)
{
	start();
	grant("{\"user\":\"70003\"}", false);
	explain("");
	ck_verdict("grant 1 matches");
	ck_assert_int_eq(core_result(&world, "uid")->valueint, UID_AUDITOR);
	ck_assert(cJSON_IsNull(core_result(&world, "unit")));
	ck_assert_str_eq(core_result_text(&world, "unit_reason"), "made by hand");
	core_ask_ok(&world, UID_OPERATOR, "grant.explain", "{\"integration\":\"app\"}");
	ck_verdict("no grant matches");
	core_world_end(&world);
}
END_TEST

/* P2: it is no second opinion. */
START_TEST(explain_agrees_with_the_fetch)
{
	static const char *const rules[] = {"{\"user\":\"70004\"}", "{\"group\":\"70004\"}",
		"{\"user\":\"70005\"}", "{\"group\":\"70005\"}", "{\"user\":\"70004\",\"group\":\"70005\"}",
		"{\"unit\":\"etl.service\"}", "{\"user\":\"70004\",\"unit\":\"etl.service\"}"};
	unsigned seen[2] = {0};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		start();
		grant(rules[i], i % 2 == 1);
		ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
					 "{\"name\":\"app\",\"managed_by\":[\"70004\",\"70005\"]}"),
			"ok");
		core_stage(&world, "app", "KEY", "w");
		for (uint32_t uid = UID_APP; uid <= UID_OTHER_APP; uid++)
			for (int staged = 0; staged < 2; staged++) {
				const char *with = staged == 1 ? ",\"staged\":true" : "";

				core_ask_ok(
					&world, uid, "grant.explain", "{\"integration\":\"app\"%s}", with);
				bool may = matches(0);

				ck_assert_int_eq(cJSON_IsNull(core_result(&world, "grant")), !may);
				ck_assert_str_eq(core_ask(&world, uid, "env.fetch",
							 "{\"integration\":\"app\"%s}", with),
					may ? "ok" : "denied");
				seen[may]++;
			}
		core_world_end(&world);
	}
	ck_assert_uint_gt(seen[0], 0);
	ck_assert_uint_gt(seen[1], 0);
}
END_TEST

/* P9: who, and the unit that was seen or why there was none. */
START_TEST(the_record_of_a_refused_fetch_names_user_and_unit_or_why_none)
{
	struct asking asking;
	struct record record = {0};

	start();
	grant("{\"user\":\"70004\",\"unit\":\"etl.service\"}", false);
	core_ask_refused("denied", &world, UID_APP, "env.fetch", "{\"integration\":\"app\"}");
	record = core_record(&world, 0);
	ck_assert_uint_eq(record.uid, UID_APP);
	ck_assert_str_eq(record.unit, "");
	ck_assert_str_eq(record.integration, "app");
	ck_assert_str_eq(record.detail, "the rule is for a unit, and the caller has no proven unit");
	ck_assert_str_eq(record.subject.text, "no unit: made by hand");
	/* Beyond the window of equal refusals. */
	core_clock_ms += 61000;
	core_tick(world.core, false);
	asking_start(&asking, &world, UID_APP);
	snprintf(asking.who.unit, sizeof(asking.who.unit), "other.service");
	asking_send(&asking, "env.fetch", "{\"integration\":\"app\"}");
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&asking), "denied");
	asking_end(&asking);
	record = core_record(&world, 0);
	ck_assert_str_eq(record.unit, "other.service");
	ck_assert_str_eq(record.detail, "the rule is for another unit");
	ck_assert_uint_eq(record.subject.len, 0);
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_explain", explain_refuses_what_it_cannot_answer,
	explain_says_of_each_condition_whether_it_holds, explain_looks_for_a_token_that_the_user_could_show,
	explain_tells_the_state_that_a_fetch_would_meet, explain_without_a_user_is_about_the_caller,
	explain_agrees_with_the_fetch, the_record_of_a_refused_fetch_names_user_and_unit_or_why_none)
