/*
 * The strict gate: the only code that looks at a line of JSON as bytes from a stranger.  Hostile bytes cost
 * linear time, a constant stack and no heap (P8); what passes has one meaning, so that no later reader can
 * be made to see another request than the one that was checked and recorded.  The text of strings: gate_text.c.
 * What members mean is left to others.
 */
#include <string.h>

#include "gate.h"

static const int64_t integer_max = 9007199254740991; /* 2^53 - 1: exact in every parser, also in doubles */

struct scan {
	const char *text;
	size_t len;
	size_t at;
	const struct gate_limits *limits;
	struct json_token *tokens;
	uint32_t count;
	uint32_t depth;
	uint32_t open[GATE_DEPTH_LIMIT]; /* tokens of the containers around at, outermost first */
};

static bool is_next(const struct scan *scan, char byte)
{
	return scan->at < scan->len && scan->text[scan->at] == byte;
}

static bool is_digit_next(const struct scan *scan)
{
	return scan->at < scan->len && scan->text[scan->at] >= '0' && scan->text[scan->at] <= '9';
}

static bool take(struct scan *scan, char byte)
{
	if (!is_next(scan, byte))
		return false;
	scan->at++;
	return true;
}

/* A line holds no newline, but other documents may; a carriage return is white space to RFC 8259, not here. */
static void skip_space(struct scan *scan)
{
	while (is_next(scan, ' ') || is_next(scan, '\t') || is_next(scan, '\n'))
		scan->at++;
}

/* Adds a token for text[start..end); for a container the end comes later. */
static enum err add_token(struct scan *scan, enum json_type type, bool has_escape, size_t start, size_t end)
{
	if (scan->count >= scan->limits->tokens_max)
		return ERR_TOO_COMPLEX;
	scan->tokens[scan->count] = (struct json_token){
		.type = type,
		.has_escape = has_escape,
		.start = (uint32_t)start,
		.len = (uint32_t)(end - start),
		.next = scan->count + 1,
	};
	scan->count++;
	return OK;
}

static enum err scan_string(struct scan *scan)
{
	size_t start = scan->at + 1;
	size_t string_len = 0;
	bool has_escape = false;

	if (!take(scan, '"') ||
		!gate_string_end(scan->text + start, scan->len - start, &string_len, &has_escape))
		return ERR_BAD_JSON;
	scan->at = start + string_len + 1;
	return add_token(scan, JSON_STRING, has_escape, start, start + string_len);
}

/* Stops at the first digit too many; whatever follows the digits must be the container's business. */
static enum err scan_integer(struct scan *scan)
{
	size_t start = scan->at;
	bool is_negative = take(scan, '-');
	size_t first = scan->at;
	int64_t value = 0;

	while (is_digit_next(scan)) {
		value = value * 10 + (scan->text[scan->at] - '0');
		scan->at++;
		if (value > integer_max || (value == 0 && is_negative))
			return ERR_BAD_JSON;
		if (value == 0)
			break;
	}
	if (scan->at == first)
		return ERR_BAD_JSON;
	return add_token(scan, JSON_INTEGER, false, start, scan->at);
}

static enum err scan_word(struct scan *scan)
{
	static const struct {
		const char *word;
		enum json_type type;
	} words[] = {{"true", JSON_TRUE}, {"false", JSON_FALSE}, {"null", JSON_NULL}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i].word);
		size_t start = scan->at;

		if (scan->len - start >= len && memcmp(scan->text + start, words[i].word, len) == 0) {
			scan->at += len;
			return add_token(scan, words[i].type, false, start, scan->at);
		}
	}
	return ERR_BAD_JSON;
}

static enum err open_container(struct scan *scan, enum json_type type)
{
	if (scan->depth >= scan->limits->depth_max || scan->depth >= GATE_DEPTH_LIMIT)
		return ERR_TOO_COMPLEX;
	scan->open[scan->depth++] = scan->count;
	scan->at++;
	return add_token(scan, type, false, scan->at - 1, scan->at);
}

static void close_container(struct scan *scan)
{
	struct json_token *container = &scan->tokens[scan->open[--scan->depth]];

	container->len = (uint32_t)scan->at - container->start;
	container->next = scan->count;
}

static enum err scan_value(struct scan *scan)
{
	if (is_next(scan, '"'))
		return scan_string(scan);
	if (is_next(scan, '{'))
		return open_container(scan, JSON_OBJECT);
	if (is_next(scan, '['))
		return open_container(scan, JSON_ARRAY);
	if (is_next(scan, '-') || is_digit_next(scan))
		return scan_integer(scan);
	return scan_word(scan);
}

/* Parsers differ in which of two equal keys they take; raw spans decide, because keys have no escapes. */
static bool is_duplicate(const struct scan *scan, uint32_t object, uint32_t key)
{
	const struct json_token *new = &scan->tokens[key];

	for (uint32_t i = object + 1; i < key; i = scan->tokens[i + 1].next) {
		const struct json_token *old = &scan->tokens[i];

		if (old->len == new->len &&
			memcmp(scan->text + old->start, scan->text + new->start, new->len) == 0)
			return true;
	}
	return false;
}

static enum err scan_key(struct scan *scan, uint32_t object)
{
	uint32_t key = scan->count;

	if (scan->tokens[object].count > scan->limits->keys_max)
		return ERR_TOO_COMPLEX;

	enum err err = scan_string(scan);

	if (err != OK)
		return err;
	if (scan->tokens[key].has_escape || is_duplicate(scan, object, key))
		return ERR_BAD_JSON;
	skip_space(scan);
	return take(scan, ':') ? OK : ERR_BAD_JSON;
}

/* One entry of the innermost container, or its end.  A container that opens here is the innermost afterwards. */
static enum err scan_entry(struct scan *scan)
{
	uint32_t index = scan->open[scan->depth - 1];
	struct json_token *container = &scan->tokens[index];
	bool is_object = container->type == JSON_OBJECT;
	enum err err = OK;

	skip_space(scan);
	if (take(scan, is_object ? '}' : ']')) {
		close_container(scan);
		return OK;
	}
	if (container->count > 0 && !take(scan, ','))
		return ERR_BAD_JSON;
	container->count++;
	skip_space(scan);
	if (is_object)
		err = scan_key(scan, index);
	if (err != OK)
		return err;
	skip_space(scan);
	return scan_value(scan);
}

enum err gate_scan(const char *text, size_t len, const struct gate_limits *limits, struct json_token *tokens,
	uint32_t *count_out)
{
	struct scan scan = {.text = text, .len = len, .limits = limits, .tokens = tokens};

	if (len > UINT32_MAX)
		return ERR_TOO_COMPLEX;
	skip_space(&scan);
	if (!is_next(&scan, '{'))
		return ERR_BAD_JSON;

	enum err err = open_container(&scan, JSON_OBJECT);

	while (err == OK && scan.depth > 0)
		err = scan_entry(&scan);
	if (err != OK)
		return err;
	skip_space(&scan);
	if (scan.at != len)
		return ERR_BAD_JSON;
	*count_out = scan.count;
	return OK;
}
