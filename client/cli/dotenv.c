/*
 * Reads the language that all readers of environment files share and refuses the rest line by line, so that
 * an import never stores another value than the one in use.  No escape survives the refusals, hence a value
 * is a span of the file and is never copied.  The lines refused are what the dialects disagree on.
 */
#include "dotenv.h"

#include <string.h>

#include "gate.h"

/* White space to some readers and text to others: they trim it, or end a line at it. */
static const char *const odd_spaces[] = {"\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\x80",
	"\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
	"\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9",
	"\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80", "\xef\xbb\xbf"};

struct scan {
	struct harvest *harvest;
	const struct harvest_file *file;
	enum dotenv_reader reader;
	char *at; /* the file is followed by a NUL */
	char *end;
	unsigned line;
};

/* One assignment on its way: key and value are spans of the file. */
struct found {
	char *key;
	size_t key_len;
	struct place place;
};

static size_t rest_of_line(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return (size_t)((newline == NULL ? end : newline) - at);
}

static char *skip_blanks(char *at)
{
	return at + strspn(at, " \t");
}

static bool has_any(const char *text, size_t len, const char *bytes)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\0' && strchr(bytes, text[i]) != NULL)
			return true;
	}
	return false;
}

static bool has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
			return true;
	}
	return false;
}

static bool has_odd_space(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof(odd_spaces) / sizeof(odd_spaces[0]); i++) {
		if (memmem(text, len, odd_spaces[i], strlen(odd_spaces[i])) != NULL)
			return true;
	}
	return false;
}

/* What is wrong with a line whatever it says, or NULL. */
static const char *line_objection(const char *text, size_t len)
{
	if (memchr(text, '\r', len) != NULL)
		return "a carriage return: some readers keep it in the value; convert the file to Unix lines";
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return "a byte order mark: some readers make it part of the first name";
	if (!gate_is_utf8(text, len))
		return "a NUL byte, or not UTF-8";
	return has_control(text, len) ? "a control character" : NULL;
}

static const char *unquoted_objection(const char *value, size_t len)
{
	if (has_any(value, len, "'\"`"))
		return "a quote that does not enclose the whole value: readers disagree on it";
	if (has_any(value, len, "#"))
		return "a # without quotes: a comment to some readers, part of the value to others; use "
		       "'...'";
	if (has_any(value, len, "$"))
		return "a $ without single quotes: some readers put a variable in its place; use '...'";
	if (has_any(value, len, "\\"))
		return "a backslash without single quotes: readers disagree on it; use '...'";
	if (len > 0 && (value[0] == ' ' || value[0] == '\t'))
		return "white space after the = sign: part of the value to some readers";
	if (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		return "white space at the end of the line: part of the value to some readers";
	return has_odd_space(value, len) ? "white space that only some readers take for it; use '...'" : NULL;
}

static const char *quoted_objection(char quote, const char *value, size_t len)
{
	if (memchr(value, '\r', len) != NULL || !gate_is_utf8(value, len))
		return "a carriage return, a NUL byte, or not UTF-8";
	if (quote == '"' && has_any(value, len, "\\"))
		return "a backslash in double quotes: readers disagree on escapes; use '...'";
	if (quote == '"' && has_any(value, len, "$`"))
		return "a $ or ` in double quotes: some readers put a variable in its place; use '...'";
	if (memmem(value, len, "\\\\", 2) != NULL || memmem(value, len, "\\'", 2) != NULL ||
		(len > 0 && value[len - 1] == '\\'))
		return "a backslash before a backslash or quote: an escape to some readers";
	return memmem(value, len, "${", 2) != NULL
		       ? "a ${: some readers put a variable in its place even in '...'"
		       : NULL;
}

static void refuse(struct scan *scan, const struct found *found, const char *text)
{
	harvest_refuse(scan->harvest, found->key, found->key_len, found->place, text);
}

static void keep(struct scan *scan, const struct found *found, char *value, size_t len)
{
	struct secret secret = {.bytes = (unsigned char *)value, .len = len};

	if (harvest_has(scan->harvest, scan->file->path, found->key, found->key_len))
		refuse(scan, found, "set a second time in this file: readers disagree on which one counts");
	else
		harvest_add(scan->harvest, found->key, found->key_len, secret, found->place);
}

static unsigned count_lines(const char *text, size_t len)
{
	unsigned count = 0;

	for (size_t i = 0; i < len; i++)
		count += text[i] == '\n';
	return count;
}

/* A backslash hides the quote behind it here, so that one bad value does not spoil the lines after it. */
static char *closing_quote(const struct scan *scan, char *value, char quote)
{
	for (char *at = value; at < scan->end; at++) {
		if (*at == '\\' && at + 1 < scan->end && (at[1] == quote || at[1] == '\\'))
			at++;
		else if (*at == quote)
			return at;
	}
	return NULL;
}

/* The value begins with its quote at scan->at; leaves scan->at at the end of the line. */
static void take_quoted(struct scan *scan, struct found *found)
{
	char quote = *scan->at;
	char *value = scan->at + 1;
	char *close = closing_quote(scan, value, quote);

	if (close == NULL) {
		/* Nobody can tell which lines belong to the value, so no choice of keys makes this one harmless. */
		found->key_len = 0;
		refuse(scan, found, "a quote that is not closed");
		scan->at += rest_of_line(scan->at, scan->end);
		return;
	}

	size_t len = (size_t)(close - value);
	size_t tail = rest_of_line(close, scan->end);
	const char *objection = quoted_objection(quote, value, len);

	scan->line += count_lines(value, len);
	found->place.last_line = scan->line;
	scan->at = close + tail;
	if (objection == NULL && skip_blanks(close + 1) != scan->at)
		objection = "text after the closing quote: readers disagree on it";
	if (objection != NULL)
		refuse(scan, found, objection);
	else
		keep(scan, found, value, len);
}

static void take_value(struct scan *scan, struct found *found)
{
	size_t len = rest_of_line(scan->at, scan->end);
	const char *objection = unquoted_objection(scan->at, len);

	if (*scan->at == '\'' || *scan->at == '"') {
		take_quoted(scan, found);
		return;
	}
	if (objection != NULL)
		refuse(scan, found, objection);
	else
		keep(scan, found, scan->at, len);
	scan->at += len;
}

static const char *name_objection(const char *at, size_t key_len)
{
	const char *behind = at + strspn(at, " \t");

	if (key_len == 0)
		return "not NAME=value";
	if (*behind == '\n' || *behind == '\0')
		return "a name without a value: some readers take it from their own environment";
	if (*at == ':')
		return "a colon after the name: only some readers take it for =";
	return *behind == '=' ? "white space before the = sign: an error to some readers" : "not NAME=value";
}

static char *skip_export(const struct scan *scan, char *at)
{
	enum { LEN = sizeof("export") - 1 };
	bool has_word = strncmp(at, "export", LEN) == 0 && (at[LEN] == ' ' || at[LEN] == '\t');

	return has_word && scan->reader == DOTENV_LIBRARIES ? skip_blanks(at + LEN) : at;
}

static bool is_comment(const struct scan *scan, const char *at)
{
	return *at == '#' || (*at == ';' && scan->reader == DOTENV_SYSTEMD);
}

/* Takes what begins in the line at scan->at and leaves scan->at at the end of a line. */
static void take_line(struct scan *scan)
{
	size_t len = rest_of_line(scan->at, scan->end);
	char *line_end = scan->at + len;
	char *at = skip_blanks(scan->at);
	struct found found = {.place = {scan->file->path, scan->line, scan->line}};
	const char *objection = at == line_end ? NULL : line_objection(scan->at, len);

	if (objection == NULL && is_comment(scan, at) && line_end[-1] == '\\')
		objection = "a comment that ends in a backslash: to some readers the next line belongs to it";
	if (objection != NULL)
		refuse(scan, &found, objection);
	scan->at = line_end;
	if (objection != NULL || at == line_end || is_comment(scan, at))
		return;

	found.key = skip_export(scan, at);
	found.key_len = strspn(found.key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
	scan->at = found.key + found.key_len;
	if (*scan->at == '=' && found.key_len > 0) {
		scan->at++;
		take_value(scan, &found);
		return;
	}
	refuse(scan, &found, name_objection(scan->at, found.key_len));
	scan->at = line_end;
}

void dotenv_parse(struct harvest *harvest, const struct harvest_file *file, enum dotenv_reader reader)
{
	struct scan scan = {
		.harvest = harvest,
		.file = file,
		.reader = reader,
		.at = file->text,
		.end = file->text + file->len,
	};

	while (scan.at < scan.end) {
		scan.line++;
		take_line(&scan);
		if (scan.at < scan.end)
			scan.at++;
	}
}
