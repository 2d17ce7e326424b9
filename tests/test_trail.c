/*
 * The trail of refusals: the first is a record, the rest are counted durably, a window's end is one more.
 */
#include <string.h>

#include "core_world.h"

static struct core_world world;

static void refuse(uint32_t uid)
{
	core_ask_refused("denied", &world, uid, "integration.list", "{}");
}

static void tick_after(int64_t ms)
{
	core_clock_ms += ms;
	core_tick(world.core, false);
}

struct windows {
	size_t count;
	uint32_t refusals;
};

static enum err on_window(void *arg, const struct store_refusal *refusal)
{
	struct windows *windows = arg;

	windows->count++;
	windows->refusals += refusal->count;
	return OK;
}

static struct windows open_windows(void)
{
	struct windows windows = {0};

	ck_ok(store_refusal_each(world.core->store, INT64_MAX, on_window, &windows));
	return windows;
}

static void check_repeats(uint64_t seq, uint32_t uid, const char *outcome, uint32_t repeats)
{
	struct record record = core_record(&world, seq);

	ck_assert_str_eq(record.kind, "repeats");
	ck_assert_str_eq(record.outcome, outcome);
	ck_assert_uint_eq(record.uid, uid);
	ck_assert_uint_eq(record.repeats, repeats);
	ck_assert_int_eq(record.time_ms, core_clock_ms);
}

START_TEST(the_first_refusal_is_a_record_at_once)
{
	core_world_start(&world);
	refuse(UID_STRANGER);
	ck_assert_uint_eq(core_records(&world), 1);

	struct record record = core_record(&world, 1);

	ck_assert_str_eq(record.kind, "integration.list");
	ck_assert_str_eq(record.outcome, "denied");
	ck_assert_str_eq(record.detail, "no role gives this right");
	ck_assert_uint_eq(record.uid, UID_STRANGER);
	ck_assert_uint_eq(record.repeats, 1);
	ck_assert_int_eq(record.time_ms, core_clock_ms);
	core_world_end(&world);
}
END_TEST

START_TEST(each_uid_and_each_error_has_a_first)
{
	core_world_start(&world);
	refuse(UID_STRANGER);
	refuse(UID_APP);
	core_ask_refused("bad_request", &world, UID_STRANGER, "hello", "{\"x\":1}");
	ck_assert_uint_eq(core_records(&world), 3);
	refuse(UID_STRANGER);
	refuse(UID_APP);
	core_ask_refused("bad_request", &world, UID_STRANGER, "hello", "{\"y\":1}");
	ck_assert_uint_eq(core_records(&world), 3);
	ck_assert_uint_eq(open_windows().count, 3);
	ck_assert_uint_eq(open_windows().refusals, 6);
	core_world_end(&world);
}
END_TEST

/* P4: "in a count" is as durable as a record. */
START_TEST(counted_refusals_survive_a_kill)
{
	core_world_start(&world);
	for (int i = 0; i < 5; i++)
		refuse(UID_STRANGER);
	core_world_reopen(&world);
	ck_assert_uint_eq(core_records(&world), 1);
	ck_assert_uint_eq(open_windows().refusals, 5);
	refuse(UID_STRANGER);
	ck_assert_uint_eq(core_records(&world), 1);
	tick_after(world.limits.refusal_window_ms + 1);
	ck_assert_uint_eq(core_records(&world), 2);
	check_repeats(2, UID_STRANGER, "denied", 5);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(a_window_stays_open_for_its_time)
{
	core_world_start(&world);
	refuse(UID_STRANGER);
	refuse(UID_STRANGER);
	tick_after(world.limits.refusal_window_ms);
	ck_assert_uint_eq(core_records(&world), 1);
	ck_assert_uint_eq(open_windows().count, 1);
	tick_after(1);
	ck_assert_uint_eq(core_records(&world), 2);
	check_repeats(2, UID_STRANGER, "denied", 1);
	ck_assert_uint_eq(open_windows().count, 0);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(a_window_with_one_refusal_ends_without_a_record)
{
	core_world_start(&world);
	refuse(UID_STRANGER);
	tick_after(world.limits.refusal_window_ms + 1);
	ck_assert_uint_eq(core_records(&world), 1);
	ck_assert_uint_eq(open_windows().count, 0);
	refuse(UID_STRANGER);
	ck_assert_uint_eq(core_records(&world), 2);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(an_end_that_is_not_stored_is_tried_again)
{
	core_world_start(&world);
	refuse(UID_STRANGER);
	refuse(UID_STRANGER);
	core_faults.commit = ERR_STORAGE_FULL;
	tick_after(world.limits.refusal_window_ms + 1);
	ck_assert_uint_eq(core_records(&world), 1);
	ck_assert_uint_eq(open_windows().refusals, 2);
	core_check_chain(&world);
	core_faults.append = ERR_STORAGE_FULL;
	tick_after(1000);
	ck_assert_uint_eq(core_records(&world), 1);
	ck_assert_uint_eq(open_windows().refusals, 2);
	core_check_chain(&world);
	tick_after(1000);
	ck_assert_uint_eq(core_records(&world), 2);
	check_repeats(2, UID_STRANGER, "denied", 1);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(a_tick_waits_for_the_open_turn)
{
	struct asking asking = {0};

	core_world_start(&world);
	refuse(UID_STRANGER);
	refuse(UID_STRANGER);
	asking_start(&asking, &world, UID_STRANGER);
	asking_send(&asking, "hello", "{}");
	tick_after(world.limits.refusal_window_ms + 1);
	ck_assert_uint_eq(open_windows().count, 1);
	turn_end(core_turn(world.core));
	tick_after(1000);
	ck_assert_uint_eq(open_windows().count, 0);
	asking_end(&asking);
	core_world_end(&world);
}
END_TEST

/* Windows that began in what is the future now would count for as long as the clock was set back. */
START_TEST(a_clock_set_back_closes_every_window)
{
	core_world_start(&world);
	refuse(UID_STRANGER);
	refuse(UID_STRANGER);
	tick_after(1000);
	ck_assert_uint_eq(open_windows().count, 1);
	tick_after(-3600000);
	ck_assert_uint_eq(open_windows().count, 0);
	ck_assert_uint_eq(core_records(&world), 2);
	check_repeats(2, UID_STRANGER, "denied", 1);

	/* From there on a window has its time again. */
	refuse(UID_STRANGER);
	refuse(UID_STRANGER);
	tick_after(1000);
	ck_assert_uint_eq(open_windows().count, 1);
	tick_after(world.limits.refusal_window_ms);
	ck_assert_uint_eq(open_windows().count, 0);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

/* P4: the requests came first, so their records do; and a reload in a busy moment is not a reload without a record. */
START_TEST(the_daemons_own_record_follows_those_of_the_open_turn)
{
	struct asking asking = {0};

	core_world_start(&world);
	asking_start(&asking, &world, UID_STRANGER);
	asking_send(&asking, "integration.list", "{}");
	ck_assert(turn_is_open(core_turn(world.core)));
	ck_ok(core_record_daemon(world.core, "daemon.reload"));
	ck_assert(!turn_is_open(core_turn(world.core)));
	ck_assert_str_eq(asking_word(&asking), "denied");
	ck_assert_uint_eq(core_records(&world), 2);
	ck_assert_str_eq(core_record(&world, 1).kind, "integration.list");
	ck_assert_str_eq(core_record(&world, 2).kind, "daemon.reload");
	core_check_chain(&world);
	asking_end(&asking);
	core_world_reopen(&world); /* it was durable */
	ck_assert_uint_eq(core_records(&world), 2);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(the_daemons_own_record_does_not_fall_with_the_open_turn)
{
	struct asking asking = {0};

	core_world_start(&world);
	asking_start(&asking, &world, UID_STRANGER);
	asking_send(&asking, "integration.list", "{}");
	core_faults.commit = ERR_STORAGE_FULL; /* of the turn */
	ck_ok(core_record_daemon(world.core, "daemon.reload"));
	ck_assert_str_eq(asking_word(&asking), "audit_unavailable");
	ck_assert_uint_eq(core_records(&world), 1);
	ck_assert_str_eq(core_record(&world, 1).kind, "daemon.reload");
	core_check_chain(&world);
	asking_end(&asking);
	core_world_end(&world);
}
END_TEST

START_TEST(a_shutdown_closes_every_window)
{
	enum { CALLERS = 150 };

	core_world_start(&world);
	for (uint32_t i = 0; i < CALLERS; i++) {
		refuse(80000 + i);
		refuse(80000 + i);
	}
	ck_assert_uint_eq(open_windows().count, CALLERS);
	core_tick(world.core, true);
	ck_assert_uint_eq(open_windows().count, 0);
	ck_assert_uint_eq(core_records(&world), 2 * CALLERS);
	check_repeats(2 * CALLERS, 80000 + CALLERS - 1, "denied", 1);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(a_sealed_vault_has_no_trail_and_still_refuses)
{
	core_world_start_sealed(&world);
	core_ask_refused("sealed", &world, UID_STRANGER, "integration.list", "{}");
	core_tick(world.core, false);
	core_tick(world.core, true);
	ck_err(core_record_daemon(world.core, "daemon.start"), ERR_SEALED);
	core_world_end(&world);
}
END_TEST

/* Nobody can fill the disk with refusals. */
START_TEST(a_flood_of_ten_thousand_refusals_is_two_records)
{
	enum { FLOOD = 10000, A_TURN = 100 };
	static struct asking askings[A_TURN];

	core_world_start(&world);
	world.skips_arena = true;
	for (int sent = 0; sent < FLOOD; sent += A_TURN) {
		for (int i = 0; i < A_TURN; i++) {
			asking_start(&askings[i], &world, UID_STRANGER);
			asking_send(&askings[i], "secret.list", "{\"integration\":\"name-%d\"}", sent + i);
		}
		turn_end(core_turn(world.core));
		for (int i = 0; i < A_TURN; i++) {
			ck_assert_str_eq(asking_word(&askings[i]), "denied");
			asking_end(&askings[i]);
		}
	}
	ck_assert_uint_eq(core_records(&world), 1);
	ck_assert_uint_eq(open_windows().count, 1);
	tick_after(world.limits.refusal_window_ms + 1);
	ck_assert_uint_eq(core_records(&world), 2);
	check_repeats(2, UID_STRANGER, "denied", FLOOD - 1);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("trail", the_first_refusal_is_a_record_at_once, each_uid_and_each_error_has_a_first,
	counted_refusals_survive_a_kill, a_window_stays_open_for_its_time,
	a_window_with_one_refusal_ends_without_a_record, an_end_that_is_not_stored_is_tried_again,
	a_tick_waits_for_the_open_turn, a_clock_set_back_closes_every_window,
	the_daemons_own_record_follows_those_of_the_open_turn,
	the_daemons_own_record_does_not_fall_with_the_open_turn, a_shutdown_closes_every_window,
	a_sealed_vault_has_no_trail_and_still_refuses, a_flood_of_ten_thousand_refusals_is_two_records)
