/*
 * The inventory: each integration with all that is documented about it.
 */
#ifndef COFFER_CLI_REPORT_CARD_H
#define COFFER_CLI_REPORT_CARD_H

#include "report_page.h"

void report_inventory(struct page *page);

#endif
