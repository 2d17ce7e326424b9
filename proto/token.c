/*
 * The text of an access token and back.  No branch and no memory address depends on a digit or byte of the secret, so
 * that who shares the processor's caches learns nothing (P1).
 */
#include <string.h>

#include "base64.h"
#include "locked.h"
#include "token.h"

static const char prefix[] = "coffer_";

enum {
	PREFIX_BYTES = sizeof(prefix) - 1,
	ID_DIGITS_MAX = 16,
	CHECKSUM_BYTES = 4,
	CHECKSUM_DIGITS = 2 * CHECKSUM_BYTES,
	TAIL_BYTES = 1 + TOKEN_SECRET_DIGITS + 1 + CHECKSUM_DIGITS, /* all behind the id */
	SPARE_BITS = 5 * TOKEN_SECRET_DIGITS - 8 * TOKEN_SECRET_BYTES,
};

/* Crockford's digits leave out i, l, o and u. */
static const struct {
	uint32_t first, last;
	uint32_t value;
} ranges[] = {{'0', '9', 0}, {'a', 'h', 10}, {'j', 'k', 18}, {'m', 'n', 20}, {'p', 't', 22}, {'v', 'z', 27}};

enum { RANGES = sizeof(ranges) / sizeof(ranges[0]), NO_DIGIT = 32 };

/* All ones when low <= value <= high, else 0; arguments below 2^16. */
static uint32_t mask_in(uint32_t value, uint32_t low, uint32_t high)
{
	return (((value - low) | (high - value)) >> 31) - 1;
}

static char encode_five(uint32_t value)
{
	uint32_t digit = 0;

	for (size_t i = 0; i < RANGES; i++) {
		uint32_t candidate = value - ranges[i].value + ranges[i].first;

		digit |= mask_in(candidate, ranges[i].first, ranges[i].last) & candidate;
	}
	return (char)digit;
}

/* 0 … 31, or with NO_DIGIT's bit set. */
static uint32_t decode_five(char digit)
{
	uint32_t byte = (unsigned char)digit;
	uint32_t value = 0;
	uint32_t known = 0;

	for (size_t i = 0; i < RANGES; i++) {
		uint32_t mask = mask_in(byte, ranges[i].first, ranges[i].last);

		known |= mask;
		value |= mask & (byte - ranges[i].first + ranges[i].value);
	}
	return value | (~known & NO_DIGIT);
}

static void encode_secret(const unsigned char secret[TOKEN_SECRET_BYTES], char *out)
{
	uint32_t bits = 0;
	unsigned count = 0;

	for (size_t i = 0; i < TOKEN_SECRET_BYTES; i++) {
		bits = bits << 8 | secret[i];
		for (count += 8; count >= 5; count -= 5)
			*out++ = encode_five(bits >> (count - 5) & 31);
	}
	*out = encode_five(bits << SPARE_BITS & 31);
}

/* Returns 0, or a fault.  out may be NULL. */
static uint32_t decode_secret(const char *text, unsigned char *out)
{
	uint32_t bits = 0;
	uint32_t faults = 0;
	unsigned count = 0;

	for (size_t i = 0; i < TOKEN_SECRET_DIGITS; i++) {
		uint32_t five = decode_five(text[i]);

		faults |= five & NO_DIGIT;
		bits = bits << 5 | (five & 31);
		count += 5;
		if (count < 8)
			continue;
		count -= 8;
		if (out != NULL)
			*out++ = (unsigned char)(bits >> count);
	}
	return faults | (bits & ((1u << SPARE_BITS) - 1));
}

static void checksum(const char *text, size_t len, char out[CHECKSUM_DIGITS])
{
	unsigned char bytes[CHECKSUM_BYTES] = {0};
	uint32_t crc = ~0u;

	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned char)text[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
	}
	crc = ~crc;
	for (size_t i = 0; i < CHECKSUM_BYTES; i++)
		bytes[i] = (unsigned char)(crc >> (24 - 8 * i));
	hex_encode(bytes, sizeof(bytes), out);
}

static size_t write_id(uint64_t id, char *out)
{
	char digits[ID_DIGITS_MAX] = {0};
	size_t len = 0;

	for (; id > 0 && len < ID_DIGITS_MAX; id /= 10)
		digits[len++] = (char)('0' + id % 10);
	for (size_t i = 0; i < len; i++)
		out[i] = digits[len - 1 - i];
	return len;
}

size_t token_write(uint64_t id, const unsigned char secret[TOKEN_SECRET_BYTES], char out[TOKEN_TEXT_MAX])
{
	size_t len = PREFIX_BYTES;

	memcpy(out, prefix, PREFIX_BYTES);
	len += write_id(id, out + len);
	out[len++] = '_';
	encode_secret(secret, out + len);
	len += TOKEN_SECRET_DIGITS;
	checksum(out, len, out + len + 1);
	out[len] = '_';
	return len + 1 + CHECKSUM_DIGITS;
}

static enum err read_id(const char *text, size_t len, uint64_t *id_out)
{
	uint64_t id = 0;

	if (len == 0 || len > ID_DIGITS_MAX || text[0] == '0')
		return ERR_BAD_VALUE;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return ERR_BAD_VALUE;
		id = 10 * id + (uint64_t)(text[i] - '0');
	}
	if (id > TOKEN_ID_MAX)
		return ERR_BAD_VALUE;
	*id_out = id;
	return OK;
}

enum err token_read(const char *text, size_t len, uint64_t *id_out, unsigned char *secret_out)
{
	char wanted[CHECKSUM_DIGITS] = {0};
	uint64_t id = 0;

	if (len < PREFIX_BYTES + TAIL_BYTES || len > TOKEN_TEXT_MAX ||
		memcmp(text, prefix, PREFIX_BYTES) != 0)
		return ERR_BAD_VALUE;

	const char *tail = text + len - TAIL_BYTES;
	const char *end = tail + 1 + TOKEN_SECRET_DIGITS;

	if (*tail != '_' || *end != '_' ||
		read_id(text + PREFIX_BYTES, (size_t)(tail - text) - PREFIX_BYTES, &id) != OK)
		return ERR_BAD_VALUE;
	checksum(text, (size_t)(end - text), wanted);
	if (memcmp(wanted, end + 1, CHECKSUM_DIGITS) != 0)
		return ERR_BAD_VALUE;
	if (decode_secret(tail + 1, secret_out) != 0) {
		if (secret_out != NULL)
			wipe(secret_out, TOKEN_SECRET_BYTES);
		return ERR_BAD_VALUE;
	}
	*id_out = id;
	return OK;
}
