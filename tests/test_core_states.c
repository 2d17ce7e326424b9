/*
 * The states of an integration: suspended, nothing goes out and everything stays; retired, everything ends, what somebody
 * holds when nobody holds it any more.
 */
#include "core_story.h"

static struct core_world world;
static struct puppet holder; /* a process of UID_APP */

static void start(void)
{
	core_world_start(&world);
	puppets_start();
	holder = puppet_new();
	core_add_integration(&world, "app");
	core_grant(&world, "app", UID_APP);
	core_put(&world, "app", "A", "one");
	core_put(&world, "app", "B", "bbbb");
}

static void end(void)
{
	puppets_end();
	core_check_chain(&world);
	core_world_end(&world);
}

#define APP "{\"name\":\"app\"}"
#define refused(word, method, params) core_ask_refused(word, &world, UID_ADMIN, method, "%s", params)
#define accepted(method, params) core_ask_ok(&world, UID_ADMIN, method, "%s", params)
#define check_states(key, states) ck_assert_str_eq(core_states(&world, "app", key), states)

static const char *fetch(void)
{
	return core_ask_as(&world, UID_APP, &holder, "env.fetch", "{\"integration\":\"app\"}");
}

/* The holder ends, and the daemon hears of it. */
static void end_holder(void)
{
	puppet_die(&holder);
	core_processes_ended(world.core);
	turn_end(core_turn(world.core));
}

/* ---- a connection that watches ---- */

static struct asking asking;
static struct subscriber subscriber;

static void on_wake(struct subscriber *woken)
{
	(void)woken;
}

static void watch(void)
{
	subscriber = (struct subscriber){.wake = on_wake};
	asking_start(&asking, &world, UID_APP);
	asking.exchange.subscriber = &subscriber;
	asking_send(&asking, "env.watch", "%s", "{\"integration\":\"app\"}");
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&asking), "ok");
}

static void leave(void)
{
	subscriber_leave(&subscriber);
	asking_end(&asking);
}

/* ---- suspend and resume ---- */

START_TEST(states_are_an_admins_alone)
{
	static const char *const methods[] = {
		"integration.suspend", "integration.resume", "integration.retire"};
	static const uint32_t others[] = {UID_OPERATOR, UID_AUDITOR, UID_APP, UID_STRANGER};

	start();
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++)
			core_ask_refused("denied", &world, others[j], methods[i], "%s", APP);
		refused("not_found", methods[i], "{\"name\":\"other\"}");
		refused("bad_request", methods[i], "{}");
	}
	end();
}
END_TEST

START_TEST(a_state_is_entered_once)
{
	uint64_t before = 0;

	start();
	before = story_mark(&world);
	refused("conflict", "integration.resume", APP);
	accepted("integration.suspend", APP);
	refused("conflict", "integration.suspend", APP);
	ck_assert_ptr_nonnull(strstr(core_message(&world), "coffer integration resume"));
	accepted("integration.resume", APP);
	refused("conflict", "integration.resume", APP);
	ck_assert_str_eq(story_since(&world, before), "state:active>suspended|state:suspended>active|");
	end();
}
END_TEST

START_TEST(suspended_gives_nothing_and_keeps_all)
{
	start();
	ck_assert_str_eq(fetch(), "ok");
	watch();
	core_clock_ms = 1800000000000;
	accepted("integration.suspend", "{\"name\":\"app\",\"reason\":\"is it ours?\"}");
	ck_assert_str_eq(story_subject(&world), "state=suspended reason='is it ours?'");
	ck_assert(subscriber_must_end(&subscriber));
	leave();
	ck_assert_str_eq(fetch(), "suspended");
	core_ask_refused("denied", &world, UID_STRANGER, "env.fetch", "{\"integration\":\"app\"}"); /* P2 */
	core_stage(&world, "app", "A", "two");
	core_ask_ok(&world, UID_OPERATOR, "secret.promote", "%s",
		"{\"integration\":\"app\",\"key\":\"A\",\"untested\":true}");
	core_grant(&world, "app", UID_OTHER_APP);
	accepted("integration.edit", "{\"name\":\"app\",\"title\":\"still\"}");
	accepted("integration.show", APP);

	const cJSON *integration = core_result(&world, "integration");

	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(integration, "state")), "suspended");
	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(integration, "state_at")),
		"2027-01-15T08:00:00.000Z");
	check_states("A", "1:draining 2:current");
	accepted("integration.resume", "{\"name\":\"app\",\"reason\":\"it was\"}");
	ck_assert_str_eq(story_subject(&world), "state=active reason='it was'");
	ck_assert_str_eq(fetch(), "ok");
	end();
}
END_TEST

/* ---- retire ---- */

START_TEST(retired_is_for_good)
{
	static const char *const methods[] = {
		"integration.suspend", "integration.resume", "integration.retire", "integration.review"};

	start();
	accepted("integration.retire", APP);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		refused("retired", methods[i], APP);
	refused("retired", "integration.edit", "{\"name\":\"app\",\"title\":\"x\"}");
	refused("retired", "integration.transfer", "{\"name\":\"app\",\"owner\":\"x\",\"contact\":\"y\"}");
	refused("retired", "grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"0\"}}");
	refused("retired", "secret.put", "{\"integration\":\"app\",\"key\":\"A\",\"value\":\"x\"}");
	refused("retired", "secret.edit", "{\"integration\":\"app\",\"key\":\"A\",\"issuer\":\"x\"}");
	refused("retired", "secret.remove", "{\"integration\":\"app\",\"key\":\"A\"}");
	refused("conflict", "integration.add",
		"{\"name\":\"app\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\"}");
	ck_assert_str_eq(fetch(), "denied");
	accepted("integration.show", APP);
	accepted("integration.history", APP);
	check_states("A", "1:revoked");
	end();
}
END_TEST

/* P10 */
START_TEST(what_nobody_holds_is_destroyed_with_the_request)
{
	uint64_t before = 0;

	start();
	core_stage(&world, "app", "B", "next");
	core_put(&world, "app", "A", "two");
	watch();
	before = story_mark(&world);
	core_faults.checkpoints = 0;
	accepted("integration.retire", "{\"name\":\"app\",\"reason\":\"replaced\"}");
	ck_assert_uint_eq(core_faults.checkpoints, 1);
	ck_assert_int_eq(core_result(&world, "revoked")->valueint, 4);
	ck_assert_int_eq(core_result(&world, "draining")->valueint, 0);
	ck_assert_str_eq(story_subject(&world),
		"state=retired reason='replaced' grant=1 A=1:revoked A=2:revoked "
		"B=1:revoked B=2:revoked");
	ck_assert_str_eq(story_since(&world, before),
		"state:active>retired:replaced|A=1:state:draining>revoked:retired|"
		"A=2:state:current>revoked:retired|B=1:state:current>revoked:retired|"
		"B=2:state:staged>revoked:retired|");
	ck_assert_uint_eq(core_counts(&world).grants, 0);
	ck_assert(subscriber_must_end(&subscriber));
	leave();
	end();
}
END_TEST

/* P10 */
START_TEST(what_somebody_holds_is_destroyed_when_it_has_drained)
{
	uint64_t before = 0;

	start();
	ck_assert_str_eq(fetch(), "ok");
	core_stage(&world, "app", "B", "next");
	accepted("integration.retire", APP);
	ck_assert_int_eq(core_result(&world, "revoked")->valueint, 1);
	ck_assert_int_eq(core_result(&world, "draining")->valueint, 2);
	check_states("A", "1:draining");
	check_states("B", "1:draining 2:revoked");
	before = story_mark(&world);
	core_tick(world.core, false);
	check_states("A", "1:draining");
	end_holder();
	core_faults.checkpoints = 0;
	core_tick(world.core, false);
	ck_assert_uint_eq(core_faults.checkpoints, 1);
	check_states("A", "1:revoked");
	check_states("B", "1:revoked 2:revoked");
	ck_assert_str_eq(story_since(&world, before),
		"A=1:state:draining>revoked:drained|B=1:state:draining>revoked:drained|");

	struct record record = core_record(&world, 0);

	ck_assert_str_eq(record.kind, "retired.destroyed");
	ck_assert_str_eq(record.outcome, "ok");
	ck_assert_str_eq(record.integration, "app");
	ck_assert_str_eq(record.key, "B");
	ck_assert_uint_eq(record.version, 1);
	core_faults.checkpoints = 0;
	core_tick(world.core, false);
	core_tick(world.core, false);
	ck_assert_uint_eq(core_faults.checkpoints, 0);
	end();
}
END_TEST

START_TEST(what_a_tick_could_not_destroy_the_next_one_does)
{
	uint64_t records = 0;

	start();
	ck_assert_str_eq(fetch(), "ok");
	accepted("integration.retire", APP);
	end_holder();
	records = core_records(&world);
	core_faults.append = ERR_STORAGE_FULL;
	core_tick(world.core, false);
	check_states("A", "1:draining");
	core_faults.commit = ERR_STORAGE_FULL;
	core_tick(world.core, false);
	check_states("A", "1:draining");
	ck_assert_uint_eq(core_records(&world), records);
	core_tick(world.core, false);
	check_states("A", "1:revoked");
	ck_assert_uint_eq(core_records(&world), records + 2);
	end();
}
END_TEST

START_TEST(a_daemon_that_starts_again_goes_on_destroying)
{
	start();
	ck_assert_str_eq(fetch(), "ok");
	accepted("integration.retire", APP);
	core_world_reopen(&world);
	core_tick(world.core, false);
	check_states("A", "1:draining");
	end_holder();
	core_tick(world.core, false);
	check_states("A", "1:revoked");
	end();
}
END_TEST

/* P5 */
START_TEST(a_retirement_that_is_not_stored_never_was)
{
	start();
	core_faults.append = ERR_STORAGE_FULL;
	refused("storage_full", "integration.retire", APP);
	core_faults.commit = ERR_STORAGE_FULL;
	refused("storage_full", "integration.retire", APP);
	check_states("A", "1:current");
	ck_assert_uint_eq(core_counts(&world).grants, 1);
	ck_assert_str_eq(fetch(), "ok");
	end();
}
END_TEST

/* P10 */
START_TEST(a_retirement_whose_checkpoint_failed_makes_it_when_asked_again)
{
#define AGAIN "{\"name\":\"app\",\"request_id\":\"0123456789abcdef0123456789abcdef\"}"
	start();
	core_faults.checkpoint = ERR_STORAGE;
	refused("storage", "integration.retire", AGAIN);
	core_faults.checkpoints = 0;
	accepted("integration.retire", AGAIN);
	ck_assert_uint_eq(core_faults.checkpoints, 1);
	ck_assert_int_eq(core_result(&world, "revoked")->valueint, 2);
	check_states("A", "1:revoked");
	end();
#undef AGAIN
}
END_TEST

/* ---- a suspected exposure ---- */

START_TEST(a_forced_revoke_of_the_current_value_makes_fetches_fail_by_its_name)
{
	start();
	ck_assert_str_eq(fetch(), "ok");
	core_ask_ok(&world, UID_OPERATOR, "secret.revoke", "%s",
		"{\"integration\":\"app\",\"key\":\"B\",\"version\":1,\"force\":true}");
	ck_assert_str_eq(fetch(), "not_found");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "B"));
	core_ask_as_ok(
		&world, UID_APP, &holder, "env.fetch", "%s", "{\"integration\":\"app\",\"only\":[\"A\"]}");
	core_put(&world, "app", "B", "new");
	ck_assert_str_eq(fetch(), "ok");
	end();
}
END_TEST

UNIT_MAIN("core_states", states_are_an_admins_alone, a_state_is_entered_once,
	suspended_gives_nothing_and_keeps_all, retired_is_for_good,
	what_nobody_holds_is_destroyed_with_the_request, what_somebody_holds_is_destroyed_when_it_has_drained,
	what_a_tick_could_not_destroy_the_next_one_does, a_daemon_that_starts_again_goes_on_destroying,
	a_retirement_that_is_not_stored_never_was,
	a_retirement_whose_checkpoint_failed_makes_it_when_asked_again,
	a_forced_revoke_of_the_current_value_makes_fetches_fail_by_its_name)
