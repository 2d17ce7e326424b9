/*
 * Drawing on an axis of time.  Shapes have classes and no style of their own: the page's policy allows none.
 */
#include "report_svg.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { AXIS_HEIGHT = 18, LEAST_WIDTH = 2, LABEL_ROOM = 28 };

static const char *const month_names[] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct scale svg_scale(const struct report *report, const struct json_token *vault, int width)
{
	int64_t since_ms = report_time(report, vault, "since");
	int64_t last_ms = report_time(report, vault, "generated_at");
	int64_t days = last_ms > since_ms ? (last_ms - since_ms) / REPORT_DAY_MS + 1 : 1;

	if (days > REPORT_DAYS_MAX)
		days = REPORT_DAYS_MAX;
	/* So many whole pixels to the day, two at least: what is drawn for a day can be seen. */
	int64_t step = width / days > LEAST_WIDTH ? width / days : LEAST_WIDTH;

	return (struct scale){.from_ms = since_ms,
		.until_ms = since_ms + days * REPORT_DAY_MS,
		.width = (int)(days * step)};
}

int svg_x(const struct scale *scale, int64_t time_ms)
{
	if (time_ms <= scale->from_ms)
		return 0;
	if (time_ms >= scale->until_ms)
		return scale->width;
	return (int)((time_ms - scale->from_ms) * scale->width / (scale->until_ms - scale->from_ms));
}

static void put_month(struct page *page, const struct scale *scale, int64_t day_ms, const char *date)
{
	long month = strtol(date + strlen("2026-"), NULL, 10);
	int x = svg_x(scale, day_ms);

	page_format(page, "<path class=\"tick\" d=\"M%d 0V%d\"/>", x, AXIS_HEIGHT);
	if (x + LABEL_ROOM <= scale->width && month >= 1 && month <= 12)
		page_format(page, "<text x=\"%d\" y=\"13\">%s</text>", x + 3, month_names[month - 1]);
}

void svg_axis(struct page *page, const struct scale *scale)
{
	page_format(page, "<svg class=\"axis\" width=\"%d\" height=\"%d\" aria-hidden=\"true\">",
		scale->width, AXIS_HEIGHT);
	for (int64_t day_ms = scale->from_ms; day_ms < scale->until_ms; day_ms += REPORT_DAY_MS) {
		char date[TIME_TEXT_BYTES] = "";

		text_format_time(day_ms, date);
		if (memcmp(date + strlen("2026-11-"), "01", 2) == 0)
			put_month(page, scale, day_ms, date);
	}
	page_put(page, "</svg>");
}

void svg_begin(struct page *page, const struct scale *scale, int height)
{
	page_format(
		page, "<svg class=\"strip\" role=\"img\" width=\"%d\" height=\"%d\">", scale->width, height);
}

void svg_end(struct page *page)
{
	page_put(page, "</svg>");
}

void svg_span(struct page *page, const struct scale *scale, const char *class, int64_t from_ms,
	int64_t until_ms, int y, int height)
{
	int from = svg_x(scale, from_ms);
	int until = svg_x(scale, until_ms);

	if (until_ms < scale->from_ms || from_ms > scale->until_ms)
		return;
	if (until - from < LEAST_WIDTH)
		until = from + LEAST_WIDTH;
	page_format(page, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>", class, from, y,
		until - from, height);
}
