/*
 * What a masked output must look like, worked out the slow way over the whole of it: every form is decoded at once, and
 * every pattern is tried at every place.
 */
#ifndef COFFER_TESTS_MASK_MODEL_H
#define COFFER_TESTS_MASK_MODEL_H

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mask.h"

enum { MODEL_PATTERNS_MAX = 512, MODEL_BARRIER = -1 };

struct model_text {
	char *bytes;
	size_t len;
};

/* A byte that a piece of the output stands for, or a barrier that no occurrence crosses. */
struct model_unit {
	int byte;
	size_t start;
	size_t end;
};

struct model {
	struct model_text patterns[MODEL_PATTERNS_MAX]; /* owned */
	size_t pattern_count;
	const char *output;
	size_t len;
	bool *hidden; /* for each byte of the output */
	struct model_unit *units; /* of the form at hand */
	size_t unit_count;
	bool has_padding; /* the form at hand is base64 */
};

static inline void model_pattern(struct model *model, const char *bytes, size_t len)
{
	struct model_text *pattern = &model->patterns[model->pattern_count];

	if (len < MASK_VALUE_BYTES_MIN)
		return;
	assert(model->pattern_count < MODEL_PATTERNS_MAX);
	model->pattern_count++;
	pattern->bytes = malloc(len);
	assert(pattern->bytes != NULL);
	memcpy(pattern->bytes, bytes, len);
	pattern->len = len;
}

/* With \r\n for each \n. */
static inline void model_terminal_pattern(struct model *model, const char *bytes, size_t len)
{
	char *shown = malloc(2 * len + 1);
	size_t shown_len = 0;

	assert(shown != NULL);
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			shown[shown_len++] = '\r';
		shown[shown_len++] = bytes[i];
	}
	if (len >= MASK_VALUE_BYTES_MIN)
		model_pattern(model, shown, shown_len);
	free(shown);
}

static inline bool model_is_in(char byte, const char *set)
{
	return byte != '\0' && strchr(set, byte) != NULL;
}

static inline void model_value(struct model *model, const char *value, size_t len)
{
	size_t short_len = len;

	if (len < MASK_VALUE_BYTES_MIN)
		return;
	while (short_len > 0 && model_is_in(value[short_len - 1], "\r\n"))
		short_len--;
	model_pattern(model, value, len);
	model_pattern(model, value, short_len);
	model_terminal_pattern(model, value, len);
	model_terminal_pattern(model, value, short_len);
	for (size_t first = 0; first <= len; first++) {
		size_t last = first;

		while (last < len && !model_is_in(value[last], "\r\n"))
			last++;

		/* Lines only: a value of one line is no less than it stands. */
		size_t line_end = last;

		while (first < line_end && model_is_in(value[first], " \t"))
			first++;
		while (line_end > first && model_is_in(value[line_end - 1], " \t"))
			line_end--;
		if (memchr(value, '\n', len) != NULL || memchr(value, '\r', len) != NULL)
			model_pattern(model, value + first, line_end - first);
		first = last;
	}
}

static inline void model_unit(struct model *model, int byte, size_t start, size_t end)
{
	model->units[model->unit_count++] = (struct model_unit){byte, start, end};
}

static inline void model_hide(
	struct model *model, const struct model_unit *first, const struct model_unit *last)
{
	for (size_t i = first->start; i < last->end; i++)
		model->hidden[i] = true;
	for (size_t i = last->end; model->has_padding && i < last->end + 2 && i < model->len; i++) {
		if (model->output[i] != '=')
			return;
		model->hidden[i] = true;
	}
}

/* Tries every pattern at every unit of the form at hand, and forgets the units. */
static inline void model_search(struct model *model)
{
	for (size_t p = 0; p < model->pattern_count; p++) {
		const struct model_text *pattern = &model->patterns[p];

		for (size_t at = 0; at + pattern->len <= model->unit_count; at++) {
			size_t same = 0;

			while (same < pattern->len &&
				model->units[at + same].byte == (unsigned char)pattern->bytes[same])
				same++;
			if (same == pattern->len)
				model_hide(model, &model->units[at], &model->units[at + same - 1]);
		}
	}
	model->unit_count = 0;
}

static inline int model_hex(const struct model *model, size_t at)
{
	if (at >= model->len || !isxdigit((unsigned char)model->output[at]))
		return -1;

	char digit[] = {model->output[at], '\0'};

	return (int)strtol(digit, NULL, 16);
}

static inline void model_read_hex(struct model *model, size_t first)
{
	for (size_t at = first; at + 1 < model->len; at += 2) {
		int high = model_hex(model, at);
		int low = model_hex(model, at + 1);

		model_unit(model, high < 0 || low < 0 ? MODEL_BARRIER : high * 16 + low, at, at + 2);
	}
}

static inline int model_base64(char byte)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
	const char *at = byte == '\0' ? NULL : strchr(digits, byte);

	return at == NULL ? -1 : at - digits < 64 ? (int)(at - digits) : (int)(at - digits - 2);
}

/* The next digit behind at, over one or two line breaks, or len. */
static inline size_t model_next_digit(const struct model *model, size_t at)
{
	size_t next = at + 1;

	while (next < model->len && next <= at + 2 && model_is_in(model->output[next], "\r\n"))
		next++;
	return next < model->len && model_base64(model->output[next]) >= 0 ? next : model->len;
}

/* All runs of digits; the first digit of each is number `first` of its group of four. */
static inline void model_read_base64(struct model *model, unsigned first)
{
	for (size_t at = 0; at < model->len; at++) {
		unsigned place = first;

		if (model_base64(model->output[at]) < 0)
			continue;
		for (size_t next = model_next_digit(model, at); next < model->len;
			next = model_next_digit(model, at), place++) {
			int bits = model_base64(model->output[at]) << 6 | model_base64(model->output[next]);

			if (place % 4 != 3)
				model_unit(model, bits >> (4 - 2 * (place % 4)) & 0xff, at, next + 1);
			at = next;
		}
		model_unit(model, MODEL_BARRIER, at, at);
	}
}

static inline void model_read_percent(struct model *model, char plus)
{
	for (size_t at = 0; at < model->len; at++) {
		char byte = model->output[at];
		int high = model_hex(model, at + 1);
		int low = model_hex(model, at + 2);

		if (byte != '%') {
			model_unit(model, (unsigned char)(byte == '+' ? plus : byte), at, at + 1);
		} else if (high < 0 || low < 0) {
			model_unit(model, MODEL_BARRIER, at, at);
		} else {
			model_unit(model, high * 16 + low, at, at + 3);
			at += 2;
		}
	}
}

/* UTF-8 of the code at `at`; each half of a pair gives two bytes of the four. */
static inline void model_code(struct model *model, unsigned code, unsigned *high, size_t at)
{
	unsigned pair = *high + (code & 0x3ff);
	unsigned bytes[3] = {code, 0, 0};
	size_t count = 1;

	if (code >= 0xd800 && code < 0xdc00) {
		*high = ((code & 0x3ff) << 10) + 0x10000;
		bytes[0] = 0xf0 | *high >> 18;
		bytes[1] = 0x80 | (*high >> 12 & 0x3f);
		count = 2;
	} else if (code >= 0xdc00 && code < 0xe000) {
		bytes[0] = 0x80 | (pair >> 6 & 0x3f);
		bytes[1] = 0x80 | (pair & 0x3f);
		count = 2;
	} else if (code >= 0x800) {
		bytes[0] = 0xe0 | code >> 12;
		bytes[1] = 0x80 | (code >> 6 & 0x3f);
		bytes[2] = 0x80 | (code & 0x3f);
		count = 3;
	} else if (code >= 0x80) {
		bytes[0] = 0xc0 | code >> 6;
		bytes[1] = 0x80 | (code & 0x3f);
		count = 2;
	}
	for (size_t i = 0; i < count; i++)
		model_unit(model, (int)bytes[i], at, at + 6);
}

static inline bool model_has_four_digits(const struct model *model, size_t at)
{
	return model_hex(model, at) >= 0 && model_hex(model, at + 1) >= 0 && model_hex(model, at + 2) >= 0 &&
	       model_hex(model, at + 3) >= 0;
}

static inline void model_read_backslash(struct model *model)
{
	static const char letters[] = "nrtbf";
	unsigned high = 0x10000;

	for (size_t at = 0; at < model->len; at++) {
		char byte = model->output[at];
		char letter = at + 1 < model->len ? model->output[at + 1] : '\0';

		if (byte != '\\') {
			model_unit(model, (unsigned char)byte, at, at + 1);
		} else if (at + 1 == model->len || (letter == 'u' && !model_has_four_digits(model, at + 2))) {
			model_unit(model, MODEL_BARRIER, at, at);
		} else if (letter == 'u') {
			unsigned code = 0;

			for (size_t i = 2; i < 6; i++)
				code = code * 16 + (unsigned)model_hex(model, at + i);
			model_code(model, code, &high, at);
			at += 5;
		} else {
			const char *known = letter == '\0' ? NULL : strchr(letters, letter);

			model_unit(model,
				known == NULL ? (unsigned char)letter : "\n\r\t\b\f"[known - letters], at,
				at + 2);
			at++;
		}
	}
}

static inline void model_search_all(struct model *model)
{
	for (size_t at = 0; at < model->len; at++)
		model_unit(model, (unsigned char)model->output[at], at, at + 1);
	model_search(model);
	for (size_t first = 0; first < 2; first++) {
		model_read_hex(model, first);
		model_search(model);
	}
	model->has_padding = true;
	for (unsigned first = 0; first < 4; first++) {
		model_read_base64(model, first);
		model_search(model);
	}
	model->has_padding = false;
	model_read_percent(model, '+');
	model_search(model);
	model_read_percent(model, ' ');
	model_search(model);
	model_read_backslash(model);
	model_search(model);
}

/* The masked output, in memory that the caller frees. */
static inline struct model_text model_mask(struct model *model, const char *output, size_t len)
{
	struct model_text masked = {.bytes = malloc(3 * len + 1)};

	model->output = output;
	model->len = len;
	model->hidden = calloc(len + 1, sizeof(*model->hidden));
	model->units = calloc(4 * len + 4, sizeof(*model->units));
	assert(masked.bytes != NULL && model->hidden != NULL && model->units != NULL);
	model_search_all(model);
	for (size_t i = 0; i < len; i++) {
		if (!model->hidden[i]) {
			masked.bytes[masked.len++] = output[i];
		} else if (i == 0 || !model->hidden[i - 1]) {
			memcpy(masked.bytes + masked.len, "***", 3);
			masked.len += 3;
		}
	}
	free(model->hidden);
	free(model->units);
	return masked;
}

static inline void model_free(struct model *model)
{
	for (size_t i = 0; i < model->pattern_count; i++)
		free(model->patterns[i].bytes);
	*model = (struct model){0};
}

#endif
