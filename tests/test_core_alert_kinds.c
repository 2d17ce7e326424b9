/*
 * Each kind of alert fires when its condition is there and clears when it is gone, under a clock that the test moves.  A
 * kind of alerts.def without a row here fails the test.
 */
#include <stdio.h>
#include <string.h>

#include "alert_look.h"
#include "core_world.h"
#include "people.h"

enum { DAY_MS = 86400000, HOUR_MS = 3600000 };

static struct core_world world;
static struct puppet app; /* a process of UID_APP */

static unsigned names_asked; /* of the name service */

enum err __real_users_uid(const char *name, uid_t *out);
enum err __wrap_users_uid(const char *name, uid_t *out);
enum err __wrap_users_uid(const char *name, uid_t *out)
{
	names_asked++;
	return __real_users_uid(name, out);
}

static void pass_ms(int64_t ms)
{
	core_clock_ms += ms;
}

static void pass_days(int days)
{
	pass_ms(days * (int64_t)DAY_MS);
}

#define admin(method, params) core_ask_ok(&world, UID_ADMIN, method, "%s", params)
#define operate(method, params) core_ask_ok(&world, UID_OPERATOR, method, "%s", params)
#define refuse(word, uid, method, params) core_ask_refused(word, &world, uid, method, "%s", params)

static void fetch(void)
{
	core_ask_as_ok(&world, UID_APP, &app, "env.fetch", "{}");
}

static void put(void)
{
	operate("secret.put",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"v\",\"description\":\"d\"}");
}

static void put_until(int days, bool is_staged)
{
	char time[TIME_TEXT_BYTES] = "";

	text_format_time(core_clock_ms + days * (int64_t)DAY_MS, time);
	core_ask_ok(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"v\",\"description\":\"d\",\"expires_at\":"
		"\"%s\","
		"\"stage\":%s}",
		time, is_staged ? "true" : "false");
}

static void edit(const char *members)
{
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",%s}", members);
}

/* Changes the integration's record by the store's own means. */
typedef void change_fn(struct store_integration *integration);

static enum err on_app(void *arg, const struct store_integration *integration)
{
	struct store_integration changed = *integration;

	(*(change_fn **)arg)(&changed);
	return store_integration_update(world.core->store, &changed);
}

static void change_app(change_fn *change)
{
	struct store *store = world.core->store;
	enum err committed = ERR_TIMEOUT;

	ck_ok(store_begin(store));
	ck_ok(store_integration_get(store, "app", on_app, &change));
	store_commit(store, core_on_own_commit, &committed);
	ck_ok(committed);
}

static void set_person(uint32_t uid, enum account account, gid_t group)
{
	core_people[0] = (struct core_person){uid, account, group};
	pass_ms(61000); /* what was known of people is asked again */
}

static void end_run(int status)
{
	struct puppet puppet = puppet_new();
	char run[27] = "";

	core_faults.hides_status = true; /* the supervisor tells: kernels differ */
	core_ask_as_ok(&world, UID_APP, &puppet, "env.fetch", "{}");
	snprintf(run, sizeof(run), "%s", core_result_text(&world, "run"));
	pass_ms(1000);
	core_ask_as_ok(
		&world, UID_APP, &puppet, "run.end", "{\"run\":\"%s\",\"exit_status\":%d}", run, status);
	puppet_exit(&puppet, 0);
	puppet_wait(&puppet);
	core_processes_ended(world.core);
	if (turn_is_open(core_turn(world.core)))
		turn_end(core_turn(world.core));
}

static void verdict(int status)
{
	char run[27] = "";

	core_ask_as_ok(&world, UID_APP, &app, "env.fetch", "{\"staged\":true}");
	snprintf(run, sizeof(run), "%s", core_result_text(&world, "run"));
	core_ask_as_ok(&world, UID_APP, &app, "secret.record_test",
		"{\"run\":\"%s\",\"passed\":%s,\"exit_status\":%d,\"duration_ms\":5,\"command_digest\":"
		"\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}",
		run, status == 0 ? "true" : "false", status);
}

/* ---- runs ---- */

static void fire_run_failed(void)
{
	put();
	end_run(3);
}

static void clear_run_failed(void)
{
	end_run(0);
}

static void fire_run_missed(void)
{
	put();
	fetch();
	edit("\"expected_every\":\"1h\"");
	pass_ms(2 * HOUR_MS);
}

static void fire_unused(void)
{
	put();
	fetch();
	pass_days(90);
}

static void fire_never_used(void)
{
	put();
	pass_days(7);
}

/* ---- periods ---- */

static void fire_rotation_due(void)
{
	edit("\"rotate_after\":\"90d\"");
	put();
	pass_days(61);
}

static void fire_rotation_overdue(void)
{
	edit("\"rotate_after\":\"90d\"");
	put();
	pass_days(90);
}

static void review(struct store_integration *integration)
{
	integration->reviewed_ms = core_clock_ms;
	integration->reviewed_by = UID_ADMIN;
	integration->text[FIELD_REVIEW_AFTER - INTEGRATION_TEXT_FIRST] = "90d";
}

static void clear_review(void)
{
	change_app(review);
}

static void fire_review_due(void)
{
	pass_days(77);
}

static void fire_review_overdue(void)
{
	pass_days(90);
}

/* ---- ends ---- */

static void fire_secret_expires(void)
{
	put_until(30, false);
}

static void fire_secret_expired(void)
{
	put_until(1, false);
	pass_days(1);
}

static void fire_integration_expires(void)
{
	char member[64] = "\"expires_at\":\"";

	text_format_time(core_clock_ms + 30 * (int64_t)DAY_MS, member + strlen(member));
	strcat(member, "\"");
	edit(member);
}

static void fire_integration_expired(void)
{
	fire_integration_expires();
	pass_days(30);
}

static void clear_end(void)
{
	edit("\"expires_at\":\"\"");
}

static struct store_token token;

static enum err on_id(void *arg, const struct store_integration *integration)
{
	memcpy(arg, integration->id, STORE_ID_BYTES);
	return OK;
}

static void fire_token_expires(void)
{
	struct store *store = world.core->store;
	enum err committed = ERR_TIMEOUT;

	token = (struct store_token){.name = "ci",
		.description = "d",
		.uid = UID_APP,
		.user = "app",
		.verifier = "one",
		.expires_ms = core_clock_ms + 30 * (int64_t)DAY_MS,
		.created_ms = core_clock_ms};
	ck_ok(store_integration_get(store, "app", on_id, token.integration_id));
	ck_ok(store_begin(store));
	token.id = store_token_next(store);
	ck_ok(store_token_insert(store, &token));
	store_commit(store, core_on_own_commit, &committed);
	ck_ok(committed);
}

static void fire_token_expired(void)
{
	admin("grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"70003\",\"token\":true}}");
	fire_token_expires();
	pass_days(30);
}

static void create_token(void)
{
	admin("token.create",
		"{\"integration\":\"app\",\"token_name\":\"next\",\"description\":\"d\",\"user\":\"70003\"}");
}

static void clear_token_expires(void)
{
	struct store *store = world.core->store;
	enum err committed = ERR_TIMEOUT;

	ck_ok(store_begin(store));
	ck_ok(store_token_revoke(store, token.integration_id, token.id, core_clock_ms, UID_ADMIN));
	store_commit(store, core_on_own_commit, &committed);
	ck_ok(committed);
}

/* ---- callers ---- */

static void fire_denied(void)
{
	put();
	for (int i = 0; i < 3; i++)
		refuse("denied", UID_STRANGER, "env.fetch", "{\"integration\":\"app\"}");
}

static void clear_after_a_day(void)
{
	pass_days(1);
}

static void fire_rate_limited(void)
{
	put();
	edit("\"rate_limit\":1");
	fetch();
	core_ask_as_refused("rate_limited", &world, UID_APP, &app, "env.fetch", "{}");
}

static void fire_rate_near(void)
{
	put();
	edit("\"rate_limit\":5");
	for (int i = 0; i < 4; i++)
		fetch();
}

static void clear_rate_near(void)
{
	pass_ms(HOUR_MS + 1);
}

static void fire_refusals(void)
{
	for (int i = 0; i < STORM_REFUSALS; i++)
		refuse("denied", UID_STRANGER, "audit.list", "{}");
	pass_ms(61000);
	core_tick(world.core, false);
}

/* ---- versions ---- */

static void fire_staged_forgotten(void)
{
	core_stage(&world, "app", "A", "v");
	pass_days(7);
}

static void promote(void)
{
	operate("secret.promote", "{\"integration\":\"app\",\"key\":\"A\",\"untested\":true}");
}

static void fire_test_failed(void)
{
	core_stage(&world, "app", "A", "v");
	verdict(7);
}

static void clear_test_failed(void)
{
	verdict(0);
}

static void fire_drained(void)
{
	put();
	put();
}

static void clear_drained(void)
{
	operate("secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":1}");
}

static void fire_retired_not_drained(void)
{
	put();
	fetch();
	core_set_state(&world, "app", "retired");
}

static void clear_retired_not_drained(void)
{
	puppet_exit(&app, 0);
	puppet_wait(&app);
}

static void fire_no_description(void)
{
	core_put(&world, "app", "A", "v");
}

/* ---- people ---- */

static void own(struct store_integration *integration)
{
	integration->has_owner_uid = true;
	integration->owner_uid = 70010;
	integration->text[FIELD_OWNER - INTEGRATION_TEXT_FIRST] = "70010";
}

static void fire_owner_gone(void)
{
	change_app(own);
	set_person(70010, ACCOUNT_GONE, 0);
}

static void clear_people(void)
{
	set_person(0, ACCOUNT_FINE, 0);
}

static void fire_maker_gone(void)
{
	put();
	set_person(UID_OPERATOR, ACCOUNT_LOCKED, 0);
}

static void fire_grant_to_role(void)
{
	core_grant(&world, "app", UID_OPERATOR);
}

static void clear_grant_to_role(void)
{
	admin("grant.remove", "{\"integration\":\"app\",\"id\":2}");
}

/* ---- a second person ---- */

static void fire_request_pending(void)
{
	world.rules.needs_approval[REQUEST_GRANT_ADD] = true;
	refuse("approval_required", UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"70007\"}}");
}

static void clear_request_pending(void)
{
	admin("request.reject", "{\"id\":1}");
}

/* ---- the host ---- */

static void fire_undelivered(void)
{
	struct principal who = {.uid = UID_APP, .gid = UID_APP, .pid = 7, .pidfd = -1, .unit_reason = ""};

	struct exchange exchange = {.principal = &who, .duty = DUTY_FETCH};

	core_note_undelivered(world.core, &exchange);
	turn_end(core_turn(world.core));
}

static void fire_store_space(void)
{
	core_faults.full_percent = 91;
}

static void clear_store_space(void)
{
	core_faults.full_percent = 90;
}

static void fire_audit_space(void)
{
	world.core->archive_trouble = "the directory is not there";
}

static void clear_audit_space(void)
{
	world.core->archive_trouble = NULL;
}

static void fire_memory_unlocked(void)
{
	core_faults.may_swap = true;
}

static void clear_memory_unlocked(void)
{
	core_faults.may_swap = false;
}

/* ---- all of them ---- */

static const struct {
	void (*fire)(void);
	void (*clear)(void);
	const char *id;
	const char *severity;
} rows[ALERT_KIND_COUNT] = {
	[ALERT_RUN_FAILED] = {fire_run_failed, clear_run_failed, "run_failed:app", "warning"},
	[ALERT_RUN_MISSED] = {fire_run_missed, fetch, "run_missed:app", "warning"},
	[ALERT_ROTATION_DUE] = {fire_rotation_due, put, "rotation_due:app:A:1", "notice"},
	[ALERT_ROTATION_OVERDUE] = {fire_rotation_overdue, put, "rotation_overdue:app:A:1", "warning"},
	[ALERT_REVIEW_DUE] = {fire_review_due, clear_review, "review_due:app", "notice"},
	[ALERT_REVIEW_OVERDUE] = {fire_review_overdue, clear_review, "review_overdue:app", "warning"},
	[ALERT_SECRET_EXPIRES] = {fire_secret_expires, put, "secret_expires:app:A:1", "notice"},
	[ALERT_SECRET_EXPIRED] = {fire_secret_expired, put, "secret_expired:app:A:1", "critical"},
	[ALERT_INTEGRATION_EXPIRES] = {fire_integration_expires, clear_end, "integration_expires:app",
		"notice"},
	[ALERT_INTEGRATION_EXPIRED] = {fire_integration_expired, clear_end, "integration_expired:app",
		"critical"},
	[ALERT_TOKEN_EXPIRES] = {fire_token_expires, clear_token_expires, "token_expires:app:1", "notice"},
	[ALERT_TOKEN_EXPIRED] = {fire_token_expired, create_token, "token_expired:app", "critical"},
	[ALERT_UNUSED] = {fire_unused, fetch, "unused:app", "notice"},
	[ALERT_NEVER_USED] = {fire_never_used, fetch, "never_used:app", "notice"},
	[ALERT_DENIED] = {fire_denied, clear_after_a_day, "denied:app", "warning"},
	[ALERT_RATE_LIMITED] = {fire_rate_limited, clear_after_a_day, "rate_limited:app", "warning"},
	[ALERT_RATE_NEAR] = {fire_rate_near, clear_rate_near, "rate_near:app", "notice"},
	[ALERT_STAGED_FORGOTTEN] = {fire_staged_forgotten, promote, "staged_forgotten:app:A:1", "notice"},
	[ALERT_TEST_FAILED] = {fire_test_failed, clear_test_failed, "test_failed:app:A:1", "warning"},
	[ALERT_DRAINED] = {fire_drained, clear_drained, "drained:app:A:1", "notice"},
	[ALERT_RETIRED_NOT_DRAINED] = {fire_retired_not_drained, clear_retired_not_drained,
		"retired_not_drained:app", "warning"},
	[ALERT_OWNER_GONE] = {fire_owner_gone, clear_people, "owner_gone:app", "warning"},
	[ALERT_MAKER_GONE] = {fire_maker_gone, clear_people, "maker_gone:app:A:1", "notice"},
	[ALERT_NO_DESCRIPTION] = {fire_no_description, put, "no_description:app:A", "notice"},
	[ALERT_GRANT_TO_ROLE] = {fire_grant_to_role, clear_grant_to_role, "grant_to_role:app:2", "warning"},
	[ALERT_REQUEST_PENDING] = {fire_request_pending, clear_request_pending, "request_pending:app:1",
		"notice"},
	[ALERT_REFUSALS] = {fire_refusals, clear_after_a_day, "refusals:uid=70006", "warning"},
	[ALERT_UNDELIVERED] = {fire_undelivered, clear_after_a_day, "undelivered", "notice"},
	[ALERT_STORE_SPACE] = {fire_store_space, clear_store_space, "store_space", "warning"},
	[ALERT_AUDIT_SPACE] = {fire_audit_space, clear_audit_space, "audit_space", "warning"},
	[ALERT_MEMORY_UNLOCKED] = {fire_memory_unlocked, clear_memory_unlocked, "memory_unlocked", "warning"},
};

static void start(void)
{
	puppets_start();
	app = puppet_new();
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_grant(&world, "app", UID_APP);
}

static void end(void)
{
	core_world_end(&world);
	puppets_end();
}

static const char *text_of(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
}

static const cJSON *find(enum alert_kind kind)
{
	const cJSON *item = NULL;

	core_ask_ok(&world, UID_AUDITOR, "alert.list", "{}");
	cJSON_ArrayForEach(item, core_result(&world, "alerts"))
	{
		if (strcmp(text_of(item, "kind"), alert_word(kind)) == 0)
			return item;
	}
	return NULL;
}

static int counted(const char *severity)
{
	return cJSON_GetObjectItem(core_result(&world, "counts"), severity)->valueint;
}

static void check_fired(enum alert_kind kind)
{
	const cJSON *alert = find(kind);
	const char *since = NULL;

	ck_assert_msg(alert != NULL, "%s does not fire: %s", alert_word(kind), world.last_text);
	since = text_of(alert, "since");
	ck_assert_str_eq(text_of(alert, "id"), rows[kind].id);
	ck_assert_str_eq(text_of(alert, "severity"), rows[kind].severity);
	ck_assert_uint_gt(strlen(text_of(alert, "text")), 0);
	ck_assert_uint_gt(strlen(text_of(alert, "advice")), 0);
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(alert, "acked")));
	ck_assert_int_ge(counted(rows[kind].severity), 1);
	if (since != NULL) {
		int64_t since_ms = 0;

		ck_assert(text_time(since, strlen(since), &since_ms));
		ck_assert_int_le(since_ms, core_clock_ms);
		ck_assert_int_ge(since_ms, 1800000000000 - DAY_MS);
	}
}

/* Its id and beginning stay what they are while nothing happens, or an ack would not last. */
static void check_stays(enum alert_kind kind)
{
	char since[TIME_TEXT_BYTES] = "";
	const char *text = text_of(find(kind), "since");

	if (text == NULL)
		return;
	snprintf(since, sizeof(since), "%s", text);
	pass_ms(1000);
	ck_assert_msg(find(kind) != NULL, "%s", alert_word(kind));
	ck_assert_str_eq(text_of(find(kind), "since"), since);
}

static void check_kind(enum alert_kind kind)
{
	ck_assert_msg(
		rows[kind].fire != NULL && rows[kind].clear != NULL, "%s has no test", alert_word(kind));
	start();
	ck_assert_msg(find(kind) == NULL, "%s is there at once", alert_word(kind));
	rows[kind].fire();
	check_fired(kind);
	check_stays(kind);
	rows[kind].clear();
	ck_assert_msg(find(kind) == NULL, "%s does not clear: %s", alert_word(kind), world.last_text);
	end();
}

START_TEST(each_kind_fires_and_clears)
{
	for (enum alert_kind kind = 0; kind < ALERT_KIND_COUNT; kind++)
		check_kind(kind);
}
END_TEST

/* ---- what is quiet ---- */

static bool is_quiet_when_retired(enum alert_kind kind)
{
	static const enum alert_kind quiet[] = {ALERT_RUN_FAILED, ALERT_RUN_MISSED, ALERT_ROTATION_DUE,
		ALERT_ROTATION_OVERDUE, ALERT_REVIEW_DUE, ALERT_REVIEW_OVERDUE, ALERT_SECRET_EXPIRES,
		ALERT_SECRET_EXPIRED, ALERT_INTEGRATION_EXPIRES, ALERT_INTEGRATION_EXPIRED, ALERT_UNUSED,
		ALERT_NEVER_USED, ALERT_RATE_NEAR, ALERT_STAGED_FORGOTTEN, ALERT_TEST_FAILED,
		ALERT_OWNER_GONE, ALERT_MAKER_GONE, ALERT_NO_DESCRIPTION};

	for (size_t i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++)
		if (quiet[i] == kind)
			return true;
	return false;
}

START_TEST(what_is_retired_asks_for_nothing_but_its_end)
{
	for (enum alert_kind kind = 0; kind < ALERT_KIND_COUNT; kind++) {
		if (!is_quiet_when_retired(kind))
			continue;
		start();
		rows[kind].fire();
		core_set_state(&world, "app", "retired");
		ck_assert_msg(find(kind) == NULL, "%s", alert_word(kind));
		end();
	}
}
END_TEST

START_TEST(what_is_suspended_is_not_expected_to_run)
{
	static const enum alert_kind quiet[] = {
		ALERT_RUN_FAILED, ALERT_RUN_MISSED, ALERT_UNUSED, ALERT_NEVER_USED, ALERT_RATE_NEAR};

	for (size_t i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++) {
		start();
		rows[quiet[i]].fire();
		core_set_state(&world, "app", "suspended");
		ck_assert_msg(find(quiet[i]) == NULL, "%s", alert_word(quiet[i]));
		end();
	}
	start();
	fire_rotation_overdue();
	core_set_state(&world, "app", "suspended");
	ck_assert_ptr_nonnull(find(ALERT_ROTATION_OVERDUE)); /* it will run again */
	end();
}
END_TEST

/* ---- edges ---- */

START_TEST(a_period_counts_to_the_millisecond)
{
	start();
	edit("\"rotate_after\":\"90d\",\"review_after\":\"100d\"");
	put();
	pass_ms(60 * (int64_t)DAY_MS - 1);
	ck_assert_ptr_null(find(ALERT_ROTATION_DUE));
	pass_ms(1);
	ck_assert_str_eq(text_of(find(ALERT_ROTATION_DUE), "text"), "rotation is due within 30 days");
	pass_days(26);
	ck_assert_ptr_nonnull(find(ALERT_REVIEW_DUE));
	pass_ms(4 * (int64_t)DAY_MS - 1);
	ck_assert_str_eq(text_of(find(ALERT_ROTATION_DUE), "text"), "rotation is due within 1 day");
	ck_assert_ptr_null(find(ALERT_ROTATION_OVERDUE));
	pass_ms(1);
	ck_assert_ptr_nonnull(find(ALERT_ROTATION_OVERDUE));
	ck_assert_ptr_null(find(ALERT_ROTATION_DUE));
	edit("\"rotate_after\":\"never\",\"rotate_reason\":\"the issuer cannot\",\"review_after\":\"never\"");
	pass_days(1000);
	ck_assert_ptr_null(find(ALERT_ROTATION_OVERDUE));
	ck_assert_ptr_null(find(ALERT_REVIEW_OVERDUE));
	end();
}
END_TEST

START_TEST(a_short_period_is_not_due_at_once)
{
	start();
	edit("\"rotate_after\":\"10d\",\"review_after\":\"10d\"");
	put();
	pass_ms(5 * (int64_t)DAY_MS - 1);
	ck_assert_ptr_null(find(ALERT_ROTATION_DUE));
	ck_assert_ptr_null(find(ALERT_REVIEW_DUE));
	pass_ms(1);
	ck_assert_ptr_nonnull(find(ALERT_ROTATION_DUE));
	ck_assert_ptr_nonnull(find(ALERT_REVIEW_DUE));
	end();
}
END_TEST

START_TEST(no_warning_before_a_rotation_where_none_is_wanted)
{
	start();
	world.rules.rotate_soon_days = 0;
	edit("\"rotate_after\":\"90d\"");
	put();
	pass_ms(90 * (int64_t)DAY_MS - 1);
	ck_assert_ptr_null(find(ALERT_ROTATION_DUE));
	pass_ms(1);
	ck_assert_ptr_nonnull(find(ALERT_ROTATION_OVERDUE));
	end();
}
END_TEST

START_TEST(days_of_refusals_in_a_row_are_one_alert)
{
	char since[TIME_TEXT_BYTES] = "";

	start();
	put();
	fire_denied();
	snprintf(since, sizeof(since), "%s", text_of(find(ALERT_DENIED), "since"));
	ck_assert_ptr_nonnull(strstr(text_of(find(ALERT_DENIED), "text"), "3 fetches refused"));
	ck_assert_ptr_nonnull(strstr(text_of(find(ALERT_DENIED), "text"), "70006"));
	pass_days(1);
	ck_assert_ptr_null(find(ALERT_DENIED));
	refuse("denied", UID_OTHER_APP, "env.fetch", "{\"integration\":\"app\"}");
	ck_assert_str_eq(text_of(find(ALERT_DENIED), "since"), since);
	ck_assert_ptr_nonnull(strstr(text_of(find(ALERT_DENIED), "text"), "4 fetches refused"));
	ck_assert_ptr_nonnull(strstr(text_of(find(ALERT_DENIED), "text"), "70005"));
	pass_days(2);
	refuse("denied", UID_STRANGER, "env.fetch", "{\"integration\":\"app\"}");
	ck_assert_str_ne(text_of(find(ALERT_DENIED), "since"), since); /* a day without any */
	ck_assert_ptr_nonnull(strstr(text_of(find(ALERT_DENIED), "text"), "1 fetch refused"));
	end();
}
END_TEST

/* Further back than is looked nobody can tell, and who has seen the alert is not asked again each day. */
START_TEST(refusals_that_began_long_ago_have_no_beginning)
{
	start();
	put();
	for (int day = 0; day < 40; day++) {
		refuse("denied", UID_STRANGER, "env.fetch", "{\"integration\":\"app\"}");
		ck_assert_int_eq(text_of(find(ALERT_DENIED), "since") == NULL, day >= 31);
		pass_days(1);
	}
	end();
}
END_TEST

START_TEST(a_grant_to_a_group_reaches_whom_the_group_has)
{
	start();
	/* In production a unit alone would need a second person. */
	admin("integration.add",
		"{\"name\":\"other\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\","
		"\"environment\":\"sandbox\"}");
	admin("grant.add", "{\"integration\":\"other\",\"rule\":{\"group\":\"70100\"}}");
	ck_assert_ptr_null(find(ALERT_GRANT_TO_ROLE));
	set_person(UID_AUDITOR, ACCOUNT_FINE, 70100); /* who may see everything may change nothing */
	ck_assert_ptr_null(find(ALERT_GRANT_TO_ROLE));
	set_person(UID_ADMIN, ACCOUNT_FINE, 70100);
	ck_assert_str_eq(text_of(find(ALERT_GRANT_TO_ROLE), "text"), "grant 2 reaches somebody who is admin");
	/* Both conditions must hold: the user alone has no role. */
	admin("grant.remove", "{\"integration\":\"other\",\"id\":2}");
	admin("grant.add", "{\"integration\":\"other\",\"rule\":{\"group\":\"70100\",\"user\":\"70004\"}}");
	ck_assert_ptr_null(find(ALERT_GRANT_TO_ROLE));
	/* A unit is nobody. */
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "grant.add",
				 "{\"integration\":\"other\",\"rule\":{\"unit\":\"a.service\"}}"),
		"ok");
	ck_assert_ptr_null(find(ALERT_GRANT_TO_ROLE));
	end();
}
END_TEST

START_TEST(a_reload_of_the_roles_counts_at_once)
{
	static uid_t apps[] = {UID_APP};

	start();
	ck_assert_ptr_null(find(ALERT_GRANT_TO_ROLE));
	world.roles.operator=(struct role_members){.uids = apps, .uid_count = 1};
	core_set_roles(world.core, &world.roles);
	ck_assert_str_eq(text_of(find(ALERT_GRANT_TO_ROLE), "id"), "grant_to_role:app:1");
	end();
}
END_TEST

static void own_by_name(struct store_integration *integration)
{
	own(integration);
	integration->text[FIELD_OWNER - INTEGRATION_TEXT_FIRST] = "70011";
}

START_TEST(a_name_that_went_to_another_user_is_an_owner_who_left)
{
	start();
	change_app(own);
	ck_assert_ptr_null(find(ALERT_OWNER_GONE));
	change_app(own_by_name);
	ck_assert_ptr_nonnull(strstr(text_of(find(ALERT_OWNER_GONE), "text"), "another user"));
	end();
}
END_TEST

/* It may be slow, and the loop waits for it. */
START_TEST(the_name_service_is_asked_about_an_owner_once_a_minute)
{
	unsigned before = 0;

	start();
	change_app(own_by_name);
	(void)find(ALERT_OWNER_GONE);
	before = names_asked;
	ck_assert_uint_gt(before, 0);
	ck_assert_ptr_nonnull(find(ALERT_OWNER_GONE));
	ck_assert_uint_eq(names_asked, before);
	pass_ms(60001);
	ck_assert_ptr_nonnull(find(ALERT_OWNER_GONE));
	ck_assert_uint_eq(names_asked, before + 1);
	end();
}
END_TEST

START_TEST(a_request_that_nobody_decided_in_time_is_no_alert)
{
	start();
	fire_request_pending();
	pass_ms(7 * (int64_t)DAY_MS - 1);
	ck_assert_ptr_nonnull(
		strstr(text_of(find(ALERT_REQUEST_PENDING), "text"), "coffer request approve 1"));
	pass_ms(1); /* the tick that marks it comes later */
	ck_assert_ptr_null(find(ALERT_REQUEST_PENDING));
	end();
}
END_TEST

START_TEST(a_manager_is_told_of_requests_for_its_own_alone)
{
	start();
	core_add_integration(&world, "own");
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
				 "{\"name\":\"own\",\"managed_by\":[\"70008\"]}"),
		"ok"); /* request 1 */
	fire_request_pending();
	refuse("approval_required", UID_ADMIN, "grant.add",
		"{\"integration\":\"own\",\"rule\":{\"user\":\"70007\"}}");
	core_ask_ok(&world, 70008, "alert.list", "{}");
	ck_assert_ptr_nonnull(strstr(world.last_text, "request_pending:own:3"));
	ck_assert_ptr_null(strstr(world.last_text, "pending:app"));
	end();
}
END_TEST

START_TEST(room_that_is_nearly_gone_is_critical)
{
	start();
	core_faults.full_percent = 95;
	ck_assert_str_eq(text_of(find(ALERT_STORE_SPACE), "severity"), "warning");
	core_faults.full_percent = 96;
	ck_assert_str_eq(text_of(find(ALERT_STORE_SPACE), "severity"), "critical");
	end();
}
END_TEST

UNIT_MAIN("core_alert_kinds", each_kind_fires_and_clears, what_is_retired_asks_for_nothing_but_its_end,
	what_is_suspended_is_not_expected_to_run, a_period_counts_to_the_millisecond,
	a_short_period_is_not_due_at_once, no_warning_before_a_rotation_where_none_is_wanted,
	days_of_refusals_in_a_row_are_one_alert, refusals_that_began_long_ago_have_no_beginning,
	a_grant_to_a_group_reaches_whom_the_group_has, a_reload_of_the_roles_counts_at_once,
	a_name_that_went_to_another_user_is_an_owner_who_left,
	the_name_service_is_asked_about_an_owner_once_a_minute, room_that_is_nearly_gone_is_critical,
	a_request_that_nobody_decided_in_time_is_no_alert, a_manager_is_told_of_requests_for_its_own_alone)
