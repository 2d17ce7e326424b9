/*
 * The disk fails at every point of a scripted life of a store, and the power goes at every commit.  Whatever
 * happens: what was acknowledged is there afterwards, wholly; what was not is there wholly or not at all (P5).
 */
#include <sqlite3.h>

#include "fault_vfs.h"
#include "store_world.h"

enum { TURNS = 3, REQUESTS = 2, VALUE_BYTES = 5000 };

/* What the script knows of each turn. */
struct memory {
	enum err made; /* of creation and the first commit */
	bool is_acknowledged[TURNS];
	enum err err[TURNS];
	size_t full; /* how many turns ended with a full disk */
	size_t stored; /* turns acknowledged after one that was full */
};

static unsigned number_of(unsigned turn, unsigned request)
{
	return 10 + turn * REQUESTS + request;
}

static void name_of(unsigned number, char out[32])
{
	snprintf(out, 32, "integration-%u", number);
}

/* ---- one request: rows of many kinds and its record ---- */

static enum err put_rows(struct store *store, unsigned number)
{
	static unsigned char sealed[VALUE_BYTES];
	char name[32] = "";
	struct store_grant grant = {.has_uid = true, .uid = number};
	struct store_run_version taken = {"KEY", 1};
	struct store_run run = {.time_ms = number,
		.unit = "",
		.boot = "",
		.exe = "",
		.invocation = "",
		.cgroup = "",
		.versions = &taken,
		.version_count = 1};
	struct store_result result = {
		.uid = number, .method = "m", .request_id = "r", .result = {(const unsigned char *)"{}", 2}};

	memset(sealed, (int)number, sizeof(sealed));
	snprintf(run.id, sizeof(run.id), "01JD%022u", number);
	name_of(number, name);
	world_id(number, grant.integration_id);
	world_id(number, run.integration_id);

	enum err err = world_add_integration(store, number, name);

	if (err == OK)
		err = store_grant_insert(store, &grant);
	if (err == OK)
		err = world_put_secret(store, number, "KEY", 2);
	if (err == OK)
		err = world_add_version(store, number, "KEY", 1, VERSION_CURRENT, sealed, sizeof(sealed));
	if (err == OK)
		err = world_add_version(store, number, "KEY", 2, VERSION_STAGED, sealed, 100);
	if (err == OK)
		err = store_run_insert(store, &run);
	if (err == OK)
		err = store_result_put(store, &result);
	return err == OK ? world_append(store, "change", "ok", number) : err;
}

/* As core does it: a savepoint for the request, taken back when it fails. */
static enum err do_request(struct store *store, unsigned number)
{
	enum err err = store_savepoint(store);

	if (err != OK)
		return err;
	err = put_rows(store, number);
	if (err == OK)
		return store_release(store);
	if (store_stands(store)) {
		enum err rolled_back = store_rollback_request(store);

		if (rolled_back != OK)
			ck_assert(!store_stands(store));
	}
	return err;
}

/* A request that is refused: its rows vanish, its count stays. */
static enum err do_refused_request(struct store *store, unsigned number)
{
	uint32_t count = 0;
	enum err err = store_savepoint(store);

	if (err == OK)
		err = put_rows(store, number + 100000);
	if (err == OK)
		err = store_rollback_request(store);
	return err == OK ? store_refusal_bump(store, number, "denied", 1, &count) : err;
}

static enum err work(struct store *store, unsigned turn)
{
	unsigned char id[STORE_ID_BYTES] = {0};
	size_t folded = 0;
	enum err err = OK;

	for (unsigned request = 0; err == OK && request < REQUESTS; request++)
		err = do_request(store, number_of(turn, request));
	if (err == OK)
		err = do_refused_request(store, number_of(turn, 0));
	if (err == OK && turn % 3 == 1)
		err = store_use_fold(store, 5, &folded);
	if (err == OK && turn % 3 == 2) {
		world_id(number_of(turn, 1), id);
		err = store_version_shred(store, id, "KEY", 1, 1);
	}
	return err;
}

static enum err do_turn(struct store *store, unsigned turn)
{
	enum err err = store_begin(store);

	if (err != OK)
		return err;
	err = work(store, turn);
	if (err == OK)
		return world_commit(store);
	if (!store_stands(store)) {
		/* A transaction that is gone cannot be written to and does not commit. */
		ck_assert_int_ne((int)put_rows(store, 99999), (int)OK);
		ck_assert_int_ne((int)world_commit(store), (int)OK);
	} else {
		store_abort(store);
	}
	return err;
}

static void check_err(enum err err)
{
	ck_assert_msg(err == OK || err == ERR_STORAGE || err == ERR_STORAGE_FULL, "%s", err_word(err));
}

/* ---- the scripted life ---- */

static void create(struct world *world, struct memory *memory)
{
	*memory = (struct memory){0};
	memory->made = store_create(world->dir, &world->store, &world->reason);
	if (memory->made == OK)
		memory->made = world_init_state(world->store);
	check_err(memory->made);
}

/* A store as create leaves it, without the work of making one: for what may go wrong after that. */
static void open_made(struct world *world, struct memory *memory)
{
	static unsigned char *bytes;
	static size_t len;

	fault_vfs_start();
	if (bytes == NULL) {
		world_start(world);
		world_close(world);
		bytes = world_read(world, "coffer.db", &len);
		world_end(world);
		fault_vfs_start();
	}
	*memory = (struct memory){.made = OK};
	world_make_dir(world);
	world_write(world, "coffer.db", bytes, len, 0600);
	world_open(world);
}

static void live(struct world *world, struct memory *memory)
{
	for (unsigned turn = 0; memory->made == OK && turn < TURNS; turn++) {
		enum err err = do_turn(world->store, turn);

		check_err(err);
		memory->err[turn] = err;
		memory->is_acknowledged[turn] = err == OK;
		memory->full += err == ERR_STORAGE_FULL;
		memory->stored += err == OK && memory->full > 0;
		if (store_is_broken(world->store)) {
			ck_err(store_begin(world->store), ERR_STORAGE);
			break;
		}
		if (turn % 3 == 2)
			check_err(store_checkpoint(world->store));
	}
	world_close(world);
}

/* ---- afterwards ---- */

struct found {
	unsigned records[10 + TURNS * REQUESTS];
	unsigned integrations[10 + TURNS * REQUESTS];
	unsigned grants[10 + TURNS * REQUESTS];
	unsigned versions[10 + TURNS * REQUESTS];
	unsigned uses[10 + TURNS * REQUESTS];
	uint64_t next_seq;
	unsigned current;
};

static unsigned number_in(const unsigned char id[STORE_ID_BYTES])
{
	unsigned number = 0;

	memcpy(&number, id, sizeof(number));
	ck_assert_uint_ge(number, 10);
	ck_assert_uint_lt(number, 10 + TURNS * REQUESTS);
	return number;
}

static enum err on_record(void *arg, const struct record *record)
{
	struct found *found = arg;

	ck_assert_uint_eq(record->seq, ++found->next_seq);
	ck_assert(record_is_sealed(record));
	ck_assert_uint_lt(record->object, 10 + TURNS * REQUESTS);
	found->records[record->object]++;
	return OK;
}

static enum err on_integration(void *arg, const struct store_integration *integration)
{
	((struct found *)arg)->integrations[number_in(integration->id)]++;
	return OK;
}

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	((struct found *)arg)->grants[number_in(grant->integration_id)]++;
	return OK;
}

static enum err on_version(void *arg, const struct store_version *version)
{
	((struct found *)arg)->versions[number_in(version->integration_id)]++;
	return OK;
}

static enum err on_use(void *arg, const struct store_use *use)
{
	struct found *found = arg;

	found->uses[found->current] += (unsigned)use->fetches;
	return OK;
}

static enum err on_result(void *arg, const struct store_result *result)
{
	(void)result;
	++*(unsigned *)arg;
	return OK;
}

static void look(struct store *store, struct found *found)
{
	struct store_audit_filter all = {0};
	struct store_integration_filter any = {0};

	ck_ok(store_audit_each(store, &all, on_record, found));
	ck_ok(store_integration_each(store, &any, on_integration, found));
	ck_ok(store_grant_each(store, on_grant, found));
	ck_ok(store_version_each(store, on_version, found));
	for (unsigned number = 10; number < 10 + TURNS * REQUESTS; number++) {
		unsigned char id[STORE_ID_BYTES] = {0};

		world_id(number, id);
		found->current = number;
		ck_ok(store_use_of(store, id, on_use, found));
	}
}

/* A request is all there or not at all; a turn too; and what was acknowledged is. */
static void check_turn(
	struct store *store, const struct found *found, const struct memory *memory, unsigned turn)
{
	unsigned there = found->records[number_of(turn, 0)];

	if (memory->is_acknowledged[turn])
		ck_assert_uint_eq(there, 1);
	for (unsigned request = 0; request < REQUESTS; request++) {
		unsigned number = number_of(turn, request);
		unsigned results = 0;
		enum err err = store_result_get(store, number, "m", "r", on_result, &results);

		ck_assert(err == OK || err == ERR_NOT_FOUND);
		ck_assert_uint_eq(found->records[number], there);
		ck_assert_uint_eq(found->integrations[number], there);
		ck_assert_uint_eq(found->grants[number], there);
		ck_assert_uint_eq(found->versions[number], 2 * there);
		ck_assert_uint_eq(found->uses[number], there);
		ck_assert_uint_eq(results, there);
	}
}

/* A turn that was told "full" or ended before its commit is not there; one that broke in the commit may be. */
static void check_refused_turn(const struct found *found, const struct memory *memory, unsigned turn)
{
	if (memory->err[turn] == ERR_STORAGE_FULL)
		ck_assert_uint_eq(found->records[number_of(turn, 0)], 0);
}

static void check_afterwards(struct world *world, const struct memory *memory)
{
	struct found found = {0};
	struct store_state state = {0};
	enum err err = store_open(world->dir, &world->store, &world->reason);

	if (memory->made != OK && err == ERR_NOT_FOUND) {
		/* Creation failed and has left nothing, so it can be asked for again. */
		ck_assert_uint_eq(world_entries(world), 0);
		ck_ok(store_create(world->dir, &world->store, &world->reason));
		return;
	}
	ck_assert_msg(err == OK, "%s: %s", err_word(err), world->reason);
	err = store_check(world->store, &world->reason);
	ck_assert_msg(err == OK, "%s", world->reason);
	err = store_state_get(world->store, &state);
	ck_assert(err == OK || (err == ERR_NOT_FOUND && memory->made != OK));
	look(world->store, &found);
	for (unsigned turn = 0; turn < TURNS; turn++) {
		check_turn(world->store, &found, memory, turn);
		check_refused_turn(&found, memory, turn);
	}
	ck_assert_uint_eq(found.next_seq, state.audit_seq);
	/* And it goes on from here. */
	if (err == OK) {
		ck_ok(store_begin(world->store));
		ck_ok(world_append(world->store, "after", "ok", 0));
		ck_ok(world_commit(world->store));
	}
}

/* The fault was in the making of the store, or is to come in its life. */
static bool live_with_fault(struct world *world, struct memory *memory)
{
	live(world, memory);

	bool has_failed = fault_vfs_has_failed();

	fault_vfs_fail(FAULT_FULL, 0, false);
	check_afterwards(world, memory);
	world_end(world);
	return has_failed;
}

static unsigned fail_at_every_point_of_creation(enum fault fault, bool for_ever)
{
	unsigned nth = 0;
	bool has_failed = true;

	while (has_failed) {
		struct world world;
		struct memory memory;

		world_make_dir(&world);
		fault_vfs_start();
		nth += for_ever ? 3 : 1;
		fault_vfs_fail(fault, nth, for_ever);
		create(&world, &memory);
		has_failed = fault_vfs_has_failed();
		live_with_fault(&world, &memory);
	}
	return nth;
}

static unsigned fail_at_every_point(enum fault fault, bool for_ever)
{
	unsigned nth = 0;
	bool has_failed = true;
	size_t full = 0, stored = 0;

	while (has_failed) {
		struct world world;
		struct memory memory;

		open_made(&world, &memory);
		nth += for_ever ? 3 : 1;
		fault_vfs_fail(fault, nth, for_ever);
		has_failed = live_with_fault(&world, &memory);
		full += memory.full;
		stored += memory.stored;
	}
	if (fault == FAULT_FULL || fault == FAULT_QUOTA) {
		ck_assert_uint_gt(full, 0);
		/* When there is room again the store goes on without a restart. */
		ck_assert(for_ever || stored > 0);
	} else {
		ck_assert_uint_eq(full, 0);
	}
	return nth;
}

START_TEST(a_full_disk_at_any_write_loses_nothing_acknowledged)
{
	ck_assert_uint_gt(fail_at_every_point_of_creation(FAULT_FULL, false), 50);
	ck_assert_uint_gt(fail_at_every_point(FAULT_FULL, false), 50);
}
END_TEST

START_TEST(a_disk_that_stays_full_loses_nothing_acknowledged)
{
	ck_assert_uint_gt(fail_at_every_point_of_creation(FAULT_FULL, true), 50);
	ck_assert_uint_gt(fail_at_every_point(FAULT_FULL, true), 50);
}
END_TEST

START_TEST(a_quota_is_a_full_disk)
{
	ck_assert_uint_gt(fail_at_every_point_of_creation(FAULT_QUOTA, false), 50);
	ck_assert_uint_gt(fail_at_every_point(FAULT_QUOTA, false), 50);
}
END_TEST

START_TEST(an_io_error_at_any_call_loses_nothing_acknowledged)
{
	ck_assert_uint_gt(fail_at_every_point_of_creation(FAULT_IO, false), 50);
	ck_assert_uint_gt(fail_at_every_point(FAULT_IO, false), 100);
}
END_TEST

START_TEST(a_disk_that_stays_broken_loses_nothing_acknowledged)
{
	ck_assert_uint_gt(fail_at_every_point_of_creation(FAULT_IO, true), 50);
	ck_assert_uint_gt(fail_at_every_point(FAULT_IO, true), 100);
}
END_TEST

START_TEST(a_sync_that_says_full_is_not_a_full_disk)
{
	ck_assert_uint_gt(fail_at_every_point_of_creation(FAULT_SYNC_FULL, false), 3);
	ck_assert_uint_gt(fail_at_every_point(FAULT_SYNC_FULL, false), TURNS);
}
END_TEST

/* ---- errors while opening ---- */

START_TEST(an_io_error_at_any_call_of_opening_is_an_error_and_harms_nothing)
{
	unsigned nth = 0;
	bool has_failed = true;
	struct world world;
	struct memory memory;

	open_made(&world, &memory);
	live(&world, &memory);
	while (has_failed) {
		fault_vfs_fail(FAULT_IO, ++nth, true);

		enum err err = store_open(world.dir, &world.store, &world.reason);

		has_failed = fault_vfs_has_failed();
		ck_assert_msg(err == (has_failed ? ERR_STORAGE : OK), "%u: %s: %s", nth, err_word(err),
			world.reason);
		if (!has_failed)
			world_close(&world);
		fault_vfs_fail(FAULT_IO, 0, false);
	}
	ck_assert_uint_gt(nth, 2);
	check_afterwards(&world, &memory);
	world_end(&world);
}
END_TEST

/* ---- the fsync rule ---- */

START_TEST(after_an_error_in_a_commit_no_turn_begins_until_the_store_is_opened_again)
{
	/* P5: a sync is never asked twice. */
	struct world world;
	unsigned syncs = 0;

	fault_vfs_start();
	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_ok(world_add_integration(world.store, 10, "a"));
	fault_vfs_fail(FAULT_SYNC_FULL, 1, false);
	ck_err(world_commit(world.store), ERR_STORAGE);
	ck_assert(store_is_broken(world.store));
	syncs = fault_vfs_syncs();
	ck_err(store_begin(world.store), ERR_STORAGE);
	ck_assert(!store_stands(world.store));
	ck_err(world_add_integration(world.store, 11, "b"), ERR_STORAGE);
	ck_err(world_commit(world.store), ERR_STORAGE);
	ck_assert_uint_eq(fault_vfs_syncs(), syncs);
	world_close(&world);
	world_open(&world);
	ck_assert(!store_is_broken(world.store));
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

START_TEST(a_write_that_fails_in_a_commit_breaks_the_store_unless_the_disk_is_full)
{
	static const struct {
		enum fault fault;
		enum err err;
		bool is_broken;
	} cases[] = {{FAULT_FULL, ERR_STORAGE_FULL, false}, {FAULT_QUOTA, ERR_STORAGE_FULL, false},
		{FAULT_IO, ERR_STORAGE, true}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world;

		fault_vfs_start();
		world_start(&world);
		ck_ok(store_begin(world.store));
		ck_ok(world_add_integration(world.store, 10, "a"));
		fault_vfs_fail(cases[i].fault, 1, false);
		ck_err(world_commit(world.store), cases[i].err);
		ck_assert_int_eq(store_is_broken(world.store), cases[i].is_broken);
		ck_err(store_begin(world.store), cases[i].is_broken ? ERR_STORAGE : OK);
		world_end(&world);
	}
}
END_TEST

/* More than the page cache holds goes to the log before the commit, and may fail there. */
START_TEST(a_disk_that_is_full_in_the_middle_of_a_turn_takes_the_whole_turn)
{
	/* P5 */
	static unsigned char sealed[65000];
	struct world world;
	struct store_counts counts = {0};
	enum err err = OK;
	unsigned number = 0;

	fault_vfs_start();
	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_ok(world_add_integration(world.store, 10, "a"));
	ck_ok(world_put_secret(world.store, 10, "KEY", 1));
	ck_ok(world_commit(world.store));
	ck_ok(store_begin(world.store));
	fault_vfs_fail(FAULT_FULL, 1, false);
	while (err == OK && ++number < 200)
		err = world_add_version(
			world.store, 10, "KEY", number, VERSION_STAGED, sealed, sizeof(sealed));
	ck_err(err, ERR_STORAGE_FULL);
	ck_assert(!store_stands(world.store));
	/* There is room again, but nothing may slip in by itself now. */
	ck_err(world_add_integration(world.store, 11, "b"), ERR_STORAGE_FULL);
	ck_err(store_savepoint(world.store), ERR_STORAGE_FULL);
	ck_err(world_commit(world.store), ERR_STORAGE_FULL);
	ck_assert(!store_is_broken(world.store));
	ck_ok(store_counts(world.store, &counts));
	ck_assert_uint_eq(counts.versions, 0);
	ck_ok(store_begin(world.store));
	ck_ok(world_add_integration(world.store, 11, "b"));
	ck_ok(world_commit(world.store));
	world_close(&world);
	world_open(&world);
	ck_ok(store_check(world.store, &world.reason));
	ck_ok(store_counts(world.store, &counts));
	ck_assert_uint_eq(counts.versions, 0);
	ck_assert_uint_eq(counts.integrations, 2);
	world_end(&world);
}
END_TEST

START_TEST(a_checkpoint_that_cannot_sync_breaks_the_store_and_loses_nothing)
{
	static unsigned char sealed[65000];
	struct world world;
	struct store_counts counts = {0};
	unsigned turns = 0;

	fault_vfs_start();
	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_ok(world_add_integration(world.store, 10, "a"));
	ck_ok(world_put_secret(world.store, 10, "KEY", 1));
	ck_ok(world_commit(world.store));
	fault_vfs_fail_database_syncs();
	while (!store_is_broken(world.store)) {
		ck_assert_uint_lt(turns, 200);
		ck_ok(store_begin(world.store));
		ck_ok(world_add_version(
			world.store, 10, "KEY", ++turns, VERSION_STAGED, sealed, sizeof(sealed)));
		ck_ok(world_commit(
			world.store)); /* durable in the log, also the one whose checkpoint failed */
	}
	ck_err(store_begin(world.store), ERR_STORAGE);
	fault_vfs_cut_power();
	world_close(&world);
	fault_vfs_restore_power(1);
	world_open(&world);
	ck_ok(store_check(world.store, &world.reason));
	ck_ok(store_counts(world.store, &counts));
	ck_assert_uint_eq(counts.versions, turns);
	world_end(&world);
}
END_TEST

START_TEST(a_checkpoint_asked_for_tells_its_error)
{
	struct world world;

	fault_vfs_start();
	world_start(&world);
	fault_vfs_fail(FAULT_FULL, 1, false);
	ck_err(store_checkpoint(world.store), ERR_STORAGE_FULL);
	ck_assert(!store_is_broken(world.store));
	ck_ok(store_checkpoint(world.store));
	fault_vfs_fail_database_syncs();
	ck_ok(store_begin(world.store));
	ck_ok(world_add_integration(world.store, 10, "a"));
	ck_ok(world_commit(world.store));
	ck_err(store_checkpoint(world.store), ERR_STORAGE);
	ck_assert(store_is_broken(world.store));
	world_end(&world);
}
END_TEST

/* ---- power ---- */

static void lose_power_after(unsigned turns, uint64_t seed)
{
	struct world world;
	struct memory memory;

	open_made(&world, &memory);
	for (unsigned turn = 0; turn < turns; turn++) {
		ck_ok(do_turn(world.store, turn));
		memory.is_acknowledged[turn] = true;
		if (turn % 3 == 2)
			ck_ok(store_checkpoint(world.store));
	}
	if (turns < TURNS) {
		/* In the middle of the next one. */
		ck_ok(store_begin(world.store));
		ck_ok(do_request(world.store, number_of(turns, 0)));
	}
	fault_vfs_cut_power();
	world_close(&world);
	fault_vfs_restore_power(seed);
	check_afterwards(&world, &memory);
	world_end(&world);
}

START_TEST(what_was_acknowledged_survives_a_power_cut)
{
	/* P5 */
	for (unsigned turns = 0; turns <= TURNS; turns++)
		for (uint64_t seed = 0; seed < 8; seed++)
			lose_power_after(turns, seed);
}
END_TEST

/* The power goes at the n-th change of a file, wherever that is: in a commit, in a checkpoint. */
START_TEST(a_power_cut_at_any_change_of_a_file_loses_nothing_acknowledged)
{
	bool has_failed = true;

	for (unsigned nth = 1; has_failed; nth++) {
		struct world world;
		struct memory memory;

		open_made(&world, &memory);
		fault_vfs_fail(FAULT_IO, nth, true);
		for (unsigned turn = 0; turn < TURNS && !fault_vfs_has_failed(); turn++) {
			memory.err[turn] = do_turn(world.store, turn);
			memory.is_acknowledged[turn] = memory.err[turn] == OK;
			if (!fault_vfs_has_failed() && turn % 3 == 2 && store_checkpoint(world.store) != OK)
				break;
		}
		has_failed = fault_vfs_has_failed();
		fault_vfs_cut_power();
		world_close(&world);
		fault_vfs_restore_power(nth);
		check_afterwards(&world, &memory);
		world_end(&world);
	}
}
END_TEST

START_TEST(a_commit_costs_one_sync_and_an_empty_turn_none)
{
	struct world world;
	unsigned syncs = 0;

	fault_vfs_start();
	world_start(&world);
	ck_ok(do_turn(world.store, 0));
	syncs = fault_vfs_syncs();
	for (unsigned turn = 1; turn < 4; turn++)
		ck_ok(do_turn(world.store, turn));
	ck_assert_uint_eq(fault_vfs_syncs() - syncs, 3);
	ck_ok(store_begin(world.store));
	ck_ok(world_commit(world.store));
	ck_assert_uint_eq(fault_vfs_syncs() - syncs, 3);
	world_end(&world);
}
END_TEST

UNIT_MAIN("store_faults", a_full_disk_at_any_write_loses_nothing_acknowledged,
	a_disk_that_stays_full_loses_nothing_acknowledged, a_quota_is_a_full_disk,
	an_io_error_at_any_call_loses_nothing_acknowledged,
	a_disk_that_stays_broken_loses_nothing_acknowledged, a_sync_that_says_full_is_not_a_full_disk,
	an_io_error_at_any_call_of_opening_is_an_error_and_harms_nothing,
	after_an_error_in_a_commit_no_turn_begins_until_the_store_is_opened_again,
	a_write_that_fails_in_a_commit_breaks_the_store_unless_the_disk_is_full,
	a_disk_that_is_full_in_the_middle_of_a_turn_takes_the_whole_turn,
	a_checkpoint_that_cannot_sync_breaks_the_store_and_loses_nothing,
	a_checkpoint_asked_for_tells_its_error, what_was_acknowledged_survives_a_power_cut,
	a_power_cut_at_any_change_of_a_file_loses_nothing_acknowledged,
	a_commit_costs_one_sync_and_an_empty_turn_none)
