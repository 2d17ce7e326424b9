/*
 * The tables of requests and fields as requests.def and fields.def have them, and their lookups.  Both ends of
 * the socket, the policy and the documentation read the same rows, so they cannot drift apart.
 */
#include <string.h>

#include "request.h"

/* clang-format off */
#define NEED(f) {FIELD_##f, true}
#define MAY(f) {FIELD_##f, false}
/* clang-format on */

/* The last row only keeps methods without fields from being an empty array. */
#define REQUEST(kind, method, right, state, duty, handler, ...) \
	static const struct field_use uses_##kind[] = {__VA_ARGS__ __VA_OPT__(, ){FIELD_COUNT, false}};
#include "requests.def"
#undef REQUEST

#define REQUEST(kind, method, right, state, duty, handler, ...) \
	{method, RIGHT_##right, STATE_##state, DUTY_##duty, uses_##kind, \
		sizeof(uses_##kind) / sizeof(uses_##kind[0]) - 1},
static const struct request_info requests[REQUEST_COUNT] = {
#include "requests.def"
};
#undef REQUEST

#define FIELD(name, wire, type, max, text) {wire, FIELD_TYPE_##type, max, text},
static const struct field_info fields[FIELD_COUNT] = {
#include "fields.def"
};
#undef FIELD

const struct field_info *field_info(enum field field)
{
	return &fields[field];
}

const struct request_info *request_info(enum request_kind kind)
{
	return &requests[kind];
}

const char *right_word(enum right right)
{
	static const char *const words[] = {
		[RIGHT_ANYONE] = "anyone",
		[RIGHT_ADMIN] = "admin",
		[RIGHT_READER] = "reader",
		[RIGHT_AUDITOR] = "auditor",
		[RIGHT_MANAGER] = "manager",
		[RIGHT_KEEPER] = "keeper",
		[RIGHT_VIEWER] = "viewer",
		[RIGHT_GRANTED] = "granted",
	};

	return words[right];
}

const char *field_type_word(enum field_type type)
{
	static const char *const words[] = {
		[FIELD_TYPE_LINE] = "line",
		[FIELD_TYPE_TEXT] = "text",
		[FIELD_TYPE_LINES] = "lines",
		[FIELD_TYPE_WORD] = "word",
		[FIELD_TYPE_SLUG] = "slug",
		[FIELD_TYPE_INTEGRATION_NAME] = "integration_name",
		[FIELD_TYPE_KEY] = "key",
		[FIELD_TYPE_KEYS] = "keys",
		[FIELD_TYPE_VALUE] = "value",
		[FIELD_TYPE_ENCODING] = "encoding",
		[FIELD_TYPE_ACCESS] = "access",
		[FIELD_TYPE_ENVIRONMENT] = "environment",
		[FIELD_TYPE_DURATION] = "duration",
		[FIELD_TYPE_PERIOD] = "period",
		[FIELD_TYPE_TIME] = "time",
		[FIELD_TYPE_COUNT] = "count",
		[FIELD_TYPE_INTEGERS] = "integers",
		[FIELD_TYPE_FLAG] = "flag",
		[FIELD_TYPE_HEX32] = "hex32",
		[FIELD_TYPE_HEX64] = "hex64",
		[FIELD_TYPE_RUN] = "run",
		[FIELD_TYPE_MAP] = "map",
		[FIELD_TYPE_CREDENTIAL] = "credential",
		[FIELD_TYPE_CREDENTIALS] = "credentials",
		[FIELD_TYPE_RULE] = "rule",
		[FIELD_TYPE_PARAMS] = "params",
		[FIELD_TYPE_TOKEN] = "token",
	};

	return words[type];
}

static bool is_name(const char *name, const char *text, size_t len)
{
	return strlen(name) == len && memcmp(name, text, len) == 0;
}

bool request_kind_from_method(const char *method, size_t len, enum request_kind *out)
{
	for (int i = 0; i < REQUEST_COUNT; i++) {
		if (is_name(requests[i].method, method, len)) {
			*out = (enum request_kind)i;
			return true;
		}
	}
	return false;
}

bool field_from_wire(const char *wire, size_t len, enum field *out)
{
	for (int i = 0; i < FIELD_COUNT; i++) {
		if (is_name(fields[i].wire, wire, len)) {
			*out = (enum field)i;
			return true;
		}
	}
	return false;
}
