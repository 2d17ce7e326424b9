/*
 * request_id: the same request again has the first result and no second effect.
 */
#include <string.h>

#include "core_world.h"

static struct core_world world;

#define ID_1 "\"request_id\":\"00000000000000000000000000000001\""
#define PUT_A "{\"integration\":\"app\",\"key\":\"A\",\"value\":\"first\"," ID_1 "}"

enum { DAY_MS = 24 * 3600 * 1000 };

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_add_integration(&world, "other");
	core_grant(&world, "app", UID_APP);
}

static char *ask_text(uint32_t uid, const char *method, const char *params)
{
	core_ask_ok(&world, uid, method, "%s", params);
	return strdup(world.last_text);
}

static const char *fetched(void)
{
	core_ask_ok(&world, UID_APP, "env.fetch", "{\"integration\":\"app\"}");
	return cJSON_GetStringValue(
		cJSON_GetObjectItem(cJSON_GetArrayItem(core_result(&world, "env"), 0), "value"));
}

START_TEST(the_same_id_with_other_content_is_a_conflict)
{
	static const char *const others[] = {
		"{\"integration\":\"other\",\"key\":\"A\",\"value\":\"first\"," ID_1 "}",
		"{\"integration\":\"app\",\"key\":\"B\",\"value\":\"first\"," ID_1 "}",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"first\",\"note\":\"n\"," ID_1 "}",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"first\",\"if_absent\":true," ID_1 "}",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"first\",\"expect_version\":1," ID_1 "}",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"first\",\"encoding\":\"utf8\"," ID_1 "}",
	};

	start();
	core_ask_ok(&world, UID_OPERATOR, "secret.put", "%s", PUT_A);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		core_ask_refused("conflict", &world, UID_OPERATOR, "secret.put", "%s", others[i]);
	ck_assert_uint_eq(core_counts(&world).versions, 1);
	core_world_end(&world);
}
END_TEST

/* The right is asked before the memory. */
START_TEST(a_kept_result_needs_the_right_again)
{
	start();
	core_ask_ok(&world, UID_OPERATOR, "secret.put", "%s", PUT_A);
	world.roles.operator.uid_count = 0;
	core_ask_refused("denied", &world, UID_OPERATOR, "secret.put", "%s", PUT_A);
	world.roles.operator.uid_count = 1;
	core_ask_ok(&world, UID_OPERATOR, "secret.put", "%s", PUT_A);
	core_world_end(&world);
}
END_TEST

START_TEST(a_refused_request_keeps_no_result)
{
	start();
	core_ask_refused("conflict", &world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"v\",\"expect_version\":5," ID_1 "}");
	core_ask_ok(&world, UID_OPERATOR, "secret.put", "%s", PUT_A);
	core_world_end(&world);
}
END_TEST

/* P5 */
START_TEST(a_result_whose_commit_failed_is_not_kept)
{
	start();
	core_faults.commit = ERR_STORAGE_FULL;
	core_ask_refused("storage_full", &world, UID_OPERATOR, "secret.put", "%s", PUT_A);
	core_ask_ok(&world, UID_OPERATOR, "secret.put", "%s", PUT_A);
	ck_assert_uint_eq(core_counts(&world).versions, 1);
	ck_assert_str_eq(fetched(), "first");
	core_world_end(&world);
}
END_TEST

START_TEST(other_callers_and_other_methods_have_ids_of_their_own)
{
	start();
	core_ask_ok(&world, UID_OPERATOR, "secret.put", "%s", PUT_A);
	core_ask_ok(&world, UID_ADMIN, "secret.put", "%s", PUT_A);
	ck_assert_int_eq(core_result(&world, "version")->valueint, 2);
	core_ask_ok(&world, UID_OPERATOR, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"A\",\"version\":1," ID_1 "}");
	ck_assert_uint_eq(core_counts(&world).versions, 2);
	core_world_end(&world);
}
END_TEST

START_TEST(without_an_id_every_request_has_its_effect)
{
	start();
	core_put(&world, "app", "A", "first");
	core_put(&world, "app", "A", "first");
	ck_assert_uint_eq(core_counts(&world).versions, 2);
	core_world_end(&world);
}
END_TEST

START_TEST(the_same_request_again_has_the_first_result_and_no_second_effect)
{
	static const struct {
		uint32_t uid;
		const char *method, *params;
	} rows[] = {
		{UID_ADMIN, "integration.add",
			"{\"name\":\"new\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":"
			"\"c\"," ID_1 "}"},
		{UID_ADMIN, "integration.edit", "{\"name\":\"new\",\"title\":\"u\"," ID_1 "}"},
		{UID_ADMIN, "grant.add",
			"{\"integration\":\"new\",\"rule\":{\"user\":\"1\",\"unit\":\"a.service\"}," ID_1
			"}"},
		{UID_ADMIN, "grant.remove", "{\"integration\":\"new\",\"id\":2," ID_1 "}"},
		{UID_OPERATOR, "secret.put", PUT_A},
		{UID_OPERATOR, "secret.revoke",
			"{\"integration\":\"app\",\"key\":\"A\",\"version\":1,\"force\":true," ID_1 "}"},
		{UID_OPERATOR, "secret.remove", "{\"integration\":\"app\",\"key\":\"A\"," ID_1 "}"},
	};

	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *first = ask_text(rows[i].uid, rows[i].method, rows[i].params);
		struct store_counts before = core_counts(&world);

		/* Later, and by a new process. */
		core_clock_ms += 60000;
		core_world_reopen(&world);

		char *second = ask_text(rows[i].uid, rows[i].method, rows[i].params);
		struct store_counts after = core_counts(&world);

		ck_assert_str_eq(first, second);
		ck_assert_uint_eq(after.integrations, before.integrations);
		ck_assert_uint_eq(after.grants, before.grants);
		ck_assert_uint_eq(after.secrets, before.secrets);
		ck_assert_uint_eq(after.versions, before.versions);
		ck_assert_uint_eq(after.audit_records, before.audit_records + 1);
		ck_assert_str_eq(core_record(&world, 0).detail, "repeated request_id, first result");
		free(first);
		free(second);
	}
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

/* P3: no hash of a value is kept, so a value cannot be told from another by asking. */
START_TEST(the_value_is_no_part_of_the_content)
{
	start();

	char *first = ask_text(UID_OPERATOR, "secret.put", PUT_A);
	char *second = ask_text(UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"second\"," ID_1 "}");

	ck_assert_str_eq(first, second);
	ck_assert_uint_eq(core_counts(&world).versions, 1);
	ck_assert_str_eq(fetched(), "first");
	free(first);
	free(second);
	core_world_end(&world);
}
END_TEST

START_TEST(twice_in_one_turn_is_one_effect)
{
	struct asking first = {0}, second = {0};

	start();
	asking_start(&first, &world, UID_OPERATOR);
	asking_start(&second, &world, UID_OPERATOR);
	asking_send(&first, "secret.put", "%s", PUT_A);
	asking_send(&second, "secret.put", "%s", PUT_A);
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&first), "ok");
	ck_assert_str_eq(first.text, second.text);
	ck_assert_uint_eq(core_counts(&world).versions, 1);
	asking_end(&first);
	asking_end(&second);
	core_world_end(&world);
}
END_TEST

START_TEST(a_result_is_kept_for_a_day)
{
	start();
	core_tick(world.core, false);
	core_ask_ok(&world, UID_OPERATOR, "secret.put", "%s", PUT_A);
	core_clock_ms += DAY_MS;
	core_tick(world.core, false);
	core_ask_ok(&world, UID_OPERATOR, "secret.put", "%s", PUT_A);
	ck_assert_uint_eq(core_counts(&world).versions, 1);

	/* The next sweep after that day. */
	core_clock_ms += 600 * 1000 + 1;
	core_tick(world.core, false);
	core_ask_ok(&world, UID_OPERATOR, "secret.put", "%s", PUT_A);
	ck_assert_uint_eq(core_counts(&world).versions, 2);
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("results", the_same_id_with_other_content_is_a_conflict, a_kept_result_needs_the_right_again,
	a_refused_request_keeps_no_result, a_result_whose_commit_failed_is_not_kept,
	other_callers_and_other_methods_have_ids_of_their_own, without_an_id_every_request_has_its_effect,
	the_same_request_again_has_the_first_result_and_no_second_effect, the_value_is_no_part_of_the_content,
	twice_in_one_turn_is_one_effect, a_result_is_kept_for_a_day)
