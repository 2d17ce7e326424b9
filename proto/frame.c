/*
 * Cuts lines out of a growing buffer.  A sender is stopped at the first byte over the limit, not at the
 * newline that may never come, and no byte is looked at twice (P8).  Buffers and deadlines are the caller's.
 */
#include <string.h>

#include "frame.h"

enum err frame_cut(const char *bytes, size_t len, size_t scanned, size_t limit, size_t *line_len_out)
{
	/* The newline of a line that is just small enough is the byte behind limit. */
	size_t end = len > limit ? limit + 1 : len;
	const char *newline = scanned < end ? memchr(bytes + scanned, '\n', end - scanned) : NULL;

	if (newline == NULL)
		return len > limit ? ERR_TOO_LARGE : ERR_NOT_FOUND;
	*line_len_out = (size_t)(newline - bytes);
	return OK;
}
