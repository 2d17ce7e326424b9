/*
 * The report as one page that needs nothing else: no script, no picture from elsewhere, one style whose hash stands in
 * the page's policy.
 */
#ifndef COFFER_CLI_REPORT_HTML_H
#define COFFER_CLI_REPORT_HTML_H

#include <stdio.h>

#include "err.h"
#include "report_model.h"

/* ERR_INTERNAL: no memory.  What the stream says is left to the caller. */
enum err report_html(FILE *out, const struct report *report);

#endif
