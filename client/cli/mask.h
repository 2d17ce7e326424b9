/*
 * Hides values in the output of a program that has them: `coffer run --mask`.  Against accidents (a debug log, a stack
 * trace, a URL in an error message), not against a program that wants its values seen: it can write them backwards.
 *
 * A value is known as it stands and in hex, in base64 (both alphabets, at any place in the encoded text, in lines), with
 * %xx (a space as %20 or +), and with backslash escapes as in JSON.  Of a value of several lines each line is known as
 * well, and the whole as a terminal shows it, with \r\n.  Each run of bytes that belong to such occurrences, whether they
 * overlap or touch, becomes one "***", wherever the output was cut on its way.  Escapes are read as a decoder reads them:
 * a form that begins in the middle of another escape is none.
 *
 * No descriptors, no clock, no globals.  Values, and output that is held back, are in locked memory only (P1): locked as
 * far as RLIMIT_MEMLOCK allows, as everywhere in the client.
 */
#ifndef COFFER_CLI_MASK_H
#define COFFER_CLI_MASK_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

enum {
	MASK_VALUE_BYTES_MIN = 8, /* a shorter one would hide half of any output */
	MASK_IDLE_BYTES_MAX = 3, /* of a value's beginning, that mask_idle may let go */
};

/* What to hide.  Any number of streams may share it. */
struct mask;

enum err mask_new(struct mask **out); /* ERR_INTERNAL: no memory */
void mask_free(struct mask *mask); /* wipes; NULL is fine; after its streams */

/*
 * One value, before mask_build; it must stay where it is until then.  ERR_BAD_VALUE: too short to be hidden, by
 * MASK_VALUE_BYTES_MIN; lines that short are left out without a word, and blanks around a line do not count.
 * ERR_TOO_LARGE: over VALUE_BYTES_MAX, ENV_KEYS_MAX values or ENV_SET_BYTES_MAX together.  After an error the mask is as it
 * was.
 */
enum err mask_add(struct mask *mask, const char *value, size_t len);

/*
 * Once, after the last value.  Takes about 20 bytes of memory for each byte of a value, 60 if it has several lines.
 * ERR_INTERNAL: no memory.
 */
enum err mask_build(struct mask *mask);

/* One output: stdout, or stderr.  Output that is ready is given to emit, in order, before the call returns. */
struct mask_stream;

typedef void mask_emit_fn(void *arg, const char *bytes, size_t len);

/*
 * The mask must be built and must outlive the stream.  Takes 25 KiB of memory, with long values 70 to 140 bytes for
 * each byte of the longest.  ERR_INTERNAL: no memory.
 */
enum err mask_stream_new(const struct mask *mask, mask_emit_fn *emit, void *arg, struct mask_stream **out);
void mask_stream_free(struct mask_stream *stream); /* wipes; NULL is fine; what is held is dropped */

/*
 * Any piece of the output.  Held back is only what may still become part of an occurrence (at times the last character
 * of a line, because a form may begin with it), at most 6 bytes for each byte of the longest value.  A byte takes eight
 * steps in the tree of values, on average over any output, whatever the values.
 */
void mask_feed(struct mask_stream *stream, const char *bytes, size_t len);

/*
 * For a stream that has been quiet for a while, so that a prompt is seen whole: lets go what is held back, but never
 * where more than MASK_IDLE_BYTES_MAX whole bytes of a value have come, in whatever form.  The price: if it was a value,
 * these bytes are seen, and the rest is hidden when it comes; and a prompt that ends like a longer beginning of a
 * value is not seen whole until more output comes.  True from mask_is_waiting: mask_idle would let something go.
 */
void mask_idle(struct mask_stream *stream);
bool mask_is_waiting(const struct mask_stream *stream);

/*
 * The end of the output: lets go all that is held back.  A value that was cut off there is seen.  The stream may be used
 * again.
 */
void mask_flush(struct mask_stream *stream);

#endif
