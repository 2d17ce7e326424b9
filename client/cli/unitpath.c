/*
 * Finds the files of a service as systemd.unit(5) says: the first directory that has the unit file wins; of
 * drop-ins with one name the first wins, then the names decide the order.  Reading them is left to unitfile.c.
 */
#include "unitpath.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "text.h"

static const char *const directories[] = {"/etc/systemd/system", "/run/systemd/system",
	"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", NULL};

enum { DIRECTORY_COUNT = sizeof(directories) / sizeof(directories[0]) - 1 };

const char *const *unitpath_directories(void)
{
	return directories;
}

static const char type[] = ".service";

/* PREFIX.service or PREFIX@INSTANCE.service */
struct parts {
	char prefix[UNIT_BYTES_MAX + 1];
	char instance[UNIT_BYTES_MAX + 1]; /* with its @; "": none */
};

struct search {
	struct unitpath *found;
	const char *root;
	const char *directory;
	bool has_failed;
};

static void split(const char *unit, struct parts *out)
{
	size_t len = strlen(unit) - strlen(type);
	const char *at = memchr(unit, '@', len);
	size_t prefix_len = at == NULL ? len : (size_t)(at - unit);

	memcpy(out->prefix, unit, prefix_len);
	memcpy(out->instance, unit + prefix_len, len - prefix_len);
}

/* "a-b-c" → "a-b-" → "a-" → false */
static bool chop(char *prefix)
{
	size_t len = strlen(prefix);

	for (size_t i = len < 2 ? 0 : len - 2; i > 0; i--) {
		if (prefix[i] == '-') {
			prefix[i + 1] = '\0';
			return true;
		}
	}
	return false;
}

static void add(struct search *search, const char *path, const char *name)
{
	struct unitpath *found = search->found;
	char **paths = reallocarray(found->paths, found->count + 1, sizeof(*paths));

	found->paths = paths == NULL ? found->paths : paths;

	char **names = reallocarray(found->names, found->count + 1, sizeof(*names));

	found->names = names == NULL ? found->names : names;
	if (paths == NULL || names == NULL) {
		search->has_failed = true;
		return;
	}
	paths[found->count] = strdup(path);
	names[found->count] = strdup(name);
	search->has_failed |= paths[found->count] == NULL || names[found->count] == NULL;
	found->count++;
}

static bool has_name(const struct unitpath *found, const char *name)
{
	/* The first is the unit file. */
	for (size_t i = 1; i < found->count; i++) {
		if (found->names[i] != NULL && strcmp(found->names[i], name) == 0)
			return true;
	}
	return false;
}

static bool join(
	char out[PATH_MAX], const char *root, const char *directory, const char *name, const char *suffix)
{
	int len = snprintf(out, PATH_MAX, "%s%s/%s%s", root, directory, name, suffix);

	return len > 0 && len < PATH_MAX;
}

static void scan_directory(struct search *search, const char *unit)
{
	char directory[PATH_MAX] = "";
	DIR *entries =
		join(directory, search->root, search->directory, unit, ".d") ? opendir(directory) : NULL;

	if (entries == NULL)
		return;
	for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
		const char *dot = strrchr(entry->d_name, '.');
		char path[PATH_MAX] = "";

		if (entry->d_name[0] == '.' || strcmp(dot == NULL ? "" : dot, ".conf") != 0)
			continue;
		if (!has_name(search->found, entry->d_name) && join(path, directory, "", entry->d_name, ""))
			add(search, path, entry->d_name);
	}
	(void)closedir(entries);
}

static void scan_parts(struct search *search, const char *prefix, const char *instance)
{
	char unit[2 * UNIT_BYTES_MAX + sizeof(type)] = "";

	(void)snprintf(unit, sizeof(unit), "%s%s%s", prefix, instance, type);
	scan_directory(search, unit);
}

/* The unit itself, its template, then ever shorter prefixes of its name: the more special first. */
static void scan_drop_ins(struct search *search, const struct parts *unit)
{
	struct parts wider = *unit;

	scan_parts(search, unit->prefix, unit->instance);
	if (*unit->instance != '\0')
		scan_parts(search, unit->prefix, "@");
	while (chop(wider.prefix))
		scan_parts(search, wider.prefix, "");
	wider = *unit;
	while (*unit->instance != '\0' && chop(wider.prefix)) {
		scan_parts(search, wider.prefix, unit->instance);
		scan_parts(search, wider.prefix, "@");
	}
}

/* A masked unit is a link to /dev/null, or empty. */
static enum err find_unit_file(struct search *search, const char *name)
{
	for (size_t i = 0; i < DIRECTORY_COUNT; i++) {
		char path[PATH_MAX] = "";
		struct stat info = {0};

		if (!join(path, search->root, directories[i], name, "") || stat(path, &info) != 0)
			continue;
		if (!S_ISREG(info.st_mode) || info.st_size == 0)
			return ERR_NOT_FOUND;
		add(search, path, name);
		return OK;
	}
	return ERR_NOT_FOUND;
}

static enum err find_fragment(struct search *search, const char *unit, const struct parts *parts)
{
	char template[UNIT_BYTES_MAX + sizeof(type) + 1] = "";
	enum err err = find_unit_file(search, unit);

	if (err == OK || *parts->instance == '\0')
		return err;
	(void)snprintf(template, sizeof(template), "%s@%s", parts->prefix, type);
	return find_unit_file(search, template);
}

static int by_name(const void *a, const void *b, void *context)
{
	const struct unitpath *found = context;

	return strcmp(found->names[*(const size_t *)a], found->names[*(const size_t *)b]);
}

/* The unit file stays first. */
static enum err sort_drop_ins(struct unitpath *found)
{
	size_t *order = calloc(found->count, sizeof(*order));
	char **paths = calloc(found->count, sizeof(*paths));
	enum err err = order == NULL || paths == NULL ? ERR_INTERNAL : OK;

	for (size_t i = 0; err == OK && i < found->count; i++)
		order[i] = i;
	if (err == OK) {
		qsort_r(order + 1, found->count - 1, sizeof(*order), by_name, found);
		for (size_t i = 0; i < found->count; i++)
			paths[i] = found->paths[order[i]];
		memcpy(found->paths, paths, found->count * sizeof(*paths));
	}
	free(order);
	free(paths);
	return err;
}

enum err unitpath_find(const char *root, const char *unit, struct unitpath *out)
{
	size_t len = strlen(unit);
	struct search search = {.found = out, .root = root};
	struct parts parts = {0};

	if (!text_is_unit_name(unit, len) || len <= strlen(type) ||
		strcmp(unit + len - strlen(type), type) != 0)
		return ERR_BAD_NAME;
	split(unit, &parts);

	enum err err = find_fragment(&search, unit, &parts);

	if (err != OK)
		return search.has_failed ? ERR_INTERNAL : err;
	for (size_t i = 0; i < DIRECTORY_COUNT; i++) {
		search.directory = directories[i];
		scan_drop_ins(&search, &parts);
	}
	/* What all services share gives way to everything else. */
	for (size_t i = 0; i < DIRECTORY_COUNT; i++) {
		search.directory = directories[i];
		scan_directory(&search, type + 1);
	}
	return search.has_failed ? ERR_INTERNAL : sort_drop_ins(out);
}

void unitpath_clear(struct unitpath *path)
{
	for (size_t i = 0; i < path->count; i++) {
		free(path->paths[i]);
		free(path->names[i]);
	}
	free(path->paths);
	free(path->names);
	*path = (struct unitpath){0};
}
