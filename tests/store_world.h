/*
 * A store in a directory of its own, and the few steps that every test of the store takes: a turn, a
 * record, an integration with a secret.  Every step asserts; what is under test is written out by the tests.
 */
#ifndef COFFER_TESTS_STORE_WORLD_H
#define COFFER_TESTS_STORE_WORLD_H

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"
#include "unit.h"

struct world {
	char dir[64];
	struct store *store;
	const char *reason;
};

#define ck_ok(expression) ck_assert_int_eq((int)(expression), (int)OK)
#define ck_err(expression, wanted) ck_assert_int_eq((int)(expression), (int)(wanted))

/* ---- the directory ---- */

static inline void world_path(const struct world *world, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", world->dir, name);
}

/* In memory where there is such a place: the disk's own syncs are not what is tested. */
static inline void world_make_dir(struct world *world)
{
	bool has_memory = access("/dev/shm", W_OK) == 0;

	*world = (struct world){0};
	snprintf(world->dir, sizeof(world->dir), "%s/coffer-store-XXXXXX", has_memory ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(world->dir));
}

static inline size_t world_entries(const struct world *world)
{
	DIR *dir = opendir(world->dir);
	size_t count = 0;

	ck_assert_ptr_nonnull(dir);
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static inline void world_clear_dir(const struct world *world)
{
	DIR *dir = opendir(world->dir);
	char path[512] = "";

	if (dir == NULL)
		return;
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		snprintf(path, sizeof(path), "%s/%s", world->dir, entry->d_name);
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			(void)!remove(path);
	}
	closedir(dir);
}

/* The whole file on the heap; *len_out 0 and NULL when there is none. */
static inline unsigned char *world_read(const struct world *world, const char *name, size_t *len_out)
{
	char path[128] = "";
	struct stat status = {0};

	world_path(world, name, path);
	*len_out = 0;

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	ck_assert_int_eq(fstat(fd, &status), 0);

	unsigned char *bytes = malloc((size_t)status.st_size + 1);

	ck_assert_ptr_nonnull(bytes);
	ck_assert_int_eq(read(fd, bytes, (size_t)status.st_size), status.st_size);
	close(fd);
	*len_out = (size_t)status.st_size;
	return bytes;
}

static inline void world_write(
	const struct world *world, const char *name, const void *bytes, size_t len, mode_t mode)
{
	char path[128] = "";

	world_path(world, name, path);

	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

/* ---- turns ---- */

static inline void world_on_durable(void *arg, enum err err)
{
	*(enum err *)arg = err;
}

static inline enum err world_commit(struct store *store)
{
	enum err err = ERR_TIMEOUT;

	store_commit(store, world_on_durable, &err);
	ck_assert_int_ne((int)err, (int)ERR_TIMEOUT);
	return err;
}

static inline enum err world_init_state(struct store *store)
{
	struct store_state state = {.vault_id = "vault", .rkid = "rkid", .created_ms = 1};
	enum err err = store_begin(store);

	if (err == OK)
		err = store_state_init(store, &state);
	if (err != OK) {
		store_abort(store);
		return err;
	}
	return world_commit(store);
}

static inline void world_open(struct world *world)
{
	enum err err = store_open(world->dir, &world->store, &world->reason);

	ck_assert_msg(err == OK, "%s: %s", err_word(err), world->reason);
}

static inline void world_close(struct world *world)
{
	store_close(world->store);
	world->store = NULL;
}

static inline void world_start(struct world *world)
{
	world_make_dir(world);

	enum err err = store_create(world->dir, &world->store, &world->reason);

	ck_assert_msg(err == OK, "%s: %s", err_word(err), world->reason);
	ck_ok(world_init_state(world->store));
}

static inline void world_end(struct world *world)
{
	world_close(world);
	world_clear_dir(world);
	rmdir(world->dir);
}

/* ---- rows ---- */

static inline void world_id(unsigned number, unsigned char out[STORE_ID_BYTES])
{
	memset(out, 0, STORE_ID_BYTES);
	memcpy(out, &number, sizeof(number));
}

static inline enum err world_add_integration(struct store *store, unsigned number, const char *name)
{
	struct store_integration integration = {.name = name,
		.state = "active",
		.dek_generation = 1,
		.dek = {(const unsigned char *)"wrapped key", 11},
		.created_ms = 5,
		.created_by = 7,
		.changed_ms = 6,
		.changed_by = 8};

	world_id(number, integration.id);
	return store_integration_insert(store, &integration);
}

static inline enum err world_put_secret(
	struct store *store, unsigned integration, const char *key, uint64_t newest)
{
	struct store_secret secret = {.key = key, .newest = newest, .created_ms = 9, .created_by = 7};

	world_id(integration, secret.integration_id);
	world_id(1000 + integration, secret.id);
	return store_secret_put(store, &secret);
}

static inline enum err world_add_version(struct store *store, unsigned integration, const char *key,
	uint64_t number, enum version_state state, const void *sealed, size_t len)
{
	struct store_version version = {.key = key,
		.version = number,
		.state = state,
		.dek_generation = 1,
		.value_bytes = 64,
		.created_ms = 9,
		.created_by = 7,
		.changed_ms = 9,
		.sealed = {sealed, len}};

	world_id(integration, version.integration_id);
	world_id(1000 + integration, version.secret_id);
	return store_version_insert(store, &version);
}

/* The next record after the store's own head. */
static inline enum err world_append(
	struct store *store, const char *kind, const char *outcome, uint64_t object)
{
	struct store_state state = {0};
	struct record record = {.repeats = 1, .uid = 7, .time_ms = 100, .object = object};
	enum err err = store_state_get(store, &state);

	if (err != OK)
		return err;
	record.seq = state.audit_seq + 1;
	snprintf(record.kind, sizeof(record.kind), "%s", kind);
	snprintf(record.outcome, sizeof(record.outcome), "%s", outcome);
	memcpy(record.previous, state.audit_head, sizeof(record.previous));
	record_seal(&record);
	return store_audit_append(store, &record);
}

/* Changes the closed file behind the store's back, and opens it again. */
static inline void world_spoil(struct world *world, const char *sql)
{
	char path[128] = "";
	sqlite3 *db = NULL;
	char *message = NULL;

	world_close(world);
	world_path(world, "coffer.db", path);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql, message);
	sqlite3_close(db);
	world_open(world);
}

#endif
