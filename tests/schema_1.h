/*
 * A store as the first version of coffer left it: its schema, and rows of every kind, written by plain SQL.
 */
#ifndef COFFER_TESTS_SCHEMA_1_H
#define COFFER_TESTS_SCHEMA_1_H

#include <sqlite3.h>

#include "store_world.h"

/* Integrations 1 "billing" and 2 "crm/sync"; five runs of two users, three of them in the totals already. */
static const char schema_1_rows[] =
	"INSERT INTO state VALUES (1, CAST('vault-0123456789' AS BLOB), CAST('rkid-012' AS BLOB), 1, 9, 2, "
	" zeroblob(32), 5, 5, 3, NULL);"
	"INSERT INTO keyring VALUES ('KEK', 1, x'0102', 3, NULL);"
	"INSERT INTO recovery VALUES ('fingerprint', x'0304', 3, NULL);"
	"INSERT INTO integration (id, name, state, dek_generation, dek, created_ms, created_by, changed_ms, "
	"changed_by, rv, "
	" title, owner, labels) VALUES "
	" (x'01000000000000000000000000000000', 'billing', 'active', 1, x'aa', 5, 7, 6, 8, 4, 'Billing', "
	"'Ada', 'tier=1'),"
	" (x'02000000000000000000000000000000', 'crm/sync', 'suspended', 1, x'bb', 5, 7, 6, 8, 4, NULL, "
	"NULL, NULL);"
	"INSERT INTO grant_rule VALUES "
	" (3, x'01000000000000000000000000000000', 'billing', 7, 'etl', NULL, NULL, 'etl.service', 5, 7, 4, "
	"NULL),"
	" (5, x'02000000000000000000000000000000', 'crm/sync', NULL, NULL, 8, 'data', NULL, 5, 7, 4, NULL);"
	"INSERT INTO secret VALUES "
	" (x'01000000000000000000000000000000', 'TOKEN', zeroblob(16), 'd', 'i', 4, 5, 7, 4, NULL),"
	" (x'02000000000000000000000000000000', 'KEY', zeroblob(16), NULL, NULL, 1, 5, 8, 4, NULL);"
	"INSERT INTO version (integration_id, \"key\", version, state, secret_id, dek_generation, "
	"value_bytes, is_multiline, "
	" note, issuer_ref, expires_ms, created_ms, created_by, changed_ms, rv, sealed) VALUES "
	" (x'01000000000000000000000000000000', 'TOKEN', 1, 3, zeroblob(16), 1, 64, 0, NULL, NULL, 0, 9, 7, "
	"9, 4, NULL),"
	" (x'01000000000000000000000000000000', 'TOKEN', 2, 2, zeroblob(16), 1, 64, 0, 'n', 'r', 0, 9, 7, 9, "
	"4, x'02'),"
	" (x'01000000000000000000000000000000', 'TOKEN', 3, 1, zeroblob(16), 1, 64, 1, NULL, NULL, 99, 9, 8, "
	"9, 4, x'03'),"
	" (x'02000000000000000000000000000000', 'KEY', 1, 1, zeroblob(16), 1, 64, 0, NULL, NULL, 0, 9, 8, 9, "
	"4, x'04');"
	/* TOKEN=2 three times, TOKEN=3 once, KEY=1 once; the last two are not in the totals. */
	"INSERT INTO run VALUES "
	" (1, '01JD0000000000000000000001', x'01000000000000000000000000000000', 10, 7, 100, 'etl.service', "
	"  x'05544f4b454e0200000000000000'),"
	" (2, '01JD0000000000000000000002', x'01000000000000000000000000000000', 86400010, 8, 101, '', "
	"  x'05544f4b454e0200000000000000'),"
	" (3, '01JD0000000000000000000003', x'02000000000000000000000000000000', 86400020, 7, 100, "
	"'etl.service', "
	"  x'034b45590100000000000000'),"
	" (4, '01JD0000000000000000000004', x'01000000000000000000000000000000', 86400030, 7, 102, '', "
	"  x'05544f4b454e0200000000000000'),"
	" (5, '01JD0000000000000000000005', x'01000000000000000000000000000000', 86400040, 8, 101, '', "
	"  x'05544f4b454e0300000000000000');"
	"INSERT INTO use_total VALUES "
	" (x'01000000000000000000000000000000', 'TOKEN', 2, 0, 1, 10),"
	" (x'01000000000000000000000000000000', 'TOKEN', 2, 1, 1, 86400010),"
	" (x'02000000000000000000000000000000', 'KEY', 1, 1, 1, 86400020);"
	"INSERT INTO result VALUES (7, 'secret.put', 'r', zeroblob(32), 5, CAST('{}' AS BLOB));"
	"INSERT INTO refusal VALUES (7, 'denied', 3, 5);"
	"INSERT INTO audit VALUES "
	" (1, 5, 'vault.init', 'ok', 0, 0, 1, '', '', '', 0, 0, '', '', 1, '', zeroblob(32), zeroblob(32)),"
	" (2, 6, 'env.fetch', 'ok', 7, 7, 100, 'etl.service', 'billing', '', 0, 0, "
	"'01JD0000000000000000000001', 'TOKEN=2', "
	"  1, '', zeroblob(32), zeroblob(32));"
	"PRAGMA application_id = 1129268818; PRAGMA user_version = 1;";

enum { SCHEMA_1_RUNS = 5 };

static inline char *schema_1_text(void)
{
	char path[4096] = "";
	char *text = calloc(1, 65536);

	ck_assert_ptr_nonnull(getenv("COFFER_TESTS"));
	snprintf(path, sizeof(path), "%s/../daemon/store/schema.sql", getenv("COFFER_TESTS"));

	FILE *file = fopen(path, "r");

	ck_assert_msg(file != NULL && text != NULL, "%s", path);
	ck_assert_uint_gt(fread(text, 1, 65535, file), 1000);
	fclose(file);
	return text;
}

/* As any other program would, whatever VFS the store has below it. */
static inline sqlite3 *schema_1_open(const struct world *world)
{
	char path[128] = "";
	sqlite3 *db = NULL;

	world_path(world, "coffer.db", path);
	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
	return db;
}

static inline void schema_1_run(const struct world *world, const char *sql)
{
	sqlite3 *db = schema_1_open(world);
	char *message = NULL;

	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s", message);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* A closed store of schema 1 in a directory of its own. */
static inline void schema_1_make(struct world *world)
{
	char *schema = schema_1_text();

	world_make_dir(world);
	world_write(world, "coffer.db", "", 0, 0600);
	schema_1_run(world, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;");
	schema_1_run(world, schema);
	schema_1_run(world, schema_1_rows);
	free(schema);
}

#endif
