/*
 * Reading what the gate let through, and writing JSON once, forward, into a buffer.
 */
#ifndef COFFER_PROTO_JSON_H
#define COFFER_PROTO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "gate.h"

struct json_doc {
	const char *text; /* the scanned line; not owned */
	const struct json_token *tokens; /* not owned */
	uint32_t count;
};

/* The value of a member, or NULL.  object must be a JSON_OBJECT token of doc (NULL gives NULL). */
const struct json_token *json_member(
	const struct json_doc *doc, const struct json_token *object, const char *key);

/*
 * Iteration: for (t = json_first(doc, c); t != NULL; t = json_next(doc, c, t)).  Arrays give their
 * entries, objects their keys; the value of a key is the token after it.
 */
const struct json_token *json_first(const struct json_doc *doc, const struct json_token *container);
const struct json_token *json_next(
	const struct json_doc *doc, const struct json_token *container, const struct json_token *at);

/* Raw span of a token. */
const char *json_raw(const struct json_doc *doc, const struct json_token *token);

/* True when the string's decoded text is exactly this. */
bool json_equals(const struct json_doc *doc, const struct json_token *token, const char *text);

/* Decoded size of a string in bytes. */
size_t json_text_len(const struct json_doc *doc, const struct json_token *token);

/* Decoded text into out, NUL added; ERR_TOO_LARGE when it does not fit cap, ERR_BAD_PARAMS when not a string. */
enum err json_text(
	const struct json_doc *doc, const struct json_token *token, char *out, size_t cap, size_t *len_out);

/* An integer token's value.  ERR_BAD_PARAMS when it is something else. */
enum err json_integer(const struct json_doc *doc, const struct json_token *token, int64_t *out);

/*
 * The writer.  Commas are its own business.  Failure (no memory, fixed buffer full) is sticky in the
 * buffer: write everything, then ask buf_failed once.
 */
struct json_writer {
	struct buf *buf;
	bool needs_comma;
};

struct json_writer json_writer(struct buf *buf);
void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_key(struct json_writer *w, const char *key); /* key: plain ASCII, a constant of ours */
void json_key_text(struct json_writer *w, const char *key, size_t len); /* a key that is data; UTF-8 */
void json_write_text(
	struct json_writer *w, const char *text, size_t len); /* UTF-8; escapes as RFC 8259 asks */
void json_write_string(struct json_writer *w, const char *text); /* NUL-terminated, NULL: null */
void json_write_integer(struct json_writer *w, int64_t value);
void json_write_bool(struct json_writer *w, bool value);
void json_write_null(struct json_writer *w);
void json_write_raw(struct json_writer *w, const char *json, size_t len); /* already valid JSON */

/* key and value in one call */
void json_put_string(struct json_writer *w, const char *key, const char *text);
void json_put_integer(struct json_writer *w, const char *key, int64_t value);
void json_put_bool(struct json_writer *w, const char *key, bool value);
enum { JSON_HEX_BYTES_MAX = 64 };
/* Lower-case digits of at most JSON_HEX_BYTES_MAX bytes */
void json_write_hex(struct json_writer *w, const unsigned char *bytes, size_t len);
void json_put_hex(struct json_writer *w, const char *key, const unsigned char *bytes, size_t len);
/* RFC 3339 in UTC with milliseconds; 0 gives null */
void json_put_time(struct json_writer *w, const char *key, int64_t time_ms);

/* Bytes that json_write_text will write, quotes included: for replies whose exact size must be known first. */
size_t json_escaped_len(const char *text, size_t len);

#endif
