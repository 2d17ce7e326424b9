/*
 * What every handler uses on its call: refusing with a reason, copying into the request's arena, saying in
 * the record what exactly was done.
 */
#include "handler.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "holders.h"
#include "watches.h"

struct call_mark call_mark(const struct core *core)
{
	return (struct call_mark){
		.chain = core->chain, .holders = holders_mark(core), .watches = watches_mark(core)};
}

void call_take_back(struct core *core, const struct call_mark *mark)
{
	core->chain = mark->chain;
	holders_take_back(core, mark->holders);
	watches_take_back(core, mark->watches);
}

enum err call_refuse(struct call *call, enum err err, const char *reason, const char *detail)
{
	snprintf(call->record.detail, sizeof(call->record.detail), "%s", reason);
	call->detail = detail;
	return err;
}

void call_detail(struct call *call, const char *detail)
{
	snprintf(call->record.detail, sizeof(call->record.detail), "%s", detail);
}

const char *call_copy(struct call *call, const char *text)
{
	if (text == NULL)
		return NULL;

	size_t size = strlen(text) + 1;
	char *copy = arena_alloc(&call->core->arena, size);

	return copy == NULL ? NULL : memcpy(copy, text, size);
}

const char *call_text(struct call *call, enum field field)
{
	size_t size = (size_t)field_info(field)->max + 1;
	char *text = request_has(call->request, field) ? arena_alloc(&call->core->arena, size) : NULL;

	if (text != NULL)
		request_text(call->request, field, text, size);
	return text;
}

void call_subject_text(struct call *call, const char *name, const char *text)
{
	size_t len = strlen(text);
	BUF_AUTO shown = {0};

	for (size_t at = 0; at < len;) {
		uint32_t character = 0;
		size_t size = text_character(text + at, len - at, &character);

		if (size == 0 || text_is_hidden(character))
			buf_append_byte(&shown, '?');
		else if (character == '\'' || character == '"')
			buf_append_string(&shown, character == '"' ? "\u201d" : "\u2019");
		else
			buf_append(&shown, text + at, size);
		at += size == 0 ? 1 : size;
	}
	buf_append_byte(&shown, '\0');
	if (!buf_failed(&shown))
		call_subject(call, "%s='%s'", name, shown.bytes);
}

void call_subject(struct call *call, const char *format, ...)
{
	struct record_subject *subject = &call->record.subject;
	char *text = call->subject;
	size_t room = RECORD_SUBJECT_BYTES_MAX - subject->len;
	size_t space = subject->len > 0 ? 1 : 0;
	va_list args;

	if (room <= space)
		return;
	va_start(args, format);
	int len = vsnprintf(text + subject->len + space, room - space, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= room - space)
		return;
	if (space > 0)
		text[subject->len] = ' ';
	for (char *c = text + subject->len + space; *c != '\0'; c++)
		if (*c == '\\')
			*c = '/'; /* see record.h */
	subject->text = text;
	subject->len += space + (size_t)len;
}
