/*
 * The store over SQLite: making, opening and closing it.  The file is hostile until it has been
 * proven ours (P7): first who owns it (files.c), then what it says it is and holds (schema.c), then its
 * pages and rows, and only then is it used.  Transactions, statements, rows and the slow check are the neighbours' part.
 */
#include "sqlite.h"

#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "page_vfs.h"

enum { CHECKPOINT_FRAMES = 1000 };

/* What SQLite's answer says about the file, while it is being opened. */
static enum err explain(struct store *store, int rc, const char **reason_out)
{
	enum err err = store_translate(store, rc);

	switch (rc & 0xff) {
	case SQLITE_OK:
		return OK;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		*reason_out = "another process has the store open";
		return ERR_CONFLICT;
	case SQLITE_NOTADB:
		*reason_out = "schema: the file is not a store of coffer";
		return ERR_CONFIG;
	case SQLITE_CORRUPT:
	case SQLITE_CONSTRAINT:
		*reason_out = "the store is damaged";
		return ERR_CONFIG;
	default:
		*reason_out = err == ERR_STORAGE_FULL ? "the store has no space left"
						      : "the store cannot be read or written";
		return err == ERR_STORAGE_FULL ? err : ERR_STORAGE;
	}
}

/* SQLite would ignore a failed sync here and try again later; a sync is never asked twice (P5). */
static int on_wal(void *arg, sqlite3 *db, const char *name, int frames)
{
	struct store *store = arg;

	if (frames >= CHECKPOINT_FRAMES)
		(void)store_translate(
			store, sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL));
	return SQLITE_OK; /* the commit itself is durable */
}

static enum err connect(struct store *store, const char *path, const char **reason_out)
{
	const char *vfs = page_vfs_name();
	int flags =
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX;
	int rc = vfs == NULL ? SQLITE_ERROR : sqlite3_open_v2(path, &store->db, flags, vfs);

	if (rc == SQLITE_OK)
		rc = settings_before_reading(store->db);
	if (rc != SQLITE_OK)
		return explain(store, rc, reason_out);
	/* SQLite opens what it may not write for reading only. */
	if (sqlite3_db_readonly(store->db, "main") != 0)
		return explain(store, SQLITE_READONLY, reason_out);
	return OK;
}

/* Closing a database whose log a kill has left would write to it. */
static int fold_on_close(struct store *store, bool may_fold)
{
	return sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !may_fold, NULL);
}

/* Nothing is written to what is not ours, nor to what a newer version has made of it. */
static enum err check_schema(struct store *store, const struct store_files *files, const char **reason_out)
{
	int rc = fold_on_close(store, !files_have_log(files));
	enum err err = rc == SQLITE_OK ? schema_check(store->db, &rc, reason_out) : ERR_STORAGE;

	if (rc == SQLITE_OK && err == OK)
		rc = fold_on_close(store, true);
	return rc == SQLITE_OK ? err : explain(store, rc, reason_out);
}

/* Pages, types, and every CHECK of every row. */
static enum err check_pages(struct store *store, const char **reason_out)
{
	char answer[SQL_ANSWER_BYTES] = "";
	int rc = sql_answer(store->db, "PRAGMA quick_check(1)", answer);

	if (rc == SQLITE_OK && strcmp(answer, "ok") != 0)
		rc = SQLITE_CORRUPT;
	return explain(store, rc, reason_out);
}

static enum err migrate(struct store *store, const char **reason_out)
{
	int rc = settings_after_check(store->db);

	if (rc == SQLITE_OK)
		rc = schema_migrate(store->db);
	return explain(store, rc, reason_out);
}

static enum err load(struct store *store, const char **reason_out)
{
	sqlite3_wal_hook(store->db, on_wal, store);

	/* P10: what was shredded just before a kill leaves the log now. */
	enum err err = store_checkpoint(store);

	if (err == OK)
		err = query_prepare_all(store);
	if (err == OK)
		err = state_load(store);
	if (err != OK)
		*reason_out = err == ERR_STORAGE_FULL ? "the store has no space left"
						      : "the store cannot be read or written";
	return err;
}

/* ---- create ---- */

static enum err fill(const struct store_files *files, const char **reason_out)
{
	struct store store = {0};
	enum err err = connect(&store, files->path, reason_out);

	if (err == OK)
		err = migrate(&store, reason_out);

	/* Closing folds the log into the file and removes it. */
	int rc = sqlite3_close(store.db);

	return err == OK ? explain(&store, rc, reason_out) : err;
}

enum err store_create(const char *directory, struct store **out, const char **reason_out)
{
	STORE_FILES_AUTO files = {.dir_fd = -1};
	enum err err = files_open(directory, &files, reason_out);

	if (err == OK)
		err = files_make(&files, reason_out);
	if (err != OK)
		return err;
	err = fill(&files, reason_out);
	if (err == OK)
		err = files_sync(&files, reason_out);
	if (err == OK)
		err = store_open(directory, out, reason_out);
	if (err != OK)
		files_remove(&files);
	return err;
}

/* ---- open ---- */

static enum err open_steps(struct store *store, const struct store_files *files, const char **reason_out)
{
	enum err err = connect(store, files->path, reason_out);

	if (err == OK)
		err = check_schema(store, files, reason_out);
	if (err == OK)
		err = check_pages(store, reason_out);
	if (err == OK)
		err = migrate(store, reason_out);
	if (err == OK)
		err = load(store, reason_out);
	return err;
}

enum err store_open(const char *directory, struct store **out, const char **reason_out)
{
	STORE_FILES_AUTO files = {.dir_fd = -1};
	enum err err = files_open(directory, &files, reason_out);

	if (err == OK)
		err = files_check(&files, reason_out);
	if (err != OK)
		return err;

	struct store *store = calloc(1, sizeof(*store));

	if (store == NULL) {
		*reason_out = "no memory for the store";
		return ERR_STORAGE;
	}
	err = open_steps(store, &files, reason_out);
	if (err != OK) {
		store_close(store);
		return err;
	}
	*out = store;
	return OK;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	store_abort(store);
	query_finalize_all(store);
	sqlite3_close(store->db);
	free(store);
}
