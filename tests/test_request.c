/* From a line to typed fields: P8, whatever is not in the tables is an error; P1, no error tells what was sent. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "request.h"
#include "text.h"
#include "unit.h"

static struct request request;
static char line[131072];

static enum err parse(const char *text)
{
	size_t len = strlen(text);

	memcpy(line, text, len);
	return request_parse(line, len, &request);
}

static enum err parse_params(const char *method, const char *params)
{
	int len = snprintf(line, sizeof(line),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method, params);

	ck_assert_int_lt(len, (int)sizeof(line));
	return request_parse(line, (size_t)len, &request);
}

/* One more field beside the name in integration.edit, or in another method that takes it. */
static enum err parse_field(const char *field, const char *json)
{
	static char params[120000];
	enum field f = FIELD_COUNT;
	int len = snprintf(params, sizeof(params), "{\"name\":\"a\",\"%s\":%s}", field, json);

	ck_assert_int_lt(len, (int)sizeof(params));
	ck_assert(field_from_wire(field, strlen(field), &f));
	return parse_params("integration.edit", params);
}

static void fill(char *out, const char *before, char byte, size_t count, const char *behind)
{
	size_t len = strlen(before);

	memcpy(out, before, len);
	memset(out + len, byte, count);
	memcpy(out + len + count, behind, strlen(behind) + 1);
}

static void expect_id(const char *id)
{
	ck_assert_uint_eq(request.id_len, strlen(id));
	ck_assert_mem_eq(request.id, id, request.id_len);
}

/* ---- the envelope ---- */

START_TEST(request_refuses_what_the_gate_refuses)
{
	ck_assert_int_eq(parse(""), ERR_BAD_JSON);
	ck_assert_int_eq(parse("[]"), ERR_BAD_JSON);
	ck_assert_int_eq(
		parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"whoami\"}"), ERR_BAD_JSON);
	ck_assert_int_eq(parse("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}"), ERR_TOO_COMPLEX);
	expect_id("null");
	ck_assert(!request.has_kind);
	ck_assert_ptr_null(request.detail);
}
END_TEST

START_TEST(request_refuses_batches)
{
	ck_assert_int_eq(parse("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"whoami\"}]"), ERR_BAD_JSON);
}
END_TEST

START_TEST(request_refuses_a_request_without_a_usable_id)
{
	static const char *const ids[] = {"null", "true", "[]", "{}", "[1]", "{\"a\":1}",
		"\"01234567890123456789012345678901234567890123456789012345678901234\"",
		"\"\\u0041\\u0041\\u0041\\u0041\\u0041\\u0041\\u0041\\u0041\\u0041\\u0041\\u0041\""};

	ck_assert_int_eq(parse("{}"), ERR_BAD_REQUEST);
	ck_assert_int_eq(parse("{\"jsonrpc\":\"2.0\",\"method\":\"whoami\"}"), ERR_BAD_REQUEST);
	ck_assert_int_eq(parse("{\"jsonrpc\":\"2.0\",\"ID\":1,\"method\":\"whoami\"}"), ERR_BAD_REQUEST);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		char text[256] = {0};

		snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"whoami\"}", ids[i]);
		ck_assert_msg(parse(text) == ERR_BAD_REQUEST, "accepted id %s", ids[i]);
		expect_id("null");
		ck_assert(!request.has_kind);
	}
}
END_TEST

START_TEST(request_refuses_other_envelopes)
{
	static const char *const texts[] = {
		"{\"id\":1,\"method\":\"whoami\"}",
		"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"whoami\"}",
		"{\"jsonrpc\":\"2.00\",\"id\":1,\"method\":\"whoami\"}",
		"{\"jsonrpc\":2,\"id\":1,\"method\":\"whoami\"}",
		"{\"jsonrpc\":null,\"id\":1,\"method\":\"whoami\"}",
		"{\"JSONRPC\":\"2.0\",\"id\":1,\"method\":\"whoami\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":1}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"params\":{}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":1}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":null}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":{\"method\":\"whoami\"}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"METHOD\":\"whoami\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"whoami\",\"params\":[]}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"whoami\",\"params\":null}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"whoami\",\"params\":\"\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"whoami\",\"Method\":\"secret.put\"}",
		"{\"uid\":0,\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"whoami\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"whoami\",\"params\":{},\"result\":{}}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ck_assert_msg(parse(texts[i]) == ERR_BAD_REQUEST, "accepted: %s", texts[i]);
		expect_id("1");
		ck_assert(!request.has_kind);
	}
}
END_TEST

START_TEST(request_refuses_unknown_methods)
{
	static const char *const methods[] = {"", "secret.get", "env.get", "WHOAMI", "whoami ", "whoam",
		"whoamii", "who\\u0041mi", "secret", "secret.", ".",
		"integration.add.integration.add.integration.add.integration.add", "\\\"}"};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		ck_assert_msg(
			parse_params(methods[i], "{}") == ERR_UNKNOWN_METHOD, "accepted: %s", methods[i]);
		expect_id("1");
		ck_assert(!request.has_kind);
		ck_assert_ptr_null(request.detail);
	}
}
END_TEST

START_TEST(request_echoes_an_id_as_it_was_written)
{
	static const char *const ids[] = {"0", "-1", "9007199254740991", "\"\"", "\"a\"",
		"\"\\u0041\\\"\\\\\"", "\"\xc3\xa9\"",
		"\"0123456789012345678901234567890123456789012345678901234567890123\""};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		char text[256] = {0};

		snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"method\":\"no.such\",\"x\":0,\"id\":%s}",
			ids[i]);
		ck_assert_int_eq(parse(text), ERR_BAD_REQUEST);
		expect_id(ids[i]);
		snprintf(text, sizeof(text), "{\"method\":\"whoami\",\"id\":%s,\"jsonrpc\":\"2.0\"}", ids[i]);
		ck_assert_int_eq(parse(text), OK);
		expect_id(ids[i]);
	}
}
END_TEST

START_TEST(request_forgets_the_request_before)
{
	ck_assert_int_eq(
		parse_params("secret.put", "{\"integration\":\"a\",\"key\":\"K\",\"value\":\"v\"}"), OK);
	ck_assert_int_eq(parse("{"), ERR_BAD_JSON);
	expect_id("null");
	ck_assert(!request.has_kind);
	for (int f = 0; f < FIELD_COUNT; f++)
		ck_assert(!request_has(&request, (enum field)f));
}
END_TEST

/* ---- params as a whole ---- */

START_TEST(request_refuses_fields_that_the_method_does_not_take)
{
	static const char *const params[] = {"{\"no_such\":1}", "{\"name\":\"a\"}", "{\"Integration\":\"a\"}",
		"{\"integration \":\"a\"}", "{\"value\":\"x\"}", "{\"\":1}", "{\"integratio\":\"a\"}",
		"{\"method\":\"whoami\"}"};

	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		ck_assert_msg(
			parse_params("env.fetch", params[i]) == ERR_BAD_PARAMS, "accepted: %s", params[i]);
		ck_assert(request.has_kind);
		ck_assert_int_eq(request.kind, REQUEST_ENV_FETCH);
		ck_assert_str_eq(request.detail, "params has a member that this method does not take");
	}
	ck_assert_int_eq(parse_params("whoami", "{\"integration\":\"a\"}"), ERR_BAD_PARAMS);
}
END_TEST

START_TEST(request_names_all_missing_fields)
{
	ck_assert_int_eq(
		parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"integration.add\"}"), ERR_BAD_PARAMS);
	ck_assert_str_eq(request.detail, "name, title, description, owner, contact are missing");
	ck_assert_int_eq(
		parse_params("integration.add", "{\"name\":\"a\",\"owner\":\"o\",\"description\":\"d\"}"),
		ERR_BAD_PARAMS);
	ck_assert_str_eq(request.detail, "title, contact are missing");
	ck_assert_int_eq(parse_params("session.prove", "{}"), ERR_BAD_PARAMS);
	ck_assert_str_eq(request.detail, "nonce is missing");
}
END_TEST

START_TEST(request_never_tells_what_was_sent)
{
	static const char *const lines[] = {
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"env.fetch\",\"params\":{\"CANARY\":\"CANARY\"}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"env.fetch\",\"params\":{\"integration\":"
		"\"CANARY\"}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"env.fetch\",\"params\":{\"integration\":["
		"\"CANARY\"]}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"env.fetch\",\"params\":{\"only\":[\"CANARY=\"]}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"secret.put\",\"params\":{\"value\":\"CANARY\","
		"\"key\":\"CANARY=\"}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"secret.put\",\"params\":{\"value\":\"CANARY\","
		"\"encoding\":\"CANARY\"}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"secret.put\",\"params\":{\"value\":\"CANARY\"}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"grant.add\",\"params\":{\"rule\":{\"CANARY\":"
		"\"CANARY\"}}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"CANARY\"}",
		"{\"jsonrpc\":\"CANARY\",\"id\":1,\"method\":\"whoami\"}",
		"{\"CANARY\":1",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ck_assert_int_ne(parse(lines[i]), OK);
		if (request.detail != NULL)
			ck_assert_ptr_null(strcasestr(request.detail, "canary"));
		ck_assert_ptr_null(memmem(request.detail_store, sizeof(request.detail_store), "CANARY", 6));
	}
}
END_TEST

START_TEST(request_keeps_only_fields_that_were_checked)
{
	ck_assert_int_eq(parse_params("secret.put", "{\"integration\":\"a\",\"key\":\"1\",\"value\":\"v\"}"),
		ERR_BAD_NAME);
	ck_assert(request_has(&request, FIELD_INTEGRATION));
	ck_assert(!request_has(&request, FIELD_KEY));
	ck_assert(!request_has(&request, FIELD_VALUE));
	ck_assert_str_eq(request.detail, "key does not follow the naming rules");
}
END_TEST

/* ---- fields, type by type ---- */

struct wrong {
	const char *field;
	const char *json;
	enum err err;
};

static void refuse_fields(const struct wrong *wrongs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enum err err = parse_field(wrongs[i].field, wrongs[i].json);
		enum field field = FIELD_COUNT;

		ck_assert_msg(err == wrongs[i].err, "%s: %s gives %s", wrongs[i].field, wrongs[i].json,
			err_word(err));
		ck_assert(field_from_wire(wrongs[i].field, strlen(wrongs[i].field), &field));
		ck_assert(!request_has(&request, field));
		ck_assert_int_eq(strncmp(request.detail, wrongs[i].field, strlen(wrongs[i].field)), 0);
	}
}

#define REFUSES(...) \
	do { \
		static const struct wrong wrongs[] = {__VA_ARGS__}; \
		refuse_fields(wrongs, sizeof(wrongs) / sizeof(wrongs[0])); \
	} while (0)

START_TEST(request_refuses_wrong_types)
{
	REFUSES({"title", "1", ERR_BAD_PARAMS}, {"title", "null", ERR_BAD_PARAMS},
		{"title", "[\"a\"]", ERR_BAD_PARAMS}, {"purpose", "true", ERR_BAD_PARAMS},
		{"systems", "\"a\"", ERR_BAD_PARAMS}, {"systems", "{\"a\":\"b\"}", ERR_BAD_PARAMS},
		{"systems", "[1]", ERR_BAD_PARAMS}, {"systems", "[\"a\",null]", ERR_BAD_PARAMS},
		{"systems", "[[\"a\"]]", ERR_BAD_PARAMS}, {"access", "1", ERR_BAD_PARAMS},
		{"rotate_after", "365", ERR_BAD_PARAMS}, {"expires_at", "0", ERR_BAD_PARAMS},
		{"rate_limit", "\"10\"", ERR_BAD_PARAMS}, {"rate_limit", "true", ERR_BAD_PARAMS},
		{"rate_limit", "[10]", ERR_BAD_PARAMS}, {"labels", "[\"a\"]", ERR_BAD_PARAMS},
		{"labels", "\"a=b\"", ERR_BAD_PARAMS}, {"labels", "{\"a\":1}", ERR_BAD_PARAMS},
		{"labels", "{\"a\":{}}", ERR_BAD_PARAMS}, {"request_id", "1", ERR_BAD_PARAMS});
	ck_assert_int_eq(parse_params("secret.revoke", "{\"force\":1}"), ERR_BAD_PARAMS);
	ck_assert_int_eq(parse_params("secret.revoke", "{\"force\":\"true\"}"), ERR_BAD_PARAMS);
	ck_assert_int_eq(parse_params("secret.put", "{\"value\":1}"), ERR_BAD_PARAMS);
	ck_assert_int_eq(parse_params("hello", "{\"protocol\":1}"), ERR_BAD_PARAMS);
	ck_assert_int_eq(parse_params("hello", "{\"protocol\":[\"1\"]}"), ERR_BAD_PARAMS);
	ck_assert_int_eq(parse_params("env.fetch", "{\"only\":\"A\"}"), ERR_BAD_PARAMS);
	ck_assert_int_eq(parse_params("env.fetch", "{\"only\":[1]}"), ERR_BAD_PARAMS);
	ck_assert_int_eq(parse_params("secret.show", "{\"key\":[\"A\"]}"), ERR_BAD_PARAMS);
	ck_assert_int_eq(parse_params("grant.add", "{\"rule\":[]}"), ERR_BAD_PARAMS);
	ck_assert_int_eq(parse_params("env.fetch", "{\"staged\":1}"), ERR_BAD_PARAMS);
	ck_assert_int_eq(parse_params("secret.put", "{\"stage\":\"true\"}"), ERR_BAD_PARAMS);
	ck_assert_int_eq(parse_params("secret.record_test", "{\"passed\":0}"), ERR_BAD_PARAMS);
	ck_assert_int_eq(parse_params("run.end", "{\"exit_status\":\"0\"}"), ERR_BAD_PARAMS);
	ck_assert_int_eq(parse_params("holder.release", "{\"run\":7}"), ERR_BAD_PARAMS);
	ck_assert_int_eq(parse_params("secret.list", "{\"touched_by\":0}"), ERR_BAD_PARAMS);
}
END_TEST

START_TEST(request_refuses_integration_names_that_are_none)
{
	static const char *const names[] = {"\"\"", "\"../x\"", "\".\"", "\"a/b/c\"", "\"/a\"", "\"a/\"",
		"\"A\"", "\"a b\"", "\"\xd0\xb0\"", "\"a\\n\"", "\"a\\u002f/\"", "\"e\\u0301\"",
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""};
	static char name[8192];
	char params[128] = {0};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(params, sizeof(params), "{\"integration\":%s}", names[i]);
		ck_assert_msg(parse_params("env.fetch", params) == ERR_BAD_NAME, "accepted: %s", names[i]);
	}
	fill(name, "{\"integration\":\"", 'a', 5000, "\"}");
	ck_assert_int_eq(parse_params("env.fetch", name), ERR_BAD_NAME);
	ck_assert_int_eq(parse_params("integration.list", "{\"workspace\":\"a/b\"}"), ERR_BAD_NAME);
}
END_TEST

START_TEST(request_refuses_keys_that_are_none)
{
	static const char *const keys[] = {"\"\"", "\"1A\"", "\"A-B\"", "\"A=B\"", "\"A B\"", "\"A\\n\"",
		"\"\xc3\x84\"", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""};
	char params[128] = {0};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		snprintf(params, sizeof(params), "{\"key\":%s}", keys[i]);
		ck_assert_msg(parse_params("secret.show", params) == ERR_BAD_NAME, "accepted: %s", keys[i]);
		snprintf(params, sizeof(params), "{\"only\":[\"OK\",%s]}", keys[i]);
		ck_assert_msg(parse_params("env.fetch", params) == ERR_BAD_NAME, "accepted: %s", keys[i]);
	}
	ck_assert_int_eq(parse_params("secret.put", "{\"key\":\"LD_PRELOAD\"}"), ERR_RESERVED_NAME);
	ck_assert_int_eq(parse_params("secret.put", "{\"key\":\"LD_PRE\\u004cOAD\"}"), ERR_RESERVED_NAME);
	ck_assert_str_eq(request.detail, "key is dangerous in an environment and is refused");
	ck_assert_int_eq(parse_params("env.fetch", "{\"only\":[\"LD_PRELOAD\"]}"), OK);
}
END_TEST

START_TEST(request_refuses_text_that_is_not_acceptable)
{
	REFUSES({"title", "\"a\\nb\"", ERR_BAD_VALUE}, {"title", "\"a\\u001b[2J\"", ERR_BAD_VALUE},
		{"title", "\"\\u007f\"", ERR_BAD_VALUE}, {"title", "\"\\u0085\"", ERR_BAD_VALUE},
		{"purpose", "\"a\\rb\"", ERR_BAD_VALUE}, {"systems", "[\"a\",\"b\\nc\"]", ERR_BAD_VALUE},
		{"systems", "[\"\"]", ERR_BAD_VALUE}, {"systems", "[\" \"]", ERR_BAD_VALUE},
		{"access", "\"write\"", ERR_BAD_VALUE}, {"access", "\"read-onl\"", ERR_BAD_VALUE},
		{"access", "\"READ-ONLY\"", ERR_BAD_VALUE}, {"environment", "\"test\"", ERR_BAD_VALUE},
		{"expected_every", "\"15\"", ERR_BAD_VALUE}, {"expected_every", "\"0d\"", ERR_BAD_VALUE},
		{"expected_every", "\"01d\"", ERR_BAD_VALUE}, {"expected_every", "\"never\"", ERR_BAD_VALUE},
		{"rotate_after", "\"12h\"", ERR_BAD_VALUE}, {"rotate_after", "\"Never\"", ERR_BAD_VALUE},
		{"rotate_after", "\"11111111111111111111d\"", ERR_BAD_VALUE},
		{"expires_at", "\"2026-11-22\"", ERR_BAD_VALUE},
		{"expires_at", "\"2026-11-22T09:30:00\"", ERR_BAD_VALUE},
		{"expires_at", "\"2026-13-22T09:30:00Z\"", ERR_BAD_VALUE},
		{"rate_limit", "-1", ERR_BAD_VALUE}, {"labels", "{\"a\":\"\\n\"}", ERR_BAD_VALUE},
		{"labels", "{\"A\":\"b\"}", ERR_BAD_NAME}, {"labels", "{\"\":\"b\"}", ERR_BAD_NAME},
		{"labels", "{\"a=b\":\"c\"}", ERR_BAD_NAME},
		{"request_id", "\"0123456789abcdef0123456789abcde\"", ERR_BAD_PARAMS},
		{"request_id", "\"0123456789abcdef0123456789abcdeff\"", ERR_BAD_PARAMS},
		{"request_id", "\"0123456789ABCDEF0123456789abcdef\"", ERR_BAD_PARAMS},
		{"request_id", "\"0123456789abcdef0123456789abcdeg\"", ERR_BAD_PARAMS},
		{"request_id", "\"\"", ERR_BAD_PARAMS});
	ck_assert_int_eq(parse_params("secret.put", "{\"encoding\":\"hex\"}"), ERR_BAD_VALUE);
	ck_assert_int_eq(parse_params("integration.list", "{\"state\":\"Active\"}"), ERR_BAD_VALUE);
	ck_assert_int_eq(
		parse_params("integration.list", "{\"state\":\"aaaaaaaaaaaaaaaaa\"}"), ERR_BAD_VALUE);
	ck_assert_int_eq(parse_params("audit.list", "{\"uid\":42949672950}"), ERR_BAD_VALUE);
	ck_assert_str_eq(request.detail, "uid is not a valid count");
}
END_TEST

START_TEST(request_refuses_a_title_an_owner_and_a_contact_that_say_nothing)
{
	REFUSES({"title", "\"\"", ERR_BAD_VALUE}, {"title", "\" \"", ERR_BAD_VALUE},
		{"description", "\" \\n\\t\"", ERR_BAD_VALUE}, {"description", "\"\"", ERR_BAD_VALUE},
		{"owner", "\"\"", ERR_BAD_VALUE}, {"contact", "\"   \"", ERR_BAD_VALUE},
		{"contact", "\"\\u0020\"", ERR_BAD_VALUE});
}
END_TEST

START_TEST(request_refuses_what_is_over_a_size_limit)
{
	static char json[20000];
	size_t len = 0;

	fill(json, "\"", 'x', 201, "\"");
	ck_assert_int_eq(parse_field("title", json), ERR_TOO_LARGE);
	ck_assert_str_eq(request.detail, "title is over its size limit");
	fill(json, "[\"", 'x', 201, "\"]");
	ck_assert_int_eq(parse_field("systems", json), ERR_TOO_LARGE);
	fill(json, "{\"a\":\"", 'x', 201, "\"}");
	ck_assert_int_eq(parse_field("labels", json), ERR_TOO_LARGE);
	fill(json, "{\"", 'x', 65, "\":\"\"}");
	ck_assert_int_eq(parse_field("labels", json), ERR_BAD_NAME);
	fill(json, "\"", 'x', 4001, "\"");
	ck_assert_int_eq(parse_field("purpose", json), ERR_TOO_LARGE);
	fill(json, "\"\\n", 'x', 4000, "\"");
	ck_assert_int_eq(parse_field("purpose", json), ERR_TOO_LARGE);
	fill(json, "\"\\n", 'x', 3999, "\"");
	ck_assert_int_eq(parse_field("purpose", json), OK);
	fill(json, "\"", 'x', 200, "\"");
	ck_assert_int_eq(parse_field("title", json), OK);
	len = (size_t)snprintf(json, sizeof(json), "[\"a\"");
	for (int i = 1; i < 33; i++)
		len += (size_t)snprintf(json + len, sizeof(json) - len, ",\"a\"");
	snprintf(json + len, sizeof(json) - len, "]");
	ck_assert_int_eq(parse_field("systems", json), ERR_TOO_LARGE);
	ck_assert_int_eq(parse_field("managed_by", json), ERR_TOO_LARGE);
	len = (size_t)snprintf(json, sizeof(json), "{\"l0\":\"\"");
	for (int i = 1; i < 17; i++)
		len += (size_t)snprintf(json + len, sizeof(json) - len, ",\"l%d\":\"\"", i);
	snprintf(json + len, sizeof(json) - len, "}");
	ck_assert_int_eq(parse_field("labels", json), ERR_TOO_LARGE);
	ck_assert_int_eq(parse_params("hello", "{\"protocol\":[1,2,3,4,5,6,7,8,9]}"), ERR_TOO_LARGE);
}
END_TEST

START_TEST(request_refuses_rules_that_match_everybody_or_are_not_understood)
{
	static const struct {
		const char *rule;
		enum err err;
	} rules[] = {
		{"{}", ERR_BAD_PARAMS},
		{"{\"uid\":\"0\"}", ERR_BAD_PARAMS},
		{"{\"user\":\"etl\",\"host\":\"a\"}", ERR_BAD_PARAMS},
		{"{\"User\":\"etl\"}", ERR_BAD_PARAMS},
		{"{\"user\":0}", ERR_BAD_PARAMS},
		{"{\"user\":null}", ERR_BAD_PARAMS},
		{"{\"user\":\"\"}", ERR_BAD_VALUE},
		{"{\"user\":\" \"}", ERR_BAD_VALUE},
		{"{\"group\":\"a\\nb\"}", ERR_BAD_VALUE},
		{"{\"unit\":\"etl\"}", ERR_BAD_VALUE},
		{"{\"unit\":\"*\"}", ERR_BAD_VALUE},
		{"{\"unit\":\"*.service\"}", ERR_BAD_VALUE},
		{"{\"unit\":\"\"}", ERR_BAD_VALUE},
		{"{\"token\":\"x\"}", ERR_BAD_PARAMS},
		{"{\"user\":\"etl\",\"token\":\"true\"}", ERR_BAD_PARAMS},
		{"{\"user\":\"etl\",\"token\":false}", ERR_BAD_PARAMS},
		{"{\"user\":\"etl\",\"token\":1}", ERR_BAD_PARAMS},
		{"{\"user\":\"a\",\"group\":\"b\",\"unit\":\"c.service\",\"d\":\"e\",\"f\":\"g\"}",
			ERR_TOO_LARGE},
	};
	static char rule[512];
	char params[256] = {0};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		snprintf(params, sizeof(params), "{\"integration\":\"a\",\"rule\":%s}", rules[i].rule);
		ck_assert_msg(parse_params("grant.add", params) == rules[i].err, "%s", rules[i].rule);
		ck_assert(!request_has(&request, FIELD_RULE));
	}
	fill(rule, "{\"integration\":\"a\",\"rule\":{\"user\":\"", 'u', 256, "\"}}");
	ck_assert_int_eq(parse_params("grant.add", rule), ERR_TOO_LARGE);
}
END_TEST

START_TEST(request_refuses_empty_text_where_nothing_can_be_cleared)
{
	ck_assert_int_eq(parse_params("integration.add", "{\"rotate_after\":\"\"}"), ERR_BAD_VALUE);
	ck_assert_int_eq(parse_params("secret.put", "{\"expires_at\":\"\"}"), ERR_BAD_VALUE);
	ck_assert_int_eq(parse_params("integration.edit", "{\"name\":\"\"}"), ERR_BAD_NAME);
	ck_assert_int_eq(parse_params("integration.edit", "{\"request_id\":\"\"}"), ERR_BAD_PARAMS);
}
END_TEST

START_TEST(request_refuses_runs_and_digests_that_are_none)
{
	static const char *const runs[] = {"", "01JD000000000000000000000", "01JD00000000000000000000000",
		"01jd0000000000000000000000", "01JD000000000000000000000I", "01JD000000000000000000000L",
		"01JD000000000000000000000O", "01JD000000000000000000000U", "01JD000000000000000000000 ",
		"01JD0000-0000000000000000", "\\u00301JD000000000000000000000U"};
	static const char *const digests[] = {"", "0123456789abcdef0123456789abcdef",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeff",
		"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg",
		" 123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
	char params[128] = {0};

	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		snprintf(params, sizeof(params), "{\"run\":\"%s\"}", runs[i]);
		ck_assert_msg(
			parse_params("holder.release", params) == ERR_BAD_PARAMS, "accepted: %s", runs[i]);
		ck_assert_str_eq(request.detail, "run has the wrong type or members");
		ck_assert(!request_has(&request, FIELD_RUN));
	}
	for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
		snprintf(params, sizeof(params), "{\"command_digest\":\"%s\"}", digests[i]);
		ck_assert_msg(parse_params("secret.record_test", params) == ERR_BAD_PARAMS, "accepted: %s",
			digests[i]);
		ck_assert_str_eq(request.detail, "command_digest has the wrong type or members");
		ck_assert(!request_has(&request, FIELD_COMMAND_DIGEST));
	}
}
END_TEST

/* ---- the corpus ---- */

static size_t read_file(const char *path)
{
	FILE *file = fopen(path, "rb");

	ck_assert_msg(file != NULL, "%s", path);

	size_t len = fread(line, 1, sizeof(line), file);

	fclose(file);
	return len;
}

/* Its files say by their names what they are; each method is accepted once at least. */
START_TEST(request_takes_of_the_corpus_what_it_should_and_nothing_else)
{
	static const char accept[] = "accept_", refuse[] = "refuse_";
	bool is_accepted[REQUEST_COUNT] = {0};
	char path[4096] = {0};
	struct dirent **entries = NULL;

	snprintf(path, sizeof(path), "%s/corpus/request", getenv("COFFER_TESTS"));

	int count = scandir(path, &entries, NULL, alphasort);

	ck_assert_msg(count > 2, "%s", path);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		bool is_good = strncmp(name, accept, strlen(accept)) == 0;

		if (name[0] != '.') {
			ck_assert_msg(is_good || strncmp(name, refuse, strlen(refuse)) == 0, "%s", name);
			snprintf(path, sizeof(path), "%s/corpus/request/%s", getenv("COFFER_TESTS"), name);

			enum err err = request_parse(line, read_file(path), &request);

			ck_assert_msg((err == OK) == is_good, "%s: %s", name, err_word(err));
			if (is_good)
				is_accepted[request.kind] = true;
		}
		free(entries[i]);
	}
	free(entries);
	for (enum request_kind kind = 0; kind < REQUEST_COUNT; kind++)
		ck_assert_msg(is_accepted[kind], "no file of %s", request_info(kind)->method);
}
END_TEST

/* ---- what passes ---- */

START_TEST(request_gives_the_fields_of_a_put)
{
	char text[VALUE_BYTES_MAX + 1] = {0};

	ck_assert_int_eq(
		parse_params("secret.put",
			"{\"integration\":\"finance/"
			"sync\",\"key\":\"PGPASSWORD\",\"value\":\"p\\u00e4ss\\n\",\"multiline\":true,"
			"\"if_absent\":false,\"expect_version\":0,\"expires_at\":\"2026-11-22T09:30:00Z\","
			"\"request_id\":\"0123456789abcdef0123456789abcdef\"}"),
		OK);
	ck_assert_int_eq(request.kind, REQUEST_SECRET_PUT);
	ck_assert_ptr_null(request.detail);
	ck_assert(request_text(&request, FIELD_INTEGRATION, text, sizeof(text)));
	ck_assert_str_eq(text, "finance/sync");
	ck_assert(request_text(&request, FIELD_VALUE, text, sizeof(text)));
	ck_assert_str_eq(text, "p\xc3\xa4ss\n");
	ck_assert(!request_text(&request, FIELD_KEY, text, 10));
	ck_assert(request_text(&request, FIELD_KEY, text, 11));
	ck_assert(request_flag(&request, FIELD_MULTILINE));
	ck_assert(!request_flag(&request, FIELD_IF_ABSENT));
	ck_assert(request_has(&request, FIELD_IF_ABSENT));
	ck_assert_int_eq(request_count(&request, FIELD_EXPECT_VERSION, -1), 0);
	ck_assert_int_eq(request_count(&request, FIELD_VERSION, -1), -1);
	ck_assert(!request_flag(&request, FIELD_FORCE));
	ck_assert(!request_text(&request, FIELD_NOTE, text, sizeof(text)));
}
END_TEST

START_TEST(request_leaves_the_value_to_its_handler)
{
	static char params[131000];

	ck_assert_int_eq(
		parse_params("secret.put", "{\"integration\":\"a\",\"key\":\"K\",\"value\":\"\"}"), OK);
	fill(params, "{\"integration\":\"a\",\"key\":\"K\",\"value\":\"", 'x', 100000, "\"}");
	ck_assert_int_eq(parse_params("secret.put", params), OK);
	ck_assert_uint_eq(json_text_len(&request.doc, request.field[FIELD_VALUE]), 100000);
}
END_TEST

START_TEST(request_walks_over_lists_and_rules)
{
	char seen[64] = {0};
	char text[64] = {0};
	size_t len = 0;

	ck_assert_int_eq(parse_params("env.fetch", "{\"only\":[\"A\",\"B_2\"],\"optional\":[]}"), OK);
	for (const struct json_token *t = request_first(&request, FIELD_ONLY); t != NULL;
		t = request_next(&request, FIELD_ONLY, t)) {
		size_t text_len = 0;

		ck_assert_int_eq(json_text(&request.doc, t, text, sizeof(text), &text_len), OK);
		len += (size_t)snprintf(seen + len, sizeof(seen) - len, "%s ", text);
	}
	ck_assert_str_eq(seen, "A B_2 ");
	ck_assert_ptr_null(request_first(&request, FIELD_OPTIONAL));
	ck_assert_ptr_null(request_first(&request, FIELD_SYSTEMS));
	ck_assert_int_eq(parse_params("grant.add", "{\"integration\":\"a\",\"rule\":{\"unit\":\"etl@*."
						   "service\",\"user\":\"\\u0065tl\"}}"),
		OK);
	ck_assert(request_member(&request, FIELD_RULE, "user", text, sizeof(text)));
	ck_assert_str_eq(text, "etl");
	ck_assert(request_member(&request, FIELD_RULE, "unit", text, sizeof(text)));
	ck_assert_str_eq(text, "etl@*.service");
	ck_assert(!request_member(&request, FIELD_RULE, "group", text, sizeof(text)));
	ck_assert(!request_member(&request, FIELD_LABELS, "group", text, sizeof(text)));
}
END_TEST

START_TEST(request_edit_clears_with_an_empty_string)
{
	for (int f = FIELD_BACKUP_CONTACT; f <= FIELD_LABELS; f++) {
		char text[8] = "before";

		ck_assert_int_eq(parse_field(field_info((enum field)f)->wire, "\"\""), OK);
		ck_assert(request_has(&request, (enum field)f));
		ck_assert_int_eq(request_field_text(&request, (enum field)f, text, sizeof(text)), OK);
		ck_assert_str_eq(text, "");
	}
}
END_TEST

/* ---- documented fields as text and back ---- */

static const char documented[] =
	"{\"name\":\"finance/sync\",\"title\":\"Sync "
	"\\u00e4\",\"description\":\"two\\nlines\",\"owner\":\"Ada\",\"contact\":\"a@b\","
	"\"backup_contact\":\"b@c\",\"purpose\":\"p\",\"systems\":[\"one\",\"two = "
	"2\"],\"scope\":\"s\",\"access\":\"read-only\","
	"\"trigger\":\"t\",\"schedule\":\"daily\",\"expected_every\":\"12h\",\"environment\":\"production\","
	"\"docs\":\"https://x/?a=b\","
	"\"approval\":\"A-1\",\"rotate_after\":\"365d\",\"rotate_reason\":\"r\",\"review_after\":\"never\","
	"\"expires_at\":\"2026-11-"
	"22T09:30:00.5Z\","
	"\"rate_limit\":600,\"test\":\"true "
	"\\\"x\\\"\",\"managed_by\":[\"%ops\"],\"labels\":{\"tier\":\"1\",\"a.b\":\"c=d\",\"e\":\"\"}}";

START_TEST(field_text_refuses_absent_fields_and_small_memory)
{
	char text[9] = {0};

	ck_assert_int_eq(parse_field("systems", "[\"one\",\"two\"]"), OK);
	ck_assert_int_eq(request_field_text(&request, FIELD_TITLE, text, sizeof(text)), ERR_NOT_FOUND);
	for (size_t cap = 0; cap < strlen("one\ntwo") + 1; cap++)
		ck_assert_int_eq(request_field_text(&request, FIELD_SYSTEMS, text, cap), ERR_TOO_LARGE);
	ck_assert_int_eq(request_field_text(&request, FIELD_SYSTEMS, text, strlen("one\ntwo") + 1), OK);
	ck_assert_str_eq(text, "one\ntwo");
}
END_TEST

START_TEST(field_text_has_room_for_the_largest_field)
{
	for (int f = FIELD_TITLE; f <= FIELD_LABELS; f++) {
		const struct field_info *info = field_info((enum field)f);
		size_t entry = info->type == FIELD_TYPE_LINES ? FIELD_ENTRY_BYTES_MAX + 1
			       : info->type == FIELD_TYPE_MAP ? SLUG_BYTES_MAX + 1 + FIELD_ENTRY_BYTES_MAX + 1
							      : 1;

		ck_assert_uint_le(entry * info->max, FIELD_TEXT_BYTES_MAX - (entry == 1));
	}
}
END_TEST

START_TEST(field_text_is_what_the_store_keeps)
{
	char text[FIELD_TEXT_BYTES_MAX] = {0};

	ck_assert_int_eq(parse_params("integration.add", documented), OK);
	ck_assert_int_eq(request_field_text(&request, FIELD_TITLE, text, sizeof(text)), OK);
	ck_assert_str_eq(text, "Sync \xc3\xa4");
	ck_assert_int_eq(request_field_text(&request, FIELD_SYSTEMS, text, sizeof(text)), OK);
	ck_assert_str_eq(text, "one\ntwo = 2");
	ck_assert_int_eq(request_field_text(&request, FIELD_RATE_LIMIT, text, sizeof(text)), OK);
	ck_assert_str_eq(text, "600");
	ck_assert_int_eq(request_field_text(&request, FIELD_LABELS, text, sizeof(text)), OK);
	ck_assert_str_eq(text, "tier=1\na.b=c=d\ne=");
	ck_assert_int_eq(parse_field("systems", "[]"), OK);
	ck_assert_int_eq(request_field_text(&request, FIELD_SYSTEMS, text, sizeof(text)), OK);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(field_text_comes_back_as_the_json_that_it_was)
{
	static char written[8192];
	struct buf buf = {0};

	buf_init_fixed(&buf, written, sizeof(written));

	struct json_writer w = json_writer(&buf);

	ck_assert_int_eq(parse_params("integration.add", documented), OK);
	json_begin_object(&w);
	json_put_string(&w, "name", "finance/sync");
	for (int f = FIELD_TITLE; f <= FIELD_LABELS; f++) {
		char text[FIELD_TEXT_BYTES_MAX] = {0};

		ck_assert_int_eq(request_field_text(&request, (enum field)f, text, sizeof(text)), OK);
		json_key(&w, field_info((enum field)f)->wire);
		field_write_json(&w, (enum field)f, text);
	}
	json_end_object(&w);
	buf_append_byte(&buf, '\0');
	ck_assert(!buf_failed(&buf));
	ck_assert_ptr_nonnull(strstr(written, "\"labels\":{\"tier\":\"1\",\"a.b\":\"c=d\",\"e\":\"\"}}"));
	ck_assert_ptr_nonnull(strstr(written, "\"rate_limit\":600,"));
	/* The written object is a valid request with the same fields. */
	ck_assert_int_eq(parse_params("integration.add", written), OK);
	buf_init_fixed(&buf, written, sizeof(written));
	w = json_writer(&buf);
	json_begin_array(&w);
	field_write_json(&w, FIELD_TITLE, NULL);
	field_write_json(&w, FIELD_RATE_LIMIT, "");
	field_write_json(&w, FIELD_SYSTEMS, "");
	field_write_json(&w, FIELD_LABELS, "");
	json_end_array(&w);
	ck_assert_uint_eq(buf.len, strlen("[null,null,[],{}]"));
	ck_assert_mem_eq(written, "[null,null,[],{}]", buf.len);
}
END_TEST

/* ---- the tables ---- */

START_TEST(request_tables_are_whole)
{
	for (int r = 0; r < REQUEST_COUNT; r++) {
		const struct request_info *info = request_info((enum request_kind)r);
		enum request_kind kind = REQUEST_COUNT;

		ck_assert(request_kind_from_method(info->method, strlen(info->method), &kind));
		ck_assert_int_eq(kind, r);
		ck_assert_ptr_nonnull(right_word(info->right));
		ck_assert_uint_le(info->field_count, REQUEST_KEYS_MAX);
		for (size_t i = 0; i < info->field_count; i++) {
			ck_assert_int_lt(info->fields[i].field, FIELD_COUNT);
			for (size_t j = 0; j < i; j++)
				ck_assert_int_ne(info->fields[i].field, info->fields[j].field);
		}
		/* P4: what changes something may be asked twice; what a connection shows it may show again as it is. */
		if (info->duty == DUTY_CHANGE && r != REQUEST_SESSION_AUTHENTICATE)
			ck_assert_int_eq(info->fields[info->field_count - 1].field, FIELD_REQUEST_ID);
	}
	for (int f = 0; f < FIELD_COUNT; f++) {
		const struct field_info *info = field_info((enum field)f);
		enum field field = FIELD_COUNT;

		ck_assert(field_from_wire(info->wire, strlen(info->wire), &field));
		ck_assert_int_eq(field, f);
		ck_assert_ptr_nonnull(field_type_word(info->type));
		ck_assert_uint_gt(strlen(info->text), 0);
	}
	ck_assert_uint_eq(request_info(REQUEST_WHOAMI)->field_count, 0);
	ck_assert_int_eq(request_info(REQUEST_WHOAMI)->state, STATE_ANY);
	ck_assert_int_eq(request_info(REQUEST_ENV_FETCH)->right, RIGHT_GRANTED);
}
END_TEST

UNIT_MAIN("request", request_refuses_what_the_gate_refuses, request_refuses_batches,
	request_refuses_a_request_without_a_usable_id, request_refuses_other_envelopes,
	request_refuses_unknown_methods, request_echoes_an_id_as_it_was_written,
	request_forgets_the_request_before, request_refuses_fields_that_the_method_does_not_take,
	request_names_all_missing_fields, request_never_tells_what_was_sent,
	request_keeps_only_fields_that_were_checked, request_refuses_wrong_types,
	request_refuses_integration_names_that_are_none, request_refuses_keys_that_are_none,
	request_refuses_text_that_is_not_acceptable,
	request_refuses_a_title_an_owner_and_a_contact_that_say_nothing,
	request_refuses_what_is_over_a_size_limit,
	request_refuses_rules_that_match_everybody_or_are_not_understood,
	request_refuses_empty_text_where_nothing_can_be_cleared,
	request_refuses_runs_and_digests_that_are_none,
	request_takes_of_the_corpus_what_it_should_and_nothing_else, request_gives_the_fields_of_a_put,
	request_leaves_the_value_to_its_handler, request_walks_over_lists_and_rules,
	request_edit_clears_with_an_empty_string, field_text_refuses_absent_fields_and_small_memory,
	field_text_has_room_for_the_largest_field, field_text_is_what_the_store_keeps,
	field_text_comes_back_as_the_json_that_it_was, request_tables_are_whole)
