/*
 * Statements, prepared once from constants, and their use one at a time.  No byte from outside ever becomes
 * SQL, and nothing is written outside a whole transaction (P5).  What an error means for the turn is
 * store_translate's part; reading a row's columns is query_columns.c's.
 */
#include "sqlite.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"

/* ---- preparing ---- */

enum { SQL_BYTES_MAX = 4096 };

static const char *const statement_sql[STATEMENT_COUNT] = {
#define STATEMENT(name, sql) [STATEMENT_##name] = sql,
#include "statements.def"
#undef STATEMENT
};

/* The names are quoted: "trigger" is one of them. */
static void append_columns(struct buf *sql)
{
	for (int field = INTEGRATION_TEXT_FIRST; field <= (int)INTEGRATION_TEXT_LAST; field++) {
		buf_append_string(sql, field == (int)INTEGRATION_TEXT_FIRST ? "\"" : ", \"");
		buf_append_string(sql, field_info((enum field)field)->wire);
		buf_append_byte(sql, '"');
	}
}

static void append_values(struct buf *sql)
{
	for (size_t i = 0; i < INTEGRATION_TEXT_COUNT; i++)
		buf_append_string(sql, i == 0 ? "?" : ", ?");
}

static void expand(struct buf *sql, const char *template)
{
	static const struct {
		const char *word;
		void (*append)(struct buf *);
	} words[] = {{"$columns", append_columns}, {"$values", append_values}};

	while (*template != '\0') {
		size_t len = strcspn(template, "$");

		buf_append(sql, template, len);
		template += len;
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			size_t word_len = strlen(words[i].word);

			if (strncmp(template, words[i].word, word_len) == 0) {
				words[i].append(sql);
				template += word_len;
			}
		}
	}
}

enum err query_prepare_all(struct store *store)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++) {
		char text[SQL_BYTES_MAX] = "";
		struct buf sql = {0};

		buf_init_fixed(&sql, text, sizeof(text));
		expand(&sql, statement_sql[i]);
		if (buf_failed(&sql))
			return ERR_INTERNAL;

		int rc = sqlite3_prepare_v3(store->db, text, (int)sql.len, SQLITE_PREPARE_PERSISTENT,
			&store->statements[i], NULL);

		if (rc != SQLITE_OK)
			return store_translate(store, rc);
	}
	return OK;
}

void query_finalize_all(struct store *store)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++) {
		sqlite3_finalize(store->statements[i]);
		store->statements[i] = NULL;
	}
}

/* ---- one use ---- */

struct query query_start(struct store *store, enum statement statement)
{
	sqlite3_stmt *stmt = store->statements[statement];

	/* A visitor that calls the function which runs it would pull the rows away under the first call. */
	if (sqlite3_stmt_busy(stmt))
		return (struct query){.store = store, .rc = SQLITE_MISUSE};
	return (struct query){.store = store, .stmt = stmt};
}

void query_end(struct query *query)
{
	if (query->stmt == NULL)
		return;
	sqlite3_reset(query->stmt);
	sqlite3_clear_bindings(query->stmt);
	query->stmt = NULL;
}

static void note(struct query *query, int rc)
{
	if (query->rc == SQLITE_OK)
		query->rc = rc;
}

void query_put_null(struct query *query)
{
	if (query->stmt != NULL)
		note(query, sqlite3_bind_null(query->stmt, ++query->place));
}

void query_put_int(struct query *query, int64_t value)
{
	if (query->stmt != NULL)
		note(query, sqlite3_bind_int64(query->stmt, ++query->place, value));
}

void query_put_u64(struct query *query, uint64_t value)
{
	if (value > INT64_MAX)
		note(query, SQLITE_RANGE);
	query_put_int(query, (int64_t)value);
}

void query_put_text(struct query *query, const char *text)
{
	if (query->stmt != NULL)
		note(query, sqlite3_bind_text(query->stmt, ++query->place, text, -1, SQLITE_STATIC));
}

void query_put_blob(struct query *query, struct store_blob blob)
{
	if (query->stmt != NULL)
		note(query, sqlite3_bind_blob64(
				    query->stmt, ++query->place, blob.bytes, blob.len, SQLITE_STATIC));
}

void query_put_fixed(struct query *query, const void *bytes, size_t len)
{
	query_put_blob(query, (struct store_blob){bytes, len});
}

void query_put_rv(struct query *query)
{
	query_put_u64(query, query->store->now.state.commit_no + 1);
}

bool query_next(struct query *query)
{
	if (query->rc != SQLITE_OK && query->rc != SQLITE_ROW)
		return false;
	query->rc = sqlite3_step(query->stmt);
	query->place = 0;
	return query->rc == SQLITE_ROW;
}

enum err query_row_result(const struct query *query)
{
	return query->is_damaged ? ERR_STORAGE : OK;
}

enum err query_result(struct query *query)
{
	if (query->rc == SQLITE_DONE || query->rc == SQLITE_ROW)
		return query_row_result(query);
	return store_translate(query->store, query->rc);
}

enum err query_write(struct query *query, uint64_t *changed_out)
{
	struct store *store = query->store;

	if (!store_stands(store))
		return store->turn_err != OK ? store->turn_err : ERR_STORAGE;
	if (query_next(query))
		return ERR_INTERNAL;

	enum err err = query_result(query);

	if (err != OK)
		return err;

	uint64_t changed = (uint64_t)sqlite3_changes64(store->db);

	if (changed > 0)
		store->now.has_written = true;
	if (changed_out != NULL)
		*changed_out = changed;
	return OK;
}

enum err query_control(struct store *store, enum statement statement)
{
	QUERY_AUTO query = query_start(store, statement);

	(void)query_next(&query);
	return query_result(&query);
}

/* ---- one-off SQL ---- */

int sql_run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int sql_answer(sqlite3 *db, const char *sql, char out[SQL_ANSWER_BYTES])
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	out[0] = '\0';
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW && sqlite3_column_text(stmt, 0) != NULL)
		snprintf(out, SQL_ANSWER_BYTES, "%s", (const char *)sqlite3_column_text(stmt, 0));

	/* A statement that failed answers with the same code again. */
	int reset = sqlite3_finalize(stmt);

	return rc == SQLITE_ROW || rc == SQLITE_DONE ? reset : rc;
}
