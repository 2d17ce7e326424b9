/*
 * The text format of OpenMetrics 1.0, as far as numbers of a vault need it: gauges and counters, no timestamps.  No type is
 * written that the older text format of Prometheus does not know, because node-exporter reads files by that.
 */
#include "openmetrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
static const char digits[] = "0123456789";

enum { NAME_BYTES = 128 };

/* [a-zA-Z_][a-zA-Z0-9_]* */
static bool is_name(const char *text)
{
	size_t len = strlen(text);
	size_t head = strspn(text, letters);
	size_t at = head;

	while (head > 0 && at < len &&
		strchr(text[at] >= '0' && text[at] <= '9' ? digits : letters, text[at]) != NULL)
		at++;
	return head > 0 && at == len;
}

/* What a terminal or a line could not bear was made \x.. before, so that backslashes and quotes are all that is left. */
static void append_escaped(struct buf *out, const struct reply *reply, const struct json_token *text)
{
	BUF_AUTO plain = {0};

	if (text != NULL && text->type == JSON_STRING && text->len > 0)
		reply_show(&plain, reply, text, SHOW_TEXT);
	for (size_t i = 0; i < plain.len; i++) {
		if (plain.bytes[i] == '\\' || plain.bytes[i] == '"')
			buf_append_byte(out, '\\');
		buf_append_byte(out, plain.bytes[i]);
	}
	out->has_failed |= buf_failed(&plain);
}

static void append_number(struct buf *out, int64_t value)
{
	char text[32] = "";

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	buf_append_string(out, text);
}

static void append_line(struct buf *out, const char *keyword, const char *name, const char *text)
{
	buf_append_string(out, keyword);
	buf_append_string(out, name);
	buf_append_byte(out, ' ');
	buf_append_string(out, text);
	buf_append_byte(out, '\n');
}

void openmetrics_gauge(struct buf *out, const char *name, const char *help, int64_t value)
{
	append_line(out, "# TYPE ", name, "gauge");
	append_line(out, "# HELP ", name, help);
	buf_append_string(out, name);
	buf_append_byte(out, ' ');
	append_number(out, value);
	buf_append_byte(out, '\n');
}

/* ---- samples ---- */

/* Are all names of labels such?  Two of one name the gate has refused already. */
static bool has_good_labels(const struct reply *reply, const struct json_token *labels)
{
	for (const struct json_token *t = json_first(&reply->doc, labels); t != NULL;
		t = json_next(&reply->doc, labels, t)) {
		char name[NAME_BYTES] = "";
		size_t len = 0;

		if (json_text(&reply->doc, t, name, sizeof(name), &len) != OK || !is_name(name) ||
			(t + 1)->type != JSON_STRING)
			return false;
	}
	return labels != NULL && labels->type == JSON_OBJECT;
}

static void append_labels(struct buf *out, const struct reply *reply, const struct json_token *labels)
{
	if (labels->count == 0)
		return;
	for (const struct json_token *t = json_first(&reply->doc, labels); t != NULL;
		t = json_next(&reply->doc, labels, t)) {
		buf_append_byte(out, t == labels + 1 ? '{' : ',');
		buf_append(out, json_raw(&reply->doc, t), t->len);
		buf_append_string(out, "=\"");
		append_escaped(out, reply, t + 1);
		buf_append_byte(out, '"');
	}
	buf_append_byte(out, '}');
}

struct family {
	char name[NAME_BYTES];
	char type[16];
	char unit[NAME_BYTES];
	int64_t created_ms; /* 0: not told */
};

static void append_sample(struct buf *out, const struct reply *reply, const struct family *family,
	const struct json_token *sample)
{
	const struct json_token *labels = reply_at(reply, sample, "labels");
	const struct json_token *value = reply_at(reply, sample, "value");
	bool is_counter = strcmp(family->type, "counter") == 0;

	if (value == NULL || value->type != JSON_INTEGER || !has_good_labels(reply, labels) ||
		(is_counter && reply_integer(reply, sample, "value") < 0))
		return;
	buf_append_string(out, family->name);
	buf_append_string(out, is_counter ? "_total" : "");
	append_labels(out, reply, labels);
	buf_append_byte(out, ' ');
	append_number(out, reply_integer(reply, sample, "value"));
	buf_append_byte(out, '\n');
	if (!is_counter || family->created_ms == 0)
		return;
	buf_append_string(out, family->name);
	buf_append_string(out, "_created");
	append_labels(out, reply, labels);
	buf_append_byte(out, ' ');
	append_number(out, family->created_ms / 1000);
	buf_append_byte(out, '\n');
}

/* ---- families ---- */

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);
	size_t end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static bool read_family(const struct reply *reply, const struct json_token *token, struct family *out)
{
	reply_text(reply, token, "name", out->name, sizeof(out->name));
	reply_text(reply, token, "type", out->type, sizeof(out->type));
	reply_text(reply, token, "unit", out->unit, sizeof(out->unit));
	out->created_ms = reply_time(reply, token, "created");
	return is_name(out->name) && (strcmp(out->type, "gauge") == 0 || strcmp(out->type, "counter") == 0) &&
	       (*out->unit == '\0' || (is_name(out->unit) && ends_with(out->name, out->unit)));
}

static void append_family(struct buf *out, const struct reply *reply, const struct json_token *token)
{
	const struct json_token *samples = reply_array(reply, token, "samples");
	struct family family = {0};

	if (!read_family(reply, token, &family))
		return;
	append_line(out, "# TYPE ", family.name, family.type);
	if (*family.unit != '\0')
		append_line(out, "# UNIT ", family.name, family.unit);
	buf_append_string(out, "# HELP ");
	buf_append_string(out, family.name);
	buf_append_byte(out, ' ');
	append_escaped(out, reply, reply_at(reply, token, "help"));
	buf_append_byte(out, '\n');
	for (const struct json_token *t = json_first(&reply->doc, samples); t != NULL;
		t = json_next(&reply->doc, samples, t))
		append_sample(out, reply, &family, t);
}

/* The format wants each family once. */
static bool is_told(
	const struct reply *reply, const struct json_token *families, const struct json_token *token)
{
	char name[NAME_BYTES] = "";

	reply_text(reply, token, "name", name, sizeof(name));
	for (const struct json_token *t = json_first(&reply->doc, families); t != token;
		t = json_next(&reply->doc, families, t)) {
		if (reply_is(reply, t, "name", name))
			return true;
	}
	return false;
}

void openmetrics_families(struct buf *out, const struct reply *reply, const struct json_token *families)
{
	for (const struct json_token *t = json_first(&reply->doc, families); t != NULL;
		t = json_next(&reply->doc, families, t)) {
		if (!is_told(reply, families, t))
			append_family(out, reply, t);
	}
}

void openmetrics_end(struct buf *out)
{
	buf_append_string(out, "# EOF\n");
}
