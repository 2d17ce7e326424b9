/*
 * Characters that act on a line without being seen in it.  Whoever shows text of other people's making, on a terminal or in
 * the journal, shows these as something else (P8).
 */
#include "gate.h"
#include "text.h"

struct range {
	uint32_t first;
	uint32_t last;
};

/* Control characters, and what changes the direction, the number of lines or the letters of a name without being seen. */
static const struct range hidden[] = {
	{0x00, 0x1f}, /* C0 */
	{0x7f, 0x9f}, /* DEL, C1 */
	{0xad, 0xad}, /* soft hyphen */
	{0x034f, 0x034f}, /* combining grapheme joiner */
	{0x061c, 0x061c}, /* Arabic letter mark */
	{0x115f, 0x1160}, /* Hangul fillers */
	{0x17b4, 0x17b5}, /* Khmer inherent vowels */
	{0x180b, 0x180f}, /* Mongolian selectors and vowel separator */
	{0x200b, 0x200f}, /* zero width, direction marks */
	{0x2028, 0x202e}, /* line and paragraph separators, embeddings and overrides */
	{0x2060, 0x206f}, /* invisible operators, isolates */
	{0x3164, 0x3164}, /* Hangul filler */
	{0xfeff, 0xfeff}, /* byte order mark */
	{0xffa0, 0xffa0}, /* halfwidth Hangul filler */
	{0xfff9, 0xfffb}, /* interlinear annotation */
	{0x1d173, 0x1d17a}, /* musical formatting */
	{0xe0000, 0xe0fff}, /* tags, variation selectors supplement */
};

/* Marks are drawn over the character before them, and very many of them over other lines. */
static const struct range marks[] = {
	{0x0300, 0x036f}, /* combining diacritical marks */
	{0x0483, 0x0489}, /* Cyrillic */
	{0x0591, 0x05bd}, /* Hebrew */
	{0x0610, 0x061a}, /* Arabic */
	{0x064b, 0x065f}, {0x06d6, 0x06ed}, {0x0e31, 0x0e31}, /* Thai */
	{0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, /* combining diacritical marks extended */
	{0x1dc0, 0x1dff}, /* … supplement */
	{0x20d0, 0x20ff}, /* … for symbols */
	{0xfe00, 0xfe0f}, /* variation selectors */
	{0xfe20, 0xfe2f}, /* combining half marks */
};

static bool is_in(const struct range *ranges, size_t count, uint32_t character)
{
	for (size_t i = 0; i < count; i++)
		if (character >= ranges[i].first && character <= ranges[i].last)
			return true;
	return false;
}

bool text_is_hidden(uint32_t character)
{
	return is_in(hidden, sizeof(hidden) / sizeof(hidden[0]), character);
}

bool text_is_mark(uint32_t character)
{
	return is_in(marks, sizeof(marks) / sizeof(marks[0]), character);
}

size_t text_character(const char *text, size_t len, uint32_t *out)
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
