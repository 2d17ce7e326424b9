/*
 * Who is told what before any handler runs: rights, the sealed vault, unknown methods, bad fields.
 */
#include <stdio.h>
#include <string.h>

#include "core_world.h"
#include "frame.h"

static struct core_world world;

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_grant(&world, "app", UID_APP);
}

START_TEST(a_sealed_vault_answers_only_what_needs_no_store)
{
	static const struct {
		const char *method, *params, *word;
	} rows[] = {
		{"integration.list", "{}", "sealed"},
		{"integration.show", "{\"name\":\"app\"}", "sealed"},
		{"secret.put", "{\"integration\":\"app\",\"key\":\"A\",\"value\":\"v\"}", "sealed"},
		{"secret.list", "{\"integration\":\"app\"}", "sealed"},
		{"grant.list", "{}", "sealed"},
		{"env.fetch", "{}", "sealed"},
		{"audit.list", "{}", "sealed"},
		{"session.prove", "{\"nonce\":\"00000000000000000000000000000000\"}", "denied"},
		{"hello", "{}", "ok"},
		{"schema", "{}", "ok"},
		{"whoami", "{}", "ok"},
		{"status", "{}", "ok"},
	};
	static const uint32_t uids[] = {UID_ADMIN, UID_OPERATOR, UID_AUDITOR, UID_STRANGER};

	core_world_start_sealed(&world);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t j = 0; j < sizeof(uids) / sizeof(uids[0]); j++)
			core_ask_refused(rows[i].word, &world, uids[j], rows[i].method, "%s", rows[i].params);
	core_ask_refused("sealed", &world, UID_STRANGER, "env.fetch", "{}");
	ck_assert_str_eq(core_message(&world), "the vault is sealed: run cofferd recover as root");
	core_ask_ok(&world, UID_ADMIN, "status", "{}");
	ck_assert(cJSON_IsTrue(core_result(&world, "sealed")));
	ck_assert_str_eq(core_result_text(&world, "reason"), "the root key is missing");
	core_ask_ok(&world, UID_STRANGER, "status", "{}");
	ck_assert_str_eq(core_result_text(&world, "mend"), "run cofferd recover as root");
	ck_assert_ptr_null(core_result(&world, "reason"));
	core_ask_ok(&world, UID_STRANGER, "hello", "{}");
	ck_assert(cJSON_IsTrue(core_result(&world, "sealed")));
	core_world_end(&world);
}
END_TEST

/* P2: only those who have business here learn which methods there are not. */
START_TEST(an_unknown_method_is_denied_to_strangers)
{
	static const char *const methods[] = {"secret.get", "x", "HELLO", "env.fetch2"};

	start();
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		core_ask_refused("denied", &world, UID_STRANGER, methods[i], "{}");
		core_ask_refused("unknown_method", &world, UID_APP, methods[i], "{}");
		core_ask_refused("unknown_method", &world, UID_AUDITOR, methods[i], "{}");
		core_ask_refused("unknown_method", &world, UID_ADMIN, methods[i], "{}");
	}
	core_world_end(&world);
}
END_TEST

/* P2: nor does the wording of a field's error tell anything to who may not ask. */
START_TEST(bad_fields_from_callers_without_the_right_are_denied)
{
	static const struct {
		const char *method, *params;
	} rows[] = {
		{"secret.put", "{}"},
		{"secret.put", "{\"integration\":\"app\",\"key\":\"LD_PRELOAD\",\"value\":\"v\"}"},
		{"secret.list", "{\"integration\":7}"},
		{"integration.add", "{\"nonsense\":1}"},
		{"grant.add", "{\"rule\":{}}"},
		{"audit.list", "{\"limit\":-1}"},
	};

	start();

	char *expected = NULL;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		core_ask_refused("denied", &world, UID_STRANGER, rows[i].method, "%s", rows[i].params);
		if (expected == NULL)
			expected = strdup(world.last_text);
		ck_assert_str_eq(world.last_text, expected);
		core_ask_refused("denied", &world, UID_APP, rows[i].method, "%s", rows[i].params);
		ck_assert_str_eq(world.last_text, expected);
		ck_assert_str_ne(core_ask(&world, UID_ADMIN, rows[i].method, "%s", rows[i].params), "denied");
	}
	free(expected);
	core_world_end(&world);
}
END_TEST

/* P3, P4: no caller has a reason to ask for the verb that must not exist. */
START_TEST(asking_for_a_value_by_name_leaves_a_record_that_says_so)
{
	static const uint32_t uids[] = {UID_ADMIN, UID_OPERATOR, UID_AUDITOR, UID_APP, UID_STRANGER};

	start();
	for (size_t i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
		const char *word = uids[i] == UID_STRANGER ? "denied" : "unknown_method";
		uint64_t before = core_records(&world);

		core_ask_refused(
			word, &world, uids[i], "secret.get", "{\"integration\":\"app\",\"key\":\"A\"}");
		ck_assert_uint_eq(core_records(&world), before + 1);

		struct record record = core_record(&world, 0);

		ck_assert_uint_eq(record.uid, uids[i]);
		ck_assert_str_eq(record.outcome, word);
		ck_assert_ptr_eq(strstr(record.detail, "secret.get was asked for"), record.detail);
		ck_assert_ptr_null(strstr(world.last_text, "secret.get"));
	}
	/* Another name that does not exist is told apart. */
	core_grant(&world, "app", UID_OTHER_APP);
	core_ask_refused("unknown_method", &world, UID_OTHER_APP, "secret.gets", "{}");
	ck_assert_ptr_null(strstr(core_record(&world, 0).detail, "secret.get"));
	core_world_end(&world);
}
END_TEST

/* P4 */
START_TEST(the_record_of_a_refusal_names_what_was_asked_for)
{
	static const struct {
		const char *method, *params, *integration, *key;
	} rows[] = {
		/* P1: a key that the vault does not have may be a value in the wrong place. */
		{"secret.put", "{\"integration\":\"app\",\"key\":\"TOKEN\",\"value\":\"v\"}", "app", ""},
		{"secret.list", "{\"integration\":\"finance/app\"}", "finance/app", ""},
		{"integration.show", "{\"name\":\"app\"}", "app", ""},
		{"env.fetch", "{\"integration\":\"app\"}", "app", ""},
		{"env.fetch", "{\"integration\":\"nope\"}", "nope", ""},
		{"integration.list", "{}", "", ""},
	};

	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t uid = UID_STRANGER + (uint32_t)i; /* each one's first refusal is a record */

		core_ask_refused("denied", &world, uid, rows[i].method, "%s", rows[i].params);

		struct record record = core_record(&world, 0);

		ck_assert_uint_eq(record.uid, uid);
		ck_assert_str_eq(record.kind, rows[i].method);
		ck_assert_str_eq(record.integration, rows[i].integration);
		ck_assert_str_eq(record.key, rows[i].key);
	}
	core_world_end(&world);
}
END_TEST

START_TEST(no_role_has_the_rights_of_another)
{
	static const struct {
		const char *method, *params;
		const char *admin, *operator, * auditor, *app;
	} rows[] = {
		{"integration.add",
			"{\"name\":\"n\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":"
			"\"c\"}",
			"ok", "denied", "denied", "denied"},
		{"integration.edit", "{\"name\":\"app\",\"title\":\"t\"}", "ok", "denied", "denied",
			"denied"},
		{"grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"1\"}}", "ok", "denied", "denied",
			"denied"},
		{"grant.remove", "{\"integration\":\"app\",\"id\":99}", "not_found", "denied", "denied",
			"denied"},
		{"grant.list", "{}", "ok", "ok", "ok", "denied"},
		{"integration.list", "{}", "ok", "ok", "ok", "denied"},
		{"integration.show", "{\"name\":\"app\"}", "ok", "ok", "ok", "denied"},
		{"secret.put", "{\"integration\":\"app\",\"key\":\"A\",\"value\":\"v\"}", "ok", "ok",
			"denied", "denied"},
		{"secret.list", "{\"integration\":\"app\"}", "ok", "ok", "ok", "denied"},
		{"secret.show", "{\"integration\":\"app\",\"key\":\"A\"}", "ok", "ok", "ok", "denied"},
		{"secret.revoke", "{\"integration\":\"app\",\"key\":\"A\",\"version\":99}", "not_found",
			"not_found", "denied", "denied"},
		{"secret.remove", "{\"integration\":\"app\",\"key\":\"Z\"}", "not_found", "not_found",
			"denied", "denied"},
		{"audit.list", "{}", "ok", "denied", "ok", "denied"},
		{"env.fetch", "{\"integration\":\"app\"}", "denied", "denied", "denied", "ok"},
	};

	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		core_ask_refused(rows[i].admin, &world, UID_ADMIN, rows[i].method, "%s", rows[i].params);
		core_ask_refused(
			rows[i].operator, & world, UID_OPERATOR, rows[i].method, "%s", rows[i].params);
		core_ask_refused(rows[i].auditor, &world, UID_AUDITOR, rows[i].method, "%s", rows[i].params);
		core_ask_refused(rows[i].app, &world, UID_APP, rows[i].method, "%s", rows[i].params);
		core_ask_refused("denied", &world, UID_STRANGER, rows[i].method, "%s", rows[i].params);
	}
	core_world_end(&world);
}
END_TEST

START_TEST(what_is_no_request_is_refused_and_recorded)
{
	static const struct {
		const char *line, *word, *id;
	} rows[] = {
		{"", "bad_json", "null"},
		{"[]", "bad_json", "null"},
		{"{\"jsonrpc\":\"2.0\",\"id\":1}", "bad_request", "1"},
		{"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"hello\"}", "bad_request", "1"},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}", "bad_request", "null"},
		{"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"hello\",\"params\":{\"x\":1}}",
			"bad_request", "\"a\""},
	};

	start();

	uint64_t before = core_records(&world);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_str_eq(core_ask_line(&world, UID_STRANGER, rows[i].line), rows[i].word);

		char *id = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(world.last, "id"));

		ck_assert_str_eq(id, rows[i].id);
		free(id);
	}
	ck_assert_uint_eq(core_records(&world), before + 2); /* the first of each word */
	core_world_end(&world);
}
END_TEST

START_TEST(a_foreign_protocol_version_closes_the_connection)
{
	struct asking asking = {0};

	start();
	asking_start(&asking, &world, UID_APP);
	asking_send(&asking, "hello", "{\"protocol\":[0,2,3]}");
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&asking), "unsupported");
	ck_assert(asking.must_close);
	asking_end(&asking);

	asking_start(&asking, &world, UID_APP);
	asking_send(&asking, "hello", "{\"protocol\":[2,1]}");
	turn_end(core_turn(world.core));
	ck_assert_str_eq(asking_word(&asking), "ok");
	ck_assert(!asking.must_close);
	asking_end(&asking);
	core_world_end(&world);
}
END_TEST

/* P9 */
START_TEST(a_challenge_needs_the_answer_and_the_kernels_word)
{
	struct asking asking = {0};
	static const char good[] = "{\"nonce\":\"0123456789abcdef0123456789abcdef\"}";

	start();
	core_ask_refused("denied", &world, UID_APP, "session.prove", "%s", good); /* no challenge */
	for (int i = 0; i < 3; i++) {
		asking_start(&asking, &world, UID_APP);
		asking.exchange.challenge = "0123456789abcdef0123456789abcdef";
		asking.exchange.has_credentials = i > 0;
		asking.exchange.cred_pid = asking.who.pid + 1; /* of another process */
		asking.exchange.cred_uid = UID_APP;
		asking.exchange.cred_gid = UID_APP;
		asking_send(&asking, "session.prove", "%s",
			i == 1 ? "{\"nonce\":\"1123456789abcdef0123456789abcdef\"}" : good);
		turn_end(core_turn(world.core));
		ck_assert_str_eq(asking_word(&asking), "denied");
		ck_assert(!asking.who.is_pid_proven);
		asking_end(&asking);
	}
	core_world_end(&world);
}
END_TEST

/* P2 */
START_TEST(strangers_learn_nothing_about_the_vault)
{
	start();
	core_ask_ok(&world, UID_STRANGER, "status", "{}");
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(world.last, "result")), 2);
	core_ask_ok(&world, UID_STRANGER, "whoami", "{}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "roles")), 0);
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "integrations")), 0);
	core_world_end(&world);
}
END_TEST

START_TEST(the_table_of_requests_is_what_schema_tells)
{
	start();
	core_ask_ok(&world, UID_STRANGER, "schema", "{}");

	const cJSON *methods = core_result(&world, "methods");

	ck_assert_int_eq(cJSON_GetArraySize(methods), REQUEST_COUNT);
	for (enum request_kind kind = 0; kind < REQUEST_COUNT; kind++)
		ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(
					 cJSON_GetArrayItem(methods, (int)kind), "method")),
			request_info(kind)->method);
	core_world_end(&world);
}
END_TEST

START_TEST(known_callers_are_those_with_a_role_or_a_grant)
{
	struct principal who = {.uid = UID_STRANGER, .gid = UID_STRANGER, .pidfd = -1};

	start();
	ck_assert(!core_is_known(world.core, &who));
	who.uid = UID_APP;
	ck_assert(core_is_known(world.core, &who));
	ck_assert(!core_is_privileged(world.core, &who));
	who.uid = UID_AUDITOR;
	ck_assert(core_is_known(world.core, &who));
	ck_assert(!core_is_privileged(world.core, &who));
	who.uid = UID_ADMIN;
	ck_assert(core_is_privileged(world.core, &who));
	core_ask_ok(&world, UID_APP, "whoami", "{}");
	ck_assert_str_eq(
		cJSON_GetStringValue(cJSON_GetArrayItem(core_result(&world, "integrations"), 0)), "app");
	core_ask_ok(&world, UID_OPERATOR, "whoami", "{}");
	ck_assert_str_eq(
		cJSON_GetStringValue(cJSON_GetArrayItem(core_result(&world, "roles"), 0)), "operator");
	core_world_end(&world);
}
END_TEST

/* ---- audit.list ---- */

START_TEST(a_filter_for_a_uid_that_no_user_has_is_refused)
{
	start();
	core_ask_refused("bad_value", &world, UID_AUDITOR, "audit.list", "{\"uid\":4294967296}");
	core_ask_refused(
		"bad_value", &world, UID_AUDITOR, "audit.list", "{\"uid\":%lld}", UID_ADMIN + (1LL << 32));
	core_ask_ok(&world, UID_AUDITOR, "audit.list", "{\"uid\":4294967295}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "records")), 0);
	core_ask_ok(&world, UID_AUDITOR, "audit.list", "{\"uid\":%d}", UID_ADMIN);
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "records")), 2);
	core_world_end(&world);
}
END_TEST

/* So many records with the longest subject that no reply could hold them all. */
static void add_long_records(unsigned count)
{
	static char subject[RECORD_SUBJECT_BYTES_MAX]; /* with its NUL, as in the core */

	memset(subject, 's', sizeof(subject) - 1);
	ck_ok(turn_begin(world.core));
	for (unsigned i = 0; i < count; i++) {
		struct record record = {.kind = "env.fetch",
			.outcome = "ok",
			.repeats = 1,
			.subject = {subject, sizeof(subject) - 1}};

		ck_ok(trail_append(world.core, &record));
	}
	turn_end(core_turn(world.core));
}

START_TEST(a_page_of_long_records_ends_early_and_the_next_goes_on)
{
	enum { RECORDS = REPLY_BYTES_MAX / RECORD_SUBJECT_BYTES_MAX + 50 };
	uint64_t last = 0;
	unsigned pages = 0;

	start();
	add_long_records(RECORDS);
	world.skips_arena = true;

	uint64_t newest = world.core->chain.seq;

	for (; last < newest; pages++) {
		core_ask_ok(&world, UID_AUDITOR, "audit.list", "{\"limit\":1000,\"after\":%llu}",
			(unsigned long long)last);
		ck_assert_uint_lt(strlen(world.last_text), REPLY_BYTES_MAX);

		const cJSON *record = NULL;

		ck_assert_int_gt(cJSON_GetArraySize(core_result(&world, "records")), 0);
		cJSON_ArrayForEach(record, core_result(&world, "records"))
			ck_assert_int_eq(cJSON_GetObjectItem(record, "seq")->valueint, (int)++last);
		ck_assert_int_eq(core_result(&world, "last")->valueint, (int)last);
	}
	ck_assert_uint_eq(last, newest);
	ck_assert_uint_gt(pages, 1);
	core_world_end(&world);
}
END_TEST

START_TEST(roles_and_limits_change_with_a_reload)
{
	static const struct roles nobody;
	struct config_limits narrow = {0};

	start();
	narrow = world.limits;
	narrow.line_bytes = 5000;
	core_set_roles(world.core, &nobody);
	core_set_limits(world.core, &narrow);
	core_ask_refused("denied", &world, UID_OPERATOR, "secret.list", "{\"integration\":\"app\"}");
	core_ask_ok(&world, UID_STRANGER, "hello", "{}");
	ck_assert_int_eq(cJSON_GetObjectItem(core_result(&world, "limits"), "line_bytes")->valueint, 5000);
	core_world_end(&world);
}
END_TEST

/* P1: how far such a line was understood does not tell what it carried. */
START_TEST(a_refused_line_leaves_nothing_in_registers_and_stack)
{
	static const struct {
		const char *head;
		const char *params;
	} lines[] = {
		{"\"id\":1,\"method\":\"secret.put\"", "{\"value\":\"hush\""},
		{"\"id\":1,\"method\":\"secret.put\"", "{\"bogus\":1,\"value\":\"hush\"}"},
		{"\"id\":1,\"method\":\"secret.pat\"", "{\"value\":\"hush\"}"},
		{"\"id\":null,\"method\":\"secret.put\"", "{\"value\":\"hush\"}"},
	};
	char line[256] = "";

	core_world_start(&world);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		unsigned before = core_faults.scrubs;

		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",%s,\"params\":%s}", lines[i].head,
			lines[i].params);
		ck_assert_str_ne(core_ask_line(&world, UID_OPERATOR, line), "ok");
		ck_assert_msg(core_faults.scrubs > before, "%s", line);
	}
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("dispatch", a_refused_line_leaves_nothing_in_registers_and_stack,
	a_sealed_vault_answers_only_what_needs_no_store, an_unknown_method_is_denied_to_strangers,
	bad_fields_from_callers_without_the_right_are_denied,
	asking_for_a_value_by_name_leaves_a_record_that_says_so,
	the_record_of_a_refusal_names_what_was_asked_for, no_role_has_the_rights_of_another,
	what_is_no_request_is_refused_and_recorded, a_foreign_protocol_version_closes_the_connection,
	a_challenge_needs_the_answer_and_the_kernels_word, strangers_learn_nothing_about_the_vault,
	the_table_of_requests_is_what_schema_tells, known_callers_are_those_with_a_role_or_a_grant,
	a_filter_for_a_uid_that_no_user_has_is_refused,
	a_page_of_long_records_ends_early_and_the_next_goes_on, roles_and_limits_change_with_a_reload)
