/*
 * The turn's transaction and each request's savepoint.  What a request or a turn leaves behind when it is
 * taken back is nothing: its rows go with SQLite, the numbers that live in memory go with struct standing.
 * A turn that SQLite has ended by itself stays ended: no statement of it may then commit on its own (P5).
 */
#include "sqlite.h"

static bool is_failed_sync(int rc)
{
	return rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC;
}

enum err store_translate(struct store *store, int rc)
{
	enum err err = ERR_STORAGE;

	if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW)
		return OK;
	if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
		rc == SQLITE_CONSTRAINT_ROWID)
		err = ERR_CONFLICT;
	else if ((rc & 0xff) == SQLITE_MISUSE)
		err = ERR_INTERNAL;
	else if ((rc & 0xff) == SQLITE_FULL)
		err = ERR_STORAGE_FULL;
	if (is_failed_sync(rc))
		store->is_broken = true;
	if (store->has_turn && store->turn_err == OK && sqlite3_get_autocommit(store->db))
		store->turn_err = err;
	return err;
}

enum err store_begin(struct store *store)
{
	if (store->is_broken)
		return ERR_STORAGE;
	if (store->has_turn)
		return ERR_INTERNAL;

	enum err err = query_control(store, STATEMENT_BEGIN);

	if (err != OK)
		return err;
	store->has_turn = true;
	store->open_levels = 0;
	store->turn_err = OK;
	return OK;
}

bool store_stands(const struct store *store)
{
	return store->has_turn && !store->is_broken && !sqlite3_get_autocommit(store->db);
}

bool store_is_broken(const struct store *store)
{
	return store->is_broken;
}

/* A request in the turn, a step in the request. */
enum level { LEVEL_REQUEST, LEVEL_STEP };

static const struct {
	enum statement open, release, rollback_to;
} levels[STORE_LEVELS] = {
	[LEVEL_REQUEST] = {STATEMENT_SAVEPOINT, STATEMENT_RELEASE, STATEMENT_ROLLBACK_TO},
	[LEVEL_STEP] = {STATEMENT_STEP, STATEMENT_STEP_RELEASE, STATEMENT_STEP_ROLLBACK_TO},
};

/* Outside a transaction SAVEPOINT would begin one, and RELEASE would commit it. */
static enum err check_levels(const struct store *store, unsigned open_levels)
{
	if (!store_stands(store))
		return store->turn_err != OK ? store->turn_err : ERR_STORAGE;
	return store->open_levels == open_levels ? OK : ERR_INTERNAL;
}

static enum err open_level(struct store *store, enum level level)
{
	enum err err = check_levels(store, level);

	if (err == OK)
		err = query_control(store, levels[level].open);
	if (err != OK)
		return err;
	store->before[level] = store->now;
	store->open_levels++;
	return OK;
}

static enum err release_level(struct store *store, enum level level)
{
	enum err err = check_levels(store, level + 1);

	if (err == OK)
		err = query_control(store, levels[level].release);
	if (err == OK)
		store->open_levels--;
	return err;
}

static void end_turn(struct store *store)
{
	if (!sqlite3_get_autocommit(store->db) && query_control(store, STATEMENT_ROLLBACK) != OK &&
		!sqlite3_get_autocommit(store->db))
		store->is_broken = true;
	store->now = store->durable;
	store->has_turn = false;
	store->open_levels = 0;
	store->turn_err = OK;
}

static enum err rollback_level(struct store *store, enum level level)
{
	enum err err = check_levels(store, level + 1);

	if (err != OK)
		return err;
	err = query_control(store, levels[level].rollback_to);
	if (err == OK)
		err = query_control(store, levels[level].release);
	if (err != OK) {
		/* Half a request may be in there: none of the turn may stay. */
		store->turn_err = err;
		(void)query_control(store, STATEMENT_ROLLBACK);
		return err;
	}
	store->now = store->before[level];
	store->open_levels--;
	return OK;
}

enum err store_savepoint(struct store *store)
{
	return open_level(store, LEVEL_REQUEST);
}

enum err store_release(struct store *store)
{
	return release_level(store, LEVEL_REQUEST);
}

enum err store_rollback_request(struct store *store)
{
	return rollback_level(store, LEVEL_REQUEST);
}

enum err store_step(struct store *store)
{
	return open_level(store, LEVEL_STEP);
}

enum err store_step_release(struct store *store)
{
	return release_level(store, LEVEL_STEP);
}

enum err store_step_rollback(struct store *store)
{
	return rollback_level(store, LEVEL_STEP);
}

/* The state row joins the effects and records of its turn; a turn without any writes nothing. */
static enum err write_turn(struct store *store)
{
	if (!store_stands(store))
		return store->turn_err != OK ? store->turn_err : ERR_STORAGE;
	if (store->open_levels > 0)
		return ERR_INTERNAL;
	if (!store->now.has_written)
		return OK;
	/* Without the state row the numbers given in this turn would be given again. */
	if (!store->now.has_state)
		return ERR_INTERNAL;
	store->now.state.commit_no++;

	enum err err = state_write(store);

	if (err == OK)
		err = query_control(store, STATEMENT_COMMIT);

	/*
	 * Full before the sync: SQLite has rolled back.  Anything else leaves in doubt what is on the disk, and
	 * asking the disk again may get a false yes; only a restart reads what is really there (P5).
	 */
	if (err != OK && err != ERR_STORAGE_FULL)
		store->is_broken = true;
	return err;
}

void store_commit(struct store *store, store_durable_fn *done, void *arg)
{
	enum err err = write_turn(store);

	if (err == OK && store->now.has_written) {
		store->now.has_written = false;
		store->durable = store->now;
	}
	end_turn(store);
	done(arg, err);
}

void store_abort(struct store *store)
{
	if (store->has_turn)
		end_turn(store);
}

/* SQLite truncates the log without a sync: a power cut would bring it back with what was in it (P10). */
static int sync_log(sqlite3 *db)
{
	sqlite3_file *log = NULL;
	int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);

	if (rc != SQLITE_OK || log == NULL || log->pMethods == NULL)
		return rc;
	return log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
}

enum err store_checkpoint(struct store *store)
{
	if (store->has_turn)
		return ERR_INTERNAL;

	int rc = sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = sync_log(store->db);
	/* Pages in memory have what page_vfs.c cleared in the file, and would take it into the log again (P10). */
	if (rc == SQLITE_OK)
		rc = sqlite3_db_release_memory(store->db);
	return store_translate(store, rc);
}
