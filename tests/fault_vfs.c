/*
 * Wraps the real VFS.  Per file it keeps the bytes that are safely on the disk and the list of changes
 * since the last sync; a power cut applies some of these, the last one perhaps in part.
 */
#include "fault_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "random.h"
#include "sqlite_memory.h"

enum { FILES_MAX = 8, CALL_WRITE = 1, CALL_SYNC = 2, CALL_OTHER = 4 };

/* A write of bytes, or (bytes NULL) a truncation to offset. */
struct change {
	struct change *next;
	unsigned char *bytes;
	size_t len;
	size_t offset;
};

struct disk_file {
	char path[256];
	bool exists;
	unsigned char *synced;
	size_t synced_len;
	struct change *first, *last;
};

struct fault_file {
	sqlite3_file base;
	struct disk_file *disk; /* NULL: a file of no interest */
	bool is_database;
	sqlite3_file *real;
};

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	struct disk_file files[FILES_MAX];
	enum fault fault;
	unsigned countdown; /* 0: no fault is due */
	bool for_ever;
	bool has_failed;
	bool is_failing;
	bool is_dead;
	bool database_syncs_fail;
	unsigned syncs;
	int error;
} world;

static const unsigned calls_hit[] = {
	[FAULT_FULL] = CALL_WRITE,
	[FAULT_QUOTA] = CALL_WRITE,
	[FAULT_IO] = CALL_WRITE | CALL_SYNC | CALL_OTHER,
	[FAULT_SYNC_FULL] = CALL_SYNC,
};
static const int errors[] = {
	[FAULT_FULL] = ENOSPC, [FAULT_QUOTA] = EDQUOT, [FAULT_IO] = EIO, [FAULT_SYNC_FULL] = ENOSPC};

static bool must_fail(unsigned call)
{
	if (world.is_dead) {
		world.error = EIO;
		return true;
	}
	if ((calls_hit[world.fault] & call) == 0)
		return false;
	if (world.countdown > 0 && --world.countdown == 0) {
		world.has_failed = true;
		world.is_failing = world.for_ever;
		world.error = errors[world.fault];
		return true;
	}
	return world.is_failing;
}

/* ---- the disk ---- */

static void forget_changes(struct disk_file *disk)
{
	while (disk->first != NULL) {
		struct change *change = disk->first;

		disk->first = change->next;
		free(change->bytes);
		free(change);
	}
	disk->last = NULL;
}

static void resize(struct disk_file *disk, size_t len)
{
	disk->synced = realloc(disk->synced, len + 1);
	if (disk->synced == NULL)
		abort();
	if (len > disk->synced_len)
		memset(disk->synced + disk->synced_len, 0, len - disk->synced_len);
	disk->synced_len = len;
}

static void apply(struct disk_file *disk, const struct change *change, size_t len)
{
	if (change->bytes == NULL) {
		resize(disk, change->offset);
		return;
	}
	if (change->offset + len > disk->synced_len)
		resize(disk, change->offset + len);
	memcpy(disk->synced + change->offset, change->bytes, len);
}

static void remember(struct disk_file *disk, const void *bytes, size_t len, size_t offset)
{
	struct change *change = calloc(1, sizeof(*change));

	if (change == NULL || (bytes != NULL && (change->bytes = malloc(len)) == NULL))
		abort();
	if (bytes != NULL)
		memcpy(change->bytes, bytes, len);
	change->len = len;
	change->offset = offset;
	if (disk->last != NULL)
		disk->last->next = change;
	else
		disk->first = change;
	disk->last = change;
}

static struct disk_file *find_disk_file(const char *path)
{
	for (size_t i = 0; i < FILES_MAX; i++)
		if (strcmp(world.files[i].path, path) == 0)
			return &world.files[i];
	return NULL;
}

/* What is in a file when it is first opened counts as synced.  SQLite has no descriptor of it yet. */
static void load(struct disk_file *disk)
{
	int fd = open(disk->path, O_RDONLY | O_CLOEXEC);
	struct stat status = {0};

	if (fd < 0)
		return;
	if (fstat(fd, &status) != 0)
		abort();
	resize(disk, (size_t)status.st_size);
	if (read(fd, disk->synced, disk->synced_len) != (ssize_t)disk->synced_len)
		abort();
	close(fd);
}

static struct disk_file *track(const char *path)
{
	struct disk_file *disk = find_disk_file(path);

	if (disk == NULL) {
		disk = find_disk_file("");
		if (disk == NULL || strlen(path) >= sizeof(disk->path))
			abort();
		strcpy(disk->path, path);
	}
	if (!disk->exists) {
		disk->exists = true;
		disk->synced_len = 0;
		load(disk);
	}
	return disk;
}

/* ---- file methods ---- */

static struct fault_file *fault_file(sqlite3_file *file)
{
	return (struct fault_file *)file;
}

static sqlite3_file *real_file(sqlite3_file *file)
{
	return fault_file(file)->real;
}

static int on_close(sqlite3_file *file)
{
	return real_file(file)->pMethods->xClose(real_file(file));
}

static int on_read(sqlite3_file *file, void *bytes, int len, sqlite3_int64 offset)
{
	return real_file(file)->pMethods->xRead(real_file(file), bytes, len, offset);
}

static int on_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
	bool fails = must_fail(CALL_WRITE);
	int done = fails ? len / 2 : len; /* a failed write may have come half-way */
	int rc = world.is_dead ? SQLITE_OK
			       : real_file(file)->pMethods->xWrite(real_file(file), bytes, done, offset);

	if (rc == SQLITE_OK && !world.is_dead && fault_file(file)->disk != NULL)
		remember(fault_file(file)->disk, bytes, (size_t)done, (size_t)offset);
	if (!fails)
		return rc;
	return world.fault == FAULT_FULL && !world.is_dead ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	if (must_fail(CALL_OTHER))
		return SQLITE_IOERR_TRUNCATE;
	if (fault_file(file)->disk != NULL)
		remember(fault_file(file)->disk, NULL, 0, (size_t)size);
	return real_file(file)->pMethods->xTruncate(real_file(file), size);
}

static int on_sync(sqlite3_file *file, int flags)
{
	(void)flags;
	world.syncs++;
	if (world.database_syncs_fail && fault_file(file)->is_database) {
		world.error = EIO;
		return SQLITE_IOERR_FSYNC;
	}
	if (must_fail(CALL_SYNC))
		return SQLITE_IOERR_FSYNC;

	struct disk_file *disk = fault_file(file)->disk;

	if (disk != NULL) {
		for (struct change *change = disk->first; change != NULL; change = change->next)
			apply(disk, change, change->len);
		forget_changes(disk);
	}
	return SQLITE_OK;
}

static int on_file_size(sqlite3_file *file, sqlite3_int64 *out)
{
	return real_file(file)->pMethods->xFileSize(real_file(file), out);
}

static int on_lock(sqlite3_file *file, int level)
{
	return real_file(file)->pMethods->xLock(real_file(file), level);
}

static int on_unlock(sqlite3_file *file, int level)
{
	return real_file(file)->pMethods->xUnlock(real_file(file), level);
}

static int on_check_lock(sqlite3_file *file, int *out)
{
	return real_file(file)->pMethods->xCheckReservedLock(real_file(file), out);
}

/* No hint about sizes reaches the real file: it would grow behind our back. */
static int on_control(sqlite3_file *file, int op, void *arg)
{
	if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE)
		return SQLITE_NOTFOUND;
	return real_file(file)->pMethods->xFileControl(real_file(file), op, arg);
}

static int on_sector_size(sqlite3_file *file)
{
	return real_file(file)->pMethods->xSectorSize(real_file(file));
}

static int on_characteristics(sqlite3_file *file)
{
	return real_file(file)->pMethods->xDeviceCharacteristics(real_file(file));
}

static const sqlite3_io_methods methods = {.iVersion = 1,
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_file_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_check_lock,
	.xFileControl = on_control,
	.xSectorSize = on_sector_size,
	.xDeviceCharacteristics = on_characteristics};

/* ---- VFS methods ---- */

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
	struct fault_file *fault = fault_file(file);
	int files = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;

	(void)vfs;
	*fault = (struct fault_file){.real = (sqlite3_file *)(fault + 1)};
	memset(fault->real, 0, (size_t)world.real->szOsFile);
	if (must_fail(CALL_OTHER))
		return SQLITE_CANTOPEN;

	if (name != NULL && (flags & files) != 0)
		fault->disk = track(name);

	int rc = world.real->xOpen(world.real, name, fault->real, flags, flags_out);

	if (rc != SQLITE_OK)
		return rc;
	fault->is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
	file->pMethods = &methods;
	return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	(void)vfs;
	if (must_fail(CALL_OTHER))
		return SQLITE_IOERR_DELETE;

	int rc = world.real->xDelete(world.real, name, sync_dir & 0);
	struct disk_file *disk = find_disk_file(name);

	if (rc == SQLITE_OK && disk != NULL) {
		forget_changes(disk);
		disk->exists = false;
	}
	return rc;
}

static int on_last_error(sqlite3_vfs *vfs, int size, char *out)
{
	(void)vfs;
	(void)size;
	(void)out;
	return world.error;
}

/* ---- control ---- */

void fault_vfs_start(void)
{
	if (world.real == NULL) {
		sqlite_memory_start();
		sqlite3_initialize();
		world.real = sqlite3_vfs_find(NULL);
		world.vfs = *world.real;
		world.vfs.pNext = NULL;
		world.vfs.zName = "fault";
		world.vfs.szOsFile = (int)sizeof(struct fault_file) + world.real->szOsFile;
		world.vfs.xOpen = on_open;
		world.vfs.xDelete = on_delete;
		world.vfs.xGetLastError = on_last_error;
		sqlite3_vfs_register(&world.vfs, 1);
	}
	for (size_t i = 0; i < FILES_MAX; i++) {
		forget_changes(&world.files[i]);
		free(world.files[i].synced);
		world.files[i] = (struct disk_file){0};
	}
	world.is_dead = false;
	world.database_syncs_fail = false;
	world.syncs = 0;
	fault_vfs_fail(FAULT_FULL, 0, false);
}

void fault_vfs_fail(enum fault fault, unsigned nth, bool for_ever)
{
	world.fault = fault;
	world.countdown = nth;
	world.for_ever = for_ever;
	world.has_failed = false;
	world.is_failing = false;
	world.error = 0;
}

bool fault_vfs_has_failed(void)
{
	return world.has_failed;
}

void fault_vfs_fail_database_syncs(void)
{
	world.database_syncs_fail = true;
}

void fault_vfs_cut_power(void)
{
	world.is_dead = true;
}

static void write_back(const struct disk_file *disk)
{
	int fd = open(disk->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, disk->synced, disk->synced_len) != (ssize_t)disk->synced_len)
		abort();
	close(fd);
}

void fault_vfs_restore_power(uint64_t seed)
{
	struct random random = {.state = seed * 2 + 1};

	for (size_t i = 0; i < FILES_MAX; i++) {
		struct disk_file *disk = &world.files[i];

		if (!disk->exists)
			continue;
		/* Of what was not synced: nothing, everything, or any of it in any part. */
		uint32_t mood = random_below(&random, 3);

		for (struct change *change = disk->first; change != NULL; change = change->next)
			if (mood == 1 || (mood == 2 && random_below(&random, 2) == 0))
				apply(disk, change,
					mood == 2 && random_below(&random, 4) == 0 ? change->len / 2
										   : change->len);
		forget_changes(disk);
		write_back(disk);
	}
	world.is_dead = false;
	fault_vfs_fail(FAULT_FULL, 0, false);
	world.database_syncs_fail = false;
}

unsigned fault_vfs_syncs(void)
{
	return world.syncs;
}
