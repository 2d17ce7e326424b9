/*
 * What the store refuses to open or to make: whatever is not plainly a store of ours, in files of ours (P7).
 */
#include <errno.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "random.h"
#include "store_world.h"

/* A closed store that may be spoilt. */
static void start_closed(struct world *world)
{
	world_start(world);
	world_close(world);
}

static void change(const struct world *world, const char *sql)
{
	char path[128] = "";
	sqlite3 *db = NULL;
	char *message = NULL;

	world_path(world, "coffer.db", path);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql, message);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static void expect_open(struct world *world, enum err wanted, const char *word)
{
	world->reason = "";

	enum err err = store_open(world->dir, &world->store, &world->reason);

	ck_assert_msg(err == wanted, "%s: %s", err_word(err), world->reason);
	ck_assert_msg(strstr(world->reason, word) != NULL, "'%s' is not in '%s'", word, world->reason);
	ck_assert_ptr_null(world->store);
}

static void expect_create(struct world *world, enum err wanted)
{
	size_t before = world_entries(world);

	world->reason = "";
	ck_err(store_create(world->dir, &world->store, &world->reason), wanted);
	ck_assert_str_ne(world->reason, "");
	ck_assert_ptr_null(world->store);
	ck_assert_uint_eq(world_entries(world), before);
}

/* ---- the directory ---- */

START_TEST(open_refuses_a_directory_without_a_store)
{
	struct world world;

	world_make_dir(&world);
	expect_open(&world, ERR_NOT_FOUND, "no store");
	ck_assert_uint_eq(world_entries(&world), 0);
	world_end(&world);
	expect_open(&world, ERR_NOT_FOUND, "does not exist");
	world.dir[0] = '\0';
	expect_open(&world, ERR_CONFIG, "empty");
}
END_TEST

START_TEST(open_and_create_refuse_a_directory_that_others_may_enter)
{
	struct world world;

	world_make_dir(&world);
	ck_assert_int_eq(chmod(world.dir, 0755), 0);
	expect_create(&world, ERR_CONFIG);
	ck_assert_int_eq(chmod(world.dir, 0700), 0);
	ck_ok(store_create(world.dir, &world.store, &world.reason));
	world_close(&world);
	ck_assert_int_eq(chmod(world.dir, 0755), 0);
	expect_open(&world, ERR_CONFIG, "0700");
	ck_assert_int_eq(chmod(world.dir, 0700), 0);
	world_open(&world);
	world_end(&world);
}
END_TEST

START_TEST(open_refuses_a_symbolic_link_as_the_directory_also_with_a_slash_behind_it)
{
	struct world world;
	char real[sizeof(world.dir)] = "";

	start_closed(&world);
	memcpy(real, world.dir, sizeof(real));
	strcat(world.dir, ".link");
	ck_assert_int_eq(symlink(real, world.dir), 0);
	expect_open(&world, ERR_CONFIG, "symbolic link");
	strcat(world.dir, "//");
	expect_open(&world, ERR_CONFIG, "symbolic link");
	world.dir[strlen(world.dir) - 2] = '\0';
	ck_assert_int_eq(unlink(world.dir), 0);
	memcpy(world.dir, real, sizeof(real));
	world_end(&world);
}
END_TEST

START_TEST(open_refuses_what_belongs_to_another_user)
{
	static const char *const names[] = {"", "coffer.db", "coffer.db-wal", "coffer.db-journal"};
	struct world world;
	char path[128] = "";

	if (geteuid() != 0)
		return; /* only root can give files away */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		start_closed(&world);
		world_path(&world, names[i], path);
		if (i >= 2)
			world_write(&world, names[i], "", 0, 0600);
		ck_assert_int_eq(chown(path, 65534, (gid_t)-1), 0);
		expect_open(&world, ERR_CONFIG, "another user");
		ck_assert_int_eq(chown(path, 0, (gid_t)-1), 0);
		world_end(&world);
	}
}
END_TEST

/* ---- the files ---- */

START_TEST(open_refuses_other_modes)
{
	static const mode_t modes[] = {0644, 0640, 0660, 0700, 0400, 04600};
	static const char *const names[] = {"coffer.db", "coffer.db-wal", "coffer.db-journal"};
	struct world world;
	char path[128] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		start_closed(&world);
		world_path(&world, names[i], path);
		if (i > 0)
			world_write(&world, names[i], "", 0, 0600);
		for (size_t j = 0; j < sizeof(modes) / sizeof(modes[0]); j++) {
			ck_assert_int_eq(chmod(path, modes[j]), 0);
			expect_open(&world, ERR_CONFIG, "0600");
		}
		world_end(&world);
	}
}
END_TEST

START_TEST(open_refuses_links_and_anything_but_a_regular_file)
{
	static const char *const names[] = {"coffer.db", "coffer.db-wal", "coffer.db-journal"};
	struct world world;
	char path[128] = "", other[128] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		start_closed(&world);
		world_path(&world, names[i], path);
		world_path(&world, "other", other);
		if (i > 0)
			world_write(&world, names[i], "", 0, 0600);
		ck_assert_int_eq(link(path, other), 0);
		expect_open(&world, ERR_CONFIG, "more than one name");
		ck_assert_int_eq(unlink(path), 0);
		ck_assert_int_eq(symlink(other, path), 0);
		expect_open(&world, ERR_CONFIG, "not a regular file");
		ck_assert_int_eq(unlink(path), 0);
		ck_assert_int_eq(mkfifo(path, 0600), 0);
		expect_open(&world, ERR_CONFIG, "not a regular file");
		ck_assert_int_eq(unlink(path), 0);
		ck_assert_int_eq(mkdir(path, 0700), 0);
		expect_open(&world, ERR_CONFIG, "not a regular file");
		world_end(&world);
	}
}
END_TEST

START_TEST(create_refuses_whatever_is_there_already)
{
	static const char *const names[] = {"coffer.db", "coffer.db-wal", "coffer.db-journal"};
	struct world world;
	char path[128] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		world_make_dir(&world);
		world_path(&world, names[i], path);
		world_write(&world, names[i], "", 0, 0600);
		expect_create(&world, ERR_CONFLICT);
		ck_assert_int_eq(unlink(path), 0);
		ck_assert_int_eq(symlink("nowhere", path), 0);
		expect_create(&world, ERR_CONFLICT);
		ck_assert_int_eq(unlink(path), 0);
		ck_assert_int_eq(mkfifo(path, 0600), 0);
		expect_create(&world, ERR_CONFLICT);
		world_end(&world);
	}
}
END_TEST

/* ---- what is in the file ---- */

START_TEST(open_refuses_an_empty_file_and_leaves_it_empty)
{
	struct world world;
	size_t len = 1;

	world_make_dir(&world);
	world_write(&world, "coffer.db", "", 0, 0600);
	expect_open(&world, ERR_CONFIG, "not a store of coffer");

	unsigned char *bytes = world_read(&world, "coffer.db", &len);

	ck_assert_uint_eq(len, 0);
	free(bytes);
	world_end(&world);
}
END_TEST

START_TEST(open_refuses_bytes_that_are_no_database)
{
	struct world world;
	struct random random = {.state = 1};
	unsigned char bytes[3 * 4096] = "";
	static const size_t lens[] = {1, 16, 100, 4096, sizeof(bytes)};

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)random_next(&random);
	world_make_dir(&world);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		world_write(&world, "coffer.db", bytes, lens[i], 0600);
		expect_open(&world, ERR_CONFIG, "");
	}
	world_end(&world);
}
END_TEST

START_TEST(open_refuses_a_cut_file)
{
	struct world world;
	size_t len = 0;

	start_closed(&world);

	unsigned char *bytes = world_read(&world, "coffer.db", &len);

	/* The last page is an empty table's: it ends in zeros, which a cut does not change. */
	for (size_t cut = 1; cut < len - 4096; cut += 1021) {
		world_write(&world, "coffer.db", bytes, cut, 0600);
		expect_open(&world, ERR_CONFIG, "");
	}
	world_write(&world, "coffer.db", bytes, len, 0600);
	free(bytes);
	world_open(&world);
	world_end(&world);
}
END_TEST

START_TEST(open_refuses_a_database_of_somebody_else)
{
	struct world world;
	char path[128] = "";

	start_closed(&world);
	change(&world, "PRAGMA application_id=1");
	expect_open(&world, ERR_CONFIG, "not a store of coffer");
	world_end(&world);
	world_make_dir(&world);
	change(&world, "CREATE TABLE state (a)");
	world_path(&world, "coffer.db", path);
	ck_assert_int_eq(chmod(path, 0600), 0);
	expect_open(&world, ERR_CONFIG, "not a store of coffer");
	world_end(&world);
}
END_TEST

START_TEST(open_refuses_a_newer_or_impossible_version_by_name)
{
	struct world world;

	start_closed(&world);
	change(&world, "PRAGMA user_version=5");
	expect_open(&world, ERR_UNSUPPORTED, "written by a newer version");
	change(&world, "PRAGMA user_version=2147483647");
	expect_open(&world, ERR_UNSUPPORTED, "written by a newer version");
	change(&world, "PRAGMA user_version=0");
	expect_open(&world, ERR_CONFIG, "not a store of coffer");
	change(&world, "PRAGMA user_version=-1");
	expect_open(&world, ERR_CONFIG, "not a store of coffer");
	world_end(&world);
}
END_TEST

/* A change that is in the write-ahead log alone, as a kill leaves it. */
static void change_and_die(const struct world *world, const char *sql)
{
	char path[128] = "";
	int status = 0;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	world_path(world, "coffer.db", path);
	if (child == 0) {
		sqlite3 *db = NULL;
		bool is_done = sqlite3_open(path, &db) == SQLITE_OK &&
			       sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;

		_exit(is_done ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	world_path(world, "coffer.db-shm", path);
	ck_assert_int_eq(unlink(path), 0);
}

static void check_untouched_by_a_refusal(struct world *world, enum err wanted, const char *word)
{
	static const char *const names[] = {"coffer.db", "coffer.db-wal"};
	unsigned char *before[2] = {0}, *after[2] = {0};
	size_t len[2] = {0}, len_after[2] = {0};

	for (int i = 0; i < 2; i++)
		before[i] = world_read(world, names[i], &len[i]);
	ck_assert_uint_gt(len[1], 0);
	expect_open(world, wanted, word);
	for (int i = 0; i < 2; i++) {
		after[i] = world_read(world, names[i], &len_after[i]);
		ck_assert_uint_eq(len[i], len_after[i]);
		ck_assert_mem_eq(before[i], after[i], len[i]);
		free(before[i]);
		free(after[i]);
	}
}

/* P7: also not by folding a log that its own version has yet to read. */
START_TEST(a_store_that_is_refused_for_its_schema_is_not_written_to)
{
	struct world world;

	start_closed(&world);
	change(&world, "PRAGMA user_version=2147483647");
	ck_assert_uint_eq(world_entries(&world), 1);
	expect_open(&world, ERR_UNSUPPORTED, "written by a newer version");
	ck_assert_uint_eq(world_entries(&world), 1); /* nor is a file added */
	world_end(&world);
	start_closed(&world);
	change_and_die(&world, "PRAGMA user_version=2147483647");
	check_untouched_by_a_refusal(&world, ERR_UNSUPPORTED, "written by a newer version");
	world_end(&world);
	start_closed(&world);
	change_and_die(&world, "CREATE TABLE extra (a)");
	check_untouched_by_a_refusal(&world, ERR_CONFIG, "something else than coffer's tables");
	world_end(&world);
}
END_TEST

START_TEST(open_refuses_a_planted_schema_object)
{
	/* P7 */
	static const char *const plants[] = {
		"CREATE TRIGGER t AFTER INSERT ON audit BEGIN DELETE FROM audit; END",
		"CREATE VIEW v AS SELECT * FROM version",
		"CREATE INDEX i ON integration (owner)",
		"CREATE INDEX i ON grant_rule (abs(uid))",
		"CREATE TABLE extra (a)",
		"CREATE VIRTUAL TABLE f USING fts5(a)",
		"ANALYZE",
		"ALTER TABLE integration ADD COLUMN more TEXT",
		"ALTER TABLE integration DROP COLUMN labels",
		"ALTER TABLE integration RENAME COLUMN labels TO tags",
		"DROP INDEX grant_by_uid",
		"DROP TABLE refusal",
		"DROP TABLE refusal; CREATE VIEW refusal AS SELECT 1 AS uid, '' AS outcome, 1 AS count, 1 AS "
		"since_ms",
		"PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (one = 1)', "
		"'') WHERE name = 'state'",
		"PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = sql || ' ' WHERE name = 'state'",
		"PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = 'CREATE garbage' WHERE name = "
		"'state'",
	};
	struct world world;

	for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
		start_closed(&world);
		change(&world, plants[i]);
		expect_open(&world, ERR_CONFIG,
			i + 1 < sizeof(plants) / sizeof(plants[0]) ? "schema" : "damaged");
		world_end(&world);
	}
}
END_TEST

START_TEST(open_refuses_rows_that_break_their_rules)
{
	static const char *const spoils[] = {
		"PRAGMA ignore_check_constraints=ON; UPDATE state SET vault_id = x'00'",
		"PRAGMA ignore_check_constraints=ON; UPDATE state SET commit_no = -1",
		"PRAGMA ignore_check_constraints=ON; INSERT INTO refusal VALUES (-1, 'denied', 1, 1)",
	};
	struct world world;

	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		start_closed(&world);
		change(&world, spoils[i]);
		expect_open(&world, ERR_CONFIG, "damaged");
		world_end(&world);
	}
}
END_TEST

/* A database of other pages would slip past the layer that keeps deleted values out of the file (P10). */
START_TEST(open_refuses_other_page_sizes_and_map_pages)
{
	struct world world;

	start_closed(&world);
	change(&world, "PRAGMA journal_mode=DELETE; PRAGMA page_size=8192; VACUUM");
	ck_assert_int_ne((int)store_open(world.dir, &world.store, &world.reason), (int)OK);
	world_end(&world);
	start_closed(&world);
	change(&world, "PRAGMA journal_mode=DELETE; PRAGMA auto_vacuum=FULL; VACUUM");
	ck_assert_int_ne((int)store_open(world.dir, &world.store, &world.reason), (int)OK);
	world_end(&world);
}
END_TEST

/* Whatever byte is flipped: an error or a store that can be read, never a crash and never an endless loop (P7). */
START_TEST(open_survives_flipped_bytes)
{
	struct world world;
	size_t len = 0;
	size_t tried = 0;
	size_t refused = 0;

	start_closed(&world);

	unsigned char *bytes = world_read(&world, "coffer.db", &len);

	for (size_t at = 0; at < len; at += at < 100 ? 1 : 41) {
		if (at >= 100 && bytes[at] == 0)
			continue;
		tried++;
		bytes[at] ^= 0x55;
		world_write(&world, "coffer.db", bytes, len, 0600);
		if (store_open(world.dir, &world.store, &world.reason) == OK)
			world_close(&world);
		else
			refused++;
		bytes[at] ^= 0x55;
	}
	/* What may pass: counters of the file's header, and the vault's own fields, which are authenticated above. */
	ck_assert_uint_gt(tried, 400);
	ck_assert_uint_gt(refused, tried - 60);
	free(bytes);
	world_end(&world);
}
END_TEST

/* ---- another process ---- */

START_TEST(open_is_refused_while_another_process_has_the_store)
{
	struct world world;
	int ready[2] = {-1, -1}, done[2] = {-1, -1};
	char byte = 0;
	int status = 0;

	start_closed(&world);
	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(done), 0);

	pid_t child = fork();

	if (child == 0) {
		close(done[1]);
		if (store_open(world.dir, &world.store, &world.reason) != OK || write(ready[1], "x", 1) != 1)
			_exit(1);
		(void)!read(done[0], &byte, 1);
		store_close(world.store);
		_exit(0);
	}
	ck_assert_int_gt(child, 0);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	expect_open(&world, ERR_CONFLICT, "another process");
	expect_create(&world, ERR_CONFLICT);
	/* The refused opening has not cost the other one its lock. */
	expect_open(&world, ERR_CONFLICT, "another process");
	close(done[1]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	world_open(&world);
	world_end(&world);
}
END_TEST

START_TEST(open_is_refused_while_this_process_has_the_store)
{
	struct world world;
	struct store *second = NULL;

	world_start(&world);
	ck_err(store_open(world.dir, &second, &world.reason), ERR_CONFLICT);
	ck_assert_ptr_null(second);
	ck_ok(store_begin(world.store));
	ck_ok(world_add_integration(world.store, 1, "a"));
	ck_ok(world_commit(world.store));
	world_end(&world);
}
END_TEST

/* ---- success ---- */

START_TEST(create_makes_one_private_file_and_open_finds_it_again)
{
	struct world world;
	struct stat status = {0};
	char path[128] = "";
	mode_t mask = umask(0);

	world_start(&world);
	umask(mask);
	world_path(&world, "coffer.db-wal", path);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_mode & 07777, 0600);
	world_path(&world, "coffer.db-shm", path);
	ck_assert_int_ne(stat(path, &status), 0);
	world_close(&world);
	ck_assert_uint_eq(world_entries(&world), 1);
	world_path(&world, "coffer.db", path);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_mode & 07777, 0600);
	world_open(&world);
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

START_TEST(create_works_below_a_symbolic_link_and_with_a_trailing_slash)
{
	struct world world;
	char link_path[128] = "", below[128] = "";

	world_make_dir(&world);
	snprintf(below, sizeof(below), "%s/below", world.dir);
	ck_assert_int_eq(mkdir(below, 0700), 0);
	world_path(&world, "link", link_path);
	ck_assert_int_eq(symlink(".", link_path), 0);
	snprintf(below, sizeof(below), "%s/link/below/", world.dir);
	ck_ok(store_create(below, &world.store, &world.reason));
	world_close(&world);
	snprintf(link_path, sizeof(link_path), "%s/below/coffer.db", world.dir);
	ck_assert_int_eq(unlink(link_path), 0);
	world_end(&world);
}
END_TEST

UNIT_MAIN("store_files", open_refuses_a_directory_without_a_store,
	open_and_create_refuse_a_directory_that_others_may_enter,
	open_refuses_a_symbolic_link_as_the_directory_also_with_a_slash_behind_it,
	open_refuses_what_belongs_to_another_user, open_refuses_other_modes,
	open_refuses_links_and_anything_but_a_regular_file, create_refuses_whatever_is_there_already,
	open_refuses_an_empty_file_and_leaves_it_empty, open_refuses_bytes_that_are_no_database,
	open_refuses_a_cut_file, open_refuses_a_database_of_somebody_else,
	open_refuses_a_newer_or_impossible_version_by_name,
	a_store_that_is_refused_for_its_schema_is_not_written_to, open_refuses_a_planted_schema_object,
	open_refuses_rows_that_break_their_rules, open_refuses_other_page_sizes_and_map_pages,
	open_survives_flipped_bytes, open_is_refused_while_another_process_has_the_store,
	open_is_refused_while_this_process_has_the_store,
	create_makes_one_private_file_and_open_finds_it_again,
	create_works_below_a_symbolic_link_and_with_a_trailing_slash)
