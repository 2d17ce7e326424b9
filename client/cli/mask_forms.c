/*
 * Reads forms.  What cannot stand in a form ends what it had read; a reader never looks ahead.  An encoder of
 * bytes and a reader of text meet in the middle: a digit or an escape that a value shares with its neighbours
 * counts as the value's, so nothing that tells of it remains.
 */
#include "mask_forms.h"

#include <string.h>

enum { HEX_DIGIT_BITS = 4, BASE64_DIGIT_BITS = 6, BREAK_BYTES_MAX = 2, PADS_MAX = 2 };

struct span {
	uint32_t start;
	uint32_t end;
};

/* Of a digit its value and 1; 0: no digit. */
static void fill_digits(unsigned char *table, const char *digits)
{
	for (unsigned char i = 0; digits[i] != '\0'; i++)
		table[(unsigned char)digits[i]] = (unsigned char)(i + 1);
}

void mask_forms_init(struct mask_forms *forms, const struct mask_tree *tree, struct mask_window *window)
{
	static const char letters_and_numbers[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	forms->tree = tree;
	forms->window = window;
	fill_digits(forms->hex_digits, "0123456789abcdef");
	fill_digits(forms->hex_digits, "0123456789ABCDEF");
	fill_digits(forms->base64_digits, letters_and_numbers);
	forms->base64_digits['+'] = forms->base64_digits['-'] = 63;
	forms->base64_digits['/'] = forms->base64_digits['_'] = 64;
}

static unsigned char byte_at(const struct mask_forms *forms, uint32_t position)
{
	return forms->window->bytes[position & (forms->window->size - 1)];
}

/* What is out cannot be hidden any more; the rest is. */
static void hide(const struct mask_window *window, struct span span)
{
	uint32_t held = span.end - window->begin;
	uint32_t len = span.end - span.start < held ? span.end - span.start : held;
	uint32_t *reach = &window->reach[(span.end - len) & (window->size - 1)];

	if (*reach < len)
		*reach = len;
}

/* One more unit of a form, which stands at span; true when an occurrence ends with it. */
static inline bool take(
	struct mask_forms *forms, struct mask_form *form, unsigned char unit, struct span span)
{
	form->node = mask_tree_next(forms->tree, form->node, unit);
	if (form->node == 0)
		return false;
	form->starts[form->count++ & (forms->unit_slots - 1)] = span.start;

	uint32_t match = forms->tree->nodes[form->node].match;

	if (match == 0)
		return false;
	span.start = form->starts[(form->count - match) & (forms->unit_slots - 1)];
	hide(forms->window, span);
	return true;
}

static void forget(struct mask_form *form, size_t count)
{
	for (size_t i = 0; i < count; i++)
		form[i].node = 0;
}

static void read_raw(struct mask_forms *forms, uint32_t from)
{
	for (uint32_t at = from; at != forms->window->end; at++)
		take(forms, &forms->form[FORM_RAW], byte_at(forms, at), (struct span){at, at + 1});
}

static void read_hex(struct mask_forms *forms, uint32_t from)
{
	for (uint32_t at = from; at != forms->window->end; at++) {
		unsigned char digit = forms->hex_digits[byte_at(forms, at)];
		unsigned before = forms->hex.digit;

		forms->hex = (struct mask_digit){.digit = digit, .position = at};
		if (digit == 0)
			forget(&forms->form[FORM_HEX], 2);
		else if (before != 0)
			take(forms, &forms->form[FORM_HEX + (at & 1)],
				(unsigned char)((before - 1) << HEX_DIGIT_BITS | (unsigned)(digit - 1)),
				(struct span){at - 1, at + 1});
	}
}

/* Each digit but the first completes a byte in three of the four readings. */
static void take_base64(struct mask_forms *forms, unsigned digit, uint32_t at)
{
	unsigned bits = (unsigned)(forms->base64.digit - 1) << BASE64_DIGIT_BITS | digit;
	struct span span = {forms->base64.position, at + 1};

	for (uint32_t group = 1; group <= 3; group++) {
		struct mask_form *form = &forms->form[FORM_BASE64 + ((group - forms->base64_count) & 3)];

		if (!take(forms, form, (unsigned char)(bits >> (6 - 2 * group)), span))
			continue;
		forms->pad_position = at + 1;
		forms->pads_left = PADS_MAX;
	}
}

/* True for a byte that does not end what the digits before it began. */
static bool is_between_digits(struct mask_forms *forms, unsigned char byte)
{
	return (byte == '\n' || byte == '\r') && forms->base64.digit != 0 &&
	       ++forms->base64_breaks <= BREAK_BYTES_MAX;
}

static void end_base64(struct mask_forms *forms, unsigned char byte, uint32_t at)
{
	forms->base64.digit = 0;
	forget(&forms->form[FORM_BASE64], 4);
	if (byte != '=' || forms->pad_position != at)
		forms->pads_left = 0;
	if (forms->pads_left == 0)
		return;
	hide(forms->window, (struct span){at, at + 1});
	forms->pad_position++;
	forms->pads_left--;
}

static void read_base64(struct mask_forms *forms, uint32_t from)
{
	for (uint32_t at = from; at != forms->window->end; at++) {
		unsigned char byte = byte_at(forms, at);
		unsigned char digit = forms->base64_digits[byte];

		if (digit == 0 && is_between_digits(forms, byte))
			continue;
		if (digit == 0) {
			end_base64(forms, byte, at);
			continue;
		}
		if (forms->base64.digit != 0)
			take_base64(forms, digit - 1u, at);
		forms->base64 = (struct mask_digit){.digit = digit, .position = at};
		forms->base64_count++;
		forms->base64_breaks = 0;
	}
}

/* The UTF-8 of \uXXXX.  The first half of a surrogate pair decides two of the four bytes and a part of the third. */
static size_t encode_utf8(struct mask_escape *escape, unsigned code, unsigned char out[3])
{
	unsigned last = 0x80 | (code & 0x3f);
	unsigned before = 0x80 | (code >> 6 & 0x3f);
	size_t len = 0;

	if (code >= 0xd800 && code < 0xdc00) {
		unsigned upper = code - 0xd800 + 0x40;

		escape->high_bits = upper & 3;
		out[len++] = (unsigned char)(0xf0 | upper >> 8);
		out[len++] = (unsigned char)(0x80 | (upper >> 2 & 0x3f));
		return len;
	}
	if (code >= 0xdc00 && code < 0xe000)
		before = 0x80u | (unsigned)escape->high_bits << 4 | (code >> 6 & 0xf);
	else if (code >= 0x800)
		out[len++] = (unsigned char)(0xe0 | code >> 12);
	else if (code >= 0x80)
		before |= 0x40;
	if (code >= 0x80)
		out[len++] = (unsigned char)before;
	out[len++] = (unsigned char)(code < 0x80 ? code : last);
	return len;
}

static unsigned number(const struct mask_forms *forms, const unsigned char *digits, size_t count)
{
	unsigned value = 0;

	for (size_t i = 0; i < count; i++)
		value = value << HEX_DIGIT_BITS | (unsigned)(forms->hex_digits[digits[i]] - 1);
	return value;
}

static unsigned char short_escape(unsigned char letter)
{
	static const char letters[] = "bfnrt";
	static const char meanings[] = "\b\f\n\r\t";
	const char *at = letter == '\0' ? NULL : strchr(letters, letter);

	return at == NULL ? letter : (unsigned char)meanings[at - letters];
}

static size_t units_of_escape(
	const struct mask_forms *forms, struct mask_escape *escape, unsigned char out[3])
{
	if (escape->text[0] == '\\' && escape->text[1] == 'u')
		return encode_utf8(escape, number(forms, escape->text + 2, 4), out);
	out[0] = escape->text[0] == '%' ? (unsigned char)number(forms, escape->text + 1, 2)
					: short_escape(escape->text[1]);
	return 1;
}

static size_t escape_bytes(const struct mask_escape *escape)
{
	if (escape->text[0] == '%')
		return 3;
	return escape->len < 2 || escape->text[1] == 'u' ? 6 : 2;
}

/* It was no escape: what came after its first byte is text. */
static void give_up(struct mask_forms *forms, struct mask_form *form, struct mask_escape *escape)
{
	form->node = 0;
	for (unsigned char i = 1; i < escape->len; i++)
		take(forms, form, escape->text[i],
			(struct span){escape->position + i, escape->position + i + 1});
	escape->len = 0;
}

static void go_on(struct mask_forms *forms, struct mask_form *form, struct mask_escape *escape, uint32_t at)
{
	unsigned char units[3] = {0};

	escape->text[escape->len++] = byte_at(forms, at);
	if (escape->len < escape_bytes(escape))
		return;
	escape->len = 0;

	size_t count = units_of_escape(forms, escape, units);

	for (size_t i = 0; i < count; i++)
		take(forms, form, units[i], (struct span){escape->position, at + 1});
}

static bool wants_digit(const struct mask_escape *escape)
{
	return escape->len >= (escape->text[0] == '%' ? 1 : 2);
}

static void read_escaped(struct mask_forms *forms, enum mask_form_name name, uint32_t from)
{
	struct mask_form *form = &forms->form[name];
	struct mask_escape *escape = &forms->escape[name - FORM_PERCENT];
	unsigned char begin = name == FORM_BACKSLASH ? '\\' : '%';
	unsigned char plus = name == FORM_PLUS ? ' ' : '+';

	for (uint32_t at = from; at != forms->window->end; at++) {
		unsigned char byte = byte_at(forms, at);

		if (escape->len > 0 && wants_digit(escape) && forms->hex_digits[byte] == 0)
			give_up(forms, form, escape);
		if (escape->len == 0 && byte == begin)
			escape->position = at;
		if (escape->len > 0 || byte == begin)
			go_on(forms, form, escape, at);
		else
			take(forms, form, byte == '+' ? plus : byte, (struct span){at, at + 1});
	}
}

void mask_forms_read(struct mask_forms *forms, uint32_t from)
{
	read_raw(forms, from);
	read_hex(forms, from);
	read_base64(forms, from);
	read_escaped(forms, FORM_PERCENT, from);
	read_escaped(forms, FORM_PLUS, from);
	read_escaped(forms, FORM_BACKSLASH, from);
}

/* Whether a pattern begins with a byte of these highest bits. */
static bool could_begin(const struct mask_tree *tree, unsigned bits, unsigned bit_count)
{
	unsigned rest = 8 - bit_count;
	unsigned first = bits << rest & 0xff;

	for (unsigned byte = first; byte < first + (1u << rest); byte++) {
		if (tree->root[byte] != 0)
			return true;
	}
	return false;
}

static bool could_begin_hex(const struct mask_forms *forms)
{
	return forms->hex.digit != 0 && could_begin(forms->tree, forms->hex.digit - 1u, HEX_DIGIT_BITS);
}

static bool could_begin_base64(const struct mask_forms *forms)
{
	unsigned digit = forms->base64.digit - 1u;

	return forms->base64.digit != 0 &&
	       (could_begin(forms->tree, digit, 6) || could_begin(forms->tree, digit, 4) ||
		       could_begin(forms->tree, digit, 2));
}

static void raise_to(uint32_t *most, uint32_t value)
{
	if (*most < value)
		*most = value;
}

uint32_t mask_forms_open(const struct mask_forms *forms, uint32_t units_min)
{
	uint32_t end = forms->window->end;
	uint32_t open = 0;

	for (size_t i = 0; i < FORM_COUNT; i++) {
		const struct mask_form *form = &forms->form[i];
		uint32_t depth = forms->tree->nodes[form->node].depth;

		if (depth > 0 && depth >= units_min)
			raise_to(&open, end - form->starts[(form->count - depth) & (forms->unit_slots - 1)]);
	}
	if (units_min > 0)
		return open;
	if (could_begin_hex(forms))
		raise_to(&open, end - forms->hex.position);
	if (could_begin_base64(forms))
		raise_to(&open, end - forms->base64.position);
	for (size_t i = 0; i < FORM_COUNT - FORM_PERCENT; i++) {
		if (forms->escape[i].len > 0)
			raise_to(&open, end - forms->escape[i].position);
	}
	return open;
}

void mask_forms_reset(struct mask_forms *forms)
{
	forget(forms->form, FORM_COUNT);
	forms->hex.digit = 0;
	forms->base64.digit = 0;
	forms->pads_left = 0;
	memset(forms->escape, 0, sizeof(forms->escape));
}
