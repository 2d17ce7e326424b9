/*
 * What is told of an integration's use: fetches and refusals by day, by user and by version, and for how long.
 */
#include <stdio.h>
#include <string.h>

#include "core_world.h"

enum { DAY_MS = 86400000 };

static struct core_world world;

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_add_integration(&world, "other");
	core_grant(&world, "app", UID_APP);
	core_put(&world, "app", "A", "one");
}

static void show(const char *more)
{
	core_ask_ok(&world, UID_AUDITOR, "usage.show", "{\"integration\":\"app\"%s}", more);
}

static int number(const cJSON *object, const char *name)
{
	const cJSON *member = cJSON_GetObjectItem(object, name);

	ck_assert_msg(cJSON_IsNumber(member), "%s", name);
	return member->valueint;
}

/* "fetches/refused" of the day so many before today. */
static const char *day(int before)
{
	static char text[64];
	const cJSON *days = core_result(&world, "days");
	const cJSON *entry = cJSON_GetArrayItem(days, cJSON_GetArraySize(days) - 1 - before);

	snprintf(text, sizeof(text), "%d/%d", number(entry, "fetches"), number(entry, "refused"));
	return text;
}

START_TEST(usage_is_told_to_readers_for_a_sensible_time)
{
	start();
	core_ask_refused("denied", &world, UID_APP, "usage.show", "{\"integration\":\"app\"}");
	core_ask_refused("denied", &world, UID_STRANGER, "usage.show", "{\"integration\":\"app\"}");
	core_ask_refused("not_found", &world, UID_OPERATOR, "usage.show", "{\"integration\":\"none\"}");
	core_ask_refused("bad_request", &world, UID_OPERATOR, "usage.show", "{}");
	core_ask_refused(
		"bad_value", &world, UID_OPERATOR, "usage.show", "{\"integration\":\"app\",\"days\":0}");
	core_ask_refused(
		"bad_value", &world, UID_OPERATOR, "usage.show", "{\"integration\":\"app\",\"days\":401}");
	show(",\"days\":400");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "days")), 400);
	show(",\"days\":1");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "days")), 1);
	show("");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "days")), 30);
	ck_assert(cJSON_IsNull(core_result(&world, "last_fetched_at")));
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "by")), 0);
	core_world_end(&world);
}
END_TEST

START_TEST(a_fetch_counts_for_its_day_user_and_versions)
{
	const cJSON *by = NULL;

	start();
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	core_clock_ms += DAY_MS;
	core_put(&world, "app", "A", "two");
	core_put(&world, "app", "B", "one");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	for (int i = 0; i < 2; i++) {
		show("");
		ck_assert_str_eq(day(0), "1/0");
		ck_assert_str_eq(day(1), "2/0");
		ck_assert_str_eq(day(2), "0/0");
		ck_assert_int_eq(core_result(&world, "total")->valueint, 3);
		by = cJSON_GetArrayItem(core_result(&world, "by"), 0);
		ck_assert_int_eq(number(by, "uid"), UID_APP);
		ck_assert_int_eq(number(by, "fetches"), 3);
		ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(by, "last_at")),
			core_result_text(&world, "last_fetched_at"));
		ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "keys")), 3);
		ck_assert_int_eq(number(cJSON_GetArrayItem(core_result(&world, "keys"), 0), "fetches"), 2);
		core_tick(world.core, false); /* folded */
	}
	core_world_end(&world);
}
END_TEST

START_TEST(a_test_is_no_use)
{
	start();
	core_stage(&world, "app", "A", "two");
	core_ask_ok(&world, UID_APP, "env.fetch", "{\"staged\":true}");
	core_tick(world.core, false);
	show("");
	ck_assert_str_eq(day(0), "0/0");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "by")), 0);
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "keys")), 1);
	core_world_end(&world);
}
END_TEST

/* Of equal refusals only the first has a record of its own; use counts them all. */
START_TEST(each_refused_fetch_is_counted)
{
	uint64_t records = 0;

	start();
	core_ask_refused("denied", &world, UID_STRANGER, "env.fetch", "{\"integration\":\"app\"}");
	records = core_records(&world);
	for (int i = 0; i < 9; i++)
		core_ask_refused("denied", &world, UID_STRANGER, "env.fetch", "{\"integration\":\"app\"}");
	ck_assert_uint_eq(core_records(&world), records);
	core_ask_refused("denied", &world, UID_STRANGER, "env.fetch", "{\"integration\":\"absent\"}");
	core_ask_refused("denied", &world, UID_STRANGER, "env.watch", "{\"integration\":\"app\"}");
	core_ask_refused("denied", &world, UID_STRANGER, "secret.list", "{\"integration\":\"app\"}");
	show("");
	ck_assert_str_eq(day(0), "0/10");
	ck_assert_int_eq(core_result(&world, "refused")->valueint, 10);
	/* Without a name it is the one that was found. */
	core_set_state(&world, "app", "suspended");
	core_ask_refused("suspended", &world, UID_APP, "env.fetch", "{}");
	show("");
	ck_assert_str_eq(day(0), "0/11");
	core_ask_ok(&world, UID_AUDITOR, "usage.show", "{\"integration\":\"other\"}");
	ck_assert_str_eq(day(0), "0/0");
	core_world_end(&world);
}
END_TEST

/* P4 */
START_TEST(a_refusal_that_cannot_be_recorded_is_not_counted_either)
{
	start();
	core_faults.append = ERR_STORAGE;
	core_ask_refused("audit_unavailable", &world, UID_STRANGER, "env.fetch", "{\"integration\":\"app\"}");
	show("");
	ck_assert_str_eq(day(0), "0/0");
	core_world_end(&world);
}
END_TEST

START_TEST(use_is_forgotten_after_400_days_but_for_the_last)
{
	char last[TIME_TEXT_BYTES] = "";

	start();
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	core_clock_ms += DAY_MS;
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	text_format_time(core_clock_ms, last);
	core_tick(world.core, false);
	core_clock_ms += 399 * (int64_t)DAY_MS;
	core_tick(world.core, false);
	show(",\"days\":400");
	ck_assert_int_eq(core_result(&world, "total")->valueint, 1);
	ck_assert_str_eq(core_result_text(&world, "last_fetched_at"), last);
	core_clock_ms += 9 * (int64_t)DAY_MS;
	core_tick(world.core, false);
	show(",\"days\":400");
	ck_assert_int_eq(core_result(&world, "total")->valueint, 0);
	ck_assert_str_eq(core_result_text(&world, "last_fetched_at"), last);
	ck_assert_uint_eq(core_counts(&world).runs, 2); /* of processes that nobody can find any more */
	core_put(&world, "app", "A", "two");
	core_ask_ok(&world, UID_OPERATOR, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"A\",\"version\":1,\"force\":true}");
	core_tick(world.core, false);
	core_tick(world.core, false);
	show(",\"days\":400");
	ck_assert_str_eq(core_result_text(&world, "last_fetched_at"), last);
	ck_assert_int_eq(number(cJSON_GetArrayItem(core_result(&world, "keys"), 0), "fetches"), 2);
	core_world_end(&world);
}
END_TEST

static const char *stale(const char *after)
{
	static char names[64];
	const cJSON *item = NULL;

	core_ask_ok(&world, UID_AUDITOR, "integration.list", "{\"stale_after\":\"%s\"}", after);
	names[0] = '\0';
	cJSON_ArrayForEach(item, core_result(&world, "integrations"))
	{
		strcat(names, cJSON_GetStringValue(cJSON_GetObjectItem(item, "name")));
		strcat(names, " ");
	}
	return names;
}

START_TEST(the_list_finds_what_nobody_uses)
{
	char last[TIME_TEXT_BYTES] = "";

	start();
	core_ask_refused("bad_value", &world, UID_AUDITOR, "integration.list", "{\"stale_after\":\"never\"}");
	core_clock_ms += 10 * (int64_t)DAY_MS;
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	text_format_time(core_clock_ms, last);
	ck_assert_str_eq(stale("9d"), "other "); /* as old as it is */
	ck_assert_str_eq(stale("11d"), "");
	core_clock_ms += 5 * (int64_t)DAY_MS;
	ck_assert_str_eq(stale("5d"), "other ");
	core_clock_ms += 1;
	ck_assert_str_eq(stale("5d"), "app other ");
	core_ask_ok(&world, UID_AUDITOR, "integration.list", "{}");
	ck_assert_str_eq(
		cJSON_GetStringValue(cJSON_GetObjectItem(
			cJSON_GetArrayItem(core_result(&world, "integrations"), 0), "last_fetched_at")),
		last);
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(
		cJSON_GetArrayItem(core_result(&world, "integrations"), 1), "last_fetched_at")));
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_usage", the_list_finds_what_nobody_uses, usage_is_told_to_readers_for_a_sensible_time,
	a_fetch_counts_for_its_day_user_and_versions, a_test_is_no_use, each_refused_fetch_is_counted,
	a_refusal_that_cannot_be_recorded_is_not_counted_either,
	use_is_forgotten_after_400_days_but_for_the_last)
