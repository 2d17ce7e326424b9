/*
 * A strip of days for each integration.  A day's bar grows and darkens with the power of ten of its fetches, the same on
 * every row, so that rows can be compared and print keeps what the colours say.
 */
#include "report_use.h"

#include <string.h>

#include "report_svg.h"
#include "text.h"

enum { STRIP_WIDTH = 644, STRIP_HEIGHT = 18, LEVELS = 5 };

static const struct level {
	int64_t from;
	int height;
	const char *text;
} levels[LEVELS] = {
	{1, 5, "1"},
	{2, 8, "2 to 9"},
	{10, 11, "10 to 99"},
	{100, 14, "100 to 999"},
	{1000, 18, "1000 and more"},
};

struct use {
	int64_t fetches, refused, days, last_ms;
};

static int level_of(int64_t fetches)
{
	int level = 0;

	while (level + 1 < LEVELS && fetches >= levels[level + 1].from)
		level++;
	return level;
}

/* A day as usage.show writes it; 0 for what is none. */
static int64_t day_of(const struct report *report, const struct json_token *day)
{
	char text[40] = "";
	int64_t time_ms = 0;

	reply_text(&report->doc, day, "day", text, sizeof(text) - sizeof("T00:00:00Z"));
	(void)memcpy(text + strlen(text), "T00:00:00Z", sizeof("T00:00:00Z"));
	return text_time(text, strlen(text), &time_ms) ? time_ms : 0;
}

static struct use sum(const struct report *report, const struct report_entry *entry)
{
	struct use use = {0};

	for (struct report_walk walk = report_walk(report, entry->whole, "usage"); report_step(&walk);) {
		int64_t fetches = reply_integer(&report->doc, walk.at, "fetches");

		use.fetches = report_sum(use.fetches, fetches);
		use.refused = report_sum(use.refused, reply_integer(&report->doc, walk.at, "refused"));
		use.days += fetches > 0;
		if (fetches > 0)
			use.last_ms = day_of(report, walk.at);
	}
	return use;
}

static void put_bar(struct page *page, const struct scale *scale, const struct json_token *day)
{
	int64_t fetches = reply_integer(&page->report->doc, day, "fetches");
	int64_t day_ms = day_of(page->report, day);
	const struct level *level = &levels[level_of(fetches)];
	int x = svg_x(scale, day_ms);
	int width = svg_x(scale, day_ms + REPORT_DAY_MS) - x;
	char date[TIME_TEXT_BYTES] = "";

	if (fetches <= 0 || width <= 0)
		return;
	text_format_time(day_ms, date);
	page_format(page,
		"<rect class=\"u%d\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"><title>%.10s: "
		"%lld</title></rect>",
		level_of(fetches) + 1, x, STRIP_HEIGHT - level->height, width > 3 ? width - 1 : width,
		level->height, date, (long long)fetches);
}

static void put_strip(struct page *page, const struct report_entry *entry, const struct use *use)
{
	struct scale scale = svg_scale(page->report, entry->vault, STRIP_WIDTH);

	svg_begin(page, &scale, STRIP_HEIGHT);
	page_format(page, "<title>%lld fetches on %lld of %lld days</title>", (long long)use->fetches,
		(long long)use->days, (long long)((scale.until_ms - scale.from_ms) / REPORT_DAY_MS));
	page_format(page, "<path class=\"base\" d=\"M0 %d.5H%d\"/>", STRIP_HEIGHT - 1, scale.width);
	for (struct report_walk walk = report_walk(page->report, entry->whole, "usage"); report_step(&walk);)
		put_bar(page, &scale, walk.at);
	svg_end(page);
}

static void put_row(struct page *page, const struct report_entry *entry)
{
	struct use use = sum(page->report, entry);

	page_put(page, "<tr>");
	page_host(page, entry->vault);
	page_put(page, "<th scope=\"row\">");
	page_link(page, entry, reply_at(&page->report->doc, entry->record, "name"));
	page_put(page, "</th><td>");
	put_strip(page, entry, &use);
	page_format(page,
		"</td><td class=\"n\">%lld</td><td class=\"n\">%lld</td><td class=\"n\">%lld</td><td>",
		(long long)use.fetches, (long long)use.days, (long long)use.refused);
	page_day(page, use.last_ms);
	page_put(page, "</td></tr>\n");
}

static void put_legend(struct page *page)
{
	page_put(page, "<p class=\"legend\">Fetches a day: ");
	for (int i = 0; i < LEVELS; i++)
		page_format(page,
			"<span><svg width=\"8\" height=\"%d\" aria-hidden=\"true\"><rect class=\"u%d\" "
			"y=\"%d\" "
			"width=\"6\" height=\"%d\"/></svg> %s</span> ",
			STRIP_HEIGHT, i + 1, STRIP_HEIGHT - levels[i].height, levels[i].height,
			levels[i].text);
	page_put(page, "</p>\n");
}

void report_use(struct page *page)
{
	const struct report *report = page->report;

	page_section(page, "use", "Use");
	put_legend(page);
	page_table(page, "use", "Fetches by integration and day",
		"<th scope=\"col\">Integration</th><th scope=\"col\">Days</th><th scope=\"col\" "
		"class=\"n\">Fetches</th>"
		"<th scope=\"col\" class=\"n\">On days</th><th scope=\"col\" class=\"n\">Refused</th>"
		"<th scope=\"col\">Last</th>");
	for (size_t i = 0; i < report->count; i++) {
		if (i == 0 || report->entries[i].vault != report->entries[i - 1].vault) {
			struct scale scale = svg_scale(report, report->entries[i].vault, STRIP_WIDTH);

			page_format(page, "<tr class=\"axis\">%s<td></td><td>",
				report->vault_count > 1 ? "<td></td>" : "");
			svg_axis(page, &scale);
			page_put(page, "</td><td colspan=\"4\"></td></tr>\n");
		}
		put_row(page, &report->entries[i]);
	}
	page_end_table(page);
	page_end_section(page);
}
