/*
 * Canonical bytes for everything that is authenticated: each field has one encoding, and its length is
 * either fixed by the format or written before it, so two different inputs never give the same bytes (P6, P7).
 */
#include "canon.h"

#include <string.h>

static void append_le(struct buf *buf, uint64_t value, size_t len)
{
	unsigned char bytes[sizeof(value)];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
	buf_append(buf, bytes, len);
}

void canon_label(struct buf *buf, const char *label)
{
	buf_append(buf, label, strlen(label) + 1);
}

void canon_u8(struct buf *buf, uint8_t value)
{
	append_le(buf, value, 1);
}

void canon_u32(struct buf *buf, uint32_t value)
{
	append_le(buf, value, 4);
}

void canon_u64(struct buf *buf, uint64_t value)
{
	append_le(buf, value, 8);
}

void canon_fixed(struct buf *buf, const void *bytes, size_t len)
{
	buf_append(buf, bytes, len);
}

void canon_bytes(struct buf *buf, const void *bytes, size_t len)
{
	/* A length that its field cannot hold must not become a shorter one. */
	if (len > UINT32_MAX) {
		buf->has_failed = true;
		return;
	}
	canon_u32(buf, (uint32_t)len);
	buf_append(buf, bytes, len);
}

void canon_text(struct buf *buf, const char *text)
{
	if (text == NULL)
		text = "";
	canon_bytes(buf, text, strlen(text));
}
