/*
 * One row a version.  Its state over time comes from the history: staged is an outline, current a full bar, draining a
 * half one, and a revoked version ends in a cross.  The thin line below is when runs held it.
 */
#include "report_timeline.h"

#include <string.h>

#include "report_escape.h"
#include "report_svg.h"
#include "text.h"

enum {
	STRIP_WIDTH = 368,
	STRIP_HEIGHT = 22,
	BAR_TOP = 2,
	BAR_HEIGHT = 11,
	HALF_HEIGHT = 5,
	HELD_TOP = 16,
	HELD_HEIGHT = 4,
};

/* How a state is drawn; another word is drawn as none. */
static const struct look {
	const char *state;
	const char *class;
	int y;
	int height;
} looks[] = {
	{"staged", "staged", BAR_TOP, BAR_HEIGHT},
	{"current", "current", BAR_TOP, BAR_HEIGHT},
	{"draining", "draining", BAR_TOP + BAR_HEIGHT - HALF_HEIGHT, HALF_HEIGHT},
};

struct strip {
	struct page *page;
	const struct report_entry *entry;
	const struct json_token *version;
	struct scale scale;
	char key[KEY_BYTES_MAX + 1];
};

static bool is_of(const struct strip *strip, const struct json_token *object)
{
	const struct reply *doc = &strip->page->report->doc;

	return reply_is(doc, object, "key", strip->key) &&
	       reply_integer(doc, object, "version") == reply_integer(doc, strip->version, "version");
}

static void put_cross(const struct strip *strip, int64_t at_ms)
{
	int x = svg_x(&strip->scale, at_ms);

	if (at_ms < strip->scale.from_ms || at_ms > strip->scale.until_ms)
		return;
	page_format(strip->page, "<path class=\"cross\" d=\"M%d 3l8 9m0-9l-8 9\"/>", x > 9 ? x - 9 : 0);
}

static void put_state(const struct strip *strip, const struct json_token *object, const char *member,
	int64_t from_ms, int64_t until_ms)
{
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		if (reply_is(&strip->page->report->doc, object, member, looks[i].state))
			svg_span(strip->page, &strip->scale, looks[i].class, from_ms, until_ms, looks[i].y,
				looks[i].height);
	}
}

/* Backwards from now, because the history begins with what came last. */
static void put_states(const struct strip *strip)
{
	const struct report *report = strip->page->report;
	int64_t until_ms = report_time(report, strip->entry->vault, "generated_at");
	bool is_told = false;

	for (struct report_walk walk = report_walk(report, strip->entry->whole, "history");
		report_step(&walk);) {
		int64_t at_ms = report_time(report, walk.at, "at");

		if (!reply_is(&report->doc, walk.at, "field", "state") || !is_of(strip, walk.at))
			continue;
		put_state(strip, walk.at, "new", at_ms, until_ms);
		until_ms = at_ms;
		is_told = true;
	}
	/* From before there was a history only the last state is known. */
	if (!is_told)
		put_state(strip, strip->version, "state", report_time(report, strip->version, "changed_at"),
			until_ms);
	/* Above what ends there. */
	if (reply_is(&report->doc, strip->version, "state", "revoked"))
		put_cross(strip, report_time(report, strip->version, "changed_at"));
}

static void put_held(const struct strip *strip)
{
	const struct report *report = strip->page->report;
	int64_t now_ms = report_time(report, strip->entry->vault, "generated_at");

	for (struct report_walk walk = report_walk(report, strip->entry->whole, "held");
		report_step(&walk);) {
		int64_t until_ms = report_time(report, walk.at, "until");

		if (is_of(strip, walk.at))
			svg_span(strip->page, &strip->scale, "held", report_time(report, walk.at, "from"),
				until_ms > 0 ? until_ms : now_ms, HELD_TOP, HELD_HEIGHT);
	}
}

/* What the picture says, in words. */
static void put_title(const struct strip *strip)
{
	struct page *page = strip->page;

	page_put(page, "<title>");
	page_text(page, strip->key);
	page_format(page, " version %lld: made ",
		(long long)reply_integer(&page->report->doc, strip->version, "version"));
	page_member(page, strip->version, "created_at");
	page_put(page, ", ");
	page_member(page, strip->version, "state");
	page_put(page, " since ");
	page_member(page, strip->version, "changed_at");
	page_put(page, "</title>");
}

static void put_strip(const struct strip *strip)
{
	svg_begin(strip->page, &strip->scale, STRIP_HEIGHT);
	put_title(strip);
	page_format(strip->page, "<path class=\"base\" d=\"M0 13.5H%d\"/>", strip->scale.width);
	put_states(strip);
	put_held(strip);
	svg_end(strip->page);
}

static void put_tested(const struct strip *strip)
{
	const struct reply *doc = &strip->page->report->doc;
	const struct json_token *tests = reply_array(doc, strip->version, "tests");
	const struct json_token *newest = json_first(&doc->doc, tests);

	if (newest == NULL)
		page_put(strip->page, "–");
	else
		page_put(strip->page, reply_flag(doc, newest, "passed") ? "passed" : "<b>failed</b>");
}

static void put_row(const struct strip *strip)
{
	struct page *page = strip->page;
	const struct report *report = page->report;

	page_put(page, "<tr><th scope=\"row\">");
	page_text(page, strip->key);
	page_put(page, "</th><td class=\"n\">");
	page_member(page, strip->version, "version");
	page_put(page, "</td><td>");
	page_member(page, strip->version, "state");
	page_put(page, "<br>");
	page_day(page, report_time(report, strip->version, "changed_at"));
	page_put(page, "</td><td>");
	put_strip(strip);
	page_put(page, "</td><td>");
	page_member(page, strip->version, "created_by");
	page_put(page, "<br>");
	page_day(page, report_time(report, strip->version, "created_at"));
	page_put(page, "</td><td>");
	page_day(page, report_time(report, strip->version, "expires_at"));
	page_put(page, "</td><td>");
	put_tested(strip);
	page_put(page, "</td><td class=\"n\">");
	page_member(page, strip->version, "holders");
	page_put(page, "</td><td class=\"n\">");
	page_member(page, strip->version, "fetches");
	page_put(page, "</td>");
	page_cell(page, strip->version, "issuer_ref");
	page_cell(page, strip->version, "note");
	page_put(page, "</tr>\n");
}

static void put_axis(struct page *page, const struct scale *scale)
{
	page_put(page, "<tr class=\"axis\"><td colspan=\"3\"></td><td>");
	svg_axis(page, scale);
	page_put(page, "</td><td colspan=\"7\"></td></tr>\n");
}

void report_timeline(struct page *page, const struct report_entry *entry)
{
	struct strip strip = {
		.page = page, .entry = entry, .scale = svg_scale(page->report, entry->vault, STRIP_WIDTH)};

	page_put(page, "<div class=\"box\" tabindex=\"0\" role=\"region\" aria-label=\"Versions\"><table "
		       "class=\"versions\">"
		       "<caption>Versions: states and holders over the period</caption><thead><tr>"
		       "<th scope=\"col\">Key</th><th scope=\"col\" class=\"n\">Version</th><th "
		       "scope=\"col\">State, since</th>"
		       "<th scope=\"col\">Over time</th><th scope=\"col\">Made by, on</th><th "
		       "scope=\"col\">Expires</th>"
		       "<th scope=\"col\">Last test</th><th scope=\"col\" class=\"n\">Holders</th>"
		       "<th scope=\"col\" class=\"n\">Fetches</th><th scope=\"col\">Issuer’s reference</th>"
		       "<th scope=\"col\">Note</th></tr></thead>\n<tbody>\n");
	put_axis(page, &strip.scale);
	for (struct report_walk secrets = report_walk(page->report, entry->whole, "secrets");
		report_step(&secrets);) {
		reply_text(&page->report->doc, secrets.at, "key", strip.key, sizeof(strip.key));
		for (struct report_walk versions = report_walk(page->report, secrets.at, "versions");
			report_step(&versions);) {
			strip.version = versions.at;
			put_row(&strip);
		}
	}
	page_put(page, "</tbody></table></div>\n");
}

static void put_sample(struct page *page, const char *class, int y, int height, const char *text)
{
	page_format(page,
		"<span><svg width=\"22\" height=\"%d\" aria-hidden=\"true\"><rect class=\"%s\" x=\"1\" "
		"y=\"%d\" "
		"width=\"20\" height=\"%d\"/></svg> %s</span> ",
		STRIP_HEIGHT, class, y, height, text);
}

void report_timeline_legend(struct page *page)
{
	page_put(page, "<p class=\"legend\">Versions: ");
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
		put_sample(page, looks[i].class, looks[i].y, looks[i].height, looks[i].state);
	page_format(page,
		"<span><svg width=\"12\" height=\"%d\" aria-hidden=\"true\"><path class=\"cross\" "
		"d=\"M2 3l8 9m0-9l-8 9\"/></svg> revoked</span> ",
		STRIP_HEIGHT);
	put_sample(page, "held", HELD_TOP, HELD_HEIGHT, "held by runs, with pauses of a day at most");
	page_put(page, "</p>\n");
}
