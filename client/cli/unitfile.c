/*
 * Reads service settings the way systemd does: logical lines, sections, resets by an empty setting, and
 * environment files after everything else.  Lines are joined and words unquoted where they lie, in the locked
 * copy of the file (P1).  Splitting words is left to unitwords.c, environment files to dotenv.c.
 */
#include "unitfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dotenv.h"
#include "gate.h"
#include "unitpath.h"
#include "unitwords.h"

struct environment_file {
	char *path;
	struct place place;
	bool is_optional;
};

struct unit {
	struct harvest *harvest;
	const char *root;
	struct environment_file *files;
	size_t file_count;
	unitfile_setting_fn *fn; /* takes all settings; NULL: ours do */
	void *arg;
};

/* The file being read: at moves forward line by line. */
struct lines {
	char *at;
	char *end;
	struct place place;
	unsigned line;
};

static void clear_files(struct unit *unit)
{
	for (size_t i = 0; i < unit->file_count; i++)
		free(unit->files[i].path);
	free(unit->files);
	unit->files = NULL;
	unit->file_count = 0;
}

#define UNIT_AUTO __attribute__((cleanup(clear_files))) struct unit

static void refuse(const struct unit *unit, struct place place, const char *text)
{
	harvest_refuse(unit->harvest, NULL, 0, place, text);
}

static char *strip(char *text)
{
	static const char spaces[] = " \t";
	size_t len = 0;

	text += strspn(text, spaces);
	for (len = strlen(text); len > 0 && strchr(spaces, text[len - 1]) != NULL; len--)
		text[len - 1] = '\0';
	return text;
}

/* A backslash at the end that no backslash before it escapes. */
static bool is_continued(const char *line, size_t len)
{
	size_t count = 0;

	while (count < len && line[len - 1 - count] == '\\')
		count++;
	return count % 2 == 1;
}

/* Joins the physical lines of the next logical line in place; NULL at the end of the file. */
static char *next_line(struct lines *lines)
{
	char *joined = lines->at;
	size_t joined_len = 0;
	bool is_open = false;

	while (lines->at < lines->end) {
		char *line = lines->at;
		size_t len = strcspn(line, "\n");
		const char *text = line + strspn(line, " \t");

		lines->at = line + len + (line + len < lines->end);
		lines->line++;
		/* A comment does not end the line that goes on around it. */
		if (*text == '#' || *text == ';')
			continue;
		lines->place.line = is_open ? lines->place.line : lines->line;
		lines->place.last_line = lines->line;
		is_open = is_continued(line, len);
		memmove(joined + joined_len, line, len);
		joined_len += len;
		if (!is_open)
			break;
		joined[joined_len - 1] = ' ';
	}
	if (joined == lines->at)
		return NULL;
	/* There is room: a newline, or the NUL behind the file, came after what was joined. */
	joined[joined_len] = '\0';
	return joined;
}

static void take_word(const struct unit *unit, struct place place, char *word, size_t len)
{
	const char *equals = memchr(word, '=', len);

	if (equals == NULL) {
		refuse(unit, place, "not NAME=value: systemd drops it");
		return;
	}

	size_t key_len = (size_t)(equals - word);
	size_t value_len = len - key_len - 1;
	char *value = word + key_len + 1;
	bool is_credential = value_len > 3 && memcmp(value, "%d/", 3) == 0; /* a file in its directory */
	const char *objection = unitwords_expand(value, &value_len);
	struct secret secret = {.bytes = (unsigned char *)value, .len = value_len};

	if (objection == NULL && !gate_is_utf8(value, value_len))
		objection = "not UTF-8: systemd drops it";
	if (objection != NULL)
		(is_credential ? harvest_refuse_bare : harvest_refuse)(
			unit->harvest, word, key_len, place, objection);
	else
		harvest_add(unit->harvest, word, key_len, secret, place);
}

static void take_environment(struct unit *unit, struct place place, char *value)
{
	const char *why = NULL;
	size_t len = 0;

	if (*value == '\0')
		harvest_reset(unit->harvest);
	for (char *word = unitwords_next(&value, &len, &why); word != NULL;
		word = unitwords_next(&value, &len, &why))
		take_word(unit, place, word, len);
	if (why != NULL)
		refuse(unit, place, why);
}

static void take_environment_file(struct unit *unit, struct place place, char *value)
{
	bool is_optional = *value == '-';
	const char *path = value + is_optional;

	if (*value == '\0') {
		clear_files(unit);
		return;
	}
	if (strpbrk(path, "%*?[") != NULL || *path != '/') {
		refuse(unit, place,
			"a file name with a specifier or a pattern, or a relative one: name the file itself");
		return;
	}

	size_t count = unit->file_count;
	struct environment_file *grown = reallocarray(unit->files, count + 1, sizeof(*grown));
	char *copy = strdup(path);

	unit->files = grown == NULL ? unit->files : grown;
	if (grown == NULL || copy == NULL) {
		free(copy);
		unit->harvest->has_failed = true;
		return;
	}
	grown[count] = (struct environment_file){.path = copy, .place = place, .is_optional = is_optional};
	unit->file_count++;
}

static void take_unset(struct unit *unit, struct place place, char *value)
{
	const char *why = NULL;
	size_t len = 0;

	for (char *word = unitwords_next(&value, &len, &why); word != NULL;
		word = unitwords_next(&value, &len, &why)) {
		const char *equals = memchr(word, '=', len);

		harvest_refuse_bare(unit->harvest, word, equals == NULL ? len : (size_t)(equals - word),
			place, "UnsetEnvironment= takes this variable away again");
	}
	if (why != NULL)
		refuse(unit, place, why);
}

static const struct {
	const char *name;
	void (*take)(struct unit *unit, struct place place, char *value);
} settings[] = {
	{"Environment", take_environment},
	{"EnvironmentFile", take_environment_file},
	{"UnsetEnvironment", take_unset},
};

static void take_setting(struct unit *unit, struct place place, char *line)
{
	char *equals = strchr(line, '=');

	if (equals == NULL)
		return;
	*equals = '\0';

	const char *name = strip(line);

	if (unit->fn != NULL) {
		unit->fn(unit->arg, name, strip(equals + 1));
		return;
	}
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strcmp(settings[i].name, name) == 0)
			settings[i].take(unit, place, strip(equals + 1));
	}
}

static void read_file(struct unit *unit, struct harvest_file *file)
{
	struct lines lines = {.at = file->text, .end = file->text + file->len, .place.file = file->path};
	bool is_service = false;

	if (memchr(file->text, '\r', file->len) != NULL || !gate_is_utf8(file->text, file->len) ||
		strncmp(file->text, "\xef\xbb\xbf", 3) == 0) {
		refuse(unit, lines.place, "a carriage return, a NUL byte, a byte order mark, or not UTF-8");
		return;
	}
	for (char *line = next_line(&lines); line != NULL; line = next_line(&lines)) {
		char *text = strip(line);

		if (*text == '[')
			is_service = strcmp(text, "[Service]") == 0;
		else if (is_service)
			take_setting(unit, lines.place, text);
	}
}

static void read_environment_file(struct unit *unit, const struct environment_file *from)
{
	struct harvest_file *file = NULL;
	char *path = NULL;

	if (asprintf(&path, "%s%s", unit->root, from->path) < 0) {
		unit->harvest->has_failed = true;
		return;
	}

	bool is_absent = from->is_optional && access(path, F_OK) != 0 && errno == ENOENT;

	if (!is_absent && harvest_read(unit->harvest, path, &file) == OK)
		dotenv_parse(unit->harvest, file, DOTENV_SYSTEMD);
	free(path);
}

/* A drop-in that is a link to /dev/null hides others of its name. */
static bool is_masked(const char *path)
{
	struct stat info = {0};

	return stat(path, &info) == 0 && S_ISCHR(info.st_mode);
}

static enum err read_files(struct unit *unit, const char *name)
{
	UNITPATH_AUTO found = {0};
	enum err err = unitpath_find(unit->root, name, &found);

	for (size_t i = 0; err == OK && i < found.count; i++) {
		struct harvest_file *file = NULL;

		if (!is_masked(found.paths[i]) && harvest_read(unit->harvest, found.paths[i], &file) == OK)
			read_file(unit, file);
	}
	return err;
}

enum err unitfile_read(struct harvest *harvest, const char *root, const char *unit_name)
{
	UNIT_AUTO unit = {.harvest = harvest, .root = root};
	enum err err = read_files(&unit, unit_name);

	for (size_t i = 0; err == OK && i < unit.file_count; i++)
		read_environment_file(&unit, &unit.files[i]);
	return err;
}

enum err unitfile_settings(
	struct harvest *harvest, const char *root, const char *unit_name, unitfile_setting_fn *fn, void *arg)
{
	struct unit unit = {.harvest = harvest, .root = root, .fn = fn, .arg = arg};

	return read_files(&unit, unit_name);
}
