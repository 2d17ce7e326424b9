/*
 * Who hears of changes: after they are durable and not before, while the right stands and not after, and never more than
 * fits.
 */
#include <stdio.h>
#include <string.h>

#include "core_world.h"
#include "watches.h"

static struct core_world world;

/* A connection that watches; it must stay where it is. */
struct listener {
	struct asking asking;
	struct subscriber subscriber;
	unsigned wakes;
	unsigned delivered_before; /* replies that had been delivered when it was last woken */
};

static void on_wake(struct subscriber *subscriber)
{
	struct listener *listener =
		(struct listener *)(void *)((char *)subscriber - offsetof(struct listener, subscriber));

	listener->wakes++;
	listener->delivered_before = world.delivered;
}

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_grant(&world, "app", UID_APP);
	core_put(&world, "app", "A", "one");
	core_put(&world, "app", "B", "bbbb");
}

static void send_watch(struct listener *listener, uint32_t uid, const char *params)
{
	listener->wakes = 0;
	listener->subscriber.wake = on_wake;
	asking_start(&listener->asking, &world, uid);
	listener->asking.exchange.subscriber = &listener->subscriber;
	asking_send(&listener->asking, "env.watch", "%s", params);
}

/* "ok", or the error's word; the reply stays in listener->asking until leave. */
static const char *watch(struct listener *listener, uint32_t uid, const char *params)
{
	send_watch(listener, uid, params);
	turn_end(core_turn(world.core));
	return asking_word(&listener->asking);
}

#define watch_ok(listener) ck_assert_str_eq(watch(listener, UID_APP, "{\"integration\":\"app\"}"), "ok")

static void leave(struct listener *listener)
{
	subscriber_leave(&listener->subscriber);
	asking_end(&listener->asking);
}

static bool has_news(const struct listener *listener)
{
	return subscriber_has_news(&listener->subscriber);
}

/* What it is told now, as one line; good until the next. */
static const char *hear(struct listener *listener, bool *must_close_out)
{
	static char text[16384];
	struct reply reply = {0};

	ck_assert(has_news(listener));
	subscriber_take(world.core, &listener->subscriber, &reply);
	ck_assert(!reply.is_secret);
	ck_assert_uint_lt(reply.len, sizeof(text));
	ck_assert_int_eq(reply.bytes[reply.len - 1], '\n');
	memcpy(text, reply.bytes, reply.len - 1);
	text[reply.len - 1] = '\0';
	*must_close_out = reply.must_close;
	reply_clear(world.core, &reply);
	ck_assert(!has_news(listener));
	return text;
}

#define EVENT(method, more) \
	"{\"jsonrpc\":\"2.0\",\"method\":\"" method "\",\"params\":{\"integration\":\"app\"" more "}}"

static void check_hears(struct listener *listener, const char *wanted)
{
	bool must_close = true;

	ck_assert_str_eq(hear(listener, &must_close), wanted);
	ck_assert(!must_close);
	ck_assert_ptr_nonnull(listener->subscriber.watcher);
}

/* The last word: the connection is closed behind it. */
static void check_ends(struct listener *listener)
{
	bool must_close = false;

	ck_assert_str_eq(hear(listener, &must_close), EVENT("watch.ended", ""));
	ck_assert(must_close);
	ck_assert_ptr_null(listener->subscriber.watcher);
}

#define CHANGED(key, version, state) \
	EVENT("env.changed", \
		",\"changes\":[{\"key\":\"" key "\",\"version\":" version ",\"state\":\"" state "\"}]")

/* ---- refusals ---- */

/* P2 */
START_TEST(who_may_not_fetch_may_not_watch)
{
	static struct listener listener;
	char *denied = NULL;

	start();
	ck_assert_str_eq(watch(&listener, UID_STRANGER, "{\"integration\":\"there-is-none\"}"), "denied");
	denied = strdup(listener.asking.text);
	leave(&listener);
	core_ask_ok(&world, UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"%d\"},\"staged_only\":true}", UID_OTHER_APP);

	static const uint32_t uids[] = {UID_STRANGER, UID_ADMIN, UID_OPERATOR, UID_AUDITOR, UID_OTHER_APP, 0};

	for (size_t i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
		ck_assert_str_eq(watch(&listener, uids[i], "{\"integration\":\"app\"}"), "denied");
		ck_assert_str_eq(listener.asking.text, denied);
		ck_assert_ptr_null(listener.subscriber.watcher);
		leave(&listener);
	}
	ck_assert_str_eq(watch(&listener, UID_STRANGER, "{}"), "denied");
	leave(&listener);
	free(denied);
	core_world_end(&world);
}
END_TEST

START_TEST(what_is_closed_is_not_watched)
{
	static struct listener listener;
	char time[TIME_TEXT_BYTES] = "";

	start();
	core_set_state(&world, "app", "suspended");
	ck_assert_str_eq(watch(&listener, UID_APP, "{}"), "suspended");
	leave(&listener);
	core_set_state(&world, "app", "retired");
	ck_assert_str_eq(watch(&listener, UID_APP, "{}"), "retired");
	leave(&listener);
	core_set_state(&world, "app", "active");
	text_format_time(core_clock_ms + 1, time);
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"expires_at\":\"%s\"}", time);
	core_clock_ms += 1;
	ck_assert_str_eq(watch(&listener, UID_APP, "{}"), "expired");
	ck_assert_ptr_null(listener.subscriber.watcher);
	leave(&listener);
	core_world_end(&world);
}
END_TEST

START_TEST(a_connection_watches_one_integration)
{
	static struct listener listener;

	start();
	core_ask_refused("conflict", &world, UID_APP, "env.watch", "{}"); /* it cannot be told anything */
	core_add_integration(&world, "second");
	core_grant(&world, "second", UID_APP);
	ck_assert_str_eq(watch(&listener, UID_APP, "{}"), "conflict"); /* which of the two? */
	leave(&listener);
	watch_ok(&listener);
	asking_end(&listener.asking);
	ck_assert_str_eq(watch(&listener, UID_APP, "{\"integration\":\"second\"}"), "conflict");
	asking_end(&listener.asking);
	ck_assert_str_eq(watch(&listener, UID_APP, "{\"integration\":\"app\"}"), "conflict");
	core_put(&world, "second", "A", "x");
	ck_assert(!has_news(&listener));
	core_put(&world, "app", "A", "two");
	check_hears(&listener, CHANGED("A", "2", "current"));
	leave(&listener);
	core_world_end(&world);
}
END_TEST

/* P8 */
START_TEST(one_user_has_a_sixteenth_of_all_connections_to_watch_with)
{
	enum { EACH = 2 };
	static struct listener listeners[EACH + 1], other;

	start();
	world.limits.connections = 16 * EACH;
	core_grant(&world, "app", UID_OTHER_APP);
	for (int i = 0; i < EACH; i++)
		watch_ok(&listeners[i]);
	ck_assert_str_eq(watch(&listeners[EACH], UID_APP, "{}"), "busy");
	ck_assert_ptr_null(listeners[EACH].subscriber.watcher);
	leave(&listeners[EACH]);
	ck_assert_str_eq(watch(&other, UID_OTHER_APP, "{}"), "ok");
	leave(&listeners[0]);
	watch_ok(&listeners[EACH]);
	leave(&listeners[1]);
	leave(&listeners[EACH]);
	leave(&other);
	core_world_end(&world);
}
END_TEST

/* ---- after it is durable ---- */

/* P5 */
START_TEST(nothing_is_told_before_the_commit_is_durable)
{
	static struct listener listener;
	struct asking putting = {0};

	start();
	watch_ok(&listener);
	core_faults.holds_commit = true;
	asking_start(&putting, &world, UID_OPERATOR);
	asking_send(&putting, "secret.put", "{\"integration\":\"app\",\"key\":\"A\",\"value\":\"two\"}");
	ck_assert(!has_news(&listener));
	turn_end(core_turn(world.core));
	ck_assert(!has_news(&listener));
	ck_assert_uint_eq(listener.wakes, 0);
	core_answer_commit();
	ck_assert_uint_eq(listener.wakes, 1);
	ck_assert_uint_eq(listener.delivered_before, putting.place); /* behind the replies */
	check_hears(&listener, CHANGED("A", "2", "current"));
	asking_end(&putting);
	leave(&listener);
	core_world_end(&world);
}
END_TEST

/* P5 */
START_TEST(what_was_taken_back_is_not_told)
{
	static struct listener listener;

	start();
	watch_ok(&listener);
	core_faults.commit = ERR_STORAGE_FULL;
	core_ask_refused("storage_full", &world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"two\"}");
	core_faults.append = ERR_STORAGE_FULL;
	core_ask_refused("storage_full", &world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"two\"}");
	core_faults.insert = ERR_STORAGE;
	core_ask_refused("storage", &world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"two\"}");
	core_faults.commit = ERR_STORAGE_FULL;
	core_ask_refused(
		"storage_full", &world, UID_ADMIN, "grant.remove", "{\"integration\":\"app\",\"id\":1}");
	core_ask_ok(&world, UID_AUDITOR, "secret.list", "{\"integration\":\"app\"}");
	ck_assert(!has_news(&listener));
	ck_assert_uint_eq(listener.wakes, 0);
	core_put(&world, "app", "A", "two");
	check_hears(&listener, CHANGED("A", "2", "current"));
	leave(&listener);
	core_world_end(&world);
}
END_TEST

/* P5 */
START_TEST(a_watch_whose_turn_was_lost_never_was)
{
	static struct listener listener;

	start();
	core_faults.commit = ERR_STORAGE_FULL;
	send_watch(&listener, UID_APP, "{}");
	turn_end(core_turn(world.core));
	ck_assert_str_ne(asking_word(&listener.asking), "ok");
	ck_assert_ptr_null(listener.subscriber.watcher);
	core_put(&world, "app", "A", "two");
	ck_assert(!has_news(&listener));
	leave(&listener);
	watch_ok(&listener);
	leave(&listener);
	core_world_end(&world);
}
END_TEST

/* What was there when it was answered is in the answer; what came later is told. */
START_TEST(nothing_is_lost_between_the_answer_and_the_first_event)
{
	static struct listener listener;
	struct asking before = {0}, after = {0};

	start();
	asking_start(&before, &world, UID_OPERATOR);
	asking_start(&after, &world, UID_OPERATOR);
	asking_send(&before, "secret.put", "{\"integration\":\"app\",\"key\":\"A\",\"value\":\"two\"}");
	send_watch(&listener, UID_APP, "{}");
	asking_send(&after, "secret.put", "{\"integration\":\"app\",\"key\":\"B\",\"value\":\"two\"}");
	turn_end(core_turn(world.core));
	ck_assert_ptr_nonnull(strstr(listener.asking.text,
		"\"env\":[{\"key\":\"A\",\"version\":2},{\"key\":\"B\",\"version\":1}]"));

	bool must_close = true;

	ck_assert_ptr_nonnull(
		strstr(hear(&listener, &must_close), "{\"key\":\"B\",\"version\":2,\"state\":\"current\"}"));
	ck_assert(!must_close);
	asking_end(&before);
	asking_end(&after);
	leave(&listener);
	core_world_end(&world);
}
END_TEST

/* ---- while the right stands ---- */

/* P2 */
START_TEST(a_watcher_whose_grant_is_gone_hears_the_last_word)
{
	static struct listener listener, other;

	start();
	core_grant(&world, "app", UID_OTHER_APP);
	watch_ok(&listener);
	ck_assert_str_eq(watch(&other, UID_OTHER_APP, "{}"), "ok");
	core_put(&world, "app", "A", "two");
	core_ask_ok(&world, UID_ADMIN, "grant.remove", "{\"integration\":\"app\",\"id\":1}");
	ck_assert_uint_gt(listener.wakes, 0);
	check_ends(&listener);
	core_put(&world, "app", "A", "three");
	ck_assert(!has_news(&listener));
	bool must_close = true;

	ck_assert_ptr_nonnull(strstr(hear(&other, &must_close), "\"version\":3"));
	ck_assert(!must_close);
	leave(&listener);
	leave(&other);
	core_world_end(&world);
}
END_TEST

START_TEST(a_watcher_with_another_grant_goes_on)
{
	static struct listener listener;
	struct asking removing = {0}, adding = {0};

	start();
	core_ask_ok(&world, UID_ADMIN, "grant.add", "{\"integration\":\"app\",\"rule\":{\"group\":\"%d\"}}",
		UID_APP);
	watch_ok(&listener);
	core_ask_ok(&world, UID_ADMIN, "grant.remove", "{\"integration\":\"app\",\"id\":1}");
	ck_assert(!has_news(&listener));
	/* One for another in one turn. */
	asking_start(&removing, &world, UID_ADMIN);
	asking_start(&adding, &world, UID_ADMIN);
	asking_send(&removing, "grant.remove", "{\"integration\":\"app\",\"id\":2}");
	asking_send(&adding, "grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"%d\"}}", UID_APP);
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&adding), "ok");
	ck_assert(!has_news(&listener));
	asking_end(&removing);
	asking_end(&adding);
	core_ask_ok(&world, UID_ADMIN, "grant.remove", "{\"integration\":\"app\",\"id\":3}");
	check_ends(&listener);
	leave(&listener);
	core_world_end(&world);
}
END_TEST

/* P2: the right is asked for again at the very moment of telling. */
START_TEST(the_right_is_evaluated_anew_before_an_event)
{
	static struct listener listener;
	char time[TIME_TEXT_BYTES] = "";

	start();
	text_format_time(core_clock_ms + 1000, time);
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"expires_at\":\"%s\"}", time);
	watch_ok(&listener);
	core_put(&world, "app", "A", "two");
	core_clock_ms += 1000;
	check_ends(&listener);
	leave(&listener);

	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"expires_at\":\"\"}");
	watch_ok(&listener);
	core_put(&world, "app", "A", "three");
	core_set_state(&world, "app", "suspended");
	check_ends(&listener);
	leave(&listener);

	core_set_state(&world, "app", "active");
	watch_ok(&listener);
	text_format_time(core_clock_ms, time);
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"expires_at\":\"%s\"}", time);
	check_ends(&listener);
	leave(&listener);
	core_world_end(&world);
}
END_TEST

/* P9 */
START_TEST(a_connection_whose_process_has_ended_hears_nothing_more)
{
	static struct listener listener;
	struct puppet puppet;

	puppets_start();
	puppet = puppet_new();
	start();
	listener.subscriber.wake = on_wake;
	asking_start(&listener.asking, &world, UID_APP);
	asking_be(&listener.asking, &puppet);
	listener.asking.exchange.subscriber = &listener.subscriber;
	asking_send(&listener.asking, "env.watch", "{}");
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&listener.asking), "ok");
	core_put(&world, "app", "A", "two");
	check_hears(&listener, CHANGED("A", "2", "current"));
	core_put(&world, "app", "A", "three");
	puppet_exit(&puppet, 0);
	check_ends(&listener);
	leave(&listener);
	core_world_end(&world);
	puppets_end();
}
END_TEST

START_TEST(who_has_left_is_not_woken)
{
	static struct listener listener;

	start();
	watch_ok(&listener);
	core_put(&world, "app", "A", "two");
	ck_assert_uint_eq(listener.wakes, 1);
	subscriber_leave(&listener.subscriber);
	ck_assert(!has_news(&listener));
	core_put(&world, "app", "A", "three");
	ck_assert_uint_eq(listener.wakes, 1);
	subscriber_leave(&listener.subscriber); /* fine on one that hears nothing */
	asking_end(&listener.asking);
	core_world_end(&world);
}
END_TEST

/* ---- no more than fits ---- */

/* P8 */
START_TEST(a_slow_reader_is_told_once_that_it_missed_something)
{
	enum { KEPT = 64 };
	static struct listener listener;
	bool must_close = true;
	const char *text = NULL;
	int told = 0;

	start();
	watch_ok(&listener);
	for (int i = 0; i < KEPT; i++)
		core_put(&world, "app", "A", "next");
	text = hear(&listener, &must_close);
	ck_assert(!must_close);
	for (const char *at = text; (at = strstr(at, "\"key\"")) != NULL; at++)
		told++;
	ck_assert_int_eq(told, KEPT);
	ck_assert_ptr_nonnull(strstr(text, "env.changed"));
	ck_assert_ptr_nonnull(strstr(text, "\"changes\":[{\"key\":\"A\",\"version\":2,"));
	ck_assert_ptr_nonnull(strstr(text, "{\"key\":\"A\",\"version\":65,\"state\":\"current\"}]"));
	for (int i = 0; i < 2 * KEPT + 1; i++)
		core_put(&world, "app", "A", "next");
	check_hears(&listener, EVENT("watch.overflow", ""));
	core_put(&world, "app", "A", "last");
	check_hears(&listener, CHANGED("A", "195", "current"));
	/* Losing the right comes before having missed something. */
	for (int i = 0; i <= KEPT; i++)
		core_put(&world, "app", "A", "next");
	core_ask_ok(&world, UID_ADMIN, "grant.remove", "{\"integration\":\"app\",\"id\":1}");
	check_ends(&listener);
	leave(&listener);
	core_world_end(&world);
}
END_TEST

/* ---- what is told ---- */

#define OPERATE(method, more) \
	core_ask_ok(&world, UID_OPERATOR, method, "{\"integration\":\"app\",\"key\":\"A\"" more "}")

START_TEST(a_watcher_hears_what_became_current_and_what_was_it_and_is_revoked)
{
	static struct listener listener;

	start();
	watch_ok(&listener);
	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(
				 cJSON_GetObjectItem(listener.asking.json, "result"), "integration")),
		"app");
	ck_assert_ptr_nonnull(strstr(listener.asking.text,
		"\"env\":[{\"key\":\"A\",\"version\":1},{\"key\":\"B\",\"version\":1}]"));
	ck_assert_ptr_null(strstr(listener.asking.text, "bbbb")); /* P3 */

	core_stage(&world, "app", "A", "two");
	ck_assert(!has_news(&listener));
	OPERATE("secret.promote", ",\"untested\":true");
	check_hears(&listener, CHANGED("A", "2", "current"));
	OPERATE("secret.rollback", "");
	check_hears(&listener, CHANGED("A", "1", "current"));
	OPERATE("secret.revoke", ",\"version\":2"); /* it was draining */
	ck_assert(!has_news(&listener));
	OPERATE("secret.revoke", ",\"version\":1,\"force\":true");
	check_hears(&listener, CHANGED("A", "1", "revoked"));
	OPERATE("secret.revoke", ",\"version\":1");
	OPERATE("secret.remove", "");
	ck_assert(!has_news(&listener));
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"title\":\"u\"}");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	ck_assert(!has_news(&listener));
	leave(&listener);
	core_world_end(&world);
}
END_TEST

START_TEST(changes_of_one_turn_are_one_event_in_their_order)
{
	static struct listener listener, other;
	struct asking putting[3] = {0};
	static const char *const keys[] = {"B", "A", "B"};

	start();
	core_add_integration(&world, "second");
	core_grant(&world, "second", UID_OTHER_APP);
	watch_ok(&listener);
	ck_assert_str_eq(watch(&other, UID_OTHER_APP, "{}"), "ok");
	for (int i = 0; i < 3; i++) {
		asking_start(&putting[i], &world, UID_OPERATOR);
		asking_send(&putting[i], "secret.put",
			"{\"integration\":\"app\",\"key\":\"%s\",\"value\":\"foobar\"}", keys[i]);
	}
	turn_end(core_turn(world.core));
	ck_assert_uint_eq(listener.wakes, 1);
	check_hears(&listener,
		EVENT("env.changed", ",\"changes\":[{\"key\":\"B\",\"version\":2,\"state\":\"current\"},"
				     "{\"key\":\"A\",\"version\":2,\"state\":\"current\"},"
				     "{\"key\":\"B\",\"version\":3,\"state\":\"current\"}]"));
	ck_assert(!has_news(&other)); /* of another integration */
	ck_assert_uint_eq(other.wakes, 0);
	for (int i = 0; i < 3; i++)
		asking_end(&putting[i]);
	leave(&listener);
	leave(&other);
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_watches", who_may_not_fetch_may_not_watch, what_is_closed_is_not_watched,
	a_connection_watches_one_integration, one_user_has_a_sixteenth_of_all_connections_to_watch_with,
	nothing_is_told_before_the_commit_is_durable, what_was_taken_back_is_not_told,
	a_watch_whose_turn_was_lost_never_was, nothing_is_lost_between_the_answer_and_the_first_event,
	a_watcher_whose_grant_is_gone_hears_the_last_word, a_watcher_with_another_grant_goes_on,
	the_right_is_evaluated_anew_before_an_event, a_connection_whose_process_has_ended_hears_nothing_more,
	who_has_left_is_not_woken, a_slow_reader_is_told_once_that_it_missed_something,
	a_watcher_hears_what_became_current_and_what_was_it_and_is_revoked,
	changes_of_one_turn_are_one_event_in_their_order)
