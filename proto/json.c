/*
 * Reading what the gate let through: members, iteration, and the decoding of strings.  It trusts the gate's
 * tokens and nothing else; text leaves it only into memory of the caller's choosing, so a value stays where it may be (P1).
 */
#include <string.h>

#include "json.h"

static uint32_t index_of(const struct json_doc *doc, const struct json_token *token)
{
	return (uint32_t)(token - doc->tokens);
}

static bool has_raw_text(
	const struct json_doc *doc, const struct json_token *token, const char *text, size_t len)
{
	return token->len == len && memcmp(doc->text + token->start, text, len) == 0;
}

const struct json_token *json_member(
	const struct json_doc *doc, const struct json_token *object, const char *key)
{
	size_t len = strlen(key);

	for (const struct json_token *t = json_first(doc, object); t != NULL; t = json_next(doc, object, t)) {
		if (has_raw_text(doc, t, key, len))
			return t + 1;
	}
	return NULL;
}

const struct json_token *json_first(const struct json_doc *doc, const struct json_token *container)
{
	(void)doc;
	return container == NULL || container->count == 0 ? NULL : container + 1;
}

const struct json_token *json_next(
	const struct json_doc *doc, const struct json_token *container, const struct json_token *at)
{
	uint32_t next = container->type == JSON_OBJECT ? (at + 1)->next : at->next;

	return next < container->next && next > index_of(doc, at) ? &doc->tokens[next] : NULL;
}

const char *json_raw(const struct json_doc *doc, const struct json_token *token)
{
	return doc->text + token->start;
}

/* A string's text comes in pieces: runs without escapes as they are, each escape as its UTF-8 bytes. */
struct pieces {
	const char *at;
	const char *end;
	const char *piece;
	size_t piece_len;
	char decoded[4];
};

static struct pieces pieces_of(const struct json_doc *doc, const struct json_token *string)
{
	const char *raw = json_raw(doc, string);

	return (struct pieces){.at = raw, .end = raw + string->len};
}

static size_t encode_utf8(uint32_t code, char out[4])
{
	static const unsigned char leads[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
	size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	for (size_t i = len - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	out[0] = (char)(leads[len] | code);
	return len;
}

static bool next_piece(struct pieces *pieces)
{
	size_t left = (size_t)(pieces->end - pieces->at);

	if (left == 0)
		return false;
	if (*pieces->at == '\\') {
		uint32_t code = 0;

		pieces->at += gate_escape(pieces->at, left, &code);
		pieces->piece = pieces->decoded;
		pieces->piece_len = encode_utf8(code, pieces->decoded);
		return true;
	}

	const char *escape = memchr(pieces->at, '\\', left);

	pieces->piece = pieces->at;
	pieces->piece_len = escape == NULL ? left : (size_t)(escape - pieces->at);
	pieces->at += pieces->piece_len;
	return true;
}

bool json_equals(const struct json_doc *doc, const struct json_token *token, const char *text)
{
	size_t left = strlen(text);

	if (token == NULL || token->type != JSON_STRING)
		return false;
	for (struct pieces pieces = pieces_of(doc, token); next_piece(&pieces);) {
		if (pieces.piece_len > left || memcmp(pieces.piece, text, pieces.piece_len) != 0)
			return false;
		text += pieces.piece_len;
		left -= pieces.piece_len;
	}
	return left == 0;
}

size_t json_text_len(const struct json_doc *doc, const struct json_token *token)
{
	size_t len = 0;

	if (!token->has_escape)
		return token->len;
	for (struct pieces pieces = pieces_of(doc, token); next_piece(&pieces);)
		len += pieces.piece_len;
	return len;
}

enum err json_text(
	const struct json_doc *doc, const struct json_token *token, char *out, size_t cap, size_t *len_out)
{
	size_t len = 0;

	if (token == NULL || token->type != JSON_STRING)
		return ERR_BAD_PARAMS;
	if (json_text_len(doc, token) >= cap)
		return ERR_TOO_LARGE;
	for (struct pieces pieces = pieces_of(doc, token); next_piece(&pieces);) {
		memcpy(out + len, pieces.piece, pieces.piece_len);
		len += pieces.piece_len;
	}
	out[len] = '\0';
	*len_out = len;
	return OK;
}

enum err json_integer(const struct json_doc *doc, const struct json_token *token, int64_t *out)
{
	if (token == NULL || token->type != JSON_INTEGER)
		return ERR_BAD_PARAMS;

	const char *raw = json_raw(doc, token);
	bool is_negative = raw[0] == '-';
	int64_t value = 0;

	for (uint32_t i = is_negative; i < token->len; i++)
		value = value * 10 + (raw[i] - '0');
	*out = is_negative ? -value : value;
	return OK;
}
