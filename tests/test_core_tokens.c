/*
 * Access tokens in the core: refused alike whatever is wrong (P2), shown once and kept nowhere (P1), one more condition and
 * never enough, and gone at once when they are revoked.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core_world.h"
#include "token.h"
#include "watches.h"

static struct core_world world;

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_put(&world, "app", "A", "one");
	core_ask_ok(&world, UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"%u\",\"token\":true}}", UID_APP);
}

/* The text of a new token; good until the test's end. */
static const char *make(const char *integration, const char *name, uint32_t uid, const char *more)
{
	static char texts[40][TOKEN_TEXT_MAX + 1];
	static size_t count;
	char *text = texts[count++ % 40];

	core_ask_ok(&world, UID_ADMIN, "token.create",
		"{\"integration\":\"%s\",\"token_name\":\"%s\",\"description\":\"d\",\"user\":\"%u\"%s}",
		integration, name, uid, more);
	snprintf(text, sizeof(texts[0]), "%s", core_result_text(&world, "token"));
	return text;
}

/* ---- a connection ---- */

static struct asking conn;

static void connect_as(uint32_t uid)
{
	asking_start(&conn, &world, uid);
}

__attribute__((format(printf, 2, 3))) static const char *say(const char *method, const char *format, ...)
{
	char params[4096] = "";
	va_list args;

	va_start(args, format);
	vsnprintf(params, sizeof(params), format, args);
	va_end(args);
	asking_end(&conn);
	conn.place = 0;
	asking_send(&conn, method, "%s", params);
	turn_end(core_turn(world.core));
	return asking_word(&conn);
}

static const char *show(const char *token)
{
	return say("session.authenticate", "{\"token\":\"%s\"}", token);
}

static const char *fetch(void)
{
	return say("env.fetch", "{\"integration\":\"app\"}");
}

static void hang_up(void)
{
	asking_end(&conn);
}

#define ck_word(word, expression) ck_assert_str_eq(expression, word)

/* ---- refusals ---- */

START_TEST(token_create_refuses_what_is_no_token)
{
	static const struct {
		const char *word, *params;
	} rows[] = {
		{"not_found",
			"{\"integration\":\"nn\",\"token_name\":\"t\",\"description\":\"d\",\"user\":\"0\"}"},
		{"bad_name", "{\"integration\":\"app\",\"token_name\":\"T "
			     "1\",\"description\":\"d\",\"user\":\"0\"}"},
		{"bad_request", "{\"integration\":\"app\",\"token_name\":\"t\",\"user\":\"0\"}"},
		{"bad_request", "{\"integration\":\"app\",\"token_name\":\"t\",\"description\":\"d\"}"},
		{"bad_value", "{\"integration\":\"app\",\"token_name\":\"t\",\"description\":\"d\",\"user\":"
			      "\"no-such-user\"}"},
		{"bad_value", "{\"integration\":\"app\",\"token_name\":\"t\",\"description\":\"d\",\"user\":"
			      "\"65534\"}"},
		{"bad_value", "{\"integration\":\"app\",\"token_name\":\"t\",\"description\":\"d\",\"user\":"
			      "\"4294967295\"}"},
		{"bad_value", "{\"integration\":\"app\",\"token_name\":\"t\",\"description\":\"d\",\"user\":"
			      "\"0\",\"unit\":\"etl\"}"},
		{"bad_value", "{\"integration\":\"app\",\"token_name\":\"t\",\"description\":\"d\",\"user\":"
			      "\"0\",\"unit\":\"*.service\"}"},
		{"bad_value", "{\"integration\":\"app\",\"token_name\":\"t\",\"description\":\"d\",\"user\":"
			      "\"0\",\"expires_at\":\"2020-01-01T00:00:00Z\"}"},
	};

	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_word(rows[i].word, core_ask(&world, UID_ADMIN, "token.create", "%s", rows[i].params));
	core_set_state(&world, "app", "retired");
	core_ask_refused("retired", &world, UID_ADMIN, "token.create",
		"{\"integration\":\"app\",\"token_name\":\"t\",\"description\":\"d\",\"user\":\"0\"}");
	core_ask_ok(&world, UID_AUDITOR, "token.list", "{}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "tokens")), 0);
	core_world_end(&world);
}
END_TEST

static void on_durable(void *arg, enum err err)
{
	*(enum err *)arg = err;
}

/* P2: grants that are locked stay so; a token would be a way around. */
START_TEST(token_create_refuses_where_grants_are_locked)
{
	struct store_integration locked = {.id = {9},
		.name = "locked",
		.state = "active",
		.is_grants_locked = true,
		.dek_generation = 1,
		.dek = {(const unsigned char *)"key", 3}};
	enum err err = ERR_TIMEOUT;

	start();
	ck_ok(store_begin(world.core->store));
	ck_ok(store_integration_insert(world.core->store, &locked));
	store_commit(world.core->store, on_durable, &err);
	ck_ok(err);
	core_ask_refused("bad_value", &world, UID_ADMIN, "token.create",
		"{\"integration\":\"locked\",\"token_name\":\"t\",\"description\":\"d\",\"user\":\"0\"}");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "destroy_values"));
	core_world_end(&world);
}
END_TEST

START_TEST(token_create_refuses_a_name_twice_and_more_than_32)
{
	char name[16] = "";

	start();
	for (int i = 0; i < 32; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		make("app", name, UID_APP, "");
	}
	core_ask_refused("conflict", &world, UID_ADMIN, "token.create",
		"{\"integration\":\"app\",\"token_name\":\"t7\",\"description\":\"d\",\"user\":\"0\"}");
	core_ask_refused("too_large", &world, UID_ADMIN, "token.create",
		"{\"integration\":\"app\",\"token_name\":\"one-more\",\"description\":\"d\",\"user\":\"0\"}");
	core_ask_ok(&world, UID_ADMIN, "token.revoke", "{\"integration\":\"app\",\"id\":8}");
	make("app", "t7", UID_APP, ""); /* the name and the room are free again */
	core_add_integration(&world, "other");
	make("other", "t7", UID_APP, "");
	core_world_end(&world);
}
END_TEST

START_TEST(a_rule_of_a_token_alone_is_refused_and_says_what_is_missing)
{
	start();
	core_ask_refused("bad_value", &world, UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"token\":true}}");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "needs a user, a group or a unit"));
	core_ask_refused("bad_request", &world, UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"0\",\"token\":false}}");
	core_ask_refused("conflict", &world, UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"%u\",\"token\":true}}", UID_APP);
	core_ask_ok(&world, UID_ADMIN, "grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"%u\"}}",
		UID_APP); /* without the token it is another rule */
	core_world_end(&world);
}
END_TEST

/* P2: to the byte, and what happened is in the record alone. */
START_TEST(every_wrong_token_is_refused_alike)
{
	char denied[256] = "";
	char changed[TOKEN_TEXT_MAX + 1] = "";
	unsigned char secret[TOKEN_SECRET_BYTES] = {1};

	start();

	const char *good = make("app", "good", UID_APP, "");
	const char *foreign = make("app", "foreign", UID_OTHER_APP, "");
	const char *unit = make("app", "unit", UID_APP, ",\"unit\":\"etl.service\"");
	const char *old = make("app", "old", UID_APP, ",\"expires_at\":\"2027-02-01T00:00:00Z\"");
	const char *revoked = make("app", "revoked", UID_APP, "");

	core_ask_ok(&world, UID_ADMIN, "token.revoke", "{\"integration\":\"app\",\"id\":5}");
	core_clock_ms += 60LL * 24 * 3600 * 1000;
	token_write(1, secret, changed);

	char unknown[TOKEN_TEXT_MAX + 1] = "";

	token_write(4711, secret, unknown);

	const struct {
		const char *token, *why;
	} rows[] = {
		{unknown, "no such token"},
		{changed, "wrong secret of the token"},
		{foreign, "the token is for another user"},
		{unit, "the token is for a unit, and the caller has no proven unit"},
		{old, "the token has expired"},
		{revoked, "the token is revoked"},
	};

	connect_as(UID_APP);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_word("denied", show(rows[i].token));
		if (i == 0)
			snprintf(denied, sizeof(denied), "%s", conn.text);
		ck_assert_str_eq(conn.text, denied);

		struct record record = core_record(&world, 0);

		ck_assert_str_eq(record.kind, "session.authenticate");
		ck_assert_str_eq(record.detail, rows[i].why);
		ck_word("denied", fetch());
		core_clock_ms += 2 * world.limits.refusal_window_ms; /* each has a record of its own */
		core_tick(world.core, false);
	}
	ck_word("ok", show(good));
	ck_word("ok", fetch());
	hang_up();
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(a_text_that_is_no_whole_token_is_refused_by_name)
{
	static const char *const texts[] = {"", "coffer_", "coffer_1_0_00000000",
		"coffer_1_0000000000000000000000000000000000000000000000000000_6d249a15",
		"coffer_01_0000000000000000000000000000000000000000000000000000_6d249a14",
		"\\u0063offer_1_0000000000000000000000000000000000000000000000000000_6d249a14",
		"coffer_1_0000000000000000000000000000000000000000000000000000_6d249a14 "};

	start();
	connect_as(UID_APP);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_word("bad_value", show(texts[i]));
	ck_word("bad_request", say("session.authenticate", "{\"token\":7}"));
	ck_word("bad_request", say("session.authenticate", "{}"));
	hang_up();
	core_world_end(&world);
}
END_TEST

START_TEST(a_token_gives_nothing_by_itself_or_elsewhere)
{
	start();
	core_add_integration(&world, "other");
	core_put(&world, "other", "A", "two");

	const char *app = make("app", "t", UID_APP, "");
	const char *other = make("other", "t", UID_APP, "");
	const char *strangers = make("app", "s", UID_STRANGER, "");

	connect_as(UID_APP);
	ck_word("denied", fetch()); /* the grant alone */
	ck_word("ok", show(other));
	ck_word("denied", fetch()); /* another integration's token */
	ck_word("denied", say("env.fetch", "{\"integration\":\"other\"}")); /* a token without a grant */
	ck_word("denied", show(strangers));
	ck_word("ok", show(app));
	ck_word("ok", fetch());
	ck_word("ok", show(other)); /* one at a time */
	ck_word("denied", fetch());
	hang_up();
	connect_as(UID_STRANGER);
	ck_word("ok", show(strangers));
	ck_word("denied", fetch());
	ck_word("denied", say("env.watch", "{\"integration\":\"app\"}"));
	hang_up();
	core_world_end(&world);
}
END_TEST

START_TEST(another_connection_of_the_same_user_holds_nothing)
{
	start();

	const char *token = make("app", "t", UID_APP, "");

	connect_as(UID_APP);
	ck_word("ok", show(token));
	hang_up();
	connect_as(UID_APP);
	ck_word("denied", fetch());
	hang_up();
	core_world_end(&world);
}
END_TEST

START_TEST(a_refused_token_leaves_what_the_connection_held)
{
	char unknown[TOKEN_TEXT_MAX + 1] = "";
	unsigned char secret[TOKEN_SECRET_BYTES] = {1};

	start();

	const char *token = make("app", "t", UID_APP, "");

	token_write(4711, secret, unknown);
	connect_as(UID_APP);
	ck_word("ok", show(token));
	ck_word("denied", show(unknown));
	ck_word("ok", fetch());
	hang_up();
	core_world_end(&world);
}
END_TEST

/* P4: what has no record did not happen. */
START_TEST(a_token_whose_record_fails_is_not_held)
{
	start();

	const char *token = make("app", "t", UID_APP, "");

	connect_as(UID_APP);
	core_faults.append = ERR_STORAGE;
	ck_assert_str_ne(show(token), "ok");
	ck_word("denied", fetch());
	core_faults.commit = ERR_STORAGE_FULL;
	ck_assert_str_ne(show(token), "ok");
	ck_word("denied", fetch());
	ck_word("ok", show(token));
	ck_word("ok", fetch());
	hang_up();
	core_world_end(&world);
}
END_TEST

/* P8: each one that is accepted has a record. */
START_TEST(a_token_is_not_shown_for_ever_in_a_minute)
{
	start();
	world.limits.fetches_per_minute = 3;

	const char *token = make("app", "t", UID_APP, "");

	connect_as(UID_APP);
	for (int i = 0; i < 3; i++)
		ck_word("ok", show(token));
	ck_word("rate_limited", show(token));
	for (int i = 0; i < 3; i++)
		ck_word("ok", fetch()); /* counted apart */
	ck_word("rate_limited", fetch());
	core_clock_ms += 60000;
	ck_word("ok", show(token));
	hang_up();
	core_world_end(&world);
}
END_TEST

/* ---- revoked at once ---- */

START_TEST(revoke_ends_what_an_open_connection_may)
{
	start();

	const char *token = make("app", "t", UID_APP, "");

	connect_as(UID_APP);
	ck_word("ok", show(token));
	ck_word("ok", fetch());
	core_ask_refused(
		"not_found", &world, UID_ADMIN, "token.revoke", "{\"integration\":\"app\",\"id\":2}");
	core_add_integration(&world, "other");
	core_ask_refused(
		"not_found", &world, UID_ADMIN, "token.revoke", "{\"integration\":\"other\",\"id\":1}");
	core_ask_ok(&world, UID_ADMIN, "token.revoke", "{\"integration\":\"app\",\"id\":1}");
	core_ask_refused(
		"not_found", &world, UID_ADMIN, "token.revoke", "{\"integration\":\"app\",\"id\":1}");
	ck_word("denied", fetch());
	ck_assert_str_eq(core_record(&world, 0).detail, "the token is revoked");
	ck_word("ok", say("whoami", "{}"));
	ck_assert_ptr_nonnull(strstr(conn.text, "\"integrations\":[]"));
	hang_up();
	core_world_end(&world);
}
END_TEST

START_TEST(expiry_ends_what_an_open_connection_may)
{
	start();

	const char *token = make("app", "t", UID_APP, ",\"expires_at\":\"2027-02-01T00:00:00Z\"");

	connect_as(UID_APP);
	ck_word("ok", show(token));
	ck_word("ok", fetch());
	core_clock_ms = 1801440000000; /* that very moment */
	ck_word("denied", fetch());
	ck_assert_str_eq(core_record(&world, 0).detail, "the token has expired");
	hang_up();
	core_world_end(&world);
}
END_TEST

static unsigned wakes;

static void on_wake(struct subscriber *subscriber)
{
	(void)subscriber;
	wakes++;
}

START_TEST(revoke_ends_a_watcher_that_depended_on_it)
{
	struct subscriber subscriber = {.wake = on_wake};
	struct reply reply = {0};

	wakes = 0;
	start();

	const char *token = make("app", "t", UID_APP, "");

	make("app", "spare", UID_APP, "");
	connect_as(UID_APP);
	conn.exchange.subscriber = &subscriber;
	ck_word("denied", say("env.watch", "{\"integration\":\"app\"}"));
	ck_word("ok", show(token));
	ck_word("ok", say("env.watch", "{\"integration\":\"app\"}"));
	core_put(&world, "app", "A", "two");
	ck_assert_uint_eq(wakes, 1);
	subscriber_take(world.core, &subscriber, &reply);
	ck_assert_ptr_nonnull(memmem(reply.bytes, reply.len, "env.changed", 11));
	reply_clear(world.core, &reply);
	core_ask_ok(
		&world, UID_ADMIN, "token.revoke", "{\"integration\":\"app\",\"id\":2}"); /* not its own */
	ck_assert_uint_eq(wakes, 1);
	core_ask_ok(&world, UID_ADMIN, "token.revoke", "{\"integration\":\"app\",\"id\":1}");
	ck_assert_uint_eq(wakes, 2);
	subscriber_take(world.core, &subscriber, &reply);
	ck_assert_ptr_nonnull(memmem(reply.bytes, reply.len, "watch.ended", 11));
	ck_assert(reply.must_close);
	reply_clear(world.core, &reply);
	hang_up();
	core_world_end(&world);
}
END_TEST

/* ---- shown once ---- */

static bool database_holds(const char *text)
{
	static const char *const names[] = {"coffer.db", "coffer.db-wal"};
	bool is_there = false;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128] = "";
		char *bytes = NULL;
		size_t len = 0;

		snprintf(path, sizeof(path), "%s/%s", world.dir, names[i]);

		FILE *file = fopen(path, "re");
		FILE *copy = open_memstream(&bytes, &len);

		for (int c = file != NULL ? getc(file) : EOF; c != EOF; c = getc(file))
			putc(c, copy);
		if (file != NULL)
			(void)fclose(file);
		(void)fclose(copy);
		is_there = is_there || memmem(bytes, len, text, strlen(text)) != NULL;
		free(bytes);
	}
	return is_there;
}

/* P1 */
START_TEST(a_token_is_shown_once_and_kept_nowhere)
{
	static const char params[] =
		"{\"integration\":\"app\",\"token_name\":\"t\",\"description\":\"d\",\"user\":\"70004\","
		"\"request_id\":\"0123456789abcdef0123456789abcdef\"}";
	char secret[TOKEN_SECRET_DIGITS + 1] = "";

	start();
	connect_as(UID_ADMIN);
	ck_word("ok", say("token.create", "%s", params));
	ck_assert(conn.is_secret);

	const cJSON *result = cJSON_GetObjectItem(conn.json, "result");
	char token[TOKEN_TEXT_MAX + 1] = "";

	snprintf(token, sizeof(token), "%s", cJSON_GetStringValue(cJSON_GetObjectItem(result, "token")));
	ck_assert_int_eq(strncmp(token, "coffer_1_", 9), 0);
	memcpy(secret, token + 9, TOKEN_SECRET_DIGITS);
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(result, "detail")));
	ck_word("ok", say("token.create", "%s", params));
	ck_assert(!conn.is_secret);
	ck_assert_ptr_null(strstr(conn.text, secret));
	result = cJSON_GetObjectItem(conn.json, "result");
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(result, "token")));
	ck_assert_int_eq(cJSON_GetObjectItem(result, "id")->valueint, 1);
	ck_assert_ptr_nonnull(
		strstr(cJSON_GetStringValue(cJSON_GetObjectItem(result, "detail")), "shown once"));
	hang_up();
	core_ask_ok(&world, UID_AUDITOR, "token.list", "{}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "tokens")), 1);
	ck_assert_ptr_null(strstr(world.last_text, secret));
	core_ask_ok(&world, UID_AUDITOR, "audit.list", "{}");
	ck_assert_ptr_null(strstr(world.last_text, secret));
	connect_as(UID_APP);
	ck_word("ok", show(token));
	ck_assert_ptr_null(strstr(conn.text, secret));
	hang_up();
	ck_assert(database_holds("app"));
	ck_assert(!database_holds(secret));
	core_world_end(&world);
}
END_TEST

START_TEST(requests_with_a_token_are_scrubbed)
{
	start();

	const char *token = make("app", "t", UID_APP, "");
	unsigned before = core_faults.scrubs;

	connect_as(UID_APP);
	ck_word("ok", show(token));
	ck_assert_uint_eq(core_faults.scrubs, before + 1);
	hang_up();
	core_world_end(&world);
}
END_TEST

/* ---- successes ---- */

static const cJSON *listed(int index)
{
	core_ask_ok(&world, UID_OPERATOR, "token.list", "{\"integration\":\"app\"}");
	return cJSON_GetArrayItem(core_result(&world, "tokens"), index);
}

static const char *listed_text(int index, const char *member)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(listed(index), member));

	return text != NULL ? text : "null";
}

START_TEST(two_tokens_change_over_without_a_pause)
{
	start();

	const char *old = make("app", "2026", UID_APP, "");
	const char *new = make("app", "2027", UID_APP, "");

	connect_as(UID_APP);
	ck_word("ok", show(old));
	ck_word("ok", fetch());
	ck_word("ok", show(new));
	ck_word("ok", fetch());
	core_ask_ok(&world, UID_ADMIN, "token.revoke", "{\"integration\":\"app\",\"id\":1}");
	ck_word("ok", fetch());
	hang_up();
	ck_assert_str_eq(listed_text(0, "state"), "revoked");
	ck_assert_str_eq(listed_text(1, "state"), "active");
	core_world_end(&world);
}
END_TEST

START_TEST(use_is_recorded_with_the_token_s_number_and_moves_its_last_use)
{
	start();

	const char *token = make("app", "t", UID_APP, "");

	ck_assert_str_eq(core_record(&world, 0).kind, "token.create");
	ck_assert_uint_eq(core_record(&world, 0).object, 1);
	ck_assert_str_eq(core_record(&world, 0).subject.text, "name=t uid=70004");
	ck_assert_str_eq(listed_text(0, "last_used_at"), "null");
	connect_as(UID_APP);
	ck_word("ok", show(token));
	ck_assert_str_eq(core_record(&world, 0).outcome, "ok");
	ck_assert_uint_eq(core_record(&world, 0).object, 1);
	ck_assert_str_eq(listed_text(0, "last_used_at"), "2027-01-15T08:00:00.000Z");
	core_clock_ms += 60000;
	ck_word("ok", fetch());
	ck_assert_str_eq(core_record(&world, 0).detail, "token=1");
	ck_assert_str_eq(listed_text(0, "last_used_at"), "2027-01-15T08:01:00.000Z");
	core_stage(&world, "app", "A", "two");
	ck_word("ok", say("env.fetch", "{\"integration\":\"app\",\"staged\":true}"));
	ck_assert_str_eq(core_record(&world, 0).detail, "staged token=1");
	core_grant(&world, "app", UID_APP); /* now it is not by the token */
	ck_word("ok", fetch());
	ck_assert_str_eq(core_record(&world, 0).detail, "");
	hang_up();
	core_world_end(&world);
}
END_TEST

START_TEST(whoami_and_a_fetch_without_a_name_know_the_token)
{
	start();

	const char *token = make("app", "t", UID_APP, "");

	connect_as(UID_APP);
	ck_word("ok", say("whoami", "{}"));
	ck_assert_ptr_nonnull(strstr(conn.text, "\"integrations\":[]"));
	ck_word("denied", say("env.fetch", "{}"));
	ck_word("ok", show(token));
	ck_word("ok", say("whoami", "{}"));
	ck_assert_ptr_nonnull(strstr(conn.text, "\"integrations\":[\"app\"]"));
	ck_word("ok", say("env.fetch", "{}"));
	hang_up();
	core_world_end(&world);
}
END_TEST

START_TEST(tokens_and_their_revocation_survive_a_restart)
{
	start();

	const char *kept = make("app", "kept", UID_APP, "");
	const char *gone = make("app", "gone", UID_APP, "");

	core_ask_ok(&world, UID_ADMIN, "token.revoke", "{\"integration\":\"app\",\"id\":2}");
	core_world_reopen(&world);
	connect_as(UID_APP);
	ck_word("denied", show(gone));
	ck_word("ok", show(kept));
	ck_word("ok", fetch());
	hang_up();
	ck_assert_str_eq(listed_text(1, "state"), "revoked");
	ck_assert_str_eq(listed_text(1, "revoked_by"), "70001");
	core_world_end(&world);
}
END_TEST

START_TEST(grant_list_shows_that_a_token_is_asked_for)
{
	start();
	core_ask_ok(&world, UID_AUDITOR, "grant.list", "{}");
	ck_assert_ptr_nonnull(strstr(world.last_text, "\"uid\":70004,\"token\":true}"));
	core_world_end(&world);
}
END_TEST

static int counted(const char *what)
{
	core_ask_ok(&world, UID_AUDITOR, "status", "{}");

	const cJSON *count = cJSON_GetObjectItem(core_result(&world, "counts"), what);

	ck_assert_ptr_nonnull(count);
	return count->valueint;
}

START_TEST(status_counts_tokens_that_may_be_used_and_requests_that_wait)
{
	char time[TIME_TEXT_BYTES] = "", more[64] = "";

	start();
	ck_assert_int_eq(counted("tokens"), 0);
	ck_assert_int_eq(counted("requests_pending"), 0);
	text_format_time(core_clock_ms + 1000, time);
	snprintf(more, sizeof(more), ",\"expires_at\":\"%s\"", time);
	make("app", "first", UID_APP, "");
	make("app", "second", UID_APP, more);
	make("app", "third", UID_APP, "");
	ck_assert_int_eq(counted("tokens"), 3);
	core_ask_ok(&world, UID_ADMIN, "token.revoke", "{\"integration\":\"app\",\"id\":3}");
	ck_assert_int_eq(counted("tokens"), 2);
	core_clock_ms += 999;
	ck_assert_int_eq(counted("tokens"), 2);
	core_clock_ms += 1;
	ck_assert_int_eq(counted("tokens"), 1);
	world.rules.needs_approval[REQUEST_GRANT_REMOVE] = true;
	core_ask_refused(
		"approval_required", &world, UID_ADMIN, "grant.remove", "{\"integration\":\"app\",\"id\":1}");
	ck_assert_int_eq(counted("requests_pending"), 1);
	core_ask_ok(&world, UID_ADMIN, "request.reject", "{\"id\":1}");
	ck_assert_int_eq(counted("requests_pending"), 0);
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_tokens", token_create_refuses_what_is_no_token, token_create_refuses_where_grants_are_locked,
	token_create_refuses_a_name_twice_and_more_than_32,
	a_rule_of_a_token_alone_is_refused_and_says_what_is_missing, every_wrong_token_is_refused_alike,
	a_text_that_is_no_whole_token_is_refused_by_name, a_token_gives_nothing_by_itself_or_elsewhere,
	another_connection_of_the_same_user_holds_nothing, a_refused_token_leaves_what_the_connection_held,
	a_token_whose_record_fails_is_not_held, a_token_is_not_shown_for_ever_in_a_minute,
	revoke_ends_what_an_open_connection_may, expiry_ends_what_an_open_connection_may,
	revoke_ends_a_watcher_that_depended_on_it, a_token_is_shown_once_and_kept_nowhere,
	requests_with_a_token_are_scrubbed, two_tokens_change_over_without_a_pause,
	use_is_recorded_with_the_token_s_number_and_moves_its_last_use,
	whoami_and_a_fetch_without_a_name_know_the_token, tokens_and_their_revocation_survive_a_restart,
	grant_list_shows_that_a_token_is_asked_for,
	status_counts_tokens_that_may_be_used_and_requests_that_wait)
