/*
 * The checkpoint's text: one form, a signature over all of it, and the vectors of RFC 8032 behind it; the header and
 * checkpoint lines of files.
 */
#include <stdio.h>
#include <string.h>

#include "base64.h"
#include "gate.h"
#include "keys.h"
#include "segment.h"
#include "unit.h"
#include "vectors/vectors.h"

#define ck_ok(expression) ck_assert_int_eq((int)(expression), (int)OK)
#define ck_bad(expression) ck_assert_int_eq((int)(expression), (int)ERR_BAD_VALUE)

/* Signed by another implementation: vectors/make_vectors.py. */
static const char vector[] = VECTOR_CHECKPOINT;

static struct checkpoint made(void)
{
	struct checkpoint checkpoint = {
		.host = "ledger.example", .seq = 4711, .time_ms = 1795339800123, .epoch = 1};

	memset(checkpoint.vault, 0xab, sizeof(checkpoint.vault));
	memset(checkpoint.hash, 0xcd, sizeof(checkpoint.hash));
	return checkpoint;
}

/* P7 */
START_TEST(the_text_of_another_implementation_is_read_and_its_signature_holds)
{
	struct checkpoint checkpoint = {0};
	struct checkpoint expected = made();
	char fingerprint[CHECKPOINT_FINGERPRINT_BYTES] = "";

	ck_ok(checkpoint_read(vector, strlen(vector), &checkpoint));
	ck_assert(checkpoint_is_signed(&checkpoint));
	ck_assert_uint_eq(checkpoint.seq, 4711);
	ck_assert_str_eq(checkpoint.host, "ledger.example");
	ck_assert_int_eq(checkpoint.time_ms, expected.time_ms);
	ck_assert_mem_eq(checkpoint.vault, expected.vault, sizeof(expected.vault));
	ck_assert_mem_eq(checkpoint.hash, expected.hash, sizeof(expected.hash));
	checkpoint_fingerprint(checkpoint.key, fingerprint);
	ck_assert_str_eq(fingerprint, VECTOR_CHECKPOINT_FINGERPRINT);
}
END_TEST

/* Whatever byte is another: no checkpoint, or one whose signature does not hold.  P7 */
START_TEST(no_changed_byte_goes_unseen)
{
	size_t len = strlen(vector);
	char text[CHECKPOINT_TEXT_BYTES];
	struct checkpoint checkpoint = {0};

	for (size_t i = 0; i < len; i++) {
		for (unsigned char bit = 1; bit != 0; bit = (unsigned char)(bit << 1)) {
			memcpy(text, vector, len);
			text[i] = (char)(text[i] ^ (char)bit);
			if (checkpoint_read(text, len, &checkpoint) == OK)
				ck_assert(!checkpoint_is_signed(&checkpoint));
		}
	}
}
END_TEST

START_TEST(another_form_of_the_same_is_refused)
{
	static const char *const forms[][2] = {{"seq 4711", "seq 04711"}, {"seq 4711", "seq +4711"},
		{"seq 4711", "seq  4711"}, {"host ledger", "host led ger"},
		{"host ledger.example\n", "host \n"}, {"epoch 1\n", "epoch 1\r\n"}, {"epoch 1\n", ""},
		{"checkpoint 1", "checkpoint 2"}, {".123Z", "Z"}, {".123Z", ".1234Z"}, {"cdcd", "CDCD"},
		{"seq 4711", "seq 99999999999999999999"}};
	struct checkpoint checkpoint = {0};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		char text[2 * CHECKPOINT_TEXT_BYTES] = "";
		const char *at = strstr(vector, forms[i][0]);

		ck_assert_ptr_nonnull(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - vector), vector, forms[i][1],
			at + strlen(forms[i][0]));
		ck_bad(checkpoint_read(text, strlen(text), &checkpoint));
	}
	for (size_t len = 0; len < strlen(vector); len++)
		ck_bad(checkpoint_read(vector, len, &checkpoint));

	char longer[CHECKPOINT_TEXT_BYTES] = "";

	snprintf(longer, sizeof(longer), "%s\n", vector);
	ck_bad(checkpoint_read(longer, strlen(longer), &checkpoint));
}
END_TEST

START_TEST(a_hosts_name_becomes_one_word)
{
	char out[CHECKPOINT_HOST_BYTES] = "";

	checkpoint_set_host(out, "a b\n\"\x1b[31m");
	ck_assert_str_eq(out, "a-b----31m");
	checkpoint_set_host(out, "");
	ck_assert_str_eq(out, "-");
	checkpoint_set_host(out, "0123456789012345678901234567890123456789012345678901234567890123456789");
	ck_assert_uint_eq(strlen(out), CHECKPOINT_HOST_BYTES - 1);
}
END_TEST

START_TEST(the_keyring_signs_what_its_public_key_verifies)
{
	unsigned char vault[VAULT_ID_BYTES] = {1};
	struct keys *keys = NULL;
	struct keys *others = NULL;
	struct checkpoint checkpoint = made();
	char bytes[CHECKPOINT_TEXT_BYTES];
	struct buf body = {0};

	ck_ok(crypto_start());
	ck_ok(keys_generate(vault, &keys));
	ck_ok(keys_generate(vault, &others));
	keys_public(keys, checkpoint.key);
	buf_init_fixed(&body, bytes, sizeof(bytes));
	checkpoint_write_body(&body, &checkpoint);
	keys_sign(keys, body.bytes, body.len, checkpoint.signature);
	ck_assert(checkpoint_is_signed(&checkpoint));
	keys_sign(others, body.bytes, body.len, checkpoint.signature);
	ck_assert(!checkpoint_is_signed(&checkpoint));
	keys_free(keys);
	keys_free(others);
}
END_TEST

static struct json_token tokens[64];

static struct json_doc scan(const struct buf *line)
{
	struct gate_limits limits = {.depth_max = 1, .tokens_max = 64, .keys_max = 64};
	struct json_doc doc = {.text = line->bytes, .tokens = tokens};

	ck_ok(gate_scan(line->bytes, line->len, &limits, tokens, &doc.count));
	return doc;
}

START_TEST(header_and_checkpoint_lines_are_read_as_they_were_written)
{
	BUF_AUTO line = {0};
	struct json_writer w = json_writer(&line);
	struct segment segment = {.host = "ledger", .from_seq = 12};
	struct segment read = {0};
	struct checkpoint checkpoint = {0};
	struct checkpoint again = {0};

	memset(segment.previous, 7, sizeof(segment.previous));
	segment_write_header(&w, &segment);

	struct json_doc doc = scan(&line);

	ck_assert(segment_is_header(&doc, tokens) && !segment_is_checkpoint(&doc, tokens));
	ck_ok(segment_read_header(&doc, tokens, &read));
	ck_assert_mem_eq(&read, &segment, sizeof(read));

	buf_clear(&line);
	w = json_writer(&line);
	segment.is_filtered = true;
	segment_write_header(&w, &segment);
	doc = scan(&line);
	ck_ok(segment_read_header(&doc, tokens, &read));
	ck_assert(read.is_filtered);

	buf_clear(&line);
	w = json_writer(&line);
	ck_ok(checkpoint_read(vector, strlen(vector), &checkpoint));
	segment_write_checkpoint(&w, &checkpoint);
	doc = scan(&line);
	ck_assert(segment_is_checkpoint(&doc, tokens) && !segment_is_header(&doc, tokens));
	ck_ok(segment_read_checkpoint(&doc, tokens, &again));
	ck_assert_mem_eq(&again, &checkpoint, sizeof(again));
}
END_TEST

START_TEST(a_header_of_another_kind_is_refused)
{
	static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
	static const struct {
		const char *format;
		enum err err;
	} headers[] = {
		{"{\"coffer_audit\":2}", ERR_UNSUPPORTED},
		{"{\"coffer_audit\":\"1\"}", ERR_BAD_VALUE},
		{"{\"coffer_audit\":1,\"host\":\"a\",\"vault\":\"%.32s\",\"from_seq\":0,\"previous\":\"%."
		 "64s\"}",
			ERR_BAD_VALUE},
		{"{\"coffer_audit\":1,\"host\":\"a\",\"vault\":\"%.30s\",\"from_seq\":1,\"previous\":\"%."
		 "64s\"}",
			ERR_BAD_VALUE},
		{"{\"coffer_audit\":1,\"host\":\"\\u001b\",\"vault\":\"%.32s\",\"from_seq\":1,\"previous\":"
		 "\"%.64s\"}",
			ERR_BAD_VALUE},
		{"{\"coffer_audit\":1,\"host\":\"a\",\"vault\":\"%.32s\",\"from_seq\":1,\"previous\":\"%."
		 "63s\"}",
			ERR_BAD_VALUE},
		{"{\"coffer_audit\":1,\"host\":\"a\",\"vault\":\"%.32s\",\"from_seq\":1,\"previous\":\"%."
		 "64s\","
		 "\"more\":1}",
			ERR_BAD_VALUE},
		{"{\"coffer_audit\":1,\"host\":\"a\",\"vault\":\"%.32s\",\"from_seq\":1,\"previous\":\"%."
		 "64s\"}",
			OK},
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		char text[400] = "";
		struct segment segment = {0};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), headers[i].format, zeros, zeros);
#pragma GCC diagnostic pop

		struct buf line = {.bytes = text, .len = strlen(text)};
		struct json_doc doc = scan(&line);

		ck_assert_int_eq((int)segment_read_header(&doc, tokens, &segment), (int)headers[i].err);
	}
}
END_TEST

UNIT_MAIN("checkpoint", the_text_of_another_implementation_is_read_and_its_signature_holds,
	no_changed_byte_goes_unseen, another_form_of_the_same_is_refused, a_hosts_name_becomes_one_word,
	the_keyring_signs_what_its_public_key_verifies,
	header_and_checkpoint_lines_are_read_as_they_were_written, a_header_of_another_kind_is_refused)
