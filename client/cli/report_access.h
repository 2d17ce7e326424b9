/*
 * Who has access to what, and why: grants, tokens, and what a second person decided.
 */
#ifndef COFFER_CLI_REPORT_ACCESS_H
#define COFFER_CLI_REPORT_ACCESS_H

#include "report_page.h"

void report_access(struct page *page);

#endif
