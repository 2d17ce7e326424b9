/*
 * The calendar: what is to be done when.
 */
#ifndef COFFER_CLI_REPORT_CALENDAR_H
#define COFFER_CLI_REPORT_CALENDAR_H

#include "err.h"
#include "report_page.h"

/* ERR_INTERNAL: no memory. */
enum err report_calendar(struct page *page);

#endif
