/*
 * The request table and the decoding of one request line: strict JSON in, typed fields out.
 *
 * request_parse runs the gate over the line and nothing else ever looks at its bytes again: what a field
 * means is decided once, here, so no second parser can disagree.
 */
#ifndef COFFER_PROTO_REQUEST_H
#define COFFER_PROTO_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "gate.h"
#include "json.h"

#define REQUEST(kind, method, right, state, duty, handler, ...) REQUEST_##kind,
enum request_kind {
#include "requests.def"
	REQUEST_COUNT
};
#undef REQUEST

#define FIELD(name, wire, type, max, text) FIELD_##name,
enum field {
#include "fields.def"
	FIELD_COUNT
};
#undef FIELD

/* What text.h calls valid for each; the wire form in brackets. */
enum field_type {
	FIELD_TYPE_LINE, /* one line of text, no control characters [string] */
	FIELD_TYPE_TEXT, /* text, line breaks and tabs allowed [string] */
	FIELD_TYPE_LINES, /* list of lines [array of strings] */
	FIELD_TYPE_WORD, /* [a-z][a-z0-9_.]* [string] */
	FIELD_TYPE_SLUG, /* [a-z0-9][a-z0-9._-]{0,63} [string] */
	FIELD_TYPE_INTEGRATION_NAME, /* [slug/]slug [string] */
	FIELD_TYPE_KEY, /* [A-Za-z_][A-Za-z0-9_]{0,63} [string] */
	FIELD_TYPE_KEYS, /* list of keys [array of strings] */
	FIELD_TYPE_VALUE, /* opaque; checked by the handler, never by name [string] */
	FIELD_TYPE_ENCODING, /* utf8 | base64 */
	FIELD_TYPE_ACCESS, /* read-only | read-write */
	FIELD_TYPE_ENVIRONMENT, /* production | sandbox */
	FIELD_TYPE_DURATION, /* 30s 15m 12h 365d [string] */
	FIELD_TYPE_PERIOD, /* a duration in whole days, or never [string] */
	FIELD_TYPE_TIME, /* 2026-11-22T09:30:00Z [string] */
	FIELD_TYPE_COUNT, /* 0 … 2^53-1 [integer] */
	FIELD_TYPE_INTEGERS, /* [array of integers] */
	FIELD_TYPE_FLAG, /* [true | false] */
	FIELD_TYPE_HEX32, /* 32 lower-case hex digits [string] */
	FIELD_TYPE_HEX64, /* 64 lower-case hex digits [string] */
	FIELD_TYPE_RUN, /* ULID: 26 digits of Crockford's base 32, upper case [string] */
	FIELD_TYPE_MAP, /* label → line [object of strings] */
	FIELD_TYPE_CREDENTIAL, /* a name in LoadCredential= [string] */
	FIELD_TYPE_CREDENTIALS, /* credential → key [object of strings] */
	FIELD_TYPE_RULE, /* grant conditions [object of strings, and token: true] */
	FIELD_TYPE_TOKEN, /* an access token, see token.h; written without escapes [string] */
	FIELD_TYPE_PARAMS, /* JSON text of the params of another request; checked by the handler [string] */
};

enum right {
	RIGHT_ANYONE,
	RIGHT_ADMIN,
	RIGHT_READER, /* operator, auditor or admin: names and records, never values */
	RIGHT_AUDITOR, /* auditor or admin */
	RIGHT_MANAGER, /* operator, admin, or a manager of the integration that the request names */
	RIGHT_KEEPER, /* admin or a manager of it */
	RIGHT_VIEWER, /* reader or a manager of it; a list of all shows a manager its own */
	RIGHT_GRANTED, /* nobody by role: the handler asks the grants */
};

enum request_state { STATE_OPEN, STATE_ANY };
enum request_duty { DUTY_READ, DUTY_FETCH, DUTY_CHANGE };

struct field_info {
	const char *wire;
	enum field_type type;
	uint32_t max; /* bytes of decoded text, or entries of a list */
	const char *text;
};

struct field_use {
	enum field field;
	bool is_needed;
};

struct request_info {
	const char *method;
	enum right right;
	enum request_state state;
	enum request_duty duty;
	const struct field_use *fields;
	size_t field_count;
};

const struct field_info *field_info(enum field field);
const struct request_info *request_info(enum request_kind kind);
const char *right_word(enum right right);
const char *field_type_word(enum field_type type);
bool request_kind_from_method(const char *method, size_t len, enum request_kind *out);
bool field_from_wire(const char *wire, size_t len, enum field *out);

enum {
	REQUEST_TOKENS_MAX = 256,
	REQUEST_DEPTH_MAX = 5,
	REQUEST_KEYS_MAX = 32,
	REQUEST_ID_BYTES_MAX = 66, /* a 64-byte string with its quotes */
	FIELD_ENTRY_BYTES_MAX = 200, /* of a list, or of a map's value */
	FIELD_RULE_BYTES_MAX = 255, /* of one condition */
	FIELD_TEXT_BYTES_MAX =
		32 * (FIELD_ENTRY_BYTES_MAX + 1), /* any documented field as text, and its NUL */
};

/* One request line, decoded in place: the line must outlive it. */
struct request {
	struct json_doc doc;
	struct json_token tokens[REQUEST_TOKENS_MAX];
	char id[REQUEST_ID_BYTES_MAX]; /* raw JSON of the id, to be echoed; "null" until a usable one was seen */
	size_t id_len;
	bool has_kind;
	enum request_kind kind; /* valid when has_kind */
	const struct json_token *field[FIELD_COUNT]; /* NULL: absent */
	const char *detail; /* on an error: a constant sentence that names the field, or NULL */
	char detail_store[256];
};

/*
 * Decodes line[0..len) (without its newline).  Stops at the first error; id and kind are set as far as
 * they were understood, so that the reply can carry the id and the audit record the method.
 * Errors: BAD_JSON, TOO_COMPLEX, BAD_REQUEST, UNKNOWN_METHOD, BAD_PARAMS, BAD_NAME, RESERVED_NAME, BAD_VALUE,
 * TOO_LARGE, UNSUPPORTED.  On BAD_PARAMS for absent fields, detail names all of them.
 *
 * field[] holds only what was checked; on an error, what came before it in the line.  In integration.edit
 * and secret.edit an empty string clears a documented text that may be absent.
 */
enum err request_parse(const char *line, size_t len, struct request *request);

/* Typed access to fields that request_parse has checked.  An absent field gives the fallback. */
bool request_has(const struct request *request, enum field field);
bool request_flag(const struct request *request, enum field field);
int64_t request_count(const struct request *request, enum field field, int64_t fallback);

/* Decoded text of a field into out (cap bytes, NUL added); false when absent.  Fields fit their max + 1. */
bool request_text(const struct request *request, enum field field, char *out, size_t cap);

/*
 * The entries of a list, the keys of a map or rule (the value of a key is the token after it); none when absent:
 * for (t = request_first(r, f); t != NULL; t = request_next(r, f, t))
 */
const struct json_token *request_first(const struct request *request, enum field field);
const struct json_token *request_next(
	const struct request *request, enum field field, const struct json_token *at);

/* Decoded text of one member of a map or rule; false when the field or the member is absent. */
bool request_member(const struct request *request, enum field field, const char *key, char *out, size_t cap);

/*
 * A documented field (FIELD_TITLE … FIELD_LABELS) as the store keeps it: text decoded, a count in decimal, the
 * entries of a list joined by '\n', a map as "key=value" joined by '\n'.  FIELD_TEXT_BYTES_MAX holds any.
 * ERR_NOT_FOUND: absent.  ERR_TOO_LARGE: more than cap with the NUL.
 */
enum err request_field_text(const struct request *request, enum field field, char *out, size_t cap);

/* And back for replies: string, integer, array or object; NULL gives null. */
void field_write_json(struct json_writer *w, enum field field, const char *stored);

#endif
