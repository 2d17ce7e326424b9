/*
 * The strict gate: one line in, an array of typed tokens out, or one refusal.  RFC 8259 exactly, and
 * stricter where parsers differ: an object at the top, valid UTF-8, no NUL in any form, no duplicate keys,
 * keys without escapes, integers within ±(2^53-1) only, bounded depth, tokens and keys.  One pass,
 * no recursion, no allocation.  What passes means one thing to every parser.
 */
#ifndef COFFER_PROTO_GATE_H
#define COFFER_PROTO_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum json_type { JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_INTEGER, JSON_TRUE, JSON_FALSE, JSON_NULL };

/*
 * Tokens lie in document order.  An object is followed by key, value, key, value …; keys are strings.
 * start and len are the raw span: for a string what is between the quotes, else the whole text.
 */
struct json_token {
	enum json_type type;
	bool has_escape; /* a string whose raw span is not its text */
	uint32_t start; /* offset into the line */
	uint32_t len; /* bytes of the raw span */
	uint32_t count; /* members of an object, entries of an array, else 0 */
	uint32_t next; /* index of the token behind this value and everything in it */
};

struct gate_limits {
	uint32_t depth_max; /* the top-level object is depth 1; at most GATE_DEPTH_LIMIT */
	uint32_t tokens_max; /* capacity of the token array; keys count */
	uint32_t keys_max; /* members of one object */
};

enum { GATE_DEPTH_LIMIT = 32 };

/*
 * Scans text[0..len), len < 2^32.  On OK *count_out tokens are set and token 0 is the top-level object.
 * Errors: BAD_JSON (not the language above), TOO_COMPLEX (a limit was passed).  Does not block or allocate.
 */
enum err gate_scan(const char *text, size_t len, const struct gate_limits *limits, struct json_token *tokens,
	uint32_t *count_out);

/* True when text[0..len) is valid UTF-8 (no overlongs, no surrogates, at most U+10FFFF) without NUL. */
bool gate_is_utf8(const char *text, size_t len);

/*
 * Reads the escape sequence at text, which begins with its backslash.  Gives the bytes it takes (2, 6, or 12
 * for a surrogate pair), or 0 when it is none that may be: unknown, cut off, NUL, a lone surrogate.
 */
size_t gate_escape(const char *text, size_t len, uint32_t *code_out);

/* Finds the quote that ends the string whose text begins at text[0].  False: there is none, or the text is not valid. */
bool gate_string_end(const char *text, size_t len, size_t *len_out, bool *has_escape_out);

#endif
