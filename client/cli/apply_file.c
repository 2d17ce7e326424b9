/*
 * Reads the file strictly: what is not understood is an error with its line, before anything is asked of the daemon.
 * Values stay where they are in the file's memory; a value of several lines is moved together there.
 */
#include "apply_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply_value.h"
#include "cli.h"

struct scan {
	const struct cli *cli;
	struct apply_file *file;
	unsigned line;
	struct apply_section *section; /* NULL before the first */
	bool is_open; /* an indented line would go on with the section's last entry */
	char *value; /* of that entry */
	char *value_end;
};

enum err apply_file_complain(const struct apply_file *file, unsigned line, const char *text)
{
	cli_say("%s:%u: %s; nothing was done", strcmp(file->path, "-") == 0 ? "standard input" : file->path,
		line, text);
	return ERR_BAD_VALUE;
}

static enum err complain(const struct scan *scan, const char *text)
{
	return apply_file_complain(scan->file, scan->line, text);
}

__attribute__((format(printf, 2, 3))) static enum err complain_of(
	const struct scan *scan, const char *format, ...)
{
	char text[256] = "";
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return complain(scan, text);
}

/* ---- sections ---- */

static enum err add_section(struct scan *scan, const char *name)
{
	struct apply_file *file = scan->file;

	if (file->count == file->cap) {
		size_t cap = file->cap == 0 ? 16 : 2 * file->cap;
		struct apply_section *sections = reallocarray(file->sections, cap, sizeof(*sections));

		if (sections == NULL)
			return cli_fail(scan->cli, ERR_INTERNAL, "no memory");
		file->sections = sections;
		file->cap = cap;
	}
	scan->section = &file->sections[file->count++];
	*scan->section = (struct apply_section){.line = scan->line};
	(void)snprintf(scan->section->name, sizeof(scan->section->name), "%s", name);
	return OK;
}

static enum err take_section(struct scan *scan, char *text, size_t len)
{
	if (text[len - 1] != ']')
		return complain(scan, "a section is [NAME], alone on its line");
	text[len - 1] = '\0';
	if (!text_is_integration_name(text + 1, len - 2))
		return complain(scan, "a section is named like an integration, [workspace/]slug");
	for (size_t i = 0; i < scan->file->count; i++)
		if (strcmp(scan->file->sections[i].name, text + 1) == 0)
			return complain_of(scan, "a second section of this name; the first is in line %u",
				scan->file->sections[i].line);
	return add_section(scan, text + 1);
}

/* ---- entries ---- */

static enum err check_once(const struct scan *scan, enum field field)
{
	for (size_t i = 0; i < scan->section->count; i++)
		if (scan->section->entries[i].field == field && field != FIELD_RULE)
			return complain_of(scan, "%s a second time; the first is in line %u",
				field_info(field)->wire, scan->section->entries[i].line);
	return OK;
}

static enum err add_entry(struct scan *scan, enum field field, char *text)
{
	struct apply_section *section = scan->section;

	if (section->count == section->cap) {
		size_t cap = section->cap == 0 ? 8 : 2 * section->cap;
		struct apply_entry *entries = reallocarray(section->entries, cap, sizeof(*entries));

		if (entries == NULL)
			return cli_fail(scan->cli, ERR_INTERNAL, "no memory");
		section->entries = entries;
		section->cap = cap;
	}
	section->entries[section->count++] =
		(struct apply_entry){.field = field, .line = scan->line, .text = text};
	scan->is_open = true;
	scan->value = text;
	scan->value_end = text + strlen(text);
	return OK;
}

static size_t trimmed_len(const char *text, size_t len)
{
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	return len;
}

static enum err take_pair(struct scan *scan, char *text, size_t len)
{
	enum field field = FIELD_COUNT;
	char *equals = memchr(text, '=', len);

	if (equals == NULL)
		return complain(scan, "neither [NAME], KEY = VALUE nor # a comment");
	if (scan->section == NULL)
		return complain(scan, "a key before the first [NAME]");

	size_t key_len = trimmed_len(text, (size_t)(equals - text));
	char *value = equals + 1 + strspn(equals + 1, " \t");

	if (!apply_value_field(text, key_len, &field))
		return complain_of(scan,
			"unknown key %.*s; coffer integration add --help lists them, and there is "
			"grant",
			key_len > 40 ? 40 : (int)key_len, text);

	enum err err = check_once(scan, field);

	return err == OK ? add_entry(scan, field, value) : err;
}

/* It only ever gets shorter: the white space before it is more than the line break that takes its place. */
static enum err take_continuation(struct scan *scan, const char *text, size_t len)
{
	size_t blanks = strspn(text, " \t");
	size_t kept = len - blanks;

	if (!scan->is_open)
		return complain(scan, "an indented line goes on with a value, and there is none before it");
	if (kept == 1 && text[blanks] == '.')
		kept = 0;
	if (scan->value_end > scan->value)
		*scan->value_end++ = '\n';
	memmove(scan->value_end, text + blanks, kept);
	scan->value_end += kept;
	*scan->value_end = '\0';
	return OK;
}

/* ---- lines ---- */

static enum err take_line(struct scan *scan, char *text, size_t len)
{
	if (!text_is_text(text, len))
		return complain(
			scan, "not UTF-8 text, or a control character (a carriage return, for example)");
	len = trimmed_len(text, len);
	text[len] = '\0';
	if (len > 0 && (text[0] == ' ' || text[0] == '\t'))
		return take_continuation(scan, text, len);
	if (text[0] == '#' || text[0] == ';')
		return OK;
	scan->is_open = false;
	if (len == 0)
		return OK;
	return text[0] == '[' ? take_section(scan, text, len) : take_pair(scan, text, len);
}

static enum err take_lines(struct scan *scan)
{
	char *end = scan->file->text + scan->file->len;
	enum err err = OK;

	for (char *at = scan->file->text; err == OK && at < end;) {
		char *newline = memchr(at, '\n', (size_t)(end - at));
		char *line_end = newline != NULL ? newline : end;

		scan->line++;
		err = take_line(scan, at, (size_t)(line_end - at));
		at = line_end + 1;
	}
	return err;
}

/* Each value by itself, by the daemon's own rules; what it cannot know here it finds there. */
static enum err check_values(const struct scan *scan)
{
	for (size_t i = 0; i < scan->file->count; i++) {
		const struct apply_section *section = &scan->file->sections[i];

		for (size_t j = 0; j < section->count; j++) {
			char why[256] = "";

			if (apply_value_check(section, &section->entries[j], why, sizeof(why)) != OK)
				return apply_file_complain(scan->file, section->entries[j].line, why);
		}
	}
	return OK;
}

/* ---- the file ---- */

static enum err read_stream(const struct cli *cli, FILE *stream, struct apply_file *file)
{
	file->text = malloc(APPLY_FILE_BYTES_MAX + 2);
	if (file->text == NULL)
		return cli_fail(cli, ERR_INTERNAL, "no memory");
	file->len = fread(file->text, 1, APPLY_FILE_BYTES_MAX + 1, stream);
	if (ferror(stream) != 0)
		return cli_fail(cli, ERR_BAD_VALUE, "%s cannot be read: %s", file->path, strerror(errno));
	if (file->len > APPLY_FILE_BYTES_MAX)
		return cli_fail(
			cli, ERR_TOO_LARGE, "%s is larger than 1 MiB: make it several files", file->path);
	file->text[file->len] = '\0';
	return OK;
}

enum err apply_file_read(const struct cli *cli, const char *path, struct apply_file *out)
{
	struct scan scan = {.cli = cli, .file = out};
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *stream = is_stdin ? stdin : fopen(path, "re");

	*out = (struct apply_file){.path = path};
	if (stream == NULL)
		return cli_fail(cli, ERR_NOT_FOUND, "%s cannot be read: %s", path, strerror(errno));

	enum err err = read_stream(cli, stream, out);

	if (!is_stdin)
		(void)fclose(stream);
	if (err == OK)
		err = take_lines(&scan);
	if (err == OK && out->count == 0)
		err = cli_fail(
			cli, ERR_BAD_VALUE, "%s names no integration: a section is [workspace/slug]", path);
	return err == OK ? check_values(&scan) : err;
}

void apply_file_clear(struct apply_file *file)
{
	for (size_t i = 0; i < file->count; i++)
		free(file->sections[i].entries);
	free(file->sections);
	free(file->text);
	*file = (struct apply_file){0};
}
