/*
 * Which values are hidden, and what of an output is out, is hidden, is held back.  mask_forms.c finds the occurrences,
 * mask_tree.c holds the values.
 *
 * An occurrence is noted where it begins, as the bytes that it takes.  A byte goes out once no occurrence that is still
 * open may hold it; by then all that begin at it or before it are noted.  Hence no order of overlapping occurrences, and no
 * cut of the output, makes a difference.
 */
#include "mask.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mask_forms.h"
#include "mask_tree.h"
#include "text.h"

enum {
	SLICE_BYTES = 2048, /* of output that is read at a time */
	/* Just below where positions wrap, so that it happens early in every output and not once in 4 GiB. */
	FIRST_POSITION = 1500,
	ALIGNMENT_SLACK = 16 * (FORM_COUNT + 3),
};

static const char hidden[] = "***";

/* Not owned. */
struct value {
	const char *bytes;
	size_t len;
};

struct mask {
	struct value values[ENV_KEYS_MAX];
	size_t count;
	size_t value_bytes;
	struct mask_tree_bounds bounds;
	struct mask_tree tree;
};

struct mask_stream {
	struct arena arena; /* holds the stream itself, too */
	mask_emit_fn *emit;
	void *arg;
	struct mask_window window;
	struct mask_forms forms;
	uint32_t hidden_left; /* bytes from the window's begin on that are known to be hidden */
	bool is_hiding; /* the last byte that went out was hidden */
};

enum err mask_new(struct mask **out)
{
	struct mask *mask = calloc(1, sizeof(*mask));

	if (mask == NULL)
		return ERR_INTERNAL;
	*out = mask;
	return OK;
}

void mask_free(struct mask *mask)
{
	if (mask == NULL)
		return;
	mask_tree_deinit(&mask->tree);
	free(mask);
}

static bool is_break(char byte)
{
	return byte == '\n' || byte == '\r';
}

static size_t count_breaks(struct value value)
{
	size_t count = 0;

	for (size_t i = 0; i < value.len; i++)
		count += is_break(value.bytes[i]);
	return count;
}

enum err mask_add(struct mask *mask, const char *value, size_t len)
{
	struct value added = {value, len};

	assert(mask->tree.nodes == NULL);
	if (len < MASK_VALUE_BYTES_MIN)
		return ERR_BAD_VALUE;
	if (len > VALUE_BYTES_MAX || mask->count == ENV_KEYS_MAX ||
		len > ENV_SET_BYTES_MAX - mask->value_bytes)
		return ERR_TOO_LARGE;

	size_t breaks = count_breaks(added);

	/* As it stands; as a terminal shows it, a byte longer for a break; its lines, which are without breaks. */
	mask->bounds.bytes += breaks == 0 ? len : 3 * len;
	mask->bounds.patterns += breaks == 0 ? 1 : 4 + (len + 1) / (MASK_VALUE_BYTES_MIN + 1);
	if (mask->bounds.longest < len + breaks)
		mask->bounds.longest = len + breaks;
	mask->value_bytes += len;
	mask->values[mask->count++] = added;
	return OK;
}

static void add_pattern(struct mask_tree *tree, struct value value)
{
	uint32_t node = 0;

	if (value.len < MASK_VALUE_BYTES_MIN)
		return;
	for (size_t i = 0; i < value.len; i++)
		node = mask_tree_add(tree, node, (unsigned char)value.bytes[i]);
	tree->nodes[node].is_pattern = true;
}

/* What the output processing of a terminal makes of it: ONLCR in termios(3). */
static void add_terminal_pattern(struct mask_tree *tree, struct value value)
{
	uint32_t node = 0;

	if (value.len < MASK_VALUE_BYTES_MIN)
		return;
	for (size_t i = 0; i < value.len; i++) {
		if (value.bytes[i] == '\n')
			node = mask_tree_add(tree, node, '\r');
		node = mask_tree_add(tree, node, (unsigned char)value.bytes[i]);
	}
	tree->nodes[node].is_pattern = true;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* Without the blanks around it: whoever prints it may indent it differently. */
static void add_line(struct mask_tree *tree, struct value line)
{
	while (line.len > 0 && is_blank(line.bytes[0])) {
		line.bytes++;
		line.len--;
	}
	while (line.len > 0 && is_blank(line.bytes[line.len - 1]))
		line.len--;
	add_pattern(tree, line);
}

static void add_lines(struct mask_tree *tree, struct value value)
{
	struct value line = {value.bytes, 0};

	for (size_t i = 0; i < value.len; i++) {
		if (!is_break(value.bytes[i])) {
			line.len++;
			continue;
		}
		add_line(tree, line);
		line = (struct value){value.bytes + i + 1, 0};
	}
	add_line(tree, line);
}

/* $(…) of a shell takes away the breaks at the end. */
static struct value without_last_breaks(struct value value)
{
	while (value.len > 0 && is_break(value.bytes[value.len - 1]))
		value.len--;
	return value;
}

static void add_value(struct mask_tree *tree, struct value value)
{
	add_pattern(tree, value);
	if (count_breaks(value) == 0)
		return;
	add_terminal_pattern(tree, value);
	add_pattern(tree, without_last_breaks(value));
	add_terminal_pattern(tree, without_last_breaks(value));
	add_lines(tree, value);
}

enum err mask_build(struct mask *mask)
{
	assert(mask->tree.nodes == NULL);

	enum err err = mask_tree_init(&mask->tree, &mask->bounds);

	if (err != OK)
		return err;
	for (size_t i = 0; i < mask->count; i++)
		add_value(&mask->tree, mask->values[i]);
	memset(mask->values, 0, sizeof(mask->values));
	mask_tree_link(&mask->tree);
	return OK;
}

/* Lays out a stream in memory that is large enough. */
static struct mask_stream *lay_out(struct arena arena, uint32_t window_size, uint32_t unit_slots)
{
	struct mask_stream *stream = arena_alloc(&arena, sizeof(*stream));
	struct mask_window *window = &stream->window;
	struct mask_forms *forms = &stream->forms;

	window->size = window_size;
	window->bytes = arena_alloc(&arena, window_size);
	window->reach = arena_alloc(&arena, window_size * sizeof(*window->reach));
	window->begin = window->end = 0u - FIRST_POSITION;
	forms->unit_slots = unit_slots;
	for (size_t i = 0; i < FORM_COUNT; i++)
		forms->form[i].starts = arena_alloc(&arena, unit_slots * sizeof(*forms->form[i].starts));
	stream->arena = arena;
	return stream;
}

enum err mask_stream_new(const struct mask *mask, mask_emit_fn *emit, void *arg, struct mask_stream **out)
{
	size_t longest = mask->tree.depth_max;
	uint32_t window_size =
		mask_power_of_two(longest * MASK_UNIT_BYTES_MAX + MASK_UNIT_BYTES_OVER + SLICE_BYTES);
	uint32_t unit_slots = mask_power_of_two(longest + 1);
	struct arena arena = {0};

	assert(mask->tree.nodes != NULL);

	enum err err = arena_init(&arena,
		sizeof(struct mask_stream) + window_size * (1 + sizeof(uint32_t)) +
			FORM_COUNT * unit_slots * sizeof(uint32_t) + ALIGNMENT_SLACK,
		true);

	if (err != OK)
		return err;

	struct mask_stream *stream = lay_out(arena, window_size, unit_slots);

	mask_forms_init(&stream->forms, &mask->tree, &stream->window);
	stream->emit = emit;
	stream->arg = arg;
	*out = stream;
	return OK;
}

void mask_stream_free(struct mask_stream *stream)
{
	if (stream == NULL)
		return;

	struct arena arena = stream->arena;

	arena_deinit(&arena);
}

static uint32_t slot_of(const struct mask_window *window, uint32_t position)
{
	return position & (window->size - 1);
}

/* Writes to the window what it has room for: the caller sees to that. */
static void append(struct mask_window *window, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		window->bytes[slot_of(window, window->end++)] = (unsigned char)bytes[i];
}

/* Whether the first byte of the window is known to be hidden; false of an empty window. */
static bool is_hidden(struct mask_stream *stream)
{
	uint32_t reach = stream->window.reach[slot_of(&stream->window, stream->window.begin)];

	if (stream->hidden_left < reach)
		stream->hidden_left = reach;
	return stream->hidden_left > 0;
}

static void drop_first(struct mask_stream *stream)
{
	stream->window.reach[slot_of(&stream->window, stream->window.begin)] = 0;
	stream->window.begin++;
}

/* Lets hidden bytes at the window's begin go. */
static void release_hidden(struct mask_stream *stream)
{
	if (!stream->is_hiding)
		stream->emit(stream->arg, hidden, sizeof(hidden) - 1);
	stream->is_hiding = true;
	while (is_hidden(stream)) {
		stream->hidden_left--;
		drop_first(stream);
	}
}

/* Lets others go, one at least, up to a position or to where the memory of the window wraps. */
static void release_plain(struct mask_stream *stream, uint32_t until)
{
	const struct mask_window *window = &stream->window;
	uint32_t from = window->begin;

	stream->is_hiding = false;
	do
		drop_first(stream);
	while (window->begin != until && slot_of(window, window->begin) != 0 && !is_hidden(stream));
	stream->emit(stream->arg, (const char *)window->bytes + slot_of(window, from), window->begin - from);
}

/* Lets the window's bytes go up to a position, and those behind it that are known to be hidden. */
static void release(struct mask_stream *stream, uint32_t until)
{
	while (is_hidden(stream) || (int32_t)(until - stream->window.begin) > 0) {
		if (stream->hidden_left > 0)
			release_hidden(stream);
		else
			release_plain(stream, until);
	}
}

/* Lets go all but what may belong to an occurrence of which units_min bytes are there. */
static void release_but(struct mask_stream *stream, uint32_t units_min)
{
	uint32_t held = stream->window.end - stream->window.begin;
	uint32_t open = mask_forms_open(&stream->forms, units_min);

	/* A part of what is open may be out already. */
	release(stream, stream->window.end - (open < held ? open : held));
}

void mask_feed(struct mask_stream *stream, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t slice = len < SLICE_BYTES ? len : SLICE_BYTES;
		uint32_t from = stream->window.end;

		append(&stream->window, bytes, slice);
		mask_forms_read(&stream->forms, from);
		release_but(stream, 0);
		bytes += slice;
		len -= slice;
	}
}

void mask_idle(struct mask_stream *stream)
{
	release_but(stream, MASK_IDLE_BYTES_MAX + 1);
}

bool mask_is_waiting(const struct mask_stream *stream)
{
	return mask_forms_open(&stream->forms, MASK_IDLE_BYTES_MAX + 1) <
	       stream->window.end - stream->window.begin;
}

void mask_flush(struct mask_stream *stream)
{
	release(stream, stream->window.end);
	mask_forms_reset(&stream->forms);
	stream->is_hiding = false;
}
