/*
 * Cuts values of an apply file into entries and words.
 */
#include "apply_words.h"

#include <string.h>

bool apply_words_entry(const char **at, struct apply_word *out)
{
	const char *c = *at;

	*out = (struct apply_word){0};
	c += strspn(c, " \t\n"); /* also behind a comma at the end of a line */
	if (*c == '\0')
		return false;
	for (; *c != '\0' && *c != ',' && *c != '\n'; c++) {
		if (c[0] == '\\' && c[1] == ',')
			c++;
		if (out->len + 1 < sizeof(out->text))
			out->text[out->len++] = *c;
		else
			out->is_too_long = true;
	}
	while (out->len > 0 && (out->text[out->len - 1] == ' ' || out->text[out->len - 1] == '\t'))
		out->len--;
	out->text[out->len] = '\0';
	*at = *c == '\0' ? c : c + 1;
	return true;
}

bool apply_words_next(const char **at, struct apply_word *out)
{
	const char *c = *at + strspn(*at, " \t\n");
	size_t len = strcspn(c, " \t\n");

	*out = (struct apply_word){.is_too_long = len >= sizeof(out->text)};
	if (len == 0)
		return false;
	out->len = out->is_too_long ? sizeof(out->text) - 1 : len;
	memcpy(out->text, c, out->len);
	*at = c + len;
	return true;
}
