/*
 * A request inside a request: what may not be one, what a refused one leaves (nothing), and that what is done is recorded as
 * any other request is.
 */
#include <stdio.h>
#include <string.h>

#include "core_world.h"
#include "nested.h"

static struct core_world world;

/* The outer request, by hand: a turn, a savepoint and a call in it. */
static struct outer {
	struct asking asking;
	struct call call;
} outer;

static void begin(uint32_t uid)
{
	struct core *core = world.core;

	asking_start(&outer.asking, &world, uid);
	outer.call = (struct call){.core = core,
		.exchange = &outer.asking.exchange,
		.who = &outer.asking.who,
		.subject = core->subject,
		.now_ms = core_clock_ms};
	ck_ok(turn_begin(core));
	ck_ok(store_savepoint(core->store));
}

static void end(void)
{
	ck_ok(store_release(world.core->store));
	turn_end(core_turn(world.core));
	ck_assert(core_is_wiped(&world));
}

static void take_back(void)
{
	ck_ok(store_rollback_request(world.core->store));
	turn_end(core_turn(world.core));
}

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_put(&world, "app", "A", "one");
	core_put(&world, "app", "A", "two");
}

/* Inside the outer request; whom it is done for, 0: the outer caller. */
static enum err inner(uint32_t uid, const char *method, const char *params, struct nested *out)
{
	struct principal who = {.uid = uid, .gid = uid, .pidfd = -1};
	char line[1024] = "";

	snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method,
		params);
	out->line = line;
	out->len = strlen(line);
	out->who = uid == 0 ? NULL : &who;

	enum err err = nested_perform(&outer.call, out);

	out->line = NULL;
	out->who = NULL;
	return err;
}

static void inner_ok(uint32_t uid, const char *method, const char *params)
{
	NESTED_AUTO nested = {0};

	ck_ok(inner(uid, method, params, &nested));
	ck_assert_uint_gt(nested.result.len, 0);
}

/* Refused, and the vault is as it was before. */
static void inner_refused(enum err wanted, uint32_t uid, const char *method, const char *params)
{
	struct store_counts before = core_counts(&world);
	struct chain chain = world.core->chain;
	NESTED_AUTO nested = {0};

	ck_err(inner(uid, method, params, &nested), wanted);
	ck_assert_str_ne(nested.reason, "");
	ck_assert_uint_eq(nested.result.len, 0);
	ck_assert_mem_eq(&chain, &world.core->chain, sizeof(chain));

	struct store_counts after = core_counts(&world);

	ck_assert_mem_eq(&before, &after, sizeof(before));
	ck_assert(core_is_wiped(&world));
}

/* P3 */
START_TEST(what_carries_a_value_or_changes_nothing_is_no_part_of_another_request)
{
	static const char *const wrong[][2] = {
		{"secret.put", "{\"integration\":\"app\",\"key\":\"A\",\"value\":\"x\"}"},
		{"env.fetch", "{\"integration\":\"app\"}"},
		{"integration.show", "{\"name\":\"app\"}"},
		{"audit.list", "{}"},
		{"holder.release", "{\"run\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\"}"},
		{"hello", "{}"},
		{"token.create", "{\"integration\":\"app\",\"token_name\":\"t\",\"description\":\"d\","
				 "\"user\":\"0\"}"},
		{"grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"0\"},"
			      "\"request_id\":\"0123456789abcdef0123456789abcdef\"}"},
	};

	start();
	core_grant(&world, "app", UID_ADMIN);
	begin(UID_ADMIN);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		inner_refused(ERR_UNSUPPORTED, 0, wrong[i][0], wrong[i][1]);
	end();
	core_world_end(&world);
}
END_TEST

START_TEST(a_line_that_is_none_is_refused_with_its_reason)
{
	NESTED_AUTO nested = {.line = "{\"jsonrpc\"", .len = 10};

	start();
	begin(UID_ADMIN);
	ck_err(nested_perform(&outer.call, &nested), ERR_BAD_JSON);
	inner_refused(ERR_UNKNOWN_METHOD, 0, "grant.give", "{}");
	inner_refused(ERR_BAD_PARAMS, 0, "grant.add", "{\"integration\":\"app\"}");
	inner_refused(ERR_BAD_PARAMS, 0, "grant.add", "{\"integration\":\"app\",\"rule\":{},\"x\":1}");
	end();
	core_world_end(&world);
}
END_TEST

/* P2 */
START_TEST(the_right_that_counts_is_that_of_whom_it_is_done_for)
{
	static const char grant[] = "{\"integration\":\"app\",\"rule\":{\"user\":\"0\"}}";

	start();
	begin(UID_ADMIN);
	inner_refused(ERR_DENIED, UID_OPERATOR, "grant.add", grant);
	inner_refused(ERR_DENIED, UID_STRANGER, "grant.add", grant);
	end();
	begin(UID_STRANGER);
	inner_refused(ERR_DENIED, 0, "grant.add", grant);
	inner_ok(UID_ADMIN, "grant.add", grant);
	end();
	core_world_end(&world);
}
END_TEST

START_TEST(there_is_none_inside_another)
{
	start();
	begin(UID_ADMIN);
	outer.call.is_nested = true;

	NESTED_AUTO nested = {0};

	ck_err(inner(0, "integration.edit", "{\"name\":\"app\",\"title\":\"x\"}", &nested), ERR_INTERNAL);
	end();
	core_world_end(&world);
}
END_TEST

/* P4 */
START_TEST(a_refused_one_leaves_nothing_and_the_next_goes_on)
{
	uint64_t records = 0;

	start();
	records = core_records(&world);
	begin(UID_ADMIN);
	inner_ok(0, "grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"0\"}}");
	inner_refused(ERR_CONFLICT, 0, "grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"0\"}}");
	inner_refused(
		ERR_IN_USE, 0, "secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":2}");
	core_faults.append = ERR_STORAGE_FULL;

	NESTED_AUTO nested = {0};

	ck_err(inner(0, "integration.edit", "{\"name\":\"app\",\"title\":\"x\"}", &nested), ERR_STORAGE_FULL);
	inner_ok(0, "grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"1\"}}");
	end();
	ck_assert_uint_eq(core_records(&world), records + 2);
	ck_assert_uint_eq(core_counts(&world).grants, 2);
	ck_assert_uint_eq(core_record(&world, 0).object, 2);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(a_refusal_tells_its_detail_and_its_data)
{
	start();
	begin(UID_OPERATOR);

	NESTED_AUTO nested = {0};

	ck_err(inner(UID_ADMIN, "secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":2}",
		       &nested),
		ERR_IN_USE);
	ck_assert_ptr_nonnull(strstr(nested.detail, "it is the current version"));
	buf_append_byte(&nested.error_data, '\0');
	ck_assert_ptr_nonnull(strstr(nested.error_data.bytes, "\"holder_count\":0"));
	end();
	core_world_end(&world);
}
END_TEST

START_TEST(a_long_queue_has_room_and_keeps_the_outer_subject)
{
	start();
	begin(UID_ADMIN);
	call_subject(&outer.call, "outer");
	for (int i = 0; i < 1000; i++)
		inner_ok(0, "integration.edit",
			i % 2 == 0 ? "{\"name\":\"app\",\"title\":\"x\"}"
				   : "{\"name\":\"app\",\"title\":\"y\"}");
	ck_assert_uint_eq(outer.call.record.subject.len, 5);
	ck_assert_mem_eq(outer.call.record.subject.text, "outer", 5);
	end();
	ck_assert_mem_eq(core_record(&world, 0).subject.text, "title", 5);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

/* P5 */
START_TEST(what_was_done_goes_with_the_outer_request)
{
	struct store_counts before = {0}, after = {0};
	struct call_mark mark = {0};

	start();
	before = core_counts(&world);
	begin(UID_ADMIN);
	mark = call_mark(world.core);
	inner_ok(0, "grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"0\"}}");
	inner_ok(0, "secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":1}");
	call_take_back(world.core, &mark);
	take_back();
	after = core_counts(&world);
	ck_assert_mem_eq(&before, &after, sizeof(before));
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:draining 2:current");
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

/* P4, P10 */
START_TEST(what_is_done_has_a_record_of_its_own)
{
	struct approved approved = {.request = 9, .by = UID_AUDITOR};
	NESTED_AUTO nested = {.approved = &approved};

	start();
	begin(UID_ADMIN);
	ck_assert(!outer.call.must_checkpoint);
	ck_ok(inner(UID_OPERATOR, "secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":1}",
		&nested));
	ck_assert(outer.call.must_checkpoint);
	end();

	struct record record = core_record(&world, 0);

	ck_assert_str_eq(record.kind, "secret.revoke");
	ck_assert_str_eq(record.outcome, "ok");
	ck_assert_str_eq(record.integration, "app");
	ck_assert_str_eq(record.key, "A");
	ck_assert_uint_eq(record.version, 1);
	ck_assert_uint_eq(record.uid, UID_OPERATOR);
	ck_assert_str_eq(record.subject.text, "approved_by=70003 approval=9");
	ck_assert_str_eq(core_states(&world, "app", "A"), "1:revoked 2:current");
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_nested", what_carries_a_value_or_changes_nothing_is_no_part_of_another_request,
	a_line_that_is_none_is_refused_with_its_reason, the_right_that_counts_is_that_of_whom_it_is_done_for,
	there_is_none_inside_another, a_refused_one_leaves_nothing_and_the_next_goes_on,
	a_refusal_tells_its_detail_and_its_data, a_long_queue_has_room_and_keeps_the_outer_subject,
	what_was_done_goes_with_the_outer_request, what_is_done_has_a_record_of_its_own)
