/*
 * Rotations, reviews and ends of validity by month: first what is overdue, then what comes, a year ahead in bars and in
 * tables, and how much comes later.
 */
#include "report_calendar.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { MONTHS_AHEAD = 12, MONTH_LEN = sizeof("2026-11") - 1 };

struct due {
	const char *what;
	int64_t at_ms;
	bool is_overdue;
	const struct report_entry *entry;
	const struct json_token *key; /* NULL: of the integration */
};

struct calendar {
	const struct report *report;
	struct due *list; /* owned */
	size_t count;
	size_t cap;
	bool has_failed;
};

static void clear_calendar(struct calendar *calendar)
{
	free(calendar->list);
}

#define CALENDAR_AUTO __attribute__((cleanup(clear_calendar))) struct calendar

static void add(struct calendar *calendar, const struct due *due)
{
	if (due->at_ms == 0)
		return;
	if (calendar->count == calendar->cap) {
		size_t cap = calendar->cap == 0 ? 64 : calendar->cap * 2;
		struct due *grown = reallocarray(calendar->list, cap, sizeof(*grown));

		calendar->has_failed |= grown == NULL;
		if (grown == NULL)
			return;
		calendar->list = grown;
		calendar->cap = cap;
	}

	struct due *added = &calendar->list[calendar->count++];

	*added = *due;
	added->is_overdue = due->at_ms <= report_time(calendar->report, due->entry->vault, "generated_at");
}

static void add_secret(
	struct calendar *calendar, const struct report_entry *entry, const struct json_token *secret)
{
	const struct report *report = calendar->report;
	struct due due = {.entry = entry, .key = reply_at(&report->doc, secret, "key")};

	due.what = "Rotate";
	due.at_ms = report_time(report, secret, "rotate_at");
	add(calendar, &due);
	for (struct report_walk walk = report_walk(report, secret, "versions"); report_step(&walk);) {
		bool is_out = reply_is(&report->doc, walk.at, "state", "current") ||
			      reply_is(&report->doc, walk.at, "state", "staged");

		due.what = "Version expires";
		due.at_ms = is_out ? report_time(report, walk.at, "expires_at") : 0;
		add(calendar, &due);
	}
}

static void add_entry(struct calendar *calendar, const struct report_entry *entry)
{
	const struct report *report = calendar->report;
	bool is_retired = reply_is(&report->doc, entry->record, "state", "retired");

	for (struct report_walk walk = report_walk(report, entry->whole, "secrets"); report_step(&walk);)
		add_secret(calendar, entry, walk.at);
	add(calendar, &(struct due){.what = "Review",
			      .entry = entry,
			      .at_ms = report_time(report, entry->whole, "review_at")});
	add(calendar, &(struct due){.what = "Integration expires",
			      .entry = entry,
			      .at_ms = is_retired ? 0 : report_time(report, entry->record, "expires_at")});
}

static int compare(const void *a, const void *b)
{
	const struct due *left = a;
	const struct due *right = b;

	/* In a merged report each vault has its own today. */
	if (left->is_overdue != right->is_overdue)
		return left->is_overdue ? -1 : 1;
	if (left->at_ms != right->at_ms)
		return left->at_ms < right->at_ms ? -1 : 1;
	return (left->entry > right->entry) - (left->entry < right->entry);
}

static void put_due(struct page *page, const struct due *due)
{
	page_format(page, "<tr%s>", due->is_overdue ? " class=\"late\"" : "");
	page_host(page, due->entry->vault);
	page_put(page, "<td>");
	page_day(page, due->at_ms);
	page_format(page, "%s</td><td>%s</td><th scope=\"row\">", due->is_overdue ? " <b>overdue</b>" : "",
		due->what);
	page_link(page, due->entry, reply_at(&page->report->doc, due->entry->record, "name"));
	page_put(page, "</th><td>");
	page_value(page, due->key);
	page_put(page, "</td>");
	page_cell(page, due->entry->record, "owner");
	page_put(page, "</tr>\n");
}

/* One group of rows under a heading of their own. */
static void put_group(
	struct page *page, const char *id, const char *heading, const struct due *list, size_t count)
{
	page_format(page,
		"<tbody id=\"m%s\"><tr class=\"group\"><th scope=\"rowgroup\" colspan=\"%d\">%s</th></tr>\n",
		id, page->report->vault_count > 1 ? 6 : 5, heading);
	for (size_t i = 0; i < count; i++)
		put_due(page, &list[i]);
	page_put(page, "</tbody>\n");
}

/* ---- months ---- */

struct month {
	char name[MONTH_LEN + 1];
	const struct due *first;
	size_t count;
};

static void name_month(int64_t time_ms, char out[MONTH_LEN + 1])
{
	char text[TIME_TEXT_BYTES] = "";

	text_format_time(time_ms, text);
	memcpy(out, text, MONTH_LEN);
	out[MONTH_LEN] = '\0';
}

static void next_month(char name[MONTH_LEN + 1])
{
	long year = strtol(name, NULL, 10);
	long month = strtol(name + strlen("2026-"), NULL, 10) % 12 + 1;
	char text[48] = "";

	(void)snprintf(text, sizeof(text), "%04ld-%02ld", year + (month == 1), month);
	memcpy(name, text, MONTH_LEN);
}

/* The months from that of the report on, each with its part of what is due; returns how many fell into none. */
static size_t fill_months(
	struct month months[MONTHS_AHEAD], int64_t from_ms, const struct due *list, size_t count)
{
	size_t at = 0;
	char name[MONTH_LEN + 1] = "";

	name_month(from_ms, name);
	for (size_t i = 0; i < MONTHS_AHEAD; i++) {
		char due_in[MONTH_LEN + 1] = "";

		months[i] = (struct month){.first = list + at};
		memcpy(months[i].name, name, sizeof(name));
		for (; at < count; at++) {
			name_month(list[at].at_ms, due_in);
			if (strcmp(due_in, name) > 0)
				break;
			months[i].count++;
		}
		next_month(name);
	}
	return count - at;
}

static void put_bar(
	struct page *page, const char *href, const char *label, size_t count, size_t most, const char *class)
{
	enum { BAR_WIDTH = 320 };
	int width = count == 0 ? 0 : (int)(count * BAR_WIDTH / most) + 2;

	page_format(page, "<tr><th scope=\"row\">");
	if (href != NULL && count > 0)
		page_format(page, "<a href=\"#m%s\">%s</a>", href, label);
	else
		page_put(page, label);
	page_format(page,
		"</th><td class=\"n\">%zu</td><td><svg width=\"%d\" height=\"12\" aria-hidden=\"true\">"
		"<rect class=\"%s\" width=\"%d\" height=\"12\"/></svg></td></tr>\n",
		count, BAR_WIDTH + 2, class, width);
}

static void put_bars(struct page *page, size_t overdue, const struct month months[MONTHS_AHEAD], size_t later)
{
	size_t most = overdue > later ? overdue : later;

	for (size_t i = 0; i < MONTHS_AHEAD; i++)
		most = months[i].count > most ? months[i].count : most;
	page_put(page, "<div class=\"box\"><table class=\"months\"><caption>Due by month</caption><tbody>\n");
	put_bar(page, "late", "Overdue", overdue, most, "late");
	for (size_t i = 0; i < MONTHS_AHEAD; i++)
		put_bar(page, months[i].name, months[i].name, months[i].count, most, "soon");
	put_bar(page, NULL, "Later", later, most, "soon");
	page_put(page, "</tbody></table></div>\n");
}

static void put_calendar(struct page *page, const struct calendar *calendar)
{
	struct month months[MONTHS_AHEAD] = {0};
	size_t overdue = 0;

	while (overdue < calendar->count && calendar->list[overdue].is_overdue)
		overdue++;

	size_t later = fill_months(months, report_time(page->report, NULL, "generated_at"),
		calendar->list + overdue, calendar->count - overdue);

	put_bars(page, overdue, months, later);
	page_table(page, "due", "What is due",
		"<th scope=\"col\">Day</th><th scope=\"col\">What</th><th scope=\"col\">Integration</th>"
		"<th scope=\"col\">Key</th><th scope=\"col\">Owner</th>");
	if (overdue > 0)
		put_group(page, "late", "Overdue", calendar->list, overdue);
	for (size_t i = 0; i < MONTHS_AHEAD; i++) {
		if (months[i].count > 0)
			put_group(page, months[i].name, months[i].name, months[i].first, months[i].count);
	}
	page_end_table(page);
}

enum err report_calendar(struct page *page)
{
	CALENDAR_AUTO calendar = {.report = page->report};

	for (size_t i = 0; i < page->report->count; i++)
		add_entry(&calendar, &page->report->entries[i]);
	if (calendar.has_failed)
		return ERR_INTERNAL;
	if (calendar.count > 0)
		qsort(calendar.list, calendar.count, sizeof(*calendar.list), compare);
	page_section(page, "calendar", "Rotation calendar");
	if (calendar.count == 0)
		page_put(page, "<p>Nothing is due, now or later.</p>\n");
	else
		put_calendar(page, &calendar);
	page_end_section(page);
	return OK;
}
