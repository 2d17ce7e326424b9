/*
 * The grammar of names, keys, values and lines of text, over bytes of known length and without a locale.
 * text_check_key keeps names that would run code out of an integration's environment (reserved.def).
 * Durations and times: text_time.c.
 */
#include "text.h"

#include <stdio.h>
#include <string.h>

#include "gate.h"

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool text_is_slug(const char *text, size_t len)
{
	if (len == 0 || len > SLUG_BYTES_MAX || !(is_lower(text[0]) || is_digit(text[0])))
		return false;
	for (size_t i = 1; i < len; i++) {
		char c = text[i];

		if (!is_lower(c) && !is_digit(c) && c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

bool text_is_integration_name(const char *text, size_t len)
{
	if (len == 0 || len > INTEGRATION_NAME_BYTES_MAX)
		return false;

	const char *slash = memchr(text, '/', len);

	if (slash == NULL)
		return text_is_slug(text, len);

	size_t workspace_len = (size_t)(slash - text);

	return text_is_slug(text, workspace_len) && text_is_slug(slash + 1, len - workspace_len - 1);
}

static bool is_unit_type(const char *text, size_t len)
{
	static const char *const types[] = {"service", "socket", "device", "mount", "automount", "swap",
		"target", "path", "timer", "slice", "scope"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strlen(types[i]) == len && memcmp(types[i], text, len) == 0)
			return true;
	return false;
}

static bool is_unit_char(char c)
{
	return is_lower(c) || is_upper(c) || is_digit(c) || c == ':' || c == '-' || c == '_' || c == '.' ||
	       c == '\\';
}

/* Parts of NAME.TYPE or NAME@INSTANCE.TYPE. */
struct unit_parts {
	size_t at; /* offset of the first '@', or dot when there is none */
	size_t dot; /* offset of the dot before the type */
};

static bool split_unit(const char *text, size_t len, struct unit_parts *out)
{
	if (len == 0 || len > UNIT_BYTES_MAX)
		return false;

	const char *dot = memrchr(text, '.', len);

	if (dot == NULL || !is_unit_type(dot + 1, (size_t)(text + len - dot) - 1))
		return false;

	size_t name_len = (size_t)(dot - text);
	const char *at = memchr(text, '@', name_len);

	*out = (struct unit_parts){.at = at == NULL ? name_len : (size_t)(at - text), .dot = name_len};
	return out->at > 0;
}

bool text_is_unit_name(const char *text, size_t len)
{
	struct unit_parts parts = {0};

	if (!split_unit(text, len, &parts))
		return false;
	/* NAME@.TYPE is a template: it never runs, so nobody can be it. */
	if (parts.at < parts.dot && parts.at + 1 == parts.dot)
		return false;
	for (size_t i = 0; i < parts.dot; i++)
		if (!is_unit_char(text[i]) && text[i] != '@')
			return false;
	return true;
}

/* NAME@*.TYPE */
static bool is_any_instance(const char *text, const struct unit_parts *parts)
{
	return parts->dot - parts->at == 2 && text[parts->at + 1] == '*';
}

bool text_is_unit_pattern(const char *text, size_t len)
{
	struct unit_parts parts = {0};

	if (!split_unit(text, len, &parts))
		return false;
	if (!is_any_instance(text, &parts))
		return text_is_unit_name(text, len);
	for (size_t i = 0; i < parts.at; i++)
		if (!is_unit_char(text[i]))
			return false;
	return true;
}

bool text_unit_matches(const char *pattern, const char *unit)
{
	size_t pattern_len = strlen(pattern);
	size_t unit_len = strlen(unit);
	struct unit_parts wanted = {0};
	struct unit_parts actual = {0};

	if (!text_is_unit_pattern(pattern, pattern_len) || !text_is_unit_name(unit, unit_len))
		return false;
	if (!split_unit(pattern, pattern_len, &wanted) || !split_unit(unit, unit_len, &actual))
		return false;
	if (!is_any_instance(pattern, &wanted))
		return strcmp(pattern, unit) == 0;
	/* A plain NAME.TYPE has its at where the dot is, so the '@' must be looked at. */
	return wanted.at == actual.at && memcmp(pattern, unit, wanted.at + 1) == 0 &&
	       strcmp(pattern + wanted.dot, unit + actual.dot) == 0;
}

bool text_unit_pattern(const char *unit, char out[UNIT_BYTES_MAX + 1])
{
	size_t len = strlen(unit);
	struct unit_parts parts = {0};

	if (!text_is_unit_name(unit, len) || !split_unit(unit, len, &parts) || parts.at == parts.dot)
		return false;

	int written = snprintf(out, UNIT_BYTES_MAX + 1, "%.*s@*%s", (int)parts.at, unit, unit + parts.dot);

	return written > 0 && written <= UNIT_BYTES_MAX;
}

bool text_is_credential(const char *text, size_t len)
{
	size_t dots = 0;

	for (size_t i = 0; i < len; i++) {
		if (!is_lower(text[i]) && !is_upper(text[i]) && !is_digit(text[i]) &&
			memchr("_.@+-", text[i], 5) == NULL)
			return false;
		dots += text[i] == '.';
	}
	return len > 0 && len <= CREDENTIAL_BYTES_MAX && (dots < len || len > 2);
}

bool text_is_word(const char *text, size_t len)
{
	if (len == 0 || !is_lower(text[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_lower(text[i]) && !is_digit(text[i]) && text[i] != '_' && text[i] != '.')
			return false;
	return true;
}

bool text_is_run(const char *text, size_t len)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0' || strchr(digits, text[i]) == NULL)
			return false;
	return len == RUN_ID_BYTES;
}

/* C0, DEL, or the first byte of a C1 control (U+0080 to U+009F are C2 80 to C2 9F). */
static bool is_control(const unsigned char *at, size_t left)
{
	return *at < 0x20 || *at == 0x7f || (*at == 0xc2 && left > 1 && at[1] < 0xa0);
}

static bool is_printable(const char *text, size_t len, const char *also)
{
	const unsigned char *bytes = (const unsigned char *)text;

	if (!gate_is_utf8(text, len))
		return false;
	for (size_t i = 0; i < len; i++)
		if (is_control(bytes + i, len - i) && (bytes[i] == '\0' || strchr(also, bytes[i]) == NULL))
			return false;
	return true;
}

bool text_is_line(const char *text, size_t len)
{
	return is_printable(text, len, "");
}

bool text_is_text(const char *text, size_t len)
{
	return is_printable(text, len, "\n\t");
}

enum reserved_match { MATCH_NAME, MATCH_PREFIX };

static const struct reserved {
	const char *text;
	size_t len;
	enum reserved_match match;
	const char *group;
} reserved[] = {
#define RESERVED(text, match, group) {text, sizeof(text) - 1, MATCH_##match, group},
#include "reserved.def"
#undef RESERVED
};

const char *text_reserved_for(const char *key, size_t len)
{
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		const struct reserved *row = &reserved[i];
		bool len_fits = row->match == MATCH_PREFIX ? len >= row->len : len == row->len;

		if (len_fits && memcmp(key, row->text, row->len) == 0)
			return row->group;
	}
	return NULL;
}

enum err text_check_key(const char *key, size_t len)
{
	if (len == 0 || len > KEY_BYTES_MAX || is_digit(key[0]))
		return ERR_BAD_NAME;
	for (size_t i = 0; i < len; i++)
		if (!is_lower(key[i]) && !is_upper(key[i]) && !is_digit(key[i]) && key[i] != '_')
			return ERR_BAD_NAME;
	return text_reserved_for(key, len) == NULL ? OK : ERR_RESERVED_NAME;
}

enum err text_check_value(const unsigned char *value, size_t len, bool may_have_lines)
{
	if (len == 0)
		return ERR_BAD_VALUE;
	if (len > VALUE_BYTES_MAX)
		return ERR_TOO_LARGE;
	if (memchr(value, '\0', len) != NULL)
		return ERR_BAD_VALUE;
	if (!may_have_lines && (memchr(value, '\n', len) != NULL || memchr(value, '\r', len) != NULL))
		return ERR_BAD_VALUE;
	return OK;
}
