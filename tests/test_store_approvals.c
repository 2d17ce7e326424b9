/*
 * The rows of requests that wait for a second person: numbers that never come again, one decision, equal ones found, and a row
 * that somebody changed is never believed.
 */
#include "store_world.h"

static struct world world;

struct seen {
	size_t count;
	char text[1024];
};

static void start(void)
{
	world_start(&world);
	ck_ok(store_begin(world.store));
	ck_ok(world_add_integration(world.store, 1, "crm"));
	ck_ok(world_add_integration(world.store, 2, "billing"));
	ck_ok(world_commit(world.store));
}

static struct store_approval approval_of(unsigned char integration, uint32_t uid, const char *params)
{
	return (struct store_approval){.integration_id = {integration},
		.method = "grant.add",
		.params = params,
		.subject = "uid=7",
		.object = {9},
		.uid = uid,
		.requested_ms = 100,
		.expires_ms = 200};
}

static enum err on_approval(void *arg, const struct store_approval *approval)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	seen->count++;
	ck_assert_uint_eq(approval->object[0], 9);
	ck_assert_int_eq(approval->requested_ms, 100);
	snprintf(seen->text + len, sizeof(seen->text) - len, "%d:%s:%s:%s:%s:%d/%d:%s:%d:%d/%d:%s ",
		(int)approval->id, approval->integration, approval->method, approval->params,
		approval->subject, (int)approval->uid, approval->has_login ? (int)approval->login_uid : -1,
		approval->request_id == NULL ? "-" : approval->request_id, approval->state,
		(int)approval->decided_ms, (int)approval->decided_by,
		approval->note == NULL ? "-" : approval->note);
	return OK;
}

static const char *all_of(const struct store_approval_filter *filter)
{
	static struct seen seen;

	seen = (struct seen){0};
	ck_ok(store_approval_each(world.store, filter, on_approval, &seen));
	return seen.text;
}

static uint64_t add(unsigned char integration, uint32_t uid, const char *params)
{
	struct store_approval approval = approval_of(integration, uid, params);

	ck_ok(store_begin(world.store));
	ck_ok(store_approval_insert(world.store, &approval));
	ck_ok(world_commit(world.store));
	return approval.id;
}

static enum err decide(uint64_t id, enum approval_state state)
{
	struct store_approval decided = {
		.id = id, .state = state, .decided_ms = 150, .decided_by = 8, .note = "fine"};

	ck_ok(store_begin(world.store));

	enum err err = store_approval_decide(world.store, &decided);

	ck_ok(world_commit(world.store));
	return err;
}

START_TEST(a_request_for_nothing_is_refused)
{
	struct store_approval approval = approval_of(3, 7, "{}");
	struct seen seen = {0};

	start();
	ck_err(store_approval_insert(world.store, &approval), ERR_STORAGE); /* no turn */
	ck_ok(store_begin(world.store));
	ck_err(store_approval_insert(world.store, &approval), ERR_STORAGE); /* no such integration */
	approval = approval_of(1, 7, NULL);
	ck_err(store_approval_insert(world.store, &approval), ERR_STORAGE);
	ck_assert(store_stands(world.store));
	ck_ok(world_commit(world.store));
	ck_err(store_approval_get(world.store, 1, on_approval, &seen), ERR_NOT_FOUND);
	ck_err(store_approval_get(world.store, UINT64_MAX, on_approval, &seen), ERR_NOT_FOUND);
	ck_err(decide(1, APPROVAL_APPROVED), ERR_NOT_FOUND);
	ck_assert_uint_eq(seen.count, 0);
	world_end(&world);
}
END_TEST

START_TEST(a_request_is_decided_once)
{
	struct store_approval_filter all = {0};

	start();
	ck_assert_uint_eq(add(1, 7, "{}"), 1);
	ck_ok(decide(1, APPROVAL_REJECTED));
	ck_err(decide(1, APPROVAL_APPROVED), ERR_NOT_FOUND);
	ck_assert_str_eq(all_of(&all), "1:crm:grant.add:{}:uid=7:7/-1:-:2:150/8:fine ");
	world_end(&world);
}
END_TEST

START_TEST(numbers_of_requests_never_come_again)
{
	struct store_approval taken_back = approval_of(1, 7, "{}");

	start();
	ck_assert_uint_eq(add(1, 7, "{}"), 1);
	ck_ok(store_begin(world.store));
	ck_ok(store_savepoint(world.store));
	ck_ok(store_approval_insert(world.store, &taken_back));
	ck_assert_uint_eq(taken_back.id, 2);
	ck_ok(store_rollback_request(world.store));
	ck_ok(world_commit(world.store));
	ck_assert_uint_eq(add(1, 7, "{}"), 2);
	world_close(&world);
	world_open(&world);
	ck_assert_uint_eq(add(1, 7, "{}"), 3);
	ck_ok(store_check(world.store, &world.reason));
	world_end(&world);
}
END_TEST

START_TEST(equal_ones_are_found_while_they_are_pending)
{
	struct store_approval like = approval_of(1, 7, "{\"a\":1}");
	struct seen seen = {0};
	size_t all = 9, own = 9;

	start();
	add(1, 7, "{\"a\":1}");
	add(2, 8, "{\"a\":1}");
	ck_ok(store_approval_same(world.store, &like, on_approval, &seen));
	ck_assert_uint_eq(seen.count, 1);
	ck_assert_int_eq(strncmp(seen.text, "1:crm:", 6), 0);
	like.params = "{\"a\":2}";
	ck_err(store_approval_same(world.store, &like, on_approval, &seen), ERR_NOT_FOUND);
	like.params = "{\"a\":1}";
	like.method = "grant.remove";
	ck_err(store_approval_same(world.store, &like, on_approval, &seen), ERR_NOT_FOUND);
	like.method = "grant.add";
	ck_ok(store_approval_pending(world.store, 7, &all, &own));
	ck_assert_uint_eq(all, 2);
	ck_assert_uint_eq(own, 1);
	ck_ok(decide(1, APPROVAL_EXPIRED));
	ck_err(store_approval_same(world.store, &like, on_approval, &seen), ERR_NOT_FOUND);
	ck_ok(store_approval_pending(world.store, 7, &all, &own));
	ck_assert_uint_eq(all, 1);
	ck_assert_uint_eq(own, 0);
	world_end(&world);
}
END_TEST

START_TEST(a_repeated_request_id_finds_the_newest_of_its_method)
{
	struct store_approval approval = approval_of(1, 7, "{}");
	struct seen seen = {0};

	start();
	approval.request_id = "0123456789abcdef0123456789abcdef";
	ck_err(store_approval_repeated(world.store, &approval, on_approval, &seen), ERR_NOT_FOUND);
	ck_ok(store_begin(world.store));
	ck_ok(store_approval_insert(world.store, &approval));
	ck_ok(store_approval_insert(world.store, &approval));
	ck_ok(world_commit(world.store));
	ck_ok(decide(2, APPROVAL_REJECTED));
	ck_ok(store_approval_repeated(world.store, &approval, on_approval, &seen));
	ck_assert_uint_eq(seen.count, 1);
	ck_assert_int_eq(strncmp(seen.text, "2:", 2), 0);
	approval.method = "grant.remove";
	ck_err(store_approval_repeated(world.store, &approval, on_approval, &seen), ERR_NOT_FOUND);
	world_end(&world);
}
END_TEST

START_TEST(requests_are_listed_newest_first_and_filtered)
{
	struct store_approval_filter filter = {0};
	struct store_approval approval = approval_of(2, 8, "{}");
	struct seen seen = {0};

	start();
	add(1, 7, "{}");
	approval.has_login = true;
	approval.login_uid = 0;
	ck_ok(store_begin(world.store));
	ck_ok(store_approval_insert(world.store, &approval));
	ck_ok(world_commit(world.store));
	ck_ok(decide(1, APPROVAL_APPROVED));
	ck_assert_str_eq(all_of(&filter), "2:billing:grant.add:{}:uid=7:8/0:-:0:0/0:- "
					  "1:crm:grant.add:{}:uid=7:7/-1:-:1:150/8:fine ");
	filter = (struct store_approval_filter){.integration = "crm"};
	ck_assert_int_eq(strncmp(all_of(&filter), "1:", 2), 0);
	filter = (struct store_approval_filter){.has_state = true, .state = APPROVAL_PENDING};
	ck_assert_int_eq(strncmp(all_of(&filter), "2:", 2), 0);
	filter.integration = "crm";
	ck_assert_str_eq(all_of(&filter), "");
	ck_ok(store_approval_overdue(world.store, 199, 9, on_approval, &seen));
	ck_assert_uint_eq(seen.count, 0);
	ck_ok(store_approval_overdue(world.store, 200, 9, on_approval, &seen));
	ck_assert_uint_eq(seen.count, 1);
	world_end(&world);
}
END_TEST

/* P7 */
static enum err use(uint64_t id)
{
	ck_ok(store_begin(world.store));

	enum err err = store_approval_use(world.store, id, 160);

	ck_ok(world_commit(world.store));
	return err;
}

START_TEST(what_was_approved_is_used_once_and_before_its_end)
{
	struct store_approval like = approval_of(1, 7, "{\"a\":1}");
	struct seen seen = {0};

	start();
	ck_err(use(1), ERR_NOT_FOUND);
	add(1, 7, "{\"a\":1}");
	ck_err(use(1), ERR_NOT_FOUND); /* pending */
	ck_err(store_approval_usable(world.store, &like, 199, on_approval, &seen), ERR_NOT_FOUND);
	ck_ok(decide(1, APPROVAL_APPROVED));
	ck_err(store_approval_usable(world.store, &like, 200, on_approval, &seen), ERR_NOT_FOUND);
	like.uid = 8;
	ck_err(store_approval_usable(world.store, &like, 199, on_approval, &seen), ERR_NOT_FOUND);
	like.uid = 7;
	like.params = "{\"a\":2}";
	ck_err(store_approval_usable(world.store, &like, 199, on_approval, &seen), ERR_NOT_FOUND);
	like.params = "{\"a\":1}";
	like.method = "token.create";
	ck_err(store_approval_usable(world.store, &like, 199, on_approval, &seen), ERR_NOT_FOUND);
	like.method = "grant.add";
	ck_ok(store_approval_usable(world.store, &like, 199, on_approval, &seen));
	ck_ok(use(1));
	ck_err(use(1), ERR_NOT_FOUND);
	ck_err(store_approval_usable(world.store, &like, 199, on_approval, &seen), ERR_NOT_FOUND);
	ck_assert_uint_eq(seen.count, 1);
	add(1, 7, "{}");
	ck_ok(decide(2, APPROVAL_REJECTED));
	ck_err(use(2), ERR_NOT_FOUND);
	world_end(&world);
}
END_TEST

START_TEST(a_damaged_request_is_found_and_never_shown)
{
	static const char *const damage[] = {"used_ms = 5", "method = 'a' || char(0) || 'b'",
		"params = '{' || char(0) || '}'", "subject = 'a' || char(0)", "note = 'a' || char(0)",
		"request_id = char(0)", "state = 1", "decided_ms = 7", "id = 2"};

	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		struct seen seen = {0};
		char sql[80] = "";

		start();
		add(1, 7, "{}");
		ck_ok(store_check(world.store, &world.reason));
		snprintf(sql, sizeof(sql), "UPDATE approval SET %s", damage[i]);
		world_spoil(&world, sql);
		ck_assert_int_ne((int)store_approval_get(world.store, 1, on_approval, &seen), (int)OK);
		ck_assert_uint_eq(seen.count, 0);
		ck_err(store_check(world.store, &world.reason), ERR_STORAGE);
		ck_assert_str_eq(world.reason, "the row of a request for approval is damaged");
		world_end(&world);
	}
}
END_TEST

UNIT_MAIN("store_approvals", a_request_for_nothing_is_refused, a_request_is_decided_once,
	numbers_of_requests_never_come_again, equal_ones_are_found_while_they_are_pending,
	a_repeated_request_id_finds_the_newest_of_its_method, requests_are_listed_newest_first_and_filtered,
	what_was_approved_is_used_once_and_before_its_end, a_damaged_request_is_found_and_never_shown)
