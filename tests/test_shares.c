/* Who may hold how many connections, against a plain count. */
#include "shares.h"

#include "random.h"
#include "unit.h"

START_TEST(shares_refuse_more_than_an_eighth_for_one_uid)
{
	struct shares shares = {0};
	const char *reason = NULL;

	ck_assert_int_eq(shares_resize(&shares, 80, 0), OK);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(shares_take(&shares, 1000, false, &reason), OK);
	ck_assert_int_eq(shares_take(&shares, 1000, false, &reason), ERR_BUSY);
	ck_assert_str_eq(reason, "this user holds its share of the connections");
	ck_assert_int_eq(shares_take(&shares, 1001, false, &reason), OK);
	ck_assert_int_eq(shares_take(&shares, 1000, true, &reason), OK); /* an administrator */
	shares_deinit(&shares);
}
END_TEST

START_TEST(shares_refuse_the_reserve_to_the_unprivileged)
{
	struct shares shares = {0};
	const char *reason = NULL;

	ck_assert_int_eq(shares_resize(&shares, 16, 6), OK);
	for (uid_t uid = 0; uid < 10; uid++)
		ck_assert_int_eq(shares_take(&shares, uid, false, &reason), OK);
	ck_assert_int_eq(shares_take(&shares, 10, false, &reason), ERR_BUSY);
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(shares_take(&shares, 0, true, &reason), OK);
	ck_assert(shares_are_full(&shares));
	ck_assert_int_eq(shares_take(&shares, 0, true, &reason), ERR_BUSY);
	ck_assert_str_eq(reason, "all connections are taken");
	shares_deinit(&shares);
}
END_TEST

START_TEST(shares_keep_half_for_everybody_when_the_reserve_is_larger_than_all)
{
	struct shares shares = {0};
	const char *reason = NULL;

	ck_assert_int_eq(shares_resize(&shares, 16, 1024), OK);
	for (uid_t uid = 0; uid < 8; uid++)
		ck_assert_int_eq(shares_take(&shares, uid, false, &reason), OK);
	ck_assert_int_eq(shares_take(&shares, 8, false, &reason), ERR_BUSY);
	shares_deinit(&shares);
}
END_TEST

START_TEST(shares_keep_their_counts_when_they_are_resized)
{
	struct shares shares = {0};
	const char *reason = NULL;

	ck_assert_int_eq(shares_resize(&shares, 4096, 0), OK);
	for (uid_t uid = 0; uid < 300; uid++)
		for (int i = 0; i < 2; i++)
			ck_assert_int_eq(shares_take(&shares, uid, false, &reason), OK);
	ck_assert_int_eq(shares_resize(&shares, 16, 0), OK);
	ck_assert_uint_eq(shares.total, 600);
	ck_assert_int_eq(shares_take(&shares, 1000, true, &reason), ERR_BUSY);
	for (uid_t uid = 0; uid < 300; uid++)
		for (int i = 0; i < 2; i++)
			shares_give(&shares, uid);
	ck_assert_uint_eq(shares.total, 0);
	ck_assert_int_eq(shares_take(&shares, 1000, false, &reason), OK);
	shares_deinit(&shares);
}
END_TEST

/* Few uids in a small table collide all the time; the answers must be those of a plain array. */
START_TEST(shares_count_like_an_array)
{
	enum { UIDS = 40, MOST = 64, PER_UID = MOST / 8 };
	struct shares shares = {0};
	uid_t uids[UIDS] = {0};
	unsigned counts[UIDS] = {0};
	unsigned total = 0;
	const char *reason = NULL;
	struct random random = {1};

	for (size_t i = 0; i < UIDS; i++)
		uids[i] = (uid_t)random_next(&random);
	ck_assert_int_eq(shares_resize(&shares, MOST, 0), OK);
	for (int step = 0; step < 200000; step++) {
		uint32_t i = random_below(&random, UIDS);

		if (random_below(&random, 2) == 0 && counts[i] > 0) {
			shares_give(&shares, uids[i]);
			counts[i]--;
			total--;
		} else {
			bool fits = total < MOST && counts[i] < PER_UID;

			ck_assert_int_eq(shares_take(&shares, uids[i], false, &reason), fits ? OK : ERR_BUSY);
			counts[i] += fits ? 1 : 0;
			total += fits ? 1 : 0;
		}
		ck_assert_uint_eq(shares.total, total);
	}
	shares_deinit(&shares);
}
END_TEST

UNIT_MAIN("shares", shares_refuse_more_than_an_eighth_for_one_uid,
	shares_refuse_the_reserve_to_the_unprivileged,
	shares_keep_half_for_everybody_when_the_reserve_is_larger_than_all,
	shares_keep_their_counts_when_they_are_resized, shares_count_like_an_array)
