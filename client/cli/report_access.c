/*
 * Three tables: the grants in force with what their integration is for, the tokens, the requests for a second person.
 */
#include "report_access.h"

static void begin_row(struct page *page, const struct report_entry *entry)
{
	page_put(page, "<tr>");
	page_host(page, entry->vault);
	page_put(page, "<th scope=\"row\">");
	page_link(page, entry, reply_at(&page->report->doc, entry->record, "name"));
	page_put(page, "</th>");
}

static void put_when(struct page *page, const struct json_token *object, const char *path)
{
	page_put(page, "<td>");
	page_day(page, report_time(page->report, object, path));
	page_put(page, "</td>");
}

static void put_grant(struct page *page, const struct report_entry *entry, const struct json_token *grant)
{
	begin_row(page, entry);
	page_cell(page, grant, "rule");
	page_put(page, reply_flag(&page->report->doc, grant, "staged_only") ? "<td>staged only</td>"
									    : "<td>all current</td>");
	page_cell(page, entry->record, "title");
	page_cell(page, entry->record, "approval");
	put_when(page, grant, "created_at");
	page_cell(page, grant, "created_by");
	page_cell(page, grant, "approved_by");
	page_put(page, "</tr>\n");
}

static void put_grants(struct page *page)
{
	page_table(page, "grants", "Grants in force",
		"<th scope=\"col\">Integration</th><th scope=\"col\">Who: all of</th><th "
		"scope=\"col\">Values</th>"
		"<th scope=\"col\">For</th><th scope=\"col\">Approval</th><th scope=\"col\">Since</th>"
		"<th scope=\"col\">Given by</th><th scope=\"col\">Approved by</th>");
	for (size_t i = 0; i < page->report->count; i++) {
		const struct report_entry *entry = &page->report->entries[i];

		for (struct report_walk walk = report_walk(page->report, entry->whole, "grants");
			report_step(&walk);)
			put_grant(page, entry, walk.at);
	}
	page_end_table(page);
}

void report_access(struct page *page)
{
	page_section(page, "access", "Who has access");
	if (page->report->figures[FIGURE_GRANTS] == 0)
		page_put(page, "<p>Nobody: there are no grants.</p>\n");
	else
		put_grants(page);
	page_end_section(page);
}
