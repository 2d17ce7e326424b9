/*
 * The writer of pages.  Errors stay in the stream and are asked for once, at the end.
 */
#include "report_page.h"

#include <stdarg.h>
#include <string.h>

#include "report_escape.h"
#include "text.h"

void page_put(struct page *page, const char *markup)
{
	(void)fputs(markup, page->out);
}

void page_format(struct page *page, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vfprintf(page->out, format, arguments);
	va_end(arguments);
}

/* What is in page->text goes out. */
static void flush_text(struct page *page)
{
	if (!buf_failed(&page->text))
		report_escape_html(page->out, page->text.bytes, page->text.len);
	page->text.len = 0;
}

void page_text(struct page *page, const char *text)
{
	report_escape_text(&page->text, text, strlen(text));
	flush_text(page);
}

void page_value(struct page *page, const struct json_token *value)
{
	report_escape_value(&page->text, &page->report->doc, value);
	if (page->text.len == 0 && !buf_failed(&page->text))
		page_put(page, "–");
	flush_text(page);
}

void page_member(struct page *page, const struct json_token *object, const char *path)
{
	page_value(page, reply_at(&page->report->doc, object, path));
}

void page_cell(struct page *page, const struct json_token *object, const char *path)
{
	page_put(page, "<td>");
	page_member(page, object, path);
	page_put(page, "</td>");
}

static void put_time(struct page *page, int64_t time_ms, size_t len)
{
	char text[TIME_TEXT_BYTES] = "";

	if (time_ms == 0) {
		page_put(page, "–");
		return;
	}
	text_format_time(time_ms, text);
	page_format(page, "<time datetime=\"%s\">", text);
	text[len] = '\0';
	if (len > strlen("2026-11-22"))
		text[strlen("2026-11-22")] = ' ';
	page_format(page, "%s</time>", text);
}

void page_day(struct page *page, int64_t time_ms)
{
	put_time(page, time_ms, strlen("2026-11-22"));
}

void page_minute(struct page *page, int64_t time_ms)
{
	put_time(page, time_ms, strlen("2026-11-22 09:30"));
}

void page_link(struct page *page, const struct report_entry *entry, const struct json_token *name)
{
	if (entry != NULL)
		page_format(page, "<a href=\"#i%td\">", entry - page->report->entries);
	page_value(page, name);
	if (entry != NULL)
		page_put(page, "</a>");
}

void page_host(struct page *page, const struct json_token *vault)
{
	if (page->report->vault_count > 1)
		page_cell(page, vault, "host");
}

void page_host_heading(struct page *page)
{
	if (page->report->vault_count > 1)
		page_put(page, "<th scope=\"col\">Host</th>");
}

void page_section(struct page *page, const char *id, const char *title)
{
	page_format(page, "<section id=\"%s\" aria-labelledby=\"%s-h\">\n<h2 id=\"%s-h\">%s</h2>\n", id, id,
		id, title);
}

void page_end_section(struct page *page)
{
	page_put(page, "</section>\n");
}

void page_table(struct page *page, const char *class, const char *caption, const char *head)
{
	page_format(page,
		"<div class=\"box\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">"
		"<table class=\"%s\"><caption>%s</caption>\n<thead><tr>",
		caption, class, caption);
	page_host_heading(page);
	page_format(page, "%s</tr></thead>\n", head);
}

void page_end_table(struct page *page)
{
	page_put(page, "</table></div>\n");
}
