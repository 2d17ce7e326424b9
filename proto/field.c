/*
 * Checks fields: one row per type says which JSON it takes, which text is valid and what a violation is
 * called.  Text is judged as it will be used, decoded; after this no handler has to doubt a field, except
 * for a VALUE, which only its handler opens (P1).
 */
#include <string.h>

#include "base64.h"
#include "field.h"
#include "text.h"
#include "token.h"

enum { TEXT_BYTES_MAX = 4000 /* the largest text in fields.def */ };

static const int64_t day_seconds = 86400;

typedef bool valid_fn(const char *text, size_t len);

/* What one string must be: a field, an entry of a list, a member of a map. */
struct text_rule {
	valid_fn *is_valid;
	uint32_t max;
	bool needs_ink; /* not empty, not blanks alone */
	enum err too_long;
	enum err malformed;
};

static const struct text_rule entry_rule = {
	text_is_line, FIELD_ENTRY_BYTES_MAX, true, ERR_TOO_LARGE, ERR_BAD_VALUE};
static const struct text_rule label_rule = {text_is_slug, SLUG_BYTES_MAX, true, ERR_BAD_NAME, ERR_BAD_NAME};
static const struct text_rule label_text_rule = {
	text_is_line, FIELD_ENTRY_BYTES_MAX, false, ERR_TOO_LARGE, ERR_BAD_VALUE};

static const struct text_rule credential_rule = {
	text_is_credential, CREDENTIAL_BYTES_MAX, true, ERR_BAD_NAME, ERR_BAD_NAME};

static const struct {
	const char *condition;
	struct text_rule rule;
} conditions[] = {
	{"user", {text_is_line, FIELD_RULE_BYTES_MAX, true, ERR_TOO_LARGE, ERR_BAD_VALUE}},
	{"group", {text_is_line, FIELD_RULE_BYTES_MAX, true, ERR_TOO_LARGE, ERR_BAD_VALUE}},
	{"unit", {text_is_unit_pattern, UNIT_BYTES_MAX, true, ERR_TOO_LARGE, ERR_BAD_VALUE}},
};

static bool is_either(const char *text, size_t len, const char *one, const char *other)
{
	return (strlen(one) == len && memcmp(one, text, len) == 0) ||
	       (strlen(other) == len && memcmp(other, text, len) == 0);
}

static bool is_encoding(const char *text, size_t len)
{
	return is_either(text, len, "utf8", "base64");
}

static bool is_access(const char *text, size_t len)
{
	return is_either(text, len, "read-only", "read-write");
}

static bool is_environment(const char *text, size_t len)
{
	return is_either(text, len, "production", "sandbox");
}

static bool is_duration(const char *text, size_t len)
{
	int64_t seconds = 0;

	return text_duration(text, len, &seconds);
}

static bool is_period(const char *text, size_t len)
{
	int64_t seconds = 0;

	return is_either(text, len, "never", "never") ||
	       (text_duration(text, len, &seconds) && seconds % day_seconds == 0);
}

static bool is_time(const char *text, size_t len)
{
	int64_t time_ms = 0;

	return text_time(text, len, &time_ms);
}

static bool is_hex32(const char *text, size_t len)
{
	unsigned char bytes[16] = {0};

	return hex_decode(text, len, bytes, sizeof(bytes)) == OK;
}

static bool is_hex64(const char *text, size_t len)
{
	unsigned char bytes[32] = {0};

	return hex_decode(text, len, bytes, sizeof(bytes)) == OK;
}

static bool has_ink(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\n')
			return true;
	}
	return false;
}

static enum err check_text(
	const struct json_doc *doc, const struct json_token *token, const struct text_rule *rule)
{
	char text[TEXT_BYTES_MAX + 1] = {0};
	size_t len = 0;

	if (token->type != JSON_STRING)
		return ERR_BAD_PARAMS;
	if (json_text_len(doc, token) > rule->max || json_text(doc, token, text, sizeof(text), &len) != OK)
		return rule->too_long;
	if (rule->needs_ink && !has_ink(text, len))
		return rule->malformed;
	return rule->is_valid(text, len) ? OK : rule->malformed;
}

/* The value of a field and the row of fields.def that it must follow. */
struct given {
	const struct json_doc *doc;
	const struct json_token *token;
	enum field field;
	const struct field_info *info;
};

static enum err check_string(const struct given *given);

static enum err check_opaque(const struct given *given)
{
	return given->token->type == JSON_STRING ? OK : ERR_BAD_PARAMS;
}

/* Read where it lies: a token is a secret (P1), and it needs no escapes. */
static enum err check_token(const struct given *given)
{
	uint64_t id = 0;

	if (given->token->type != JSON_STRING)
		return ERR_BAD_PARAMS;
	if (given->token->has_escape)
		return ERR_BAD_VALUE;
	return token_read(json_raw(given->doc, given->token), given->token->len, &id, NULL);
}

static enum err check_flag(const struct given *given)
{
	enum json_type type = given->token->type;

	return type == JSON_TRUE || type == JSON_FALSE ? OK : ERR_BAD_PARAMS;
}

static enum err check_count(const struct given *given)
{
	int64_t count = 0;
	enum err err = json_integer(given->doc, given->token, &count);

	if (err != OK)
		return err;
	return count >= 0 && given->token->len <= given->info->max ? OK : ERR_BAD_VALUE;
}

static enum err check_key_token(const struct json_doc *doc, const struct json_token *token)
{
	char key[KEY_BYTES_MAX + 1] = {0};
	size_t len = 0;

	if (token->type != JSON_STRING)
		return ERR_BAD_PARAMS;
	return json_text(doc, token, key, sizeof(key), &len) == OK ? text_check_key(key, len) : ERR_BAD_NAME;
}

static enum err check_key(const struct given *given)
{
	return check_key_token(given->doc, given->token);
}

typedef enum err check_entry_fn(const struct json_doc *doc, const struct json_token *entry);

/* A list or a map of at most max entries. */
static enum err check_entries(const struct given *given, enum json_type type, check_entry_fn *check)
{
	enum err err = OK;

	if (given->token->type != type)
		return ERR_BAD_PARAMS;
	if (given->token->count > given->info->max)
		return ERR_TOO_LARGE;
	for (const struct json_token *t = json_first(given->doc, given->token); t != NULL && err == OK;
		t = json_next(given->doc, given->token, t))
		err = check(given->doc, t);
	return err;
}

static enum err check_line_entry(const struct json_doc *doc, const struct json_token *entry)
{
	return check_text(doc, entry, &entry_rule);
}

/* A reserved name may be asked for: it is never there. */
static enum err check_key_entry(const struct json_doc *doc, const struct json_token *entry)
{
	enum err err = check_key_token(doc, entry);

	return err == ERR_RESERVED_NAME ? OK : err;
}

static enum err check_integer_entry(const struct json_doc *doc, const struct json_token *entry)
{
	int64_t value = 0;

	return json_integer(doc, entry, &value);
}

static enum err check_label_entry(const struct json_doc *doc, const struct json_token *label)
{
	enum err err = check_text(doc, label, &label_rule);

	return err == OK ? check_text(doc, label + 1, &label_text_rule) : err;
}

static enum err check_credential_entry(const struct json_doc *doc, const struct json_token *name)
{
	enum err err = check_text(doc, name, &credential_rule);

	return err == OK ? check_key_token(doc, name + 1) : err;
}

static enum err check_condition_entry(const struct json_doc *doc, const struct json_token *condition)
{
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		if (json_equals(doc, condition, conditions[i].condition))
			return check_text(doc, condition + 1, &conditions[i].rule);
	}
	/* A condition that is not understood must never be left out: the grant would be wider than meant (P2). */
	return json_equals(doc, condition, "token") && condition[1].type == JSON_TRUE ? OK : ERR_BAD_PARAMS;
}

static enum err check_lines(const struct given *given)
{
	return check_entries(given, JSON_ARRAY, check_line_entry);
}

static enum err check_keys(const struct given *given)
{
	return check_entries(given, JSON_ARRAY, check_key_entry);
}

static enum err check_integers(const struct given *given)
{
	return check_entries(given, JSON_ARRAY, check_integer_entry);
}

static enum err check_map(const struct given *given)
{
	return check_entries(given, JSON_OBJECT, check_label_entry);
}

static enum err check_credentials(const struct given *given)
{
	return check_entries(given, JSON_OBJECT, check_credential_entry);
}

/* A rule without a condition would match everybody (P2). */
static enum err check_rule(const struct given *given)
{
	enum err err = check_entries(given, JSON_OBJECT, check_condition_entry);

	return err == OK && given->token->count == 0 ? ERR_BAD_PARAMS : err;
}

static const struct {
	enum err (*check)(const struct given *given);
	valid_fn *is_valid; /* of check_string */
	enum err too_long;
	enum err malformed;
} types[] = {
	[FIELD_TYPE_LINE] = {check_string, text_is_line, ERR_TOO_LARGE, ERR_BAD_VALUE},
	[FIELD_TYPE_TEXT] = {check_string, text_is_text, ERR_TOO_LARGE, ERR_BAD_VALUE},
	[FIELD_TYPE_LINES] = {.check = check_lines},
	[FIELD_TYPE_WORD] = {check_string, text_is_word, ERR_BAD_VALUE, ERR_BAD_VALUE},
	[FIELD_TYPE_SLUG] = {check_string, text_is_slug, ERR_BAD_NAME, ERR_BAD_NAME},
	[FIELD_TYPE_INTEGRATION_NAME] = {check_string, text_is_integration_name, ERR_BAD_NAME, ERR_BAD_NAME},
	[FIELD_TYPE_KEY] = {.check = check_key},
	[FIELD_TYPE_KEYS] = {.check = check_keys},
	[FIELD_TYPE_VALUE] = {.check = check_opaque},
	[FIELD_TYPE_ENCODING] = {check_string, is_encoding, ERR_BAD_VALUE, ERR_BAD_VALUE},
	[FIELD_TYPE_ACCESS] = {check_string, is_access, ERR_BAD_VALUE, ERR_BAD_VALUE},
	[FIELD_TYPE_ENVIRONMENT] = {check_string, is_environment, ERR_BAD_VALUE, ERR_BAD_VALUE},
	[FIELD_TYPE_DURATION] = {check_string, is_duration, ERR_BAD_VALUE, ERR_BAD_VALUE},
	[FIELD_TYPE_PERIOD] = {check_string, is_period, ERR_BAD_VALUE, ERR_BAD_VALUE},
	[FIELD_TYPE_TIME] = {check_string, is_time, ERR_BAD_VALUE, ERR_BAD_VALUE},
	[FIELD_TYPE_COUNT] = {.check = check_count},
	[FIELD_TYPE_INTEGERS] = {.check = check_integers},
	[FIELD_TYPE_FLAG] = {.check = check_flag},
	[FIELD_TYPE_HEX32] = {check_string, is_hex32, ERR_BAD_PARAMS, ERR_BAD_PARAMS},
	[FIELD_TYPE_HEX64] = {check_string, is_hex64, ERR_BAD_PARAMS, ERR_BAD_PARAMS},
	[FIELD_TYPE_RUN] = {check_string, text_is_run, ERR_BAD_PARAMS, ERR_BAD_PARAMS},
	[FIELD_TYPE_MAP] = {.check = check_map},
	[FIELD_TYPE_CREDENTIAL] = {check_string, text_is_credential, ERR_BAD_NAME, ERR_BAD_NAME},
	[FIELD_TYPE_CREDENTIALS] = {.check = check_credentials},
	[FIELD_TYPE_RULE] = {.check = check_rule},
	[FIELD_TYPE_PARAMS] = {.check = check_opaque},
	[FIELD_TYPE_TOKEN] = {.check = check_token},
};

/* What every integration must say about itself is never empty. */
static enum err check_string(const struct given *given)
{
	struct text_rule rule = {
		.is_valid = types[given->info->type].is_valid,
		.max = given->info->max,
		.needs_ink = given->field >= FIELD_TITLE && given->field <= FIELD_CONTACT,
		.too_long = types[given->info->type].too_long,
		.malformed = types[given->info->type].malformed,
	};

	return check_text(given->doc, given->token, &rule);
}

enum err field_check(const struct json_doc *doc, const struct json_token *value, enum field field)
{
	const struct field_info *info = field_info(field);
	struct given given = {.doc = doc, .token = value, .field = field, .info = info};

	return types[info->type].check(&given);
}
