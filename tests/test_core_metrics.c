/*
 * vault.metrics: who is told, what counts, and that it stays bounded.
 */
#include <stdio.h>
#include <string.h>

#include "core_world.h"
#include "metrics.h"

static struct core_world world;
static struct puppet app; /* a process of UID_APP */

static void start(void)
{
	puppets_start();
	app = puppet_new();
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_grant(&world, "app", UID_APP);
}

static void end(void)
{
	core_world_end(&world);
	puppets_end();
}

/* ---- looking at the reply ---- */

static const cJSON *family_of(const char *name)
{
	const cJSON *family = NULL;

	cJSON_ArrayForEach(family, core_result(&world, "families"))
	{
		if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(family, "name")), name) == 0)
			return cJSON_GetObjectItem(family, "samples");
	}
	ck_abort_msg("no family %s", name);
	return NULL;
}

enum { NO_SAMPLE = -1 };

/* The value of the sample whose label has this text; NULL: of the only one, which has none. */
static double value_of(const char *name, const char *label, const char *text)
{
	const cJSON *sample = NULL;

	cJSON_ArrayForEach(sample, family_of(name))
	{
		const cJSON *labels = cJSON_GetObjectItem(sample, "labels");

		if (label == NULL
				? cJSON_GetArraySize(labels) == 0
				: strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(labels, label)), text) == 0)
			return cJSON_GetObjectItem(sample, "value")->valuedouble;
	}
	return NO_SAMPLE;
}

#define check_value(wanted, ...) ck_assert_double_eq(value_of(__VA_ARGS__), (double)(wanted))

static void ask(void)
{
	core_ask_ok(&world, UID_AUDITOR, "vault.metrics", "{}");
}

/* ---- asking ---- */

START_TEST(metrics_are_told_to_roles_alone)
{
	start();
	core_ask_refused("denied", &world, UID_APP, "vault.metrics", "{}");
	core_ask_refused("denied", &world, UID_STRANGER, "vault.metrics", "{}");
	core_ask_refused("bad_request", &world, UID_AUDITOR, "vault.metrics", "{\"integration\":\"app\"}");
	core_ask_ok(&world, UID_OPERATOR, "vault.metrics", "{}");
	core_ask_ok(&world, UID_ADMIN, "vault.metrics", "{}");
	end();
}
END_TEST

START_TEST(a_manager_of_some_integration_is_not_told_of_all)
{
	start();
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
				 "{\"name\":\"app\",\"managed_by\":[\"%d\"]}", UID_OTHER_APP),
		"ok");
	core_ask_ok(&world, UID_OTHER_APP, "alert.list", "{}");
	core_ask_refused("denied", &world, UID_OTHER_APP, "vault.metrics", "{}");
	end();
}
END_TEST

START_TEST(a_sealed_vault_has_no_metrics)
{
	core_world_start_sealed(&world);
	core_ask_refused("sealed", &world, UID_AUDITOR, "vault.metrics", "{}");
	core_world_end(&world);
}
END_TEST

START_TEST(every_family_is_there_once_with_its_words)
{
	size_t count = 0;
	const cJSON *family = NULL;

	start();
	ask();
	cJSON_ArrayForEach(family, core_result(&world, "families"))
	{
		const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(family, "name"));
		const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(family, "type"));
		const char *unit = cJSON_GetStringValue(cJSON_GetObjectItem(family, "unit"));
		bool is_counter = strcmp(type, "counter") == 0;

		count++;
		ck_assert(is_counter || strcmp(type, "gauge") == 0);
		ck_assert(strlen(name) >= strlen(unit) &&
			  strcmp(name + strlen(name) - strlen(unit), unit) == 0);
		ck_assert(is_counter == cJSON_IsString(cJSON_GetObjectItem(family, "created")));
		ck_assert_uint_gt(strlen(cJSON_GetStringValue(cJSON_GetObjectItem(family, "help"))), 0);
		for (const cJSON *other = family->next; other != NULL; other = other->next)
			ck_assert_str_ne(name, cJSON_GetStringValue(cJSON_GetObjectItem(other, "name")));
	}
	ck_assert_uint_eq(count, METRIC_COUNT - 1); /* the test's core does not know its connections */
	end();
}
END_TEST

/* ---- counting ---- */

START_TEST(fetches_and_refusals_are_counted_each)
{
	start();
	core_put(&world, "app", "KEY", "value");
	for (int i = 0; i < 3; i++)
		core_ask_as_ok(&world, UID_APP, &app, "env.fetch", "{}");
	for (int i = 0; i < 5; i++) /* one record and a count, but five refusals */
		core_ask_refused("denied", &world, UID_STRANGER, "env.fetch", "{\"integration\":\"app\"}");
	core_ask_refused("not_found", &world, UID_ADMIN, "integration.show", "{\"name\":\"none\"}");
	ask();
	check_value(3, "coffer_fetches", NULL, NULL);
	check_value(5, "coffer_refusals", "error", "denied");
	check_value(1, "coffer_refusals", "error", "not_found");
	check_value(0, "coffer_refusals", "error", "rate_limited");
	check_value(0, "coffer_undelivered", NULL, NULL);
	end();
}
END_TEST

START_TEST(what_was_not_stored_counts_as_refused)
{
	start();
	core_put(&world, "app", "KEY", "value");
	core_faults.commit = ERR_STORAGE;
	ck_assert_str_ne(core_ask_as(&world, UID_APP, &app, "env.fetch", "{}"), "ok");
	core_faults.commit = OK;
	ask();
	check_value(0, "coffer_fetches", NULL, NULL);
	check_value(1, "coffer_refusals", "error", "audit_unavailable");
	end();
}
END_TEST

START_TEST(states_of_integrations_and_versions_are_counted)
{
	start();
	core_add_integration(&world, "b");
	core_add_integration(&world, "c");
	core_add_integration(&world, "d");
	core_set_state(&world, "b", "suspended");
	core_set_state(&world, "c", "retired");
	core_put(&world, "app", "KEY", "first");
	core_put(&world, "app", "KEY", "second");
	core_put(&world, "app", "OTHER", "first");
	core_stage(&world, "app", "KEY", "third");
	ask();
	check_value(2, "coffer_integrations", "state", "active");
	check_value(1, "coffer_integrations", "state", "suspended");
	check_value(1, "coffer_integrations", "state", "retired");
	check_value(2, "coffer_secrets", NULL, NULL);
	check_value(1, "coffer_versions", "state", "staged");
	check_value(2, "coffer_versions", "state", "current");
	check_value(1, "coffer_versions", "state", "draining");
	check_value(1, "coffer_grants", NULL, NULL);
	check_value(0, "coffer_integrations_left_out", NULL, NULL);
	check_value(0, "coffer_integration_holders", "integration", "b");
	check_value(NO_SAMPLE, "coffer_integration_holders", "integration", "c");
	end();
}
END_TEST

START_TEST(a_holder_of_two_sets_of_keys_is_one)
{
	struct puppet other = {0};

	start();
	other = puppet_new();
	core_put(&world, "app", "KEY", "first");
	core_put(&world, "app", "OTHER", "first");
	core_ask_as_ok(&world, UID_APP, &app, "env.fetch", "{}");
	core_ask_as_ok(&world, UID_APP, &app, "env.fetch", "{\"only\":[\"KEY\"]}");
	core_ask_as_ok(&world, UID_APP, &other, "env.fetch", "{}");
	ask();
	check_value(2, "coffer_holders", NULL, NULL);
	check_value(2, "coffer_integration_holders", "integration", "app");
	puppet_die(&app);
	ask();
	check_value(1, "coffer_integration_holders", "integration", "app");
	end();
}
END_TEST

START_TEST(times_are_seconds_and_the_first_counts)
{
	enum { DAY = 86400 };
	int64_t now = 0;

	start();
	ask();
	check_value(NO_SAMPLE, "coffer_integration_last_fetch_timestamp_seconds", "integration", "app");
	check_value(NO_SAMPLE, "coffer_integration_rotation_due_timestamp_seconds", "integration", "app");
	check_value(NO_SAMPLE, "coffer_integration_expiry_timestamp_seconds", "integration", "app");
	now = core_clock_ms / 1000;
	core_ask_ok(&world, UID_ADMIN, "integration.edit",
		"{\"name\":\"app\",\"rotate_after\":\"90d\",\"expires_at\":\"2099-01-01T00:00:00Z\"}");
	core_put(&world, "app", "OLD", "first");
	core_clock_ms += 2000;
	core_put(&world, "app", "NEW", "first");
	core_ask_ok(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"ENDS\",\"value\":\"v\",\"expires_at\":\"2098-12-31T00:00:"
		"00Z\"}");
	core_stage(&world, "app", "OLD", "staged ones do not count");
	core_ask_as_ok(&world, UID_APP, &app, "env.fetch", "{\"only\":[\"OLD\"]}");
	ask();
	check_value(now + 2, "coffer_integration_last_fetch_timestamp_seconds", "integration", "app");
	check_value(
		now + 90 * DAY, "coffer_integration_rotation_due_timestamp_seconds", "integration", "app");
	check_value(4070822400, "coffer_integration_expiry_timestamp_seconds", "integration", "app");
	end();
}
END_TEST

START_TEST(alerts_are_counted_by_severity_and_kind)
{
	char until[TIME_TEXT_BYTES] = "";

	start();
	core_put(&world, "app", "KEY", "first");
	core_faults.may_swap = true;
	ask();
	check_value(1, "coffer_alerts_of_kind", "kind", "memory_unlocked");
	check_value(1, "coffer_alerts_of_kind", "kind", "no_description");
	check_value(0, "coffer_alerts_of_kind", "kind", "run_failed");
	check_value(0, "coffer_alerts", "severity", "critical");
	check_value(1, "coffer_alerts", "severity", "warning");
	check_value(0, "coffer_alerts_acked", NULL, NULL);
	text_format_time(core_clock_ms + 1000, until);
	core_ask_ok(&world, UID_OPERATOR, "alert.ack",
		"{\"alert\":\"memory_unlocked\",\"until\":\"%s\",\"note\":\"known\"}", until);
	ask();
	check_value(0, "coffer_alerts_of_kind", "kind", "memory_unlocked");
	check_value(1, "coffer_alerts_acked", NULL, NULL);
	core_faults.may_swap = false;
	end();
}
END_TEST

/* ---- bounds ---- */

START_TEST(of_very_many_integrations_the_rest_is_counted)
{
	enum { MANY = 2003 };

	start();
	world.skips_arena = true;
	world.limits.integrations = 5000;
	for (int i = 0; i < MANY; i++) {
		char name[32] = "";

		snprintf(name, sizeof(name), "many/%05d", i);
		core_add_integration(&world, name);
	}
	ask();
	check_value(MANY + 1, "coffer_integrations", "state", "active");
	check_value(MANY + 1 - 2000, "coffer_integrations_left_out", NULL, NULL);
	ck_assert_int_eq(cJSON_GetArraySize(family_of("coffer_integration_holders")), 2000);
	check_value(0, "coffer_integration_holders", "integration", "app");
	check_value(NO_SAMPLE, "coffer_integration_holders", "integration", "many/02002");
	end();
}
END_TEST

UNIT_MAIN("core_metrics", metrics_are_told_to_roles_alone, a_manager_of_some_integration_is_not_told_of_all,
	a_sealed_vault_has_no_metrics, every_family_is_there_once_with_its_words,
	fetches_and_refusals_are_counted_each, what_was_not_stored_counts_as_refused,
	states_of_integrations_and_versions_are_counted, a_holder_of_two_sets_of_keys_is_one,
	times_are_seconds_and_the_first_counts, alerts_are_counted_by_severity_and_kind,
	of_very_many_integrations_the_rest_is_counted)
