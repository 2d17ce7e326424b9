/*
 * What the files of this room share: the open store, and a query, which is one prepared statement in use.
 *
 * All SQL is constant and prepared once (statements.def).  A query binds its parameters from left to right,
 * then reads its columns from left to right; errors and damaged columns are sticky and asked for at the end:
 *
 *     QUERY_AUTO query = query_start(store, STATEMENT_GRANT_OF);
 *
 *     query_put_fixed(&query, integration_id, STORE_ID_BYTES);
 *     while (query_next(&query))
 *             … query_u64(&query) …
 *     return query_result(&query);
 */
#ifndef COFFER_STORE_SQLITE_H
#define COFFER_STORE_SQLITE_H

#include <sqlite3.h>

#include "store.h"

#define STATEMENT(name, sql) STATEMENT_##name,
enum statement {
#include "statements.def"
	STATEMENT_COUNT
};
#undef STATEMENT

/* What a request or a turn that is taken back must take back with it, beside its rows. */
struct standing {
	bool has_state;
	bool has_written; /* in this turn */
	struct store_state state;
	uint64_t grants_made; /* highest number ever given */
	uint64_t runs_made;
	uint64_t runs_folded; /* runs up to here are in use_by and use_day */
	uint64_t tokens_made;
	uint64_t approvals_made;
	struct store_counts counts;
};

enum { STORE_LEVELS = 2 };
enum { RUN_VERSIONS_BYTES_MAX = ENV_KEYS_MAX * (1 + KEY_BYTES_MAX + 8) };

struct run_scratch {
	char keys[ENV_KEYS_MAX][KEY_BYTES_MAX + 1];
	struct store_run_version versions[ENV_KEYS_MAX];
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	struct standing now;
	struct standing before[STORE_LEVELS]; /* each open level */
	struct standing durable; /* as of the last commit */
	bool has_turn;
	unsigned open_levels; /* of what can be taken back by itself: a request, and in it a step */
	bool is_broken;
	enum err turn_err; /* why the transaction is gone, while has_turn */
	struct run_scratch scratch; /* of the run that a visitor sees */
	char run_versions
		[RUN_VERSIONS_BYTES_MAX]; /* scratch: clearing it anew for every fetch would cost more than the row */
};

/* SQLite's answer as an error of ours; remembers what it means for the turn and for the store. */
enum err store_translate(struct store *store, int rc);

/* ---- queries ---- */

struct query {
	struct store *store;
	sqlite3_stmt *stmt; /* NULL: not to be touched, rc tells why */
	int place; /* the last parameter bound, then the next column to read */
	int rc;
	bool is_damaged;
};

struct query query_start(struct store *store, enum statement statement);
void query_end(struct query *query);
#define QUERY_AUTO __attribute__((cleanup(query_end))) struct query

/* Parameters.  Text and bytes are not copied: they must outlive the query. */
void query_put_null(struct query *query);
void query_put_int(struct query *query, int64_t value);
void query_put_u64(struct query *query, uint64_t value); /* over INT64_MAX: the query fails */
void query_put_text(struct query *query, const char *text); /* NULL: NULL */
void query_put_blob(struct query *query, struct store_blob blob); /* bytes NULL: NULL */
void query_put_fixed(struct query *query, const void *bytes, size_t len);
void query_put_rv(struct query *query); /* the number of the running turn's commit */

/* Steps.  write is refused outside a whole transaction: it would commit by itself. */
bool query_next(struct query *query);
enum err query_result(struct query *query);
enum err query_write(struct query *query, uint64_t *changed_out); /* changed_out may be NULL */
enum err query_control(struct store *store, enum statement statement); /* BEGIN and its kin */

/* Columns of the row.  A wrong type, length or range makes the row damaged and gives 0, NULL or "". */
bool query_is_null(const struct query *query); /* looks only */
void query_skip(struct query *query);
int64_t query_int(struct query *query);
int64_t query_int_within(struct query *query, int64_t least, int64_t most);
uint64_t query_u64(struct query *query);
uint32_t query_u32(struct query *query);
const char *query_text(struct query *query);
const char *query_text_or_null(struct query *query);
struct store_blob query_blob(struct query *query);
struct store_blob query_blob_or_null(struct query *query);
void query_fixed(struct query *query, void *out, size_t len);
void query_chars(struct query *query, char *out, size_t cap);
enum err query_row_result(const struct query *query); /* after the row's columns were read */

enum err query_prepare_all(struct store *store);
void query_finalize_all(struct store *store);

/* One-off SQL of opening and checking; the first column of the first row is the answer. */
enum { SQL_ANSWER_BYTES = 256 };
int sql_run(sqlite3 *db, const char *sql);
int sql_answer(sqlite3 *db, const char *sql, char out[SQL_ANSWER_BYTES]);

/* ---- the connection ---- */

enum { STORE_PAGE_BYTES = 4096 };

/* Limits, switches and the settings that must stand before the file is first read; then those that read it. */
int settings_before_reading(sqlite3 *db);
int settings_after_check(sqlite3 *db);

/* OK, or ERR_CONFIG with the reason; *rc is SQLite's answer when that is what failed (the caller translates). */
enum err schema_check(sqlite3 *db, int *rc, const char **reason_out);
int schema_migrate(sqlite3 *db);

/* ---- the state row (state.c) ---- */

enum err state_load(struct store *store);
enum err state_write(struct store *store);

/* ---- use_days.c: a run joins its day ---- */

enum err use_day_add(struct store *store, struct store_blob integration_id, uint32_t uid, int64_t time_ms);

/* ---- one row of use (runs.c), as use.c reads it ---- */

struct run_versions {
	const unsigned char *bytes;
	size_t len;
};

/* Takes the next key and version off; false at the end, and with *is_damaged_out when the bytes are not such a list. */
bool run_versions_next(struct run_versions *versions, char key[KEY_BYTES_MAX + 1], uint64_t *version_out,
	bool *is_damaged_out);

#endif
