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

/*
 * Who approved it: the request for a second person whose approval gave it, in one transaction and therefore at one time.
 * A grant does not know its request.
 */
static void put_approver(struct page *page, const struct report_entry *entry, const struct json_token *grant)
{
	const struct report *report = page->report;
	int64_t given_ms = report_time(report, grant, "created_at");

	page_put(page, "<td>");
	for (struct report_walk walk = report_walk(report, entry->whole, "requests"); report_step(&walk);) {
		if (reply_is(&report->doc, walk.at, "method", "grant.add") &&
			reply_is(&report->doc, walk.at, "state", "approved") &&
			report_time(report, walk.at, "decided_at") == given_ms)
			page_member(page, walk.at, "decided_by");
	}
	page_put(page, "</td>");
}

/* The conditions, and what the credentials of its unit mean. */
static void put_rule(struct page *page, const struct json_token *grant)
{
	const struct json_token *credentials = reply_at(&page->report->doc, grant, "credentials");

	page_put(page, "<td>");
	page_member(page, grant, "rule");
	if (credentials != NULL && credentials->type == JSON_OBJECT && credentials->count > 0) {
		page_put(page, "; credentials ");
		page_member(page, grant, "credentials");
	}
	page_put(page, "</td>");
}

static void put_grant(struct page *page, const struct report_entry *entry, const struct json_token *grant)
{
	begin_row(page, entry);
	put_rule(page, grant);
	page_put(page, reply_flag(&page->report->doc, grant, "staged_only") ? "<td>staged only</td>"
									    : "<td>all current</td>");
	page_cell(page, entry->record, "title");
	page_cell(page, entry->record, "approval");
	put_when(page, grant, "created_at");
	page_cell(page, grant, "created_by");
	put_approver(page, entry, grant);
	page_put(page, "</tr>\n");
}

static void put_token(struct page *page, const struct report_entry *entry, const struct json_token *token)
{
	begin_row(page, entry);
	page_cell(page, token, "name");
	page_cell(page, token, "description");
	page_cell(page, token, "user");
	page_cell(page, token, "unit");
	page_cell(page, token, "state");
	put_when(page, token, "created_at");
	page_cell(page, token, "created_by");
	put_when(page, token, "expires_at");
	put_when(page, token, "last_used_at");
	put_when(page, token, "revoked_at");
	page_put(page, "</tr>\n");
}

static void put_request(struct page *page, const struct report_entry *entry, const struct json_token *request)
{
	begin_row(page, entry);
	page_cell(page, request, "id");
	page_put(page, "<td>");
	page_member(page, request, "method");
	page_put(page, ": ");
	page_member(page, request, "subject");
	page_put(page, "</td>");
	page_cell(page, request, "requested_by");
	put_when(page, request, "requested_at");
	page_cell(page, request, "state");
	page_cell(page, request, "decided_by");
	put_when(page, request, "decided_at");
	page_cell(page, request, "note");
	page_put(page, "</tr>\n");
}

/* A table with a row for each object of an array of the entries; a sentence where there are none. */
static const struct listing {
	const char *path;
	const char *class;
	const char *caption;
	const char *head;
	const char *none;
	void (*put)(struct page *page, const struct report_entry *entry, const struct json_token *object);
} listings[] = {
	{"grants", "grants", "Grants in force",
		"<th scope=\"col\">Integration</th><th scope=\"col\">Who: all of</th><th "
		"scope=\"col\">Values</th>"
		"<th scope=\"col\">For</th><th scope=\"col\">Approval</th><th scope=\"col\">Since</th>"
		"<th scope=\"col\">Given by</th><th scope=\"col\">Approved by</th>",
		"Nobody may fetch: there are no grants.", put_grant},
	{"tokens", "tokens", "Tokens",
		"<th scope=\"col\">Integration</th><th scope=\"col\">Token</th><th scope=\"col\">What it "
		"is</th>"
		"<th scope=\"col\">Of user</th><th scope=\"col\">In unit</th><th scope=\"col\">State</th>"
		"<th scope=\"col\">Made</th><th scope=\"col\">By</th><th scope=\"col\">Expires</th>"
		"<th scope=\"col\">Last use</th><th scope=\"col\">Revoked</th>",
		"There are no tokens.", put_token},
	{"requests", "requests", "Requests for a second person",
		"<th scope=\"col\">Integration</th><th scope=\"col\">Number</th><th scope=\"col\">What</th>"
		"<th scope=\"col\">Asked by</th><th scope=\"col\">On</th><th scope=\"col\">State</th>"
		"<th scope=\"col\">Decided by</th><th scope=\"col\">On</th><th scope=\"col\">Note</th>",
		"Nobody asked for what needs a second person.", put_request},
};

static void put_listing(struct page *page, const struct listing *listing)
{
	const struct report *report = page->report;
	size_t rows = 0;

	for (size_t i = 0; i < report->count; i++) {
		const struct report_entry *entry = &report->entries[i];

		for (struct report_walk walk = report_walk(report, entry->whole, listing->path);
			report_step(&walk);) {
			if (rows++ == 0)
				page_table(page, listing->class, listing->caption, listing->head);
			listing->put(page, entry, walk.at);
		}
	}
	if (rows > 0)
		page_end_table(page);
	else
		page_format(page, "<p>%s</p>\n", listing->none);
}

void report_access(struct page *page)
{
	page_section(page, "access", "Who has access");
	for (size_t i = 0; i < sizeof(listings) / sizeof(listings[0]); i++)
		put_listing(page, &listings[i]);
	page_end_section(page);
}
