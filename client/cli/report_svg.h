/*
 * Strips: small pictures on one axis of time, which stand in the rows of tables.  Each has a title in words, and the row
 * says the same in its cells; colour is never the only sign.
 */
#ifndef COFFER_CLI_REPORT_SVG_H
#define COFFER_CLI_REPORT_SVG_H

#include <stdint.h>

#include "report_page.h"

struct scale {
	int64_t from_ms;
	int64_t until_ms;
	int width; /* in pixels of the page */
};

/* The days of a vault's report, so many pixels wide or a little less. */
struct scale svg_scale(const struct report *report, const struct json_token *vault, int width);

/* Where a time is; what is before or behind lies at the edge. */
int svg_x(const struct scale *scale, int64_t time_ms);

/* Where months begin. */
void svg_axis(struct page *page, const struct scale *scale);

/* A strip; its <title> must follow, then shapes. */
void svg_begin(struct page *page, const struct scale *scale, int height);
void svg_end(struct page *page);

/* A rectangle from one time to another, at least two pixels wide. */
void svg_span(struct page *page, const struct scale *scale, const char *class, int64_t from_ms,
	int64_t until_ms, int y, int height);

#endif
