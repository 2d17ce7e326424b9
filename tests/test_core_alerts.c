/*
 * What somebody must act on: each kind appears with its condition and goes with it, and the most urgent comes first.
 */
#include <stdio.h>
#include <string.h>

#include "core_world.h"
#include "holders.h"

static struct core_world world;
static struct puppet app; /* a process of UID_APP */

enum { DAY_MS = 86400000 };

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

static const char *text_of(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
}

/* What these tests put has no description and often no use: no word of that. */
static bool is_other(const cJSON *alert)
{
	const char *kind = text_of(alert, "kind");

	return strcmp(kind, "no_description") == 0 || strcmp(kind, "never_used") == 0;
}

/* "warning run_failed app", one for each, in order. */
static const char *alerts(void)
{
	static char text[4096];
	const cJSON *item = NULL;

	core_ask_ok(&world, UID_AUDITOR, "alert.list", "{}");
	text[0] = '\0';
	cJSON_ArrayForEach(item, core_result(&world, "alerts"))
	{
		size_t len = strlen(text);
		const cJSON *version = cJSON_GetObjectItem(item, "version");

		if (is_other(item))
			continue;
		snprintf(text + len, sizeof(text) - len, "%s%s %s %s", len > 0 ? "; " : "",
			text_of(item, "severity"), text_of(item, "kind"), text_of(item, "integration"));
		len = strlen(text);
		if (cJSON_IsNumber(version))
			snprintf(text + len, sizeof(text) - len, " %s=%d", text_of(item, "key"),
				version->valueint);
		ck_assert(cJSON_IsNumber(version) == cJSON_IsString(cJSON_GetObjectItem(item, "key")));
		ck_assert_str_eq(strncpy((char[8]){0}, text_of(item, "advice"), 7), "coffer ");
		ck_assert_uint_gt(strlen(text_of(item, "text")), 0);
	}
	return text;
}

#define check_alerts(wanted) ck_assert_str_eq(alerts(), wanted)

static const cJSON *first_alert(void)
{
	const cJSON *item = NULL;

	cJSON_ArrayForEach(item, core_result(&world, "alerts"))
	{
		if (!is_other(item))
			return item;
	}
	return NULL;
}

static void check_since(int64_t wanted_ms)
{
	char time[TIME_TEXT_BYTES] = "";

	text_format_time(wanted_ms, time);
	ck_assert_str_eq(text_of(first_alert(), "since"), time);
}

static void put(const char *key, int64_t expires_ms, bool is_staged)
{
	char time[TIME_TEXT_BYTES] = "";

	text_format_time(expires_ms, time);
	core_ask_ok(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"%s\",\"value\":\"foobar\",\"expires_at\":\"%s\","
		"\"stage\":%s}",
		key, time, is_staged ? "true" : "false");
}

#define OPERATE(method, more) \
	core_ask_ok(&world, UID_OPERATOR, method, "{\"integration\":\"app\",\"key\":\"A\"" more "}")

/* ---- asking ---- */

START_TEST(alerts_are_told_to_readers)
{
	start();
	core_ask_refused("denied", &world, UID_APP, "alert.list", "{}");
	core_ask_refused("denied", &world, UID_STRANGER, "alert.list", "{}");
	core_ask_refused("bad_request", &world, UID_AUDITOR, "alert.list", "{\"integration\":\"app\"}");
	check_alerts("");
	core_ask_ok(&world, UID_OPERATOR, "alert.list", "{}");
	end();
}
END_TEST

/* ---- expiry ---- */

START_TEST(an_expiry_grows_more_urgent_by_steps)
{
	static const struct {
		int64_t left_ms;
		const char *alerts;
		int64_t since_ms; /* before the expiry */
		const char *text;
	} rows[] = {
		{31 * (int64_t)DAY_MS, "", 0, ""},
		{30 * (int64_t)DAY_MS + 1, "", 0, ""},
		{30 * (int64_t)DAY_MS, "notice secret_expires app A=1", 30 * (int64_t)DAY_MS,
			"the version expires within 30 days"},
		{7 * (int64_t)DAY_MS + 1, "notice secret_expires app A=1", 30 * (int64_t)DAY_MS,
			"the version expires within 8 days"},
		{7 * (int64_t)DAY_MS, "warning secret_expires app A=1", 7 * (int64_t)DAY_MS,
			"the version expires within 7 days"},
		{1 * (int64_t)DAY_MS + 1, "warning secret_expires app A=1", 7 * (int64_t)DAY_MS,
			"the version expires within 2 days"},
		{1 * (int64_t)DAY_MS, "critical secret_expires app A=1", 1 * (int64_t)DAY_MS,
			"the version expires within 1 day"},
		{1, "critical secret_expires app A=1", 1 * (int64_t)DAY_MS,
			"the version expires within 1 day"},
		{0, "critical secret_expired app A=1", 0, "the current version has expired and is refused"},
		{-9 * (int64_t)DAY_MS, "critical secret_expired app A=1", 0,
			"the current version has expired and is refused"},
	};
	int64_t expires_ms = 0;

	start();
	expires_ms = core_clock_ms + 40 * (int64_t)DAY_MS;
	put("A", expires_ms, false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		core_clock_ms = expires_ms - rows[i].left_ms;
		check_alerts(rows[i].alerts);
		if (rows[i].alerts[0] != '\0') {
			check_since(expires_ms - rows[i].since_ms);
			ck_assert_str_eq(text_of(first_alert(), "text"), rows[i].text);
			ck_assert_str_eq(text_of(first_alert(), "advice"), "coffer rotate app A");
		}
	}
	end();
}
END_TEST

START_TEST(an_expiry_goes_with_its_version)
{
	start();
	put("A", core_clock_ms + DAY_MS, false);
	check_alerts("critical secret_expires app A=1");
	core_put(&world, "app", "A", "lasting");
	check_alerts("notice drained app A=1"); /* what drains may expire */
	OPERATE("secret.revoke", ",\"version\":1");
	check_alerts("");
	put("A", core_clock_ms + DAY_MS, true);
	check_alerts("critical secret_expires app A=3"); /* a staged one is to be promoted */
	core_clock_ms += DAY_MS;
	check_alerts("critical secret_expired app A=3");
	ck_assert_ptr_nonnull(strstr(text_of(first_alert(), "text"), "staged"));
	OPERATE("secret.revoke", ",\"version\":3");
	check_alerts("");
	end();
}
END_TEST

/* ---- tests ---- */

static void test_with(int exit_status)
{
	char run[27] = "";

	core_ask_as_ok(&world, UID_APP, &app, "env.fetch", "{\"staged\":true}");
	snprintf(run, sizeof(run), "%s", core_result_text(&world, "run"));
	core_ask_as_ok(&world, UID_APP, &app, "secret.record_test",
		"{\"run\":\"%s\",\"passed\":%s,\"exit_status\":%d,\"duration_ms\":5,\"command_digest\":"
		"\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}",
		run, exit_status == 0 ? "true" : "false", exit_status);
	core_ask_as_ok(&world, UID_APP, &app, "holder.release", "{\"run\":\"%s\"}", run);
}

START_TEST(a_failed_test_is_told_until_a_newer_one_passes)
{
	start();
	core_stage(&world, "app", "A", "one");
	check_alerts(""); /* staged alone is nothing to act on */
	test_with(0);
	check_alerts("");
	core_clock_ms += 1000;
	test_with(7);
	check_alerts("warning test_failed app A=1");
	check_since(core_clock_ms);
	ck_assert_ptr_nonnull(strstr(text_of(first_alert(), "text"), "7"));
	test_with(0);
	check_alerts("");
	test_with(124);
	check_alerts("warning test_failed app A=1");
	OPERATE("secret.promote", ",\"untested\":true");
	check_alerts("");
	core_stage(&world, "app", "A", "two");
	test_with(1);
	check_alerts("warning test_failed app A=2");
	OPERATE("secret.revoke", ",\"version\":2");
	check_alerts("");
	end();
}
END_TEST

/* ---- drained ---- */

START_TEST(a_version_is_drained_when_nobody_holds_it)
{
	start();
	core_put(&world, "app", "A", "one");
	core_ask_as_ok(&world, UID_APP, &app, "env.fetch", "{}");
	core_clock_ms += 1000;
	core_put(&world, "app", "A", "two");
	check_alerts("");
	puppet_exit(&app, 0);
	check_alerts("notice drained app A=1");
	check_since(core_clock_ms);
	ck_assert_str_eq(text_of(first_alert(), "advice"), "coffer secret revoke app A 1");
	OPERATE("secret.rollback", "");
	check_alerts("notice drained app A=2");
	OPERATE("secret.revoke", ",\"version\":2");
	check_alerts("");
	end();
}
END_TEST

START_TEST(what_an_unknown_process_may_hold_is_not_drained)
{
	start();
	core_put(&world, "app", "A", "one");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	core_put(&world, "app", "A", "two");
	check_alerts("");
	core_world_reopen(&world);
	check_alerts("");
	core_put(&world, "app", "A", "three"); /* nobody got that one */
	check_alerts("notice drained app A=2");
	OPERATE("secret.revoke", ",\"version\":2");
	OPERATE("secret.revoke", ",\"version\":1,\"force\":true");
	check_alerts("");
	end();
}
END_TEST

/* ---- runs ---- */

static void run_with(int status, const char *params)
{
	struct puppet puppet = puppet_new();

	core_ask_as_ok(&world, UID_APP, &puppet, "env.fetch", "%s", params);
	core_clock_ms += 1000;
	puppet_exit(&puppet, status);
	puppet_wait(&puppet);
	core_processes_ended(world.core);
	if (turn_is_open(core_turn(world.core)))
		turn_end(core_turn(world.core));
}

START_TEST(a_failed_run_is_told_until_one_ends_well)
{
	if (!kernel_is(6, 15)) {
		printf("# SKIP: this kernel tells no status\n");
		return;
	}
	start();
	core_put(&world, "app", "A", "one");
	run_with(0, "{}");
	check_alerts("");
	run_with(3, "{}");
	check_alerts("warning run_failed app");
	check_since(core_clock_ms);
	ck_assert_ptr_nonnull(strstr(text_of(first_alert(), "text"), "status 3"));
	ck_assert_str_eq(text_of(first_alert(), "advice"), "coffer history app");
	run_with(-9, "{}");
	check_alerts("warning run_failed app");
	ck_assert_ptr_nonnull(strstr(text_of(first_alert(), "text"), "signal 9"));
	/* A test may fail: that is what it is for. */
	run_with(0, "{\"staged\":true}");
	check_alerts("warning run_failed app");
	run_with(0, "{}");
	check_alerts("");
	run_with(1, "{\"staged\":true}");
	check_alerts("");
	/* One that goes on takes nothing back. */
	run_with(1, "{}");
	core_ask_as_ok(&world, UID_APP, &app, "env.fetch", "{}");
	check_alerts("warning run_failed app");
	end();
}
END_TEST

/* Where the kernel is silent the supervisor's word counts, also on a process that nobody could follow. */
START_TEST(a_failed_run_is_known_by_its_supervisor)
{
	char run[27] = "";

	start();
	core_faults.hides_status = true;
	core_put(&world, "app", "A", "one");
	run_with(3, "{}");
	check_alerts("");
	snprintf(run, sizeof(run), "%s", core_record(&world, 0).run);
	core_ask_ok(&world, UID_APP, "run.end", "{\"run\":\"%s\",\"exit_status\":3}", run);
	check_alerts("warning run_failed app");
	run_with(0, "{}");
	snprintf(run, sizeof(run), "%s", core_record(&world, 0).run);
	core_ask_ok(&world, UID_APP, "run.end", "{\"run\":\"%s\",\"exit_status\":0}", run);
	check_alerts("");

	core_clock_ms += 1000;
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	snprintf(run, sizeof(run), "%s", core_result_text(&world, "run"));
	core_clock_ms += 1000;
	core_ask_ok(&world, UID_APP, "run.end", "{\"run\":\"%s\",\"exit_status\":4}", run);
	check_alerts("warning run_failed app");
	check_since(core_clock_ms);
	ck_assert_ptr_nonnull(strstr(text_of(first_alert(), "text"), "status 4"));
	core_world_reopen(&world);
	check_alerts("warning run_failed app");
	end();
}
END_TEST

START_TEST(a_run_is_missed_when_none_began_in_time_and_a_tenth_of_it)
{
	enum { HOUR_MS = 3600000, GRACE_MS = 360000 };

	start();
	core_put(&world, "app", "A", "one");
	core_clock_ms += 10 * (int64_t)DAY_MS;
	check_alerts(""); /* none is expected */
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"expected_every\":\"1h\"}");
	check_alerts("warning run_missed app");
	ck_assert_str_eq(text_of(first_alert(), "advice"), "coffer history app");
	core_set_state(&world, "app", "suspended");
	check_alerts("");
	core_set_state(&world, "app", "active");
	core_ask_as_ok(&world, UID_APP, &app, "env.fetch", "{}");
	check_alerts("");
	core_clock_ms += HOUR_MS + GRACE_MS;
	check_alerts("");
	core_clock_ms += 1;
	check_alerts("warning run_missed app");
	check_since(core_clock_ms - GRACE_MS - 1);
	core_ask_as_ok(&world, UID_APP, &app, "env.fetch", "{\"staged\":true}"); /* a test is no run */
	check_alerts("warning run_missed app");
	core_ask_as_ok(&world, UID_APP, &app, "env.fetch", "{}"); /* the same process again is one */
	check_alerts("");
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"expected_every\":\"\"}");
	core_clock_ms += 10 * (int64_t)DAY_MS;
	check_alerts("");
	end();
}
END_TEST

START_TEST(a_new_integration_has_its_time_as_well)
{
	start();
	core_ask_ok(&world, UID_ADMIN, "integration.add",
		"{\"name\":\"new\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\","
		"\"expected_every\":\"10s\"}");
	core_clock_ms += 11000;
	check_alerts("");
	core_clock_ms += 1;
	check_alerts("warning run_missed new");
	end();
}
END_TEST

/* ---- the list ---- */

START_TEST(the_most_urgent_comes_first_and_of_two_the_older)
{
	start();
	core_add_integration(&world, "late");
	put("DAY", core_clock_ms + DAY_MS, false);
	put("WEEK", core_clock_ms + 7 * (int64_t)DAY_MS, false);
	put("MONTH", core_clock_ms + 29 * (int64_t)DAY_MS, false);
	put("NOW", core_clock_ms + 1, false);
	core_put(&world, "app", "OLD", "one");
	core_put(&world, "app", "OLD", "two");
	core_clock_ms += 10;
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"late\",\"expected_every\":\"1s\"}");
	core_clock_ms += 2000;
	check_alerts("critical secret_expires app DAY=1; critical secret_expired app NOW=1; "
		     "warning secret_expires app WEEK=1; warning run_missed late; "
		     "notice secret_expires app MONTH=1; notice drained app OLD=1");
	ck_assert_ptr_null(strstr(world.last_text, "foobar")); /* P3 */
	end();
}
END_TEST

static enum err on_id(void *arg, const struct store_integration *integration)
{
	memcpy(arg, integration->id, STORE_ID_BYTES);
	return OK;
}

START_TEST(a_list_of_alerts_ends_at_a_thousand)
{
	enum { MADE = 1100, TOLD = 1000 };
	struct store *store = NULL;
	struct store_version version = {.key = "A",
		.state = VERSION_DRAINING,
		.sealed = {(const unsigned char *)"x", 1},
		.dek_generation = 1};
	enum err committed = ERR_TIMEOUT;

	start();
	core_put(&world, "app", "A", "one");
	store = world.core->store;
	ck_ok(store_integration_get(store, "app", on_id, version.integration_id));
	ck_ok(store_begin(store));
	for (version.version = 2; version.version < MADE; version.version++)
		ck_ok(store_version_insert(store, &version));
	store_commit(store, core_on_own_commit, &committed);
	ck_ok(committed);
	core_ask_ok(&world, UID_AUDITOR, "alert.list", "{}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "alerts")), TOLD);
	end();
}
END_TEST

UNIT_MAIN("core_alerts", alerts_are_told_to_readers, an_expiry_grows_more_urgent_by_steps,
	an_expiry_goes_with_its_version, a_failed_test_is_told_until_a_newer_one_passes,
	a_version_is_drained_when_nobody_holds_it, what_an_unknown_process_may_hold_is_not_drained,
	a_failed_run_is_told_until_one_ends_well, a_failed_run_is_known_by_its_supervisor,
	a_run_is_missed_when_none_began_in_time_and_a_tenth_of_it, a_new_integration_has_its_time_as_well,
	the_most_urgent_comes_first_and_of_two_the_older, a_list_of_alerts_ends_at_a_thousand)
