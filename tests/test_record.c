/* Audit records: what the hash covers, and that writing and reading agree (P4, P7). */
#include <cJSON.h>
#include <stdio.h>
#include <string.h>

#include "base64.h"
#include "record.h"
#include "unit.h"
#include "vectors/vectors.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { JSON_BYTES = RECORD_SUBJECT_BYTES_MAX + 4096 };

static struct record sample(void)
{
	struct record record = {
		.seq = 1,
		.time_ms = 1795339800123,
		.kind = "env.fetch",
		.outcome = "ok",
		.uid = 1001,
		.gid = 1002,
		.pid = 4711,
		.unit = "etl.service",
		.integration = "finance/warehouse-sync",
		.key = "PGPASSWORD",
		.version = 3,
		.object = 9,
		.run = "01JDABCDEFGHJKMNPQRSTVWXYZ",
		.subject = {"A=3 B=1", 7},
		.repeats = 1,
		.detail = "a constant sentence",
	};

	record_seal(&record);
	return record;
}

static enum err read_text(const char *json, size_t len, struct record *out)
{
	static const struct gate_limits limits = {.depth_max = 2, .tokens_max = 64, .keys_max = 32};
	struct json_token tokens[64];
	uint32_t count = 0;

	ck_assert_msg(gate_scan(json, len, &limits, tokens, &count) == OK, "%.*s", (int)len, json);

	struct json_doc doc = {.text = json, .tokens = tokens, .count = count};

	return record_read(&doc, &tokens[0], out);
}

static void write_text(const struct record *record, char *out, size_t cap)
{
	BUF_AUTO buf = {0};
	struct json_writer w = json_writer(&buf);

	record_write(&w, record);
	ck_assert(!buf_failed(&buf));
	ck_assert_uint_lt(buf.len, cap);
	memcpy(out, buf.bytes, buf.len);
	out[buf.len] = '\0';
}

/* What record_write makes of the sample, with the first occurrence of one text replaced. */
static enum err read_altered(const char *from, const char *to)
{
	struct record record = sample();
	struct record out = {0};
	char json[JSON_BYTES];
	char altered[8192];

	write_text(&record, json, sizeof(json));

	char *at = strstr(json, from);

	ck_assert_msg(at != NULL, "%s", from);

	int len =
		snprintf(altered, sizeof(altered), "%.*s%s%s", (int)(at - json), json, to, at + strlen(from));

	ck_assert_int_lt(len, (int)sizeof(altered));

	enum err err = read_text(altered, (size_t)len, &out);

	if (err != OK)
		ck_assert_uint_eq(out.seq, 0);
	return err;
}

START_TEST(record_read_refuses_a_missing_or_unknown_field)
{
	ck_assert_int_eq(read_altered("\"seq\":1,", ""), ERR_BAD_VALUE);
	ck_assert_int_eq(read_altered("\"detail\":\"a constant sentence\",", ""), ERR_BAD_VALUE);
	ck_assert_int_eq(read_altered("\"seq\"", "\"seqq\""), ERR_BAD_VALUE);
	ck_assert_int_eq(read_altered("\"seq\"", "\"SEQ\""), ERR_BAD_VALUE);
	ck_assert_int_eq(read_altered("\"repeats\":1", "\"repeats\":1,\"more\":1"), ERR_BAD_VALUE);
}
END_TEST

START_TEST(record_read_refuses_other_types)
{
	static const char *const others[] = {"null", "true", "[]", "{}", "\"1\"", "-1"};

	for (size_t i = 0; i < COUNT(others); i++) {
		char to[64];

		(void)snprintf(to, sizeof(to), "\"seq\":%s", others[i]);
		ck_assert_msg(read_altered("\"seq\":1", to) == ERR_BAD_VALUE, "%s", to);
	}
	ck_assert_int_eq(read_altered("\"ok\"", "1"), ERR_BAD_VALUE);
	ck_assert_int_eq(read_altered("\"ok\"", "null"), ERR_BAD_VALUE);
	ck_assert_int_eq(read_altered("\"2026-11-22T09:30:00.123Z\"", "1795339800123"), ERR_BAD_VALUE);
}
END_TEST

START_TEST(record_read_refuses_numbers_that_do_not_fit)
{
	ck_assert_int_eq(read_altered("\"uid\":1001", "\"uid\":4294967296"), ERR_BAD_VALUE);
	ck_assert_int_eq(read_altered("\"gid\":1002", "\"gid\":-1"), ERR_BAD_VALUE);
	ck_assert_int_eq(read_altered("\"pid\":4711", "\"pid\":2147483648"), ERR_BAD_VALUE);
	ck_assert_int_eq(read_altered("\"pid\":4711", "\"pid\":-2147483649"), ERR_BAD_VALUE);
	ck_assert_int_eq(read_altered("\"repeats\":1", "\"repeats\":4294967296"), ERR_BAD_VALUE);
}
END_TEST

START_TEST(record_read_refuses_text_that_does_not_fit)
{
	char to[256];

	(void)snprintf(to, sizeof(to), "%0*d", RECORD_WORD_BYTES - 1, 0);
	ck_assert_int_eq(read_altered("env.fetch", to), OK);
	(void)snprintf(to, sizeof(to), "%0*d", RECORD_WORD_BYTES, 0);
	ck_assert_int_eq(read_altered("env.fetch", to), ERR_BAD_VALUE);
	(void)snprintf(to, sizeof(to), "%0*d", RECORD_DETAIL_BYTES, 0);
	ck_assert_int_eq(read_altered("a constant sentence", to), ERR_BAD_VALUE);
}
END_TEST

START_TEST(record_read_refuses_another_form_of_time)
{
	static const char *const times[] = {"2026-11-22T09:30:00Z", "2026-11-22T09:30:00.1Z",
		"2026-11-22T09:30:00.123", "2026-11-22T09:30:00.123z", "2026-13-22T09:30:00.123Z", ""};

	for (size_t i = 0; i < COUNT(times); i++)
		ck_assert_msg(
			read_altered("2026-11-22T09:30:00.123Z", times[i]) == ERR_BAD_VALUE, "%s", times[i]);
}
END_TEST

START_TEST(record_read_refuses_what_is_not_a_hash_in_hex)
{
	static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
	static const char *const hashes[] = {"", "00",
		"000000000000000000000000000000000000000000000000000000000000000",
		"00000000000000000000000000000000000000000000000000000000000000000",
		"000000000000000000000000000000000000000000000000000000000000000g",
		"000000000000000000000000000000000000000000000000000000000000000A"};

	for (size_t i = 0; i < COUNT(hashes); i++)
		ck_assert_msg(read_altered(zeros, hashes[i]) == ERR_BAD_VALUE, "%s", hashes[i]);
	ck_assert_int_eq(read_altered(zeros, zeros), OK);
}
END_TEST

START_TEST(record_read_refuses_what_is_no_object)
{
	struct json_doc doc = {.text = "[]", .count = 0};
	struct json_token array = {.type = JSON_ARRAY, .len = 2, .next = 1};
	struct record out = {0};

	ck_assert_int_eq(record_read(&doc, &array, &out), ERR_BAD_VALUE);
	ck_assert_int_eq(record_read(&doc, NULL, &out), ERR_BAD_VALUE);
}
END_TEST

#define CHANGED(change) \
	do { \
		struct record record = sample(); \
		ck_assert(record_is_sealed(&record)); \
		change; \
		ck_assert_msg(!record_is_sealed(&record), #change); \
	} while (0)

/* P7: there is no field that could be changed unseen. */
START_TEST(record_hash_covers_every_field)
{
	CHANGED(record.seq++);
	CHANGED(record.seq |= UINT64_C(1) << 63);
	CHANGED(record.time_ms++);
	CHANGED(record.kind[0]++);
	CHANGED(record.outcome[1]++);
	CHANGED(record.uid++);
	CHANGED(record.gid++);
	CHANGED(record.pid = -record.pid);
	CHANGED(record.unit[0]++);
	CHANGED(record.integration[0]++);
	CHANGED(record.key[0] = '\0');
	CHANGED(record.version++);
	CHANGED(record.object++);
	CHANGED(record.run[25]++);
	CHANGED(record.subject.len--);
	CHANGED(record.subject.text = "A=3 B=2");
	CHANGED(record.repeats++);
	CHANGED(record.detail[0] = '\0');
	CHANGED(record.previous[31] ^= 1);
	CHANGED(record.hash[0] ^= 0x80);
}
END_TEST

/* Text may not move from one field to the next. */
START_TEST(record_hash_keeps_fields_apart)
{
	struct record one = sample();
	struct record other = sample();

	(void)strcpy(one.unit, "ab");
	(void)strcpy(one.integration, "c");
	(void)strcpy(other.unit, "a");
	(void)strcpy(other.integration, "bc");
	record_seal(&one);
	record_seal(&other);
	ck_assert_mem_ne(one.hash, other.hash, sizeof(one.hash));
}
END_TEST

/* Computed by an implementation of its own: make_vectors.py. */
START_TEST(record_hash_is_the_one_of_the_format)
{
	struct record first = sample();
	struct record second = {.seq = 2, .kind = "daemon.start", .outcome = "ok", .pid = -1};
	unsigned char expected[RECORD_HASH_BYTES];

	ck_assert_int_eq(
		hex_decode(VECTOR_RECORD_FIRST, strlen(VECTOR_RECORD_FIRST), expected, sizeof(expected)), OK);
	ck_assert_mem_eq(first.hash, expected, sizeof(expected));
	memcpy(second.previous, first.hash, sizeof(second.previous));
	record_seal(&second);
	ck_assert_int_eq(
		hex_decode(VECTOR_RECORD_SECOND, strlen(VECTOR_RECORD_SECOND), expected, sizeof(expected)),
		OK);
	ck_assert_mem_eq(second.hash, expected, sizeof(expected));
}
END_TEST

START_TEST(record_write_names_every_field_in_order)
{
	static const char *const names[] = {"seq", "time", "kind", "outcome", "uid", "gid", "pid", "unit",
		"integration", "key", "version", "object", "run", "subject", "repeats", "detail", "previous",
		"hash"};
	struct record record = sample();
	char json[JSON_BYTES];

	write_text(&record, json, sizeof(json));

	cJSON *object = cJSON_Parse(json);
	const cJSON *item = object->child;

	for (size_t i = 0; i < COUNT(names); i++, item = item->next)
		ck_assert_str_eq(item->string, names[i]);
	ck_assert_ptr_null(item);
	ck_assert_str_eq(
		cJSON_GetObjectItemCaseSensitive(object, "time")->valuestring, "2026-11-22T09:30:00.123Z");
	ck_assert_int_eq(cJSON_GetObjectItemCaseSensitive(object, "pid")->valueint, 4711);
	cJSON_Delete(object);
}
END_TEST

static void check_round_trip(const struct record *record)
{
	struct record back = {0};
	char json[JSON_BYTES];

	write_text(record, json, sizeof(json));
	ck_assert_int_eq(read_text(json, strlen(json), &back), OK);
	ck_assert(record_is_sealed(&back));
	ck_assert_mem_eq(back.hash, record->hash, sizeof(back.hash));
	ck_assert_mem_eq(back.previous, record->previous, sizeof(back.previous));
	ck_assert_str_eq(back.detail, record->detail);
}

static void fill(char *text, size_t size)
{
	memset(text, 'x', size - 1);
	text[size - 1] = '\0';
}

START_TEST(record_read_refuses_a_subject_with_escapes)
{
	struct record record = sample();
	struct record back = {0};
	char json[JSON_BYTES];

	record.subject = (struct record_subject){"A\"B", 3};
	record_seal(&record);
	write_text(&record, json, sizeof(json));
	ck_assert_int_eq(read_text(json, strlen(json), &back), ERR_BAD_VALUE);
}
END_TEST

START_TEST(record_comes_back_as_it_was_written)
{
	static char subject[RECORD_SUBJECT_BYTES_MAX + 1];
	struct record record = sample();
	struct record empty = {0};
	struct record longest = {.seq = (UINT64_C(1) << 53) - 1,
		.time_ms = 253402300799999,
		.uid = UINT32_MAX,
		.gid = UINT32_MAX,
		.pid = INT32_MIN,
		.version = (UINT64_C(1) << 53) - 1,
		.repeats = UINT32_MAX};

	fill(longest.kind, sizeof(longest.kind));
	fill(longest.outcome, sizeof(longest.outcome));
	fill(longest.unit, sizeof(longest.unit));
	fill(longest.integration, sizeof(longest.integration));
	fill(longest.key, sizeof(longest.key));
	fill(longest.run, sizeof(longest.run));
	fill(longest.detail, sizeof(longest.detail));
	fill(subject, sizeof(subject));
	longest.subject = (struct record_subject){subject, sizeof(subject) - 1};
	memset(longest.previous, 0xff, sizeof(longest.previous));
	record_seal(&empty);
	record_seal(&longest);
	check_round_trip(&record);
	check_round_trip(&empty);
	check_round_trip(&longest);
}
END_TEST

UNIT_MAIN("record", record_read_refuses_a_subject_with_escapes,
	record_read_refuses_a_missing_or_unknown_field, record_read_refuses_other_types,
	record_read_refuses_numbers_that_do_not_fit, record_read_refuses_text_that_does_not_fit,
	record_read_refuses_another_form_of_time, record_read_refuses_what_is_not_a_hash_in_hex,
	record_read_refuses_what_is_no_object, record_hash_covers_every_field, record_hash_keeps_fields_apart,
	record_hash_is_the_one_of_the_format, record_write_names_every_field_in_order,
	record_comes_back_as_it_was_written)
