/*
 * Use in one line of bars.  A day without a fetch has the lowest, a day with any a higher one; where there are more days
 * than columns, each bar is the sum of some days.
 */
#include "usage.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "table.h"
#include "text.h"

enum { DAYS_MAX = 400, LEVELS = 8, COLUMNS_DEFAULT = 80, COLUMNS_MIN = 20 };

static const struct column by[] = {
	{"USER", "user", SHOW_STATE},
	{"UID", "uid", SHOW_NUMBER},
	{"FETCHES", "fetches", SHOW_NUMBER},
	{"LAST", "last_at", SHOW_LAST},
	{0},
};

static const struct column keys[] = {
	{"KEY", "key", SHOW_STATE},
	{"VERSION", "version", SHOW_NUMBER},
	{"FETCHES", "fetches", SHOW_NUMBER},
	{"LAST FETCHED", "last_fetched_at", SHOW_LAST},
	{0},
};

struct days {
	int64_t fetches[DAYS_MAX];
	size_t count;
	size_t peak; /* which one */
	int64_t total;
};

static void read_days(const struct reply *reply, const struct json_token *array, struct days *out)
{
	for (const struct json_token *t = json_first(&reply->doc, array); t != NULL && out->count < DAYS_MAX;
		t = json_next(&reply->doc, array, t)) {
		int64_t fetches = reply_integer(reply, t, "fetches");

		out->fetches[out->count] = fetches > 0 ? fetches : 0;
		out->total += out->fetches[out->count];
		if (out->fetches[out->count] > out->fetches[out->peak])
			out->peak = out->count;
		out->count++;
	}
}

static const struct json_token *day_at(
	const struct reply *reply, const struct json_token *array, size_t index)
{
	const struct json_token *t = json_first(&reply->doc, array);

	while (t != NULL && index-- > 0)
		t = json_next(&reply->doc, array, t);
	return t;
}

/* The locale of this program is always UTF-8's; what the terminal reads is what its user has set. */
static bool has_blocks(void)
{
	locale_t users = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool is_utf8 = users != (locale_t)0 && strcmp(nl_langinfo_l(CODESET, users), "UTF-8") == 0;

	if (users != (locale_t)0)
		freelocale(users);
	return is_utf8;
}

static size_t columns(void)
{
	struct winsize size = {0};

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= COLUMNS_MIN ? size.ws_col
											  : COLUMNS_DEFAULT;
}

static size_t level_of(int64_t fetches, int64_t most)
{
	return fetches == 0 ? 0 : 1 + (size_t)((double)(fetches - 1) * (LEVELS - 1) / (double)most);
}

/* Days per bar, so that all fit into a line. */
static size_t print_bars(const struct days *days)
{
	static const char *const blocks[LEVELS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const signs[LEVELS] = {"_", ".", ":", "-", "=", "+", "*", "#"};
	const char *const *bars = has_blocks() ? blocks : signs;
	size_t step = (days->count + columns() - 1) / columns();
	int64_t sums[DAYS_MAX] = {0};
	int64_t most = 1;

	for (size_t i = 0; i < days->count; i++) {
		int64_t *sum = &sums[i / step];

		*sum += days->fetches[i];
		most = *sum > most ? *sum : most;
	}
	for (size_t i = 0; i * step < days->count; i++)
		fputs(bars[level_of(sums[i], most)], stdout);
	puts("");
	return step;
}

static void print_day(const struct reply *reply, const struct json_token *day)
{
	char text[sizeof("2026-11-27")] = "";
	char time[TIME_TEXT_BYTES] = "";
	int64_t time_ms = 0;

	/* It does not come through the filter of the tables, so nothing but a date is printed. */
	reply_text(reply, day, "day", text, sizeof(text));
	(void)snprintf(time, sizeof(time), "%sT00:00:00Z", text);
	fputs(text_time(time, strlen(time), &time_ms) ? text : "?", stdout);
}

static void print_days(const struct reply *reply, const struct json_token *array)
{
	struct days days = {0};
	size_t step = 0;

	read_days(reply, array, &days);
	if (days.count == 0)
		return;
	step = print_bars(&days);
	print_day(reply, day_at(reply, array, 0));
	fputs(" to ", stdout);
	print_day(reply, day_at(reply, array, days.count - 1));
	if (step > 1)
		printf(", %zu days each", step);
	printf("\naverage %.1f a day", (double)days.total / (double)days.count);
	if (days.total > 0) {
		printf(", most %lld on ", (long long)days.fetches[days.peak]);
		print_day(reply, day_at(reply, array, days.peak));
	}
	puts("");
}

/* The first of the users came last; when that was too long ago for the days shown, nobody is named. */
static enum err print_last(const struct reply *reply, const struct json_token *users)
{
	BUF_AUTO line = {0};

	buf_append_string(&line, "last fetched ");
	reply_show(&line, reply, reply_at(reply, NULL, "last_fetched_at"), SHOW_LAST);
	if (users != NULL && users->count > 0) {
		buf_append_string(&line, " by ");
		reply_show(&line, reply, reply_at(reply, json_first(&reply->doc, users), "user"), SHOW_TEXT);
	}
	buf_append(&line, "\n\n", sizeof("\n\n"));
	if (buf_failed(&line))
		return ERR_INTERNAL;
	fputs(line.bytes, stdout);
	return OK;
}

enum err usage_print(const struct reply *reply)
{
	const struct json_token *users = reply_array(reply, NULL, "by");
	enum err err = table_say(reply, "{integration}: fetches {total}, refused {refused}");

	print_days(reply, reply_array(reply, NULL, "days"));
	if (err == OK)
		err = print_last(reply, users);
	if (err == OK)
		err = table_print(reply, users, by);
	puts("");
	if (err == OK)
		err = table_print(reply, reply_array(reply, NULL, "keys"), keys);
	if (err == OK && reply_flag(reply, NULL, "more"))
		cli_say("there are more versions than these");
	return err;
}
