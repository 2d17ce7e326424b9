/*
 * usage.show: how often an integration was fetched and refused, day by day, by whom and with which versions.  A fetch of
 * staged values is a test and counts for its version alone.
 */
#include <string.h>

#include "secret_rows.h"
#include "users.h"

enum { DAYS_DEFAULT = 30, USERS_TOLD = 100, KEYS_TOLD = 1000 };

struct usage_day {
	uint64_t fetches;
	uint64_t refused;
};

struct usage {
	struct call *call;
	int64_t first_day;
	size_t day_count;
	struct usage_day days[USAGE_DAYS_MAX];
	size_t told;
};

/* A day ahead of today is one of a clock that was set back since: it counts, but not yet. */
static struct usage_day *day_of(struct usage *usage, int64_t day)
{
	size_t at = (size_t)(day - usage->first_day);

	return day >= usage->first_day && at < usage->day_count ? &usage->days[at] : NULL;
}

static enum err on_use_day(void *arg, const struct store_use_day *row)
{
	struct usage_day *day = day_of(arg, row->day);

	if (day != NULL)
		day->fetches = row->count;
	return OK;
}

static enum err on_refused_day(void *arg, const struct store_use_day *row)
{
	struct usage_day *day = day_of(arg, row->day);

	if (day != NULL)
		day->refused = row->count;
	return OK;
}

/* ---- writing ---- */

static void write_days(struct usage *usage)
{
	enum { DATE_LEN = sizeof("2026-11-27") - 1 };
	struct json_writer *w = &usage->call->w;
	uint64_t fetches = 0;
	uint64_t refused = 0;

	json_key(w, "days");
	json_begin_array(w);
	for (size_t i = 0; i < usage->day_count; i++) {
		char time[TIME_TEXT_BYTES] = "";

		text_format_time((usage->first_day + (int64_t)i) * STORE_DAY_MS, time);
		json_begin_object(w);
		json_key(w, "day");
		json_write_text(w, time, DATE_LEN);
		json_put_integer(w, "fetches", (int64_t)usage->days[i].fetches);
		json_put_integer(w, "refused", (int64_t)usage->days[i].refused);
		json_end_object(w);
		fetches += usage->days[i].fetches;
		refused += usage->days[i].refused;
	}
	json_end_array(w);
	json_put_integer(w, "total", (int64_t)fetches);
	json_put_integer(w, "refused", (int64_t)refused);
}

static enum err on_user(void *arg, const struct store_use_user *row)
{
	struct json_writer *w = arg;
	char name[USER_NAME_BYTES] = "";

	users_name(row->uid, name);
	json_begin_object(w);
	json_put_string(w, "user", name);
	json_put_integer(w, "uid", row->uid);
	json_put_integer(w, "fetches", (int64_t)row->fetches);
	json_put_time(w, "last_at", row->last_ms);
	json_end_object(w);
	return OK;
}

static enum err on_key(void *arg, const struct store_use *row)
{
	struct usage *usage = arg;
	struct json_writer *w = &usage->call->w;

	if (usage->told++ >= KEYS_TOLD)
		return OK;
	json_begin_object(w);
	json_put_string(w, "key", row->key);
	json_put_integer(w, "version", (int64_t)row->version);
	json_put_integer(w, "fetches", (int64_t)row->fetches);
	json_put_time(w, "last_fetched_at", row->last_ms);
	json_end_object(w);
	return OK;
}

static enum err write_usage(struct usage *usage, const struct integration *integration)
{
	struct store *store = usage->call->core->store;
	struct json_writer *w = &usage->call->w;
	int64_t last_ms = 0;
	enum err err = store_use_last(store, integration->id, &last_ms);

	json_begin_object(w);
	json_put_string(w, "integration", integration->name);
	write_days(usage);
	json_put_time(w, "last_fetched_at", last_ms);
	json_key(w, "by");
	json_begin_array(w);
	if (err == OK)
		err = store_use_users(store, integration->id, usage->first_day, USERS_TOLD, on_user, w);
	json_end_array(w);
	json_key(w, "keys");
	json_begin_array(w);
	if (err == OK)
		err = store_use_of(store, integration->id, on_key, usage);
	json_end_array(w);
	json_put_bool(w, "more", usage->told > KEYS_TOLD);
	json_end_object(w);
	return err;
}

enum err handle_usage_show(struct call *call)
{
	struct integration integration = {0};
	struct usage usage = {.call = call};
	int64_t days = request_count(call->request, FIELD_DAYS, DAYS_DEFAULT);
	enum err err = integration_find(call, FIELD_INTEGRATION, &integration);

	if (err == OK && (days < 1 || days > USAGE_DAYS_MAX))
		err = call_refuse(call, ERR_BAD_VALUE, "days out of range",
			"days is 1 to 400: use is kept for so long");
	if (err != OK)
		return err;
	usage.day_count = (size_t)days;
	usage.first_day = call->now_ms / STORE_DAY_MS - days + 1;
	err = store_use_days(call->core->store, integration.id, usage.first_day, on_use_day, &usage);
	if (err == OK)
		err = store_refused_days(
			call->core->store, integration.id, usage.first_day, on_refused_day, &usage);
	return err == OK ? write_usage(&usage, &integration) : err;
}
