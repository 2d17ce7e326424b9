/*
 * Text inside a line of JSON: UTF-8 as RFC 3629 has it, escapes as RFC 8259 has them, no NUL in any form.  Most
 * bytes of most lines pass here, eight at a time.  Not valid is all it says; what to do about it is the caller's.
 */
#include <string.h>

#include "gate.h"

/* A word with this byte in each of its eight places. */
static uint64_t in_all(unsigned char byte)
{
	return 0x0101010101010101u * byte;
}

static bool has_zero_byte(uint64_t word)
{
	return ((word - in_all(0x01)) & ~word & in_all(0x80)) != 0;
}

/* True when none of eight bytes ends a run of plain text: control, quote, backslash, or not ASCII. */
static bool is_plain_word(const char *text)
{
	uint64_t word = 0;

	memcpy(&word, text, sizeof(word));
	return (((word - in_all(0x20)) | word) & in_all(0x80)) == 0 && !has_zero_byte(word ^ in_all('"')) &&
	       !has_zero_byte(word ^ in_all('\\'));
}

static bool is_plain(char byte)
{
	return (unsigned char)byte >= 0x20 && (unsigned char)byte < 0x80 && byte != '"' && byte != '\\';
}

/* Bytes of plain text from text on; the hot path of the gate. */
static size_t plain_len(const char *text, size_t len)
{
	size_t at = 0;

	while (len - at >= sizeof(uint64_t) && is_plain_word(text + at))
		at += sizeof(uint64_t);
	while (at < len && is_plain(text[at]))
		at++;
	return at;
}

static bool is_in(char byte, unsigned char low, unsigned char high)
{
	return (unsigned char)byte >= low && (unsigned char)byte <= high;
}

/* Bytes of the character that is not ASCII at text, or 0: RFC 3629, so no overlongs and no surrogates. */
static size_t utf8_len(const char *text, size_t len)
{
	unsigned char lead = (unsigned char)text[0];
	size_t need = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	if (!is_in(text[0], 0xc2, 0xf4) || len < need)
		return 0;
	if (!is_in(text[1],
		    lead == 0xe0   ? 0xa0
		    : lead == 0xf0 ? 0x90
				   : 0x80,
		    lead == 0xed   ? 0x9f
		    : lead == 0xf4 ? 0x8f
				   : 0xbf))
		return 0;
	for (size_t i = 2; i < need; i++) {
		if (!is_in(text[i], 0x80, 0xbf))
			return 0;
	}
	return need;
}

/* The four digits behind \u, or false. */
static bool read_hex4(const char *text, size_t len, uint32_t *out)
{
	uint32_t code = 0;

	if (len < 6 || text[0] != '\\' || text[1] != 'u')
		return false;
	for (size_t i = 2; i < 6; i++) {
		if (is_in(text[i], '0', '9'))
			code = code << 4 | (uint32_t)(text[i] - '0');
		else if (is_in((char)(text[i] | 0x20), 'a', 'f'))
			code = code << 4 | (uint32_t)((text[i] | 0x20) - 'a' + 10);
		else
			return false;
	}
	*out = code;
	return true;
}

size_t gate_escape(const char *text, size_t len, uint32_t *code_out)
{
	static const unsigned char meanings[256] = {['"'] = '"',
		['\\'] = '\\',
		['/'] = '/',
		['b'] = '\b',
		['f'] = '\f',
		['n'] = '\n',
		['r'] = '\r',
		['t'] = '\t'};
	unsigned char meaning = len >= 2 ? meanings[(unsigned char)text[1]] : 0;
	uint32_t high = 0;
	uint32_t low = 0;

	if (meaning != 0) {
		*code_out = meaning;
		return 2;
	}
	if (!read_hex4(text, len, &high) || high == 0)
		return 0;
	if (high < 0xd800 || high > 0xdfff) {
		*code_out = high;
		return 6;
	}
	if (high > 0xdbff || !read_hex4(text + 6, len - 6, &low) || low < 0xdc00 || low > 0xdfff)
		return 0;
	*code_out = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	return 12;
}

bool gate_string_end(const char *text, size_t len, size_t *len_out, bool *has_escape_out)
{
	bool has_escape = false;
	size_t at = 0;

	while (at < len && text[at] != '"') {
		uint32_t code = 0;
		size_t taken = 0;

		if (is_plain(text[at])) {
			taken = plain_len(text + at, len - at);
		} else if (text[at] == '\\') {
			taken = gate_escape(text + at, len - at, &code);
			has_escape = true;
		} else {
			taken = utf8_len(text + at, len - at);
		}
		if (taken == 0)
			return false;
		at += taken;
	}
	if (at == len)
		return false;
	*len_out = at;
	*has_escape_out = has_escape;
	return true;
}

bool gate_is_utf8(const char *text, size_t len)
{
	size_t at = 0;

	while (at < len) {
		size_t taken = plain_len(text + at, len - at);

		if (taken == 0)
			taken = (unsigned char)text[at] < 0x80 ? text[at] != '\0'
							       : utf8_len(text + at, len - at);
		if (taken == 0)
			return false;
		at += taken;
	}
	return true;
}
