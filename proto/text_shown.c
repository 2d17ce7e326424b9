/*
 * Which characters of a text are seen by whoever reads it.  Names and notes come from other people: what changes the
 * direction or the number of lines without being seen can make a line say what nobody wrote.
 */
#include "gate.h"
#include "text.h"

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

bool text_is_hidden(uint32_t character)
{
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		if (character >= hidden[i].first && character <= hidden[i].last)
			return true;
	}
	return false;
}
