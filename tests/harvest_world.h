/*
 * For tests of the readers behind coffer import: files in a directory of their own, and looking into a harvest.
 */
#ifndef COFFER_TESTS_HARVEST_WORLD_H
#define COFFER_TESTS_HARVEST_WORLD_H

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harvest.h"
#include "unit.h"

static char world[32]; /* the directory */

static inline void world_make(void)
{
	snprintf(world, sizeof(world), "/tmp/coffer-harvest-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(world));
}

static inline int world_remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
	(void)info;
	(void)type;
	(void)at;
	return remove(path);
}

static inline void world_remove(void)
{
	ck_assert_int_eq(nftw(world, world_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Writes world/path, with its directories. */
static inline void world_write(const char *path, const void *text, size_t len)
{
	char whole[512] = "";

	snprintf(whole, sizeof(whole), "%s/%s", world, path);
	for (char *slash = strchr(whole + strlen(world) + 1, '/'); slash != NULL;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(whole, 0700);
		*slash = '/';
	}

	FILE *file = fopen(whole, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
}

/* The effective assignment of a key, or NULL. */
static inline const struct assignment *world_find(const struct harvest *harvest, const char *key)
{
	for (size_t i = 0; i < harvest->assignment_count; i++) {
		if (harvest->assignments[i].is_effective && strcmp(harvest->assignments[i].key, key) == 0)
			return &harvest->assignments[i];
	}
	return NULL;
}

static inline void world_has(const struct harvest *harvest, const char *key, const char *value)
{
	const struct assignment *assignment = world_find(harvest, key);

	ck_assert_msg(assignment != NULL, "%s is not set", key);
	ck_assert_uint_eq(assignment->value.len, strlen(value));
	ck_assert_int_eq(memcmp(assignment->value.bytes, value, strlen(value)), 0);
}

/* Exactly one problem, in this line, whose text has this word. */
static inline void world_refuses(const struct harvest *harvest, unsigned line, const char *word)
{
	ck_assert_uint_eq(harvest->problem_count, 1);
	ck_assert_uint_eq(harvest->problems[0].place.line, line);
	ck_assert_msg(strstr(harvest->problems[0].text, word) != NULL, "%s", harvest->problems[0].text);
}

#endif
