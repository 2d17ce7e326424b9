/*
 * What coffer doctor has found, for people: the findings one by one, then what was not looked at, then the sum.
 */
#include "doctor.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "table.h"

enum { NARROW = 40, INDENT = 2 };

/* Columns of the terminal that standard output is; 0: it is none, and lines stay whole. */
static size_t terminal_width(void)
{
	struct winsize size = {0};

	if (isatty(STDOUT_FILENO) != 1 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col < NARROW ? 0 : size.ws_col;
}

/* Breaks between words.  One that is longer than a line, such as a path, is the terminal's to break. */
static void print_words(const char *text, size_t width)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (column > 0 && width > 0 && column + 1 + len > width) {
			puts("");
			column = 0;
		}
		if (column == 0)
			printf("%*s%.*s", INDENT, "", (int)len, text);
		else
			printf(" %.*s", (int)len, text);
		column += (column == 0 ? INDENT : 1) + len;
		text += len + (text[len] == ' ');
	}
	puts("");
}

static void append(
	struct buf *buf, const struct reply *reply, const struct json_token *finding, const char *path)
{
	reply_show(buf, reply, reply_at(reply, finding, path), SHOW_TEXT);
	buf_append_byte(buf, '\0');
}

/* The mend stays whole, to be copied. */
static enum err print_finding(const struct reply *reply, const struct json_token *finding, size_t width)
{
	BUF_AUTO severity = {0};
	BUF_AUTO id = {0};
	BUF_AUTO text = {0};
	BUF_AUTO mend = {0};

	append(&severity, reply, finding, "severity");
	append(&id, reply, finding, "id");
	append(&text, reply, finding, "text");
	append(&mend, reply, finding, "mend");
	if (buf_failed(&severity) || buf_failed(&id) || buf_failed(&text) || buf_failed(&mend))
		return ERR_INTERNAL;
	printf("%s: %s\n", severity.bytes, id.bytes);
	print_words(text.bytes, width);
	printf("%*smend: %s\n\n", INDENT, "", mend.bytes);
	return OK;
}

static const struct column unchecked[] = {
	{"NOT CHECKED", "id", SHOW_STATE},
	{"WHETHER", "text", SHOW_TEXT},
	{"BECAUSE", "reason", SHOW_TEXT},
	{0},
};

static const struct column left_out[] = {
	{"LEFT OUT", "id", SHOW_STATE},
	{"WHETHER", "text", SHOW_TEXT},
	{0},
};

/* Checks in a state, or with a reason (state NULL), as a list of their own. */
static size_t pick(const struct reply *reply, const char *state, struct buf *out)
{
	const struct json_token *all = reply_array(reply, NULL, "checks");
	size_t count = 0;

	buf_append_string(out, "{\"checks\":[");
	for (const struct json_token *t = json_first(&reply->doc, all); t != NULL;
		t = json_next(&reply->doc, all, t)) {
		const struct json_token *reason = reply_at(reply, t, "reason");
		bool is_one = state != NULL ? reply_is(reply, t, "state", state)
					    : reason != NULL && reason->type == JSON_STRING;

		if (!is_one)
			continue;
		buf_append_string(out, count++ > 0 ? "," : "");
		buf_append(out, json_raw(&reply->doc, t), t->len);
	}
	buf_append_string(out, "]}");
	return count;
}

static enum err print_checks(
	const struct reply *reply, const char *state, const struct column *columns, size_t *count_out)
{
	BUF_AUTO text = {0};
	REPLY_AUTO picked = {0};
	size_t count = pick(reply, state, &text);
	enum err err = buf_failed(&text) ? ERR_INTERNAL : reply_read(&picked, text.bytes, text.len);

	*count_out = count;
	if (err != OK || count == 0)
		return err;
	err = table_print(&picked, reply_array(&picked, NULL, "checks"), columns);
	puts("");
	return err;
}

enum err doctor_print(const struct reply *reply)
{
	const struct json_token *findings = reply_array(reply, NULL, "findings");
	const struct json_token *checks = reply_array(reply, NULL, "checks");
	size_t not_checked = 0;
	size_t excepted = 0;
	size_t width = terminal_width();
	enum err err = OK;

	for (const struct json_token *t = json_first(&reply->doc, findings); err == OK && t != NULL;
		t = json_next(&reply->doc, findings, t))
		err = print_finding(reply, t, width);
	if (err == OK)
		err = print_checks(reply, NULL, unchecked, &not_checked);
	if (err == OK)
		err = print_checks(reply, "left_out", left_out, &excepted);
	printf("%u checks: %lld problem%s, %lld advice, %zu not checked or not wholly, %zu left out\n",
		checks == NULL ? 0 : checks->count, (long long)reply_integer(reply, NULL, "problems"),
		reply_integer(reply, NULL, "problems") == 1 ? "" : "s",
		(long long)reply_integer(reply, NULL, "advice"), not_checked, excepted);
	return err;
}
