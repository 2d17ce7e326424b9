/*
 * Base64 and hex.  Values pass through here, so no branch and no memory address depends on a digit: what
 * is compared and looked up elsewhere is computed here (P1).  One value has one encoding: everything else is refused.
 */
#include <stdint.h>

#include "base64.h"

/* All ones when low <= value <= high, else 0; arguments below 2^16. */
static uint32_t mask_in(uint32_t value, uint32_t low, uint32_t high)
{
	return (((value - low) | (high - value)) >> 31) - 1;
}

static char encode_six(uint32_t value)
{
	return (char)((mask_in(value, 0, 25) & (value + 'A')) |
		      (mask_in(value, 26, 51) & (value - 26 + 'a')) |
		      (mask_in(value, 52, 61) & (value - 52 + '0')) | (mask_in(value, 62, 62) & '+') |
		      (mask_in(value, 63, 63) & '/'));
}

/* 0 … 63, or 64 and more for a byte that is no digit. */
static uint32_t decode_six(char digit)
{
	uint32_t byte = (unsigned char)digit;
	uint32_t upper = mask_in(byte, 'A', 'Z');
	uint32_t lower = mask_in(byte, 'a', 'z');
	uint32_t number = mask_in(byte, '0', '9');
	uint32_t plus = mask_in(byte, '+', '+');
	uint32_t slash = mask_in(byte, '/', '/');

	return (upper & (byte - 'A')) | (lower & (byte - 'a' + 26)) | (number & (byte - '0' + 52)) |
	       (plus & 62) | (slash & 63) | (~(upper | lower | number | plus | slash) & 64);
}

size_t base64_encoded_len(size_t len)
{
	return (len / 3 + (len % 3 != 0)) * 4;
}

void base64_encode(const unsigned char *bytes, size_t len, char *out)
{
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
				 (left > 2 ? (uint32_t)bytes[i + 2] : 0);

		*out++ = encode_six(group >> 18);
		*out++ = encode_six(group >> 12 & 63);
		*out++ = left > 1 ? encode_six(group >> 6 & 63) : '=';
		*out++ = left > 2 ? encode_six(group & 63) : '=';
	}
}

enum err base64_decode(const char *text, size_t len, unsigned char *out, size_t cap, size_t *len_out)
{
	if (len % 4 != 0)
		return ERR_BAD_VALUE;

	size_t padding = len == 0 ? 0 : text[len - 1] != '=' ? 0 : text[len - 2] != '=' ? 1 : 2;
	size_t digits = len - padding;
	size_t decoded = len / 4 * 3 - padding;
	size_t written = 0;
	uint32_t bits = 0;
	uint32_t faults = 0;

	if (decoded > cap)
		return ERR_TOO_LARGE;
	for (size_t i = 0; i < digits; i++) {
		uint32_t six = decode_six(text[i]);

		faults |= six & 64;
		bits = bits << 6 | (six & 63);
		if (i % 4 != 0)
			out[written++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
	}
	/* The last digit before padding carries 4 or 2 bits that belong to no byte. */
	faults |= padding == 2 ? bits & 15 : padding == 1 ? bits & 3 : 0;
	if (faults != 0)
		return ERR_BAD_VALUE;
	*len_out = decoded;
	return OK;
}

static char encode_four(uint32_t value)
{
	return (char)((mask_in(value, 0, 9) & (value + '0')) | (mask_in(value, 10, 15) & (value - 10 + 'a')));
}

/* 0 … 15, or 16 for a byte that is no digit. */
static uint32_t decode_four(char digit)
{
	uint32_t byte = (unsigned char)digit;
	uint32_t number = mask_in(byte, '0', '9');
	uint32_t letter = mask_in(byte, 'a', 'f');

	return (number & (byte - '0')) | (letter & (byte - 'a' + 10)) | (~(number | letter) & 16);
}

void hex_encode(const unsigned char *bytes, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++) {
		*out++ = encode_four(bytes[i] >> 4);
		*out++ = encode_four(bytes[i] & 15);
	}
}

enum err hex_decode(const char *text, size_t text_len, unsigned char *out, size_t out_len)
{
	uint32_t faults = 0;

	if (text_len % 2 != 0 || text_len / 2 != out_len)
		return ERR_BAD_VALUE;
	for (size_t i = 0; i < out_len; i++) {
		uint32_t high = decode_four(text[2 * i]);
		uint32_t low = decode_four(text[2 * i + 1]);

		faults |= (high | low) & 16;
		out[i] = (unsigned char)((high & 15) << 4 | (low & 15));
	}
	return faults == 0 ? OK : ERR_BAD_VALUE;
}
