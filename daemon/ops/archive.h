/*
 * Segments of the audit log in the archive directory.  A segment is written under a passing name and is durable there
 * before its records leave the store; it gets its own name when they have.  So a file with its own name is whole, and
 * what a kill left behind is told apart by how far the store was cut.
 *
 * The directory must belong to the daemon alone: no symlink, its own user, mode 0700.
 */
#ifndef COFFER_OPS_ARCHIVE_H
#define COFFER_OPS_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum { ARCHIVE_VAULT_CHARS = 8, ARCHIVE_NAME_BYTES = 80 };

/* audit-VAULT-FROM-TO.jsonl, numbers with so many digits that names sort as the records do. */
void archive_name(
	char out[ARCHIVE_NAME_BYTES], const char vault[ARCHIVE_VAULT_CHARS + 1], uint64_t from, uint64_t to);

/* In all of these reason_out gets a constant sentence on an error. */

/* ERR_NOT_FOUND: it is not there.  ERR_CONFIG: it is not the daemon's alone.  ERR_STORAGE: it cannot be opened. */
enum err archive_check(const char *directory, const char **reason_out);

/*
 * Writes the segment under its passing name, over what an earlier try left there; durable when it returns OK.  Errors
 * as above, and ERR_STORAGE_FULL; ERR_CONFLICT: the name itself is taken.
 */
enum err archive_put(
	const char *directory, const char *name, const void *bytes, size_t len, const char **reason_out);

/* Gives the segment its name: its records have left the store. */
enum err archive_publish(const char *directory, const char *name, const char **reason_out);

/* Takes a segment back whose records have stayed. */
void archive_discard(const char *directory, const char *name);

/* What earlier tries of this vault left: published when the store was cut that far, else taken back. */
enum err archive_settle(const char *directory, const char vault[ARCHIVE_VAULT_CHARS + 1], uint64_t cut_seq,
	const char **reason_out);

#endif
