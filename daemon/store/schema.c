/*
 * Whether the file is a store of ours, told from its identity and from the text of every schema object in
 * it, before anything else looks at a table (P7).  What is planted there (a trigger, a view, an index over
 * an expression, a column with a default) would otherwise run as part of our own statements.
 */
#include "sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service.h"

enum { APPLICATION_ID = 0x434f4652 }; /* "COFR" */
enum { PROGRESS_STEPS = 1000000 }; /* of SQLite's machine: some milliseconds */

static const char schema_sql[] = {
#include "schema.inc"
};

static const char schema_2_sql[] = {
#include "schema_2.inc"
};

static const char schema_3_sql[] = {
#include "schema_3.inc"
};

static const char schema_4_sql[] = {
#include "schema_4.inc"
};

/* migrations[n] leads from version n to n + 1.  A published one never changes. */
static const char *const migrations[] = {schema_sql, schema_2_sql, schema_3_sql, schema_4_sql};

enum { SCHEMA_VERSION = sizeof(migrations) / sizeof(migrations[0]) };

static void close_db(sqlite3 **db)
{
	sqlite3_close(*db);
}

static void finalize(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}

static bool columns_equal(sqlite3_stmt *a, sqlite3_stmt *b)
{
	for (int i = 0; i < sqlite3_column_count(a); i++) {
		const char *left = (const char *)sqlite3_column_text(a, i);
		const char *right = (const char *)sqlite3_column_text(b, i);
		int len = sqlite3_column_bytes(a, i);

		if (sqlite3_column_type(a, i) != sqlite3_column_type(b, i) ||
			len != sqlite3_column_bytes(b, i) || (left == NULL) != (right == NULL))
			return false;
		if (left != NULL && memcmp(left, right, (size_t)len) != 0)
			return false;
	}
	return true;
}

/* Both lists are stepped side by side; *rc_out is the first real error. */
static bool schemas_equal(sqlite3 *db, sqlite3 *model, int *rc_out)
{
	static const char *const sql =
		"SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name, sql";
	__attribute__((cleanup(finalize))) sqlite3_stmt *found = NULL;
	__attribute__((cleanup(finalize))) sqlite3_stmt *wanted = NULL;

	*rc_out = sqlite3_prepare_v2(model, sql, -1, &wanted, NULL);
	if (*rc_out == SQLITE_OK)
		*rc_out = sqlite3_prepare_v2(db, sql, -1, &found, NULL);
	while (*rc_out == SQLITE_OK) {
		int found_rc = sqlite3_step(found);
		int wanted_rc = sqlite3_step(wanted);

		if (found_rc == SQLITE_DONE && wanted_rc == SQLITE_DONE)
			return true;
		if (found_rc != SQLITE_ROW && found_rc != SQLITE_DONE)
			*rc_out = found_rc;
		else if (found_rc != wanted_rc || !columns_equal(found, wanted))
			return false;
	}
	return false;
}

/* An empty database in memory, brought to this version: what the file must look like. */
static int build_model(int version, sqlite3 **out)
{
	int rc = sqlite3_open_v2(":memory:", out,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX, NULL);

	for (int i = 0; rc == SQLITE_OK && i < version; i++)
		rc = sql_run(*out, migrations[i]);
	return rc;
}

static int read_number(sqlite3 *db, const char *sql, long *out)
{
	char answer[SQL_ANSWER_BYTES] = "";
	int rc = sql_answer(db, sql, answer);

	*out = strtol(answer, NULL, 10);
	return rc;
}

static enum err refuse(const char *reason, const char **reason_out)
{
	*reason_out = reason;
	return ERR_CONFIG;
}

enum err schema_check(sqlite3 *db, int *rc, const char **reason_out)
{
	__attribute__((cleanup(close_db))) sqlite3 *model = NULL;
	long id = 0;
	long version = 0;

	*rc = read_number(db, "PRAGMA application_id", &id);
	if (*rc == SQLITE_OK)
		*rc = read_number(db, "PRAGMA user_version", &version);
	if (*rc != SQLITE_OK)
		return ERR_STORAGE;
	if (id != APPLICATION_ID || version < 1)
		return refuse("schema: the file is not a store of coffer", reason_out);
	if (version > SCHEMA_VERSION) {
		*reason_out = "schema: the store was written by a newer version of coffer; install that "
			      "version, or restore a backup of this one";
		return ERR_UNSUPPORTED;
	}
	*rc = build_model((int)version, &model);

	bool is_equal = *rc == SQLITE_OK && schemas_equal(db, model, rc);

	if (*rc != SQLITE_OK)
		return ERR_STORAGE;
	return is_equal ? OK
			: refuse("schema: the store holds something else than coffer's tables and indexes",
				  reason_out);
}

/* Each step is one transaction, with the number that says it was done (P5). */
static int migrate_one(sqlite3 *db, int version)
{
	char identity[96] = "";

	snprintf(identity, sizeof(identity), "PRAGMA application_id=%d; PRAGMA user_version=%d",
		APPLICATION_ID, version + 1);

	int rc = sql_run(db, "BEGIN IMMEDIATE");

	if (rc == SQLITE_OK)
		rc = sql_run(db, migrations[version]);
	if (rc == SQLITE_OK)
		rc = sql_run(db, identity);
	return rc == SQLITE_OK ? sql_run(db, "COMMIT") : rc;
}

static int on_progress(void *arg)
{
	(void)arg;
	service_extend_start();
	return 0;
}

int schema_migrate(sqlite3 *db)
{
	long version = 0;
	int rc = read_number(db, "PRAGMA user_version", &version);

	/* A large store takes longer than the service manager waits for a start. */
	sqlite3_progress_handler(db, PROGRESS_STEPS, on_progress, NULL);
	for (int i = (int)version; rc == SQLITE_OK && i < SCHEMA_VERSION; i++)
		rc = migrate_one(db, i);
	sqlite3_progress_handler(db, 0, NULL, NULL);
	return rc;
}
