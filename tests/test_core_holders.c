/*
 * Who may hold what, with real processes: remembered with the turn or not at all, gone when the kernel says so, found again
 * after a restart, and never said to be gone without proof.
 */
#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core_world.h"
#include "holders.h"

static struct core_world world;
static struct puppet one, other; /* processes of UID_APP */

/* "app" with A=1 and B=1 current, granted to UID_APP and UID_OTHER_APP. */
static void start(void)
{
	puppets_start();
	one = puppet_new();
	other = puppet_new();
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_grant(&world, "app", UID_APP);
	core_grant(&world, "app", UID_OTHER_APP);
	core_put(&world, "app", "A", "one");
	core_put(&world, "app", "B", "one");
}

static void end(void)
{
	core_check_chain(&world);
	core_world_end(&world);
	puppets_end();
}

/* The id of the run. */
static const char *fetch_as(uint32_t uid, const struct puppet *puppet, const char *params)
{
	static char runs[4][27];
	static unsigned next;
	char *run = runs[next++ % 4];

	if (puppet != NULL)
		core_ask_as_ok(&world, uid, puppet, "env.fetch", "%s", params);
	else
		core_ask_ok(&world, uid, "env.fetch", "%s", params);
	memcpy(run, core_result_text(&world, "run"), 27);
	return run;
}

#define fetch(puppet) fetch_as(UID_APP, puppet, "{}")
#define ONLY_A "{\"only\":[\"A\"]}"

static const char *text_of(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
}

/* "A=1:process B=1:process", as holder.list tells it. */
static const char *holders(void)
{
	static char text[2048];
	const cJSON *item = NULL;

	core_ask_ok(&world, UID_AUDITOR, "holder.list", "{}");
	text[0] = '\0';
	cJSON_ArrayForEach(item, core_result(&world, "holders"))
	{
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%s=%d:%s", len > 0 ? " " : "",
			text_of(item, "key"), cJSON_GetObjectItem(item, "version")->valueint,
			text_of(item, "holder"));
	}
	return text;
}

#define check_holders(wanted) ck_assert_str_eq(holders(), wanted)
#define BOTH "A=1:process B=1:process"

static int holders_in_status(void)
{
	core_ask_ok(&world, UID_AUDITOR, "status", "{}");
	return cJSON_GetObjectItem(core_result(&world, "counts"), "holders")->valueint;
}

/* "running", "ended 3", "ended signal 9": the run with this id, as run.list tells it. */
static const char *state_of(const char *run)
{
	static char text[64];
	const cJSON *item = NULL;

	core_ask_ok(&world, UID_AUDITOR, "run.list", "{\"integration\":\"app\"}");
	snprintf(text, sizeof(text), "no such run");
	cJSON_ArrayForEach(item, core_result(&world, "runs"))
	{
		const cJSON *status = cJSON_GetObjectItem(item, "exit_status");
		const cJSON *signal = cJSON_GetObjectItem(item, "signal");

		if (strcmp(text_of(item, "run"), run) != 0)
			continue;
		snprintf(text, sizeof(text), "%s", text_of(item, "state"));
		if (cJSON_IsNumber(status))
			snprintf(text + strlen(text), 16, " %d", status->valueint);
		if (cJSON_IsNumber(signal))
			snprintf(text + strlen(text), 16, " signal %d", signal->valueint);
	}
	return text;
}

#define check_state(run, wanted) ck_assert_str_eq(state_of(run), wanted)

/* What the loop does when the descriptor is readable. */
static bool is_an_end_told(void)
{
	struct pollfd poll_fd = {.fd = core_processes_fd(world.core), .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

static void turn_with_ends(void)
{
	core_processes_ended(world.core);
	if (turn_is_open(core_turn(world.core)))
		turn_end(core_turn(world.core));
}

static enum err on_counted(void *arg, const struct store_run *run)
{
	(void)run;
	++*(size_t *)arg;
	return OK;
}

/* Runs that are in force by what the store knows. */
static size_t held_in_store(void)
{
	size_t count = 0;

	ck_ok(store_run_held(world.core->store, on_counted, &count));
	return count;
}

static bool are_ends_forgotten(void)
{
	return TAILQ_EMPTY(&world.core->holders->ended);
}

/* ---- asking: refusals ---- */

START_TEST(holders_are_told_to_readers_and_of_what_exists)
{
	start();
	core_ask_refused("denied", &world, UID_APP, "holder.list", "{}");
	core_ask_refused("denied", &world, UID_STRANGER, "run.list", "{\"integration\":\"app\"}");
	core_ask_refused("not_found", &world, UID_AUDITOR, "holder.list", "{\"integration\":\"nope\"}");
	core_ask_refused("not_found", &world, UID_AUDITOR, "run.list", "{\"integration\":\"nope\"}");
	core_ask_refused("bad_request", &world, UID_AUDITOR, "holder.list", "{\"key\":\"A\"}");
	core_ask_refused("not_found", &world, UID_AUDITOR, "holder.list",
		"{\"integration\":\"app\",\"key\":\"NONE\"}");
	core_ask_ok(&world, UID_AUDITOR, "holder.list", "{\"integration\":\"app\",\"key\":\"A\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "holders")), 0);
	ck_assert(cJSON_IsFalse(core_result(&world, "more")));
	end();
}
END_TEST

/* P9 */
START_TEST(a_process_that_has_ended_is_given_nothing)
{
	start();
	puppet_exit(&one, 0);
	core_ask_as_refused("denied", &world, UID_APP, &one, "env.fetch", "{}");
	ck_assert_str_eq(core_record(&world, 0).detail, "the process that connected has ended");
	ck_assert_uint_eq(core_counts(&world).runs, 0);
	check_holders("");
	end();
}
END_TEST

/* ---- with the turn, or not at all ---- */

/* P5: the run was stored before the reply was found to have no room. */
START_TEST(a_fetch_that_fails_behind_its_run_leaves_no_holder)
{
	struct pool_block block = {0};

	start();
	ck_ok(pool_take(world.core->replies, UID_APP, (size_t)world.limits.reply_pool_bytes / 4, &block));
	core_ask_as_refused("busy", &world, UID_APP, &one, "env.fetch", "{}");
	core_ask_refused("busy", &world, UID_APP, "env.fetch", "{}");
	check_holders("");
	ck_assert_int_eq(holders_in_status(), 0);
	pool_give(world.core->replies, &block);
	puppet_exit(&one, 0);
	ck_assert(!is_an_end_told()); /* nobody waits for it */

	fetch(&other);
	check_holders(BOTH);
	/* The same again, for one that holds already. */
	ck_ok(pool_take(world.core->replies, UID_APP, (size_t)world.limits.reply_pool_bytes / 4, &block));
	core_ask_as_refused("busy", &world, UID_APP, &other, "env.fetch", "{}");
	core_ask_as_refused("busy", &world, UID_APP, &other, "env.fetch", ONLY_A);
	pool_give(world.core->replies, &block);
	check_holders(BOTH);
	ck_assert_uint_eq(held_in_store(), 1);
	end();
}
END_TEST

/* P5 */
START_TEST(a_fetch_whose_commit_failed_leaves_no_holder)
{
	start();
	core_faults.commit = ERR_STORAGE_FULL;
	core_ask_as_refused("audit_unavailable", &world, UID_APP, &one, "env.fetch", "{}");
	core_faults.commit = ERR_STORAGE_FULL;
	core_ask_refused("audit_unavailable", &world, UID_APP, "env.fetch", "{}");
	core_faults.append = ERR_STORAGE_FULL;
	core_ask_as_refused("audit_unavailable", &world, UID_APP, &one, "env.fetch", "{}");
	check_holders("");
	ck_assert_int_eq(holders_in_status(), 0);
	ck_assert_uint_eq(held_in_store(), 0);
	fetch(&one);
	check_holders(BOTH);
	ck_assert_int_eq(holders_in_status(), 1);
	ck_assert_uint_eq(held_in_store(), 1);
	end();
}
END_TEST

/* P5: the first run stands for all of them; one that never was must not keep it, and must not end it either. */
START_TEST(a_further_fetch_whose_commit_failed_counts_for_nothing)
{
	const char *run = NULL;

	start();
	run = fetch(&one);
	core_faults.commit = ERR_STORAGE_FULL;
	core_ask_as_refused("audit_unavailable", &world, UID_APP, &one, "env.fetch", "{}");
	core_faults.commit = ERR_STORAGE_FULL;
	core_ask_as_refused("audit_unavailable", &world, UID_APP, &one, "env.fetch", ONLY_A);
	check_holders(BOTH);
	core_ask_as_ok(&world, UID_APP, &one, "holder.release", "{\"run\":\"%s\"}", run);
	check_holders("");
	check_state(run, "released");
	end();
}
END_TEST

START_TEST(a_turn_that_is_lost_takes_all_its_holders)
{
	struct asking first = {0}, again = {0}, unproven = {0};

	start();
	asking_start(&first, &world, UID_APP);
	asking_be(&first, &one);
	asking_start(&again, &world, UID_APP);
	asking_be(&again, &one);
	asking_start(&unproven, &world, UID_OTHER_APP);
	asking_send(&first, "env.fetch", "{}");
	asking_send(&again, "env.fetch", "{}");
	asking_send(&unproven, "env.fetch", "{}");
	core_faults.commit = ERR_STORAGE_FULL;
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&first), "audit_unavailable");
	ck_assert_str_eq(asking_word(&again), "audit_unavailable");
	ck_assert_str_eq(asking_word(&unproven), "audit_unavailable");
	check_holders("");
	asking_end(&first);
	asking_end(&again);
	asking_end(&unproven);
	end();
}
END_TEST

/* ---- ends ---- */

START_TEST(an_ended_process_holds_nothing_at_once_and_its_run_is_told_in_the_next_turn)
{
	const char *run = NULL;

	start();
	run = fetch(&one);
	check_state(run, "running");
	ck_assert(!is_an_end_told());
	puppet_exit(&one, 0);
	ck_assert(is_an_end_told());
	check_holders(""); /* before anything was written */
	ck_assert_int_eq(holders_in_status(), 0);
	turn_with_ends();
	ck_assert_uint_eq(held_in_store(), 0);
	ck_assert(!is_an_end_told());
	ck_assert_str_eq(strncpy((char[6]){0}, state_of(run), 5), "ended");
	end();
}
END_TEST

/* P5: what the kernel said is never taken back, only written again. */
START_TEST(an_end_whose_commit_failed_is_written_in_the_next_turn)
{
	const char *run = NULL;

	start();
	core_faults.hides_status = true;
	run = fetch(&one);
	puppet_exit(&one, 0);
	core_processes_ended(world.core);
	core_faults.commit = ERR_STORAGE_FULL;
	turn_end(core_turn(world.core));
	ck_assert_uint_eq(held_in_store(), 1);
	check_state(run, "ended"); /* memory tells, and this turn stores it */
	ck_assert_uint_eq(held_in_store(), 0);
	ck_assert(are_ends_forgotten());
	check_state(run, "ended");
	end();
}
END_TEST

START_TEST(an_end_that_no_turn_could_store_is_stored_by_a_tick)
{
	start();
	core_faults.hides_status = true;
	fetch(&one);
	puppet_exit(&one, 0);
	core_faults.begin = ERR_STORAGE_FULL;
	core_processes_ended(world.core);
	turn_end(core_turn(world.core));
	core_tick(world.core, false);
	ck_assert(!are_ends_forgotten());
	core_faults.begin = OK;
	core_faults.commit = ERR_STORAGE_FULL;
	core_tick(world.core, false);
	ck_assert_uint_eq(held_in_store(), 1);
	core_tick(world.core, false);
	ck_assert_uint_eq(held_in_store(), 0);
	ck_assert(are_ends_forgotten());
	end();
}
END_TEST

/* An end is noticed in a turn that fails, of a process that this very turn gave values. */
START_TEST(a_process_may_end_in_the_turn_that_gave_it_values)
{
	struct asking asking = {0};

	start();
	core_faults.hides_status = true;
	for (int is_lost = 1; is_lost >= 0; is_lost--) {
		const struct puppet *puppet = is_lost ? &one : &other;

		asking_start(&asking, &world, UID_APP);
		asking_be(&asking, puppet);
		asking_send(&asking, "env.fetch", "{}");
		puppet_exit(puppet, 0);
		core_processes_ended(world.core);
		core_faults.commit = is_lost ? ERR_STORAGE_FULL : OK;
		turn_end(core_turn(world.core));
		ck_assert_str_eq(asking_word(&asking), is_lost ? "audit_unavailable" : "ok");
		asking_end(&asking);
		check_holders("");
		ck_assert_uint_eq(held_in_store(), 0);
		ck_assert(are_ends_forgotten());
	}
	ck_assert_uint_eq(core_counts(&world).runs, 1);
	end();
}
END_TEST

START_TEST(how_a_process_ended_is_told_where_the_kernel_tells)
{
	const char *exited = NULL, *killed = NULL;
	bool is_told = kernel_is(6, 15);

	start();
	exited = fetch(&one);
	killed = fetch(&other);
	puppet_exit(&one, 3);
	puppet_exit(&other, -SIGKILL);
	turn_with_ends();
	check_state(exited, "ended"); /* its parent has not waited for it */
	puppet_wait(&one);
	puppet_wait(&other);
	turn_with_ends();
	check_state(exited, is_told ? "ended 3" : "ended");
	check_state(killed, is_told ? "ended signal 9" : "ended");
	ck_assert(are_ends_forgotten() || !is_told);
	end();
}
END_TEST

START_TEST(a_status_that_nobody_waits_for_is_given_up)
{
	enum { GIVEN_UP_MS = 10000 };
	const char *run = NULL;

	start();
	core_faults.loses_status = true;
	run = fetch(&one);
	puppet_exit(&one, 3);
	turn_with_ends();
	check_state(run, "ended");
	core_clock_ms += GIVEN_UP_MS;
	core_tick(world.core, false);
	ck_assert(!are_ends_forgotten());
	core_clock_ms += 1;
	core_tick(world.core, false);
	ck_assert(are_ends_forgotten());
	check_state(run, "ended");

	/* Also by a clock that was set back. */
	fetch(&other);
	puppet_exit(&other, 3);
	turn_with_ends();
	ck_assert(!are_ends_forgotten());
	core_clock_ms -= 1;
	core_tick(world.core, false);
	ck_assert(are_ends_forgotten());
	end();
}
END_TEST

/* It was said to come when the parent has waited, and then it does not. */
START_TEST(a_status_that_does_not_come_keeps_nobody)
{
	const char *run = NULL;

	if (!kernel_is(6, 9)) {
		printf("# SKIP: this kernel does not tell that a parent has waited\n");
		return;
	}
	start();
	core_faults.loses_status = true;
	run = fetch(&one);
	puppet_exit(&one, 3);
	turn_with_ends();
	core_faults.loses_status = false;
	core_faults.hides_status = true;
	puppet_wait(&one);
	ck_assert(is_an_end_told());
	turn_with_ends();
	ck_assert(are_ends_forgotten());
	check_state(run, "ended");
	end();
}
END_TEST

/* ---- how many ---- */

/* P8 */
START_TEST(one_user_has_a_quarter_of_all_holders)
{
	struct puppet third, fourth;

	start();
	third = puppet_new();
	fourth = puppet_new();
	world.limits.holders = 8;
	fetch(&one);
	fetch(&other);
	core_ask_as_refused("busy", &world, UID_APP, &third, "env.fetch", "{}");
	ck_assert_int_gt(core_retry_ms(&world), 0);
	core_ask_refused("busy", &world, UID_APP, "env.fetch", "{}"); /* nobody in particular counts as one */
	ck_assert_int_eq(holders_in_status(), 2);
	/* The same again needs no more room, and another set of keys only a little memory. */
	fetch(&one);
	fetch_as(UID_APP, &one, ONLY_A);
	fetch_as(UID_OTHER_APP, &fourth, "{}");
	puppet_die(&one);
	turn_with_ends();
	fetch_as(UID_APP, NULL, "{}");
	core_ask_as_refused("busy", &world, UID_APP, &third, "env.fetch", "{}");
	end();
}
END_TEST

/* One proven process and one nobody of each user. */
static const char *fetch_twice(uint32_t uid, const struct puppet *puppet)
{
	struct asking proven = {0}, unproven = {0};
	const char *word = NULL;

	asking_start(&proven, &world, uid);
	asking_be(&proven, puppet);
	asking_start(&unproven, &world, uid);
	proven.who.gid = unproven.who.gid = 81000;
	asking_send(&proven, "env.fetch", "{}");
	asking_send(&unproven, "env.fetch", "{}");
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&proven), asking_word(&unproven));
	word = strcmp(asking_word(&proven), "ok") == 0 ? "ok" : "busy";
	asking_end(&proven);
	asking_end(&unproven);
	return word;
}

START_TEST(all_users_together_have_no_more_holders_than_the_limit)
{
	enum { USERS = 4 };
	struct puppet last;

	start();
	last = puppet_new();
	world.limits.holders = 2 * USERS;
	core_ask_ok(
		&world, UID_ADMIN, "grant.add", "{\"integration\":\"app\",\"rule\":{\"group\":\"81000\"}}");
	for (uint32_t i = 0; i < USERS; i++) {
		struct puppet puppet = puppet_new();

		ck_assert_str_eq(fetch_twice(80000 + i, &puppet), "ok");
	}
	ck_assert_int_eq(holders_in_status(), 2 * USERS);
	ck_assert_str_eq(fetch_twice(80000 + USERS, &last), "busy");
	world.limits.holders = 4 * USERS;
	ck_assert_str_eq(fetch_twice(80000 + USERS, &last), "ok");
	end();
}
END_TEST

/* ---- nobody in particular ---- */

START_TEST(callers_that_are_not_proven_are_one_holder_for_each_user)
{
	const char *first = NULL, *again = NULL;
	const cJSON *item = NULL;

	start();
	first = fetch_as(UID_APP, NULL, "{}");
	again = fetch_as(UID_APP, NULL, "{}");
	check_holders("A=1:unknown B=1:unknown");
	item = cJSON_GetArrayItem(core_result(&world, "holders"), 0);
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(item, "pid")));
	ck_assert_int_eq(cJSON_GetObjectItem(item, "uid")->valueint, UID_APP);
	ck_assert_str_eq(text_of(item, "run"), first);
	check_state(first, "unknown");
	check_state(again, "again");
	fetch_as(UID_APP, NULL, ONLY_A);
	fetch_as(UID_OTHER_APP, NULL, ONLY_A);
	check_holders("A=1:unknown A=1:unknown A=1:unknown B=1:unknown");
	ck_assert_int_eq(holders_in_status(), 2);
	core_clock_ms += 400LL * 86400 * 1000;
	core_tick(world.core, false);
	ck_assert_int_eq(holders_in_status(), 2); /* it is never said to have ended */
	end();
}
END_TEST

#define revoke(word, key, version, more) \
	core_ask_refused(word, &world, UID_OPERATOR, "secret.revoke", \
		"{\"integration\":\"app\",\"key\":\"" key "\",\"version\":%d" more "}", version)

START_TEST(a_forced_revoke_forgets_who_cannot_be_found)
{
	const char *run = NULL;

	start();
	run = fetch_as(UID_APP, NULL, "{}");
	core_put(&world, "app", "A", "two");
	core_put(&world, "app", "B", "two");
	revoke("in_use", "A", 1, "");
	ck_assert_int_eq(core_error_data(&world, "holder_count")->valueint, 1);
	ck_assert_int_eq(cJSON_GetArraySize(core_error_data(&world, "holders")), 1);
	revoke("in_use", "A", 1, ",\"processes_only\":true");
	core_faults.commit = ERR_STORAGE_FULL;
	revoke("storage_full", "A", 1, ",\"force\":true");
	check_holders("A=1:unknown B=1:unknown");
	revoke("ok", "A", 1, ",\"force\":true");
	ck_assert_str_eq(core_record(&world, 0).subject.text, "pid=0/uid=70004");
	check_holders("A=1:unknown B=1:unknown"); /* of that run B is left, so it stands whole */
	core_faults.commit = ERR_STORAGE_FULL;
	revoke("storage_full", "B", 1, ",\"force\":true");
	check_holders("A=1:unknown B=1:unknown");
	revoke("ok", "B", 1, ",\"force\":true");
	check_holders("");
	check_state(run, "ended");
	ck_assert_int_eq(holders_in_status(), 0);
	ck_assert_uint_eq(held_in_store(), 0);
	end();
}
END_TEST

/* The kernel knows a live one: it goes on being told of. */
START_TEST(a_forced_revoke_forgets_no_live_process)
{
	start();
	fetch_as(UID_APP, &one, ONLY_A);
	revoke("ok", "A", 1, ",\"force\":true");
	ck_assert_ptr_nonnull(strstr(core_record(&world, 0).subject.text, "/uid=70004"));
	check_holders("A=1:process");
	puppet_die(&one);
	turn_with_ends();
	check_holders("");
	end();
}
END_TEST

/* ---- several in one turn ---- */

START_TEST(a_revoke_sees_the_fetch_before_it_in_the_turn)
{
	struct asking fetching = {0}, putting = {0}, revoking = {0};

	start();
	asking_start(&fetching, &world, UID_APP);
	asking_be(&fetching, &one);
	asking_start(&putting, &world, UID_OPERATOR);
	asking_start(&revoking, &world, UID_OPERATOR);
	asking_send(&fetching, "env.fetch", ONLY_A);
	asking_send(&putting, "secret.put", "{\"integration\":\"app\",\"key\":\"A\",\"value\":\"two\"}");
	asking_send(&revoking, "secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":1}");
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&fetching), "ok");
	ck_assert_str_eq(asking_word(&putting), "ok");
	ck_assert_str_eq(asking_word(&revoking), "in_use");
	check_holders("A=1:process");
	asking_end(&fetching);
	asking_end(&putting);
	asking_end(&revoking);
	end();
}
END_TEST

START_TEST(a_fetch_behind_a_revoke_in_the_turn_gets_nothing_of_it)
{
	struct asking fetching = {0}, revoking = {0};

	start();
	asking_start(&revoking, &world, UID_OPERATOR);
	asking_start(&fetching, &world, UID_APP);
	asking_be(&fetching, &one);
	asking_send(&revoking, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"A\",\"version\":1,\"force\":true}");
	asking_send(&fetching, "env.fetch", "{}");
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&revoking), "ok");
	ck_assert_str_eq(asking_word(&fetching), "not_found");
	check_holders("");
	asking_end(&fetching);
	asking_end(&revoking);
	end();
}
END_TEST

/* Each would forget the same one. */
START_TEST(two_forced_revokes_in_one_turn_forget_a_holder_once)
{
	struct asking first = {0}, second = {0};
	const char *run = NULL;

	start();
	run = fetch_as(UID_APP, NULL, ONLY_A);
	asking_start(&first, &world, UID_OPERATOR);
	asking_start(&second, &world, UID_OPERATOR);
	asking_send(&first, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"A\",\"version\":1,\"force\":true}");
	asking_send(&second, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"B\",\"version\":1,\"force\":true}");
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&first), "ok");
	ck_assert_str_eq(asking_word(&second), "ok");
	check_holders("");
	check_state(run, "ended");
	asking_end(&first);
	asking_end(&second);
	end();
}
END_TEST

START_TEST(two_releases_in_one_turn_end_a_holder_once)
{
	struct asking first = {0}, second = {0};
	const char *runs[2] = {NULL, NULL};

	start();
	runs[0] = fetch(&one);
	runs[1] = fetch(&one);
	asking_start(&first, &world, UID_APP);
	asking_be(&first, &one);
	asking_start(&second, &world, UID_APP);
	asking_be(&second, &one);
	asking_send(&first, "holder.release", "{\"run\":\"%s\"}", runs[0]);
	asking_send(&second, "holder.release", "{\"run\":\"%s\"}", runs[1]);
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&first), "ok");
	ck_assert_str_eq(asking_word(&second), "ok");
	check_holders("");
	check_state(runs[0], "released");
	check_state(runs[1], "released");
	asking_end(&first);
	asking_end(&second);
	end();
}
END_TEST

/* A supervisor's word on a run that the same turn has ended. */
START_TEST(a_report_behind_the_end_of_its_run_in_the_turn_is_kept)
{
	struct asking ending = {0}, reporting = {0};
	const char *unknown = NULL, *released = NULL;

	start();
	unknown = fetch_as(UID_APP, NULL, ONLY_A);
	asking_start(&ending, &world, UID_OPERATOR);
	asking_start(&reporting, &world, UID_APP);
	asking_send(&ending, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"A\",\"version\":1,\"force\":true}");
	asking_send(&reporting, "run.end", "{\"run\":\"%s\",\"exit_status\":3}", unknown);
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&ending), "ok");
	ck_assert_str_eq(asking_word(&reporting), "ok");
	check_state(unknown, "ended 3");
	asking_end(&ending);
	asking_end(&reporting);

	released = fetch_as(UID_APP, &one, "{\"only\":[\"B\"]}");
	asking_start(&ending, &world, UID_APP);
	asking_be(&ending, &one);
	asking_start(&reporting, &world, UID_APP);
	asking_send(&ending, "holder.release", "{\"run\":\"%s\"}", released);
	asking_send(&reporting, "run.end", "{\"run\":\"%s\",\"exit_status\":4}", released);
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&ending), "ok");
	ck_assert_str_eq(asking_word(&reporting), "ok");
	check_state(released, "released 4");
	asking_end(&ending);
	asking_end(&reporting);
	end();
}
END_TEST

/* ---- release ---- */

#define release_as(uid, puppet, run) \
	core_ask_as(&world, uid, puppet, "holder.release", "{\"run\":\"%s\"}", run)

/* P2 */
START_TEST(a_process_releases_its_own_runs_alone)
{
	const char *own = NULL, *unproven = NULL;
	char *denied = NULL;

	start();
	own = fetch(&one);
	unproven = fetch_as(UID_APP, NULL, "{}");
	ck_assert_str_eq(release_as(UID_APP, &other, "01JD0000000000000000000000"), "denied");
	denied = strdup(world.last_text);
	ck_assert_str_eq(release_as(UID_APP, &other, own), "denied");
	ck_assert_str_eq(world.last_text, denied);
	core_ask_refused("denied", &world, UID_APP, "holder.release", "{\"run\":\"%s\"}", own);
	ck_assert_str_eq(world.last_text, denied);
	core_ask_refused("denied", &world, UID_APP, "holder.release", "{\"run\":\"%s\"}", unproven);
	ck_assert_str_eq(world.last_text, denied);
	ck_assert_str_eq(release_as(UID_APP, &one, unproven), "denied");
	ck_assert_str_eq(world.last_text, denied);
	ck_assert_str_eq(release_as(UID_STRANGER, &other, own), "denied");
	ck_assert_str_eq(world.last_text, denied);
	fetch(&other); /* holds something, too */
	ck_assert_str_eq(release_as(UID_APP, &other, own), "denied");
	ck_assert_str_eq(world.last_text, denied);
	check_state(own, "running");
	free(denied);
	end();
}
END_TEST

START_TEST(what_is_released_is_held_no_more)
{
	const char *run = NULL, *next = NULL;

	start();
	run = fetch(&one);
	core_put(&world, "app", "A", "two");
	revoke("in_use", "A", 1, "");
	ck_assert_str_eq(release_as(UID_APP, &one, run), "ok");
	ck_assert_str_eq(core_result_text(&world, "run"), run);
	ck_assert_str_eq(core_record(&world, 0).run, run);
	check_holders("");
	ck_assert_int_eq(holders_in_status(), 0);
	revoke("ok", "A", 1, "");
	ck_assert_str_eq(release_as(UID_APP, &one, run), "ok"); /* it was */
	next = fetch(&one);
	check_holders("A=2:process B=1:process");
	check_state(run, "released");
	check_state(next, "running");
	ck_assert_str_eq(release_as(UID_APP, &one, run), "ok"); /* what is held is another run's */
	check_holders("A=2:process B=1:process");
	end();
}
END_TEST

START_TEST(what_several_runs_gave_is_held_until_the_last_is_released)
{
	const char *runs[3] = {NULL};
	static const int order[3] = {0, 2, 1}; /* the first one's row stands for the others */

	start();
	for (int i = 0; i < 3; i++)
		runs[i] = fetch(&one);
	check_state(runs[0], "running");
	check_state(runs[1], "again");
	for (int i = 0; i < 3; i++) {
		check_holders(BOTH);
		ck_assert_str_eq(release_as(UID_APP, &one, runs[order[i]]), "ok");
		if (i < 2)
			ck_assert_str_eq(release_as(UID_APP, &one, runs[order[i]]), "ok"); /* twice is once */
	}
	check_holders("");
	for (int i = 0; i < 3; i++)
		check_state(runs[i], "released");
	ck_assert_uint_eq(held_in_store(), 0);
	end();
}
END_TEST

/* P5 */
START_TEST(a_release_whose_commit_failed_is_undone)
{
	const char *runs[2] = {NULL};

	start();
	runs[0] = fetch(&one);
	core_faults.commit = ERR_STORAGE_FULL;
	ck_assert_str_eq(release_as(UID_APP, &one, runs[0]), "storage_full");
	check_holders(BOTH);
	check_state(runs[0], "running");
	runs[1] = fetch(&one);
	check_state(runs[1], "again");
	core_faults.append = ERR_STORAGE_FULL;
	ck_assert_str_eq(release_as(UID_APP, &one, runs[0]), "storage_full");
	ck_assert_str_eq(release_as(UID_APP, &one, runs[1]), "ok");
	core_faults.commit = ERR_STORAGE_FULL;
	ck_assert_str_eq(release_as(UID_APP, &one, runs[0]), "storage_full");
	check_holders(BOTH);
	ck_assert_str_eq(release_as(UID_APP, &one, runs[0]), "ok");
	check_holders("");
	end();
}
END_TEST

START_TEST(the_same_release_again_gives_the_first_result)
{
	static const char id[] = "00000000000000000000000000000001";
	const char *run = NULL, *next = NULL;

	start();
	run = fetch(&one);
	next = fetch_as(UID_APP, &one, ONLY_A);
	for (int i = 0; i < 2; i++)
		core_ask_as_ok(&world, UID_APP, &one, "holder.release",
			"{\"run\":\"%s\",\"request_id\":\"%s\"}", run, id);
	core_ask_as_refused("conflict", &world, UID_APP, &one, "holder.release",
		"{\"run\":\"%s\",\"request_id\":\"%s\"}", next, id);
	/* Whose run it is comes first (P2). */
	core_ask_as_refused("denied", &world, UID_APP, &other, "holder.release",
		"{\"run\":\"%s\",\"request_id\":\"%s\"}", run, id);
	core_ask_as_refused("denied", &world, UID_APP, &one, "holder.release",
		"{\"run\":\"01JD0000000000000000000000\",\"request_id\":\"%s\"}", id);
	check_holders("A=1:process");
	end();
}
END_TEST

/* ---- what a supervisor reports ---- */

#define report_as(uid, run, status) \
	core_ask(&world, uid, "run.end", "{\"run\":\"%s\",\"exit_status\":%d}", run, status)

/* P2 */
START_TEST(a_supervisor_reports_on_runs_of_its_own_user_alone)
{
	const char *run = NULL;
	char *denied = NULL;

	start();
	run = fetch(&one);
	ck_assert_str_eq(report_as(UID_APP, "01JD0000000000000000000000", 0), "denied");
	denied = strdup(world.last_text);
	ck_assert_str_eq(report_as(UID_OTHER_APP, run, 0), "denied");
	ck_assert_str_eq(world.last_text, denied);
	ck_assert_str_eq(report_as(0, run, 0), "denied");
	ck_assert_str_eq(report_as(UID_ADMIN, run, 0), "denied");
	ck_assert_str_eq(world.last_text, denied);
	ck_assert_str_eq(report_as(UID_APP, run, 256), "bad_value");
	ck_assert_str_eq(report_as(UID_APP, run, 999), "bad_value");
	check_state(run, "running");
	free(denied);
	end();
}
END_TEST

START_TEST(a_report_ends_no_holder_and_counts_once)
{
	const char *run = NULL;

	start();
	core_faults.hides_status = true;
	run = fetch(&one);
	core_faults.commit = ERR_STORAGE_FULL;
	ck_assert_str_eq(report_as(UID_APP, run, 9), "storage_full");
	ck_assert_str_eq(report_as(UID_APP, run, 3), "ok"); /* the other one never was */
	ck_assert_str_eq(core_record(&world, 0).subject.text, "exit=3");
	check_state(run, "running 3");
	check_holders(BOTH);
	ck_assert_str_eq(report_as(UID_APP, run, 3), "ok");
	ck_assert_str_eq(report_as(UID_APP, run, 4), "conflict");
	puppet_die(&one);
	turn_with_ends();
	check_state(run, "ended 3");
	ck_assert_str_eq(report_as(UID_APP, run, 3), "ok");
	ck_assert_str_eq(report_as(UID_APP, run, 4), "conflict");
	end();
}
END_TEST

START_TEST(a_report_after_the_end_is_taken_where_the_kernel_was_silent)
{
	const char *run = NULL;

	start();
	core_faults.hides_status = true;
	run = fetch(&one);
	puppet_die(&one);
	turn_with_ends();
	check_state(run, "ended");
	ck_assert_str_eq(report_as(UID_APP, run, 137), "ok");
	check_state(run, "ended 137");
	end();
}
END_TEST

/* The end and the word on it come to the daemon in one moment. */
START_TEST(a_report_in_the_turn_that_stores_the_end_is_kept)
{
	struct asking reporting = {0};
	const char *run = NULL;

	start();
	core_faults.hides_status = true;
	run = fetch(&one);
	puppet_die(&one);
	core_processes_ended(world.core);
	asking_start(&reporting, &world, UID_APP);
	asking_send(&reporting, "run.end", "{\"run\":\"%s\",\"exit_status\":3}", run);
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&reporting), "ok");
	check_state(run, "ended 3");
	asking_end(&reporting);

	/* And lost with its turn, not with the end. */
	run = fetch(&other);
	puppet_die(&other);
	core_processes_ended(world.core);
	asking_start(&reporting, &world, UID_APP);
	asking_send(&reporting, "run.end", "{\"run\":\"%s\",\"exit_status\":3}", run);
	core_faults.commit = ERR_STORAGE_FULL;
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&reporting), "storage_full");
	asking_end(&reporting);
	turn_with_ends();
	check_state(run, "ended");
	end();
}
END_TEST

/* When a run was reported to have ended, and how: whatever becomes of its row later. */
static void check_report(const char *run, int64_t ended_ms, const char *state)
{
	char time[TIME_TEXT_BYTES] = "";
	const cJSON *item = NULL;

	text_format_time(ended_ms, time);
	check_state(run, state);
	cJSON_ArrayForEach(item, core_result(&world, "runs"))
	{
		if (strcmp(text_of(item, "run"), run) == 0)
			ck_assert_str_eq(text_of(item, "ended_at"), time);
	}
}

START_TEST(a_report_stays_with_its_run)
{
	const char *unknown = NULL, *runs[2] = {NULL};
	int64_t ended_ms = 0;

	start();
	unknown = fetch_as(UID_APP, NULL, ONLY_A);
	core_clock_ms += 1000;
	ended_ms = core_clock_ms;
	ck_assert_str_eq(report_as(UID_APP, unknown, 3), "ok");
	check_report(unknown, ended_ms, "unknown 3");
	core_clock_ms += 1000;
	fetch_as(UID_APP, NULL, ONLY_A); /* the first run stands for this one, too */
	check_report(unknown, ended_ms, "unknown 3");
	core_world_reopen(&world);
	check_report(unknown, ended_ms, "unknown 3");
	fetch_as(UID_APP, NULL, ONLY_A);
	revoke("ok", "A", 1, ",\"force\":true");
	check_report(unknown, ended_ms, "ended 3");

	runs[0] = fetch_as(UID_APP, &one, "{\"only\":[\"B\"]}");
	runs[1] = fetch_as(UID_APP, &one, "{\"only\":[\"B\"]}");
	ck_assert_str_eq(report_as(UID_APP, runs[0], 4), "ok");
	ck_assert_str_eq(release_as(UID_APP, &one, runs[0]), "ok");
	ck_assert_str_eq(
		release_as(UID_APP, &one, runs[1]), "ok"); /* with this one the first is released as well */
	check_state(runs[0], "released 4");
	check_state(runs[1], "released");
	end();
}
END_TEST

START_TEST(the_kernels_word_counts_more_than_a_report)
{
	const char *run = NULL, *killed = NULL;

	if (!kernel_is(6, 15)) {
		printf("# SKIP: this kernel tells no status\n");
		return;
	}
	start();
	run = fetch(&one);
	ck_assert_str_eq(report_as(UID_APP, run, 3), "ok");
	puppet_exit(&one, 5);
	puppet_wait(&one);
	turn_with_ends();
	check_state(run, "ended 5");
	ck_assert_str_eq(report_as(UID_APP, run, 3), "conflict");
	ck_assert_str_eq(report_as(UID_APP, run, 5), "ok");
	killed = fetch(&other);
	puppet_exit(&other, -SIGTERM);
	puppet_wait(&other);
	ck_assert_str_eq(report_as(UID_APP, killed, SIGTERM), "conflict");
	ck_assert_str_eq(report_as(UID_APP, killed, 128 + SIGTERM), "ok"); /* as a shell says it */
	turn_with_ends();
	check_state(killed, "ended signal 15");
	end();
}
END_TEST

/* ---- after a restart ---- */

START_TEST(a_live_process_is_found_again_after_a_restart)
{
	const char *run = NULL;

	start();
	core_faults.hides_status = true;
	run = fetch(&one);
	core_world_reopen(&world);
	check_holders(BOTH);
	check_state(run, "running");
	ck_assert_str_eq(text_of(cJSON_GetArrayItem(core_result(&world, "runs"), 0), "run"), run);
	ck_assert_str_eq(
		fetch(&one), core_result_text(&world, "run")); /* the same process: no second holder */
	check_holders(BOTH);
	puppet_exit(&one, 0);
	ck_assert(is_an_end_told());
	turn_with_ends();
	check_holders("");
	check_state(run, "ended");
	end();
}
END_TEST

START_TEST(a_process_that_ended_meanwhile_is_told_to_have_ended)
{
	const char *zombie = NULL, *gone = NULL;

	start();
	zombie = fetch(&one);
	gone = fetch(&other);
	puppet_exit(&one, 0);
	puppet_die(&other);
	core_world_reopen(&world);
	check_holders("");
	turn_with_ends();
	check_state(zombie, "ended");
	check_state(gone, "ended");
	ck_assert_uint_eq(held_in_store(), 0);
	ck_assert(are_ends_forgotten());
	end();
}
END_TEST

START_TEST(who_was_not_proven_stays_unknown_over_restarts)
{
	start();
	fetch_as(UID_APP, NULL, "{}");
	for (int i = 0; i < 2; i++) {
		core_world_reopen(&world);
		check_holders("A=1:unknown B=1:unknown");
		fetch_as(UID_APP, NULL, "{}");
		check_holders("A=1:unknown B=1:unknown");
	}
	ck_assert_int_eq(holders_in_status(), 1);
	core_put(&world, "app", "A", "two");
	revoke("in_use", "A", 1, "");
	end();
}
END_TEST

/* Which of its runs are released is not remembered: then it holds until it ends. */
START_TEST(several_runs_of_before_a_restart_are_not_released)
{
	const char *runs[2] = {NULL};

	start();
	runs[0] = fetch(&one);
	runs[1] = fetch(&one);
	core_world_reopen(&world);
	for (int i = 0; i < 2; i++) {
		ck_assert_str_eq(release_as(UID_APP, &one, runs[i]), "ok");
		check_holders(BOTH);
	}
	puppet_die(&one);
	turn_with_ends();
	check_holders("");

	runs[0] = fetch(&other);
	core_world_reopen(&world);
	ck_assert_str_eq(release_as(UID_APP, &other, runs[0]), "ok");
	check_holders("");
	end();
}
END_TEST

static void add_run(unsigned number, const char *boot, pid_t pid, uint64_t start_ticks)
{
	static const struct store_run_version taken = {"A", 1};
	struct store_run run = {.state = boot[0] == '\0' ? RUN_UNKNOWN : RUN_HELD,
		.uid = UID_APP,
		.pid = pid,
		.unit = "",
		.boot = boot,
		.exe = "",
		.invocation = "",
		.cgroup = "",
		.start_ticks = start_ticks,
		.versions = &taken,
		.version_count = 1,
		.time_ms = core_clock_ms};

	snprintf(run.id, sizeof(run.id), "01JD%022u", number);
	run.integration_id[0] = 77; /* an integration that nobody knows any more */
	ck_ok(store_run_insert(world.core->store, &run));
}

/* As a store of the first schema has them, and runs of other boots and namespaces. */
START_TEST(runs_that_cannot_be_followed_are_one_holder_or_none)
{
	enum err committed = ERR_TIMEOUT;

	start();
	ck_ok(store_begin(world.core->store));
	add_run(1, "", 100, 0);
	add_run(2, "", 101, 0);
	add_run(3, "00000000000000000000000000000000/1", getpid(), 5); /* another boot */
	add_run(4, process_boot(), getpid(), 5); /* this pid, started at another time */
	store_commit(world.core->store, core_on_own_commit, &committed);
	ck_ok(committed);
	ck_assert_uint_eq(held_in_store(), 4);
	core_world_reopen(&world);
	check_holders("A=1:unknown");
	ck_assert_int_eq(holders_in_status(), 1);
	turn_with_ends();
	ck_assert_uint_eq(held_in_store(), 1);
	core_world_reopen(&world);
	check_holders("A=1:unknown");
	end();
}
END_TEST

/* It may have changed its user between two connections: each is answered for by itself. */
START_TEST(a_process_that_was_two_users_is_two_holders)
{
	const char *run = NULL, *as_other = NULL;

	start();
	run = fetch(&one);
	as_other = fetch_as(UID_OTHER_APP, &one, "{}");
	check_holders("A=1:process A=1:process B=1:process B=1:process");
	ck_assert_str_eq(release_as(UID_APP, &one, as_other), "denied");
	ck_assert_str_eq(release_as(UID_OTHER_APP, &one, run), "denied");
	ck_assert_str_eq(release_as(UID_APP, &one, run), "ok");
	check_holders(BOTH);
	core_world_reopen(&world);
	check_holders(BOTH);
	puppet_die(&one);
	turn_with_ends();
	check_holders("");
	end();
}
END_TEST

/* P9: the number came again while the daemon did not look. */
START_TEST(a_recycled_pid_is_another_holder)
{
	pid_t pid = 0;
	struct puppet next = {0};

	start();
	core_faults.hides_status = true;

	const char *run = fetch(&one);

	puppet_die(&one);
	pid = one.pid;
	puppets_pass_a_tick();

	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1};

	next.pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (next.pid == 0)
		while (true)
			pause();
	if (next.pid < 0) {
		printf("# SKIP of a recycled pid: %s\n", strerror(errno));
		end();
		return;
	}
	ck_assert_int_eq(next.pid, one.pid);
	next.pidfd = (int)syscall(SYS_pidfd_open, next.pid, 0);
	ck_assert_str_eq(release_as(UID_APP, &next, run), "denied");
	fetch_as(UID_APP, &next, ONLY_A);
	ck_assert_str_eq(release_as(UID_APP, &next, run), "denied");
	turn_with_ends();
	check_state(run, "ended");
	check_holders("A=1:process");
	kill(next.pid, SIGKILL);
	waitpid(next.pid, NULL, 0);
	turn_with_ends();
	check_holders("");
	close(next.pidfd);
	end();
}
END_TEST

/* ---- what is told ---- */

START_TEST(a_holder_is_told_with_all_that_the_kernel_said)
{
	const cJSON *item = NULL;
	char exe[256] = "";
	const char *run = NULL;

	start();
	core_clock_ms += 1000;
	run = fetch_as(UID_APP, &one, "{\"staged\":true,\"only\":[\"A\"]}");
	core_ask_ok(&world, UID_AUDITOR, "holder.list", "{\"integration\":\"app\",\"key\":\"A\"}");
	item = cJSON_GetArrayItem(core_result(&world, "holders"), 0);
	ck_assert_str_eq(text_of(item, "integration"), "app");
	ck_assert_str_eq(text_of(item, "key"), "A");
	ck_assert_str_eq(text_of(item, "holder"), "process");
	ck_assert_int_eq(cJSON_GetObjectItem(item, "pid")->valueint, one.pid);
	ck_assert_int_eq(cJSON_GetObjectItem(item, "uid")->valueint, UID_APP);
	ck_assert_int_gt(readlink("/proc/self/exe", exe, sizeof(exe) - 1), 0);
	ck_assert_str_eq(text_of(item, "exe"), exe);
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(item, "unit")));
	ck_assert_str_eq(text_of(item, "run"), run);
	ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(item, "staged")));
	core_ask_ok(&world, UID_AUDITOR, "holder.list", "{\"integration\":\"app\",\"key\":\"B\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "holders")), 0);
	end();
}
END_TEST

START_TEST(of_many_holders_the_first_thousand_are_told)
{
	enum { KEYS = 128, PROCESSES = 8, TOLD = 1000 };
	char key[16] = "";

	start();
	core_add_integration(&world, "wide");
	core_grant(&world, "wide", UID_ADMIN);
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "K%d", i);
		core_put(&world, "wide", key, "v");
	}
	for (int i = 0; i < PROCESSES; i++) {
		struct puppet puppet = puppet_new();

		core_ask_ok(&world, UID_AUDITOR, "holder.list", "{}");
		ck_assert(cJSON_IsFalse(core_result(&world, "more")));
		fetch_as(UID_ADMIN, &puppet, "{\"integration\":\"wide\"}");
	}
	core_ask_ok(&world, UID_AUDITOR, "holder.list", "{}");
	ck_assert(cJSON_IsTrue(core_result(&world, "more")));
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "holders")), TOLD);
	core_ask_ok(&world, UID_AUDITOR, "holder.list", "{\"integration\":\"wide\",\"key\":\"K0\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "holders")), PROCESSES);
	/* A refusal tells the first 16 of them, and how many there are. */
	for (int i = 0; i < 9; i++) {
		struct puppet puppet = puppet_new();

		fetch_as(UID_ADMIN, &puppet, "{\"integration\":\"wide\"}");
	}
	core_put(&world, "wide", "K0", "w");
	core_ask_refused("in_use", &world, UID_OPERATOR, "secret.revoke",
		"{\"integration\":\"wide\",\"key\":\"K0\",\"version\":1}");
	ck_assert_int_eq(core_error_data(&world, "holder_count")->valueint, PROCESSES + 9);
	ck_assert_int_eq(cJSON_GetArraySize(core_error_data(&world, "holders")), 16);
	end();
}
END_TEST

START_TEST(runs_are_told_newest_first_by_days_and_limit)
{
	const char *first = NULL, *last = NULL;

	start();
	first = fetch(&one);
	core_clock_ms += 86400 * 1000;
	fetch_as(UID_OTHER_APP, NULL, "{}");
	core_clock_ms += 86400 * 1000;
	last = fetch_as(UID_APP, &one, "{\"staged\":true}");
	core_ask_ok(&world, UID_AUDITOR, "run.list", "{\"integration\":\"app\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "runs")), 3);
	ck_assert_str_eq(text_of(cJSON_GetArrayItem(core_result(&world, "runs"), 0), "run"), last);
	ck_assert(cJSON_IsTrue(
		cJSON_GetObjectItem(cJSON_GetArrayItem(core_result(&world, "runs"), 0), "staged")));
	ck_assert_str_eq(text_of(cJSON_GetArrayItem(core_result(&world, "runs"), 2), "run"), first);
	core_ask_ok(&world, UID_AUDITOR, "run.list", "{\"integration\":\"app\",\"days\":1}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "runs")), 2);
	core_ask_ok(&world, UID_AUDITOR, "run.list", "{\"integration\":\"app\",\"limit\":1}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "runs")), 1);
	core_ask_ok(&world, UID_AUDITOR, "run.list", "{\"integration\":\"app\",\"limit\":0}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "runs")), 0);
	end();
}
END_TEST

/* ---- units ---- */

static struct unit_place place;

static const char *fetch_in_unit(const struct puppet *puppet)
{
	static char run[27];
	struct asking asking = {0};

	asking_start(&asking, &world, UID_APP);
	asking_be(&asking, puppet);
	strcpy(asking.who.unit, place.unit);
	asking_send(&asking, "env.fetch", ONLY_A);
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&asking), "ok");
	snprintf(run, sizeof(run), "%s", text_of(cJSON_GetObjectItem(asking.json, "result"), "run"));
	asking_end(&asking);
	return run;
}

static bool start_in_unit(void)
{
	if (!unit_place_real(&place))
		return false;
	start();
	core_faults.hides_status = true;
	unit_place_join(&place, &one);
	puppets_pass_a_tick();
	return true;
}

static void end_in_unit(void)
{
	end();
	unit_place_remove(&place);
}

START_TEST(children_of_an_ended_holder_keep_the_version_in_use)
{
	struct puppet child;
	const cJSON *item = NULL;

	if (!start_in_unit())
		return;
	fetch_in_unit(&one);
	child = puppet_fork(&one);
	check_holders("A=1:process");
	core_put(&world, "app", "A", "two");
	puppet_exit(&one, 0);
	turn_with_ends();
	check_holders("A=1:unit");
	item = cJSON_GetArrayItem(core_result(&world, "holders"), 0);
	ck_assert_str_eq(text_of(item, "unit"), place.unit);
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(item, "pid")));
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(item, "run")));
	revoke("in_use", "A", 1, "");
	core_world_reopen(&world); /* it survives the daemon */
	check_holders("A=1:unit");
	revoke("in_use", "A", 1, "");
	puppet_exit(&child, 0);
	check_holders("");
	core_tick(world.core, false);
	core_world_reopen(&world);
	check_holders("");
	revoke("ok", "A", 1, "");
	end_in_unit();
}
END_TEST

START_TEST(who_insists_may_leave_children_out_of_account)
{
	struct puppet child;
	char subject[80] = "";

	if (!start_in_unit())
		return;
	fetch_in_unit(&one);
	child = puppet_fork(&one);
	core_put(&world, "app", "A", "two");
	puppet_exit(&one, 0);
	turn_with_ends();
	revoke("ok", "A", 1, ",\"processes_only\":true");
	ck_assert_str_eq(core_record(&world, 0).detail, "processes only");
	core_put(&world, "app", "A", "three");
	fetch_in_unit(&child);
	core_put(&world, "app", "A", "four");
	puppet_fork(&child);
	puppet_exit(&child, 0);
	turn_with_ends();
	revoke("ok", "A", 3, ",\"force\":true,\"processes_only\":true"); /* the record names them all */
	snprintf(subject, sizeof(subject), "unit=%s", place.unit);
	ck_assert_str_eq(core_record(&world, 0).subject.text, subject);
	end_in_unit();
}
END_TEST

START_TEST(a_unit_without_young_children_is_no_holder)
{
	if (!start_in_unit())
		return;

	struct puppet early = puppet_fork(&one);

	puppets_pass_a_tick();
	fetch_in_unit(&one);
	puppet_exit(&one, 0);
	turn_with_ends();
	check_holders(""); /* that one was there before */
	puppet_exit(&early, 0);
	end_in_unit();
}
END_TEST

/* It wiped its own copy; its children have theirs. */
START_TEST(children_of_a_process_that_has_released_may_hold)
{
	struct puppet child;
	const char *run = NULL;

	if (!start_in_unit())
		return;
	run = fetch_in_unit(&one);
	child = puppet_fork(&one);
	ck_assert_str_eq(release_as(UID_APP, &one, run), "ok");
	check_holders("A=1:unit");
	puppet_exit(&child, 0);
	check_holders("");
	run = fetch_in_unit(&one);
	ck_assert_str_eq(release_as(UID_APP, &one, run), "ok");
	check_holders("");
	end_in_unit();
}
END_TEST

/* P5 */
START_TEST(a_unit_whose_commit_failed_is_stored_later)
{
	struct puppet child;

	if (!start_in_unit())
		return;
	fetch_in_unit(&one);
	child = puppet_fork(&one);
	puppet_exit(&one, 0);
	core_processes_ended(world.core);
	core_faults.commit = ERR_STORAGE_FULL;
	turn_end(core_turn(world.core));
	check_holders("A=1:unit");
	core_tick(world.core, false);
	core_world_reopen(&world);
	check_holders("A=1:unit");
	puppet_exit(&child, 0);
	core_faults.commit = ERR_STORAGE_FULL;
	core_tick(world.core, false);
	check_holders("");
	core_tick(world.core, false);
	core_world_reopen(&world);
	check_holders("");
	end_in_unit();
}
END_TEST

UNIT_MAIN("core_holders", holders_are_told_to_readers_and_of_what_exists,
	a_process_that_has_ended_is_given_nothing, a_fetch_that_fails_behind_its_run_leaves_no_holder,
	a_fetch_whose_commit_failed_leaves_no_holder, a_further_fetch_whose_commit_failed_counts_for_nothing,
	a_turn_that_is_lost_takes_all_its_holders,
	an_ended_process_holds_nothing_at_once_and_its_run_is_told_in_the_next_turn,
	an_end_whose_commit_failed_is_written_in_the_next_turn,
	an_end_that_no_turn_could_store_is_stored_by_a_tick,
	a_process_may_end_in_the_turn_that_gave_it_values, how_a_process_ended_is_told_where_the_kernel_tells,
	a_status_that_nobody_waits_for_is_given_up, a_status_that_does_not_come_keeps_nobody,
	one_user_has_a_quarter_of_all_holders, all_users_together_have_no_more_holders_than_the_limit,
	callers_that_are_not_proven_are_one_holder_for_each_user, a_forced_revoke_forgets_who_cannot_be_found,
	a_forced_revoke_forgets_no_live_process, a_revoke_sees_the_fetch_before_it_in_the_turn,
	a_fetch_behind_a_revoke_in_the_turn_gets_nothing_of_it,
	two_forced_revokes_in_one_turn_forget_a_holder_once, two_releases_in_one_turn_end_a_holder_once,
	a_report_behind_the_end_of_its_run_in_the_turn_is_kept, a_process_releases_its_own_runs_alone,
	what_is_released_is_held_no_more, what_several_runs_gave_is_held_until_the_last_is_released,
	a_release_whose_commit_failed_is_undone, the_same_release_again_gives_the_first_result,
	a_supervisor_reports_on_runs_of_its_own_user_alone, a_report_ends_no_holder_and_counts_once,
	a_report_after_the_end_is_taken_where_the_kernel_was_silent,
	a_report_in_the_turn_that_stores_the_end_is_kept, a_report_stays_with_its_run,
	the_kernels_word_counts_more_than_a_report, a_live_process_is_found_again_after_a_restart,
	a_process_that_ended_meanwhile_is_told_to_have_ended, who_was_not_proven_stays_unknown_over_restarts,
	several_runs_of_before_a_restart_are_not_released,
	runs_that_cannot_be_followed_are_one_holder_or_none, a_process_that_was_two_users_is_two_holders,
	a_recycled_pid_is_another_holder, a_holder_is_told_with_all_that_the_kernel_said,
	of_many_holders_the_first_thousand_are_told, runs_are_told_newest_first_by_days_and_limit,
	children_of_an_ended_holder_keep_the_version_in_use, who_insists_may_leave_children_out_of_account,
	a_unit_without_young_children_is_no_holder, children_of_a_process_that_has_released_may_hold,
	a_unit_whose_commit_failed_is_stored_later)
