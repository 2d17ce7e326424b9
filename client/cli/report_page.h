/*
 * Writing a page.  Markup is a constant of ours or made of numbers; text of other people's making has functions of its own
 * and is escaped by them, so that a section cannot forget it.
 */
#ifndef COFFER_CLI_REPORT_PAGE_H
#define COFFER_CLI_REPORT_PAGE_H

#include <stdint.h>
#include <stdio.h>

#include "buf.h"
#include "report_model.h"

struct page {
	FILE *out;
	const struct report *report;
	struct buf text; /* room for what is being escaped */
};

/* Markup.  In page_format only numbers and constants may be given. */
void page_put(struct page *page, const char *markup);
void page_format(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text, escaped. */
void page_text(struct page *page, const char *text);

/* A value as people read it, or that of a member; a dash when there is none. */
void page_value(struct page *page, const struct json_token *value);
void page_member(struct page *page, const struct json_token *object, const char *path);

/* <td>member</td> */
void page_cell(struct page *page, const struct json_token *object, const char *path);

/* "2026-11-22", or with minutes; a dash for 0. */
void page_day(struct page *page, int64_t time_ms);
void page_minute(struct page *page, int64_t time_ms);

/* A link to the part about this integration, with its name; text alone when entry is NULL. */
void page_link(struct page *page, const struct report_entry *entry, const struct json_token *name);

/* The host of a vault as a table's cell, where there are several. */
void page_host(struct page *page, const struct json_token *vault);
void page_host_heading(struct page *page);

/* <section id="…"><h2>…</h2>; ended by page_end_section. */
void page_section(struct page *page, const char *id, const char *title);
void page_end_section(struct page *page);

/* A box that scrolls by itself, with the table and its caption, and its <thead>; rows follow, or bodies of rows. */
void page_table(struct page *page, const char *class, const char *caption, const char *head);
void page_end_table(struct page *page);

#endif
