/*
 * Secrets from the side of those who keep them: what may be put, what revoke and remove ask for, and that
 * no reply to anybody but a granted fetcher ever holds a value.
 */
#include <stdio.h>
#include <string.h>

#include "base64.h"
#include "core_world.h"

static struct core_world world;

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_grant(&world, "app", UID_APP);
}

#define put_refused(word, more) \
	core_ask_refused(word, &world, UID_OPERATOR, "secret.put", "{\"integration\":\"app\",%s}", more)
#define put_ok(more) core_ask_ok(&world, UID_OPERATOR, "secret.put", "{\"integration\":\"app\",%s}", more)
#define revoke(word, key, version, more) \
	core_ask_refused(word, &world, UID_OPERATOR, "secret.revoke", \
		"{\"integration\":\"app\",\"key\":\"%s\",\"version\":%d%s}", key, version, more)

static char *repeated(size_t len, char c)
{
	char *text = malloc(len + 1);

	ck_assert_ptr_nonnull(text);
	memset(text, c, len);
	text[len] = '\0';
	return text;
}

static const char *put_len(const char *key, size_t len)
{
	char *value = repeated(len, 'v');
	const char *word = core_ask(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"%s\",\"value\":\"%s\"}", key, value);

	free(value);
	return word;
}

static const char *states_of(const char *key)
{
	return core_states(&world, "app", key);
}

/* ---- values ---- */

START_TEST(a_value_that_is_no_value_is_refused)
{
	static const char *const bad[] = {
		"\"key\":\"A\",\"value\":\"\"",
		"\"key\":\"A\",\"value\":\"two\\nlines\"",
		"\"key\":\"A\",\"value\":\"two\\rlines\"",
		"\"key\":\"A\",\"value\":\"AA==\",\"encoding\":\"base64\"", /* a NUL */
		"\"key\":\"A\",\"value\":\"\",\"encoding\":\"base64\"",
		"\"key\":\"A\",\"value\":\"YWFh YWFh\",\"encoding\":\"base64\"",
		"\"key\":\"A\",\"value\":\"YWE\",\"encoding\":\"base64\"", /* no padding */
		"\"key\":\"A\",\"value\":\"YWF=\",\"encoding\":\"base64\"", /* unused bits */
		"\"key\":\"A\",\"value\":\"YWE_\",\"encoding\":\"base64\"",
		"\"key\":\"A\",\"value\":\"YQph\",\"encoding\":\"base64\"", /* a line break inside */
		"\"key\":\"A\",\"value\":\"YQBh\",\"encoding\":\"base64\",\"multiline\":true",
		"\"key\":\"A\",\"value\":\"v\",\"expires_at\":\"2001-01-01T00:00:00Z\"",
	};

	start();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		put_refused("bad_value", bad[i]);
	ck_assert_str_eq(core_ask_line(&world, UID_OPERATOR,
				 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"secret.put\",\"params\":{"
				 "\"integration\":\"app\","
				 "\"key\":\"A\",\"value\":\"a\\u0000b\"}}"),
		"bad_json");
	ck_assert_uint_eq(core_counts(&world).secrets, 0);
	core_world_end(&world);
}
END_TEST

START_TEST(an_expiry_must_be_to_come)
{
	char now[TIME_TEXT_BYTES] = "", later[TIME_TEXT_BYTES] = "";

	start();
	text_format_time(core_clock_ms, now);
	text_format_time(core_clock_ms + 1, later);
	core_ask_refused("bad_value", &world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"v\",\"expires_at\":\"%s\"}", now);
	core_ask_ok(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"v\",\"expires_at\":\"%s\"}", later);
	core_world_end(&world);
}
END_TEST

START_TEST(the_record_of_a_put_says_until_when_it_is_valid)
{
	start();
	core_ask_ok(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"v\",\"expires_at\":\"2999-01-02T03:04:"
		"05Z\"}");
	ck_assert_str_eq(core_record(&world, 0).subject.text, "expires_at=2999-01-02T03:04:05Z");
	core_world_end(&world);
}
END_TEST

START_TEST(a_value_has_at_most_65535_bytes)
{
	start();
	ck_assert_str_eq(put_len("A", 65536), "too_large");

	/* Judged after the encoding. */
	size_t len = base64_encoded_len(65536);
	unsigned char *bytes = (unsigned char *)repeated(65536, 'v');
	char *text = repeated(len, '\0');

	base64_encode(bytes, 65536, text);
	core_ask_refused("too_large", &world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"%s\",\"encoding\":\"base64\"}", text);
	ck_assert_uint_eq(core_counts(&world).secrets, 0);
	memset(text, 0, len);
	base64_encode(bytes, 65535, text);
	core_ask_ok(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"%s\",\"encoding\":\"base64\"}", text);
	ck_assert_str_eq(put_len("B", 65535), "ok");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	for (int i = 0; i < 2; i++)
		ck_assert_uint_eq(strlen(cJSON_GetStringValue(cJSON_GetObjectItem(
					  cJSON_GetArrayItem(core_result(&world, "env"), i), "value"))),
			65535);
	free(bytes);
	free(text);
	core_world_end(&world);
}
END_TEST

START_TEST(the_values_of_an_integration_come_to_one_mebibyte)
{
	char key[16] = "";

	start();
	for (int i = 0; i < 16; i++) {
		snprintf(key, sizeof(key), "K%d", i);
		ck_assert_str_eq(put_len(key, 65535), "ok");
	}
	ck_assert_str_eq(put_len("K16", 1), "too_large");
	/* A value that takes the place of another counts once; what is revoked counts no more. */
	ck_assert_str_eq(put_len("K15", 65535), "ok");
	revoke("ok", "K15", 2, ",\"force\":true");
	ck_assert_str_eq(put_len("K16", 1), "ok");
	ck_assert_str_eq(put_len("K15", 65535), "too_large");
	core_ask_ok(&world, UID_APP, "env.fetch", "{\"optional\":[\"K15\"]}");
	core_world_end(&world);
}
END_TEST

START_TEST(an_integration_has_at_most_128_keys)
{
	char key[16] = "";

	start();
	for (int i = 0; i < 128; i++) {
		snprintf(key, sizeof(key), "K%d", i);
		core_put(&world, "app", key, "v");
	}
	put_refused("too_large", "\"key\":\"K128\",\"value\":\"v\"");
	put_ok("\"key\":\"K127\",\"value\":\"w\"");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "env")), 128);
	core_world_end(&world);
}
END_TEST

START_TEST(an_integration_has_at_most_256_registered_keys)
{
	char key[16] = "";

	start();
	for (int i = 0; i < 256; i++) {
		snprintf(key, sizeof(key), "K%d", i);
		core_put(&world, "app", key, "v");
		revoke("ok", key, 1, ",\"force\":true");
	}
	put_refused("too_large", "\"key\":\"K256\",\"value\":\"v\"");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "256 registered keys"));
	ck_assert_uint_eq(core_counts(&world).secrets, 256);
	put_ok("\"key\":\"K255\",\"value\":\"w\"");
	core_ask_ok(&world, UID_OPERATOR, "secret.remove", "{\"integration\":\"app\",\"key\":\"K0\"}");
	put_ok("\"key\":\"K256\",\"value\":\"v\"");
	put_refused("too_large", "\"key\":\"K0\",\"value\":\"v\"");
	core_ask_ok(&world, UID_AUDITOR, "secret.list", "{\"integration\":\"app\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "secrets")), 256);
	core_world_end(&world);
}
END_TEST

START_TEST(keys_that_programs_act_upon_are_refused)
{
	start();
	put_refused("reserved_name", "\"key\":\"LD_PRELOAD\",\"value\":\"v\"");
	put_refused("reserved_name", "\"key\":\"PATH\",\"value\":\"v\"");
	put_refused("bad_name", "\"key\":\"1A\",\"value\":\"v\"");
	core_world_end(&world);
}
END_TEST

/* ---- put ---- */

START_TEST(what_is_not_there_or_retired_takes_no_value)
{
	start();
	core_ask_refused("not_found", &world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"nope\",\"key\":\"A\",\"value\":\"v\"}");
	core_set_state(&world, "app", "retired");
	put_refused("retired", "\"key\":\"A\",\"value\":\"v\"");
	core_set_state(&world, "app", "suspended");
	put_ok("\"key\":\"A\",\"value\":\"v\"");
	core_world_end(&world);
}
END_TEST

START_TEST(a_put_that_expects_another_version_is_a_conflict)
{
	start();
	put_refused("conflict", "\"key\":\"A\",\"value\":\"v\",\"expect_version\":1");
	put_ok("\"key\":\"A\",\"value\":\"v\",\"expect_version\":0");
	put_refused("conflict", "\"key\":\"A\",\"value\":\"v\",\"expect_version\":0");
	put_refused("conflict", "\"key\":\"A\",\"value\":\"v\",\"expect_version\":2");
	put_ok("\"key\":\"A\",\"value\":\"v\",\"expect_version\":1");
	ck_assert_str_eq(states_of("A"), "1:draining 2:current");
	core_world_end(&world);
}
END_TEST

START_TEST(if_absent_leaves_a_current_value_alone)
{
	start();
	put_ok("\"key\":\"A\",\"value\":\"v\",\"if_absent\":true");
	put_refused("conflict", "\"key\":\"A\",\"value\":\"w\",\"if_absent\":true");
	revoke("ok", "A", 1, ",\"force\":true");
	put_ok("\"key\":\"A\",\"value\":\"w\",\"if_absent\":true");
	ck_assert_str_eq(states_of("A"), "1:revoked 2:current");
	core_world_end(&world);
}
END_TEST

START_TEST(a_put_makes_the_value_current_and_drains_the_older)
{
	start();
	put_ok("\"key\":\"A\",\"value\":\"one\"");
	ck_assert_str_eq(core_result_text(&world, "key"), "A");
	ck_assert_int_eq(core_result(&world, "version")->valueint, 1);
	ck_assert_str_eq(core_result_text(&world, "state"), "current");
	put_ok("\"key\":\"A\",\"value\":\"two\"");
	put_ok("\"key\":\"A\",\"value\":\"three\"");
	ck_assert_str_eq(states_of("A"), "1:draining 2:draining 3:current");
	core_ask_ok(&world, UID_AUDITOR, "secret.list", "{\"integration\":\"app\"}");

	const cJSON *secret = cJSON_GetArrayItem(core_result(&world, "secrets"), 0);

	ck_assert_int_eq(cJSON_GetObjectItem(secret, "current")->valueint, 3);
	ck_assert_int_eq(cJSON_GetObjectItem(secret, "newest")->valueint, 3);
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(secret, "draining")), 2);
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	ck_assert_ptr_nonnull(strstr(world.last_text, "\"three\""));
	ck_assert_ptr_null(strstr(world.last_text, "two"));
	core_world_end(&world);
}
END_TEST

START_TEST(description_and_issuer_stay_until_they_are_given_anew)
{
	start();
	put_ok("\"key\":\"A\",\"value\":\"v\",\"description\":\"d1\",\"issuer\":\"i1\",\"note\":\"n1\","
	       "\"issuer_ref\":\"r1\"");
	put_ok("\"key\":\"A\",\"value\":\"v\"");
	ck_assert_str_eq(states_of("A"), "1:draining 2:current");
	ck_assert_str_eq(core_result_text(&world, "description"), "d1");
	ck_assert_str_eq(core_result_text(&world, "issuer"), "i1");

	const cJSON *newest = cJSON_GetArrayItem(core_result(&world, "versions"), 0);
	const cJSON *first = cJSON_GetArrayItem(core_result(&world, "versions"), 1);

	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(newest, "note")));
	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(first, "note")), "n1");
	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(first, "issuer_ref")), "r1");
	put_ok("\"key\":\"A\",\"value\":\"v\",\"issuer\":\"i2\"");
	(void)states_of("A");
	ck_assert_str_eq(core_result_text(&world, "description"), "d1");
	ck_assert_str_eq(core_result_text(&world, "issuer"), "i2");
	put_ok("\"key\":\"A\",\"value\":\"v\",\"description\":\"d2\"");
	(void)states_of("A");
	ck_assert_str_eq(core_result_text(&world, "description"), "d2");
	ck_assert_str_eq(core_result_text(&world, "issuer"), "i2");
	core_world_end(&world);
}
END_TEST

/* ---- revoke, remove ---- */

START_TEST(what_may_be_in_use_is_revoked_only_by_force)
{
	start();
	put_ok("\"key\":\"A\",\"value\":\"one\"");
	revoke("in_use", "A", 1, "");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	put_ok("\"key\":\"A\",\"value\":\"two\"");
	revoke("in_use", "A", 1, ""); /* it was fetched */
	core_tick(world.core, false);
	revoke("in_use", "A", 1, ""); /* also when its runs are folded */
	revoke("not_found", "A", 3, "");
	revoke("not_found", "B", 1, "");
	revoke("conflict", "A", 1, ",\"force\":true,\"expect_version\":1");
	ck_assert_str_eq(states_of("A"), "1:draining 2:current");
	revoke("ok", "A", 1, ",\"force\":true,\"expect_version\":2");
	ck_assert_str_eq(core_record(&world, 0).detail, "forced");
	revoke("ok", "A", 2, ",\"force\":true");
	ck_assert_str_eq(states_of("A"), "1:revoked 2:revoked");
	core_world_end(&world);
}
END_TEST

START_TEST(an_older_version_that_nobody_got_is_revoked_at_once)
{
	start();
	put_ok("\"key\":\"A\",\"value\":\"one\",\"issuer\":\"console\",\"issuer_ref\":\"key-1\"");
	put_ok("\"key\":\"A\",\"value\":\"two\"");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}"); /* version 2 */
	revoke("ok", "A", 1, "");
	ck_assert_str_eq(core_result_text(&world, "state"), "revoked");
	ck_assert_str_eq(core_result_text(&world, "issuer"), "console");
	ck_assert_str_eq(core_result_text(&world, "issuer_ref"), "key-1");
	revoke("ok", "A", 1, ""); /* again: nothing is left to do */
	ck_assert_str_eq(states_of("A"), "1:revoked 2:current");
	core_world_end(&world);
}
END_TEST

START_TEST(a_key_is_removed_when_all_its_versions_are_revoked)
{
	start();
	put_ok("\"key\":\"A\",\"value\":\"one\"");
	put_ok("\"key\":\"A\",\"value\":\"two\"");
	revoke("ok", "A", 1, "");
	core_ask_refused(
		"conflict", &world, UID_OPERATOR, "secret.remove", "{\"integration\":\"app\",\"key\":\"A\"}");
	revoke("ok", "A", 2, ",\"force\":true");
	core_ask_refused("conflict", &world, UID_OPERATOR, "secret.remove",
		"{\"integration\":\"app\",\"key\":\"A\",\"expect_version\":1}");
	core_ask_refused("not_found", &world, UID_OPERATOR, "secret.remove",
		"{\"integration\":\"app\",\"key\":\"B\"}");
	ck_assert_uint_eq(core_counts(&world).versions, 2);
	core_ask_ok(&world, UID_OPERATOR, "secret.remove",
		"{\"integration\":\"app\",\"key\":\"A\",\"expect_version\":2}");
	ck_assert_str_eq(core_result_text(&world, "removed"), "A");
	ck_assert_uint_eq(core_counts(&world).secrets, 0);
	ck_assert_uint_eq(core_counts(&world).versions, 0);
	core_ask_refused(
		"not_found", &world, UID_AUDITOR, "secret.show", "{\"integration\":\"app\",\"key\":\"A\"}");
	core_world_end(&world);
}
END_TEST

START_TEST(uses_are_told_per_key_and_version)
{
	start();
	put_ok("\"key\":\"A\",\"value\":\"one\"");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	put_ok("\"key\":\"A\",\"value\":\"two\"");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	core_tick(world.core, false);
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	(void)states_of("A");

	const cJSON *versions = core_result(&world, "versions");

	ck_assert_int_eq(cJSON_GetObjectItem(cJSON_GetArrayItem(versions, 0), "fetches")->valueint, 2);
	ck_assert_int_eq(cJSON_GetObjectItem(cJSON_GetArrayItem(versions, 1), "fetches")->valueint, 1);
	core_ask_ok(&world, UID_AUDITOR, "secret.list", "{\"integration\":\"app\"}");
	ck_assert_int_eq(cJSON_GetObjectItem(cJSON_GetArrayItem(core_result(&world, "secrets"), 0), "fetches")
				 ->valueint,
		3);
	core_world_end(&world);
}
END_TEST

/* How often the history of the integration was read for the last request. */
static unsigned readings_of(const char *method, const char *params)
{
	unsigned before = core_faults.use_readings;

	core_ask_ok(&world, UID_AUDITOR, method, "%s", params);
	return core_faults.use_readings - before;
}

/* It may be long, and every other caller waits meanwhile. */
START_TEST(the_history_is_read_once_for_each_request)
{
	start();
	for (int i = 0; i < 3; i++) {
		core_put(&world, "app", "A", "v");
		core_put(&world, "app", "B", "v");
		core_put(&world, "app", "C", "v");
		core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	}
	ck_assert_uint_eq(readings_of("secret.list", "{\"integration\":\"app\"}"), 1);
	ck_assert_uint_eq(readings_of("secret.show", "{\"integration\":\"app\",\"key\":\"A\"}"), 1);
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "versions")), 3);
	ck_assert_uint_eq(readings_of("integration.show", "{\"name\":\"app\"}"), 1);
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "secrets")), 3);
	core_world_end(&world);
}
END_TEST

static int fetches_of(const cJSON *row)
{
	return cJSON_GetObjectItem(row, "fetches")->valueint;
}

static int fetches_in_list(void)
{
	core_ask_ok(&world, UID_AUDITOR, "secret.list", "{\"integration\":\"app\"}");
	return fetches_of(cJSON_GetArrayItem(core_result(&world, "secrets"), 0));
}

/* In a record a key and a number mean one value, for ever. */
START_TEST(a_key_that_comes_back_counts_on_and_inherits_no_use)
{
	start();
	put_ok("\"key\":\"A\",\"value\":\"one\"");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	core_tick(world.core, false); /* folded */
	put_ok("\"key\":\"A\",\"value\":\"two\"");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	put_ok("\"key\":\"A\",\"value\":\"nobody got this\"");
	for (int version = 1; version <= 3; version++)
		revoke("ok", "A", version, ",\"force\":true");
	core_ask_ok(&world, UID_OPERATOR, "secret.remove", "{\"integration\":\"app\",\"key\":\"A\"}");
	put_ok("\"key\":\"A\",\"value\":\"three\",\"expect_version\":0");
	ck_assert_int_eq(core_result(&world, "version")->valueint, 4); /* also of those that nobody got */
	ck_assert_str_eq(states_of("A"), "4:current");
	ck_assert_int_eq(fetches_of(cJSON_GetArrayItem(core_result(&world, "versions"), 0)), 0);
	ck_assert_int_eq(fetches_in_list(), 0);

	/* Nobody got it yet, so once replaced it is free to go. */
	put_ok("\"key\":\"A\",\"value\":\"four\"");
	revoke("ok", "A", 4, "");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	ck_assert_str_eq(states_of("A"), "4:revoked 5:current");
	ck_assert_int_eq(fetches_of(cJSON_GetArrayItem(core_result(&world, "versions"), 0)), 1);
	ck_assert_int_eq(fetches_in_list(), 1);
	core_world_end(&world);
}
END_TEST

/* ---- P3: no way out ---- */

/* One request of each method, as good as it can be asked. */
static const char *const good[REQUEST_COUNT] = {
	[REQUEST_HELLO] = "{\"protocol\":[1],\"client\":\"test/1\"}",
	[REQUEST_SCHEMA] = "{}",
	[REQUEST_WHOAMI] = "{}",
	[REQUEST_STATUS] = "{}",
	[REQUEST_SESSION_PROVE] = "{\"nonce\":\"00000000000000000000000000000000\"}",
	[REQUEST_SESSION_AUTHENTICATE] =
		"{\"token\":\"coffer_42_gdap16f49vkv5wtwgzjff0za8nxytwgx2fegqb8zn2tds93e3bd0_99cc511f\"}",
	[REQUEST_INTEGRATION_ADD] =
		"{\"name\":\"new\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\"}",
	[REQUEST_INTEGRATION_LIST] = "{}",
	[REQUEST_INTEGRATION_SHOW] = "{\"name\":\"app\"}",
	[REQUEST_INTEGRATION_EDIT] = "{\"name\":\"app\",\"title\":\"u\"}",
	[REQUEST_INTEGRATION_TRANSFER] = "{\"name\":\"app\",\"owner\":\"e\",\"contact\":\"c\"}",
	[REQUEST_INTEGRATION_REVIEW] = "{\"name\":\"app\"}",
	[REQUEST_INTEGRATION_HISTORY] = "{\"name\":\"app\"}",
	[REQUEST_INTEGRATION_SUSPEND] = "{\"name\":\"app\"}",
	[REQUEST_INTEGRATION_RESUME] = "{\"name\":\"app\"}",
	[REQUEST_INTEGRATION_RETIRE] = "{\"name\":\"new\"}",
	[REQUEST_GRANT_ADD] = "{\"integration\":\"app\",\"rule\":{\"user\":\"1\",\"unit\":\"a.service\"}}",
	[REQUEST_GRANT_REMOVE] = "{\"integration\":\"app\",\"id\":2}",
	[REQUEST_GRANT_LIST] = "{}",
	[REQUEST_GRANT_EXPLAIN] = "{\"integration\":\"app\"}",
	[REQUEST_TOKEN_CREATE] =
		"{\"integration\":\"app\",\"token_name\":\"t\",\"description\":\"d\",\"user\":\"70004\"}",
	[REQUEST_TOKEN_REVOKE] = "{\"integration\":\"app\",\"id\":1}",
	[REQUEST_TOKEN_LIST] = "{}",
	[REQUEST_SECRET_PUT] =
		("{\"integration\":\"app\",\"key\":\"A\",\"value\":\"Zm9vYmFyLXRyaXBsZS1zZWNyZXQhIQ==\","
		 "\"encoding\":\"base64\",\"request_id\":\"00000000000000000000000000000001\"}"),
	[REQUEST_SECRET_EDIT] = "{\"integration\":\"app\",\"key\":\"A\",\"issuer\":\"i\"}",
	[REQUEST_SECRET_LIST] = "{\"integration\":\"app\"}",
	[REQUEST_SECRET_SHOW] = "{\"integration\":\"app\",\"key\":\"A\"}",
	[REQUEST_SECRET_REVOKE] = "{\"integration\":\"app\",\"key\":\"A\",\"version\":1,\"force\":true}",
	[REQUEST_SECRET_REMOVE] = "{\"integration\":\"app\",\"key\":\"B\"}",
	[REQUEST_SECRET_PROMOTE] = "{\"integration\":\"app\",\"key\":\"A\",\"untested\":true}",
	[REQUEST_SECRET_ROLLBACK] = "{\"integration\":\"app\",\"key\":\"A\"}",
	[REQUEST_SECRET_RECORD_TEST] =
		("{\"run\":\"01JD0000000000000000000000\",\"passed\":true,\"exit_status\":0,\"duration_ms\":"
		 "1,"
		 "\"command_digest\":\"0000000000000000000000000000000000000000000000000000000000000000\"}"),
	[REQUEST_ENV_FETCH] = "{\"integration\":\"app\"}",
	[REQUEST_ENV_WATCH] = "{\"integration\":\"app\"}",
	[REQUEST_HOLDER_RELEASE] = "{\"run\":\"01JD0000000000000000000000\"}",
	[REQUEST_HOLDER_LIST] = "{\"integration\":\"app\",\"key\":\"A\"}",
	[REQUEST_RUN_END] = "{\"run\":\"01JD0000000000000000000000\",\"exit_status\":0}",
	[REQUEST_RUN_LIST] = "{\"integration\":\"app\"}",
	[REQUEST_USAGE_SHOW] = "{\"integration\":\"app\"}",
	[REQUEST_APPROVAL_LIST] = "{}",
	[REQUEST_APPROVAL_APPROVE] = "{\"id\":1}",
	[REQUEST_APPROVAL_REJECT] = "{\"id\":1}",
	[REQUEST_ALERT_LIST] = "{}",
	[REQUEST_ALERT_ACK] = "{\"alert\":\"drained:app:A:1\",\"until\":\"2027-03-01T00:00:00Z\",\"note\":"
			      "\"n\",\"integration\":\"app\"}",
	[REQUEST_AUDIT_LIST] = "{\"limit\":1000}",
	[REQUEST_AUDIT_CHECKPOINT] = "{}",
	[REQUEST_AUDIT_ARCHIVE] = "{\"until\":\"2000-01-01T00:00:00Z\"}",
	[REQUEST_VAULT_METRICS] = "{}",
	[REQUEST_APPLY_BEGIN] = "{}",
	[REQUEST_APPLY_STEP] = "{\"method\":\"grant.remove\",\"params\":\"{}\"}",
	[REQUEST_APPLY_RUN] = "{}",
};

static const char value[] = "foobar-triple-secret!!";

static bool tells_the_value(const char *text)
{
	static const char hex[] = "666f6f6261722d747269706c652d7365637265742121";

	return strstr(text, value) != NULL || strstr(text, "Zm9vYmFyLXRyaXBsZS1zZWNyZXQhI") != NULL ||
	       strcasestr(text, hex) != NULL || strstr(text, "triple") != NULL;
}

START_TEST(no_reply_but_a_granted_fetch_holds_a_value)
{
	static const uint32_t uids[] = {0, UID_ADMIN, UID_OPERATOR, UID_AUDITOR, UID_OTHER_APP, UID_STRANGER};

	start();
	core_add_integration(&world, "other");
	core_grant(&world, "other", UID_OTHER_APP);
	core_put(&world, "app", "A", value);
	core_put(&world, "app", "A", value);
	core_ask_ok(&world, UID_APP, "env.fetch", "%s", good[REQUEST_ENV_FETCH]);
	ck_assert(tells_the_value(world.last_text));
	for (size_t i = 0; i < sizeof(uids) / sizeof(uids[0]); i++)
		for (enum request_kind kind = 0; kind < REQUEST_COUNT; kind++) {
			ck_assert_msg(good[kind] != NULL, "%s is not asked here", request_info(kind)->method);

			const char *word =
				core_ask(&world, uids[i], request_info(kind)->method, "%s", good[kind]);

			ck_assert_msg(!tells_the_value(world.last_text), "P3: %s (%s) tells the value to %u",
				request_info(kind)->method, word, uids[i]);
		}
	/* A fetcher gets it by that one method. */
	for (enum request_kind kind = 0; kind < REQUEST_COUNT; kind++) {
		(void)core_ask(&world, UID_APP, request_info(kind)->method, "%s", good[kind]);
		ck_assert_int_eq(tells_the_value(world.last_text), kind == REQUEST_ENV_FETCH);
	}
	core_world_end(&world);
}
END_TEST

/* P1, P3: a refusal does not repeat what it refuses. */
START_TEST(no_error_repeats_the_value)
{
	static const char *const bad[] = {
		"\"key\":\"A\",\"value\":\"foobar-triple-secret!!\\n\"",
		"\"key\":\"A\",\"value\":\"foobar-triple-secret!!\",\"encoding\":\"base64\"",
		"\"key\":\"A\",\"value\":\"Zm9vYmFyLXRyaXBsZS1zZWNyZXQhIQ\",\"encoding\":\"base64\"",
		"\"key\":\"A\",\"value\":\"foobar-triple-secret!!\",\"encoding\":\"hex\"",
		"\"key\":\"A\",\"value\":\"foobar-triple-secret!!\",\"expect_version\":9",
		"\"key\":\"A\",\"value\":[\"foobar-triple-secret!!\"]",
		"\"key\":\"foobar-triple-secret!!\",\"value\":\"v\"",
		"\"key\":\"A\",\"value\":\"v\",\"foobar-triple-secret!!\":1",
		"\"key\":\"A\",\"value\":\"foobar-triple-secret!!\",\"value\":\"v\"",
	};

	start();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_str_ne(
			core_ask(&world, UID_OPERATOR, "secret.put", "{\"integration\":\"app\",%s}", bad[i]),
			"ok");
		ck_assert_msg(!tells_the_value(world.last_text), "%s", world.last_text);
	}
	core_ask_ok(&world, UID_AUDITOR, "audit.list", "{\"limit\":1000}");
	ck_assert(!tells_the_value(world.last_text));
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_secrets", a_value_that_is_no_value_is_refused, an_expiry_must_be_to_come,
	the_record_of_a_put_says_until_when_it_is_valid, a_value_has_at_most_65535_bytes,
	the_values_of_an_integration_come_to_one_mebibyte, an_integration_has_at_most_128_keys,
	an_integration_has_at_most_256_registered_keys, keys_that_programs_act_upon_are_refused,
	what_is_not_there_or_retired_takes_no_value, a_put_that_expects_another_version_is_a_conflict,
	if_absent_leaves_a_current_value_alone, a_put_makes_the_value_current_and_drains_the_older,
	description_and_issuer_stay_until_they_are_given_anew, what_may_be_in_use_is_revoked_only_by_force,
	an_older_version_that_nobody_got_is_revoked_at_once,
	a_key_is_removed_when_all_its_versions_are_revoked, uses_are_told_per_key_and_version,
	the_history_is_read_once_for_each_request, a_key_that_comes_back_counts_on_and_inherits_no_use,
	no_reply_but_a_granted_fetch_holds_a_value, no_error_repeats_the_value)
