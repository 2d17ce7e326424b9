/*
 * An SQLite VFS for tests, under everything the store opens: it makes the n-th change of a file fail, once
 * or for ever, and it can cut the power, after which each file holds what was synced and an arbitrary part
 * of what was not.  Nothing is really synced, so a test can afford thousands of commits.
 */
#ifndef COFFER_TESTS_FAULT_VFS_H
#define COFFER_TESTS_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

enum fault {
	FAULT_FULL, /* writes only: half of the bytes, then SQLITE_FULL (the disk is full) */
	FAULT_QUOTA, /* writes only: an I/O error with EDQUOT behind it */
	FAULT_IO, /* writes, syncs, truncations, openings, deletions: an I/O error with EIO behind it */
	FAULT_SYNC_FULL, /* syncs only: an I/O error with ENOSPC behind it, as from a delayed allocation */
};

void fault_vfs_start(void); /* from now on the default VFS; also forgets all faults */

/* The nth call from now (from 1) fails, and with for_ever all after it.  nth 0: none. */
void fault_vfs_fail(enum fault fault, unsigned nth, bool for_ever);
bool fault_vfs_has_failed(void); /* since fault_vfs_fail */

/* Every further sync of the database file itself (not of its log) fails. */
void fault_vfs_fail_database_syncs(void);

/* Lets everything fail until fault_vfs_restore_power, which needs all files closed. */
void fault_vfs_cut_power(void);
void fault_vfs_restore_power(uint64_t seed);

unsigned fault_vfs_syncs(void); /* asked for since the start */

#endif
