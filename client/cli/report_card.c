/*
 * A card for each integration: its record, its secrets with their versions, its changes.  The fields are shown as the
 * daemon lists them, so one that a later version documents is here without another line; those that are empty are named,
 * because what nobody wrote down is what an auditor asks for.
 */
#include "report_card.h"

#include <string.h>

#include "report_escape.h"
#include "report_timeline.h"
#include "text.h"

/* More cards than this begin closed; print opens them. */
enum { OPEN_CARDS_MAX = 40, HISTORY_SHOWN = 40, LABEL_BYTES = 48 };

static bool is_empty(const struct json_token *value)
{
	return value->type == JSON_NULL || (value->type == JSON_STRING && value->len == 0) ||
	       ((value->type == JSON_ARRAY || value->type == JSON_OBJECT) && value->count == 0);
}

/* "backup_contact" → "backup contact" */
static void put_label(struct page *page, const struct json_token *key)
{
	char label[LABEL_BYTES] = "";
	size_t len = 0;

	if (json_text(&page->report->doc.doc, key, label, sizeof(label), &len) != OK)
		return;
	for (char *c = label; *c != '\0'; c++)
		*c = *c == '_' ? ' ' : *c;
	page_text(page, label);
}

static bool ends_in_at(const struct report *report, const struct json_token *key)
{
	return key->len > 3 && memcmp(json_raw(&report->doc.doc, key) + key->len - 3, "_at", 3) == 0;
}

static void put_field(struct page *page, const struct json_token *key)
{
	const struct json_token *value = key + 1;
	int64_t time_ms = ends_in_at(page->report, key) ? report_time(page->report, value, "") : 0;

	page_put(page, "<div><dt>");
	put_label(page, key);
	page_put(page, "</dt><dd>");
	if (time_ms > 0)
		page_minute(page, time_ms);
	else
		page_value(page, value);
	page_put(page, "</dd></div>\n");
}

static void put_fields(struct page *page, const struct report_entry *entry)
{
	const struct json_doc *doc = &page->report->doc.doc;
	size_t empty = 0;

	page_put(page, "<dl>\n");
	for (const struct json_token *t = json_first(doc, entry->record); t != NULL;
		t = json_next(doc, entry->record, t)) {
		if (!is_empty(t + 1))
			put_field(page, t);
	}
	page_put(page, "</dl>\n");
	for (const struct json_token *t = json_first(doc, entry->record); t != NULL;
		t = json_next(doc, entry->record, t)) {
		if (!is_empty(t + 1))
			continue;
		page_put(page, empty++ == 0 ? "<p class=\"missing\">Not documented: " : ", ");
		put_label(page, t);
	}
	page_put(page, empty > 0 ? ".</p>\n" : "");
}

static void put_secret(struct page *page, const struct report_entry *entry, const struct json_token *secret)
{
	const struct report *report = page->report;
	int64_t rotate_ms = report_time(report, secret, "rotate_at");
	bool is_late = rotate_ms > 0 && rotate_ms <= report_time(report, entry->vault, "generated_at");

	page_put(page, "<tr><th scope=\"row\">");
	page_member(page, secret, "key");
	page_put(page, "</th>");
	page_cell(page, secret, "description");
	page_cell(page, secret, "issuer");
	page_cell(page, secret, "access");
	page_format(page, "<td%s>", is_late ? " class=\"late\"" : "");
	page_day(page, rotate_ms);
	page_format(page, "%s</td></tr>\n", is_late ? " <b>overdue</b>" : "");
}

static void put_secrets(struct page *page, const struct report_entry *entry)
{
	const struct json_token *secrets = reply_array(&page->report->doc, entry->whole, "secrets");

	if (secrets == NULL || secrets->count == 0) {
		page_put(page, "<p>No secrets.</p>\n");
		return;
	}
	page_put(page, "<div class=\"box\" tabindex=\"0\" role=\"region\" "
		       "aria-label=\"Secrets\"><table><caption>Secrets"
		       "</caption><thead><tr><th scope=\"col\">Key</th><th scope=\"col\">What it is</th>"
		       "<th scope=\"col\">Made, and to be deleted, at</th><th scope=\"col\">Access</th>"
		       "<th scope=\"col\">Rotation due</th></tr></thead>\n<tbody>\n");
	for (struct report_walk walk = report_walk(page->report, entry->whole, "secrets");
		report_step(&walk);)
		put_secret(page, entry, walk.at);
	page_put(page, "</tbody></table></div>\n");
	report_timeline(page, entry);
}

static void put_change(struct page *page, const struct json_token *change)
{
	page_put(page, "<tr><td>");
	page_minute(page, report_time(page->report, change, "at"));
	page_put(page, "</td>");
	page_cell(page, change, "by");
	page_cell(page, change, "approved_by");
	page_cell(page, change, "key");
	page_cell(page, change, "version");
	page_put(page, "<th scope=\"row\">");
	page_member(page, change, "field");
	page_put(page, "</th>");
	page_cell(page, change, "old");
	page_cell(page, change, "new");
	page_cell(page, change, "reason");
	page_put(page, "</tr>\n");
}

static void put_history(struct page *page, const struct report_entry *entry)
{
	const struct json_token *history = reply_array(&page->report->doc, entry->whole, "history");
	size_t shown = 0;

	if (history == NULL || history->count == 0)
		return;
	page_put(page,
		"<div class=\"box\" tabindex=\"0\" role=\"region\" aria-label=\"Changes\"><table "
		"class=\"changes\">"
		"<caption>Changes, newest first</caption><thead><tr><th scope=\"col\">When</th>"
		"<th scope=\"col\">Who</th><th scope=\"col\">Approved by</th><th scope=\"col\">Key</th>"
		"<th scope=\"col\">Version</th><th scope=\"col\">What</th><th scope=\"col\">Before</th>"
		"<th scope=\"col\">After</th><th scope=\"col\">Why</th></tr></thead>\n<tbody>\n");
	for (struct report_walk walk = report_walk(page->report, entry->whole, "history");
		report_step(&walk) && shown < HISTORY_SHOWN; shown++)
		put_change(page, walk.at);
	page_put(page, "</tbody></table></div>\n");
	if (history->count > HISTORY_SHOWN)
		page_format(page, "<p>%u changes in all; the other ones are in the report in JSON.</p>\n",
			history->count);
}

static void put_runs(struct page *page, const struct report_entry *entry)
{
	static const char *const ends[] = {"ok", "failed", "running", "unknown"};
	const struct reply *doc = &page->report->doc;
	const struct json_token *runs = reply_at(doc, entry->whole, "runs");

	if (runs == NULL || runs->type != JSON_OBJECT)
		return;
	page_format(page, "<p>Runs in the period: %s%lld started",
		reply_flag(doc, runs, "more") ? "at least " : "",
		(long long)reply_integer(doc, runs, "started"));
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		page_format(page, ", %lld %s", (long long)reply_integer(doc, runs, ends[i]), ends[i]);
	page_put(page, ".</p>\n");
}

static void put_holder(struct page *page, const struct json_token *holder)
{
	page_put(page, "<tr><th scope=\"row\">");
	page_member(page, holder, "key");
	page_put(page, "</th>");
	page_cell(page, holder, "version");
	page_cell(page, holder, "holder");
	page_cell(page, holder, "pid");
	page_cell(page, holder, "user");
	page_cell(page, holder, "exe");
	page_cell(page, holder, "unit");
	page_put(page, "<td>");
	page_minute(page, report_time(page->report, holder, "since"));
	page_put(page, "</td></tr>\n");
}

static void put_holders(struct page *page, const struct report_entry *entry)
{
	const struct json_token *holders = reply_array(&page->report->doc, entry->whole, "holders");

	if (holders == NULL || holders->count == 0)
		return;
	page_put(page,
		"<div class=\"box\" tabindex=\"0\" role=\"region\" "
		"aria-label=\"Holders\"><table><caption>Who may "
		"hold a version now</caption><thead><tr><th scope=\"col\">Key</th><th "
		"scope=\"col\">Version</th>"
		"<th scope=\"col\">Holder</th><th scope=\"col\">Process</th><th scope=\"col\">User</th>"
		"<th scope=\"col\">Program</th><th scope=\"col\">Unit</th><th "
		"scope=\"col\">Since</th></tr></thead>\n"
		"<tbody>\n");
	for (struct report_walk walk = report_walk(page->report, entry->whole, "holders");
		report_step(&walk);)
		put_holder(page, walk.at);
	page_put(page, "</tbody></table></div>\n");
}

static void put_card(struct page *page, const struct report_entry *entry)
{
	const struct report *report = page->report;

	page_format(page, "<details class=\"card\" id=\"i%td\"%s>\n<summary><h3>", entry - report->entries,
		report->count <= OPEN_CARDS_MAX ? " open" : "");
	page_member(page, entry->record, "name");
	page_put(page, "</h3> <span class=\"tag\">");
	page_member(page, entry->record, "state");
	page_put(page, "</span> <span class=\"tag\">");
	page_member(page, entry->record, "environment");
	page_put(page, "</span> <span class=\"owner\">");
	if (report->vault_count > 1) {
		page_member(page, entry->vault, "host");
		page_put(page, " · ");
	}
	page_member(page, entry->record, "owner");
	page_put(page, "</span></summary>\n");
	put_fields(page, entry);
	put_secrets(page, entry);
	put_runs(page, entry);
	put_holders(page, entry);
	put_history(page, entry);
	page_put(page, "</details>\n");
}

void report_inventory(struct page *page)
{
	page_section(page, "inventory", "Inventory");
	if (page->report->count == 0)
		page_put(page, "<p>No integrations.</p>\n");
	else
		report_timeline_legend(page);
	for (size_t i = 0; i < page->report->count; i++)
		put_card(page, &page->report->entries[i]);
	page_end_section(page);
}
