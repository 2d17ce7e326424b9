/*
 * What an import has found: assignments with their values in locked memory, and the lines that it will not
 * take.  Readers of file formats fill it; nothing in it is ever printed but names, places and our sentences.
 */
#ifndef COFFER_CLI_HARVEST_H
#define COFFER_CLI_HARVEST_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "locked.h"
#include "text.h"

enum {
	HARVEST_FILE_BYTES_MAX = 1048576,
	HARVEST_ASSIGNMENTS_MAX =
		4096, /* far above what an integration may have, and cheap to compare with each other */
	HARVEST_PROBLEMS_MAX = 200, /* as many as anybody reads; the last says that there are more */
};

/* Where something stands. */
struct place {
	const char *file; /* owned by the harvest */
	unsigned line; /* from 1; 0: the file as a whole */
	unsigned last_line;
};

struct assignment {
	char key[KEY_BYTES_MAX + 1];
	struct secret value; /* in a mapping of the harvest */
	struct place place;
	bool is_effective; /* no later one took its place */
};

struct problem {
	char key[KEY_BYTES_MAX + 1]; /* "": of no key, or it is not known where the value ends */
	struct place place;
	const char *text; /* a constant */
	bool has_no_value; /* the line sets none */
};

/* One file that was read. */
struct harvest_file {
	char *path;
	struct locked memory;
	char *text; /* NUL-terminated, in memory; readers may change it in place */
	size_t len;
	bool is_open_to_all; /* others may read the file */
	struct harvest_file *next;
};

struct harvest {
	struct harvest_file *files;
	struct assignment *assignments;
	size_t assignment_count;
	struct problem *problems;
	size_t problem_count;
	bool has_failed; /* no memory; sticky, ask once */
};

void harvest_deinit(struct harvest *harvest);

#define HARVEST_AUTO __attribute__((cleanup(harvest_deinit))) struct harvest

/*
 * Reads a regular file of at most HARVEST_FILE_BYTES_MAX into locked memory of its own.  A failure is a problem
 * of the harvest as well: NOT_FOUND, BAD_VALUE (not such a file), TOO_LARGE, INTERNAL (no memory).
 */
enum err harvest_read(struct harvest *harvest, const char *path, struct harvest_file **out);

/*
 * The same for a path that a person typed: no part of it may be a symbolic link (BAD_VALUE).  The file is
 * known by its whole path afterwards, because it is noted in the vault and read there from another directory.
 */
enum err harvest_read_typed(struct harvest *harvest, const char *typed, struct harvest_file **out);

/* KEY=value at place; an earlier one of the same key is no longer effective.  Judges key and value. */
void harvest_add(
	struct harvest *harvest, const char *key, size_t key_len, struct secret value, struct place place);

/* A line that is not taken; key may be NULL. */
void harvest_refuse(
	struct harvest *harvest, const char *key, size_t key_len, struct place place, const char *text);

/* The same of a line that sets no value. */
void harvest_refuse_bare(
	struct harvest *harvest, const char *key, size_t key_len, struct place place, const char *text);

/* True when file has set key already. */
bool harvest_has(const struct harvest *harvest, const char *file, const char *key, size_t key_len);

/* Nothing found so far is effective any more. */
void harvest_reset(struct harvest *harvest);

#endif
