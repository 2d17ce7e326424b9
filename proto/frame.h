/*
 * Cutting lines: bytes in, one line at a time out, with the limit judged before the newline is found.
 */
#ifndef COFFER_PROTO_FRAME_H
#define COFFER_PROTO_FRAME_H

#include <stddef.h>

#include "err.h"

enum {
	LINE_BYTES_STRANGER = 4096, /* before the caller is known to have any role or grant */
	LINE_BYTES_MAX = 131072,
	REPLY_BYTES_MAX = 7340032,
};

/*
 * Looks for the end of the first line in bytes[0..len); scanned bytes were looked at before.
 * OK: *line_len_out is the length without the newline.  ERR_TOO_LARGE: more than limit bytes without a
 * newline.  ERR_NOT_FOUND: incomplete, read on.
 */
enum err frame_cut(const char *bytes, size_t len, size_t scanned, size_t limit, size_t *line_len_out);

#endif
