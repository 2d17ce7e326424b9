/*
 * The byte buffer that everything is written into.  A growing buffer moves when it grows and leaves old
 * copies behind in free memory, so what must not stay there (P1) is written into a fixed one over locked memory.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

enum { FIRST_CAP = 256 };

/* Room for len more bytes, or the sticky failure. */
static bool reserve(struct buf *buf, size_t len)
{
	if (buf->has_failed)
		return false;
	if (len <= buf->cap - buf->len)
		return true;
	if (buf->is_fixed || len > SIZE_MAX / 2 - buf->len) {
		buf->has_failed = true;
		return false;
	}

	size_t cap = buf->cap < FIRST_CAP ? FIRST_CAP : buf->cap;

	while (cap < buf->len + len)
		cap *= 2;

	char *bytes = realloc(buf->bytes, cap);

	if (bytes == NULL) {
		buf->has_failed = true;
		return false;
	}
	buf->bytes = bytes;
	buf->cap = cap;
	return true;
}

void buf_init_fixed(struct buf *buf, char *bytes, size_t cap)
{
	*buf = (struct buf){.bytes = bytes, .cap = cap, .is_fixed = true};
}

void buf_append(struct buf *buf, const void *bytes, size_t len)
{
	if (len == 0 || !reserve(buf, len))
		return;
	memcpy(buf->bytes + buf->len, bytes, len);
	buf->len += len;
}

void buf_append_byte(struct buf *buf, char byte)
{
	buf_append(buf, &byte, 1);
}

void buf_append_string(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

bool buf_failed(const struct buf *buf)
{
	return buf->has_failed;
}

char *buf_take(struct buf *buf, size_t *len_out)
{
	assert(!buf->is_fixed);
	if (buf->has_failed)
		buf_clear(buf);

	char *bytes = buf->bytes;

	*len_out = buf->len;
	*buf = (struct buf){0};
	return bytes;
}

void buf_clear(struct buf *buf)
{
	if (!buf->is_fixed)
		free(buf->bytes);
	*buf = (struct buf){0};
}
