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
