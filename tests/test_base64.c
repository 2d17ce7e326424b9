/* Base64 and hex: one value, one encoding. */
#include <string.h>

#include "base64.h"
#include "random.h"
#include "unit.h"

static enum err decode(const char *text, unsigned char *out, size_t cap, size_t *len_out)
{
	return base64_decode(text, strlen(text), out, cap, len_out);
}

START_TEST(base64_refuses_what_is_not_canonical)
{
	static const char *const texts[] = {
		"Z",
		"Zg",
		"Zg=",
		"Zg===",
		"=",
		"==",
		"===",
		"====",
		"Z===",
		"Zm9v=",
		"Zm9vZg", /* length and padding */
		"Zg==Zm9v",
		"Zg=v",
		"=g==",
		"Zm=v", /* padding inside */
		"Zh==",
		"Zi==",
		"Z/==",
		"Zm9=",
		"Zm+=",
		"Zm8=Zm8=", /* bits that belong to no byte */
		"Zm9v\n",
		"Zm9 ",
		" Zm9",
		"Zm\n9",
		"\tm9v",
		"Zm9v    ",
		"Zm9v\r\n\r\n", /* white space */
		"Zm9-",
		"Zm9_",
		"Zm9.",
		"Zm9,",
		"Zm9@",
		"Zm9[",
		"Zm9`",
		"Zm9{",
		"Zm9:",
		"Zm9\x80",
		"Zm9\xff",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		unsigned char out[32] = {0};
		size_t len = 99;

		ck_assert_msg(
			decode(texts[i], out, sizeof(out), &len) == ERR_BAD_VALUE, "accepted: %s", texts[i]);
		ck_assert_uint_eq(len, 99);
	}
	unsigned char out[3] = {0};
	size_t len = 99;

	ck_assert_int_eq(base64_decode("Zm9\0", 4, out, sizeof(out), &len), ERR_BAD_VALUE);
}
END_TEST

START_TEST(base64_knows_64_digits_and_no_other_byte)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (int byte = 0; byte < 256; byte++) {
		char text[4] = {'A', 'A', 'A', (char)byte};
		const char *digit = byte == 0 ? NULL : strchr(digits, byte);
		unsigned char out[3] = {0};
		size_t len = 0;
		enum err err = base64_decode(text, sizeof(text), out, sizeof(out), &len);

		if (digit == NULL && byte != '=') {
			ck_assert_int_eq(err, ERR_BAD_VALUE);
			continue;
		}
		ck_assert_int_eq(err, OK);
		ck_assert_uint_eq(out[len - 1], digit == NULL ? 0 : (size_t)(digit - digits));
	}
}
END_TEST

START_TEST(base64_refuses_more_than_fits)
{
	unsigned char out[4] = {1, 2, 3, 4};
	size_t len = 0;

	ck_assert_int_eq(decode("Zm9v", out, 2, &len), ERR_TOO_LARGE);
	ck_assert_int_eq(decode("Zm8=", out, 1, &len), ERR_TOO_LARGE);
	ck_assert_int_eq(decode("Zg==", out, 0, &len), ERR_TOO_LARGE);
	ck_assert_mem_eq(out, "\1\2\3\4", 4);
	ck_assert_int_eq(decode("Zm9v", out, 3, &len), OK);
	ck_assert_uint_eq(out[3], 4);
}
END_TEST

START_TEST(hex_refuses_upper_case_odd_lengths_and_other_bytes)
{
	static const char *const texts[] = {
		"0", "000", "00000", "0A", "0g", "g0", " 0", "0x", "0\xb0", "0`", "0/", "0:"};
	unsigned char out[1] = {0};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(hex_decode(texts[i], strlen(texts[i]), out, sizeof(out)) == ERR_BAD_VALUE,
			"accepted: %s", texts[i]);
	ck_assert_int_eq(hex_decode("00ff", 4, out, 1), ERR_BAD_VALUE);
	ck_assert_int_eq(hex_decode("", 0, out, 1), ERR_BAD_VALUE);
}
END_TEST

START_TEST(base64_follows_the_vectors_of_rfc_4648)
{
	static const char *const vectors[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
		{"\xfb\xff\xbf", "+/+/"}};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		size_t len = strlen(vectors[i][0]);
		char text[16] = {0};
		unsigned char bytes[8] = {0};
		size_t bytes_len = 99;

		ck_assert_uint_eq(base64_encoded_len(len), strlen(vectors[i][1]));
		base64_encode((const unsigned char *)vectors[i][0], len, text);
		ck_assert_str_eq(text, vectors[i][1]);
		ck_assert_int_eq(decode(vectors[i][1], bytes, len, &bytes_len), OK);
		ck_assert_uint_eq(bytes_len, len);
		ck_assert_str_eq((char *)bytes, vectors[i][0]);
	}
}
END_TEST

START_TEST(base64_and_hex_give_back_what_they_were_given_in_place_too)
{
	struct random random = {.state = 1};

	for (size_t len = 0; len < 300; len++) {
		unsigned char bytes[300] = {0};
		char text[600] = {0};
		unsigned char decoded[300] = {0};
		size_t decoded_len = 0;

		for (size_t i = 0; i < len; i++)
			bytes[i] = (unsigned char)random_next(&random);
		hex_encode(bytes, len, text);
		ck_assert_int_eq(hex_decode(text, 2 * len, decoded, len), OK);
		ck_assert_mem_eq(decoded, bytes, len);
		base64_encode(bytes, len, text);
		ck_assert_int_eq(base64_decode(text, base64_encoded_len(len), (unsigned char *)text, len,
					 &decoded_len),
			OK);
		ck_assert_uint_eq(decoded_len, len);
		ck_assert_mem_eq(text, bytes, len);
	}
}
END_TEST

UNIT_MAIN("base64", base64_refuses_what_is_not_canonical, base64_knows_64_digits_and_no_other_byte,
	base64_refuses_more_than_fits, hex_refuses_upper_case_odd_lengths_and_other_bytes,
	base64_follows_the_vectors_of_rfc_4648, base64_and_hex_give_back_what_they_were_given_in_place_too)
