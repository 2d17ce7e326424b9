/*
 * Figures in groups of one big number and its parts; the alerts as the daemon lists them; the heads of the chains.
 */
#include "report_overview.h"

/* The big number, and those that stand below it. */
static const struct tile {
	enum figure big;
	enum figure first;
	enum figure last;
} tiles[] = {
	{FIGURE_INTEGRATIONS, FIGURE_ACTIVE, FIGURE_SANDBOX},
	{FIGURE_SECRETS, FIGURE_STAGED, FIGURE_REVOKED},
	{FIGURE_OVERDUE, FIGURE_REVIEWS_OVERDUE, FIGURE_EXPIRED},
	{FIGURE_FETCHES, FIGURE_RUNS_FAILED, FIGURE_HOLDERS},
	{FIGURE_GRANTS, FIGURE_TOKENS, FIGURE_REVIEWS},
	{FIGURE_CRITICAL, FIGURE_WARNING, FIGURE_NOTICE},
};

static void put_figure(struct page *page, enum figure figure)
{
	page_format(page, "<div><dt>%s</dt><dd data-figure=\"%s\">%lld</dd></div>",
		report_figure_text(figure), report_figure_wire(figure),
		(long long)page->report->figures[figure]);
}

void report_figures(struct page *page)
{
	page_section(page, "figures", "At a glance");
	page_put(page, "<div class=\"tiles\">\n");
	for (size_t i = 0; i < sizeof(tiles) / sizeof(tiles[0]); i++) {
		page_put(page, "<dl class=\"tile\">");
		put_figure(page, tiles[i].big);
		for (enum figure figure = tiles[i].first; figure <= tiles[i].last; figure++)
			put_figure(page, figure);
		page_put(page, "</dl>\n");
	}
	page_put(page, "</div>\n");
	page_end_section(page);
}

static void put_acked(struct page *page, const struct json_token *alert)
{
	page_put(page, "<br><small>Seen by ");
	page_member(page, alert, "acked.by");
	page_put(page, ", quiet until ");
	page_day(page, report_time(page->report, alert, "acked.until"));
	page_put(page, ": ");
	page_member(page, alert, "acked.note");
	page_put(page, "</small>");
}

static void put_alert(struct page *page, const struct json_token *vault, const struct json_token *alert)
{
	const struct reply *doc = &page->report->doc;
	const struct json_token *name = reply_at(doc, alert, "integration");

	page_put(page, "<tr>");
	page_host(page, vault);
	page_format(page, "<td class=\"%s\"><b>",
		reply_is(doc, alert, "severity", "critical")  ? "critical"
		: reply_is(doc, alert, "severity", "warning") ? "warning"
							      : "notice");
	page_member(page, alert, "severity");
	page_put(page, "</b></td><td>");
	page_member(page, alert, "text");
	if (report_is_acked(page->report, alert))
		put_acked(page, alert);
	page_put(page, "</td><th scope=\"row\">");
	page_link(page, report_find(page->report, vault, name), name);
	page_put(page, "</th>");
	page_cell(page, alert, "key");
	page_put(page, "<td>");
	page_day(page, report_time(page->report, alert, "since"));
	page_put(page, "</td><td><code>");
	page_member(page, alert, "advice");
	page_put(page, "</code></td></tr>\n");
}

static bool has_alerts(const struct report *report)
{
	for (struct report_walk vaults = report_walk(report, NULL, "vaults"); report_step(&vaults);) {
		const struct json_token *alerts = reply_array(&report->doc, vaults.at, "alerts");

		if (alerts != NULL && alerts->count > 0)
			return true;
	}
	return false;
}

static void put_alerts(struct page *page)
{
	page_table(page, "alerts", "Alerts, most urgent first",
		"<th scope=\"col\">Severity</th><th scope=\"col\">What</th>"
		"<th scope=\"col\">Integration</th><th scope=\"col\">Key</th><th scope=\"col\">Since</th>"
		"<th scope=\"col\">Command that helps</th>");
	for (struct report_walk vaults = report_walk(page->report, NULL, "vaults"); report_step(&vaults);)
		for (struct report_walk walk = report_walk(page->report, vaults.at, "alerts");
			report_step(&walk);)
			put_alert(page, vaults.at, walk.at);
	page_end_table(page);
}

void report_attention(struct page *page)
{
	page_section(page, "attention", "What needs a look");
	if (has_alerts(page->report))
		put_alerts(page);
	else
		page_put(page, "<p>Nothing: there are no alerts.</p>\n");
	page_end_section(page);
}

static void put_head(struct page *page, const struct json_token *vault)
{
	const struct report *report = page->report;
	int64_t seq = reply_integer(&report->doc, vault, "audit.seq");
	int64_t after = reply_integer(&report->doc, vault, "audit_after.seq");

	page_put(page, "<tr><th scope=\"row\">");
	page_member(page, vault, "host");
	page_put(page, "</th><td><code>");
	page_member(page, vault, "vault");
	page_put(page, "</code></td><td>");
	page_minute(page, report_time(report, vault, "generated_at"));
	page_put(page, "</td><td class=\"n\">");
	page_member(page, vault, "audit.seq");
	page_put(page, "</td><td><code>");
	page_member(page, vault, "audit.hash");
	page_put(page, "</code></td><td class=\"n\">");
	page_format(page, "%lld", (long long)(after > seq ? after - seq : 0));
	page_put(page, "</td></tr>\n");
}

void report_chain(struct page *page)
{
	page_section(page, "chain", "Head of the audit chain");
	page_put(page,
		"<p>Keep these heads: <code>coffer audit verify --head HASH</code> finds out later whether a "
		"record "
		"up to here was changed or cut off. Records that came while the report was made may be in it "
		"in "
		"part.</p>\n<div class=\"box\" tabindex=\"0\" role=\"region\" aria-label=\"Heads\"><table>"
		"<caption>Heads</caption><thead><tr><th scope=\"col\">Host</th><th scope=\"col\">Vault</th>"
		"<th scope=\"col\">Report made</th><th scope=\"col\" class=\"n\">Records</th>"
		"<th scope=\"col\">Hash of the last</th><th scope=\"col\" class=\"n\">Came "
		"meanwhile</th></tr></thead>\n"
		"<tbody>\n");
	for (struct report_walk vaults = report_walk(page->report, NULL, "vaults"); report_step(&vaults);)
		put_head(page, vaults.at);
	page_put(page, "</tbody></table></div>\n");
	page_end_section(page);
}
