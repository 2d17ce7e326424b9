/*
 * Use per day: what is folded into it, what is not, how it is bounded, and what is forgotten after its time.
 */
#include <sqlite3.h>

#include "store_seen.h"
#include "store_world.h"

enum { DAY = STORE_DAY_MS };

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

static void add_run(unsigned number, uint32_t uid, int64_t time_ms, enum run_state state, bool is_staged)
{
	struct store_run_version taken = {"KEY", 1};
	struct store_run run = {.time_ms = time_ms,
		.uid = uid,
		.unit = "",
		.boot = "",
		.exe = "",
		.invocation = "",
		.cgroup = "",
		.state = state,
		.is_staged = is_staged,
		.versions = &taken,
		.version_count = 1};

	snprintf(run.id, sizeof(run.id), "01JD%022u", number);
	memcpy(run.integration_id, id_1, sizeof(id_1));
	ck_ok(store_run_insert(world.store, &run));
}

static void fold(size_t rows)
{
	size_t folded = 0;

	ck_ok(store_begin(world.store));
	ck_ok(store_use_fold(world.store, rows, &folded));
	ck_ok(world_commit(world.store));
}

static enum err on_day(void *arg, const struct store_use_day *day)
{
	see(arg, "%d*%d@%d ", (int)day->day, (int)day->count, (int)(day->last_ms % DAY));
	return OK;
}

static enum err on_user(void *arg, const struct store_use_user *user)
{
	see(arg, "%u*%d ", user->uid, (int)user->fetches);
	return OK;
}

static const char *days(int64_t first_day)
{
	static struct seen seen;

	seen = (struct seen){0};
	ck_ok(store_use_days(world.store, id_1, first_day, on_day, &seen));
	return seen.text;
}

static const char *users(int64_t first_day, size_t limit)
{
	static struct seen seen;

	seen = (struct seen){0};
	ck_ok(store_use_users(world.store, id_1, first_day, limit, on_user, &seen));
	return seen.text;
}

static int64_t last(const unsigned char id[STORE_ID_BYTES])
{
	int64_t last_ms = -1;

	ck_ok(store_use_last(world.store, id, &last_ms));
	return last_ms;
}

START_TEST(a_damaged_row_of_use_is_found)
{
	static const char *const plants[] = {
		"INSERT INTO use_day VALUES (x'01000000000000000000000000000000', 1, 4294967296, 1, 1)",
		"INSERT INTO use_day VALUES (x'01', 1, 1, 1, 1)",
		"INSERT INTO use_day VALUES (x'01000000000000000000000000000000', 1, 1, -5, 1)",
		"INSERT INTO refused_day VALUES (x'01', 1, 'denied', 1, 1, 1)",
		("INSERT INTO refused_day VALUES (x'01000000000000000000000000000000', 1, 'a' || char(0), 1, "
		 "1, 1)"),
	};

	for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
		char sql[256] = "";
		char path[128] = "";
		const char *reason = "";

		start();
		ck_ok(store_check(world.store, &reason));
		snprintf(sql, sizeof(sql), "PRAGMA ignore_check_constraints=ON; %s", plants[i]);
		world_close(&world);
		world_path(&world, "coffer.db", path);

		sqlite3 *db = NULL;

		ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
		ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		/* What breaks a CHECK is refused at once, the rest by the slow check. */
		if (store_open(world.dir, &world.store, &reason) == OK) {
			ck_err(store_check(world.store, &reason), ERR_STORAGE);
			ck_assert_str_eq(reason, "a row of use is damaged");
		}
		world_end(&world);
	}
}
END_TEST

START_TEST(a_damaged_day_is_never_shown)
{
	struct seen seen = {0};

	start();
	world_spoil(&world, "INSERT INTO refused_day VALUES (x'01000000000000000000000000000000', 1, 'a' || "
			    "char(0), 1, 1, "
			    "1)");
	ck_err(store_refused_recent(world.store, 0, 0, NULL, NULL), ERR_STORAGE);
	ck_assert_uint_eq(seen.count, 0);
	world_end(&world);
}
END_TEST

START_TEST(days_are_the_same_before_during_and_after_folding)
{
	start();
	ck_ok(store_begin(world.store));
	add_run(1, 7, 5, RUN_ENDED, false);
	add_run(2, 8, DAY - 1, RUN_ENDED, false);
	add_run(3, 7, DAY, RUN_ENDED, false);
	add_run(4, 7, DAY + 9, RUN_ENDED, true); /* a test is no use */
	add_run(5, 9, 2 * (int64_t)DAY + 3, RUN_ENDED, false);
	add_run(6, 9, 2 * (int64_t)DAY + 1, RUN_ENDED, false);
	ck_ok(world_commit(world.store));
	for (int i = 0; i < 4; i++) {
		ck_assert_str_eq(days(0), "0*2@86399999 1*1@0 2*2@3 ");
		ck_assert_str_eq(days(1), "1*1@0 2*2@3 ");
		ck_assert_str_eq(days(3), "");
		ck_assert_str_eq(users(0, 9), "9*2 7*2 8*1 ");
		ck_assert_str_eq(users(0, 1), "9*2 ");
		ck_assert_str_eq(users(1, 9), "9*2 7*1 ");
		ck_assert_int_eq(last(id_1), 2 * (int64_t)DAY + 3);
		ck_assert_int_eq(last(id_2), 0);
		fold(2);
	}
	world_end(&world);
}
END_TEST

static enum err on_refused(void *arg, const struct store_refused *refused)
{
	see(arg, "%d:%d:%s:%u*%d@%d ", refused->integration_id[0], (int)refused->day, refused->outcome,
		refused->uid, (int)refused->count, (int)refused->last_ms);
	return OK;
}

static const char *refused(int64_t first_day)
{
	static struct seen seen;

	seen = (struct seen){0};
	ck_ok(store_refused_recent(world.store, first_day, first_day, on_refused, &seen));
	return seen.text;
}

START_TEST(refusals_of_what_does_not_exist_are_not_kept)
{
	start();
	ck_ok(store_begin(world.store));
	ck_ok(store_refused_bump(world.store, "", "denied", 7, 5));
	ck_ok(store_refused_bump(world.store, "nobody", "denied", 7, 5));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(refused(0), "");
	world_end(&world);
}
END_TEST

START_TEST(refusals_are_counted_by_day_word_and_user)
{
	struct seen seen = {0};

	start();
	ck_ok(store_begin(world.store));
	ck_ok(store_refused_bump(world.store, "crm", "denied", 7, 5));
	ck_ok(store_refused_bump(world.store, "crm", "denied", 7, 9));
	ck_ok(store_refused_bump(world.store, "crm", "denied", 7, 8)); /* the clock was set back */
	ck_ok(store_refused_bump(world.store, "crm", "denied", 8, 6));
	ck_ok(store_refused_bump(world.store, "crm", "expired", 7, DAY));
	ck_ok(store_refused_bump(world.store, "billing", "denied", 7, 4));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(
		refused(0), "1:0:denied:7*3@9 1:0:denied:8*1@6 1:1:expired:7*1@86400000 2:0:denied:7*1@4 ");
	ck_assert_str_eq(refused(1), "1:1:expired:7*1@86400000 ");
	seen = (struct seen){0};
	ck_ok(store_refused_recent(world.store, 0, 1, on_refused, &seen)); /* billing has none since */
	ck_assert_str_eq(seen.text, "1:0:denied:7*3@9 1:0:denied:8*1@6 1:1:expired:7*1@86400000 ");
	seen = (struct seen){0};
	ck_ok(store_refused_days(world.store, id_1, 0, on_day, &seen));
	ck_assert_str_eq(seen.text, "0*4@9 1*1@0 ");
	world_end(&world);
}
END_TEST

static enum err count_refused(void *arg, const struct store_refused *row)
{
	struct seen *seen = arg;

	seen->count++;
	if (row->uid == REFUSED_OTHERS)
		see(seen, "%s*%d ", row->outcome, (int)row->count);
	return OK;
}

START_TEST(many_users_of_a_day_share_a_row)
{
	struct seen seen = {0};

	start();
	ck_ok(store_begin(world.store));
	for (uint32_t uid = 1; uid <= 1000; uid++)
		ck_ok(store_refused_bump(world.store, "crm", "denied", uid, 5));
	ck_ok(store_refused_bump(world.store, "crm", "denied", 1, 5)); /* has a row */
	ck_ok(store_refused_bump(world.store, "crm", "expired", 1, 5)); /* has none */
	ck_ok(store_refused_bump(world.store, "crm", "denied", 1001, DAY)); /* a new day */
	ck_ok(world_commit(world.store));
	ck_ok(store_refused_recent(world.store, 0, 0, count_refused, &seen));
	ck_assert_str_eq(seen.text, "denied*936 expired*1 ");
	/* see counts the two rows of the others once more */
	ck_assert_uint_eq(seen.count, REFUSED_ROWS_A_DAY + 2 + 1 + 2);
	world_end(&world);
}
END_TEST

static size_t runs(void)
{
	struct store_counts counts = {0};

	ck_ok(store_counts(world.store, &counts));
	return counts.runs;
}

static void expire(int64_t before_ms, size_t rows)
{
	ck_ok(store_begin(world.store));
	ck_ok(store_run_expire(world.store, before_ms, rows));
	ck_ok(world_commit(world.store));
}

START_TEST(old_runs_go_in_portions_up_to_one_that_may_be_held)
{
	start();
	ck_ok(store_begin(world.store));
	for (unsigned i = 1; i <= 10; i++)
		add_run(i, 7, i * 10, i == 7 ? RUN_HELD : i % 2 == 0 ? RUN_AGAIN : RUN_RELEASED, false);
	ck_ok(world_commit(world.store));
	expire(1000, 100);
	ck_assert_uint_eq(runs(), 10); /* none is folded */
	fold(9);
	expire(10, 100);
	ck_assert_uint_eq(runs(), 10);
	expire(11, 100);
	ck_assert_uint_eq(runs(), 9);
	expire(1000, 2);
	ck_assert_uint_eq(runs(), 7);
	ck_ok(store_begin(world.store));
	ck_ok(store_run_expire(world.store, 1000, 100));
	store_abort(world.store);
	ck_assert_uint_eq(runs(), 7);
	expire(1000, 100);
	ck_assert_uint_eq(runs(), 4); /* 7 is held */
	world_spoil(&world, "UPDATE run SET state = 4 WHERE no = 7");
	ck_assert_uint_eq(runs(), 4);
	expire(1000, 100);
	ck_assert_uint_eq(runs(), 1); /* 10 is not folded */
	fold(9);
	expire(1000, 100);
	ck_assert_uint_eq(runs(), 0);
	world_close(&world);
	world_open(&world);
	ck_assert_uint_eq(runs(), 0);
	ck_assert_str_eq(days(0), "0*10@100 "); /* what was told of them stays */
	ck_ok(store_begin(world.store));
	add_run(11, 7, 200, RUN_HELD, false);
	ck_ok(world_commit(world.store));
	ck_assert_uint_eq(runs(), 1);
	ck_assert_str_eq(days(0), "0*11@200 "); /* and numbers go on */
	world_end(&world);
}
END_TEST

START_TEST(old_days_go_but_the_last_use_is_remembered)
{
	start();
	ck_ok(store_begin(world.store));
	for (unsigned i = 0; i < 5; i++) {
		add_run(i + 1, 7, i * (int64_t)DAY, RUN_ENDED, false);
		ck_ok(store_refused_bump(world.store, "crm", "denied", 7, i * (int64_t)DAY));
	}
	ck_ok(world_commit(world.store));
	fold(9);
	ck_ok(store_begin(world.store));
	ck_ok(store_days_expire(world.store, 2, 1));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(days(0), "1*1@0 2*1@0 3*1@0 4*1@0 ");
	ck_ok(store_begin(world.store));
	ck_ok(store_days_expire(world.store, 2, 100));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(days(0), "2*1@0 3*1@0 4*1@0 ");
	ck_assert_str_eq(refused(3), "1:3:denied:7*1@259200000 1:4:denied:7*1@345600000 ");
	ck_ok(store_begin(world.store));
	ck_ok(store_days_expire(world.store, 100, 100));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(days(0), "4*1@0 ");
	ck_assert_str_eq(refused(0), "");
	ck_assert_int_eq(last(id_1), 4 * (int64_t)DAY);
	world_end(&world);
}
END_TEST

UNIT_MAIN("store_use", a_damaged_row_of_use_is_found, a_damaged_day_is_never_shown,
	days_are_the_same_before_during_and_after_folding, refusals_of_what_does_not_exist_are_not_kept,
	refusals_are_counted_by_day_word_and_user, many_users_of_a_day_share_a_row,
	old_runs_go_in_portions_up_to_one_that_may_be_held, old_days_go_but_the_last_use_is_remembered)
