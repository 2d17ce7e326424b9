/* The audit chain: P7, a changed, removed, moved or inserted record shows; P4, the head can be taken back. */
#include <stdio.h>
#include <string.h>

#include "chain.h"
#include "unit.h"

enum { LOG_LEN = 12 };

static struct record event(unsigned number)
{
	struct record record = {.time_ms = 1795339800000 + number,
		.kind = "env.fetch",
		.outcome = "ok",
		.uid = number,
		.repeats = 1};

	(void)snprintf(record.integration, sizeof(record.integration), "integration-%u", number);
	return record;
}

static void make_log(struct record log[LOG_LEN])
{
	struct chain chain = {0};

	for (unsigned i = 0; i < LOG_LEN; i++) {
		log[i] = event(i);
		chain_append(&chain, &log[i]);
	}
}

/* How many records follow each other from the start; the chain stays at the last of them. */
static size_t follow(const struct record *log, size_t count, struct chain *chain)
{
	size_t i = 0;

	*chain = (struct chain){0};
	while (i < count && chain_follow(chain, &log[i]))
		i++;
	return i;
}

/* P7 */
START_TEST(chain_finds_a_changed_record)
{
	for (size_t at = 0; at < LOG_LEN; at++) {
		struct record log[LOG_LEN];
		struct chain chain;

		make_log(log);
		log[at].uid ^= 1;
		ck_assert_uint_eq(follow(log, LOG_LEN, &chain), at);
		ck_assert_uint_eq(chain.seq, at);
	}
}
END_TEST

/* P7: who seals the changed record anew breaks the link of the next, or the head when it is the last. */
START_TEST(chain_finds_a_changed_record_that_was_sealed_again)
{
	for (size_t at = 0; at < LOG_LEN; at++) {
		struct record log[LOG_LEN];
		struct chain true_end;
		struct chain chain;

		make_log(log);
		ck_assert_uint_eq(follow(log, LOG_LEN, &true_end), LOG_LEN);
		log[at].uid ^= 1;
		record_seal(&log[at]);
		ck_assert_uint_eq(follow(log, LOG_LEN, &chain), at + 1);
		ck_assert_mem_ne(chain.head, true_end.head, sizeof(chain.head));
	}
}
END_TEST

/* P7 */
START_TEST(chain_finds_a_removed_record)
{
	for (size_t at = 0; at + 1 < LOG_LEN; at++) {
		struct record log[LOG_LEN];
		struct chain chain;

		make_log(log);
		memmove(&log[at], &log[at + 1], (LOG_LEN - at - 1) * sizeof(log[0]));
		ck_assert_uint_eq(follow(log, LOG_LEN - 1, &chain), at);
	}
}
END_TEST

/* P7: even when it is numbered and sealed as if it had always been there. */
START_TEST(chain_finds_a_removed_record_that_was_papered_over)
{
	struct record log[LOG_LEN];
	struct chain chain;

	make_log(log);
	log[4] = log[5];
	log[4].seq = 5;
	record_seal(&log[4]);
	ck_assert_uint_eq(follow(log, LOG_LEN, &chain), 4);
	memcpy(log[4].previous, log[3].hash, sizeof(log[4].previous));
	record_seal(&log[4]);
	ck_assert_uint_eq(follow(log, LOG_LEN, &chain), 5);
}
END_TEST

/* P7 */
START_TEST(chain_finds_reordered_records)
{
	for (size_t a = 0; a < LOG_LEN; a++) {
		for (size_t b = a + 1; b < LOG_LEN; b++) {
			struct record log[LOG_LEN];
			struct chain chain;

			make_log(log);

			struct record held = log[a];

			log[a] = log[b];
			log[b] = held;
			ck_assert_uint_eq(follow(log, LOG_LEN, &chain), a);
		}
	}
}
END_TEST

/* P7 */
START_TEST(chain_finds_an_inserted_or_repeated_record)
{
	for (size_t at = 0; at < LOG_LEN; at++) {
		struct record log[LOG_LEN + 1];
		struct chain chain;

		make_log(log);
		memmove(&log[at + 1], &log[at], (LOG_LEN - at) * sizeof(log[0]));
		ck_assert_uint_eq(follow(log, LOG_LEN + 1, &chain), at + 1);

		struct record forged = event(99);

		forged.seq = at + 1;
		record_seal(&forged);
		log[at] = forged;
		ck_assert_uint_le(follow(log, LOG_LEN + 1, &chain), at + 1);
		ck_assert_uint_le(chain.seq, at + 1);
	}
}
END_TEST

START_TEST(chain_does_not_move_on_a_record_that_does_not_follow)
{
	struct record log[LOG_LEN];
	struct chain chain = {0};

	make_log(log);
	ck_assert(chain_follow(&chain, &log[0]));

	struct chain before = chain;

	ck_assert(!chain_follow(&chain, &log[0]));
	ck_assert(!chain_follow(&chain, &log[2]));
	ck_assert_mem_eq(&chain, &before, sizeof(chain));
}
END_TEST

START_TEST(chain_refuses_a_number_after_the_last)
{
	struct record record = event(1);
	struct chain chain = {.seq = UINT64_MAX};

	record_seal(&record);
	ck_assert(!chain_follow(&chain, &record));
}
END_TEST

START_TEST(chain_goes_back_to_a_remembered_point)
{
	struct chain chain = {0};
	struct record first = event(1);
	struct record undone = event(2);
	struct record second = event(3);

	chain_append(&chain, &first);

	struct chain point = chain;

	chain_append(&chain, &undone);
	ck_assert_uint_eq(undone.seq, 2);
	chain = point;
	chain_append(&chain, &second);
	ck_assert_uint_eq(second.seq, 2);
	ck_assert_mem_eq(second.previous, first.hash, sizeof(second.previous));
}
END_TEST

START_TEST(chain_follows_what_it_appended)
{
	struct record log[LOG_LEN];
	struct chain chain;

	make_log(log);
	ck_assert_uint_eq(follow(log, LOG_LEN, &chain), LOG_LEN);
	ck_assert_uint_eq(chain.seq, LOG_LEN);
	ck_assert_mem_eq(chain.head, log[LOG_LEN - 1].hash, sizeof(chain.head));
	ck_assert_uint_eq(log[0].seq, 1);
}
END_TEST

UNIT_MAIN("chain", chain_finds_a_changed_record, chain_finds_a_changed_record_that_was_sealed_again,
	chain_finds_a_removed_record, chain_finds_a_removed_record_that_was_papered_over,
	chain_finds_reordered_records, chain_finds_an_inserted_or_repeated_record,
	chain_does_not_move_on_a_record_that_does_not_follow, chain_refuses_a_number_after_the_last,
	chain_goes_back_to_a_remembered_point, chain_follows_what_it_appended)
