/*
 * The store's directory and files, judged before SQLite touches them.  Nothing here opens the database
 * file: closing any descriptor of it would drop the locks that SQLite holds through its own.
 */
#ifndef COFFER_STORE_FILES_H
#define COFFER_STORE_FILES_H

#include <limits.h>
#include <stdbool.h>

#include "err.h"

struct store_files {
	int dir_fd;
	char path[PATH_MAX]; /* of the database, without symbolic links */
};

/* ERR_NOT_FOUND: no directory.  ERR_CONFIG: wrong type, owner or mode.  ERR_STORAGE: it cannot be read. */
enum err files_open(const char *directory, struct store_files *out, const char **reason_out);
void files_close(struct store_files *files); /* fine on one that files_open refused */
#define STORE_FILES_AUTO __attribute__((cleanup(files_close))) struct store_files

/* The database and, when they are there, its log and journal are ours and plain.  ERR_NOT_FOUND: no database. */
enum err files_check(const struct store_files *files, const char **reason_out);

/* The write-ahead log holds something, as after a kill. */
bool files_have_log(const struct store_files *files);

/* An empty database file that nobody else can open.  ERR_CONFLICT: something of that name is there in any form. */
enum err files_make(const struct store_files *files, const char **reason_out);
enum err files_sync(const struct store_files *files, const char **reason_out);

/* Removes what files_make and SQLite made. */
void files_remove(const struct store_files *files);

#endif
