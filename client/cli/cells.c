/*
 * Objects in a word or two: holders, runs, verdicts.  Text of other people's making comes from reply_show alone.
 */
#include "cells.h"

#include <stdio.h>

static void show_member(
	struct buf *buf, const struct reply *reply, const struct json_token *object, const char *path)
{
	reply_show(buf, reply, reply_at(reply, object, path), SHOW_TEXT);
}

static void show_holder(struct buf *buf, const struct reply *reply, const struct json_token *holder)
{
	if (reply_is(reply, holder, "holder", "process"))
		show_member(buf, reply, holder, "pid");
	else if (reply_is(reply, holder, "holder", "unit"))
		buf_append_string(
			buf, reply_flag(reply, holder, "delivered") ? "the unit" : "children may hold");
	else
		buf_append_string(buf, "unknown");
}

static void show_versions(struct buf *buf, const struct reply *reply, const struct json_token *versions)
{
	const struct json_token *array = versions->type == JSON_ARRAY ? versions : NULL;

	if (array == NULL || array->count == 0)
		buf_append_byte(buf, '-');
	for (const struct json_token *t = json_first(&reply->doc, array); t != NULL;
		t = json_next(&reply->doc, array, t)) {
		buf_append_string(buf, t == array + 1 ? "" : " ");
		show_member(buf, reply, t, "key");
		buf_append_byte(buf, '=');
		show_member(buf, reply, t, "version");
	}
}

static bool is_number(const struct reply *reply, const struct json_token *object, const char *path)
{
	const struct json_token *value = reply_at(reply, object, path);

	return value != NULL && value->type == JSON_INTEGER;
}

static void show_end(struct buf *buf, const struct reply *reply, const struct json_token *run)
{
	if (is_number(reply, run, "exit_status")) {
		buf_append_string(buf, "exit ");
		show_member(buf, reply, run, "exit_status");
	} else if (is_number(reply, run, "signal")) {
		buf_append_string(buf, "signal ");
		show_member(buf, reply, run, "signal");
	} else if (reply_is(reply, run, "state", "again")) {
		buf_append_string(buf, "fetched again");
	} else {
		show_member(buf, reply, run, "state");
	}
}

static void show_verdict(struct buf *buf, const struct reply *reply, const struct json_token *passed)
{
	(void)reply;
	buf_append_string(buf, passed->type == JSON_TRUE ? "passed" : "failed");
}

/* Enough to tell two commands apart. */
static void show_digest(struct buf *buf, const struct reply *reply, const struct json_token *digest)
{
	enum { SHORT_LEN = 12 };
	struct json_token head = *digest;

	if (head.type == JSON_STRING && !head.has_escape && head.len > SHORT_LEN)
		head.len = SHORT_LEN;
	reply_show(buf, reply, &head, SHOW_TEXT);
}

static void show_duration(struct buf *buf, const struct reply *reply, const struct json_token *duration)
{
	char text[48] = "";
	int64_t ms = 0;

	if (json_integer(&reply->doc, duration, &ms) != OK)
		(void)snprintf(text, sizeof(text), "-");
	else if (ms < 10000)
		(void)snprintf(text, sizeof(text), "%lld ms", (long long)ms);
	else
		(void)snprintf(text, sizeof(text), "%lld s", (long long)(ms / 1000));
	buf_append_string(buf, text);
}

/* Rounded down, so that no limit looks reached before it is, and no room larger than it is. */
static void show_bytes(struct buf *buf, const struct reply *reply, const struct json_token *bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	char text[48] = "";
	int64_t size = 0;
	int64_t tenths = 0;
	size_t unit = 0;

	if (json_integer(&reply->doc, bytes, &size) != OK || size < 0) {
		buf_append_byte(buf, '-');
		return;
	}
	for (; size >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++) {
		tenths = size % 1024 * 10 / 1024;
		size /= 1024;
	}
	if (unit == 0)
		(void)snprintf(text, sizeof(text), "%lld %s", (long long)size, units[unit]);
	else
		(void)snprintf(
			text, sizeof(text), "%lld.%lld %s", (long long)size, (long long)tenths, units[unit]);
	buf_append_string(buf, text);
}

static void show_conditions(struct buf *buf, const struct reply *reply, const struct json_token *conditions)
{
	const struct json_token *array = conditions->type == JSON_ARRAY ? conditions : NULL;

	if (array == NULL || array->count == 0)
		buf_append_byte(buf, '-');
	for (const struct json_token *t = json_first(&reply->doc, array); t != NULL;
		t = json_next(&reply->doc, array, t)) {
		buf_append_string(buf, t == array + 1 ? "" : ", ");
		show_member(buf, reply, t, "condition");
		buf_append_string(buf, reply_flag(reply, t, "holds") ? ": yes" : ": no (");
		if (reply_flag(reply, t, "holds"))
			continue;
		show_member(buf, reply, t, "reason");
		buf_append_byte(buf, ')');
	}
}

void cells_show(struct buf *buf, const struct reply *reply, const struct json_token *value, enum show show)
{
	static void (*const cells[])(struct buf *, const struct reply *, const struct json_token *) = {
		[SHOW_HOLDER] = show_holder,
		[SHOW_VERSIONS] = show_versions,
		[SHOW_END] = show_end,
		[SHOW_VERDICT] = show_verdict,
		[SHOW_DIGEST] = show_digest,
		[SHOW_DURATION] = show_duration,
		[SHOW_BYTES] = show_bytes,
		[SHOW_CONDITIONS] = show_conditions,
	};

	bool is_there = value != NULL && value->type != JSON_NULL;

	if (is_there && (size_t)show < sizeof(cells) / sizeof(cells[0]) && cells[show] != NULL)
		cells[show](buf, reply, value);
	else
		reply_show(buf, reply, value, show);
}
