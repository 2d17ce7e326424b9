/*
 * Single quotes, in which a shell takes everything as it is but another single quote.
 */
#include "quote.h"

#include <stdbool.h>
#include <string.h>

static bool is_plain(const char *word)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=@%+,-";

	return *word != '\0' && strspn(word, plain) == strlen(word);
}

void quote_append(struct buf *buf, const char *word)
{
	if (is_plain(word)) {
		buf_append_string(buf, word);
		return;
	}
	buf_append_byte(buf, '\'');
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			buf_append_string(buf, "'\\''");
		else if (word[0] == '\\' && word[1] == 'x')
			buf_append_string(buf, "\\''");
		else
			buf_append_byte(buf, *word);
	}
	buf_append_byte(buf, '\'');
}
