/*
 * The only code that prints a result for people.  Every cell comes from cells_show, hence through the filter
 * of tty_text; libsmartcols aligns them and is told not to encode a second time.
 */
#include "table.h"

#include <libsmartcols.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "cells.h"

static const struct {
	const char *word;
	const char *colour;
} state_colours[] = {
	{"active", "green"},
	{"current", "green"},
	{"ok", "green"},
	{"passed", "green"},
	{"staged", "cyan"},
	{"draining", "yellow"},
	{"warning", "yellow"},
	{"suspended", "yellow"},
	{"retired", "darkgray"},
	{"revoked", "darkgray"},
	{"denied", "red"},
	{"refused", "red"},
	{"failed", "red"},
	{"critical", "red"},
};

static void unref_table(struct libscols_table **table)
{
	scols_unref_table(*table);
}

#define TABLE_AUTO __attribute__((cleanup(unref_table))) struct libscols_table

/* Colours belong on a terminal, and nowhere where NO_COLOR is set. */
static bool has_colours(FILE *stream)
{
	const char *no_color = getenv("NO_COLOR");

	return isatty(fileno(stream)) == 1 && (no_color == NULL || *no_color == '\0');
}

static const char *colour_of(const char *word)
{
	for (size_t i = 0; i < sizeof(state_colours) / sizeof(state_colours[0]); i++) {
		if (strcmp(state_colours[i].word, word) == 0)
			return state_colours[i].colour;
	}
	return NULL;
}

static enum err add_columns(struct libscols_table *table, const struct column *columns)
{
	for (const struct column *c = columns; c->label != NULL; c++) {
		bool is_number = c->show == SHOW_NUMBER || c->show == SHOW_ORDINAL;
		int flags = is_number                                          ? SCOLS_FL_RIGHT
			    : c->show == SHOW_TEXT || c->show == SHOW_VERSIONS ? SCOLS_FL_WRAP
									       : 0;
		struct libscols_column *column = scols_table_new_column(table, c->label, 0, flags);

		if (column == NULL || scols_cell_set_color(scols_column_get_header(column), "bold") != 0)
			return ERR_INTERNAL;
	}
	return OK;
}

static enum err add_cell(struct libscols_line *line, size_t index, const struct reply *reply,
	const struct json_token *object, const struct column *column)
{
	BUF_AUTO text = {0};

	cells_show(&text, reply, reply_at(reply, object, column->path), column->show);
	buf_append_byte(&text, '\0');
	if (buf_failed(&text) || scols_line_set_data(line, index, text.bytes) != 0)
		return ERR_INTERNAL;

	bool is_state = column->show == SHOW_STATE || column->show == SHOW_VERDICT;
	const char *colour = is_state ? colour_of(text.bytes) : NULL;

	if (colour != NULL && scols_cell_set_color(scols_line_get_cell(line, index), colour) != 0)
		return ERR_INTERNAL;
	return OK;
}

static const char *text_at(struct libscols_table *table, size_t row, size_t index)
{
	return scols_line_get_column_data(
		scols_table_get_line(table, row), scols_table_get_column(table, index));
}

/* On the screen.  The filter has let nothing through that is not printable. */
static size_t cell_width(const char *text)
{
	size_t left = strlen(text);
	size_t width = 0;
	mbstate_t state = {0};

	while (left > 0) {
		wchar_t character = 0;
		size_t size = mbrtowc(&character, text, left, &state);

		if (size == 0 || size > left)
			return width + left;

		int columns = wcwidth(character);

		width += columns > 0 ? (size_t)columns : 0;
		text += size;
		left -= size;
	}
	return width;
}

static enum err add_line(struct libscols_table *table, const struct reply *reply,
	const struct json_token *object, const struct column *columns)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	enum err err = line == NULL ? ERR_INTERNAL : OK;

	for (size_t i = 0; err == OK && columns[i].label != NULL; i++)
		err = add_cell(line, i, reply, object, &columns[i]);
	return err;
}

static size_t natural_width(struct libscols_table *table, size_t index)
{
	struct libscols_column *column = scols_table_get_column(table, index);
	size_t width = cell_width(scols_cell_get_data(scols_column_get_header(column)));

	for (size_t row = 0; row < scols_table_get_nlines(table); row++) {
		size_t other = cell_width(text_at(table, row, index));

		width = other > width ? other : width;
	}
	return width;
}

/* Of the columns that are shown, with a blank between; those that may be wrapped take at most so much. */
static size_t table_width(struct libscols_table *table, size_t wrapped_max)
{
	size_t sum = 0;

	for (size_t i = 0; i < scols_table_get_ncols(table); i++) {
		int flags = scols_column_get_flags(scols_table_get_column(table, i));
		size_t width = natural_width(table, i);

		if ((flags & SCOLS_FL_WRAP) != 0 && width > wrapped_max)
			width = wrapped_max;
		if ((flags & SCOLS_FL_HIDDEN) == 0)
			sum += width + (sum > 0);
	}
	return sum;
}

static bool is_blank(struct libscols_table *table, size_t index)
{
	for (size_t row = 0; row < scols_table_get_nlines(table); row++) {
		if (strcmp(text_at(table, row, index), "-") != 0)
			return false;
	}
	return true;
}

/* Where room is short, it goes to columns that say something. */
static enum err fit_terminal(struct libscols_table *table, FILE *stream)
{
	if (isatty(fileno(stream)) != 1 || table_width(table, SIZE_MAX) <= scols_table_get_termwidth(table))
		return OK;
	for (size_t i = 0; i < scols_table_get_ncols(table); i++) {
		struct libscols_column *column = scols_table_get_column(table, i);
		int flags = scols_column_get_flags(column) | SCOLS_FL_HIDDEN;

		if (is_blank(table, i) && scols_column_set_flags(column, flags) != 0)
			return ERR_INTERNAL;
	}
	return OK;
}

/* Lines that the terminal breaks anywhere are no table any more. */
static bool is_too_wide(struct libscols_table *table, FILE *stream)
{
	enum { WRAPPED_WIDTH = 12 };

	return stream == stdout && isatty(STDOUT_FILENO) == 1 &&
	       table_width(table, WRAPPED_WIDTH) > scols_table_get_termwidth(table);
}

static enum err print_blocks(
	const struct reply *reply, const struct json_token *array, const struct column *columns)
{
	enum err err = OK;

	for (const struct json_token *t = json_first(&reply->doc, array); err == OK && t != NULL;
		t = json_next(&reply->doc, array, t)) {
		if (t != array + 1)
			puts("");
		err = table_print_block(reply, t, columns);
	}
	return err;
}

enum err table_print(const struct reply *reply, const struct json_token *array, const struct column *columns)
{
	return table_print_to(stdout, reply, array, columns);
}

enum err table_print_to(
	FILE *stream, const struct reply *reply, const struct json_token *array, const struct column *columns)
{
	if (array == NULL || array->type != JSON_ARRAY || array->count == 0) {
		fputs("none\n", stream);
		return OK;
	}

	TABLE_AUTO *table = scols_new_table();
	enum err err = table == NULL ? ERR_INTERNAL : add_columns(table, columns);

	if (err != OK)
		return err;
	if (scols_table_enable_colors(table, has_colours(stream)) != 0 ||
		scols_table_enable_noencoding(table, 1) != 0 || scols_table_set_stream(table, stream) != 0)
		return ERR_INTERNAL;
	for (const struct json_token *t = json_first(&reply->doc, array); err == OK && t != NULL;
		t = json_next(&reply->doc, array, t))
		err = add_line(table, reply, t, columns);
	if (err == OK)
		err = fit_terminal(table, stream);
	if (err == OK && is_too_wide(table, stream))
		return print_blocks(reply, array, columns);
	if (err == OK && scols_print_table(table) != 0)
		err = ERR_INTERNAL;
	return err;
}

/* A line break that the text itself holds goes on under the first line, so it cannot pass for a label. */
static void print_indented(FILE *stream, const char *text, int width)
{
	static const char line_break[] = "\\x0a";

	for (const char *at = text;;) {
		const char *end = strstr(at, line_break);

		if (end == NULL) {
			fprintf(stream, "%s\n", at);
			return;
		}
		fprintf(stream, "%.*s\n%*s", (int)(end - at), at, width, "");
		at = end + strlen(line_break);
	}
}

static enum err print_member(FILE *stream, const struct reply *reply, const struct json_token *value,
	const struct column *column, int width)
{
	BUF_AUTO text = {0};

	cells_show(&text, reply, value, column->show);
	buf_append_byte(&text, '\0');
	if (buf_failed(&text))
		return ERR_INTERNAL;
	fprintf(stream, "%s:%*s", column->label, width - (int)strlen(column->label) - 1, "");
	print_indented(stream, text.bytes, width);
	return OK;
}

enum err table_print_block(
	const struct reply *reply, const struct json_token *object, const struct column *columns)
{
	return table_print_block_to(stdout, reply, object, columns);
}

enum err table_print_block_to(FILE *stream, const struct reply *reply, const struct json_token *object,
	const struct column *columns)
{
	enum err err = OK;
	int width = 0;

	for (const struct column *c = columns; c->label != NULL; c++) {
		int len = (int)strlen(c->label) + 2;

		if (reply_at(reply, object, c->path) != NULL && len > width)
			width = len;
	}
	for (const struct column *c = columns; err == OK && c->label != NULL; c++) {
		const struct json_token *value = reply_at(reply, object, c->path);

		if (value != NULL)
			err = print_member(stream, reply, value, c, width);
	}
	return err;
}

enum err table_say(const struct reply *reply, const char *template)
{
	BUF_AUTO line = {0};

	for (const char *at = template; *at != '\0';) {
		size_t plain = strcspn(at, "{");
		size_t len = strcspn(at, "}");
		char path[64] = {0};

		buf_append(&line, at, plain);
		at += plain;
		if (*at == '\0')
			break;
		len -= plain;
		if (len > sizeof(path))
			return ERR_INTERNAL;
		memcpy(path, at + 1, len - 1);
		reply_show(&line, reply, reply_at(reply, NULL, path), SHOW_TEXT);
		at += len + 1;
	}
	buf_append(&line, "\n", 2);
	if (buf_failed(&line))
		return ERR_INTERNAL;
	fputs(line.bytes, stdout);
	return OK;
}
