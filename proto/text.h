/*
 * What a name, a key, a duration, a time may look like.  Pure functions over bytes; the same answers on
 * both ends of the socket.
 */
#ifndef COFFER_PROTO_TEXT_H
#define COFFER_PROTO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum {
	SLUG_BYTES_MAX = 64,
	INTEGRATION_NAME_BYTES_MAX = 129, /* workspace/slug */
	KEY_BYTES_MAX = 64,
	UNIT_BYTES_MAX = 255,
	CREDENTIAL_BYTES_MAX = 79,
	UNIT_CREDENTIAL_BYTES_MAX =
		83, /* unit and credential together: what the service manager's address holds */
	VALUE_BYTES_MAX = 65535,
	ENV_STRING_BYTES_MAX = 131071, /* "NAME=value" as execve(2) takes it */
	ENV_SET_BYTES_MAX = 1048576, /* values of one integration together */
	ENV_KEYS_MAX = 128,
	RUN_ID_BYTES = 26, /* without a NUL */
	TIME_TEXT_BYTES = 25, /* 2026-11-22T09:30:00.123Z and its NUL */
};

bool text_is_slug(const char *text, size_t len);
bool text_is_integration_name(const char *text, size_t len);
bool text_is_unit_name(
	const char *text, size_t len); /* something.service, .scope, .socket …: systemd.unit(5) */
bool text_is_unit_pattern(const char *text, size_t len); /* a unit name, or prefix@*.service */
bool text_unit_matches(const char *pattern, const char *unit);
/* The one pattern beside its own name that matches this unit; false when it is no instance. */
bool text_unit_pattern(const char *unit, char out[UNIT_BYTES_MAX + 1]);
bool text_is_credential(
	const char *text, size_t len); /* a name in LoadCredential=: [A-Za-z0-9_.@+-], not . or .. */
bool text_is_word(const char *text, size_t len);
bool text_is_run(const char *text,
	size_t len); /* a ULID: RUN_ID_BYTES of Crockford's base 32 (github.com/ulid/spec) */
bool text_is_line(const char *text, size_t len); /* UTF-8, no control characters (C0, DEL, C1) */
bool text_is_text(const char *text, size_t len); /* the same, but newline and tab are allowed */

/* The character at text; its bytes, or 0 when they are not valid UTF-8.  There is at least a byte. */
size_t text_character(const char *text, size_t len, uint32_t *out);
bool text_is_hidden(
	uint32_t character); /* acts on a line without being seen: controls, directions, zero widths */
bool text_is_mark(uint32_t character); /* is drawn over the one before it */

/* OK, BAD_NAME, or RESERVED_NAME for what loaders, shells and interpreters act upon (see reserved.def). */
enum err text_check_key(const char *key, size_t len);

/* Who would act upon this name ("shells", …), or NULL when it is not reserved. */
const char *text_reserved_for(const char *key, size_t len);

/* A value: 1 … VALUE_BYTES_MAX bytes, no NUL; line breaks only when allowed.  BAD_VALUE or TOO_LARGE. */
enum err text_check_value(const unsigned char *value, size_t len, bool may_have_lines);

/* "30s", "15m", "12h", "365d" → seconds, 1 s … 100 years; canonical decimal only. */
bool text_duration(const char *text, size_t len, int64_t *seconds_out);

/* RFC 3339 in UTC ("Z"), optional fraction of 1–3 digits; years 1970–9999 → milliseconds since the epoch. */
bool text_time(const char *text, size_t len, int64_t *time_ms_out);

/* Writes e.g. 2026-11-22T09:30:00.123Z and a NUL. */
void text_format_time(int64_t time_ms, char out[TIME_TEXT_BYTES]);

#endif
