/*
 * The rows of history: each integration counts its own, what was taken back never was, and a row that somebody changed is
 * never shown.
 */
#include "store_world.h"

static unsigned char id_1[STORE_ID_BYTES] = {1};
static unsigned char id_2[STORE_ID_BYTES] = {2};
static unsigned char id_3[STORE_ID_BYTES] = {3};

static struct world world;

struct seen {
	size_t count;
	char text[1024];
};

static void start(void)
{
	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_ok(world_add_integration(world.store, 1, "crm"));
	ck_ok(world_add_integration(world.store, 2, "billing"));
	ck_ok(world_commit(world.store));
}

static struct store_change change_of(const unsigned char *integration_id, const char *old, const char *new)
{
	return (struct store_change){.integration_id = integration_id,
		.time_ms = 100,
		.uid = 7,
		.field = "owner",
		.old = old,
		.new = new};
}

static enum err on_change(void *arg, const struct store_change *change)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	seen->count++;
	ck_assert_int_eq(change->time_ms, 100);
	ck_assert_uint_eq(change->uid, 7);
	snprintf(seen->text + len, sizeof(seen->text) - len, "%d/%d:%s:%d:%s:%s>%s:%s:%d ",
		change->integration_id[0], (int)change->no, change->key, (int)change->version, change->field,
		change->old == NULL ? "-" : change->old, change->new == NULL ? "-" : change->new,
		change->reason == NULL ? "-" : change->reason,
		change->has_approver ? (int)change->approved_by : -1);
	return OK;
}

static const char *history(const unsigned char *integration_id, size_t limit)
{
	static struct seen seen;

	seen = (struct seen){0};
	ck_ok(store_change_of(world.store, integration_id, limit, on_change, &seen));
	return seen.text;
}

static void add(const struct store_change *change)
{
	ck_ok(store_begin(world.store));
	ck_ok(store_change_insert(world.store, change));
	ck_ok(world_commit(world.store));
}

START_TEST(a_change_of_nothing_is_refused)
{
	struct store_change change = change_of(id_1, "a", "b");

	start();
	ck_err(store_change_insert(world.store, &change), ERR_STORAGE); /* no turn */
	ck_ok(store_begin(world.store));
	change.integration_id = id_3;
	ck_err(store_change_insert(world.store, &change), ERR_STORAGE);
	change.integration_id = id_1;
	change.field = NULL;
	ck_err(store_change_insert(world.store, &change), ERR_STORAGE);
	change.field = "owner";
	change.version = (uint64_t)INT64_MAX + 1;
	ck_assert_int_ne((int)store_change_insert(world.store, &change), (int)OK);
	ck_assert(store_stands(world.store));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(history(id_1, 10), "");
	world_end(&world);
}
END_TEST

START_TEST(a_change_that_is_taken_back_never_was)
{
	struct store_change change = change_of(id_1, "a", "b");

	start();
	ck_ok(store_begin(world.store));
	ck_ok(store_savepoint(world.store));
	ck_ok(store_change_insert(world.store, &change));
	ck_ok(store_rollback_request(world.store));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(history(id_1, 10), "");
	change.new = "c";
	add(&change);
	ck_assert_str_eq(history(id_1, 10), "1/1::0:owner:a>c:-:-1 ");
	world_end(&world);
}
END_TEST

START_TEST(each_integration_counts_its_own_changes_newest_first)
{
	struct store_change change = change_of(id_1, NULL, "a");
	struct seen seen = {0};

	start();
	add(&change);
	change = change_of(id_2, NULL, "x");
	add(&change);
	change = change_of(id_1, "a", NULL);
	change.key = "TOKEN";
	change.version = 3;
	change.reason = "left";
	change.has_approver = true;
	change.approved_by = UINT32_MAX - 1;
	add(&change);
	world_close(&world);
	world_open(&world);
	ck_assert_str_eq(history(id_1, 10), "1/2:TOKEN:3:owner:a>-:left:-2 1/1::0:owner:->a:-:-1 ");
	ck_assert_str_eq(history(id_1, 1), "1/2:TOKEN:3:owner:a>-:left:-2 ");
	ck_assert_str_eq(history(id_1, 0), "");
	ck_assert_str_eq(history(id_2, 10), "2/1::0:owner:->x:-:-1 ");
	ck_ok(store_change_each(world.store, on_change, &seen));
	ck_assert_uint_eq(seen.count, 3);
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

/* P7 */
START_TEST(a_damaged_change_is_found_and_never_shown)
{
	static const char *const columns[] = {"\"key\"", "field", "old", "new", "reason"};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		struct store_change change = change_of(id_1, "a", "b");
		struct seen seen = {0};
		char sql[80] = "";

		start();
		add(&change);
		ck_ok(store_check(world.store, &world.reason));
		snprintf(sql, sizeof(sql), "UPDATE change SET %s = 'a' || char(0) || 'b'", columns[i]);
		world_spoil(&world, sql);
		ck_err(store_change_of(world.store, id_1, 10, on_change, &seen), ERR_STORAGE);
		ck_err(store_change_each(world.store, on_change, &seen), ERR_STORAGE);
		ck_assert_uint_eq(seen.count, 0);
		ck_err(store_check(world.store, &world.reason), ERR_STORAGE);
		ck_assert_str_eq(world.reason, "the row of a change is damaged");
		world_end(&world);
	}
}
END_TEST

UNIT_MAIN("store_changes", a_change_of_nothing_is_refused, a_change_that_is_taken_back_never_was,
	each_integration_counts_its_own_changes_newest_first, a_damaged_change_is_found_and_never_shown)
