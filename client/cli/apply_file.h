/*
 * The file of coffer apply: sections that name integrations, and what each says of its one.
 *
 *     # from the first column: a comment
 *     [finance/warehouse-sync]
 *     title = Warehouse sync
 *     description = Copies invoices
 *         to the warehouse.
 *         .
 *         Nightly.
 *     labels = team=data, tier=1
 *     grant = user=etl unit=etl.service
 *
 * Indented lines go on with the value; "." alone is an empty line of it.  Entries of lists and maps are separated by
 * commas or lines ("\," is a comma in one).  grant may be given several times.
 */
#ifndef COFFER_CLI_APPLY_FILE_H
#define COFFER_CLI_APPLY_FILE_H

#include <stddef.h>

#include "err.h"
#include "request.h"
#include "text.h"

struct cli;

enum { APPLY_FILE_BYTES_MAX = 1048576 };

struct apply_entry {
	enum field field; /* FIELD_RULE: a grant */
	unsigned line;
	const char *text; /* in the file's memory */
};

struct apply_section {
	char name[INTEGRATION_NAME_BYTES_MAX + 1];
	unsigned line;
	bool is_there; /* in the vault; for whoever asks it */
	struct apply_entry *entries;
	size_t count;
	size_t cap;
};

struct apply_file {
	const char *path; /* as it was given; not owned */
	char *text;
	size_t len;
	struct apply_section *sections;
	size_t count;
	size_t cap;
};

/*
 * Reads the whole of a file, or of standard input for "-".  The first thing that is wrong is reported with its line:
 * ERR_BAD_VALUE, ERR_TOO_LARGE, ERR_NOT_FOUND (no such file), ERR_INTERNAL (no memory).
 */
enum err apply_file_read(const struct cli *cli, const char *path, struct apply_file *out);
void apply_file_clear(struct apply_file *file);

#define APPLY_FILE_AUTO __attribute__((cleanup(apply_file_clear))) struct apply_file

/* Says "FILE:LINE: text" and that nothing was done; ERR_BAD_VALUE. */
enum err apply_file_complain(const struct apply_file *file, unsigned line, const char *text);

#endif
