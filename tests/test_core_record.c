/*
 * What is documented about an integration and its secrets, and what became of it: every change leaves a row of history with
 * who and why, and a record of audit.
 */
#include <string.h>

#include "core_story.h"
#include "frame.h"

static struct core_world world;

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
}

#define refused(word, method, params) core_ask_refused(word, &world, UID_ADMIN, method, "%s", params)
#define accepted(method, params) core_ask_ok(&world, UID_ADMIN, method, "%s", params)

/* ---- history ---- */

START_TEST(what_was_refused_leaves_no_history)
{
	uint64_t before = 0;

	start();
	before = story_mark(&world);
	refused("bad_value", "integration.edit", "{\"name\":\"app\",\"rate_limit\":0,\"title\":\"x\"}");
	refused("conflict", "integration.add",
		"{\"name\":\"app\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\"}");
	core_put(&world, "app", "TOKEN", "v");
	before = story_mark(&world);
	core_faults.insert = ERR_STORAGE;
	refused("storage", "secret.put", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"value\":\"w\"}");
	refused("in_use", "secret.revoke", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"version\":1}");
	refused("conflict", "secret.remove", "{\"integration\":\"app\",\"key\":\"TOKEN\"}");
	ck_assert_str_eq(story_since(&world, before), "");
	core_world_end(&world);
}
END_TEST

START_TEST(an_edit_that_changes_nothing_leaves_no_history)
{
	uint64_t before = 0;

	start();
	accepted("integration.edit", "{\"name\":\"app\",\"purpose\":\"reports\"}");
	before = story_mark(&world);
	accepted("integration.edit", "{\"name\":\"app\",\"purpose\":\"reports\",\"scope\":\"\"}");
	ck_assert_str_eq(story_since(&world, before), "");
	ck_assert_str_eq(story_subject(&world), "");
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
	ck_assert_str_eq(story_since(&world, 0),
		"state:>active|title:>t|description:>d|owner:>o|contact:>c|access:>read-only|"
		"environment:>production|rotate_after:>365d|review_after:>90d|rate_limit:>5|"
		"labels:>team=fin\ntier=1|");
	ck_assert_str_eq(story_subject(&world),
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
	before = story_mark(&world);
	accepted("integration.edit", "{\"name\":\"app\",\"purpose\":\"\",\"access\":\"read-write\","
				     "\"expected_every\":\"12h\",\"title\":\"new\",\"labels\":\"\"}");
	ck_assert_str_eq(story_since(&world, before), "title:t>new|purpose:reports>|access:>read-write|"
						      "expected_every:>12h|labels:a=b>|");
	ck_assert_str_eq(
		story_subject(&world), "title purpose access=read-write expected_every=12h labels=none");
	accepted("integration.edit", "{\"name\":\"app\",\"expected_every\":\"\"}");
	ck_assert_str_eq(story_subject(&world), "expected_every=none");
	core_world_end(&world);
}
END_TEST

START_TEST(every_state_of_a_version_is_in_the_history)
{
	uint64_t before = 0;

	start();
	before = story_mark(&world);
	core_put(&world, "app", "TOKEN", "one");
	core_stage(&world, "app", "TOKEN", "two");
	accepted("secret.promote", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"untested\":true}");
	accepted("secret.rollback", "{\"integration\":\"app\",\"key\":\"TOKEN\"}");
	core_put(&world, "app", "TOKEN", "three");
	accepted("secret.revoke", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"version\":2}");
	accepted("secret.revoke", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"version\":3,\"force\":true}");
	accepted("secret.revoke", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"version\":1}");
	accepted("secret.remove", "{\"integration\":\"app\",\"key\":\"TOKEN\"}");
	ck_assert_str_eq(story_since(&world, before),
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
	before = story_mark(&world);
	accepted("secret.put", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"value\":\"one\","
			       "\"description\":\"reads\",\"issuer\":\"console\",\"issuer_ref\":\"k-1\"}");
	accepted("secret.put", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"value\":\"two\","
			       "\"description\":\"reads\",\"issuer\":\"portal\",\"issuer_ref\":\"k-2\"}");
	ck_assert_str_eq(story_since(&world, before),
		"TOKEN:description:>reads|TOKEN:issuer:>console|TOKEN=1:state:>current|TOKEN=1:issuer_ref:>k-"
		"1|"
		"TOKEN:issuer:console>portal|TOKEN=1:state:current>draining|TOKEN=2:state:>current|"
		"TOKEN=2:issuer_ref:>k-2|");
	core_world_end(&world);
}
END_TEST

/* ---- what a record must say ---- */

START_TEST(never_rotated_needs_a_reason)
{
	start();
	refused("bad_value", "integration.add",
		"{\"name\":\"b\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\","
		"\"rotate_after\":\"never\"}");
	refused("bad_value", "integration.edit", "{\"name\":\"app\",\"rotate_after\":\"never\"}");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "rotate_reason must say why"));
	accepted("integration.edit",
		"{\"name\":\"app\",\"rotate_after\":\"never\",\"rotate_reason\":\"the issuer cannot\"}");
	refused("bad_value", "integration.edit", "{\"name\":\"app\",\"rotate_reason\":\"\"}");
	accepted("integration.edit", "{\"name\":\"app\",\"rotate_after\":\"90d\"}");
	accepted("integration.show", "{\"name\":\"app\"}");
	ck_assert_str_eq(cJSON_GetStringValue(
				 cJSON_GetObjectItem(core_result(&world, "integration"), "rotate_reason")),
		"the issuer cannot");
	core_world_end(&world);
}
END_TEST

START_TEST(production_needs_what_the_policy_asks)
{
	start();
	world.rules.is_required[FIELD_APPROVAL] = true;
	world.rules.is_required[FIELD_DOCS] = true;
	refused("bad_value", "integration.add",
		"{\"name\":\"b\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\"}");
	ck_assert_ptr_nonnull(
		strstr(core_message(&world), "in production it needs docs, approval ([policy] require)"));
	refused("bad_value", "integration.edit", "{\"name\":\"app\",\"docs\":\"https://wiki/app\"}");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "it needs approval ([policy]"));
	ck_assert_str_eq(core_ask_approved(&world, UID_ADMIN, "integration.edit",
				 "{\"name\":\"app\",\"environment\":\"sandbox\"}"),
		"ok");
	accepted("integration.edit", "{\"name\":\"app\",\"docs\":\"https://wiki/app\"}");
	refused("bad_value", "integration.edit", "{\"name\":\"app\",\"environment\":\"production\"}");
	accepted("integration.edit",
		"{\"name\":\"app\",\"environment\":\"production\",\"approval\":\"CHG-1\"}");
	refused("bad_value", "integration.edit", "{\"name\":\"app\",\"approval\":\"\"}");
	accepted("integration.add",
		"{\"name\":\"b\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\","
		"\"environment\":\"sandbox\"}");
	core_world_end(&world);
}
END_TEST

/* All of them at once still fit the sentence. */
START_TEST(all_that_the_policy_misses_is_named)
{
	start();
	for (enum field field = FIELD_TITLE; field <= FIELD_LABELS; field++)
		world.rules.is_required[field] = true;
	refused("bad_value", "integration.edit", "{\"name\":\"app\",\"title\":\"new\"}");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "needs backup_contact, "));
	ck_assert_ptr_nonnull(strstr(core_message(&world), "labels ([policy] require)"));
	core_world_end(&world);
}
END_TEST

START_TEST(grants_are_locked_when_it_is_made_or_never)
{
	core_world_start(&world);
	accepted("integration.add",
		"{\"name\":\"app\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\","
		"\"lock_grants\":true}");
	ck_assert_ptr_nonnull(strstr(story_subject(&world), "lock_grants=true"));
	ck_assert_ptr_nonnull(strstr(story_since(&world, 0), "|lock_grants:>true|"));
	refused("bad_request", "integration.edit", "{\"name\":\"app\",\"lock_grants\":false}");
	refused("bad_request", "integration.edit", "{\"name\":\"app\",\"lock_grants\":true}");
	accepted("integration.edit", "{\"name\":\"app\",\"title\":\"x\"}");
	accepted("integration.show", "{\"name\":\"app\"}");
	ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(core_result(&world, "integration"), "grants_locked")));
	core_add_integration(&world, "open");
	accepted("integration.show", "{\"name\":\"open\"}");
	ck_assert(cJSON_IsFalse(cJSON_GetObjectItem(core_result(&world, "integration"), "grants_locked")));
	core_world_end(&world);
}
END_TEST

/* ---- who answers for it ---- */

static enum err on_owner(void *arg, const struct store_integration *integration)
{
	*(int64_t *)arg = integration->has_owner_uid ? (int64_t)integration->owner_uid : -1;
	return OK;
}

static int64_t owner_uid(void)
{
	int64_t uid = -2;

	ck_ok(store_integration_get(world.core->store, "app", on_owner, &uid));
	return uid;
}

START_TEST(the_owner_is_a_user_of_this_host_by_name_alone)
{
	start();
	ck_assert_int_eq(owner_uid(), -1);
	accepted("integration.edit", "{\"name\":\"app\",\"owner\":\"root\"}");
	ck_assert_int_eq(owner_uid(), 0);
	accepted("integration.edit", "{\"name\":\"app\",\"title\":\"x\"}");
	ck_assert_int_eq(owner_uid(), 0);
	accepted("integration.edit", "{\"name\":\"app\",\"owner\":\"0\"}");
	ck_assert_int_eq(owner_uid(), -1);
	accepted("integration.transfer", "{\"name\":\"app\",\"owner\":\"root\",\"contact\":\"c\"}");
	ck_assert_int_eq(owner_uid(), 0);
	accepted("integration.transfer", "{\"name\":\"app\",\"owner\":\"no such user\",\"contact\":\"c\"}");
	ck_assert_int_eq(owner_uid(), -1);
	core_world_end(&world);
}
END_TEST

#define TO_EVE "\"owner\":\"Eve\",\"contact\":\"eve@example.org\""

START_TEST(a_transfer_of_nothing_or_from_nobody_is_refused)
{
	uint64_t before = 0;

	start();
	before = story_mark(&world);
	refused("bad_request", "integration.transfer", "{" TO_EVE "}");
	refused("bad_request", "integration.transfer", "{\"name\":\"app\",\"from_owner\":\"o\"," TO_EVE "}");
	refused("bad_request", "integration.transfer", "{\"name\":\"app\",\"owner\":\"Eve\"}");
	refused("not_found", "integration.transfer", "{\"name\":\"other\"," TO_EVE "}");
	refused("not_found", "integration.transfer", "{\"from_owner\":\"O\"," TO_EVE "}");
	core_set_state(&world, "app", "retired");
	refused("retired", "integration.transfer", "{\"name\":\"app\"," TO_EVE "}");
	refused("not_found", "integration.transfer", "{\"from_owner\":\"o\"," TO_EVE "}");
	core_ask_refused(
		"denied", &world, UID_OPERATOR, "integration.transfer", "{\"name\":\"app\"," TO_EVE "}");
	ck_assert_str_eq(story_since(&world, before), "");
	core_world_end(&world);
}
END_TEST

START_TEST(a_transfer_says_from_whom_to_whom_and_why)
{
	uint64_t before = 0;

	start();
	before = story_mark(&world);
	accepted("integration.transfer",
		"{\"name\":\"app\"," TO_EVE ",\"backup_contact\":\"desk\",\"reason\":\"o has left\"}");
	ck_assert_str_eq(cJSON_GetArrayItem(core_result(&world, "transferred"), 0)->valuestring, "app");
	ck_assert_str_eq(story_since(&world, before), "owner:o>Eve:o has left|contact:c>eve@example.org:o "
						      "has left|backup_contact:>desk:o has left|");
	ck_assert_str_eq(story_subject(&world), "from='o' to='Eve' reason='o has left'");
	core_world_end(&world);
}
END_TEST

/* No request makes one, but the store's rows are not authenticated (P7): it must not end the daemon. */
START_TEST(what_has_lost_its_owner_can_be_handed_to_one)
{
	struct store_integration orphan = {.id = {9},
		.name = "orphan",
		.state = "active",
		.dek_generation = 1,
		.dek = {(const unsigned char *)"key", 3}};
	enum err err = ERR_TIMEOUT;

	start();
	ck_ok(store_begin(world.core->store));
	ck_ok(store_integration_insert(world.core->store, &orphan));
	store_commit(world.core->store, core_on_own_commit, &err);
	ck_ok(err);
	accepted("integration.edit", "{\"name\":\"orphan\",\"purpose\":\"p\"}");
	accepted("integration.transfer", "{\"name\":\"orphan\"," TO_EVE "}");
	ck_assert_ptr_nonnull(strstr(story_subject(&world), "from='' to='"));
	core_world_end(&world);
}
END_TEST

START_TEST(everything_of_a_person_goes_at_once_but_what_is_retired)
{
	uint64_t seq = 0;

	start();
	core_add_integration(&world, "b");
	core_add_integration(&world, "c");
	core_add_integration(&world, "d");
	core_set_state(&world, "c", "retired");
	accepted("integration.edit", "{\"name\":\"d\",\"owner\":\"another\"}");
	seq = core_records(&world);
	accepted("integration.transfer", "{\"from_owner\":\"o\"," TO_EVE ",\"reason\":\"left\"}");

	const cJSON *names = core_result(&world, "transferred");

	ck_assert_int_eq(cJSON_GetArraySize(names), 2);
	ck_assert_str_eq(cJSON_GetArrayItem(names, 0)->valuestring, "app");
	ck_assert_str_eq(cJSON_GetArrayItem(names, 1)->valuestring, "b");
	ck_assert_uint_eq(core_records(&world), seq + 3);
	ck_assert_str_eq(core_record(&world, seq + 1).integration, "app");
	ck_assert_str_eq(core_record(&world, seq + 2).integration, "b");
	ck_assert_str_eq(core_record(&world, seq + 2).kind, "integration.transfer");
	ck_assert_str_eq(story_subject_of(&world, seq + 2), "from='o' to='Eve' reason='left'");
	ck_assert_str_eq(core_record(&world, seq + 3).integration, "");
	ck_assert_str_eq(story_subject_of(&world, seq + 3), "from='o' to='Eve' reason='left' integrations=2");
	accepted("integration.list", "{\"owner\":\"Eve\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "integrations")), 2);
	accepted("integration.list", "{\"owner\":\"o\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "integrations")), 1);
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

/* P5 */
START_TEST(a_transfer_that_fails_in_the_middle_transfers_nothing)
{
	uint64_t records = 0;

	start();
	core_add_integration(&world, "b");
	records = core_records(&world);
	core_faults.append = ERR_STORAGE_FULL; /* of the first record */
	refused("storage_full", "integration.transfer", "{\"from_owner\":\"o\"," TO_EVE "}");
	accepted("integration.list", "{\"owner\":\"o\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "integrations")), 2);
	core_faults.commit = ERR_STORAGE_FULL; /* of all of it */
	refused("storage_full", "integration.transfer", "{\"from_owner\":\"o\"," TO_EVE "}");
	accepted("integration.list", "{\"owner\":\"o\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "integrations")), 2);
	ck_assert_uint_eq(core_records(&world), records + 1); /* the first refusal */
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(hostile_texts_cannot_end_their_quotes_or_hide)
{
	start();
	accepted("integration.transfer", "{\"name\":\"app\",\"owner\":\"x' to='root\\\" \\\\ \\u202egnp %n "
					 "<b>\",\"contact\":\"=cmd|' /C calc'!A0\"}");
	ck_assert_str_eq(story_subject(&world), "from='o' to='x\u2019 to=\u2019root\u201d / ?gnp %n <b>'");
	refused("bad_value", "integration.transfer",
		"{\"name\":\"app\",\"owner\":\"a\\u001b[2J\",\"contact\":\"c\"}");
	refused("bad_value", "integration.transfer",
		"{\"name\":\"app\",\"owner\":\"a\",\"contact\":\"c\",\"reason\":\"a\\nb\"}");
	accepted("integration.review", "{\"name\":\"app\",\"note\":\"\\ufeffJ\u00fcrgen's \\ud83d\\ude00\"}");
	ck_assert_str_eq(story_subject(&world), "reviewed note='?J\u00fcrgen\u2019s \U0001F600'");
	core_check_chain(&world);
	core_world_end(&world);
}
END_TEST

START_TEST(a_review_says_who_and_when)
{
	uint64_t before = 0;

	start();
	refused("not_found", "integration.review", "{\"name\":\"other\"}");
	before = story_mark(&world);
	core_clock_ms = 1800000000000;
	accepted("integration.review", "{\"name\":\"app\",\"note\":\"all true\"}");
	ck_assert_str_eq(story_since(&world, before), "reviewed_at:>2027-01-15T08:00:00.000Z:all true|");
	accepted("integration.list", "{}");
	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(
				 cJSON_GetArrayItem(core_result(&world, "integrations"), 0), "reviewed_at")),
		"2027-01-15T08:00:00.000Z");
	before = story_mark(&world);
	core_clock_ms += 86400000;
	accepted("integration.review", "{\"name\":\"app\"}");
	ck_assert_str_eq(story_since(&world, before),
		"reviewed_at:2027-01-15T08:00:00.000Z>2027-01-16T08:00:00.000Z|");
	ck_assert_str_eq(story_subject(&world), "reviewed");
	core_set_state(&world, "app", "retired");
	refused("retired", "integration.review", "{\"name\":\"app\"}");
	core_world_end(&world);
}
END_TEST

/* ---- the record of a secret ---- */

#define EDIT(members) "{\"integration\":\"app\",\"key\":\"TOKEN\"" members "}"

static void edit_ok(const char *params)
{
	core_ask_ok(&world, UID_OPERATOR, "secret.edit", "%s", params);
}

START_TEST(secret_edit_refuses_what_is_not_there)
{
	start();
	refused("not_found", "secret.edit", EDIT(",\"issuer\":\"x\""));
	core_put(&world, "app", "TOKEN", "v");
	refused("bad_request", "secret.edit", EDIT(""));
	refused("bad_value", "secret.edit", EDIT(",\"access\":\"all\""));
	refused("bad_request", "secret.edit", EDIT(",\"note\":\"x\""));
	core_ask_refused("denied", &world, UID_AUDITOR, "secret.edit", "%s", EDIT(",\"issuer\":\"x\""));
	core_set_state(&world, "app", "retired");
	refused("retired", "secret.edit", EDIT(",\"issuer\":\"x\""));
	core_world_end(&world);
}
END_TEST

START_TEST(secret_edit_changes_what_it_names_and_keeps_the_rest)
{
	uint64_t before = 0;

	start();
	core_ask_ok(&world, UID_OPERATOR, "secret.put", "%s",
		EDIT(",\"value\":\"v\",\"description\":\"reads\",\"access\":\"read-only\""));
	ck_assert_str_eq(story_subject(&world), "description access=read-only");
	before = story_mark(&world);
	edit_ok(EDIT(",\"issuer\":\"portal\",\"access\":\"read-write\""));
	ck_assert_str_eq(story_subject(&world), "issuer access=read-write");
	edit_ok(EDIT(",\"description\":\"\",\"access\":\"\""));
	ck_assert_str_eq(story_subject(&world), "description access=none");
	edit_ok(EDIT(",\"issuer\":\"portal\""));
	ck_assert_str_eq(core_record(&world, 0).detail, "everything was so already");
	ck_assert_str_eq(story_since(&world, before),
		"TOKEN:issuer:>portal|TOKEN:access:read-only>read-write|TOKEN:description:reads>|"
		"TOKEN:access:read-write>|");
	core_ask_ok(&world, UID_AUDITOR, "secret.show", "%s", EDIT(""));
	ck_assert_str_eq(core_result_text(&world, "issuer"), "portal");
	ck_assert(cJSON_IsNull(core_result(&world, "access")));
	ck_assert(cJSON_IsNull(core_result(&world, "description")));
	ck_assert_str_eq(core_states(&world, "app", "TOKEN"), "1:current");
	core_world_end(&world);
}
END_TEST

/* ---- integration.history ---- */

static const cJSON *change(int index, const char *member)
{
	return cJSON_GetObjectItem(cJSON_GetArrayItem(core_result(&world, "changes"), index), member);
}

START_TEST(history_is_told_newest_first_and_only_to_readers)
{
	start();
	core_put(&world, "app", "TOKEN", "the value itself");
	core_ask_refused("denied", &world, UID_APP, "integration.history", "{\"name\":\"app\"}");
	core_ask_refused("not_found", &world, UID_AUDITOR, "integration.history", "{\"name\":\"other\"}");
	core_ask_ok(&world, UID_AUDITOR, "integration.history", "{\"name\":\"app\",\"limit\":2}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "changes")), 2);
	ck_assert(cJSON_IsTrue(core_result(&world, "more")));
	ck_assert_str_eq(cJSON_GetStringValue(change(0, "key")), "TOKEN");
	ck_assert_int_eq(change(0, "version")->valueint, 1);
	ck_assert_str_eq(cJSON_GetStringValue(change(0, "field")), "state");
	ck_assert(cJSON_IsNull(change(0, "old")));
	ck_assert_str_eq(cJSON_GetStringValue(change(0, "new")), "current");
	ck_assert_str_eq(cJSON_GetStringValue(change(0, "by")), "70002");
	ck_assert(cJSON_IsNull(change(0, "approved_by")));
	ck_assert(cJSON_IsNull(change(1, "key")));
	ck_assert(cJSON_IsNull(change(1, "version")));
	core_ask_ok(&world, UID_AUDITOR, "integration.history", "{\"name\":\"app\"}");
	ck_assert(cJSON_IsFalse(core_result(&world, "more")));
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "changes")), 9);
	ck_assert_ptr_null(strstr(world.last_text, "the value itself"));
	core_ask_ok(&world, UID_AUDITOR, "integration.history", "{\"name\":\"app\",\"limit\":0}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "changes")), 0);
	core_world_end(&world);
}
END_TEST

/* P8: a description that was written anew a thousand times at full length. */
START_TEST(a_history_of_long_texts_ends_where_the_reply_is_full)
{
	unsigned char id[STORE_ID_BYTES] = {0};
	char text[4001] = "";
	struct store_change change = {.integration_id = id, .field = "description", .old = text, .new = text};
	enum err err = ERR_INTERNAL;

	start();
	memset(text, 'a', sizeof(text) - 1);
	story_identify(&world, id);
	ck_ok(store_begin(world.core->store));
	for (unsigned i = 0; i < 1000; i++)
		ck_ok(store_change_insert(world.core->store, &change));
	store_commit(world.core->store, core_on_own_commit, &err);
	ck_ok(err);
	core_ask_ok(&world, UID_AUDITOR, "integration.history", "{\"name\":\"app\",\"limit\":1000}");
	ck_assert(cJSON_IsTrue(core_result(&world, "more")));
	ck_assert_int_gt(cJSON_GetArraySize(core_result(&world, "changes")), 400);
	ck_assert_uint_lt(strlen(world.last_text), REPLY_BYTES_MAX);
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_record", what_was_refused_leaves_no_history, an_edit_that_changes_nothing_leaves_no_history,
	an_integration_begins_with_every_field_that_it_was_given, an_edit_leaves_what_was_and_what_is,
	every_state_of_a_version_is_in_the_history, the_texts_of_a_secret_are_in_the_history,
	never_rotated_needs_a_reason, production_needs_what_the_policy_asks,
	all_that_the_policy_misses_is_named, grants_are_locked_when_it_is_made_or_never,
	the_owner_is_a_user_of_this_host_by_name_alone, a_transfer_of_nothing_or_from_nobody_is_refused,
	a_transfer_says_from_whom_to_whom_and_why, what_has_lost_its_owner_can_be_handed_to_one,
	everything_of_a_person_goes_at_once_but_what_is_retired,
	a_transfer_that_fails_in_the_middle_transfers_nothing, hostile_texts_cannot_end_their_quotes_or_hide,
	a_review_says_who_and_when, secret_edit_refuses_what_is_not_there,
	secret_edit_changes_what_it_names_and_keeps_the_rest,
	history_is_told_newest_first_and_only_to_readers,
	a_history_of_long_texts_ends_where_the_reply_is_full)
