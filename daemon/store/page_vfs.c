/*
 * Zeroes the unallocated middle of b-tree pages as they are written to the database file (P10).  The file
 * format gives these bytes no meaning, so the only thing that changes is what is left to be found.  The
 * bytes of the write-ahead log stay as they are (its frames carry checksums): a truncating checkpoint
 * clears it.  Of both files it tells a used-up quota from a failing disk, which SQLite itself cannot.
 */
#include "page_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "sqlite.h"

/* Behind the real file's own bytes: its methods, and ours, which differ from them in xWrite alone. */
struct page_file {
	const sqlite3_io_methods *real;
	sqlite3_io_methods methods;
};

struct page_vfs {
	sqlite3_vfs base;
	sqlite3_vfs *real;
	size_t tail; /* where struct page_file begins in a file */
};

static struct page_vfs page_vfs;

static struct page_file *tail_of(sqlite3_file *file)
{
	return (struct page_file *)((char *)file + page_vfs.tail);
}

/* ---- the page ---- */

enum { FILE_HEADER_BYTES = 100, LEAF_HEADER_BYTES = 8, INTERIOR_HEADER_BYTES = 12 };

static size_t read_u16(const unsigned char *bytes)
{
	return (size_t)bytes[0] << 8 | bytes[1];
}

/* Header size of the b-tree page that begins here; 0: it is another kind of page. */
static size_t header_bytes(unsigned char type)
{
	switch (type) {
	case 2:
	case 5:
		return INTERIOR_HEADER_BYTES;
	case 10:
	case 13:
		return LEAF_HEADER_BYTES;
	default:
		return 0;
	}
}

/*
 * Overflow and free-list pages begin with a page number.  Its first byte could be taken for a type only in
 * a file of 2^25 pages or more; settings.c keeps the file smaller.
 */
static void clear_middle(unsigned char page[STORE_PAGE_BYTES], size_t start)
{
	size_t header = header_bytes(page[start]);

	if (header == 0)
		return;

	size_t middle = start + header + 2 * read_u16(page + start + 3);
	size_t content = read_u16(page + start + 5);

	if (middle <= content && content <= STORE_PAGE_BYTES)
		memset(page + middle, 0, content - middle);
}

/* ---- the file ---- */

/* SQLite knows ENOSPC alone as a full disk.  By the time a commit has failed, nobody can tell any more. */
static int write_bytes(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
	int rc = tail_of(file)->real->xWrite(file, bytes, len, offset);

	if (rc == SQLITE_IOERR_WRITE && page_vfs.real->xGetLastError(page_vfs.real, 0, NULL) == EDQUOT)
		return SQLITE_FULL;
	return rc;
}

static int write_page(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
	if (len != STORE_PAGE_BYTES || offset % STORE_PAGE_BYTES != 0)
		return write_bytes(file, bytes, len, offset);

	unsigned char page[STORE_PAGE_BYTES];

	memcpy(page, bytes, sizeof(page));
	clear_middle(page, offset == 0 ? FILE_HEADER_BYTES : 0);
	return write_bytes(file, page, len, offset);
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
	(void)vfs;

	int rc = page_vfs.real->xOpen(page_vfs.real, name, file, flags, flags_out);

	if (rc != SQLITE_OK || (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) == 0)
		return rc;

	struct page_file *tail = tail_of(file);

	/* Version 1 has neither shared memory nor mapped pages: both would go round write_page. */
	tail->real = file->pMethods;
	tail->methods = *file->pMethods;
	tail->methods.iVersion = 1;
	tail->methods.xWrite = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? write_page : write_bytes;
	file->pMethods = &tail->methods;
	return SQLITE_OK;
}

/* One system call removes files, in all of the daemon. */
static int unlink_at(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

const char *page_vfs_name(void)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	if (real == NULL)
		return NULL;
	if (real != page_vfs.real) {
		size_t align = _Alignof(struct page_file);

		page_vfs.real = real;
		page_vfs.tail = ((size_t)real->szOsFile + align - 1) / align * align;
		page_vfs.base = *real;
		page_vfs.base.pNext = NULL;
		page_vfs.base.zName = "coffer";
		page_vfs.base.szOsFile = (int)(page_vfs.tail + sizeof(struct page_file));
		page_vfs.base.xOpen = open_file;
		if (sqlite3_vfs_register(&page_vfs.base, 0) != SQLITE_OK ||
			real->xSetSystemCall(real, "unlink", (sqlite3_syscall_ptr)unlink_at) != SQLITE_OK)
			return NULL;
	}
	return page_vfs.base.zName;
}
