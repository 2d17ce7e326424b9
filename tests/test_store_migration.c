/*
 * A store of the first schema, opened by this program: nothing of it is lost, whatever goes wrong on the way, and what is not
 * plainly such a store is left as it is (P5, P7).
 */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fault_vfs.h"
#include "schema_1.h"

static void change(const struct world *world, const char *sql)
{
	schema_1_run(world, sql);
}

/* The first column of all rows, from the closed file, one a line. */
static char *ask(const struct world *world, const char *sql)
{
	char *text = calloc(1, 65536);
	sqlite3 *db = schema_1_open(world);
	sqlite3_stmt *stmt = NULL;

	ck_assert_ptr_nonnull(text);
	ck_assert_msg(
		sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
	while (sqlite3_step(stmt) == SQLITE_ROW)
		snprintf(text + strlen(text), 65536 - strlen(text), "%s\n",
			(const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return text;
}

static void check_answer(const struct world *world, const char *sql, const char *wanted)
{
	char *answer = ask(world, sql);

	ck_assert_str_eq(answer, wanted);
	free(answer);
}

static void expect_error(struct world *world, enum err wanted, const char *word)
{
	world->reason = "";

	enum err err = store_open(world->dir, &world->store, &world->reason);

	ck_assert_msg(err == wanted, "%s: %s", err_word(err), world->reason);
	ck_assert_msg(strstr(world->reason, word) != NULL, "'%s' is not in '%s'", word, world->reason);
	ck_assert_ptr_null(world->store);
}

static void expect_refused(struct world *world, const char *word)
{
	expect_error(world, ERR_CONFIG, word);
}

/* ---- refusals ---- */

/* P7: what is planted would run as part of the migration. */
START_TEST(a_planted_object_is_refused_before_anything_is_changed)
{
	static const char *const plants[] = {
		"CREATE TRIGGER t AFTER UPDATE ON state BEGIN DELETE FROM audit; END",
		"CREATE VIEW v AS SELECT * FROM version",
		"CREATE INDEX run_of ON run (integration_id, no)",
		"CREATE TABLE test (a)",
		"ALTER TABLE run ADD COLUMN staged INTEGER",
		"DROP TABLE refusal",
	};
	struct world world;

	for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
		schema_1_make(&world);
		change(&world, plants[i]);
		expect_refused(&world, "schema");
		check_answer(&world, "PRAGMA user_version", "1\n");
		check_answer(&world, "SELECT count(*) FROM use_total", "3\n");
		world_end(&world);
	}
}
END_TEST

START_TEST(a_store_that_calls_itself_another_version_is_refused)
{
	struct world world;

	schema_1_make(&world);
	change(&world, "PRAGMA user_version = 2");
	expect_refused(&world, "schema");
	change(&world, "PRAGMA user_version = 5");
	expect_error(&world, ERR_UNSUPPORTED, "newer version");
	change(&world, "PRAGMA user_version = 1");
	world_open(&world);
	world_close(&world);
	change(&world, "PRAGMA user_version = 1");
	expect_refused(&world, "schema");
	change(&world, "PRAGMA user_version = 5");
	expect_error(&world, ERR_UNSUPPORTED, "newer version");
	change(&world, "PRAGMA user_version = 4");
	world_open(&world);
	world_end(&world);
}
END_TEST

/* Two runs of one id cannot be told apart any more. */
START_TEST(a_store_that_cannot_be_brought_over_stays_as_it_is)
{
	struct world world;

	schema_1_make(&world);
	change(&world, "UPDATE run SET id = '01JD0000000000000000000001' WHERE no = 4");
	expect_refused(&world, "damaged");
	check_answer(&world, "PRAGMA user_version", "1\n");
	check_answer(&world, "SELECT count(*) FROM pragma_table_info('run')", "8\n");
	check_answer(&world, "SELECT runs_folded FROM state", "3\n");
	check_answer(&world, "SELECT count(*) FROM use_total", "3\n");
	change(&world, "UPDATE run SET id = '01JD0000000000000000000004' WHERE no = 4");
	world_open(&world);
	world_end(&world);
}
END_TEST

START_TEST(a_row_that_breaks_its_rules_is_refused_before_the_migration)
{
	struct world world;

	schema_1_make(&world);
	change(&world, "PRAGMA ignore_check_constraints=ON; UPDATE run SET uid = -1 WHERE no = 2");
	expect_refused(&world, "damaged");
	check_answer(&world, "PRAGMA user_version", "1\n");
	world_end(&world);
}
END_TEST

/* ---- nothing is lost ---- */

/* For each table of schema 1 a statement that gives its rows, with the columns that it has now. */
static char *row_statements(const struct world *world)
{
	return ask(world,
		"SELECT 'SELECT ' || group_concat('quote(\"' || c.name || '\")', ' || '', '' || ') || ' FROM "
		"' || t.name || "
		"' ORDER BY 1' FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND "
		"t.name <> 'use_total' "
		"AND NOT (t.name = 'state' AND c.name = 'runs_folded') GROUP BY t.name ORDER BY t.name");
}

static char *all_rows(const struct world *world, const char *statements)
{
	char *rows = calloc(1, 65536);
	char *rest = strdup(statements);

	ck_assert(rows != NULL && rest != NULL);
	for (char *at = rest, *sql = NULL; (sql = strsep(&at, "\n")) != NULL && *sql != '\0';) {
		char *some = ask(world, sql);

		snprintf(rows + strlen(rows), 65536 - strlen(rows), "%s: %s", sql, some);
		free(some);
	}
	free(rest);
	return rows;
}

START_TEST(every_row_of_the_first_schema_is_still_there)
{
	struct world world;

	schema_1_make(&world);

	char *statements = row_statements(&world);
	char *before = all_rows(&world, statements);

	ck_assert_ptr_nonnull(strstr(before, "crm/sync"));
	ck_assert_ptr_nonnull(strstr(before, "01JD0000000000000000000005"));
	ck_assert_ptr_nonnull(strstr(before, "etl.service"));
	world_open(&world);
	world_close(&world);

	char *after = all_rows(&world, statements);

	ck_assert_str_eq(before, after);
	check_answer(&world, "PRAGMA user_version", "4\n");
	check_answer(&world, "PRAGMA integrity_check", "ok\n");
	world_open(&world);
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
	free(statements);
	free(before);
	free(after);
}
END_TEST

struct seen {
	size_t count;
	char text[1024];
};

static void see(struct seen *seen, const char *text)
{
	seen->count++;
	snprintf(seen->text + strlen(seen->text), sizeof(seen->text) - strlen(seen->text), "%s ", text);
}

static enum err on_run(void *arg, const struct store_run *run)
{
	struct seen *seen = arg;
	char text[256] = "";

	ck_assert_int_eq(run->state, RUN_UNKNOWN);
	ck_assert(!run->is_staged);
	ck_assert(!run->is_repeated);
	ck_assert_uint_eq(run->start_ticks, 0);
	ck_assert_uint_eq(run->given_ticks, 0);
	ck_assert_str_eq(run->boot, "");
	ck_assert_str_eq(run->exe, "");
	ck_assert_str_eq(run->invocation, "");
	ck_assert_str_eq(run->cgroup, "");
	ck_assert_uint_eq(run->cgroup_id, 0);
	ck_assert_int_eq(run->end_ms, 0);
	ck_assert_int_eq(run->end_status, RUN_STATUS_UNKNOWN);
	ck_assert_uint_eq(run->version_count, 1);
	snprintf(text, sizeof(text), "%d@%d:%s=%d", (int)run->uid, (int)run->time_ms, run->versions[0].key,
		(int)run->versions[0].version);
	see(seen, text);
	return OK;
}

/* They were not followed: nobody can say that their processes have ended. */
START_TEST(every_run_of_the_first_schema_is_of_an_unknown_process)
{
	struct world world;
	struct seen seen = {0};

	schema_1_make(&world);
	world_open(&world);
	ck_ok(store_run_held(world.store, on_run, &seen));
	ck_assert_str_eq(seen.text,
		"7@10:TOKEN=2 8@86400010:TOKEN=2 7@86400020:KEY=1 7@86400030:TOKEN=2 8@86400040:TOKEN=3 ");
	world_end(&world);
}
END_TEST

/* As it is in the source: a published step never changes. */
static void run_step(const struct world *world, const char *name)
{
	char path[4096] = "";
	char *sql = calloc(1, 65536);

	ck_assert_ptr_nonnull(sql);
	snprintf(path, sizeof(path), "%s/../daemon/store/%s", getenv("COFFER_TESTS"), name);

	FILE *file = fopen(path, "re");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_gt(fread(sql, 1, 65535, file), 0);
	fclose(file);
	change(world, sql);
	free(sql);
}

/* A store of version 0.1.0, with what came after schema 1: grants, holders, tokens. */
static void schema_3_make(struct world *world)
{
	schema_1_make(world);
	run_step(world, "schema_2.sql");
	run_step(world, "schema_3.sql");
	change(world,
		"UPDATE grant_rule SET unit = 'etl@*.service', staged_only = 1 WHERE id = 3;"
		"UPDATE run SET state = 0, start_ticks = 5, boot = 'b', cgroup = '/sys/fs/cgroup/x' WHERE no "
		"= 2;"
		"INSERT INTO unit_holder VALUES (x'02000000000000000000000000000000', 'KEY', 1, 77, 'b', "
		"'etl.service', 'i', '/sys/fs/cgroup/x', 3, 4, 1);"
		"INSERT INTO manager VALUES (x'02000000000000000000000000000000', 0, 7, 1, NULL);"
		"PRAGMA user_version = 3;");
}

START_TEST(every_row_of_the_third_schema_is_still_there)
{
	struct world world;

	schema_3_make(&world);

	char *statements = row_statements(&world);
	char *before = all_rows(&world, statements);

	ck_assert_ptr_nonnull(strstr(before, "/sys/fs/cgroup/x"));
	world_open(&world);
	ck_ok(store_check(world.store, &world.reason));
	world_close(&world);

	char *after = all_rows(&world, statements);

	ck_assert_str_eq(before, after);
	check_answer(&world, "PRAGMA user_version", "4\n");
	check_answer(&world, "SELECT count(*) FROM credential", "0\n");
	check_answer(&world, "SELECT count(*) FROM delivery", "0\n");
	world_end(&world);
	free(statements);
	free(before);
	free(after);
}
END_TEST

START_TEST(what_is_planted_in_the_third_schema_is_refused)
{
	static const char *const plants[] = {"CREATE TABLE credential (unit TEXT)",
		"CREATE INDEX grant_by_unit ON grant_rule (unit)", "CREATE TABLE delivery (id TEXT)"};

	for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
		struct world world;

		schema_3_make(&world);
		change(&world, plants[i]);
		expect_refused(&world, "schema");
		check_answer(&world, "PRAGMA user_version", "3\n");
		world_end(&world);
	}
}
END_TEST

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	char text[64] = "";

	snprintf(text, sizeof(text), "%d:%s:%d", (int)grant->id, grant->integration, grant->is_staged_only);
	see(arg, text);
	return OK;
}

START_TEST(no_grant_of_the_first_schema_is_a_testers)
{
	struct world world;
	struct seen seen = {0};

	schema_1_make(&world);
	world_open(&world);
	ck_ok(store_grant_each(world.store, on_grant, &seen));
	ck_assert_str_eq(seen.text, "3:billing:0 5:crm/sync:0 ");
	world_end(&world);
}
END_TEST

static enum err on_use(void *arg, const struct store_use *use)
{
	char text[64] = "";

	snprintf(text, sizeof(text), "%s=%d*%d@%d", use->key, (int)use->version, (int)use->fetches,
		(int)use->last_ms);
	see(arg, text);
	return OK;
}

static enum err on_touched(void *arg, const struct store_touched *touched)
{
	char text[128] = "";

	snprintf(text, sizeof(text), "%s/%s=%d:%d*%d@%d", touched->integration, touched->key,
		(int)touched->version, touched->was_put, (int)touched->fetches, (int)touched->last_ms);
	see(arg, text);
	return OK;
}

/* What the first version counted, and what it had not counted yet. */
static void check_uses(struct store *store)
{
	static const char *const wanted[] = {"TOKEN=2*3@86400030 TOKEN=3*1@86400040 ", "KEY=1*1@86400020 "};

	for (unsigned i = 0; i < 2; i++) {
		unsigned char id[STORE_ID_BYTES] = {0};
		struct seen seen = {0};

		world_id(i + 1, id);
		ck_ok(store_use_of(store, id, on_use, &seen));
		ck_assert_str_eq(seen.text, wanted[i]);
	}
}

static void fold(struct store *store, size_t rows, size_t wanted)
{
	size_t folded = 99;

	ck_ok(store_begin(store));
	ck_ok(store_use_fold(store, rows, &folded));
	ck_ok(world_commit(store));
	ck_assert_uint_eq(folded, wanted);
}

START_TEST(use_is_folded_anew_to_the_same_sums)
{
	struct world world;
	struct seen seen = {0};

	schema_1_make(&world);
	world_open(&world);
	check_uses(world.store);
	fold(world.store, 2, 2);
	check_uses(world.store);
	fold(world.store, 100, SCHEMA_1_RUNS - 2);
	check_uses(world.store);
	fold(world.store, 100, 0);
	ck_ok(store_touched_by(world.store, 7, NULL, on_touched, &seen));
	ck_assert_str_eq(seen.text, "billing/TOKEN=2:1*2@86400030 crm/sync/KEY=1:0*1@86400020 ");
	seen = (struct seen){0};
	ck_ok(store_touched_by(world.store, 8, NULL, on_touched, &seen));
	ck_assert_str_eq(
		seen.text, "billing/TOKEN=2:0*1@86400010 billing/TOKEN=3:1*1@86400040 crm/sync/KEY=1:1*0@0 ");
	world_close(&world);
	check_answer(&world, "SELECT group_concat(day || ':' || uid || '*' || fetches, ' ') FROM use_day",
		"0:7*1 1:7*1 1:8*2 1:7*1\n");
	world_open(&world);
	check_uses(world.store);
	world_end(&world);
}
END_TEST

START_TEST(a_store_that_was_brought_over_goes_on_where_it_was)
{
	struct world world;
	struct store_run_version taken = {"TOKEN", 3};
	struct store_run run = {.id = "01JD0000000000000000000006",
		.time_ms = 86400050,
		.uid = 7,
		.unit = "",
		.boot = "",
		.exe = "",
		.invocation = "",
		.cgroup = "",
		.versions = &taken,
		.version_count = 1};
	struct store_grant grant = {.has_uid = true, .uid = 9};
	struct store_counts counts = {0};

	schema_1_make(&world);
	world_open(&world);
	world_id(1, run.integration_id);
	world_id(1, grant.integration_id);
	ck_ok(store_begin(world.store));
	ck_ok(store_run_insert(world.store, &run));
	ck_ok(store_grant_insert(world.store, &grant));
	ck_ok(world_append(world.store, "x", "ok", 0));
	ck_ok(world_commit(world.store));
	ck_assert_uint_eq(run.no, SCHEMA_1_RUNS + 1);
	ck_assert_uint_eq(grant.id, 6);
	ck_ok(store_counts(world.store, &counts));
	ck_assert_uint_eq(counts.runs, SCHEMA_1_RUNS + 1);
	ck_assert_uint_eq(counts.audit_records, 3);
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

/* ---- the disk fails, the power goes ---- */

static unsigned char *made;
static size_t made_len;

static void start_of_schema_1(struct world *world)
{
	fault_vfs_start();
	if (made == NULL) {
		schema_1_make(world);
		made = world_read(world, "coffer.db", &made_len);
		world_end(world);
		fault_vfs_start();
	}
	world_make_dir(world);
	world_write(world, "coffer.db", made, made_len, 0600);
}

/* In a copy, so that the look itself repairs nothing. */
static int version_left(const struct world *world)
{
	static const char *const names[] = {"coffer.db", "coffer.db-wal"};
	struct world copy;
	char *answer = NULL;
	int version = 0;

	world_make_dir(&copy);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = 0;
		unsigned char *bytes = world_read(world, names[i], &len);

		if (bytes != NULL)
			world_write(&copy, names[i], bytes, len, 0600);
		free(bytes);
	}
	answer = ask(&copy, "PRAGMA user_version");
	version = atoi(answer);
	free(answer);
	world_end(&copy);
	ck_assert(version >= 1 && version <= 4);
	return version;
}

/* Opening compares every object of the schema with its version: half of a migration would be refused. */
static int check_afterwards(struct world *world)
{
	struct seen seen = {0};
	int version = version_left(world);

	world_open(world);
	ck_ok(store_check(world->store, &world->reason));
	check_uses(world->store);
	ck_ok(store_run_held(world->store, on_run, &seen));
	ck_assert_uint_eq(seen.count, SCHEMA_1_RUNS);
	world_end(world);
	return version;
}

static void fail_at_every_point(enum fault fault, bool for_ever)
{
	size_t left[5] = {0};
	bool has_failed = true;

	for (unsigned nth = 1; has_failed; nth++) {
		struct world world;

		start_of_schema_1(&world);
		fault_vfs_fail(fault, nth, for_ever);

		enum err err = store_open(world.dir, &world.store, &world.reason);

		has_failed = fault_vfs_has_failed();
		ck_assert_msg(err == OK || (has_failed && (err == ERR_STORAGE || err == ERR_STORAGE_FULL)),
			"%u: %s: %s", nth, err_word(err), world.reason);
		world_close(&world);
		fault_vfs_fail(fault, 0, false);
		left[check_afterwards(&world)]++;
	}
	/* It was all of them: not yet, half the way, and done. */
	for (size_t version = 1; version <= 4; version++)
		ck_assert_uint_gt(left[version], 0);
}

START_TEST(a_full_disk_at_any_write_leaves_the_one_or_the_other)
{
	fail_at_every_point(FAULT_FULL, false);
	fail_at_every_point(FAULT_FULL, true);
	fail_at_every_point(FAULT_QUOTA, false);
}
END_TEST

START_TEST(an_io_error_at_any_call_leaves_the_one_or_the_other)
{
	fail_at_every_point(FAULT_IO, false);
	fail_at_every_point(FAULT_IO, true);
	fail_at_every_point(FAULT_SYNC_FULL, false);
}
END_TEST

START_TEST(a_power_cut_at_any_change_of_a_file_leaves_the_one_or_the_other)
{
	size_t left[5] = {0};
	bool has_failed = true;

	for (unsigned nth = 1; has_failed; nth++)
		for (uint64_t seed = 0; seed < 3; seed++) {
			struct world world;

			start_of_schema_1(&world);
			fault_vfs_fail(FAULT_IO, nth, true);
			(void)!store_open(world.dir, &world.store, &world.reason);
			has_failed = fault_vfs_has_failed();
			fault_vfs_cut_power();
			world_close(&world);
			fault_vfs_restore_power(100 * nth + seed);
			left[check_afterwards(&world)]++;
		}
	ck_assert_uint_gt(left[1], 0);
	ck_assert_uint_gt(left[2], 0);
}
END_TEST

/* ---- time ---- */

/* Where the service manager of this test listens. */
static int manager_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(address);
	char name[sizeof(address.sun_path) + 1] = "@";
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	memcpy(name + 1, address.sun_path + 1, len - offsetof(struct sockaddr_un, sun_path) - 1);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

START_TEST(a_migration_that_takes_long_asks_the_service_manager_for_time)
{
	static const char more_runs[] =
		"WITH RECURSIVE n(i) AS (SELECT 6 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
		"INSERT INTO run SELECT i, printf('%026d', i), x'02000000000000000000000000000000', "
		"86400040, 8, "
		"101, "
		"'', x'034b45590100000000000000' FROM n;";
	struct world world;
	char text[64] = "";
	int fd = manager_socket();

	schema_1_make(&world);
	world_open(&world);
	ck_assert_int_eq(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), -1);
	world_end(&world);
	schema_1_make(&world);
	change(&world, more_runs);
	world_open(&world);
	ck_assert_int_gt(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), 0);
	ck_assert_str_eq(text, "EXTEND_TIMEOUT_USEC=60000000");
	world_end(&world);
	close(fd);
}
END_TEST

UNIT_MAIN("store_migration", a_planted_object_is_refused_before_anything_is_changed,
	a_store_that_calls_itself_another_version_is_refused,
	a_store_that_cannot_be_brought_over_stays_as_it_is,
	a_row_that_breaks_its_rules_is_refused_before_the_migration,
	every_row_of_the_first_schema_is_still_there, every_run_of_the_first_schema_is_of_an_unknown_process,
	every_row_of_the_third_schema_is_still_there, what_is_planted_in_the_third_schema_is_refused,
	no_grant_of_the_first_schema_is_a_testers, use_is_folded_anew_to_the_same_sums,
	a_store_that_was_brought_over_goes_on_where_it_was,
	a_full_disk_at_any_write_leaves_the_one_or_the_other,
	an_io_error_at_any_call_leaves_the_one_or_the_other,
	a_power_cut_at_any_change_of_a_file_leaves_the_one_or_the_other,
	a_migration_that_takes_long_asks_the_service_manager_for_time)
