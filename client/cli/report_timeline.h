/*
 * The versions of an integration's secrets: each with its states over time, and who held it.
 */
#ifndef COFFER_CLI_REPORT_TIMELINE_H
#define COFFER_CLI_REPORT_TIMELINE_H

#include "report_page.h"

/* The table of one integration's versions; its legend, once a page. */
void report_timeline(struct page *page, const struct report_entry *entry);
void report_timeline_legend(struct page *page);

#endif
