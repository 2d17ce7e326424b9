/*
 * The section on use: fetches by integration and day.
 */
#ifndef COFFER_CLI_REPORT_USE_H
#define COFFER_CLI_REPORT_USE_H

#include "report_page.h"

void report_use(struct page *page);

#endif
