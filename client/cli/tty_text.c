/*
 * The filter before the terminal.  Names, notes and error texts come from other people; escape sequences,
 * line breaks and direction overrides in them must not be able to draw a line that nobody wrote.
 * The result is unambiguous: a backslash that would read like one of our escapes is escaped itself.
 */
#include "tty_text.h"

#include <stdbool.h>
#include <stdint.h>

#include "gate.h"

/* Control characters, and what changes the direction or the number of lines without being seen. */
static const struct range {
	uint32_t first;
	uint32_t last;
} hidden[] = {
	{0x00, 0x1f}, /* C0 */
	{0x7f, 0x9f}, /* DEL, C1 */
	{0x061c, 0x061c}, /* Arabic letter mark */
	{0x200b, 0x200f}, /* zero width, direction marks */
	{0x2028, 0x202e}, /* line and paragraph separators, embeddings and overrides */
	{0x2060, 0x206f}, /* invisible operators, isolates */
	{0xfeff, 0xfeff}, /* byte order mark */
	{0xfff9, 0xfffb}, /* interlinear annotation */
	{0xe0000, 0xe007f}, /* tags */
};

/* Bytes of the character at text, or 0 when it is not valid UTF-8. */
static size_t take_character(const char *text, size_t len, uint32_t *out)
{
	unsigned char lead = (unsigned char)text[0];
	size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	*out = lead;
	if (size == 1)
		return size;
	if (size > len || !gate_is_utf8(text, size))
		return 0;
	*out = lead & (0x7fu >> size);
	for (size_t i = 1; i < size; i++)
		*out = *out << 6 | ((unsigned char)text[i] & 0x3f);
	return size;
}

static bool is_hidden(uint32_t character)
{
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		if (character >= hidden[i].first && character <= hidden[i].last)
			return true;
	}
	return false;
}

static void append_escaped(struct buf *buf, const char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		buf_append(buf, "\\x", 2);
		buf_append_byte(buf, digits[byte >> 4]);
		buf_append_byte(buf, digits[byte & 15]);
	}
}

void tty_text_append(struct buf *buf, const char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		uint32_t character = 0;
		size_t size = take_character(text + at, len - at, &character);
		bool looks_escaped = text[at] == '\\' && at + 1 < len && text[at + 1] == 'x';

		if (size == 0 || is_hidden(character) || looks_escaped)
			append_escaped(buf, text + at, size == 0 ? 1 : size);
		else
			buf_append(buf, text + at, size);
		at += size == 0 ? 1 : size;
	}
}
