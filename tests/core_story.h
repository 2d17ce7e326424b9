/*
 * The history of the integration "app", as one text that a test can compare; and what the newest record of audit says.
 */
#ifndef COFFER_TESTS_CORE_STORY_H
#define COFFER_TESTS_CORE_STORY_H

#include <stdio.h>
#include <string.h>

#include "core_world.h"

struct story {
	char text[8192];
	uint64_t after;
};

static inline enum err story_on_identified(void *arg, const struct store_integration *integration)
{
	memcpy(arg, integration->id, STORE_ID_BYTES);
	return OK;
}

static inline void story_identify(const struct core_world *world, unsigned char id[STORE_ID_BYTES])
{
	ck_ok(store_integration_get(world->core->store, "app", story_on_identified, id));
}

/* Newest first comes, oldest first it is told. */
static inline enum err story_on_change(void *arg, const struct store_change *change)
{
	struct story *story = arg;
	char line[1024] = "";
	size_t len = strlen(story->text);

	if (change->no <= story->after)
		return OK;
	snprintf(line, sizeof(line), "%s%s%.0d%s%s:%s>%s%s%s|", change->key, change->version > 0 ? "=" : "",
		(int)change->version, change->key[0] == '\0' ? "" : ":", change->field,
		change->old == NULL ? "" : change->old, change->new == NULL ? "" : change->new,
		change->reason == NULL ? "" : ":", change->reason == NULL ? "" : change->reason);
	ck_assert_uint_lt(len + strlen(line), sizeof(story->text));
	memmove(story->text + strlen(line), story->text, len + 1);
	memcpy(story->text, line, strlen(line));
	return OK;
}

static inline enum err story_on_newest(void *arg, const struct store_change *change)
{
	*(uint64_t *)arg = change->no;
	return OK;
}

/* The newest change. */
static inline uint64_t story_mark(const struct core_world *world)
{
	unsigned char id[STORE_ID_BYTES] = {0};
	uint64_t no = 0;

	story_identify(world, id);
	ck_ok(store_change_of(world->core->store, id, 1, story_on_newest, &no));
	return no;
}

/* What came after the mark: "KEY=VERSION:FIELD:OLD>NEW:REASON|…"; good until the next call. */
static inline const char *story_since(const struct core_world *world, uint64_t after)
{
	static struct story story;
	unsigned char id[STORE_ID_BYTES] = {0};

	story = (struct story){.after = after};
	story_identify(world, id);
	ck_ok(store_change_of(world->core->store, id, 1000, story_on_change, &story));
	return story.text;
}

/* What exactly the record with this number is about, 0: the newest; good until the next call. */
static inline const char *story_subject_of(const struct core_world *world, uint64_t seq)
{
	static char text[RECORD_SUBJECT_BYTES_MAX + 1];
	struct record record = core_record(world, seq);

	snprintf(text, sizeof(text), "%s", record.subject.text == NULL ? "" : record.subject.text);
	return text;
}

static inline const char *story_subject(const struct core_world *world)
{
	return story_subject_of(world, 0);
}

#endif
