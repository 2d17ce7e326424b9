/*
 * The store's rows and turns: what is taken back leaves nothing, numbers are never given twice, and every
 * row comes back as it was written.
 */
#include <sqlite3.h>

#include "store_world.h"

static unsigned char id_1[STORE_ID_BYTES] = {1};
static unsigned char id_2[STORE_ID_BYTES] = {2};

/* Counts what a visitor is shown and keeps the last of it as text. */
struct seen {
	size_t count;
	char text[1024];
};

static void see(struct seen *seen, const char *text)
{
	seen->count++;
	strncat(seen->text, text, sizeof(seen->text) - strlen(seen->text) - 1);
	strncat(seen->text, " ", sizeof(seen->text) - strlen(seen->text) - 1);
}

static enum err on_integration(void *arg, const struct store_integration *integration)
{
	see(arg, integration->name);
	return OK;
}

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	char text[256] = "";

	snprintf(text, sizeof(text), "%s/%d", grant->integration, (int)grant->id);
	see(arg, text);
	return OK;
}

static enum err on_secret(void *arg, const struct store_secret *secret)
{
	char text[256] = "";

	snprintf(text, sizeof(text), "%s/%d", secret->key, (int)secret->newest);
	see(arg, text);
	return OK;
}

static enum err on_version(void *arg, const struct store_version *version)
{
	char text[256] = "";

	snprintf(text, sizeof(text), "%s/%d/%d/%.*s", version->key, (int)version->version,
		(int)version->state, (int)version->sealed.len,
		version->sealed.bytes == NULL ? "" : (const char *)version->sealed.bytes);
	see(arg, text);
	return OK;
}

static enum err on_use(void *arg, const struct store_use *use)
{
	char text[256] = "";

	snprintf(text, sizeof(text), "%s/%d=%d@%d", use->key, (int)use->version, (int)use->fetches,
		(int)use->last_ms);
	see(arg, text);
	return OK;
}

static enum err on_record(void *arg, const struct record *record)
{
	char text[32] = "";

	snprintf(text, sizeof(text), "%d", (int)record->seq);
	see(arg, text);
	return record_is_sealed(record) ? OK : ERR_STORAGE;
}

static enum err on_refusal(void *arg, const struct store_refusal *refusal)
{
	char text[64] = "";

	snprintf(text, sizeof(text), "%u/%s*%u@%d", refusal->uid, refusal->outcome, refusal->count,
		(int)refusal->since_ms);
	see(arg, text);
	return OK;
}

static enum err on_key(void *arg, const char *purpose, uint64_t epoch, struct store_blob wrapped)
{
	char text[128] = "";

	snprintf(text, sizeof(text), "%s/%d=%.*s", purpose, (int)epoch, (int)wrapped.len,
		(const char *)wrapped.bytes);
	see(arg, text);
	return OK;
}

static const struct store_integration_filter all_integrations;

static uint64_t commit_no(struct store *store)
{
	struct store_state state = {0};

	ck_ok(store_state_get(store, &state));
	return state.commit_no;
}

static uint64_t wal_bytes(const struct world *world)
{
	size_t len = 0;

	free(world_read(world, "coffer.db-wal", &len));
	return len;
}

/* A number from the closed file, as any other program would see it. */
static long long ask(const struct world *world, const char *sql)
{
	char path[128] = "";
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;

	world_path(world, "coffer.db", path);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);

	long long answer = sqlite3_column_int64(stmt, 0);

	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return answer;
}

/* Integrations 1 and 2, and one secret with three versions in the first. */
static void fill(struct world *world)
{
	struct store *store = world->store;

	ck_ok(store_begin(store));
	ck_ok(world_add_integration(store, 1, "billing"));
	ck_ok(world_add_integration(store, 2, "crm/sync"));
	ck_ok(world_put_secret(store, 1, "TOKEN", 3));
	ck_ok(world_add_version(store, 1, "TOKEN", 1, VERSION_DRAINING, "one", 3));
	ck_ok(world_add_version(store, 1, "TOKEN", 2, VERSION_CURRENT, "two", 3));
	ck_ok(world_add_version(store, 1, "TOKEN", 3, VERSION_STAGED, "three", 5));
	ck_ok(world_commit(store));
}

/* ---- refusals: the turn ---- */

START_TEST(a_write_outside_a_turn_is_refused)
{
	struct world world;
	struct seen seen = {0};

	world_start(&world);
	ck_err(world_add_integration(world.store, 1, "a"), ERR_STORAGE);
	ck_err(world_append(world.store, "x", "ok", 0), ERR_STORAGE);
	ck_err(store_savepoint(world.store), ERR_STORAGE);
	ck_err(store_release(world.store), ERR_STORAGE);
	ck_err(store_rollback_request(world.store), ERR_STORAGE);
	ck_err(world_commit(world.store), ERR_STORAGE);
	ck_ok(store_integration_each(world.store, &all_integrations, on_integration, &seen));
	ck_assert_uint_eq(seen.count, 0);
	world_end(&world);
}
END_TEST

START_TEST(a_second_turn_or_request_inside_the_first_is_refused)
{
	struct world world;

	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_err(store_begin(world.store), ERR_INTERNAL);
	ck_err(store_checkpoint(world.store), ERR_INTERNAL);
	ck_ok(store_savepoint(world.store));
	ck_err(store_savepoint(world.store), ERR_INTERNAL);
	ck_ok(store_release(world.store));
	ck_err(store_release(world.store), ERR_INTERNAL);
	ck_assert(store_stands(world.store));
	store_abort(world.store);
	ck_assert(!store_stands(world.store));
	world_end(&world);
}
END_TEST

START_TEST(a_request_that_is_still_open_is_not_committed)
{
	struct world world;
	struct seen seen = {0};

	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_ok(store_savepoint(world.store));
	ck_ok(world_add_integration(world.store, 1, "a"));
	ck_err(world_commit(world.store), ERR_INTERNAL);
	ck_ok(store_integration_each(world.store, &all_integrations, on_integration, &seen));
	ck_assert_uint_eq(seen.count, 0);
	world_end(&world);
}
END_TEST

START_TEST(a_store_without_its_state_row_commits_nothing)
{
	struct world world;
	struct store_state state = {0};

	world_make_dir(&world);
	ck_ok(store_create(world.dir, &world.store, &world.reason));
	ck_err(store_state_get(world.store, &state), ERR_NOT_FOUND);
	ck_ok(store_begin(world.store));
	ck_ok(world_add_integration(world.store, 1, "a"));
	ck_err(world_commit(world.store), ERR_INTERNAL);
	ck_ok(world_init_state(world.store));
	ck_assert_uint_eq(commit_no(world.store), 1);
	world_end(&world);
}
END_TEST

START_TEST(a_second_state_row_is_refused)
{
	struct world world;
	struct store_state state = {.created_ms = 99};

	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_err(store_state_init(world.store, &state), ERR_CONFLICT);
	ck_assert(store_stands(world.store));
	store_abort(world.store);
	ck_ok(store_state_get(world.store, &state));
	ck_assert_int_eq(state.created_ms, 1);
	world_end(&world);
}
END_TEST

static enum err on_nested(void *arg, const struct store_integration *integration)
{
	(void)integration;

	struct seen seen = {0};
	enum err inner = store_integration_each(arg, &all_integrations, on_integration, &seen);

	return inner == ERR_INTERNAL ? OK : ERR_USAGE;
}

START_TEST(a_visitor_that_calls_its_own_function_is_refused_and_the_rows_go_on)
{
	struct world world;

	world_start(&world);
	fill(&world);
	ck_ok(store_integration_each(world.store, &all_integrations, on_nested, world.store));
	world_end(&world);
}
END_TEST

/* ---- refusals: rows ---- */

START_TEST(two_integrations_of_one_name_or_id_are_refused)
{
	struct world world;

	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	ck_err(world_add_integration(world.store, 3, "billing"), ERR_CONFLICT);
	ck_err(world_add_integration(world.store, 1, "other"), ERR_CONFLICT);
	ck_assert(store_stands(world.store));
	ck_ok(world_add_integration(world.store, 3, "other"));
	ck_ok(world_commit(world.store));
	world_end(&world);
}
END_TEST

START_TEST(rows_that_belong_to_nothing_are_refused)
{
	struct world world;
	struct store_grant grant = {.integration_id = {9}};

	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	ck_err(store_grant_insert(world.store, &grant), ERR_STORAGE);
	ck_assert_uint_eq(grant.id, 0);
	ck_err(world_put_secret(world.store, 9, "KEY", 1), ERR_STORAGE);
	ck_err(world_add_version(world.store, 1, "OTHER", 1, VERSION_CURRENT, "x", 1), ERR_STORAGE);
	ck_assert(store_stands(world.store));
	store_abort(world.store);
	world_end(&world);
}
END_TEST

START_TEST(changes_of_what_is_not_there_are_not_found)
{
	struct world world;
	struct seen seen = {0};
	struct store_integration integration = {
		.id = {9}, .state = "active", .dek = {(const unsigned char *)"d", 1}};

	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	ck_err(store_integration_update(world.store, &integration), ERR_NOT_FOUND);
	ck_err(store_grant_remove(world.store, id_1, 1), ERR_NOT_FOUND);
	ck_err(store_grant_remove(world.store, id_1, UINT64_MAX), ERR_NOT_FOUND);
	ck_err(store_secret_remove(world.store, id_1, "OTHER"), ERR_NOT_FOUND);
	ck_err(store_version_set_state(world.store, id_1, "TOKEN", 4, VERSION_CURRENT, 1), ERR_NOT_FOUND);
	ck_err(store_version_shred(world.store, id_2, "TOKEN", 1, 1), ERR_NOT_FOUND);
	ck_ok(world_commit(world.store));
	ck_err(store_integration_get(world.store, "Billing", on_integration, &seen), ERR_NOT_FOUND);
	ck_err(store_secret_get(world.store, id_1, "token", on_secret, &seen), ERR_NOT_FOUND);
	ck_assert_uint_eq(seen.count, 0);
	world_end(&world);
}
END_TEST

START_TEST(numbers_that_the_store_cannot_hold_are_refused)
{
	struct world world;

	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	ck_err(world_add_version(world.store, 1, "TOKEN", UINT64_MAX, VERSION_STAGED, "x", 1), ERR_STORAGE);
	ck_err(world_add_version(world.store, 1, "TOKEN", 0, VERSION_STAGED, "x", 1), ERR_STORAGE);
	ck_err(world_add_version(world.store, 1, "TOKEN", 4, (enum version_state)4, "x", 1), ERR_STORAGE);
	ck_err(world_add_version(world.store, 1, "TOKEN", 3, VERSION_STAGED, "x", 1), ERR_CONFLICT);
	store_abort(world.store);
	world_end(&world);
}
END_TEST

START_TEST(revoked_and_without_ciphertext_are_one_thing)
{
	/* P10 */
	struct world world;

	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	ck_err(store_version_set_state(world.store, id_1, "TOKEN", 1, VERSION_REVOKED, 1), ERR_STORAGE);
	ck_err(world_add_version(world.store, 1, "TOKEN", 4, VERSION_REVOKED, "x", 1), ERR_STORAGE);
	ck_err(world_add_version(world.store, 1, "TOKEN", 4, VERSION_CURRENT, NULL, 0), ERR_STORAGE);
	ck_ok(store_version_shred(world.store, id_1, "TOKEN", 1, 1));
	ck_err(store_version_set_state(world.store, id_1, "TOKEN", 1, VERSION_CURRENT, 1), ERR_STORAGE);
	store_abort(world.store);
	world_end(&world);
}
END_TEST

static enum err on_any_record(void *arg, const struct record *record)
{
	*(struct record *)arg = *record;
	return OK;
}

START_TEST(a_record_that_does_not_follow_the_head_is_refused)
{
	/* P4, P7 */
	struct world world;
	struct record record = {.seq = 2, .kind = "x", .outcome = "ok"};

	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_err(store_audit_append(world.store, &record), ERR_INTERNAL);
	record.seq = 1;
	record.previous[31] = 1;
	ck_err(store_audit_append(world.store, &record), ERR_INTERNAL);
	record.previous[31] = 0;
	ck_ok(store_audit_append(world.store, &record));
	ck_err(store_audit_append(world.store, &record), ERR_INTERNAL);
	store_abort(world.store);
	world_end(&world);
}
END_TEST

static void spoil(const struct world *world, const char *sql)
{
	char path[128] = "";
	sqlite3 *db = NULL;
	char *message = NULL;

	world_path(world, "coffer.db", path);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql, message);
	sqlite3_close(db);
}

static struct record nth_record(struct store *store, uint64_t seq)
{
	struct store_audit_filter filter = {.after = seq - 1, .limit = 1};
	struct record record = {0};

	ck_ok(store_audit_each(store, &filter, on_any_record, &record));
	return record;
}

static void append_records(struct world *world, int count)
{
	ck_ok(store_begin(world->store));
	for (int i = 0; i < count; i++)
		ck_ok(world_append(world->store, "x", "ok", 0));
	ck_ok(world_commit(world->store));
}

START_TEST(a_cut_that_is_not_at_a_record_is_refused)
{
	/* P7 */
	struct world world;
	unsigned char hash[STORE_HASH_BYTES] = {0};

	world_start(&world);
	append_records(&world, 5);

	struct record third = nth_record(world.store, 3);

	ck_err(store_audit_cut(world.store, 3, third.hash), ERR_STORAGE); /* no turn is open */
	ck_ok(store_begin(world.store));
	ck_err(store_audit_cut(world.store, 3, hash), ERR_INTERNAL);
	ck_err(store_audit_cut(world.store, 0, hash), ERR_INTERNAL);
	ck_err(store_audit_cut(world.store, 6, hash), ERR_INTERNAL);
	store_abort(world.store);
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

START_TEST(a_cut_is_taken_back_with_its_turn_or_stays_with_its_commit)
{
	/* P5, P7 */
	struct world world;
	struct store_state state = {0};
	struct store_counts counts = {0};

	world_start(&world);
	append_records(&world, 5);

	struct record third = nth_record(world.store, 3);

	ck_ok(store_state_get(world.store, &state));

	uint64_t bytes = state.audit_bytes;

	ck_assert_uint_eq(bytes, 5 * store_audit_record_bytes(&third));
	ck_ok(store_begin(world.store));
	ck_ok(store_audit_cut(world.store, 3, third.hash));
	store_abort(world.store);
	ck_ok(store_state_get(world.store, &state));
	ck_assert_uint_eq(state.audit_cut_seq, 0);
	ck_assert_uint_eq(state.audit_bytes, bytes);
	ck_ok(store_check(world.store, &world.reason));
	ck_ok(store_begin(world.store));
	ck_ok(store_audit_cut(world.store, 3, third.hash));
	ck_ok(world_commit(world.store));
	for (int i = 0; i < 2; i++) {
		ck_ok(store_state_get(world.store, &state));
		ck_assert_uint_eq(state.audit_cut_seq, 3);
		ck_assert_mem_eq(state.audit_cut_hash, third.hash, sizeof(third.hash));
		ck_assert_uint_eq(state.audit_bytes, 2 * store_audit_record_bytes(&third));
		ck_ok(store_counts(world.store, &counts));
		ck_assert_uint_eq(counts.audit_records, 2);
		ck_ok(store_check(world.store, &world.reason));
		ck_ok(store_begin(world.store));
		ck_err(store_audit_cut(world.store, 3, third.hash), ERR_INTERNAL); /* it is gone */
		store_abort(world.store);
		world_close(&world);
		world_open(&world);
	}
	world_end(&world);
}
END_TEST

/* The log's size counts bytes, whatever the texts: else a cut would leave a sum that the check takes for damage (P7). */
START_TEST(a_cut_counts_the_bytes_of_texts_beyond_ascii)
{
	struct world world;
	struct record record = {.seq = 1,
		.time_ms = 1,
		.repeats = 1,
		.kind = "x",
		.outcome = "ok",
		.subject = {"f\xc3\xbcr", 4},
		.detail = "g\xc3\xbcltig"};

	world_start(&world);
	record_seal(&record);
	ck_ok(store_begin(world.store));
	ck_ok(store_audit_append(world.store, &record));
	ck_ok(world_append(world.store, "x", "ok", 0));
	ck_ok(world_commit(world.store));
	ck_ok(store_check(world.store, &world.reason));

	struct record first = nth_record(world.store, 1);

	ck_ok(store_begin(world.store));
	ck_ok(store_audit_cut(world.store, 1, first.hash));
	ck_ok(world_commit(world.store));
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

START_TEST(check_finds_a_cut_that_was_moved)
{
	/* P7 */
	static const char *const spoils[] = {"DELETE FROM audit WHERE seq = 4",
		"UPDATE state SET audit_cut_seq = 2", "UPDATE state SET audit_cut_seq = 0",
		"UPDATE state SET audit_bytes = audit_bytes + 1"};

	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		struct world world;

		world_start(&world);
		append_records(&world, 5);

		struct record third = nth_record(world.store, 3);

		ck_ok(store_begin(world.store));
		ck_ok(store_audit_cut(world.store, 3, third.hash));
		ck_ok(world_commit(world.store));
		world_close(&world);
		spoil(&world, spoils[i]);
		world_open(&world);
		ck_err(store_check(world.store, &world.reason), ERR_STORAGE);
		ck_assert_str_eq(world.reason, "audit records are missing or damaged");
		world_end(&world);
	}
}
END_TEST

static struct store_run run_of(const struct store_run_version *versions, size_t count, int64_t time_ms)
{
	static unsigned made;
	struct store_run run = {.boot = "",
		.exe = "",
		.invocation = "",
		.cgroup = "",
		.time_ms = time_ms,
		.uid = 7,
		.pid = 8,
		.unit = "",
		.versions = versions,
		.version_count = count};

	memcpy(run.integration_id, id_1, sizeof(id_1));
	snprintf(run.id, sizeof(run.id), "01JD%022u", ++made);
	return run;
}

START_TEST(a_run_that_no_integration_can_have_is_refused)
{
	struct world world;
	struct store_run_version many[ENV_KEYS_MAX + 1];
	char longest[KEY_BYTES_MAX + 2] = "";
	struct store_run_version one = {longest, 1};

	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	memset(longest, 'K', sizeof(longest) - 1);

	struct store_run run = run_of(&one, 1, 5);

	ck_err(store_run_insert(world.store, &run), ERR_TOO_LARGE);
	longest[KEY_BYTES_MAX] = '\0';
	ck_ok(store_run_insert(world.store, &run));
	one.key = "";
	ck_err(store_run_insert(world.store, &run), ERR_TOO_LARGE);
	for (size_t i = 0; i <= ENV_KEYS_MAX; i++)
		many[i] = (struct store_run_version){longest, i};
	run = run_of(many, ENV_KEYS_MAX + 1, 5);
	ck_err(store_run_insert(world.store, &run), ERR_TOO_LARGE);
	run = run_of(many, ENV_KEYS_MAX, 5);
	ck_ok(store_run_insert(world.store, &run));
	ck_ok(world_commit(world.store));
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

/* ---- refusals: damage ---- */

START_TEST(damaged_run_lists_are_found_and_never_believed)
{
	/* P7 */
	static const char *const lists[] = {
		"x'00'",
		"x'01'",
		"x'0141'",
		"x'01410100000000000000ff'",
		"x'014101000000000000'",
		"x'0100' || zeroblob(8)",
		"x'ff'",
		"x'0141ffffffffffffffff'",
		"x'41' || zeroblob(73)",
	};
	struct world world;
	struct seen seen = {0};
	size_t folded = 0;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		char sql[320] = "";

		world_start(&world);
		fill(&world);
		world_close(&world);
		snprintf(sql, sizeof(sql),
			"INSERT INTO run (no, id, integration_id, time_ms, uid, pid, unit, versions) VALUES "
			"(1, '01JD0000000000000000000000', (SELECT id FROM "
			"integration WHERE name = 'billing'), "
			"5, 7, 8, '', CAST(%s AS BLOB)); UPDATE state SET runs_made = 1",
			lists[i]);
		spoil(&world, sql);
		world_open(&world);
		ck_err(store_use_of(world.store, id_1, on_use, &seen), ERR_STORAGE);
		ck_err(store_check(world.store, &world.reason), ERR_STORAGE);
		ck_assert_str_eq(world.reason, "a run's row is damaged");
		ck_ok(store_begin(world.store));
		ck_err(store_use_fold(world.store, 10, &folded), ERR_STORAGE);
		store_abort(world.store);
		world_end(&world);
	}
	ck_assert_uint_eq(seen.count, 0);
}
END_TEST

START_TEST(check_finds_what_was_removed_or_planted)
{
	/* P7 */
	static const struct {
		const char *sql;
		const char *reason;
	} spoils[] = {
		{"DELETE FROM audit WHERE seq = 2", "audit records"},
		{"DELETE FROM audit WHERE seq = 3", "audit records"},
		{"DELETE FROM audit", "audit records"},
		{"UPDATE audit SET kind = 'x' || char(0) || 'y' WHERE seq = 1", "audit records"},
		{"UPDATE audit SET detail = printf('%121c', 'x') WHERE seq = 1", "audit records"},
		{"UPDATE integration SET title = 'a' || char(0) WHERE name = 'billing'", "integration"},
		{"DELETE FROM secret", "belongs to nothing"},
		{"UPDATE version SET note = char(0)", "version"},
		{"INSERT INTO grant_rule SELECT 1, id, name, 5, NULL, NULL, NULL, NULL, 1, 1, 1, NULL, 0, 0 "
		 "FROM "
		 "integration LIMIT 1",
			"grant"},
		{"INSERT INTO manager VALUES (zeroblob(16), 0, 1, 1, NULL)", "belongs to nothing"},
	};
	struct world world;

	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		world_start(&world);
		fill(&world);
		ck_ok(store_begin(world.store));
		for (int j = 0; j < 3; j++)
			ck_ok(world_append(world.store, "x", "ok", 0));
		ck_ok(world_commit(world.store));
		ck_ok(store_check(world.store, &world.reason));
		world_close(&world);
		spoil(&world, spoils[i].sql);
		world_open(&world);
		ck_err(store_check(world.store, &world.reason), ERR_STORAGE);
		ck_assert_msg(strstr(world.reason, spoils[i].reason) != NULL, "%s: %s", spoils[i].sql,
			world.reason);
		world_end(&world);
	}
}
END_TEST

/* ---- turns ---- */

static void do_everything(struct store *store)
{
	struct store_grant grant = {.has_uid = true, .uid = 7};
	struct store_run_version taken = {"TOKEN", 2};
	struct store_run run = run_of(&taken, 1, 5);
	struct store_result result = {
		.uid = 7, .method = "m", .request_id = "r", .result = {(const unsigned char *)"{}", 2}};
	uint32_t count = 0;
	size_t folded = 0;

	memcpy(grant.integration_id, id_1, sizeof(id_1));
	ck_ok(store_key_put(store, "KEK", 1, (struct store_blob){(const unsigned char *)"k", 1}));
	ck_ok(store_recovery_put(store, "f", (struct store_blob){(const unsigned char *)"b", 1}));
	ck_ok(world_add_integration(store, 3, "third"));
	ck_ok(store_grant_insert(store, &grant));
	ck_ok(world_put_secret(store, 3, "KEY", 1));
	ck_ok(world_add_version(store, 3, "KEY", 1, VERSION_CURRENT, "v", 1));
	ck_ok(store_version_shred(store, id_1, "TOKEN", 1, 1));
	ck_ok(store_run_insert(store, &run));
	ck_ok(store_use_fold(store, 10, &folded));
	ck_assert_uint_eq(folded, 1);
	ck_ok(store_result_put(store, &result));
	ck_ok(world_append(store, "x", "ok", 1));
	ck_ok(store_refusal_bump(store, 7, "denied", 1, &count));
	ck_assert_uint_eq(count, 1);
}

static enum err on_result(void *arg, const struct store_result *result)
{
	(void)result;
	((struct seen *)arg)->count++;
	return OK;
}

/* Everything that do_everything could leave, as one text. */
static void look(struct store *store, struct seen *seen)
{
	struct store_audit_filter all = {0};
	struct store_counts counts = {0};
	struct store_state state = {0};
	char numbers[128] = "";
	enum err err = OK;

	*seen = (struct seen){0};
	ck_ok(store_key_each(store, on_key, seen));
	ck_ok(store_recovery_each(store, on_key, seen));
	ck_ok(store_integration_each(store, &all_integrations, on_integration, seen));
	ck_ok(store_grant_each(store, on_grant, seen));
	ck_ok(store_version_each(store, on_version, seen));
	ck_ok(store_use_of(store, id_1, on_use, seen));
	ck_ok(store_audit_each(store, &all, on_record, seen));
	ck_ok(store_refusal_each(store, INT64_MAX, on_refusal, seen));
	err = store_result_get(store, 7, "m", "r", on_result, seen);
	ck_assert(err == OK || err == ERR_NOT_FOUND);
	ck_ok(store_counts(store, &counts));
	ck_ok(store_state_get(store, &state));
	snprintf(numbers, sizeof(numbers), "%d %d %d %d %d %d, %d", (int)counts.integrations,
		(int)counts.secrets, (int)counts.versions, (int)counts.grants, (int)counts.runs,
		(int)counts.audit_records, (int)state.audit_seq);
	see(seen, numbers);
}

START_TEST(a_rolled_back_request_leaves_nothing_and_the_others_stay)
{
	/* P5 */
	struct world world;
	struct seen before = {0}, after = {0};

	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	ck_ok(store_savepoint(world.store));
	ck_ok(world_add_integration(world.store, 4, "kept"));
	ck_ok(world_append(world.store, "kept", "ok", 0));
	ck_ok(store_release(world.store));
	look(world.store, &before);
	ck_ok(store_savepoint(world.store));
	do_everything(world.store);
	look(world.store, &after);
	ck_assert_str_ne(before.text, after.text);
	ck_ok(store_rollback_request(world.store));
	look(world.store, &after);
	ck_assert_str_eq(before.text, after.text);
	ck_ok(world_commit(world.store));
	look(world.store, &after);
	ck_assert_str_eq(before.text, after.text);
	ck_ok(store_check(world.store, &world.reason));
	world_close(&world);
	world_open(&world);
	look(world.store, &after);
	ck_assert_str_eq(before.text, after.text);
	world_end(&world);
}
END_TEST

START_TEST(a_step_outside_a_request_or_in_another_is_refused)
{
	struct world world;

	world_start(&world);
	ck_err(store_step(world.store), ERR_STORAGE);
	ck_ok(store_begin(world.store));
	ck_err(store_step(world.store), ERR_INTERNAL);
	ck_ok(store_savepoint(world.store));
	ck_err(store_step_release(world.store), ERR_INTERNAL);
	ck_err(store_step_rollback(world.store), ERR_INTERNAL);
	ck_ok(store_step(world.store));
	ck_err(store_step(world.store), ERR_INTERNAL);
	ck_err(store_savepoint(world.store), ERR_INTERNAL);
	ck_err(store_release(world.store), ERR_INTERNAL);
	ck_err(store_rollback_request(world.store), ERR_INTERNAL);
	ck_ok(store_step_release(world.store));
	ck_ok(store_release(world.store));
	store_abort(world.store);
	world_end(&world);
}
END_TEST

START_TEST(a_rolled_back_step_leaves_nothing_and_its_request_stays)
{
	/* P5 */
	struct world world;
	struct seen before = {0}, after = {0};

	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	ck_ok(store_savepoint(world.store));
	ck_ok(store_step(world.store));
	ck_ok(world_add_integration(world.store, 4, "kept"));
	ck_ok(world_append(world.store, "kept", "ok", 0));
	ck_ok(store_step_release(world.store));
	look(world.store, &before);
	ck_ok(store_step(world.store));
	do_everything(world.store);
	look(world.store, &after);
	ck_assert_str_ne(before.text, after.text);
	ck_ok(store_step_rollback(world.store));
	look(world.store, &after);
	ck_assert_str_eq(before.text, after.text);
	ck_ok(store_release(world.store));
	ck_ok(world_commit(world.store));
	ck_ok(store_check(world.store, &world.reason));
	world_close(&world);
	world_open(&world);
	look(world.store, &after);
	ck_assert_str_eq(before.text, after.text);
	world_end(&world);
}
END_TEST

START_TEST(a_request_takes_its_steps_with_it)
{
	/* P5 */
	struct world world;
	struct seen before = {0}, after = {0};

	world_start(&world);
	fill(&world);
	look(world.store, &before);
	ck_ok(store_begin(world.store));
	ck_ok(store_savepoint(world.store));
	ck_ok(store_step(world.store));
	do_everything(world.store);
	ck_ok(store_step_release(world.store));
	ck_ok(store_rollback_request(world.store));
	ck_ok(world_commit(world.store));
	look(world.store, &after);
	ck_assert_str_eq(before.text, after.text);
	world_end(&world);
}
END_TEST

START_TEST(an_aborted_turn_leaves_nothing)
{
	/* P5 */
	struct world world;
	struct seen before = {0}, after = {0};
	uint64_t number = 0;

	world_start(&world);
	fill(&world);
	number = commit_no(world.store);
	look(world.store, &before);
	for (int with_request = 0; with_request < 2; with_request++) {
		ck_ok(store_begin(world.store));
		if (with_request)
			ck_ok(store_savepoint(world.store));
		do_everything(world.store);
		store_abort(world.store);
		look(world.store, &after);
		ck_assert_str_eq(before.text, after.text);
	}
	ck_assert_uint_eq(commit_no(world.store), number);
	ck_ok(store_begin(world.store));
	do_everything(world.store);
	world_close(&world); /* in the middle of a turn */
	world_open(&world);
	look(world.store, &after);
	ck_assert_str_eq(before.text, after.text);
	ck_assert_uint_eq(commit_no(world.store), number);
	world_end(&world);
}
END_TEST

START_TEST(a_turn_with_nothing_to_keep_writes_nothing)
{
	struct world world;
	uint64_t number = 0;
	uint64_t bytes = 0;

	world_start(&world);
	fill(&world);
	number = commit_no(world.store);
	bytes = wal_bytes(&world);
	ck_ok(store_begin(world.store));
	ck_ok(world_commit(world.store));
	ck_ok(store_begin(world.store));
	ck_ok(store_savepoint(world.store));
	do_everything(world.store);
	ck_ok(store_rollback_request(world.store));
	ck_ok(store_result_expire(world.store, INT64_MAX));
	ck_ok(store_refusal_close(world.store, 7, "denied"));
	ck_ok(world_commit(world.store));
	ck_assert_uint_eq(commit_no(world.store), number);
	ck_assert_uint_eq(wal_bytes(&world), bytes);
	world_end(&world);
}
END_TEST

START_TEST(every_commit_has_the_next_number_and_rows_remember_it)
{
	struct world world;

	world_start(&world);
	ck_assert_uint_eq(commit_no(world.store), 1);
	fill(&world);
	ck_assert_uint_eq(commit_no(world.store), 2);
	ck_ok(store_begin(world.store));
	ck_ok(store_version_set_state(world.store, id_1, "TOKEN", 3, VERSION_CURRENT, 1));
	ck_assert_uint_eq(commit_no(world.store), 2);
	ck_ok(world_commit(world.store));
	ck_assert_uint_eq(commit_no(world.store), 3);
	world_close(&world);
	ck_assert_int_eq(ask(&world, "SELECT commit_no FROM state"), 3);
	ck_assert_int_eq(ask(&world, "SELECT rv FROM version WHERE version = 2"), 2);
	ck_assert_int_eq(ask(&world, "SELECT rv FROM version WHERE version = 3"), 3);
	ck_assert_int_eq(ask(&world, "SELECT rv FROM integration WHERE name = 'billing'"), 2);
	world_open(&world);
	ck_assert_uint_eq(commit_no(world.store), 3);
	world_end(&world);
}
END_TEST

static enum err on_stopped(void *arg, const struct store_integration *integration)
{
	see(arg, integration->name);
	return ERR_BUSY;
}

START_TEST(a_visitors_error_ends_the_visit_and_is_returned)
{
	struct world world;
	struct seen seen = {0};

	world_start(&world);
	fill(&world);
	ck_err(store_integration_each(world.store, &all_integrations, on_stopped, &seen), ERR_BUSY);
	ck_assert_uint_eq(seen.count, 1);
	ck_ok(store_integration_each(world.store, &all_integrations, on_integration, &seen));
	ck_assert_uint_eq(seen.count, 3);
	world_end(&world);
}
END_TEST

/* ---- rows ---- */

START_TEST(the_schema_has_exactly_the_documented_fields)
{
	struct world world;
	char path[128] = "", names[1024] = " ";
	size_t count = 0;
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;

	world_start(&world);
	world_close(&world);
	world_path(&world, "coffer.db", path);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db,
				 "SELECT name FROM pragma_table_info('integration') WHERE cid > "
				 "(SELECT cid FROM pragma_table_info('integration') WHERE name = 'mac') AND "
				 "type = 'TEXT'",
				 -1, &stmt, NULL),
		SQLITE_OK);
	for (; sqlite3_step(stmt) == SQLITE_ROW; count++)
		strcat(strcat(names, (const char *)sqlite3_column_text(stmt, 0)), " ");
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	ck_assert_uint_eq(count, INTEGRATION_TEXT_COUNT);
	for (int field = INTEGRATION_TEXT_FIRST; field <= (int)INTEGRATION_TEXT_LAST; field++) {
		char name[64] = "";

		snprintf(name, sizeof(name), " %s ", field_info((enum field)field)->wire);
		ck_assert_ptr_nonnull(strstr(names, name));
	}
	world_end(&world);
}
END_TEST

START_TEST(keys_and_recovery_boxes_come_back_and_are_replaced)
{
	struct world world;
	struct seen seen = {0};
	static const unsigned char bytes[] = "abc";

	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_ok(store_key_put(world.store, "MAC", 1, (struct store_blob){bytes, 1}));
	ck_ok(store_key_put(world.store, "KEK", 2, (struct store_blob){bytes, 2}));
	ck_ok(store_key_put(world.store, "KEK", 1, (struct store_blob){bytes, 1}));
	ck_ok(store_key_put(world.store, "KEK", 1, (struct store_blob){bytes, 3}));
	ck_ok(store_recovery_put(world.store, "f1", (struct store_blob){bytes, 2}));
	ck_ok(world_commit(world.store));
	ck_ok(store_key_each(world.store, on_key, &seen));
	ck_ok(store_recovery_each(world.store, on_key, &seen));
	ck_assert_str_eq(seen.text, "KEK/1=abc KEK/2=ab MAC/1=a f1/0=ab ");
	world_end(&world);
}
END_TEST

/* Texts that tell their column, so that no two can be swapped. */
static void name_texts(
	struct store_integration *integration, char texts[INTEGRATION_TEXT_COUNT][64], const char *prefix)
{
	for (size_t i = 0; i < INTEGRATION_TEXT_COUNT; i++) {
		snprintf(texts[i], 64, "%s%s'\"\n\xc3\xa4", prefix,
			field_info((enum field)((size_t)INTEGRATION_TEXT_FIRST + i))->wire);
		integration->text[i] = i % 5 == 4 ? NULL : texts[i];
	}
}

static enum err on_compared(void *arg, const struct store_integration *found)
{
	const struct store_integration *wanted = arg;

	ck_assert_mem_eq(found->id, wanted->id, sizeof(found->id));
	ck_assert_str_eq(found->name, wanted->name);
	ck_assert_str_eq(found->state, wanted->state);
	for (size_t i = 0; i < INTEGRATION_TEXT_COUNT; i++)
		ck_assert_pstr_eq(found->text[i], wanted->text[i]);
	ck_assert_uint_eq(found->dek_generation, wanted->dek_generation);
	ck_assert_uint_eq(found->dek.len, wanted->dek.len);
	ck_assert_mem_eq(found->dek.bytes, wanted->dek.bytes, wanted->dek.len);
	ck_assert_int_eq(found->created_ms, wanted->created_ms);
	ck_assert_uint_eq(found->created_by, wanted->created_by);
	ck_assert_int_eq(found->changed_ms, wanted->changed_ms);
	ck_assert_uint_eq(found->changed_by, wanted->changed_by);
	return OK;
}

START_TEST(an_integration_comes_back_as_it_was_written)
{
	struct world world;
	char texts[INTEGRATION_TEXT_COUNT][64];
	struct store_integration integration = {.id = {7, 0, 255},
		.name = "a/b",
		.state = "active",
		.dek_generation = 3,
		.dek = {(const unsigned char *)"\0\1\2", 3},
		.created_ms = -1,
		.created_by = UINT32_MAX,
		.changed_ms = INT64_MAX,
		.changed_by = 0};

	world_start(&world);
	name_texts(&integration, texts, "");
	ck_ok(store_begin(world.store));
	ck_ok(store_integration_insert(world.store, &integration));
	ck_ok(world_commit(world.store));
	ck_ok(store_integration_get(world.store, "a/b", on_compared, &integration));
	name_texts(&integration, texts, "new ");
	integration.state = "retired";
	integration.dek_generation = 4;
	integration.dek.len = 2;
	integration.changed_ms = 77;
	integration.changed_by = 78;
	ck_ok(store_begin(world.store));
	ck_ok(store_integration_update(world.store, &integration));
	ck_ok(world_commit(world.store));
	world_close(&world);
	world_open(&world);
	ck_ok(store_integration_get(world.store, "a/b", on_compared, &integration));
	world_end(&world);
}
END_TEST

START_TEST(integrations_are_listed_by_name_and_filtered)
{
	static const struct {
		struct store_integration_filter filter;
		const char *names;
	} cases[] = {
		{{0}, "a crm crm/b crm2/x z "},
		{{.workspace = "crm"}, "crm/b "},
		{{.workspace = "%"}, ""},
		{{.state = "retired"}, "z "},
		{{.owner = "ann"}, "a crm/b "},
		{{.owner = "ann", .workspace = "crm", .state = "active"}, "crm/b "},
		{{.owner = "ann", .state = "retired"}, ""},
	};
	static const struct {
		const char *name, *owner, *state;
	} rows[] = {{"z", "bob", "retired"}, {"crm2/x", "bob", "active"}, {"crm/b", "ann", "active"},
		{"crm", NULL, "suspended"}, {"a", "ann", "active"}};
	struct world world;

	world_start(&world);
	ck_ok(store_begin(world.store));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct store_integration row = {
			.name = rows[i].name, .state = rows[i].state, .dek = {(const unsigned char *)"d", 1}};

		row.id[0] = (unsigned char)i;
		row.text[FIELD_OWNER - INTEGRATION_TEXT_FIRST] = rows[i].owner;
		ck_ok(store_integration_insert(world.store, &row));
	}
	ck_ok(world_commit(world.store));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct seen seen = {0};

		ck_ok(store_integration_each(world.store, &cases[i].filter, on_integration, &seen));
		ck_assert_str_eq(seen.text, cases[i].names);
	}
	world_end(&world);
}
END_TEST

static uint64_t add_grant(
	struct store *store, const unsigned char id[STORE_ID_BYTES], bool has_uid, uint32_t uid)
{
	struct store_grant grant = {.has_uid = has_uid,
		.uid = uid,
		.has_gid = !has_uid,
		.gid = 50,
		.group = has_uid ? NULL : "staff"};

	memcpy(grant.integration_id, id, STORE_ID_BYTES);
	ck_ok(store_grant_insert(store, &grant));
	return grant.id;
}

START_TEST(grants_are_found_by_uid_and_their_numbers_never_come_again)
{
	struct world world;
	struct seen seen = {0};

	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	ck_assert_uint_eq(add_grant(world.store, id_2, true, 7), 1);
	ck_assert_uint_eq(add_grant(world.store, id_1, true, 8), 2);
	ck_assert_uint_eq(add_grant(world.store, id_1, true, 7), 3);
	ck_assert_uint_eq(add_grant(world.store, id_1, false, 0), 4);
	ck_assert_uint_eq(add_grant(world.store, id_2, true, 0), 5);
	ck_ok(world_commit(world.store));
	ck_ok(store_grant_for_uid(world.store, 7, on_grant, &seen));
	ck_assert_str_eq(seen.text, "billing/3 billing/4 crm/sync/1 ");
	seen = (struct seen){0};
	ck_ok(store_grant_for_uid(world.store, 0, on_grant, &seen)); /* uid 0 is not "no condition" */
	ck_assert_str_eq(seen.text, "billing/4 crm/sync/5 ");
	seen = (struct seen){0};
	ck_ok(store_grant_of(world.store, id_1, on_grant, &seen));
	ck_assert_str_eq(seen.text, "billing/2 billing/3 billing/4 ");
	ck_ok(store_begin(world.store));
	ck_err(store_grant_remove(world.store, id_1, 5), ERR_NOT_FOUND); /* another integration's */
	ck_ok(store_grant_remove(world.store, id_2, 5));
	ck_ok(store_grant_remove(world.store, id_1, 4));
	ck_ok(world_commit(world.store));
	world_close(&world);
	world_open(&world);
	ck_ok(store_begin(world.store));
	ck_assert_uint_eq(add_grant(world.store, id_1, true, 7), 6);
	ck_ok(world_commit(world.store));
	world_end(&world);
}
END_TEST

static enum err on_manager(void *arg, const struct store_manager *manager)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%s%u ", manager->is_group ? "%" : "",
		manager->id);
	return OK;
}

static enum err on_managed(void *arg, const char *integration)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%s ", integration);
	return OK;
}

static void add_manager(struct store *store, const unsigned char *id, bool is_group, uint32_t number)
{
	ck_ok(store_manager_put(store, id, &(struct store_manager){is_group, number}));
}

START_TEST(managers_are_numbers_of_one_integration)
{
	static const struct store_manager user_7 = {.id = 7};
	struct world world;
	struct seen seen = {0};

	world_start(&world);
	fill(&world);
	ck_err(store_manager_put(world.store, id_1, &user_7), ERR_STORAGE); /* no turn */
	ck_ok(store_begin(world.store));
	add_manager(world.store, id_1, true, 7);
	add_manager(world.store, id_1, false, 7);
	add_manager(world.store, id_1, false, 7);
	add_manager(world.store, id_1, false, 0);
	add_manager(world.store, id_2, false, UINT32_MAX - 1);
	add_manager(world.store, id_2, false, 7);
	ck_ok(world_commit(world.store));
	ck_ok(store_manager_of(world.store, id_1, on_manager, &seen));
	ck_assert_str_eq(seen.text, "0 7 %7 ");
	seen = (struct seen){0};
	ck_ok(store_manager_of_name(world.store, "crm/sync", on_manager, &seen));
	ck_assert_str_eq(seen.text, "7 4294967294 ");
	seen = (struct seen){0};
	ck_ok(store_manager_of_name(world.store, "absent", on_manager, &seen));
	ck_assert_str_eq(seen.text, "");
	ck_ok(store_manager_managed(world.store, &(struct store_manager){.id = 7}, on_managed, &seen));
	ck_assert(strcmp(seen.text, "billing crm/sync ") == 0 || strcmp(seen.text, "crm/sync billing ") == 0);
	seen = (struct seen){0};
	ck_ok(store_manager_managed(world.store, &(struct store_manager){true, 7}, on_managed, &seen));
	ck_assert_str_eq(seen.text, "billing ");
	ck_ok(store_begin(world.store));
	ck_ok(store_manager_clear(world.store, id_1));
	ck_ok(world_commit(world.store));
	seen = (struct seen){0};
	ck_ok(store_manager_each(world.store, on_manager, &seen));
	ck_assert_str_eq(seen.text, "7 4294967294 ");
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

static enum err on_whole_grant(void *arg, const struct store_grant *grant)
{
	(void)arg;
	ck_assert_uint_eq(grant->id, 1);
	ck_assert_mem_eq(grant->integration_id, id_1, sizeof(id_1));
	ck_assert_str_eq(grant->integration, "billing");
	ck_assert(grant->has_uid && grant->has_gid);
	ck_assert_uint_eq(grant->uid, UINT32_MAX - 1);
	ck_assert_uint_eq(grant->gid, 0);
	ck_assert_str_eq(grant->user, "ann");
	ck_assert_str_eq(grant->group, "staff");
	ck_assert_str_eq(grant->unit, "a@*.service");
	ck_assert_int_eq(grant->created_ms, 12);
	ck_assert_uint_eq(grant->created_by, 13);
	return OK;
}

START_TEST(a_grant_comes_back_as_it_was_written)
{
	struct world world;
	struct store_grant grant = {.has_uid = true,
		.uid = UINT32_MAX - 1,
		.user = "ann",
		.has_gid = true,
		.group = "staff",
		.unit = "a@*.service",
		.created_ms = 12,
		.created_by = 13};

	memcpy(grant.integration_id, id_1, sizeof(id_1));
	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	ck_ok(store_grant_insert(world.store, &grant));
	ck_ok(world_commit(world.store));
	ck_ok(store_grant_each(world.store, on_whole_grant, NULL));
	world_end(&world);
}
END_TEST

START_TEST(a_secrets_newest_number_only_grows)
{
	struct world world;
	struct seen seen = {0};

	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	ck_ok(world_put_secret(world.store, 1, "TOKEN", 2));
	ck_ok(world_put_secret(world.store, 1, "AAA", 0));
	ck_ok(world_put_secret(world.store, 1, "AAA", 5));
	ck_ok(world_commit(world.store));
	ck_ok(store_secret_each(world.store, id_1, on_secret, &seen));
	ck_assert_str_eq(seen.text, "AAA/5 TOKEN/3 ");
	world_end(&world);
}
END_TEST

static enum err on_whole_version(void *arg, const struct store_version *found)
{
	const struct store_version *wanted = arg;

	ck_assert_mem_eq(found->integration_id, wanted->integration_id, STORE_ID_BYTES);
	ck_assert_mem_eq(found->secret_id, wanted->secret_id, STORE_ID_BYTES);
	ck_assert_str_eq(found->key, wanted->key);
	ck_assert_uint_eq(found->version, wanted->version);
	ck_assert_int_eq((int)found->state, (int)wanted->state);
	ck_assert_uint_eq(found->sealed.len, wanted->sealed.len);
	if (wanted->sealed.bytes != NULL)
		ck_assert_mem_eq(found->sealed.bytes, wanted->sealed.bytes, wanted->sealed.len);
	else
		ck_assert_ptr_null(found->sealed.bytes);
	ck_assert_uint_eq(found->dek_generation, wanted->dek_generation);
	ck_assert_uint_eq(found->value_bytes, wanted->value_bytes);
	ck_assert_int_eq(found->is_multiline, wanted->is_multiline);
	ck_assert_pstr_eq(found->note, wanted->note);
	ck_assert_pstr_eq(found->issuer_ref, wanted->issuer_ref);
	ck_assert_int_eq(found->expires_ms, wanted->expires_ms);
	ck_assert_int_eq(found->created_ms, wanted->created_ms);
	ck_assert_uint_eq(found->created_by, wanted->created_by);
	ck_assert_int_eq(found->changed_ms, wanted->changed_ms);
	return OK;
}

START_TEST(a_version_of_the_largest_size_comes_back_as_it_was_written)
{
	struct world world;
	static unsigned char sealed[73 + 65536];
	struct store_version version = {.secret_id = {1, 2, 3},
		.key = "BIG",
		.version = 9,
		.state = VERSION_CURRENT,
		.sealed = {sealed, sizeof(sealed)},
		.dek_generation = 4,
		.value_bytes = 65536,
		.is_multiline = true,
		.note = "n",
		.issuer_ref = NULL,
		.expires_ms = 5,
		.created_ms = 6,
		.created_by = 7,
		.changed_ms = 8};

	for (size_t i = 0; i < sizeof(sealed); i++)
		sealed[i] = (unsigned char)(i * 31 >> 3);
	memcpy(version.integration_id, id_2, sizeof(id_2));
	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	ck_ok(world_put_secret(world.store, 2, "BIG", 9));
	ck_ok(store_version_insert(world.store, &version));
	ck_ok(world_commit(world.store));
	world_close(&world);
	world_open(&world);
	ck_ok(store_version_of(world.store, id_2, "BIG", on_whole_version, &version));
	ck_ok(store_begin(world.store));
	ck_ok(store_version_shred(world.store, id_2, "BIG", 9, 88));
	ck_ok(world_commit(world.store));
	version.state = VERSION_REVOKED;
	version.sealed = (struct store_blob){0};
	version.changed_ms = 88;
	ck_ok(store_version_of(world.store, id_2, "BIG", on_whole_version, &version));
	world_end(&world);
}
END_TEST

START_TEST(versions_are_read_as_current_ones_or_newest_first)
{
	struct world world;
	struct seen seen = {0};

	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	ck_ok(world_put_secret(world.store, 1, "AAA", 1));
	ck_ok(world_add_version(world.store, 1, "AAA", 1, VERSION_CURRENT, "a", 1));
	ck_ok(world_put_secret(world.store, 2, "AAA", 1));
	ck_ok(world_add_version(world.store, 2, "AAA", 1, VERSION_CURRENT, "b", 1));
	ck_ok(world_commit(world.store));
	ck_ok(store_version_current(world.store, id_1, on_version, &seen));
	ck_assert_str_eq(seen.text, "AAA/1/1/a TOKEN/2/1/two ");
	ck_ok(store_begin(world.store));
	ck_ok(store_version_set_state(world.store, id_1, "TOKEN", 3, VERSION_CURRENT, 1));
	ck_ok(store_version_shred(world.store, id_1, "TOKEN", 2, 1));
	ck_ok(world_commit(world.store));
	seen = (struct seen){0};
	ck_ok(store_version_of(world.store, id_1, "TOKEN", on_version, &seen));
	ck_assert_str_eq(seen.text, "TOKEN/3/1/three TOKEN/2/3/ TOKEN/1/2/one ");
	world_end(&world);
}
END_TEST

START_TEST(a_removed_secret_takes_its_versions_with_it)
{
	struct world world;
	struct seen seen = {0};
	struct store_counts counts = {0};

	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	ck_ok(store_secret_remove(world.store, id_1, "TOKEN"));
	ck_ok(world_commit(world.store));
	ck_ok(store_version_each(world.store, on_version, &seen));
	ck_assert_uint_eq(seen.count, 0);
	ck_ok(store_counts(world.store, &counts));
	ck_assert_uint_eq(counts.secrets, 0);
	ck_assert_uint_eq(counts.versions, 0);
	ck_assert_uint_eq(counts.integrations, 2);
	ck_assert_uint_gt(counts.file_bytes, 4096);
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

/* ---- use ---- */

static void add_run(
	struct store *store, const struct store_run_version *versions, size_t count, int64_t time_ms)
{
	struct store_run run = run_of(versions, count, time_ms);

	ck_ok(store_run_insert(store, &run));
}

START_TEST(use_is_the_same_before_during_and_after_folding)
{
	enum { DAY = 86400000 };
	static const struct store_run_version both[] = {{"TOKEN", 2}, {"AAA", 1}};
	static const struct store_run_version old = {"TOKEN", 1};
	const char *wanted = "AAA/1=4@259200000 TOKEN/1=2@5 TOKEN/2=4@259200000 ";
	struct world world;
	size_t folded = 0;

	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	add_run(world.store, &old, 1, 5);
	add_run(world.store, &old, 1, 3);
	for (int day = 0; day < 4; day++)
		add_run(world.store, both, 2, (int64_t)day * DAY);
	add_run(world.store, both, 0, 1);
	ck_ok(world_commit(world.store));
	for (size_t done = 0; done <= 7; done += folded) {
		struct seen seen = {0};

		ck_ok(store_use_of(world.store, id_1, on_use, &seen));
		ck_assert_str_eq(seen.text, wanted);
		ck_ok(store_begin(world.store));
		ck_ok(store_use_fold(world.store, 3, &folded));
		ck_ok(world_commit(world.store));
		ck_assert_uint_eq(folded, done < 6 ? 3 : 7 - done);
		world_close(&world);
		world_open(&world);
		if (folded == 0)
			break;
	}

	struct seen other = {0};

	ck_ok(store_use_of(world.store, id_2, on_use, &other));
	ck_assert_uint_eq(other.count, 0);
	world_close(&world);
	ck_assert_int_eq(ask(&world, "SELECT sum(fetches) FROM use_by"), 10);
	ck_assert_int_eq(ask(&world, "SELECT sum(fetches) FROM use_day"), 7);
	ck_assert_int_eq(ask(&world, "SELECT count(*) FROM run"), 7);
	world_open(&world);
	world_end(&world);
}
END_TEST

START_TEST(a_fold_that_is_taken_back_counts_nothing_twice)
{
	static const struct store_run_version one = {"TOKEN", 2};
	struct world world;
	struct seen seen = {0};
	size_t folded = 0;

	world_start(&world);
	fill(&world);
	ck_ok(store_begin(world.store));
	add_run(world.store, &one, 1, 5);
	ck_ok(world_commit(world.store));
	ck_ok(store_begin(world.store));
	ck_ok(store_use_fold(world.store, 10, &folded));
	store_abort(world.store);
	ck_ok(store_begin(world.store));
	ck_ok(store_savepoint(world.store));
	ck_ok(store_use_fold(world.store, 10, &folded));
	ck_ok(store_rollback_request(world.store));
	ck_ok(store_use_fold(world.store, 10, &folded));
	ck_assert_uint_eq(folded, 1);
	ck_ok(store_use_fold(world.store, 10, &folded));
	ck_assert_uint_eq(folded, 0);
	ck_ok(world_commit(world.store));
	ck_ok(store_use_of(world.store, id_1, on_use, &seen));
	ck_assert_str_eq(seen.text, "TOKEN/2=1@5 ");
	world_end(&world);
}
END_TEST

/* ---- results, records, refusals ---- */

static enum err on_whole_result(void *arg, const struct store_result *result)
{
	ck_assert_uint_eq(result->uid, 7);
	ck_assert_str_eq(result->method, "secret.put");
	ck_assert_str_eq(result->request_id, "r1");
	ck_assert_uint_eq(result->content_mac[0], 9);
	ck_assert_uint_eq(result->result.len, 2);
	ck_assert_mem_eq(result->result.bytes, "{}", 2);
	ck_assert_int_eq(result->time_ms, 100);
	((struct seen *)arg)->count++;
	return OK;
}

START_TEST(a_result_is_found_by_all_three_of_its_names_until_it_expires)
{
	struct world world;
	struct seen seen = {0};
	struct store_result result = {.uid = 7,
		.method = "secret.put",
		.request_id = "r1",
		.content_mac = {9},
		.result = {(const unsigned char *)"{}", 2},
		.time_ms = 100};

	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_ok(store_result_put(world.store, &result));
	ck_ok(world_commit(world.store));
	ck_err(store_result_get(world.store, 8, "secret.put", "r1", on_whole_result, &seen), ERR_NOT_FOUND);
	ck_err(store_result_get(world.store, 7, "secret.get", "r1", on_whole_result, &seen), ERR_NOT_FOUND);
	ck_err(store_result_get(world.store, 7, "secret.put", "r2", on_whole_result, &seen), ERR_NOT_FOUND);
	ck_ok(store_result_get(world.store, 7, "secret.put", "r1", on_whole_result, &seen));
	ck_assert_uint_eq(seen.count, 1);
	ck_ok(store_begin(world.store));
	ck_ok(store_result_expire(world.store, 100));
	ck_ok(store_result_get(world.store, 7, "secret.put", "r1", on_whole_result, &seen));
	ck_ok(store_result_expire(world.store, 101));
	ck_ok(world_commit(world.store));
	ck_err(store_result_get(world.store, 7, "secret.put", "r1", on_whole_result, &seen), ERR_NOT_FOUND);
	world_end(&world);
}
END_TEST

static void append_record(struct store *store, int64_t time_ms, uint32_t uid, const char *integration,
	const char *kind, const char *outcome)
{
	struct store_state state = {0};
	struct record record = {.time_ms = time_ms, .uid = uid, .repeats = 1};

	ck_ok(store_state_get(store, &state));
	record.seq = state.audit_seq + 1;
	snprintf(record.integration, sizeof(record.integration), "%s", integration);
	snprintf(record.kind, sizeof(record.kind), "%s", kind);
	snprintf(record.outcome, sizeof(record.outcome), "%s", outcome);
	memcpy(record.previous, state.audit_head, sizeof(record.previous));
	record_seal(&record);
	ck_ok(store_audit_append(store, &record));
}

START_TEST(records_are_listed_in_order_and_filtered)
{
	static const struct {
		struct store_audit_filter filter;
		const char *numbers;
	} cases[] = {
		{{0}, "1 2 3 4 5 "},
		{{.after = 3}, "4 5 "},
		{{.after = UINT64_MAX}, ""},
		{{.limit = 2}, "1 2 "},
		{{.after = 1, .limit = UINT64_MAX}, "2 3 4 5 "},
		{{.since_ms = 20, .until_ms = 40}, "2 3 4 "},
		{{.since_ms = 41}, "5 "},
		{{.has_uid = true}, "1 "},
		{{.has_uid = true, .uid = 7}, "2 3 4 5 "},
		{{.integration = "b"}, "3 4 "},
		{{.integration = ""}, "1 "},
		{{.outcome = "ok"}, "1 2 5 "},
		{{.outcome = "refused"}, "3 4 "},
		{{.outcome = "denied"}, "3 "},
		{{.kind = "env.fetch", .outcome = "refused", .limit = 1}, "3 "},
	};
	struct world world;

	world_start(&world);
	ck_ok(store_begin(world.store));
	append_record(world.store, 10, 0, "", "daemon.start", "ok");
	append_record(world.store, 20, 7, "a", "env.fetch", "ok");
	append_record(world.store, 30, 7, "b", "env.fetch", "denied");
	append_record(world.store, 40, 7, "b", "env.fetch", "expired");
	append_record(world.store, 50, 7, "a", "secret.put", "ok");
	ck_ok(world_commit(world.store));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct seen seen = {0};

		ck_ok(store_audit_each(world.store, &cases[i].filter, on_record, &seen));
		ck_assert_str_eq(seen.text, cases[i].numbers);
	}
	world_end(&world);
}
END_TEST

static enum err on_whole_record(void *arg, const struct record *found)
{
	ck_assert_mem_eq(found->hash, ((const struct record *)arg)->hash, sizeof(found->hash));
	ck_assert(record_is_sealed(found)); /* every other field is under the hash */
	ck_assert_mem_eq(found->previous, ((const struct record *)arg)->previous, sizeof(found->previous));
	return OK;
}

START_TEST(a_record_of_the_longest_fields_comes_back_as_it_was_sealed)
{
	struct world world;
	struct record record = {.seq = 1,
		.time_ms = -5,
		.uid = UINT32_MAX,
		.gid = UINT32_MAX - 1,
		.pid = INT32_MIN,
		.version = INT64_MAX,
		.object = INT64_MAX - 1,
		.repeats = UINT32_MAX};
	struct store_audit_filter all = {0};
	struct store_state state = {0};
	static char subject[RECORD_SUBJECT_BYTES_MAX + 1];

	memset(record.kind, 'k', sizeof(record.kind) - 1);
	memset(record.outcome, 'o', sizeof(record.outcome) - 1);
	memset(record.unit, 'u', sizeof(record.unit) - 1);
	memset(record.integration, 'i', sizeof(record.integration) - 1);
	memset(record.key, 'K', sizeof(record.key) - 1);
	memset(record.run, 'r', sizeof(record.run) - 1);
	memset(record.detail, 'd', sizeof(record.detail) - 1);
	memset(subject, 's', sizeof(subject) - 1);
	record.subject = (struct record_subject){subject, sizeof(subject) - 1};
	record_seal(&record);
	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_ok(store_audit_append(world.store, &record));
	ck_ok(world_commit(world.store));
	world_close(&world);
	world_open(&world);
	ck_ok(store_audit_each(world.store, &all, on_whole_record, &record));
	ck_ok(store_state_get(world.store, &state));
	ck_assert_uint_eq(state.audit_seq, 1);
	ck_assert_mem_eq(state.audit_head, record.hash, sizeof(state.audit_head));
	world_end(&world);
}
END_TEST

START_TEST(refusals_are_counted_per_uid_and_word_until_their_window_is_closed)
{
	struct world world;
	struct seen seen = {0};
	uint32_t count = 0;

	world_start(&world);
	ck_ok(store_begin(world.store));
	for (uint32_t i = 1; i <= 3; i++) {
		ck_ok(store_refusal_bump(world.store, 7, "denied", 10 + (int64_t)i, &count));
		ck_assert_uint_eq(count, i);
	}
	ck_ok(store_refusal_bump(world.store, 7, "expired", 20, &count));
	ck_assert_uint_eq(count, 1);
	ck_ok(store_refusal_bump(world.store, 8, "denied", 30, &count));
	ck_assert_uint_eq(count, 1);
	ck_ok(world_commit(world.store));
	ck_ok(store_refusal_each(world.store, 30, on_refusal, &seen));
	ck_assert_str_eq(seen.text, "7/denied*3@11 7/expired*1@20 ");
	ck_ok(store_begin(world.store));
	ck_ok(store_refusal_close(world.store, 7, "denied"));
	ck_ok(store_refusal_close(world.store, 9, "denied"));
	ck_ok(store_refusal_bump(world.store, 7, "denied", 40, &count));
	ck_assert_uint_eq(count, 1);
	ck_ok(world_commit(world.store));
	world_end(&world);
}
END_TEST

static enum err on_closed(void *arg, const struct store_refusal *refusal)
{
	return store_refusal_close(arg, refusal->uid, refusal->outcome);
}

START_TEST(a_visitor_may_remove_the_row_that_it_sees)
{
	struct world world;
	struct seen seen = {0};
	uint32_t count = 0;

	world_start(&world);
	ck_ok(store_begin(world.store));
	for (uint32_t uid = 0; uid < 50; uid++)
		ck_ok(store_refusal_bump(world.store, uid, "denied", 1, &count));
	ck_ok(store_refusal_each(world.store, 2, on_closed, world.store));
	ck_ok(store_refusal_each(world.store, 2, on_refusal, &seen));
	ck_assert_uint_eq(seen.count, 0);
	ck_ok(world_commit(world.store));
	world_end(&world);
}
END_TEST

UNIT_MAIN("store", a_write_outside_a_turn_is_refused, a_second_turn_or_request_inside_the_first_is_refused,
	a_request_that_is_still_open_is_not_committed, a_store_without_its_state_row_commits_nothing,
	a_second_state_row_is_refused, a_visitor_that_calls_its_own_function_is_refused_and_the_rows_go_on,
	two_integrations_of_one_name_or_id_are_refused, rows_that_belong_to_nothing_are_refused,
	changes_of_what_is_not_there_are_not_found, numbers_that_the_store_cannot_hold_are_refused,
	revoked_and_without_ciphertext_are_one_thing, a_record_that_does_not_follow_the_head_is_refused,
	a_cut_that_is_not_at_a_record_is_refused, a_cut_is_taken_back_with_its_turn_or_stays_with_its_commit,
	a_cut_counts_the_bytes_of_texts_beyond_ascii, check_finds_a_cut_that_was_moved,
	a_run_that_no_integration_can_have_is_refused, damaged_run_lists_are_found_and_never_believed,
	check_finds_what_was_removed_or_planted, a_rolled_back_request_leaves_nothing_and_the_others_stay,
	a_step_outside_a_request_or_in_another_is_refused,
	a_rolled_back_step_leaves_nothing_and_its_request_stays, a_request_takes_its_steps_with_it,
	an_aborted_turn_leaves_nothing, a_turn_with_nothing_to_keep_writes_nothing,
	every_commit_has_the_next_number_and_rows_remember_it,
	a_visitors_error_ends_the_visit_and_is_returned, the_schema_has_exactly_the_documented_fields,
	keys_and_recovery_boxes_come_back_and_are_replaced, an_integration_comes_back_as_it_was_written,
	integrations_are_listed_by_name_and_filtered,
	grants_are_found_by_uid_and_their_numbers_never_come_again, managers_are_numbers_of_one_integration,
	a_grant_comes_back_as_it_was_written, a_secrets_newest_number_only_grows,
	a_version_of_the_largest_size_comes_back_as_it_was_written,
	versions_are_read_as_current_ones_or_newest_first, a_removed_secret_takes_its_versions_with_it,
	use_is_the_same_before_during_and_after_folding, a_fold_that_is_taken_back_counts_nothing_twice,
	a_result_is_found_by_all_three_of_its_names_until_it_expires,
	records_are_listed_in_order_and_filtered, a_record_of_the_longest_fields_comes_back_as_it_was_sealed,
	refusals_are_counted_per_uid_and_word_until_their_window_is_closed,
	a_visitor_may_remove_the_row_that_it_sees)
