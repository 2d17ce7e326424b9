/*
 * The first screen: what is counted, what needs a look, and where the chain of audit records stands.
 */
#ifndef COFFER_CLI_REPORT_OVERVIEW_H
#define COFFER_CLI_REPORT_OVERVIEW_H

#include "report_page.h"

void report_figures(struct page *page);
void report_attention(struct page *page);
void report_chain(struct page *page);

#endif
