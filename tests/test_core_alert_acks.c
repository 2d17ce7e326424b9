/*
 * Alerts that somebody has seen: quiet until a time or until they begin anew, counted apart, and forgotten with the alert.
 */
#include <stdio.h>
#include <string.h>

#include "alert_look.h"
#include "core_world.h"

enum { DAY_MS = 86400000 };

static struct core_world world;

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_add_integration(&world, "other");
	core_grant(&world, "app", UID_OPERATOR); /* grant_to_role:app:1 */
}

static const char *text_of(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
}

static const char *ack_as(uint32_t uid, const char *id, int64_t until_ms, const char *more)
{
	char until[TIME_TEXT_BYTES] = "";

	text_format_time(until_ms, until);
	return core_ask(&world, uid, "alert.ack", "{\"alert\":\"%s\",\"until\":\"%s\",\"note\":\"agreed\"%s}",
		id, until, more);
}

static const char *ack(const char *id, int days)
{
	return ack_as(UID_OPERATOR, id, core_clock_ms + days * (int64_t)DAY_MS, "");
}

static int count(const char *name)
{
	core_ask_ok(&world, UID_AUDITOR, "status", "{}");
	return cJSON_GetObjectItem(core_result(&world, "alerts"), name)->valueint;
}

static const cJSON *first(void)
{
	core_ask_ok(&world, UID_AUDITOR, "alert.list", "{}");
	return cJSON_GetArrayItem(core_result(&world, "alerts"), 0);
}

static uint64_t rows(void)
{
	struct alerts alerts = {.core = world.core, .now_ms = core_clock_ms};
	uint64_t found = 0;

	ck_ok(alerts_look(&alerts));
	found = alerts.ack_count;
	alerts_clear(&alerts);
	return found;
}

static void sweep(void)
{
	core_clock_ms += 601000;
	core_tick(world.core, false);
}

START_TEST(an_ack_is_refused_to_whoever_may_not_and_for_what_is_not_there)
{
	static const char id[] = "grant_to_role:app:1";
	int64_t week_ms = 0;

	start();
	week_ms = core_clock_ms + 7 * (int64_t)DAY_MS;
	ck_assert_str_eq(ack_as(UID_STRANGER, id, week_ms, ""), "denied");
	ck_assert_str_eq(ack_as(UID_APP, id, week_ms, ""), "denied");
	ck_assert_str_eq(ack_as(UID_AUDITOR, id, week_ms, ""), "denied");
	ck_assert_str_eq(ack_as(UID_OPERATOR, "grant_to_role:app:2", week_ms, ""), "not_found");
	ck_assert_str_eq(ack_as(UID_OPERATOR, "grant_to_role:app", week_ms, ""), "not_found");
	ck_assert_str_eq(ack_as(UID_OPERATOR, "nonsense", week_ms, ""), "not_found");
	ck_assert_str_eq(ack_as(UID_OPERATOR, "", week_ms, ""), "not_found");
	ck_assert_str_eq(ack_as(UID_OPERATOR, id, week_ms, ",\"integration\":\"other\""), "not_found");
	ck_assert_str_eq(ack_as(UID_OPERATOR, id, core_clock_ms, ""), "bad_value");
	ck_assert_str_eq(ack_as(UID_OPERATOR, id, core_clock_ms + 367 * (int64_t)DAY_MS, ""), "bad_value");
	core_ask_refused("bad_request", &world, UID_OPERATOR, "alert.ack", "{\"alert\":\"%s\"}", id);
	core_ask_refused("bad_value", &world, UID_OPERATOR, "alert.ack",
		"{\"alert\":\"%s\",\"note\":\"n\",\"until\":\"30d\"}", id);
	core_ask_refused("too_large", &world, UID_OPERATOR, "alert.ack",
		"{\"alert\":\"%0401d\",\"note\":\"n\",\"until\":\"2027-12-24T00:00:00Z\"}", 0);
	ck_assert_int_eq(count("acked"), 0);
	core_world_end(&world);
}
END_TEST

START_TEST(an_ack_makes_an_alert_quiet_until_its_time)
{
	struct record record = {0};

	start();
	ck_assert_int_eq(count("warning"), 1);
	ck_assert_str_eq(ack("grant_to_role:app:1", 30), "ok");
	record = core_record(&world, 0);
	ck_assert_str_eq(record.kind, "alert.ack");
	ck_assert_str_eq(record.integration, "app");
	ck_assert_ptr_nonnull(strstr(record.subject.text, "alert=grant_to_role:app:1 until=2027-"));
	ck_assert_ptr_null(strstr(record.subject.text, "agreed"));
	ck_assert_int_eq(count("warning"), 0);
	ck_assert_int_eq(count("acked"), 1);
	ck_assert_str_eq(text_of(cJSON_GetObjectItem(first(), "acked"), "note"), "agreed");
	core_world_reopen(&world);
	ck_assert_int_eq(count("acked"), 1);
	core_clock_ms += 30 * (int64_t)DAY_MS - 1;
	ck_assert_int_eq(count("warning"), 0);
	core_clock_ms += 1;
	ck_assert_int_eq(count("warning"), 1);
	ck_assert_int_eq(count("acked"), 0);
	sweep();
	ck_assert_uint_eq(rows(), 0);
	core_world_end(&world);
}
END_TEST

START_TEST(an_ack_ends_when_the_alert_begins_anew)
{
	start();
	ck_assert_str_eq(ack("grant_to_role:app:1", 30), "ok");
	core_ask_ok(&world, UID_ADMIN, "grant.remove", "{\"integration\":\"app\",\"id\":1}");
	ck_assert_int_eq(count("acked"), 0);
	sweep();
	ck_assert_uint_eq(rows(), 0);

	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"expected_every\":\"1h\"}");
	core_clock_ms += 2 * 3600000;
	ck_assert_str_eq(ack("run_missed:app", 30), "ok");
	sweep();
	ck_assert_uint_eq(rows(), 1);
	ck_assert_int_eq(count("acked"), 1);
	core_grant(&world, "app", UID_APP);
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	ck_assert_int_eq(count("acked"), 0);
	core_clock_ms += 2 * 3600000;
	ck_assert_int_eq(count("warning"), 1); /* missed again: another alert of the same name */
	sweep();
	ck_assert_uint_eq(rows(), 0);
	core_world_end(&world);
}
END_TEST

/* Its `since` cannot be told and so never changes: the step alone says that it is worse now. */
START_TEST(an_ack_of_a_warning_does_not_quiet_what_is_critical_by_now)
{
	start();
	core_faults.full_percent = 91;
	ck_assert_str_eq(ack("store_space", 30), "ok");
	ck_assert_int_eq(count("warning"), 1); /* grant_to_role */
	core_faults.full_percent = 96;
	ck_assert_int_eq(count("critical"), 1);
	ck_assert_str_eq(ack("store_space", 30), "ok");
	ck_assert_int_eq(count("critical"), 0);
	core_faults.full_percent = 91; /* better: nobody has to look again */
	ck_assert_int_eq(count("warning"), 1);
	ck_assert_int_eq(count("acked"), 1);
	core_faults.full_percent = 0;
	core_world_end(&world);
}
END_TEST

START_TEST(a_second_ack_takes_the_place_of_the_first)
{
	start();
	ck_assert_str_eq(ack("grant_to_role:app:1", 30), "ok");
	ck_assert_str_eq(ack("grant_to_role:app:1", 1), "ok");
	core_clock_ms += DAY_MS;
	ck_assert_int_eq(count("warning"), 1);
	core_world_end(&world);
}
END_TEST

START_TEST(what_is_acked_comes_last)
{
	start();
	core_put(&world, "app", "A", "v"); /* no_description, a notice */
	ck_assert_str_eq(text_of(first(), "kind"), "grant_to_role");
	ck_assert_str_eq(ack("grant_to_role:app:1", 30), "ok");
	ck_assert_str_eq(text_of(first(), "kind"), "no_description");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "alerts")), 2);
	core_world_end(&world);
}
END_TEST

static uint32_t manager = 70020;

START_TEST(a_manager_sees_and_acks_what_is_of_its_integration_alone)
{
	int64_t week_ms = 0;

	start();
	week_ms = core_clock_ms + 7 * (int64_t)DAY_MS;
	core_grant(&world, "other", UID_OPERATOR); /* grant_to_role:other:2 */
	core_faults.full_percent = 99; /* of the host: not a manager's */
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
				 "{\"name\":\"app\",\"managed_by\":[\"70020\"]}"),
		"ok");
	core_ask_ok(&world, manager, "alert.list", "{}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "alerts")), 1);
	ck_assert_str_eq(
		text_of(cJSON_GetArrayItem(core_result(&world, "alerts"), 0), "id"), "grant_to_role:app:1");
	ck_assert_int_eq(cJSON_GetObjectItem(core_result(&world, "counts"), "critical")->valueint, 0);
	ck_assert_str_eq(
		ack_as(manager, "grant_to_role:app:1", week_ms, ""), "denied"); /* it names nothing */
	ck_assert_str_eq(
		ack_as(manager, "grant_to_role:other:2", week_ms, ",\"integration\":\"other\""), "denied");
	ck_assert_str_eq(
		ack_as(manager, "grant_to_role:other:2", week_ms, ",\"integration\":\"app\""), "not_found");
	ck_assert_str_eq(ack_as(manager, "store_space", week_ms, ",\"integration\":\"app\""), "not_found");
	ck_assert_str_eq(ack_as(manager, "grant_to_role:app:1", week_ms, ",\"integration\":\"app\""), "ok");
	ck_assert_int_eq(count("acked"), 1);
	core_world_end(&world);
}
END_TEST

START_TEST(an_ack_that_is_not_stored_is_none)
{
	start();
	core_faults.commit = ERR_STORAGE;
	ck_assert_str_ne(ack("grant_to_role:app:1", 30), "ok"); /* P5 */
	ck_assert_int_eq(count("acked"), 0);
	ck_assert_uint_eq(rows(), 0);
	core_world_end(&world);
}
END_TEST

static enum err on_id(void *arg, const struct store_integration *integration)
{
	memcpy(arg, integration->id, STORE_ID_BYTES);
	return OK;
}

/* A token without a verifier is none: whoever reads its row finds it damaged. */
static void damage_a_row(void)
{
	struct store *store = world.core->store;
	struct store_token token = {
		.id = store_token_next(store), .name = "t", .description = "d", .user = "u"};
	enum err committed = ERR_TIMEOUT;

	ck_ok(store_integration_get(store, "app", on_id, token.integration_id));
	ck_ok(store_begin(store));
	ck_ok(store_token_insert(store, &token));
	store_commit(store, core_on_own_commit, &committed);
	ck_ok(committed);
}

START_TEST(a_damaged_row_keeps_acks_and_nothing_else_from_being_looked_after)
{
	start();
	ck_assert_str_eq(ack("grant_to_role:app:1", 30), "ok");
	for (int i = 0; i < 2; i++)
		core_ask_refused("denied", &world, UID_STRANGER, "alert.list", "{}");
	damage_a_row();
	core_ask_refused("audit_unavailable", &world, UID_OPERATOR, "alert.list", "{}");
	sweep();
	ck_assert_str_eq(core_record(&world, 0).kind, "repeats");
	core_world_end(&world);
}
END_TEST

START_TEST(status_counts_alerts_for_those_with_a_role)
{
	start();
	core_ask_ok(&world, UID_STRANGER, "status", "{}");
	ck_assert_ptr_null(core_result(&world, "alerts"));
	core_ask_ok(&world, UID_OPERATOR, "status", "{}");
	ck_assert_int_eq(cJSON_GetObjectItem(core_result(&world, "alerts"), "warning")->valueint, 1);
	core_ask_ok(&world, UID_OPERATOR, "alert.list", "{}");
	ck_assert_uint_eq(strlen(core_result_text(&world, "vault")), 32);
	ck_assert(cJSON_HasObjectItem(cJSON_GetObjectItem(world.last, "result"), "host"));
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_alert_acks", an_ack_is_refused_to_whoever_may_not_and_for_what_is_not_there,
	an_ack_makes_an_alert_quiet_until_its_time, an_ack_ends_when_the_alert_begins_anew,
	an_ack_of_a_warning_does_not_quiet_what_is_critical_by_now, a_second_ack_takes_the_place_of_the_first,
	what_is_acked_comes_last, a_manager_sees_and_acks_what_is_of_its_integration_alone,
	an_ack_that_is_not_stored_is_none, a_damaged_row_keeps_acks_and_nothing_else_from_being_looked_after,
	status_counts_alerts_for_those_with_a_role)
