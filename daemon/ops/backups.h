/*
 * What lies in the backup directory: its files may hold a ciphertext that the store has destroyed.
 */
#ifndef COFFER_OPS_BACKUPS_H
#define COFFER_OPS_BACKUPS_H

#include <stddef.h>
#include <stdint.h>

enum { BACKUPS_MAX = 32, BACKUP_NAME_BYTES = 256 };

struct backup {
	char name[BACKUP_NAME_BYTES];
	int64_t written_ms;
};

/*
 * Regular files of the directory that were written at this time or later, newest first; at most BACKUPS_MAX, the newest.
 * None where the directory is not there or cannot be read.  Returns how many.
 */
size_t backups_since(const char *directory, int64_t since_ms, struct backup out[BACKUPS_MAX]);

#endif
