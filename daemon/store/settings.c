/*
 * How the connection is set, and the proof that it is: every setting is read back, because SQLite ignores
 * what it does not know or cannot do.  The order matters, so there are two tables: what must stand before
 * the first byte of the file is read, and what itself reads the file and waits until the schema is known
 * to be ours (P7).
 */
#include "sqlite.h"

#include <stdio.h>
#include <string.h>

struct setting {
	const char *name;
	const char *value;
	const char *answer;
};

static const struct setting before_reading[] = {
	/* Before the first access: no shared-memory file, and a second process is locked out. */
	{"locking_mode", "EXCLUSIVE", "exclusive"},
	{"trusted_schema", "OFF", "0"},
	{"cell_size_check", "ON", "1"},
	{"mmap_size", "0", "0"},
	{"temp_store", "MEMORY", "2"},
	{"secure_delete", "ON", "1"}, /* P10 */
	{"foreign_keys", "ON", "1"},
};

static const struct setting after_check[] = {
	{"page_size", "4096", "4096"}, {"encoding", "'UTF-8'", "UTF-8"},
	{"auto_vacuum", "NONE", "0"}, /* its map pages would look like b-tree pages to page_vfs.c */
	{"max_page_count", "33554431", "33554431"}, /* 128 GiB less one page; see clear_middle there */
	{"journal_mode", "WAL", "wal"}, {"synchronous", "FULL", "2"}, /* P5 */
	{"cache_size", "-4096", "-4096"}, /* KiB: the process is locked into memory */
};

/* The answer of mmap_size is empty when the VFS cannot map at all. */
static bool is_set(const struct setting *setting, const char *answer)
{
	return strcmp(answer, setting->answer) == 0 ||
	       (strcmp(setting->name, "mmap_size") == 0 && answer[0] == '\0');
}

static int apply(sqlite3 *db, const struct setting *settings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char sql[64] = "";
		char answer[SQL_ANSWER_BYTES] = "";

		snprintf(sql, sizeof(sql), "PRAGMA %s=%s", settings[i].name, settings[i].value);

		int rc = sql_run(db, sql);

		snprintf(sql, sizeof(sql), "PRAGMA %s", settings[i].name);
		if (rc == SQLITE_OK)
			rc = sql_answer(db, sql, answer);
		if (rc == SQLITE_OK && !is_set(&settings[i], answer))
			rc = SQLITE_ERROR;
		if (rc != SQLITE_OK)
			return rc;
	}
	return SQLITE_OK;
}

static int flip_switches(sqlite3 *db)
{
	static const struct {
		int op;
		int value;
	} switches[] = {
		{SQLITE_DBCONFIG_DEFENSIVE, 1},
		{SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
		{SQLITE_DBCONFIG_ENABLE_VIEW, 0},
		{SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
		{SQLITE_DBCONFIG_DQS_DML, 0},
		{SQLITE_DBCONFIG_DQS_DDL, 0},
		{SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
	};

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		int set = -1;
		int rc = sqlite3_db_config(db, switches[i].op, switches[i].value, &set);

		if (rc != SQLITE_OK || set != switches[i].value)
			return rc != SQLITE_OK ? rc : SQLITE_ERROR;
	}
	return SQLITE_OK;
}

/* Far above what our own statements need, far below what a hostile file could ask for. */
static void lower_limits(sqlite3 *db)
{
	static const struct {
		int limit;
		int value;
	} limits[] = {
		{SQLITE_LIMIT_LENGTH, 1000000},
		{SQLITE_LIMIT_SQL_LENGTH, 100000},
		{SQLITE_LIMIT_COLUMN, 64},
		{SQLITE_LIMIT_EXPR_DEPTH, 64},
		{SQLITE_LIMIT_COMPOUND_SELECT, 3},
		{SQLITE_LIMIT_VDBE_OP, 25000},
		{SQLITE_LIMIT_FUNCTION_ARG, 8},
		{SQLITE_LIMIT_ATTACHED, 0},
		{SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50},
		{SQLITE_LIMIT_VARIABLE_NUMBER, 64},
		{SQLITE_LIMIT_TRIGGER_DEPTH, 1},
		{SQLITE_LIMIT_WORKER_THREADS, 0},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		sqlite3_limit(db, limits[i].limit, limits[i].value);
}

int settings_before_reading(sqlite3 *db)
{
	lower_limits(db);
	/* A second process is an error at once, never a wait. */
	sqlite3_busy_timeout(db, 0);

	int rc = flip_switches(db);

	return rc != SQLITE_OK
		       ? rc
		       : apply(db, before_reading, sizeof(before_reading) / sizeof(before_reading[0]));
}

int settings_after_check(sqlite3 *db)
{
	return apply(db, after_check, sizeof(after_check) / sizeof(after_check[0]));
}
