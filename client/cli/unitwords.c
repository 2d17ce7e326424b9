/*
 * Splits what stands behind Environment= exactly as systemd does (systemd.syntax(7), systemd.exec(5)), in place,
 * because the words are values (P1).  What systemd would drop with a warning is an error here.
 */
#include "unitwords.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);

	return digit == NULL ? -1 : (int)(digit - digits);
}

/* Reads exactly count digits of a base; false when there are fewer. */
static bool read_code(const char *text, size_t count, int base, uint32_t *out)
{
	uint32_t code = 0;

	for (size_t i = 0; i < count; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0 || digit >= base)
			return false;
		code = code * (uint32_t)base + (uint32_t)digit;
	}
	*out = code;
	return true;
}

static size_t write_utf8(uint32_t code, char *out)
{
	static const unsigned char leads[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
	size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	for (size_t i = len - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	out[0] = (char)(leads[len] | code);
	return len;
}

static bool is_character(uint32_t code)
{
	return code != 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/* \xHH and \OOO are bytes, \uHHHH and \UHHHHHHHH characters.  Length of the escape behind its backslash, or 0. */
static size_t read_number(const char *text, char *out, size_t *written)
{
	uint32_t code = 0;

	if (text[0] == 'x' || (text[0] >= '0' && text[0] <= '7')) {
		bool is_hex = text[0] == 'x';

		if (!read_code(is_hex ? text + 1 : text, is_hex ? 2 : 3, is_hex ? 16 : 8, &code) ||
			code == 0 || code > 255)
			return 0;
		*out = (char)(unsigned char)code;
		*written = 1;
		return 3;
	}

	size_t digits = text[0] == 'u' ? 4 : 8;

	if ((text[0] != 'u' && text[0] != 'U') || !read_code(text + 1, digits, 16, &code) ||
		!is_character(code))
		return 0;
	*written = write_utf8(code, out);
	return 1 + digits;
}

static size_t read_escape(const char *text, char *out, size_t *written)
{
	static const char letters[] = "abfnrtv\\\"'s";
	static const char meanings[] = "\a\b\f\n\r\t\v\\\"' ";
	const char *letter = text[0] == '\0' ? NULL : strchr(letters, text[0]);

	if (letter == NULL)
		return read_number(text, out, written);
	*out = meanings[letter - letters];
	*written = 1;
	return 1;
}

char *unitwords_next(char **at, size_t *len_out, const char **why_out)
{
	static const char spaces[] = " \t\n\r";
	char *from = *at + strspn(*at, spaces);
	char *word = from;
	char *to = from;
	char quote = '\0';

	*why_out = NULL;
	if (*from == '\0')
		return NULL;
	for (; *from != '\0' && (quote != '\0' || strchr(spaces, *from) == NULL); from++) {
		size_t written = 0;

		if (*from == '\\') {
			size_t taken = read_escape(from + 1, to, &written);

			*why_out = "an escape that systemd does not know";
			if (taken == 0)
				return NULL;
			from += taken;
			to += written;
		} else if (quote == '\0' && (*from == '\'' || *from == '"')) {
			quote = *from;
		} else if (*from == quote) {
			quote = '\0';
		} else {
			*to++ = *from;
		}
	}
	*why_out = quote == '\0' ? NULL : "a quote that is not closed";
	*at = from;
	*len_out = (size_t)(to - word);
	return quote == '\0' ? word : NULL;
}

const char *unitwords_expand(char *word, size_t *len)
{
	size_t to = 0;

	for (size_t from = 0; from < *len; from++) {
		if (word[from] == '%') {
			from++;
			if (from == *len || word[from] != '%')
				return "a % specifier: only the service manager knows what it stands for (%% "
				       "is a plain %)";
		}
		word[to++] = word[from];
	}
	*len = to;
	return NULL;
}
