/* Rows of what units' credentials mean, and of deliveries: one meaning, one delivery, and damage is never believed. */
#include "store_world.h"

static unsigned char id_1[STORE_ID_BYTES] = {1};
static unsigned char id_2[STORE_ID_BYTES] = {2};

static struct world world;

struct seen {
	char text[1024];
};

static enum err on_credential(void *arg, const struct store_credential *credential)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%s/%s=%s:%d@%s ", credential->unit,
		credential->name, credential->key, (int)credential->grant, credential->integration);
	return OK;
}

static enum err on_delivery(void *arg, const struct store_delivery *delivery)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%.4s@%d:%.4s ", delivery->id,
		(int)delivery->time_ms, delivery->run);
	return OK;
}

static void add_grant(const unsigned char *integration_id, const char *unit)
{
	struct store_grant grant = {.unit = unit, .created_ms = 1};

	memcpy(grant.integration_id, integration_id, STORE_ID_BYTES);
	ck_ok(store_grant_insert(world.store, &grant));
}

static enum err insert(const char *unit, const char *name, const char *key, uint64_t grant)
{
	const struct store_credential credential = {.unit = unit, .name = name, .key = key, .grant = grant};

	return store_credential_insert(world.store, &credential);
}

static enum err deliver(const char *id, int64_t time_ms)
{
	const struct store_delivery delivery = {id, time_ms, "01JD0000000000000000000001"};

	return store_delivery_insert(world.store, &delivery);
}

static const char *all(void)
{
	static struct seen seen;

	seen = (struct seen){0};
	ck_ok(store_credential_each(world.store, on_credential, &seen));
	return seen.text;
}

static const char *delivered(void)
{
	static struct seen seen;

	seen = (struct seen){0};
	ck_ok(store_delivery_each(world.store, on_delivery, &seen));
	return seen.text;
}

static const char first_id[] = "00000000000000000000000000000001";
static const char second_id[] = "00020000000000000000000000000000";

static void start(void)
{
	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_ok(world_add_integration(world.store, 1, "crm"));
	ck_ok(world_add_integration(world.store, 2, "billing"));
	add_grant(id_1, "etl.service");
	add_grant(id_2, "etl.service");
	add_grant(id_2, "etl@*.service");
	ck_ok(insert("etl.service", "db", "DB_PASSWORD", 1));
	ck_ok(insert("etl.service", "api", "API_KEY", 2));
	ck_ok(insert("etl@*.service", "db", "DB_PASSWORD", 3));
	ck_ok(world_commit(world.store));
}

START_TEST(a_name_of_a_unit_means_one_thing)
{
	struct seen seen = {0};

	start();
	ck_ok(store_begin(world.store));
	ck_err(insert("etl.service", "db", "OTHER", 2), ERR_CONFLICT);
	ck_err(store_credential_get(world.store, "etl.service", "no", on_credential, &seen), ERR_NOT_FOUND);
	ck_err(store_credential_get(world.store, "etl@1.service", "db", on_credential, &seen), ERR_NOT_FOUND);
	ck_err(insert("etl.service", "x", "OTHER", 9), ERR_STORAGE); /* there is no such grant */
	store_abort(world.store);
	ck_err(insert("etl.service", "x", "OTHER", 1), ERR_STORAGE); /* without a turn */
	ck_assert_str_eq(seen.text, "");
	ck_ok(store_credential_get(world.store, "etl@*.service", "db", on_credential, &seen));
	ck_ok(store_credential_of(world.store, 2, on_credential, &seen));
	ck_ok(store_credential_of(world.store, 9, on_credential, &seen));
	ck_assert_str_eq(
		seen.text, "etl@*.service/db=DB_PASSWORD:3@billing etl.service/api=API_KEY:2@billing ");
	world_end(&world);
}
END_TEST

START_TEST(credentials_go_with_their_grant)
{
	start();
	ck_ok(store_begin(world.store));
	ck_err(store_grant_remove(world.store, id_2, 1), ERR_NOT_FOUND); /* another integration's */
	ck_ok(store_grant_remove(world.store, id_1, 1));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(all(), "etl.service/api=API_KEY:2@billing etl@*.service/db=DB_PASSWORD:3@billing ");
	ck_ok(store_begin(world.store));
	ck_ok(store_grant_remove_all(world.store, id_2));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(all(), "");
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

/* P7 */
START_TEST(a_damaged_credential_is_never_believed)
{
	static const char *const spoils[] = {
		"UPDATE credential SET unit = 'web.service' WHERE name = 'api'",
		"UPDATE credential SET grant_id = 3 WHERE name = 'api'",
		"UPDATE credential SET \"key\" = 'A' || char(0) || 'B' WHERE name = 'api'",
		"UPDATE grant_rule SET unit = NULL WHERE id = 2",
	};

	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		struct seen seen = {0};

		start();
		ck_ok(store_check(world.store, &world.reason));
		world_spoil(&world, spoils[i]);
		ck_err(store_credential_each(world.store, on_credential, &seen), ERR_STORAGE);
		ck_err(store_check(world.store, &world.reason), ERR_STORAGE);
		ck_assert_str_eq(world.reason, "the row of a unit's credential is damaged");
		world_end(&world);
	}
}
END_TEST

START_TEST(a_delivery_is_made_once)
{
	start();
	ck_ok(store_begin(world.store));
	ck_ok(deliver(first_id, 10));
	ck_err(deliver(first_id, 20), ERR_CONFLICT);
	ck_ok(world_commit(world.store));
	world_close(&world);
	world_open(&world);
	ck_ok(store_begin(world.store));
	ck_err(deliver(first_id, 30), ERR_CONFLICT);
	ck_ok(store_savepoint(world.store));
	ck_ok(deliver(second_id, 20));
	ck_ok(store_rollback_request(world.store)); /* it was not made after all */
	ck_ok(deliver(second_id, 40));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(delivered(), "0000@10:01JD 0002@40:01JD ");
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

START_TEST(old_deliveries_are_forgotten_a_few_at_a_time)
{
	start();
	ck_ok(store_begin(world.store));
	ck_ok(deliver(first_id, 10));
	ck_ok(deliver(second_id, 5));
	ck_ok(deliver("00030000000000000000000000000000", 20));
	ck_ok(store_delivery_expire(world.store, 5, 100));
	ck_assert_str_eq(delivered(), "0002@5:01JD 0000@10:01JD 0003@20:01JD ");
	ck_ok(store_delivery_expire(world.store, 20, 1));
	ck_assert_str_eq(delivered(), "0000@10:01JD 0003@20:01JD ");
	ck_ok(store_delivery_expire(world.store, 20, 100));
	ck_assert_str_eq(delivered(), "0003@20:01JD ");
	ck_ok(world_commit(world.store));
	world_end(&world);
}
END_TEST

START_TEST(check_finds_a_delivery_that_was_planted)
{
	start();
	ck_ok(store_begin(world.store));
	ck_ok(deliver(first_id, 10));
	ck_ok(world_commit(world.store));
	world_spoil(&world, "UPDATE delivery SET run = '01JD0000000000000000000001' || char(0) || '1'");
	ck_err(store_check(world.store, &world.reason), ERR_STORAGE);
	world_end(&world);
}
END_TEST

/* Every start of a unit asks; with an index it does not matter how many grants there are. */
START_TEST(grants_are_found_by_their_unit)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	char path[128] = "";

	start();
	world_close(&world);
	world_path(&world, "coffer.db", path);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db,
				 "EXPLAIN QUERY PLAN SELECT id FROM grant_rule WHERE unit IN ('a', 'b') "
				 "ORDER BY integration, id",
				 -1, &stmt, NULL),
		SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	ck_assert_ptr_nonnull(strstr((const char *)sqlite3_column_text(stmt, 3), "grant_by_unit"));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	world_end(&world);
}
END_TEST

UNIT_MAIN("store_credentials", a_name_of_a_unit_means_one_thing, credentials_go_with_their_grant,
	a_damaged_credential_is_never_believed, a_delivery_is_made_once,
	old_deliveries_are_forgotten_a_few_at_a_time, check_finds_a_delivery_that_was_planted,
	grants_are_found_by_their_unit)
