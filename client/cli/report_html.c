/*
 * The frame of the page.  The policy forbids whatever could be smuggled in through a text, should its escaping ever fail:
 * scripts, other styles, anything from elsewhere, forms and another base.
 */
#include "report_html.h"

#include "report_access.h"
#include "report_calendar.h"
#include "report_card.h"
#include "report_overview.h"
#include "report_page.h"
#include "report_style.h"
#include "report_use.h"

/* The numbers of report_style.css, with a NUL. */
static const char style[] = {
#include "report_style.inc"
};

static void clear_page(struct page *page)
{
	buf_clear(&page->text);
}

#define PAGE_AUTO __attribute__((cleanup(clear_page))) struct page

static void put_hosts(struct page *page)
{
	for (struct report_walk walk = report_walk(page->report, NULL, "vaults"); report_step(&walk);) {
		page_put(page, walk.at == walk.array + 1 ? "" : ", ");
		page_member(page, walk.at, "host");
	}
}

static void put_head(struct page *page)
{
	page_put(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		       "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		       "style-src '" REPORT_STYLE_HASH "'; base-uri 'none'; form-action 'none'\">\n"
		       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		       "<meta name=\"color-scheme\" content=\"light dark\">\n"
		       "<meta name=\"referrer\" content=\"no-referrer\">\n<title>coffer report: ");
	put_hosts(page);
	page_put(page, "</title>\n<style>");
	page_put(page, style);
	page_put(page, "</style>\n</head>\n<body>\n");
}

static void put_period(struct page *page, const struct json_token *vault)
{
	page_put(page, "<p>");
	page_member(page, vault, "host");
	page_put(page, ", vault <code>");
	page_member(page, vault, "vault");
	page_put(page, "</code>: ");
	page_day(page, report_time(page->report, vault, "since"));
	page_put(page, " to ");
	page_minute(page, report_time(page->report, vault, "generated_at"));
	page_put(page, " UTC</p>\n");
}

static void put_header(struct page *page)
{
	page_put(page, "<header>\n<h1>Inventory of credentials</h1>\n");
	for (struct report_walk walk = report_walk(page->report, NULL, "vaults"); report_step(&walk);)
		put_period(page, walk.at);
	page_put(page, "<nav aria-label=\"Sections\"><a href=\"#figures\">At a glance</a> "
		       "<a href=\"#attention\">What needs a look</a> <a href=\"#calendar\">Calendar</a> "
		       "<a href=\"#use\">Use</a> <a href=\"#access\">Access</a> <a "
		       "href=\"#inventory\">Inventory</a> "
		       "<a href=\"#chain\">Audit chain</a></nav>\n</header>\n<main>\n");
}

enum err report_html(FILE *out, const struct report *report)
{
	PAGE_AUTO page = {.out = out, .report = report};

	put_head(&page);
	put_header(&page);
	report_figures(&page);
	report_attention(&page);

	enum err err = report_calendar(&page);

	report_use(&page);
	report_access(&page);
	report_inventory(&page);
	report_chain(&page);
	page_put(&page, "</main>\n</body>\n</html>\n");
	return err == OK && buf_failed(&page.text) ? ERR_INTERNAL : err;
}
