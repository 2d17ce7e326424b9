/*
 * The rows behind rotation: which versions may be used and which somebody must act upon, verdicts of tests, runs and who may
 * still hold what they were given.
 */
#include "store_seen.h"
#include "store_world.h"

static unsigned char id_1[STORE_ID_BYTES] = {1};
static unsigned char id_2[STORE_ID_BYTES] = {2};

static struct world world;

/* "crm" and "billing"; TOKEN of billing with one version in each state, KEY of both with a current one. */
static void start(void)
{
	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_ok(world_add_integration(world.store, 1, "crm"));
	ck_ok(world_add_integration(world.store, 2, "billing"));
	ck_ok(world_put_secret(world.store, 1, "KEY", 1));
	ck_ok(world_add_version(world.store, 1, "KEY", 1, VERSION_CURRENT, "k", 1));
	ck_ok(world_put_secret(world.store, 2, "KEY", 1));
	ck_ok(world_add_version(world.store, 2, "KEY", 1, VERSION_CURRENT, "k", 1));
	ck_ok(world_put_secret(world.store, 2, "TOKEN", 4));
	ck_ok(world_add_version(world.store, 2, "TOKEN", 1, VERSION_REVOKED, NULL, 0));
	ck_ok(world_add_version(world.store, 2, "TOKEN", 2, VERSION_DRAINING, "two", 3));
	ck_ok(world_add_version(world.store, 2, "TOKEN", 3, VERSION_CURRENT, "three", 5));
	ck_ok(world_add_version(world.store, 2, "TOKEN", 4, VERSION_STAGED, "four", 4));
	ck_ok(world_commit(world.store));
}

static void reopen(void)
{
	world_close(&world);
	world_open(&world);
}

static void check_finds(const char *word)
{
	ck_err(store_check(world.store, &world.reason), ERR_STORAGE);
	ck_assert_msg(strstr(world.reason, word) != NULL, "'%s' is not in '%s'", word, world.reason);
}

/* ---- runs ---- */

static struct store_run_version token_3 = {"TOKEN", 3};

/* The number makes the id. */
static struct store_run run_of(unsigned number)
{
	struct store_run run = {.time_ms = 100 * number,
		.uid = 7,
		.pid = 8,
		.unit = "",
		.versions = &token_3,
		.version_count = 1,
		.boot = "",
		.exe = "",
		.invocation = "",
		.cgroup = "",
		.end_status = RUN_STATUS_UNKNOWN};

	snprintf(run.id, sizeof(run.id), "01JD%022u", number);
	memcpy(run.integration_id, id_2, sizeof(id_2));
	return run;
}

static void add_run(unsigned number, enum run_state state)
{
	struct store_run run = run_of(number);

	run.state = state;
	ck_ok(store_run_insert(world.store, &run));
}

static enum err on_run(void *arg, const struct store_run *run)
{
	see(arg, "%d:%d ", (int)run->no, (int)run->state);
	return OK;
}

START_TEST(a_run_that_is_not_there_is_not_found)
{
	struct seen seen = {0};
	struct store_run run = run_of(1);

	start();
	ck_err(store_run_get(world.store, run.id, on_run, &seen), ERR_NOT_FOUND);
	ck_err(store_run_get(world.store, "", on_run, &seen), ERR_NOT_FOUND);
	ck_ok(store_begin(world.store));
	run.no = 1;
	ck_err(store_run_set(world.store, &run), ERR_NOT_FOUND);
	ck_ok(store_run_insert(world.store, &run));
	run.no = 2;
	ck_err(store_run_set(world.store, &run), ERR_NOT_FOUND);
	run.no = UINT64_MAX;
	ck_err(store_run_set(world.store, &run), ERR_STORAGE);
	ck_ok(world_commit(world.store));
	ck_err(store_run_get(world.store, "01JD000000000000000000000", on_run, &seen), ERR_NOT_FOUND);
	ck_assert_uint_eq(seen.count, 0);
	world_end(&world);
}
END_TEST

START_TEST(a_second_run_of_one_id_is_refused)
{
	struct store_run run = run_of(1);
	struct store_counts counts = {0};

	start();
	ck_ok(store_begin(world.store));
	ck_ok(store_run_insert(world.store, &run));
	ck_err(store_run_insert(world.store, &run), ERR_CONFLICT);
	ck_assert(store_stands(world.store));
	run = run_of(2);
	ck_ok(store_run_insert(world.store, &run));
	ck_assert_uint_eq(run.no, 2); /* no number was used up */
	ck_ok(world_commit(world.store));
	ck_ok(store_counts(world.store, &counts));
	ck_assert_uint_eq(counts.runs, 2);
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

START_TEST(what_no_run_can_be_is_refused)
{
	struct store_run run = run_of(1);

	start();
	ck_err(store_run_insert(world.store, &run), ERR_STORAGE); /* no turn */
	ck_ok(store_begin(world.store));
	run.state = (enum run_state)(RUN_ENDED + 1);
	ck_err(store_run_insert(world.store, &run), ERR_STORAGE);
	run.state = RUN_HELD;
	run.start_ticks = UINT64_MAX;
	ck_err(store_run_insert(world.store, &run), ERR_STORAGE);
	run.start_ticks = 0;
	ck_ok(store_run_insert(world.store, &run));
	run.end_status = 65536;
	ck_err(store_run_set(world.store, &run), ERR_STORAGE);
	run.end_status = -2;
	ck_err(store_run_set(world.store, &run), ERR_STORAGE);
	run.end_status = 65535;
	ck_ok(store_run_set(world.store, &run));
	run.state = (enum run_state)(RUN_ENDED + 1);
	ck_err(store_run_set(world.store, &run), ERR_STORAGE);
	store_abort(world.store);
	world_end(&world);
}
END_TEST

/* P7 */
START_TEST(a_damaged_run_is_never_shown)
{
	static const char *const spoils[] = {
		"UPDATE run SET versions = x'01' WHERE no = 2",
		"UPDATE run SET versions = CAST(versions || x'00' AS BLOB) WHERE no = 2",
		"UPDATE run SET boot = 'a' || char(0) WHERE no = 2",
		"UPDATE run SET exe = char(0) WHERE no = 2",
		"UPDATE run SET invocation = char(0) WHERE no = 2",
		"UPDATE run SET cgroup = char(0) WHERE no = 2",
		"UPDATE run SET unit = char(0) WHERE no = 2",
		"UPDATE run SET id = id || char(0) || 'x' WHERE no = 2",
	};

	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		struct seen seen = {0};
		struct store_run run = run_of(2);

		start();
		ck_ok(store_begin(world.store));
		add_run(1, RUN_HELD);
		add_run(2, RUN_HELD);
		add_run(3, RUN_HELD);
		ck_ok(world_commit(world.store));
		ck_ok(store_check(world.store, &world.reason));
		world_spoil(&world, spoils[i]);
		ck_err(store_run_held(world.store, on_run, &seen), ERR_STORAGE);
		ck_assert_str_eq(seen.text, "1:0 ");
		ck_err(store_run_of(world.store, id_2, INT64_MAX, 9, on_run, &seen), ERR_STORAGE);
		ck_assert_str_eq(seen.text, "1:0 3:0 ");
		if (strstr(spoils[i], "SET id") == NULL)
			ck_err(store_run_get(world.store, run.id, on_run, &seen), ERR_STORAGE);
		ck_assert_uint_eq(seen.count, 2);
		check_finds("a run's row");
		world_end(&world);
	}
}
END_TEST

/* P7: the next run would get its number. */
START_TEST(check_finds_a_run_that_was_planted)
{
	start();
	ck_ok(store_begin(world.store));
	add_run(1, RUN_ENDED);
	ck_ok(world_commit(world.store));
	world_spoil(&world, "UPDATE run SET no = 2");
	check_finds("a run's row");
	world_end(&world);
}
END_TEST

static void check_same_run(const struct store_run *run, const struct store_run *wanted)
{
	ck_assert_uint_eq(run->no, wanted->no);
	ck_assert_str_eq(run->id, wanted->id);
	ck_assert_mem_eq(run->integration_id, wanted->integration_id, STORE_ID_BYTES);
	ck_assert_int_eq(run->time_ms, wanted->time_ms);
	ck_assert_uint_eq(run->uid, wanted->uid);
	ck_assert_int_eq(run->pid, wanted->pid);
	ck_assert_str_eq(run->unit, wanted->unit);
	ck_assert_int_eq(run->is_staged, wanted->is_staged);
	ck_assert_int_eq(run->state, wanted->state);
	ck_assert_int_eq(run->is_repeated, wanted->is_repeated);
	ck_assert_uint_eq(run->start_ticks, wanted->start_ticks);
	ck_assert_uint_eq(run->given_ticks, wanted->given_ticks);
	ck_assert_str_eq(run->boot, wanted->boot);
	ck_assert_str_eq(run->exe, wanted->exe);
	ck_assert_str_eq(run->invocation, wanted->invocation);
	ck_assert_str_eq(run->cgroup, wanted->cgroup);
	ck_assert_uint_eq(run->cgroup_id, wanted->cgroup_id);
	ck_assert_int_eq(run->end_ms, wanted->end_ms);
	ck_assert_int_eq(run->end_status, wanted->end_status);
	ck_assert_uint_eq(run->version_count, wanted->version_count);
	for (size_t i = 0; i < run->version_count; i++) {
		ck_assert_str_eq(run->versions[i].key, wanted->versions[i].key);
		ck_assert_uint_eq(run->versions[i].version, wanted->versions[i].version);
	}
}

static enum err on_whole_run(void *arg, const struct store_run *run)
{
	check_same_run(run, arg);
	return OK;
}

START_TEST(a_run_comes_back_as_it_was_written)
{
	static char keys[ENV_KEYS_MAX][KEY_BYTES_MAX + 1];
	static struct store_run_version versions[ENV_KEYS_MAX];
	struct store_run run = run_of(1);

	for (size_t i = 0; i < ENV_KEYS_MAX; i++) {
		memset(keys[i], 'K', KEY_BYTES_MAX);
		keys[i][i % KEY_BYTES_MAX] = '_';
		versions[i] = (struct store_run_version){keys[i], i == 0 ? INT64_MAX : i};
	}
	run.versions = versions;
	run.version_count = ENV_KEYS_MAX;
	run.uid = UINT32_MAX;
	run.pid = INT32_MAX;
	run.unit = "etl@1.service";
	run.is_staged = true;
	run.state = RUN_UNKNOWN;
	run.start_ticks = INT64_MAX;
	run.given_ticks = 12345;
	run.boot = "0123456789abcdef0123456789abcdef/4026531836";
	run.exe = "/usr/bin/p\xc3\xa4th";
	run.invocation = "00112233445566778899aabbccddeeff";
	run.cgroup = "/sys/fs/cgroup/system.slice/etl@1.service";
	run.cgroup_id = 77;
	start();
	ck_ok(store_begin(world.store));
	ck_ok(store_run_insert(world.store, &run));
	ck_ok(world_commit(world.store));
	reopen();
	ck_ok(store_run_get(world.store, run.id, on_whole_run, &run));
	ck_ok(store_run_held(world.store, on_whole_run, &run));
	ck_ok(store_run_of(world.store, id_2, INT64_MAX, 1, on_whole_run, &run));
	ck_ok(store_run_each(world.store, on_whole_run, &run));

	run.state = RUN_ENDED;
	run.is_repeated = true;
	run.end_ms = 999;
	run.end_status = 256;
	ck_ok(store_begin(world.store));
	ck_ok(store_run_set(world.store, &run));
	ck_ok(world_commit(world.store));
	reopen();
	ck_ok(store_run_get(world.store, run.id, on_whole_run, &run));
	run.end_ms = 0;
	run.end_status = RUN_STATUS_UNKNOWN;
	ck_ok(store_begin(world.store));
	ck_ok(store_run_set(world.store, &run));
	ck_ok(world_commit(world.store));
	run.end_ms = 999; /* what was told stays */
	run.end_status = 256;
	ck_ok(store_run_get(world.store, run.id, on_whole_run, &run));
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

START_TEST(a_run_without_a_value_comes_back_empty)
{
	struct store_run run = run_of(1);

	run.version_count = 0;
	start();
	ck_ok(store_begin(world.store));
	ck_ok(store_run_insert(world.store, &run));
	ck_ok(world_commit(world.store));
	ck_ok(store_run_get(world.store, run.id, on_whole_run, &run));
	world_end(&world);
}
END_TEST

START_TEST(runs_in_force_are_given_oldest_first)
{
	static const enum run_state states[] = {
		RUN_ENDED, RUN_UNKNOWN, RUN_AGAIN, RUN_HELD, RUN_RELEASED, RUN_HELD};
	struct store_run run = {.state = RUN_AGAIN, .end_status = RUN_STATUS_UNKNOWN};
	struct seen seen = {0};

	start();
	ck_ok(store_begin(world.store));
	for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		add_run(i + 1, states[i]);
	ck_ok(world_commit(world.store));
	ck_ok(store_run_held(world.store, on_run, &seen));
	ck_assert_str_eq(seen.text, "2:1 4:0 6:0 ");
	ck_ok(store_begin(world.store));
	run.no = 4;
	ck_ok(store_run_set(world.store, &run));
	ck_ok(world_commit(world.store));
	seen = (struct seen){0};
	ck_ok(store_run_held(world.store, on_run, &seen));
	ck_assert_str_eq(seen.text, "2:1 6:0 ");
	world_end(&world);
}
END_TEST

START_TEST(runs_of_an_integration_are_given_newest_first)
{
	struct seen seen = {0};
	struct store_run other = run_of(3);

	start();
	ck_ok(store_begin(world.store));
	add_run(1, RUN_HELD);
	add_run(2, RUN_ENDED);
	memcpy(other.integration_id, id_1, sizeof(id_1));
	ck_ok(store_run_insert(world.store, &other));
	add_run(4, RUN_AGAIN);
	ck_ok(world_commit(world.store));
	ck_ok(store_run_of(world.store, id_2, INT64_MAX, 10, on_run, &seen));
	ck_assert_str_eq(seen.text, "4:2 2:4 1:0 ");
	seen = (struct seen){0};
	ck_ok(store_run_of(world.store, id_2, 4, 1, on_run, &seen));
	ck_assert_str_eq(seen.text, "2:4 ");
	seen = (struct seen){0};
	ck_ok(store_run_of(world.store, id_2, 1, 10, on_run, &seen));
	ck_ok(store_run_of(world.store, id_2, INT64_MAX, 0, on_run, &seen));
	ck_assert_str_eq(seen.text, "");
	ck_ok(store_run_of(world.store, id_1, INT64_MAX, 10, on_run, &seen));
	ck_assert_str_eq(seen.text, "3:0 ");
	world_end(&world);
}
END_TEST

/* P5 */
START_TEST(a_run_that_is_taken_back_never_was)
{
	struct store_run run = run_of(2);
	struct seen seen = {0};

	start();
	ck_ok(store_begin(world.store));
	add_run(1, RUN_HELD);
	ck_ok(world_commit(world.store));
	ck_ok(store_begin(world.store));
	ck_ok(store_savepoint(world.store));
	ck_ok(store_run_insert(world.store, &run));
	ck_assert_uint_eq(run.no, 2);
	run.no = 1;
	run.state = RUN_ENDED;
	ck_ok(store_run_set(world.store, &run));
	ck_ok(store_rollback_request(world.store));
	ck_ok(world_commit(world.store));
	ck_err(store_run_get(world.store, run.id, on_run, &seen), ERR_NOT_FOUND);
	ck_ok(store_run_held(world.store, on_run, &seen));
	ck_assert_str_eq(seen.text, "1:0 ");
	ck_ok(store_begin(world.store));
	ck_ok(store_run_insert(world.store, &run));
	ck_assert_uint_eq(run.no, 2);
	store_abort(world.store);
	world_end(&world);
}
END_TEST

/* ---- units ---- */

static struct store_unit_holder unit_of(uint64_t cgroup_id, const char *boot)
{
	struct store_unit_holder unit = {.key = "TOKEN",
		.version = 3,
		.cgroup_id = cgroup_id,
		.boot = boot,
		.unit = "etl.service",
		.invocation = "00112233445566778899aabbccddeeff",
		.cgroup = "/sys/fs/cgroup/etl.service",
		.given_ms = 5,
		.given_ticks = 6};

	memcpy(unit.integration_id, id_2, sizeof(id_2));
	return unit;
}

static enum err on_unit(void *arg, const struct store_unit_holder *unit)
{
	ck_assert_str_eq(unit->unit, "etl.service");
	ck_assert_str_eq(unit->invocation, "00112233445566778899aabbccddeeff");
	ck_assert_str_eq(unit->cgroup, "/sys/fs/cgroup/etl.service");
	see(arg, "%d/%s=%d/%d/%s:%d,%d,%d ", unit->integration_id[0], unit->key, (int)unit->version,
		(int)unit->cgroup_id, unit->boot, (int)unit->given_ms, (int)unit->given_ticks,
		unit->is_any_parent);
	return OK;
}

static const char *units(void)
{
	static struct seen seen;

	seen = (struct seen){0};
	ck_ok(store_unit_holder_each(world.store, on_unit, &seen));
	return seen.text;
}

START_TEST(what_no_unit_can_hold_is_refused)
{
	struct store_unit_holder unit = unit_of(1, "b");

	start();
	ck_err(store_unit_holder_put(world.store, &unit), ERR_STORAGE); /* no turn */
	ck_err(store_unit_holder_remove(world.store, &unit), ERR_STORAGE);
	ck_ok(store_begin(world.store));
	unit.version = UINT64_MAX;
	ck_err(store_unit_holder_put(world.store, &unit), ERR_STORAGE);
	unit.version = 3;
	unit.given_ticks = UINT64_MAX;
	ck_err(store_unit_holder_put(world.store, &unit), ERR_STORAGE);
	unit.given_ticks = 6;
	unit.unit = NULL;
	ck_err(store_unit_holder_put(world.store, &unit), ERR_STORAGE);
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(units(), "");
	world_end(&world);
}
END_TEST

/* P7 */
START_TEST(check_finds_a_damaged_unit)
{
	static const char *const columns[] = {"\"key\"", "boot", "unit", "invocation", "cgroup"};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		struct store_unit_holder unit = unit_of(1, "b");
		struct seen seen = {0};
		char sql[128] = "";

		start();
		ck_ok(store_begin(world.store));
		ck_ok(store_unit_holder_put(world.store, &unit));
		ck_ok(world_commit(world.store));
		ck_ok(store_check(world.store, &world.reason));
		snprintf(sql, sizeof(sql), "UPDATE unit_holder SET %s = 'a' || char(0)", columns[i]);
		world_spoil(&world, sql);
		ck_err(store_unit_holder_each(world.store, on_unit, &seen), ERR_STORAGE);
		ck_assert_uint_eq(seen.count, 0);
		check_finds("holders");
		world_end(&world);
	}
}
END_TEST

START_TEST(a_unit_is_one_row_for_each_version_and_incarnation)
{
	struct store_unit_holder first = unit_of(1, "b"), second = unit_of(2, "b"), third = unit_of(1, "c");
	struct store_unit_holder other = unit_of(1, "b");

	other.version = 4;
	start();
	ck_ok(store_begin(world.store));
	ck_ok(store_unit_holder_put(world.store, &first));
	ck_ok(store_unit_holder_put(world.store, &second));
	ck_ok(store_unit_holder_put(world.store, &third));
	ck_ok(store_unit_holder_put(world.store, &other));
	first.given_ms = 3;
	first.given_ticks = 4;
	first.is_any_parent = true;
	ck_ok(store_unit_holder_put(world.store, &first));
	ck_ok(world_commit(world.store));
	reopen();
	ck_assert_str_eq(
		units(), "2/TOKEN=3/1/b:3,4,1 2/TOKEN=3/1/c:5,6,0 2/TOKEN=3/2/b:5,6,0 2/TOKEN=4/1/b:5,6,0 ");
	ck_ok(store_begin(world.store));
	ck_ok(store_unit_holder_remove(world.store, &first));
	ck_ok(store_unit_holder_remove(world.store, &first)); /* there is none: fine */
	ck_ok(store_unit_holder_remove(world.store, &other));
	ck_ok(world_commit(world.store));
	reopen();
	ck_assert_str_eq(units(), "2/TOKEN=3/1/c:5,6,0 2/TOKEN=3/2/b:5,6,0 ");
	world_end(&world);
}
END_TEST

/* ---- verdicts ---- */

static struct store_test verdict_of(unsigned run_no, uint32_t exit_status)
{
	static char run[27];
	struct store_test test = {.key = "TOKEN",
		.version = 4,
		.run = run,
		.time_ms = 10 * run_no,
		.uid = 7,
		.exit_status = exit_status,
		.duration_ms = 1234};

	snprintf(run, sizeof(run), "01JD%022u", run_no);
	memcpy(test.integration_id, id_2, sizeof(id_2));
	memset(test.digest, (int)run_no, sizeof(test.digest));
	return test;
}

static enum err on_test(void *arg, const struct store_test *test)
{
	ck_assert_mem_eq(test->integration_id, id_2, sizeof(id_2));
	ck_assert_uint_eq(test->uid, 7);
	ck_assert_int_eq(test->duration_ms, 1234);
	ck_assert_int_eq(test->digest[0], test->digest[STORE_HASH_BYTES - 1]);
	ck_assert_int_eq(test->time_ms, 10 * test->digest[0]);
	see(arg, "%s=%d:%s=%d ", test->key, (int)test->version, test->run + 25, (int)test->exit_status);
	return OK;
}

static const char *verdicts(uint64_t version, size_t limit)
{
	static struct seen seen;

	seen = (struct seen){0};
	ck_ok(store_test_of(world.store, id_2, "TOKEN", version, limit, on_test, &seen));
	return seen.text;
}

START_TEST(a_verdict_on_nothing_is_refused)
{
	struct store_test test = verdict_of(1, 0);

	start();
	ck_err(store_test_insert(world.store, &test), ERR_STORAGE); /* no turn */
	ck_ok(store_begin(world.store));
	test.version = 5;
	ck_err(store_test_insert(world.store, &test), ERR_STORAGE);
	test.version = 0;
	ck_err(store_test_insert(world.store, &test), ERR_STORAGE);
	test.version = 4;
	test.key = "OTHER";
	ck_err(store_test_insert(world.store, &test), ERR_STORAGE);
	test.key = "TOKEN";
	memcpy(test.integration_id, id_1, sizeof(id_1));
	ck_err(store_test_insert(world.store, &test), ERR_STORAGE);
	memcpy(test.integration_id, id_2, sizeof(id_2));
	test.exit_status = 256;
	ck_err(store_test_insert(world.store, &test), ERR_STORAGE);
	test.exit_status = 255;
	test.duration_ms = -1;
	ck_err(store_test_insert(world.store, &test), ERR_STORAGE);
	test.duration_ms = 1234;
	test.run = "short";
	ck_err(store_test_insert(world.store, &test), ERR_STORAGE);
	ck_assert(store_stands(world.store));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(verdicts(4, 10), "");
	world_end(&world);
}
END_TEST

START_TEST(a_run_has_one_verdict_on_a_version)
{
	struct store_test test = verdict_of(1, 1);

	start();
	ck_ok(store_begin(world.store));
	ck_ok(store_test_insert(world.store, &test));
	test.exit_status = 0;
	ck_err(store_test_insert(world.store, &test), ERR_CONFLICT);
	ck_assert(store_stands(world.store));
	test.version = 3; /* on another one it may */
	ck_ok(store_test_insert(world.store, &test));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(verdicts(4, 10), "TOKEN=4:1=1 ");
	ck_assert_str_eq(verdicts(3, 10), "TOKEN=3:1=0 ");
	world_end(&world);
}
END_TEST

/* P7 */
START_TEST(check_finds_a_damaged_verdict)
{
	struct store_test test = verdict_of(1, 0);
	struct seen seen = {0};

	start();
	ck_ok(store_begin(world.store));
	ck_ok(store_test_insert(world.store, &test));
	ck_ok(world_commit(world.store));
	ck_ok(store_check(world.store, &world.reason));
	world_spoil(&world, "UPDATE test SET run = run || char(0) || 'x'");
	ck_err(store_test_of(world.store, id_2, "TOKEN", 4, 1, on_test, &seen), ERR_STORAGE);
	ck_err(store_test_each(world.store, on_test, &seen), ERR_STORAGE);
	ck_assert_uint_eq(seen.count, 0);
	check_finds("a test");
	world_end(&world);
}
END_TEST

START_TEST(verdicts_are_given_newest_first)
{
	struct seen seen = {0};

	start();
	ck_ok(store_begin(world.store));
	for (unsigned i = 1; i <= 3; i++) {
		struct store_test test = verdict_of(i, i - 1);

		ck_ok(store_test_insert(world.store, &test));
	}
	ck_ok(world_commit(world.store));
	reopen();
	ck_assert_str_eq(verdicts(4, 10), "TOKEN=4:3=2 TOKEN=4:2=1 TOKEN=4:1=0 ");
	ck_assert_str_eq(verdicts(4, 1), "TOKEN=4:3=2 ");
	ck_assert_str_eq(verdicts(4, 0), "");
	ck_assert_str_eq(verdicts(2, 10), "");
	ck_ok(store_test_each(world.store, on_test, &seen));
	ck_assert_str_eq(seen.text, "TOKEN=4:1=0 TOKEN=4:2=1 TOKEN=4:3=2 ");
	world_end(&world);
}
END_TEST

START_TEST(a_removed_secret_takes_its_verdicts_with_it)
{
	struct store_test test = verdict_of(1, 0);

	start();
	ck_ok(store_begin(world.store));
	ck_ok(store_test_insert(world.store, &test));
	ck_ok(store_secret_remove(world.store, id_2, "TOKEN"));
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(verdicts(4, 10), "");
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

/* ---- versions ---- */

static enum err on_version(void *arg, const struct store_version *version)
{
	see(arg, "%s=%d:%d ", version->key, (int)version->version, (int)version->state);
	return OK;
}

START_TEST(usable_are_the_staged_and_the_current_ones_the_staged_first)
{
	struct seen seen = {0};

	start();
	ck_ok(store_version_usable(world.store, id_2, on_version, &seen));
	ck_assert_str_eq(seen.text, "KEY=1:1 TOKEN=4:0 TOKEN=3:1 ");
	ck_ok(store_begin(world.store));
	ck_ok(store_version_set_state(world.store, id_2, "TOKEN", 3, VERSION_DRAINING, 1));
	ck_ok(store_version_set_state(world.store, id_2, "TOKEN", 4, VERSION_CURRENT, 1));
	ck_ok(world_commit(world.store));
	seen = (struct seen){0};
	ck_ok(store_version_usable(world.store, id_2, on_version, &seen));
	ck_assert_str_eq(seen.text, "KEY=1:1 TOKEN=4:1 ");
	seen = (struct seen){0};
	ck_ok(store_version_usable(world.store, id_1, on_version, &seen));
	ck_assert_str_eq(seen.text, "KEY=1:1 ");
	world_end(&world);
}
END_TEST

static enum err on_notable(void *arg, const struct store_notable *version)
{
	see(arg, "%d:%s/%s=%d:%d@%d,%d ", version->integration_id[0], version->integration, version->key,
		(int)version->version, (int)version->state, (int)version->expires_ms,
		(int)version->changed_ms);
	return OK;
}

START_TEST(notable_is_what_somebody_may_have_to_act_upon)
{
	struct seen seen = {0};
	struct store_version expiring = {.key = "KEY",
		.version = 2,
		.state = VERSION_CURRENT,
		.sealed = {(const unsigned char *)"e", 1},
		.expires_ms = 50,
		.changed_ms = 60};

	start();
	ck_ok(store_version_notable(world.store, on_notable, &seen));
	ck_assert_str_eq(seen.text, "2:billing/KEY=1:1@0,9 2:billing/TOKEN=2:2@0,9 2:billing/TOKEN=3:1@0,9 "
				    "2:billing/TOKEN=4:0@0,9 1:crm/KEY=1:1@0,9 ");
	memcpy(expiring.integration_id, id_1, sizeof(id_1));
	ck_ok(store_begin(world.store));
	ck_ok(store_version_set_state(world.store, id_1, "KEY", 1, VERSION_DRAINING, 70));
	ck_ok(store_version_insert(world.store, &expiring));
	ck_ok(store_version_shred(world.store, id_2, "TOKEN", 2, 80));
	ck_ok(world_commit(world.store));
	seen = (struct seen){0};
	ck_ok(store_version_notable(world.store, on_notable, &seen));
	ck_assert_str_eq(seen.text, "2:billing/KEY=1:1@0,9 2:billing/TOKEN=3:1@0,9 2:billing/TOKEN=4:0@0,9 "
				    "1:crm/KEY=1:2@0,70 1:crm/KEY=2:1@50,60 ");
	world_end(&world);
}
END_TEST

START_TEST(a_damaged_name_is_never_shown)
{
	struct seen seen = {0};

	start();
	world_spoil(&world, "UPDATE integration SET name = 'b' || char(0) WHERE name = 'billing'");
	ck_err(store_version_notable(world.store, on_notable, &seen), ERR_STORAGE);
	ck_assert_uint_eq(seen.count, 0);
	world_end(&world);
}
END_TEST

START_TEST(an_integration_has_a_name_by_its_id)
{
	char name[INTEGRATION_NAME_BYTES_MAX + 1] = "untouched";
	unsigned char nobody[STORE_ID_BYTES] = {9};

	start();
	ck_err(store_integration_name(world.store, nobody, name), ERR_NOT_FOUND);
	ck_assert_str_eq(name, "untouched");
	ck_ok(store_integration_name(world.store, id_1, name));
	ck_assert_str_eq(name, "crm");
	ck_ok(store_integration_name(world.store, id_2, name));
	ck_assert_str_eq(name, "billing");
	world_end(&world);
}
END_TEST

/* ---- by whom ---- */

static enum err on_touched(void *arg, const struct store_touched *touched)
{
	see(arg, "%s/%s=%d:%d:%d*%d@%d ", touched->integration, touched->key, (int)touched->version,
		(int)touched->state, touched->was_put, (int)touched->fetches, (int)touched->last_ms);
	return OK;
}

static const char *touched_by(uint32_t uid, const char *integration)
{
	static struct seen seen;

	seen = (struct seen){0};
	ck_ok(store_touched_by(world.store, uid, integration, on_touched, &seen));
	return seen.text;
}

static void add_fetch(unsigned number, uint32_t uid, const char *key, uint64_t version)
{
	struct store_run_version taken = {key, version};
	struct store_run run = run_of(number);

	run.versions = &taken;
	run.uid = uid;
	ck_ok(store_run_insert(world.store, &run));
}

static size_t fold(size_t rows)
{
	size_t folded = 99;

	ck_ok(store_begin(world.store));
	ck_ok(store_use_fold(world.store, rows, &folded));
	ck_ok(world_commit(world.store));
	return folded;
}

/* World's rows were all put by user 7. */
START_TEST(what_a_user_has_touched_is_what_it_put_or_was_given)
{
	start();
	ck_assert_str_eq(touched_by(8, NULL), "");
	ck_ok(store_begin(world.store));
	add_fetch(1, 8, "TOKEN", 3);
	add_fetch(2, 8, "TOKEN", 2);
	add_fetch(3, 8, "TOKEN", 1); /* revoked since */
	add_fetch(4, 8, "TOKEN", 3);
	add_fetch(5, 9, "GONE", 1); /* there is no such key any more */
	ck_ok(world_commit(world.store));
	ck_assert_str_eq(touched_by(8, NULL), ""); /* nothing is folded yet */
	ck_assert_uint_eq(fold(3), 3);
	ck_assert_str_eq(touched_by(8, NULL), "billing/TOKEN=2:2:0*1@200 billing/TOKEN=3:1:0*1@100 ");
	ck_assert_uint_eq(fold(3), 2);
	ck_assert_str_eq(touched_by(8, NULL), "billing/TOKEN=2:2:0*1@200 billing/TOKEN=3:1:0*2@400 ");
	ck_assert_str_eq(touched_by(8, "crm"), "");
	ck_assert_str_eq(touched_by(8, "bill"), "");
	ck_assert_str_eq(touched_by(9, NULL), "");
	ck_assert_str_eq(touched_by(7, "crm"), "crm/KEY=1:1:1*0@0 ");
	ck_assert_str_eq(touched_by(7, NULL), "billing/KEY=1:1:1*0@0 billing/TOKEN=2:2:1*0@0 "
					      "billing/TOKEN=3:1:1*0@0 billing/TOKEN=4:0:1*0@0 "
					      "crm/KEY=1:1:1*0@0 ");
	world_end(&world);
}
END_TEST

/* P5 */
START_TEST(a_fold_that_is_taken_back_touches_nothing_twice)
{
	size_t folded = 0;

	start();
	ck_ok(store_begin(world.store));
	for (unsigned i = 1; i <= 4; i++)
		add_fetch(i, UINT32_MAX, "TOKEN", 3);
	ck_ok(world_commit(world.store));
	ck_assert_uint_eq(fold(1), 1);
	ck_ok(store_begin(world.store));
	ck_ok(store_use_fold(world.store, 10, &folded));
	ck_assert_uint_eq(folded, 3);
	store_abort(world.store);
	ck_assert_str_eq(touched_by(UINT32_MAX, NULL), "billing/TOKEN=3:1:0*1@100 ");
	reopen();
	ck_assert_uint_eq(fold(10), 3);
	ck_assert_uint_eq(fold(10), 0);
	reopen();
	ck_assert_str_eq(touched_by(UINT32_MAX, NULL), "billing/TOKEN=3:1:0*4@400 ");
	world_end(&world);
}
END_TEST

UNIT_MAIN("store_rotation", a_run_that_is_not_there_is_not_found, a_second_run_of_one_id_is_refused,
	what_no_run_can_be_is_refused, a_damaged_run_is_never_shown, check_finds_a_run_that_was_planted,
	a_run_comes_back_as_it_was_written, a_run_without_a_value_comes_back_empty,
	runs_in_force_are_given_oldest_first, runs_of_an_integration_are_given_newest_first,
	a_run_that_is_taken_back_never_was, what_no_unit_can_hold_is_refused, check_finds_a_damaged_unit,
	a_unit_is_one_row_for_each_version_and_incarnation, a_verdict_on_nothing_is_refused,
	a_run_has_one_verdict_on_a_version, check_finds_a_damaged_verdict, verdicts_are_given_newest_first,
	a_removed_secret_takes_its_verdicts_with_it,
	usable_are_the_staged_and_the_current_ones_the_staged_first,
	notable_is_what_somebody_may_have_to_act_upon, a_damaged_name_is_never_shown,
	an_integration_has_a_name_by_its_id, what_a_user_has_touched_is_what_it_put_or_was_given,
	a_fold_that_is_taken_back_touches_nothing_twice)
