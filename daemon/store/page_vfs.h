/*
 * A layer between SQLite and the database file that leaves nothing deleted behind (P10).
 *
 * secure_delete zeroes what is deleted, but when SQLite rebuilds a b-tree page it leaves the cells that
 * have moved elsewhere in the page's unallocated middle, intact, and later deletions never find them there.
 * This layer zeroes that middle of every page on its way to the file.  It also gives a used-up quota
 * SQLite's name for a full disk.
 */
#ifndef COFFER_STORE_PAGE_VFS_H
#define COFFER_STORE_PAGE_VFS_H

/* The name to open with; NULL: it cannot be had.  The layer rests on the default VFS of that moment. */
const char *page_vfs_name(void);

#endif
