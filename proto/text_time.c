/*
 * Durations and times as text.  The C library's calendar functions read the time zone from the environment
 * and from files, and the daemon may open none once it is confined; these are arithmetic only.
 */
#include "text.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const int64_t DAY_SECONDS = 86400;
static const int64_t DURATION_DAYS_MAX = 36525; /* 100 years */

/* Reads exactly len digits; len is small enough that nothing overflows. */
static bool read_digits(const char *text, size_t len, int64_t *out)
{
	int64_t value = 0;

	for (size_t i = 0; i < len; i++) {
		if (!is_digit(text[i]))
			return false;
		value = value * 10 + (text[i] - '0');
	}
	*out = value;
	return true;
}

bool text_duration(const char *text, size_t len, int64_t *seconds_out)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', DAY_SECONDS}};
	enum { DIGITS_MAX = 10 };
	int64_t count = 0;

	/* No leading zero: each duration has one text only. */
	if (len < 2 || len > DIGITS_MAX + 1 || text[0] == '0' || !read_digits(text, len - 1, &count))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (text[len - 1] != units[i].letter)
			continue;
		if (count > DURATION_DAYS_MAX * DAY_SECONDS / units[i].seconds)
			return false;
		*seconds_out = count * units[i].seconds;
		return true;
	}
	return false;
}

static const int64_t YEAR_FIRST = 1970;
static const int64_t YEAR_LAST = 9999;

static bool is_leap_year(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t month_days(int64_t year, int64_t month)
{
	static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap_year(year) ? 1 : 0);
}

/* Days from the epoch to the first of January of a year from 1970 on. */
static int64_t days_before_year(int64_t year)
{
	int64_t past = year - 1;

	return 365 * (year - YEAR_FIRST) + (past / 4 - past / 100 + past / 400) -
	       (1969 / 4 - 1969 / 100 + 1969 / 400);
}

struct date {
	int64_t year, month, day, hour, minute, second;
};

static bool is_date(const struct date *date)
{
	/* No second 60: the system clock has none. */
	return date->year >= YEAR_FIRST && date->month >= 1 && date->month <= 12 && date->day >= 1 &&
	       date->day <= month_days(date->year, date->month) && date->hour <= 23 && date->minute <= 59 &&
	       date->second <= 59;
}

static int64_t date_seconds(const struct date *date)
{
	int64_t days = days_before_year(date->year) + date->day - 1;

	for (int64_t month = 1; month < date->month; month++)
		days += month_days(date->year, month);
	return days * DAY_SECONDS + date->hour * 3600 + date->minute * 60 + date->second;
}

/* "", or "." and 1 to 3 digits */
static bool read_fraction(const char *text, size_t len, int64_t *ms_out)
{
	static const int64_t scale[] = {0, 100, 10, 1};

	if (len == 0) {
		*ms_out = 0;
		return true;
	}
	if (len < 2 || len > 4 || text[0] != '.' || !read_digits(text + 1, len - 1, ms_out))
		return false;
	*ms_out *= scale[len - 1];
	return true;
}

bool text_time(const char *text, size_t len, int64_t *time_ms_out)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	enum { SHAPE_LEN = sizeof(shape) - 1 };
	struct date date = {0};
	int64_t ms = 0;

	if (len <= SHAPE_LEN || text[len - 1] != 'Z')
		return false;
	for (size_t i = 0; i < SHAPE_LEN; i++)
		if (shape[i] == 'd' ? !is_digit(text[i]) : text[i] != shape[i])
			return false;
	if (!read_digits(text, 4, &date.year) || !read_digits(text + 5, 2, &date.month) ||
		!read_digits(text + 8, 2, &date.day) || !read_digits(text + 11, 2, &date.hour) ||
		!read_digits(text + 14, 2, &date.minute) || !read_digits(text + 17, 2, &date.second))
		return false;
	if (!is_date(&date) || !read_fraction(text + SHAPE_LEN, len - SHAPE_LEN - 1, &ms))
		return false;
	*time_ms_out = date_seconds(&date) * 1000 + ms;
	return true;
}

static void write_digits(char *out, size_t len, int64_t value)
{
	for (size_t i = len; i > 0; i--) {
		out[i - 1] = (char)('0' + value % 10);
		value /= 10;
	}
}

void text_format_time(int64_t time_ms, char out[TIME_TEXT_BYTES])
{
	int64_t last_ms = days_before_year(YEAR_LAST + 1) * DAY_SECONDS * 1000 - 1;
	int64_t ms = time_ms < 0 ? 0 : time_ms > last_ms ? last_ms : time_ms;
	int64_t days = ms / 1000 / DAY_SECONDS;
	int64_t seconds = ms / 1000 % DAY_SECONDS;
	/* No year has more than 366 days: the estimate is never late, and a few steps early at most. */
	int64_t year = YEAR_FIRST + days / 366;
	int64_t month = 1;

	while (days >= days_before_year(year + 1))
		year++;
	days -= days_before_year(year);
	while (days >= month_days(year, month))
		days -= month_days(year, month++);

	memcpy(out, "0000-00-00T00:00:00.000Z", TIME_TEXT_BYTES);
	write_digits(out, 4, year);
	write_digits(out + 5, 2, month);
	write_digits(out + 8, 2, days + 1);
	write_digits(out + 11, 2, seconds / 3600);
	write_digits(out + 14, 2, seconds / 60 % 60);
	write_digits(out + 17, 2, seconds % 60);
	write_digits(out + 20, 3, ms % 1000);
}
