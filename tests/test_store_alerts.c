/*
 * What alerts are found by in the store, and who has seen them.
 */
#include "store_seen.h"
#include "store_world.h"

static unsigned char id_1[STORE_ID_BYTES] = {1};
static unsigned char id_2[STORE_ID_BYTES] = {2};

static struct world world;

static void start(void)
{
	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_ok(world_add_integration(world.store, 1, "crm"));
	ck_ok(world_add_integration(world.store, 2, "billing"));
	ck_ok(world_commit(world.store));
}

/* ---- acks ---- */

static enum err on_ack(void *arg, const struct store_alert_ack *ack)
{
	see(arg, "%s@%d/%u-%d:%u:%s ", ack->alert, (int)ack->since_ms, ack->severity, (int)ack->until_ms,
		ack->uid, ack->note);
	return OK;
}

static const char *acks(void)
{
	static struct seen seen;

	seen = (struct seen){0};
	ck_ok(store_alert_ack_each(world.store, on_ack, &seen));
	return seen.text;
}

static void put_ack(const char *alert, int64_t since_ms, unsigned severity, const char *note)
{
	struct store_alert_ack ack = {.alert = alert,
		.since_ms = since_ms,
		.severity = severity,
		.until_ms = 9,
		.time_ms = 5,
		.uid = 7,
		.note = note};

	ck_ok(store_alert_ack_put(world.store, &ack));
}

START_TEST(an_ack_outside_a_turn_is_refused)
{
	struct store_alert_ack ack = {.alert = "drained:crm:A:1", .note = "n"};

	start();
	ck_err(store_alert_ack_put(world.store, &ack), ERR_STORAGE);
	ck_err(store_alert_ack_remove(world.store, "drained:crm:A:1"), ERR_STORAGE);
	ck_assert_str_eq(acks(), "");
	world_end(&world);
}
END_TEST

START_TEST(check_finds_a_damaged_ack)
{
	const char *reason = "";

	start();
	world_spoil(&world, "INSERT INTO alert_ack VALUES ('a', 1, 0, 2, 3, 4, 'n' || char(0), 0, NULL)");
	ck_err(store_alert_ack_each(world.store, on_ack, NULL), ERR_STORAGE);
	ck_err(store_check(world.store, &reason), ERR_STORAGE);
	ck_assert_str_eq(reason, "the row of an acknowledged alert is damaged");
	world_end(&world);
}
END_TEST

START_TEST(an_alert_has_one_ack_and_a_newer_one_replaces_it)
{
	const char *reason = "";

	start();
	ck_ok(store_begin(world.store));
	put_ack("unused:crm", 3, 2, "first");
	put_ack("drained:crm:A:1", 0, 0, "other");
	put_ack("unused:crm", 4, 1, "second");
	ck_ok(world_commit(world.store));
	world_close(&world);
	world_open(&world);
	ck_assert_str_eq(acks(), "drained:crm:A:1@0/0-9:7:other unused:crm@4/1-9:7:second ");
	ck_ok(store_check(world.store, &reason));
	ck_ok(store_begin(world.store));
	ck_ok(store_alert_ack_remove(world.store, "drained:crm:A:1"));
	ck_ok(store_alert_ack_remove(world.store, "drained:crm:A:1"));
	store_abort(world.store);
	ck_assert_str_eq(acks(), "drained:crm:A:1@0/0-9:7:other unused:crm@4/1-9:7:second "); /* P5 */
	ck_ok(store_begin(world.store));
	ck_ok(store_alert_ack_remove(world.store, "drained:crm:A:1"));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(acks(), "unused:crm@4/1-9:7:second ");
	world_end(&world);
}
END_TEST

/* ---- runs ---- */

static void add_run(unsigned number, int64_t end_ms, int status, bool is_staged)
{
	struct store_run run = {.time_ms = 1,
		.uid = 7,
		.unit = "",
		.boot = "",
		.exe = "",
		.invocation = "",
		.cgroup = "",
		.is_staged = is_staged};

	snprintf(run.id, sizeof(run.id), "01JD%022u", number);
	memcpy(run.integration_id, id_1, sizeof(id_1));
	ck_ok(store_run_insert(world.store, &run));
	run.end_ms = end_ms;
	run.end_status = status;
	ck_ok(store_run_set(world.store, &run));
}

static void check_last_ended(int64_t wanted_ms, int wanted_status)
{
	int64_t end_ms = -1;
	int status = -1;

	ck_ok(store_run_last_ended(world.store, id_1, &end_ms, &status));
	ck_assert_int_eq(end_ms, wanted_ms);
	ck_assert_int_eq(status, wanted_status);
	ck_ok(store_run_last_ended(world.store, id_2, &end_ms, &status));
	ck_assert_int_eq(end_ms, 0);
}

START_TEST(the_last_end_is_of_a_run_with_current_values_and_a_known_status)
{
	start();
	check_last_ended(0, 0);
	ck_ok(store_begin(world.store));
	add_run(1, 50, 256, false);
	add_run(2, 40, 0, false); /* began later, ended earlier */
	add_run(3, 60, 512, true);
	add_run(4, 70, RUN_STATUS_UNKNOWN, false);
	ck_ok(world_commit(world.store));
	check_last_ended(50, 256);
	world_end(&world);
}
END_TEST

/* ---- secrets and use ---- */

static enum err on_undescribed(void *arg, const char *integration, const char *key, int64_t created_ms)
{
	see(arg, "%s/%s@%d ", integration, key, (int)created_ms);
	return OK;
}

START_TEST(secrets_without_a_description_are_told_unless_retired)
{
	struct seen seen = {0};
	struct store_secret described = {.key = "B", .description = "d"};

	start();
	memcpy(described.integration_id, id_1, sizeof(id_1));
	ck_ok(store_begin(world.store));
	ck_ok(world_put_secret(world.store, 1, "A", 1));
	ck_ok(world_put_secret(world.store, 2, "A", 1));
	ck_ok(store_secret_put(world.store, &described));
	described.key = "C";
	described.description = "";
	ck_ok(store_secret_put(world.store, &described));
	ck_ok(world_commit(world.store));
	ck_ok(store_secret_undescribed(world.store, on_undescribed, &seen));
	ck_assert_str_eq(seen.text, "billing/A@9 crm/A@9 crm/C@0 ");
	world_spoil(&world, "UPDATE integration SET state = 'retired' WHERE name = 'crm'");
	seen = (struct seen){0};
	ck_ok(store_secret_undescribed(world.store, on_undescribed, &seen));
	ck_assert_str_eq(seen.text, "billing/A@9 ");
	world_end(&world);
}
END_TEST

static int64_t possible(void)
{
	int64_t since_ms = -1;

	ck_ok(store_use_possible(world.store, id_1, &since_ms));
	return since_ms;
}

START_TEST(use_is_possible_with_a_grant_and_a_current_value)
{
	struct store_grant grant = {
		.has_uid = true, .uid = 7, .user = "etl", .is_staged_only = true, .created_ms = 30};

	start();
	memcpy(grant.integration_id, id_1, sizeof(id_1));
	ck_assert_int_eq(possible(), 0);
	ck_ok(store_begin(world.store));
	ck_ok(store_grant_insert(world.store, &grant)); /* a tester's */
	ck_ok(world_put_secret(world.store, 1, "A", 1));
	ck_ok(world_add_version(world.store, 1, "A", 1, VERSION_CURRENT, "v", 1));
	ck_ok(world_commit(world.store));
	ck_assert_int_eq(possible(), 0);
	grant.is_staged_only = false;
	ck_ok(store_begin(world.store));
	ck_ok(store_grant_insert(world.store, &grant));
	ck_ok(world_commit(world.store));
	ck_assert_int_eq(possible(), 30);
	world_spoil(&world, "UPDATE version SET state = 0");
	ck_assert_int_eq(possible(), 0);
	world_spoil(&world, "UPDATE version SET state = 1, created_ms = 50");
	ck_assert_int_eq(possible(), 50);
	world_end(&world);
}
END_TEST

UNIT_MAIN("store_alerts", an_ack_outside_a_turn_is_refused, check_finds_a_damaged_ack,
	an_alert_has_one_ack_and_a_newer_one_replaces_it,
	the_last_end_is_of_a_run_with_current_values_and_a_known_status,
	secrets_without_a_description_are_told_unless_retired,
	use_is_possible_with_a_grant_and_a_current_value)
