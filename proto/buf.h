/*
 * A byte buffer that grows on the heap, or one of fixed size over memory of somebody else's (locked
 * memory, for what must never reach the heap).  Errors are sticky: append freely, ask once.
 */
#ifndef COFFER_PROTO_BUF_H
#define COFFER_PROTO_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *bytes;
	size_t len;
	size_t cap;
	bool is_fixed;
	bool has_failed;
};

void buf_init_fixed(struct buf *buf, char *bytes, size_t cap);
void buf_append(struct buf *buf, const void *bytes, size_t len);
void buf_append_byte(struct buf *buf, char byte);
void buf_append_string(struct buf *buf, const char *text);
bool buf_failed(const struct buf *buf);

/*
 * Hands the bytes of a growing buffer to the caller, who frees them; the buffer is empty afterwards.  NULL and 0
 * when nothing was written, and when the buffer has failed: half a result is never handed out.
 */
char *buf_take(struct buf *buf, size_t *len_out);

/* Frees a growing buffer, forgets a fixed one.  Fine on {0}. */
void buf_clear(struct buf *buf);

#define BUF_AUTO __attribute__((cleanup(buf_clear))) struct buf

#endif
