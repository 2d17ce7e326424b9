/*
 * The table of fetches a minute: what it counts, when it forgets, and that it never refuses for being full.
 */
#include <string.h>

#include "rates.h"
#include "unit.h"

enum { MINUTE_MS = 60000, T = 1800000000 };

static void make_id(uint64_t hash, uint64_t rest, unsigned char out[16])
{
	memcpy(out, &hash, sizeof(hash));
	memcpy(out + sizeof(hash), &rest, sizeof(rest));
}

static struct rates *start(size_t count)
{
	struct rates *rates = NULL;

	ck_assert_int_eq((int)rates_new(count, &rates), (int)OK);
	return rates;
}

START_TEST(a_fetch_over_the_rate_is_refused_with_the_wait)
{
	struct rates *rates = start(1);
	unsigned char id[16] = "integration one";
	int64_t retry_ms = -1;

	for (int i = 0; i < 3; i++)
		ck_assert(rates_count(rates, id, 3, T + i, &retry_ms));
	ck_assert_int_eq(retry_ms, -1);
	ck_assert(!rates_count(rates, id, 3, T + 10, &retry_ms));
	ck_assert_int_eq(retry_ms, MINUTE_MS - 10);
	ck_assert(!rates_count(rates, id, 3, T + MINUTE_MS - 1, &retry_ms));
	ck_assert_int_eq(retry_ms, 1);
	rates_free(rates);
}
END_TEST

START_TEST(a_lower_rate_holds_at_once)
{
	struct rates *rates = start(1);
	unsigned char id[16] = "integration one";
	int64_t retry_ms = 0;

	for (int i = 0; i < 3; i++)
		ck_assert(rates_count(rates, id, 3, T, &retry_ms));
	ck_assert(!rates_count(rates, id, 1, T, &retry_ms));
	ck_assert(rates_count(rates, id, 4, T, &retry_ms));
	rates_free(rates);
}
END_TEST

START_TEST(integrations_are_counted_apart)
{
	struct rates *rates = start(2);
	unsigned char one[16] = {0}, two[16] = {0};
	int64_t retry_ms = 0;

	/* The same beginning, so the same place in the table. */
	make_id(42, 1, one);
	make_id(42, 2, two);
	ck_assert(rates_count(rates, one, 1, T, &retry_ms));
	ck_assert(rates_count(rates, two, 1, T, &retry_ms));
	ck_assert(!rates_count(rates, one, 1, T, &retry_ms));
	ck_assert(!rates_count(rates, two, 1, T, &retry_ms));
	rates_free(rates);
}
END_TEST

START_TEST(a_window_ends_after_a_minute)
{
	struct rates *rates = start(1);
	unsigned char id[16] = "integration one";
	int64_t retry_ms = 0;

	ck_assert(rates_count(rates, id, 1, T, &retry_ms));
	ck_assert(!rates_count(rates, id, 1, T + MINUTE_MS - 1, &retry_ms));
	ck_assert(rates_count(rates, id, 1, T + MINUTE_MS, &retry_ms));
	ck_assert(!rates_count(rates, id, 1, T + MINUTE_MS, &retry_ms));
	ck_assert_int_eq(retry_ms, MINUTE_MS);
	rates_free(rates);
}
END_TEST

START_TEST(a_clock_set_back_does_not_lock_anybody_out)
{
	struct rates *rates = start(1);
	unsigned char id[16] = "integration one";
	int64_t retry_ms = 0;

	ck_assert(rates_count(rates, id, 1, T, &retry_ms));
	ck_assert(rates_count(rates, id, 1, T - 3600000, &retry_ms));
	ck_assert(!rates_count(rates, id, 1, T - 3600000, &retry_ms));
	ck_assert_int_eq(retry_ms, MINUTE_MS);
	rates_free(rates);
}
END_TEST

START_TEST(a_full_table_forgives_the_stalest_and_refuses_nobody)
{
	struct rates *rates = start(64);
	unsigned char id[16] = {0};
	int64_t retry_ms = 0;

	/* All of them belong to one place, so that they soon have to push each other out. */
	for (uint64_t i = 1; i <= 1000; i++) {
		make_id(7, i, id);
		ck_assert(rates_count(rates, id, 1, T + (int64_t)i, &retry_ms));
	}
	/* The newest are still counted … */
	for (uint64_t i = 993; i <= 1000; i++) {
		make_id(7, i, id);
		ck_assert(!rates_count(rates, id, 1, T + 1001, &retry_ms));
	}
	/* … and the one that was pushed out starts anew, in the place of the stalest. */
	make_id(7, 1, id);
	ck_assert(rates_count(rates, id, 1, T + 1001, &retry_ms));
	make_id(7, 994, id);
	ck_assert(!rates_count(rates, id, 1, T + 1001, &retry_ms));
	make_id(7, 993, id);
	ck_assert(rates_count(rates, id, 1, T + 1001, &retry_ms));
	rates_free(rates);
}
END_TEST

START_TEST(as_many_as_were_asked_for_find_room)
{
	enum { COUNT = 2000 };
	struct rates *rates = start(COUNT);
	unsigned char id[16] = {0};
	int64_t retry_ms = 0;

	/* Spread as evenly as random ids are on average: every one is still counted. */
	for (uint64_t i = 0; i < COUNT; i++) {
		make_id(i * 2 + 1, i, id);
		ck_assert(rates_count(rates, id, 1, T, &retry_ms));
	}
	for (uint64_t i = 0; i < COUNT; i++) {
		make_id(i * 2 + 1, i, id);
		ck_assert(!rates_count(rates, id, 1, T, &retry_ms));
	}
	rates_free(rates);
}
END_TEST

UNIT_MAIN("rates", a_fetch_over_the_rate_is_refused_with_the_wait, a_lower_rate_holds_at_once,
	integrations_are_counted_apart, a_window_ends_after_a_minute,
	a_clock_set_back_does_not_lock_anybody_out, a_full_table_forgives_the_stalest_and_refuses_nobody,
	as_many_as_were_asked_for_find_room)
