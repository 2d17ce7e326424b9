/*
 * The only way to build bytes that are authenticated: a domain label, then fixed-order fields, lengths
 * explicit, integers little-endian.  Two different inputs never give the same bytes.  No JSON in a MAC.
 */
#ifndef COFFER_PROTO_CANON_H
#define COFFER_PROTO_CANON_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

void canon_label(struct buf *buf, const char *label); /* the label and its NUL */
void canon_u8(struct buf *buf, uint8_t value);
void canon_u32(struct buf *buf, uint32_t value);
void canon_u64(struct buf *buf, uint64_t value);
void canon_fixed(struct buf *buf, const void *bytes, size_t len); /* a length that the format fixes */
void canon_bytes(struct buf *buf, const void *bytes, size_t len); /* u32 length, then the bytes */
void canon_text(struct buf *buf, const char *text); /* as canon_bytes; NULL as "" */

#endif
