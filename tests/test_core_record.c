/*
 * What is documented about an integration and its secrets, and what became of it: every change leaves a row of history with
 * who and why, and a record of audit.
 */
#include <stdio.h>
#include <string.h>

#include "core_world.h"

static struct core_world world;

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
}

#define refused(word, method, params) core_ask_refused(word, &world, UID_ADMIN, method, "%s", params)
#define accepted(method, params) core_ask_ok(&world, UID_ADMIN, method, "%s", params)

/* ---- the history of "app" as one text, oldest first ---- */

struct story {
	char text[4096];
	uint64_t after;
};

static enum err on_identified(void *arg, const struct store_integration *integration)
{
	memcpy(arg, integration->id, STORE_ID_BYTES);
	return OK;
}

static enum err on_change(void *arg, const struct store_change *change)
{
	struct story *story = arg;
	char line[512] = "";
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

static enum err on_newest(void *arg, const struct store_change *change)
{
	*(uint64_t *)arg = change->no;
	return OK;
}

static void identify(unsigned char id[STORE_ID_BYTES])
{
	ck_ok(store_integration_get(world.core->store, "app", on_identified, id));
}

static uint64_t mark(void)
{
	unsigned char id[STORE_ID_BYTES] = {0};
	uint64_t no = 0;

	identify(id);
	ck_ok(store_change_of(world.core->store, id, 1, on_newest, &no));
	return no;
}

/* What came after the mark: "KEY=VERSION:FIELD:OLD>NEW:REASON|…" */
static const char *story_since(uint64_t after)
{
	static struct story story;
	unsigned char id[STORE_ID_BYTES] = {0};

	story = (struct story){.after = after};
	identify(id);
	ck_ok(store_change_of(world.core->store, id, 1000, on_change, &story));
	return story.text;
}

static const char *subject(void)
{
	static char text[RECORD_SUBJECT_BYTES_MAX + 1];
	struct record record = core_record(&world, 0);

	snprintf(text, sizeof(text), "%s", record.subject.text == NULL ? "" : record.subject.text);
	return text;
}

/* ---- history ---- */

START_TEST(what_was_refused_leaves_no_history)
{
	uint64_t before = 0;

	start();
	before = mark();
	refused("bad_value", "integration.edit", "{\"name\":\"app\",\"rate_limit\":0,\"title\":\"x\"}");
	refused("conflict", "integration.add",
		"{\"name\":\"app\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\"}");
	core_put(&world, "app", "TOKEN", "v");
	before = mark();
	core_faults.insert = ERR_STORAGE;
	refused("storage", "secret.put", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"value\":\"w\"}");
	refused("in_use", "secret.revoke", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"version\":1}");
	refused("conflict", "secret.remove", "{\"integration\":\"app\",\"key\":\"TOKEN\"}");
	ck_assert_str_eq(story_since(before), "");
	core_world_end(&world);
}
END_TEST

START_TEST(an_edit_that_changes_nothing_leaves_no_history)
{
	uint64_t before = 0;

	start();
	accepted("integration.edit", "{\"name\":\"app\",\"purpose\":\"reports\"}");
	before = mark();
	accepted("integration.edit", "{\"name\":\"app\",\"purpose\":\"reports\",\"scope\":\"\"}");
	ck_assert_str_eq(story_since(before), "");
	ck_assert_str_eq(subject(), "");
	ck_assert_str_eq(core_record(&world, 0).detail, "everything was so already");
	core_world_end(&world);
}
END_TEST

START_TEST(an_integration_begins_with_every_field_that_it_was_given)
{
	core_world_start(&world);
	accepted("integration.add",
		"{\"name\":\"app\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\","
		"\"access\":\"read-only\",\"rate_limit\":5,\"labels\":{\"team\":\"fin\",\"tier\":\"1\"}}");
	ck_assert_str_eq(story_since(0),
		"state:>active|title:>t|description:>d|owner:>o|contact:>c|access:>read-only|"
		"environment:>production|rotate_after:>365d|review_after:>90d|rate_limit:>5|"
		"labels:>team=fin\ntier=1|");
	ck_assert_str_eq(subject(),
		"title description owner contact access=read-only environment=production rotate_after=365d "
		"review_after=90d rate_limit=5 labels=team,tier");
	core_world_end(&world);
}
END_TEST

START_TEST(an_edit_leaves_what_was_and_what_is)
{
	uint64_t before = 0;

	start();
	accepted("integration.edit", "{\"name\":\"app\",\"purpose\":\"reports\",\"labels\":{\"a\":\"b\"}}");
	before = mark();
	accepted("integration.edit", "{\"name\":\"app\",\"purpose\":\"\",\"environment\":\"sandbox\","
				     "\"expected_every\":\"12h\",\"title\":\"new\",\"labels\":\"\"}");
	ck_assert_str_eq(story_since(before), "title:t>new|purpose:reports>|expected_every:>12h|"
					      "environment:production>sandbox|labels:a=b>|");
	ck_assert_str_eq(subject(), "title purpose expected_every=12h environment=sandbox labels=none");
	accepted("integration.edit", "{\"name\":\"app\",\"expected_every\":\"\"}");
	ck_assert_str_eq(subject(), "expected_every=none");
	core_world_end(&world);
}
END_TEST

START_TEST(every_state_of_a_version_is_in_the_history)
{
	uint64_t before = 0;

	start();
	before = mark();
	core_put(&world, "app", "TOKEN", "one");
	core_stage(&world, "app", "TOKEN", "two");
	accepted("secret.promote", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"untested\":true}");
	accepted("secret.rollback", "{\"integration\":\"app\",\"key\":\"TOKEN\"}");
	core_put(&world, "app", "TOKEN", "three");
	accepted("secret.revoke", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"version\":2}");
	accepted("secret.revoke", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"version\":3,\"force\":true}");
	accepted("secret.revoke", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"version\":1}");
	accepted("secret.remove", "{\"integration\":\"app\",\"key\":\"TOKEN\"}");
	ck_assert_str_eq(story_since(before),
		"TOKEN=1:state:>current|TOKEN=2:state:>staged|TOKEN=1:state:current>draining:untested|"
		"TOKEN=2:state:staged>current:untested|TOKEN=2:state:current>draining|"
		"TOKEN=1:state:draining>current|TOKEN=1:state:current>draining|TOKEN=3:state:>current|"
		"TOKEN=2:state:draining>revoked|TOKEN=3:state:current>revoked:forced|"
		"TOKEN=1:state:draining>revoked|TOKEN:state:>removed|");
	core_world_end(&world);
}
END_TEST

START_TEST(the_texts_of_a_secret_are_in_the_history)
{
	uint64_t before = 0;

	start();
	before = mark();
	accepted("secret.put", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"value\":\"one\","
			       "\"description\":\"reads\",\"issuer\":\"console\",\"issuer_ref\":\"k-1\"}");
	accepted("secret.put", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"value\":\"two\","
			       "\"description\":\"reads\",\"issuer\":\"portal\",\"issuer_ref\":\"k-2\"}");
	ck_assert_str_eq(story_since(before),
		"TOKEN:description:>reads|TOKEN:issuer:>console|TOKEN=1:state:>current|TOKEN=1:issuer_ref:>k-"
		"1|"
		"TOKEN:issuer:console>portal|TOKEN=1:state:current>draining|TOKEN=2:state:>current|"
		"TOKEN=2:issuer_ref:>k-2|");
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_record", what_was_refused_leaves_no_history, an_edit_that_changes_nothing_leaves_no_history,
	an_integration_begins_with_every_field_that_it_was_given, an_edit_leaves_what_was_and_what_is,
	every_state_of_a_version_is_in_the_history, the_texts_of_a_secret_are_in_the_history)
