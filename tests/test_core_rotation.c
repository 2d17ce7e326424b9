/*
 * From staged to revoked: which version becomes current and by what leave, what a verdict is worth, and who gets a staged
 * value.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base64.h"
#include "command.h"
#include "core_world.h"

static struct core_world world;
static struct puppet tester; /* a process of UID_APP */

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* "app" with A=one current, granted to UID_APP; a process to test with. */
static void start(void)
{
	puppets_start();
	tester = puppet_new();
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_grant(&world, "app", UID_APP);
	core_put(&world, "app", "A", "one");
}

static void end(void)
{
	core_check_chain(&world);
	core_world_end(&world);
	puppets_end();
}

#define APP(more) "{\"integration\":\"app\",\"key\":\"A\"" more "}"
#define promote_ok(more) core_ask_ok(&world, UID_OPERATOR, "secret.promote", APP(more))
#define promote_refused(word, more) core_ask_refused(word, &world, UID_OPERATOR, "secret.promote", APP(more))
#define rollback_ok(more) core_ask_ok(&world, UID_OPERATOR, "secret.rollback", APP(more))
#define rollback_refused(word, more) \
	core_ask_refused(word, &world, UID_OPERATOR, "secret.rollback", APP(more))
#define revoke_ok(more) core_ask_ok(&world, UID_OPERATOR, "secret.revoke", APP(more))
#define revoke_refused(word, more) core_ask_refused(word, &world, UID_OPERATOR, "secret.revoke", APP(more))
#define check_states(wanted) ck_assert_str_eq(core_states(&world, "app", "A"), wanted)

static void check_moved(int version, const char *state, int replaced)
{
	ck_assert_str_eq(core_result_text(&world, "key"), "A");
	ck_assert_int_eq(core_result(&world, "version")->valueint, version);
	ck_assert_str_eq(core_result_text(&world, "state"), state);
	if (replaced != 0)
		ck_assert_int_eq(core_result(&world, "replaced")->valueint, replaced);
	else
		ck_assert(cJSON_IsNull(core_result(&world, "replaced")));
}

static char *value_of(size_t len)
{
	char *value = malloc(len + 1);

	ck_assert_ptr_nonnull(value);
	memset(value, 'v', len);
	value[len] = '\0';
	return value;
}

static const char *put_large(const char *integration, const char *key, bool is_staged)
{
	char *value = value_of(65535);
	const char *word = core_ask(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"%s\",\"key\":\"%s\",\"value\":\"%s\",\"stage\":%s}", integration, key,
		value, is_staged ? "true" : "false");

	free(value);
	return word;
}

/* ---- staging ---- */

START_TEST(a_second_staged_version_is_a_conflict)
{
	start();
	core_stage(&world, "app", "A", "two");
	core_ask_refused(
		"conflict", &world, UID_OPERATOR, "secret.put", APP(",\"value\":\"x\",\"stage\":true"));
	core_ask_refused(
		"conflict", &world, UID_OPERATOR, "secret.put", APP(",\"value\":\"x\",\"if_absent\":true"));
	core_ask_refused("conflict", &world, UID_OPERATOR, "secret.put",
		APP(",\"value\":\"x\",\"stage\":true,\"expect_version\":1"));
	check_states("1:current 2:staged");
	/* Where nothing is current a staged one is a value as well. */
	core_stage(&world, "app", "B", "b");
	core_ask_refused("conflict", &world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"B\",\"value\":\"x\",\"if_absent\":true}");
	/* A put that stages nothing goes on. */
	core_put(&world, "app", "A", "three");
	check_states("1:draining 2:staged 3:current");
	end();
}
END_TEST

START_TEST(a_staged_version_changes_nothing_for_a_fetch)
{
	start();
	core_stage(&world, "app", "A", "two");
	ck_assert_int_eq(core_result(&world, "version")->valueint, 2);
	ck_assert_str_eq(core_result_text(&world, "state"), "staged");
	ck_assert_str_eq(core_record(&world, 0).detail, "staged");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	ck_assert_ptr_nonnull(strstr(world.last_text, "\"one\""));
	ck_assert_ptr_null(strstr(world.last_text, "\"two\""));
	/* A key that has nothing else has no value. */
	core_stage(&world, "app", "B", "bbbb");
	core_ask_refused("not_found", &world, UID_APP, "env.fetch", "{}");
	ck_assert_ptr_null(strstr(world.last_text, "bbbb"));
	end();
}
END_TEST

/* ---- promote: refusals ---- */

START_TEST(only_an_operator_moves_versions)
{
	static const uint32_t others[] = {UID_AUDITOR, UID_APP, UID_STRANGER};

	start();
	core_stage(&world, "app", "A", "two");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		core_ask_refused("denied", &world, others[i], "secret.promote", APP(",\"untested\":true"));
		core_ask_refused("denied", &world, others[i], "secret.rollback", APP(""));
		core_ask_refused(
			"denied", &world, others[i], "secret.revoke", APP(",\"version\":2,\"force\":true"));
	}
	check_states("1:current 2:staged");
	end();
}
END_TEST

START_TEST(what_is_not_there_is_not_promoted)
{
	start();
	core_ask_refused("not_found", &world, UID_OPERATOR, "secret.promote",
		"{\"integration\":\"nope\",\"key\":\"A\",\"untested\":true}");
	core_ask_refused("not_found", &world, UID_OPERATOR, "secret.promote",
		"{\"integration\":\"app\",\"key\":\"B\",\"untested\":true}");
	promote_refused("not_found", ",\"untested\":true"); /* nothing is staged */
	promote_refused("not_found", ",\"untested\":true,\"version\":2");
	promote_refused("not_found", ",\"untested\":true,\"version\":0");
	core_stage(&world, "app", "A", "two");
	promote_refused("not_found", ",\"untested\":true,\"version\":3");
	check_states("1:current 2:staged");
	end();
}
END_TEST

START_TEST(only_a_staged_version_is_promoted)
{
	start();
	promote_refused("conflict", ",\"untested\":true,\"version\":1");
	core_stage(&world, "app", "A", "two");
	promote_refused("conflict", ",\"untested\":true,\"version\":1");
	promote_ok(",\"untested\":true,\"version\":2");
	promote_refused("conflict", ",\"untested\":true,\"version\":1"); /* it drains */
	promote_refused("conflict", ",\"untested\":true,\"version\":2");
	revoke_ok(",\"version\":1");
	promote_refused("conflict", ",\"untested\":true,\"version\":1");
	check_states("1:revoked 2:current");
	end();
}
END_TEST

START_TEST(a_promote_that_expects_another_version_is_a_conflict)
{
	start();
	core_stage(&world, "app", "A", "two");
	promote_refused("conflict", ",\"untested\":true,\"expect_version\":1");
	promote_refused("conflict", ",\"untested\":true,\"expect_version\":3");
	check_states("1:current 2:staged");
	promote_ok(",\"untested\":true,\"expect_version\":2");
	rollback_refused("conflict", ",\"expect_version\":1");
	rollback_ok(",\"expect_version\":2");
	revoke_refused("conflict", ",\"version\":2,\"expect_version\":1");
	revoke_ok(",\"version\":2,\"expect_version\":2");
	end();
}
END_TEST

START_TEST(an_untested_version_is_promoted_only_by_name)
{
	start();
	core_stage(&world, "app", "A", "two");
	promote_refused("untested", "");
	promote_refused("untested", ",\"untested\":false");
	promote_refused("untested", ",\"version\":2");
	ck_assert_uint_eq(core_record(&world, 0).version, 2);
	promote_ok(",\"untested\":true");
	ck_assert_str_eq(core_record(&world, 0).detail, "untested");
	ck_assert_str_eq(core_record(&world, 0).subject.text, "draining=1");
	ck_assert_uint_eq(core_record(&world, 0).version, 2);
	end();
}
END_TEST

static void stage_until(const char *value, int64_t ms)
{
	char time[TIME_TEXT_BYTES] = "";

	text_format_time(core_clock_ms + ms, time);
	core_ask_ok(&world, UID_OPERATOR, "secret.put",
		"{\"integration\":\"app\",\"key\":\"A\",\"value\":\"%s\",\"stage\":true,\"expires_at\":\"%"
		"s\"}",
		value, time);
}

START_TEST(an_expired_version_is_not_made_current)
{
	start();
	stage_until("two", 1000);
	core_clock_ms += 1000;
	promote_refused("expired", ",\"untested\":true");
	check_states("1:current 2:staged");
	core_clock_ms -= 1;
	promote_ok(",\"untested\":true");
	core_put(&world, "app", "A", "three");
	revoke_ok(",\"version\":1");
	core_clock_ms += 1;
	rollback_refused("expired", "");
	core_clock_ms -= 1;
	rollback_ok("");
	check_states("1:revoked 2:current 3:draining");
	end();
}
END_TEST

START_TEST(a_retired_integration_only_ends)
{
	start();
	core_stage(&world, "app", "A", "two");
	core_put(&world, "app", "A", "three");
	core_set_state(&world, "app", "retired");
	core_ask_refused(
		"retired", &world, UID_OPERATOR, "secret.put", APP(",\"value\":\"x\",\"stage\":true"));
	promote_refused("retired", ",\"untested\":true");
	rollback_refused("retired", "");
	revoke_ok(",\"version\":1");
	revoke_ok(",\"version\":2");
	core_set_state(&world, "app", "suspended");
	core_stage(&world, "app", "A", "four");
	promote_ok(",\"untested\":true");
	check_states("1:revoked 2:revoked 3:draining 4:current");
	end();
}
END_TEST

/* The set is judged when it changes: when it was staged there was room. */
START_TEST(a_version_for_which_the_set_has_no_room_is_not_made_current)
{
	char key[16] = "";

	start();
	core_add_integration(&world, "big");
	ck_assert_str_eq(put_large("big", "A", true), "ok");
	for (int i = 0; i < 15; i++) {
		snprintf(key, sizeof(key), "K%d", i);
		ck_assert_str_eq(put_large("big", key, false), "ok");
	}
	core_put(&world, "big", "SMALL", "v");
	core_ask_refused("too_large", &world, UID_OPERATOR, "secret.promote",
		"{\"integration\":\"big\",\"key\":\"A\",\"untested\":true}");
	ck_assert_str_eq(core_states(&world, "big", "A"), "1:staged");
	core_ask_ok(&world, UID_OPERATOR, "secret.revoke",
		"{\"integration\":\"big\",\"key\":\"SMALL\",\"version\":1,\"force\":true}");
	core_ask_ok(&world, UID_OPERATOR, "secret.promote",
		"{\"integration\":\"big\",\"key\":\"A\",\"untested\":true}");

	/* The same on the way back. */
	core_put(&world, "big", "A", "small now");
	core_put(&world, "big", "SMALL", "v");
	core_ask_refused("too_large", &world, UID_OPERATOR, "secret.rollback",
		"{\"integration\":\"big\",\"key\":\"A\"}");
	ck_assert_str_eq(core_states(&world, "big", "A"), "1:draining 2:current");
	end();
}
END_TEST

START_TEST(a_129th_key_is_not_made_current)
{
	char key[16] = "";

	start();
	core_stage(&world, "app", "B", "b");
	for (int i = 1; i < 128; i++) {
		snprintf(key, sizeof(key), "K%d", i);
		core_put(&world, "app", key, "v");
	}
	core_ask_refused("too_large", &world, UID_OPERATOR, "secret.promote",
		"{\"integration\":\"app\",\"key\":\"B\",\"untested\":true}");
	core_stage(&world, "app", "A", "two"); /* takes the place of its own current one */
	promote_ok(",\"untested\":true");
	end();
}
END_TEST

/* P5 */
START_TEST(a_promote_whose_commit_failed_has_moved_nothing)
{
	start();
	core_stage(&world, "app", "A", "two");
	core_faults.commit = ERR_STORAGE_FULL;
	promote_refused("storage_full", ",\"untested\":true");
	check_states("1:current 2:staged");
	core_faults.append = ERR_STORAGE_FULL;
	promote_refused("storage_full", ",\"untested\":true");
	check_states("1:current 2:staged");
	promote_ok(",\"untested\":true");
	core_faults.commit = ERR_STORAGE_FULL;
	rollback_refused("storage_full", "");
	check_states("1:draining 2:current");
	core_faults.commit = ERR_STORAGE_FULL;
	revoke_refused("storage_full", ",\"version\":1");
	check_states("1:draining 2:current");
	rollback_ok("");
	check_states("1:current 2:draining");
	end();
}
END_TEST

START_TEST(the_same_request_moves_a_version_once)
{
	static const char id[] = ",\"untested\":true,\"request_id\":\"00000000000000000000000000000001\"";
	char *first = NULL;

	start();
	core_stage(&world, "app", "A", "two");
	core_ask_ok(&world, UID_OPERATOR, "secret.promote", "{\"integration\":\"app\",\"key\":\"A\"%s}", id);
	first = strdup(world.last_text);
	core_stage(&world, "app", "A", "three");
	core_ask_ok(&world, UID_OPERATOR, "secret.promote", "{\"integration\":\"app\",\"key\":\"A\"%s}", id);
	ck_assert_str_eq(world.last_text, first);
	check_states("1:draining 2:current 3:staged");
	core_ask_refused("conflict", &world, UID_OPERATOR, "secret.promote",
		"{\"integration\":\"app\",\"key\":\"A\",\"version\":3%s}", id);
	/* Another method has ids of its own. */
	rollback_ok(",\"request_id\":\"00000000000000000000000000000001\"");
	rollback_ok(",\"request_id\":\"00000000000000000000000000000001\"");
	check_moved(1, "current", 2);
	check_states("1:current 2:draining 3:staged");
	free(first);
	end();
}
END_TEST

/* ---- promote and rollback ---- */

START_TEST(there_is_one_current_version_at_most)
{
	start();
	core_stage(&world, "app", "A", "two");
	promote_ok(",\"untested\":true");
	check_moved(2, "current", 1);
	check_states("1:draining 2:current");
	core_stage(&world, "app", "A", "three");
	promote_ok(",\"untested\":true");
	check_moved(3, "current", 2);
	check_states("1:draining 2:draining 3:current");
	rollback_ok(",\"version\":1");
	check_moved(1, "current", 3);
	ck_assert_str_eq(core_record(&world, 0).subject.text, "draining=3");
	check_states("1:current 2:draining 3:draining");
	core_put(&world, "app", "A", "four");
	check_states("1:draining 2:draining 3:draining 4:current");
	revoke_ok(",\"version\":4,\"force\":true");
	check_states("1:draining 2:draining 3:draining 4:revoked");
	rollback_ok(",\"version\":2");
	check_moved(2, "current", 0);
	check_states("1:draining 2:current 3:draining 4:revoked");
	core_world_reopen(&world);
	check_states("1:draining 2:current 3:draining 4:revoked");
	end();
}
END_TEST

START_TEST(the_first_version_of_a_key_may_be_a_staged_one)
{
	start();
	core_stage(&world, "app", "B", "b");
	core_ask_ok(&world, UID_OPERATOR, "secret.promote",
		"{\"integration\":\"app\",\"key\":\"B\",\"untested\":true}");
	ck_assert(cJSON_IsNull(core_result(&world, "replaced")));
	core_ask_ok(&world, UID_APP, "env.fetch", "{\"only\":[\"B\"]}");
	end();
}
END_TEST

START_TEST(only_a_draining_version_is_brought_back)
{
	start();
	rollback_refused("not_found", "");
	rollback_refused("conflict", ",\"version\":1");
	rollback_refused("not_found", ",\"version\":2");
	core_ask_refused("not_found", &world, UID_OPERATOR, "secret.rollback",
		"{\"integration\":\"app\",\"key\":\"B\"}");
	core_stage(&world, "app", "A", "two");
	rollback_refused("not_found", "");
	rollback_refused("conflict", ",\"version\":2");
	promote_ok(",\"untested\":true");
	core_put(&world, "app", "A", "three");
	rollback_refused("conflict", ""); /* two are draining */
	revoke_ok(",\"version\":1");
	rollback_refused("conflict", ",\"version\":1");
	check_states("1:revoked 2:draining 3:current");
	rollback_ok("");
	check_moved(2, "current", 3);
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	ck_assert_ptr_nonnull(strstr(world.last_text, "\"two\""));
	end();
}
END_TEST

/* ---- revoke ---- */

START_TEST(a_revoke_of_what_is_not_there_or_is_current_is_refused)
{
	start();
	revoke_refused("not_found", ",\"version\":2");
	revoke_refused("not_found", ",\"version\":0");
	core_ask_refused("not_found", &world, UID_OPERATOR, "secret.revoke",
		"{\"integration\":\"app\",\"key\":\"B\",\"version\":1}");
	revoke_refused("in_use", ",\"version\":1");
	revoke_refused("in_use", ",\"version\":1,\"processes_only\":true");
	revoke_refused("in_use", ",\"version\":1,\"force\":false");
	core_ask_refused("conflict", &world, UID_OPERATOR, "secret.remove", APP(""));
	check_states("1:current");
	revoke_ok(",\"version\":1,\"force\":true");
	ck_assert_str_eq(core_record(&world, 0).detail, "forced");
	core_ask_ok(&world, UID_OPERATOR, "secret.remove", APP(""));
	end();
}
END_TEST

/* P10 */
START_TEST(revoking_a_revoked_version_is_ok_and_makes_its_checkpoint)
{
	start();
	core_put(&world, "app", "A", "two");
	revoke_ok(",\"version\":1");
	core_faults.checkpoints = 0;
	revoke_ok(",\"version\":1");
	ck_assert_str_eq(core_result_text(&world, "state"), "revoked");
	ck_assert_uint_eq(core_faults.checkpoints, 1);
	revoke_ok(",\"version\":1,\"force\":true,\"processes_only\":true");
	end();
}
END_TEST

static void make_file(const char *name, int64_t written_ms)
{
	char path[512] = "";
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
		{.tv_sec = written_ms / 1000, .tv_nsec = written_ms % 1000 * 1000000}};

	snprintf(path, sizeof(path), "%s/%s", world.core->backup_dir, name);

	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(futimens(fd, times), 0);
	close(fd);
}

START_TEST(a_revoke_tells_where_the_credential_ends_and_which_backups_hold_it)
{
	char dir[] = "/tmp/coffer-revoke-XXXXXX";
	char command[64] = "";

	start();
	core_ask_ok(&world, UID_OPERATOR, "secret.put",
		APP(",\"value\":\"two\",\"issuer\":\"console.example\",\"issuer_ref\":\"key-2\""));
	core_put(&world, "app", "A", "three");
	revoke_ok(",\"version\":2");
	ck_assert_str_eq(core_result_text(&world, "issuer"), "console.example");
	ck_assert_str_eq(core_result_text(&world, "issuer_ref"), "key-2");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "backups")), 0); /* there is no directory */
	ck_assert_ptr_nonnull(mkdtemp(dir));
	world.core->backup_dir = dir;
	make_file("before", core_clock_ms - 1);
	make_file("then", core_clock_ms);
	make_file("after", core_clock_ms + 1);
	make_file("no\xfftext", core_clock_ms + 2); /* could not be written into the reply */
	revoke_ok(",\"version\":1");
	ck_assert_ptr_nonnull(strstr(world.last_text, "\"backups\":[\"after\",\"then\"]"));
	ck_assert(cJSON_IsNull(core_result(&world, "issuer_ref")));
	world.core->backup_dir = NULL;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
	end();
}
END_TEST

/* ---- verdicts ---- */

/* The run of a staged fetch of this process. */
static const char *fetch_staged_as(uint32_t uid, const struct puppet *puppet)
{
	static char run[27];

	core_ask_as_ok(&world, uid, puppet, "env.fetch", "{\"integration\":\"app\",\"staged\":true}");
	snprintf(run, sizeof(run), "%s", core_result_text(&world, "run"));
	return run;
}

static const char *record_as(
	uint32_t uid, const struct puppet *puppet, const char *run, int exit_status, const char *digest)
{
	return core_ask_as(&world, uid, puppet, "secret.record_test",
		"{\"run\":\"%s\",\"passed\":%s,\"exit_status\":%d,\"command_digest\":\"%s\",\"duration_ms\":"
		"5}",
		run, exit_status == 0 ? "true" : "false", exit_status, digest);
}

static const char *record(const char *run, int exit_status)
{
	return record_as(UID_APP, &tester, run, exit_status, DIGEST);
}

static void test_with(int exit_status)
{
	ck_assert_str_eq(record(fetch_staged_as(UID_APP, &tester), exit_status), "ok");
}

/* P2, P9: what is another's and what is not there look alike. */
START_TEST(a_verdict_counts_from_the_process_alone_that_was_given_the_values)
{
	struct puppet other;
	char run[27] = "", plain[27] = "", of_other[27] = "";
	char *denied = NULL;

	start();
	other = puppet_new();
	core_grant(&world, "app", UID_OTHER_APP);
	core_stage(&world, "app", "A", "two");
	snprintf(run, sizeof(run), "%s", fetch_staged_as(UID_APP, &tester));
	snprintf(of_other, sizeof(of_other), "%s", fetch_staged_as(UID_OTHER_APP, &other));
	core_ask_as_ok(&world, UID_APP, &tester, "env.fetch", "{}");
	snprintf(plain, sizeof(plain), "%s", core_result_text(&world, "run"));

	ck_assert_str_eq(record("01JD0000000000000000000000", 0), "denied");
	denied = strdup(world.last_text);
	ck_assert_str_eq(record(of_other, 0), "denied");
	ck_assert_str_eq(world.last_text, denied);
	ck_assert_str_eq(record(plain, 0), "denied"); /* it was given current values */
	ck_assert_str_eq(world.last_text, denied);
	ck_assert_str_eq(record_as(UID_OTHER_APP, &other, run, 0, DIGEST), "denied");
	ck_assert_str_eq(world.last_text, denied);
	ck_assert_str_eq(
		record_as(UID_APP, &other, run, 0, DIGEST), "denied"); /* the right user's other process */
	ck_assert_str_eq(world.last_text, denied);
	core_ask_refused("denied", &world, UID_APP, "secret.record_test",
		"{\"run\":\"%s\",\"passed\":true,\"exit_status\":0,\"command_digest\":\"" DIGEST
		"\",\"duration_ms\":5}",
		run); /* nobody knows which process that is */
	ck_assert_str_eq(world.last_text, denied);
	promote_refused("untested", "");
	ck_assert_str_eq(record(run, 0), "ok");
	promote_ok("");
	free(denied);
	end();
}
END_TEST

/* Nobody's fetch is anybody's to judge, also when it was staged. */
START_TEST(a_run_without_a_proven_process_gets_no_verdict)
{
	char run[27] = "";

	start();
	core_stage(&world, "app", "A", "two");
	core_ask_ok(&world, UID_APP, "env.fetch", "{\"staged\":true}");
	snprintf(run, sizeof(run), "%s", core_result_text(&world, "run"));
	ck_assert_str_eq(record(run, 0), "denied");
	fetch_staged_as(UID_APP, &tester); /* known now, by another run */
	ck_assert_str_eq(record(run, 0), "denied");
	promote_refused("untested", "");
	end();
}
END_TEST

START_TEST(a_verdict_that_contradicts_itself_is_refused)
{
	static const char *const wrong[] = {
		"\"passed\":true,\"exit_status\":1",
		"\"passed\":false,\"exit_status\":0",
		"\"passed\":false,\"exit_status\":256",
		"\"passed\":true,\"exit_status\":256",
		"\"passed\":false,\"exit_status\":999",
	};
	const char *run = NULL;

	start();
	core_stage(&world, "app", "A", "two");
	run = fetch_staged_as(UID_APP, &tester);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		core_ask_as_refused("bad_value", &world, UID_APP, &tester, "secret.record_test",
			"{\"run\":\"%s\",%s,\"command_digest\":\"" DIGEST "\",\"duration_ms\":5}", run,
			wrong[i]);
	ck_assert_str_eq(record(run, 255), "ok");
	end();
}
END_TEST

START_TEST(a_second_verdict_of_a_run_is_a_conflict)
{
	const char *run = NULL;

	start();
	core_stage(&world, "app", "A", "two");
	run = fetch_staged_as(UID_APP, &tester);
	ck_assert_str_eq(record(run, 1), "ok");
	ck_assert_str_eq(record(run, 0), "conflict");
	ck_assert_str_eq(record(run, 1), "conflict");
	promote_refused("untested", "");
	end();
}
END_TEST

START_TEST(a_verdict_on_what_is_staged_no_more_is_a_conflict)
{
	const char *run = NULL;

	start();
	core_stage(&world, "app", "A", "two");
	run = fetch_staged_as(UID_APP, &tester);
	promote_ok(",\"untested\":true");
	ck_assert_str_eq(record(run, 0), "conflict");
	core_stage(&world, "app", "A", "three");
	ck_assert_str_eq(record(run, 0), "conflict"); /* that is another version */
	run = fetch_staged_as(UID_APP, &tester);
	revoke_ok(",\"version\":3,\"force\":true");
	ck_assert_str_eq(record(run, 0), "conflict");
	end();
}
END_TEST

START_TEST(a_verdict_needs_the_grant_to_stand)
{
	const char *run = NULL;

	start();
	core_stage(&world, "app", "A", "two");
	run = fetch_staged_as(UID_APP, &tester);
	core_ask_ok(&world, UID_ADMIN, "grant.remove", "{\"integration\":\"app\",\"id\":1}");
	ck_assert_str_eq(record(run, 0), "denied");
	core_grant(&world, "app", UID_OTHER_APP);
	ck_assert_str_eq(record(run, 0), "denied");
	core_ask_ok(&world, UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"%d\"},\"staged_only\":true}", UID_APP);
	ck_assert_str_eq(record(run, 0), "ok");
	end();
}
END_TEST

/* P5 */
START_TEST(a_verdict_whose_commit_failed_may_be_given_again)
{
	const char *run = NULL;

	start();
	core_stage(&world, "app", "A", "two");
	run = fetch_staged_as(UID_APP, &tester);
	core_faults.commit = ERR_STORAGE_FULL;
	ck_assert_str_eq(record(run, 0), "storage_full");
	promote_refused("untested", "");
	ck_assert_str_eq(record(run, 0), "ok");
	promote_ok("");
	end();
}
END_TEST

START_TEST(the_newest_verdict_decides)
{
	start();
	core_stage(&world, "app", "A", "two");
	test_with(0);
	test_with(1); /* an earlier pass is taken back */
	promote_refused("untested", "");
	test_with(124);
	promote_refused("untested", "");
	test_with(0);
	promote_ok("");
	check_states("1:draining 2:current");
	end();
}
END_TEST

START_TEST(a_verdict_is_of_one_version_alone)
{
	start();
	core_stage(&world, "app", "A", "two");
	test_with(0);
	revoke_ok(",\"version\":2,\"force\":true");
	core_stage(&world, "app", "A", "three");
	promote_refused("untested", "");
	end();
}
END_TEST

static void digest_of(const char *command, char out[2 * COMMAND_DIGEST_BYTES + 1])
{
	const char *const arguments[] = {"/bin/sh", "-c", command};
	unsigned char digest[COMMAND_DIGEST_BYTES] = {0};

	command_digest(arguments, 3, digest);
	hex_encode(digest, sizeof(digest), out);
}

START_TEST(where_a_command_is_named_only_its_verdicts_count)
{
	char right[2 * COMMAND_DIGEST_BYTES + 1] = "", wrong[2 * COMMAND_DIGEST_BYTES + 1] = "";

	start();
	digest_of("run-the-test --all", right);
	digest_of("run-the-test", wrong);
	core_ask_ok(
		&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"test\":\"run-the-test --all\"}");
	core_stage(&world, "app", "A", "two");
	ck_assert_str_eq(record_as(UID_APP, &tester, fetch_staged_as(UID_APP, &tester), 0, wrong), "ok");
	promote_refused("untested", "");
	ck_assert_str_eq(record_as(UID_APP, &tester, fetch_staged_as(UID_APP, &tester), 0, right), "ok");
	/* A later one of another command neither helps nor harms. */
	ck_assert_str_eq(record_as(UID_APP, &tester, fetch_staged_as(UID_APP, &tester), 1, wrong), "ok");
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"test\":\"run-the-test\"}");
	promote_refused("untested", "");
	core_ask_ok(
		&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"test\":\"run-the-test --all\"}");
	promote_ok("");
	/* Without a command every verdict counts. */
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"test\":\"\"}");
	core_stage(&world, "app", "A", "three");
	ck_assert_str_eq(record_as(UID_APP, &tester, fetch_staged_as(UID_APP, &tester), 0, wrong), "ok");
	promote_ok("");
	end();
}
END_TEST

/* A clock that was set back: which of the two came first is not known. */
START_TEST(a_verdict_that_is_older_than_its_value_does_not_count)
{
	start();
	core_stage(&world, "app", "A", "two");
	core_clock_ms -= 1;
	test_with(0);
	promote_refused("untested", "");
	core_clock_ms += 1;
	promote_refused("untested", "");
	test_with(0);
	promote_ok("");
	end();
}
END_TEST

START_TEST(a_verdict_is_stored_with_every_staged_version_of_its_run)
{
	char run[27] = "";

	start();
	core_stage(&world, "app", "A", "two");
	core_put(&world, "app", "B", "b");
	core_stage(&world, "app", "C", "c");
	core_ask_as_ok(&world, UID_APP, &tester, "env.fetch", "{\"staged\":true}");
	snprintf(run, sizeof(run), "%s", core_result_text(&world, "run"));
	ck_assert_str_eq(record(run, 0), "ok");
	ck_assert_str_eq(core_result_text(&world, "run"), run);
	ck_assert_ptr_nonnull(strstr(
		world.last_text, "\"tested\":[{\"key\":\"A\",\"version\":2},{\"key\":\"C\",\"version\":1}]"));

	struct record record = core_record(&world, 0);

	ck_assert_str_eq(record.kind, "secret.record_test");
	ck_assert_str_eq(record.integration, "app");
	ck_assert_str_eq(record.run, run);
	ck_assert_str_eq(record.subject.text, "A=2 C=1 passed exit=0 ms=5 command=" DIGEST);
	promote_ok("");
	core_ask_ok(&world, UID_OPERATOR, "secret.promote", "{\"integration\":\"app\",\"key\":\"C\"}");
	end();
}
END_TEST

START_TEST(show_tells_the_newest_verdicts_and_whether_they_would_do)
{
	enum { GIVEN = 17, SHOWN = 16 };
	const cJSON *version = NULL, *tests = NULL;

	start();
	core_stage(&world, "app", "A", "two");
	for (int i = 0; i < GIVEN; i++) {
		core_clock_ms += 1000;
		test_with(i);
	}
	core_ask_ok(&world, UID_AUDITOR, "secret.show", APP(""));
	version = cJSON_GetArrayItem(core_result(&world, "versions"), 0);
	tests = cJSON_GetObjectItem(version, "tests");
	ck_assert(cJSON_IsFalse(cJSON_GetObjectItem(version, "tested")));
	ck_assert_int_eq(cJSON_GetArraySize(tests), SHOWN);
	ck_assert_int_eq(
		cJSON_GetObjectItem(cJSON_GetArrayItem(tests, 0), "exit_status")->valueint, GIVEN - 1);
	ck_assert_int_eq(
		cJSON_GetObjectItem(cJSON_GetArrayItem(tests, SHOWN - 1), "exit_status")->valueint, 1);
	ck_assert(cJSON_IsFalse(cJSON_GetObjectItem(cJSON_GetArrayItem(tests, 0), "passed")));
	ck_assert_int_eq(cJSON_GetObjectItem(cJSON_GetArrayItem(tests, 0), "duration_ms")->valueint, 5);
	ck_assert_str_eq(
		cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(tests, 0), "command_digest")),
		DIGEST);
	version = cJSON_GetArrayItem(core_result(&world, "versions"), 1);
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(version, "tests")), 0);
	test_with(0);
	core_ask_ok(&world, UID_AUDITOR, "secret.show", APP(""));
	ck_assert(cJSON_IsTrue(
		cJSON_GetObjectItem(cJSON_GetArrayItem(core_result(&world, "versions"), 0), "tested")));
	end();
}
END_TEST

/* ---- who gets a staged value ---- */

static void grant_tester(uint32_t uid)
{
	core_ask_ok(&world, UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"%u\"},\"staged_only\":true}", uid);
}

/* "A=2 B=1", in the order of the reply. */
static const char *given(void)
{
	static char text[512];
	const cJSON *item = NULL;

	text[0] = '\0';
	cJSON_ArrayForEach(item, core_result(&world, "env"))
	{
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%s=%s", len > 0 ? " " : "",
			cJSON_GetStringValue(cJSON_GetObjectItem(item, "key")),
			cJSON_GetStringValue(cJSON_GetObjectItem(item, "value")));
	}
	return text;
}

/* P2 */
START_TEST(a_tester_never_gets_a_current_value)
{
	char *denied = NULL;

	start();
	core_put(&world, "app", "B", "bbbb");
	core_ask_refused("denied", &world, UID_OTHER_APP, "env.fetch", "{\"integration\":\"app\"}");
	denied = strdup(world.last_text);
	grant_tester(UID_OTHER_APP);
	core_ask_refused("denied", &world, UID_OTHER_APP, "env.fetch", "{\"integration\":\"app\"}");
	ck_assert_str_eq(world.last_text, denied);
	core_ask_refused("denied", &world, UID_OTHER_APP, "env.fetch", "{}");
	core_ask_refused("denied", &world, UID_OTHER_APP, "env.fetch", "{\"staged\":false}");
	core_ask_refused("denied", &world, UID_OTHER_APP, "env.watch", "{\"integration\":\"app\"}");
	core_ask_refused(
		"not_found", &world, UID_OTHER_APP, "env.fetch", "{\"staged\":true}"); /* none is staged */
	core_stage(&world, "app", "A", "two");
	core_ask_ok(&world, UID_OTHER_APP, "env.fetch", "{\"staged\":true}");
	ck_assert_str_eq(given(), "A=two");
	core_ask_refused(
		"not_found", &world, UID_OTHER_APP, "env.fetch", "{\"staged\":true,\"only\":[\"B\"]}");
	core_ask_refused("not_found", &world, UID_OTHER_APP, "env.fetch",
		"{\"staged\":true,\"only\":[\"B\"],\"optional\":[\"B\"]}");
	core_ask_ok(&world, UID_OTHER_APP, "env.fetch",
		"{\"staged\":true,\"only\":[\"A\",\"B\"],\"optional\":[\"B\"]}");
	ck_assert_str_eq(given(), "A=two");
	ck_assert_ptr_null(strstr(world.last_text, "bbbb"));
	promote_ok(",\"untested\":true");
	core_ask_refused("not_found", &world, UID_OTHER_APP, "env.fetch", "{\"staged\":true}");
	free(denied);
	end();
}
END_TEST

START_TEST(a_staged_fetch_is_of_what_is_open_like_any_other)
{
	start();
	grant_tester(UID_OTHER_APP);
	core_stage(&world, "app", "A", "two");
	core_set_state(&world, "app", "suspended");
	core_ask_refused("suspended", &world, UID_OTHER_APP, "env.fetch", "{\"staged\":true}");
	core_set_state(&world, "app", "retired");
	core_ask_refused("retired", &world, UID_OTHER_APP, "env.fetch", "{\"staged\":true}");
	core_set_state(&world, "app", "active");
	core_ask_refused("denied", &world, UID_STRANGER, "env.fetch", "{\"staged\":true}");
	core_ask_refused(
		"denied", &world, UID_ADMIN, "env.fetch", "{\"staged\":true,\"integration\":\"app\"}");
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"rate_limit\":1}");
	core_ask_ok(&world, UID_OTHER_APP, "env.fetch", "{\"staged\":true}");
	core_ask_refused("rate_limited", &world, UID_APP, "env.fetch", "{}");
	end();
}
END_TEST

START_TEST(an_expired_staged_value_is_refused_by_its_name)
{
	start();
	stage_until("two", 1000);
	core_clock_ms += 1000;
	core_ask_refused("expired", &world, UID_APP, "env.fetch", "{\"staged\":true}");
	ck_assert_ptr_nonnull(strstr(core_message(&world), "A: the value has expired"));
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	end();
}
END_TEST

/* Each staged value had room beside the current ones; together they have none. */
START_TEST(staged_and_current_values_over_a_mebibyte_are_refused)
{
	char key[16] = "";

	start();
	core_add_integration(&world, "big");
	core_grant(&world, "big", UID_OTHER_APP);
	for (int i = 0; i < 14; i++) {
		snprintf(key, sizeof(key), "K%d", i);
		ck_assert_str_eq(put_large("big", key, false), "ok");
	}
	core_put(&world, "big", "SMALL", "v");
	ck_assert_str_eq(put_large("big", "S0", true), "ok");
	ck_assert_str_eq(put_large("big", "S1", true), "ok");
	core_ask_refused("too_large", &world, UID_OTHER_APP, "env.fetch", "{\"staged\":true}");
	ck_assert_uint_eq(core_counts(&world).runs, 0);
	core_ask_ok(&world, UID_OTHER_APP, "env.fetch", "{\"staged\":true,\"only\":[\"S0\",\"S1\",\"K0\"]}");
	core_ask_ok(&world, UID_OTHER_APP, "env.fetch", "{\"optional\":[\"S0\",\"S1\"]}");
	core_ask_ok(&world, UID_OPERATOR, "secret.revoke",
		"{\"integration\":\"big\",\"key\":\"SMALL\",\"version\":1,\"force\":true}");
	core_ask_ok(&world, UID_OTHER_APP, "env.fetch", "{\"staged\":true,\"optional\":[\"SMALL\"]}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "env")), 16);
	end();
}
END_TEST

START_TEST(staged_values_stand_in_for_current_ones)
{
	start();
	core_put(&world, "app", "B", "bbbb");
	core_stage(&world, "app", "A", "two");
	core_stage(&world, "app", "C", "cccc");
	core_ask_as_ok(&world, UID_APP, &tester, "env.fetch", "{\"staged\":true}");
	ck_assert_str_eq(given(), "A=two B=bbbb C=cccc");
	ck_assert_str_eq(core_record(&world, 0).subject.text, "A=2 B=1 C=1");
	ck_assert_str_eq(core_record(&world, 0).detail, "staged");
	core_ask_ok(&world, UID_APP, "env.fetch", "{\"staged\":true,\"only\":[\"B\"]}");
	ck_assert_str_eq(given(), "B=bbbb");
	core_ask_refused("not_found", &world, UID_APP, "env.fetch", "{}"); /* C */
	core_ask_ok(&world, UID_APP, "env.fetch", "{\"optional\":[\"C\"]}");
	ck_assert_str_eq(given(), "A=one B=bbbb");

	/* A tester's grant beside a full one takes nothing away. */
	grant_tester(UID_APP);
	core_ask_ok(&world, UID_APP, "env.fetch", "{\"staged\":true}");
	ck_assert_str_eq(given(), "A=two B=bbbb C=cccc");
	core_ask_ok(&world, UID_APP, "env.fetch", "{\"optional\":[\"C\"]}");
	end();
}
END_TEST

START_TEST(a_testers_grant_and_a_full_one_of_the_same_rule_stand_side_by_side)
{
	start();
	grant_tester(UID_APP);
	core_ask_refused("conflict", &world, UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"%d\"},\"staged_only\":true}", UID_APP);
	core_ask_refused("conflict", &world, UID_ADMIN, "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"%d\"},\"staged_only\":false}", UID_APP);
	ck_assert_str_eq(core_record(&world, 0).outcome, "conflict");
	core_ask_ok(&world, UID_AUDITOR, "grant.list", "{\"integration\":\"app\"}");
	ck_assert(cJSON_IsFalse(
		cJSON_GetObjectItem(cJSON_GetArrayItem(core_result(&world, "grants"), 0), "staged_only")));
	ck_assert(cJSON_IsTrue(
		cJSON_GetObjectItem(cJSON_GetArrayItem(core_result(&world, "grants"), 1), "staged_only")));
	end();
}
END_TEST

static void check_whoami(uint32_t uid, const char *full, const char *staged_only)
{
	char *text = NULL;

	core_ask_ok(&world, uid, "whoami", "{}");
	text = cJSON_PrintUnformatted(core_result(&world, "integrations"));
	ck_assert_str_eq(text, full);
	free(text);
	text = cJSON_PrintUnformatted(core_result(&world, "staged_only"));
	ck_assert_str_eq(text, staged_only);
	free(text);
}

START_TEST(whoami_tells_testers_apart)
{
	start();
	check_whoami(UID_STRANGER, "[]", "[]");
	check_whoami(UID_APP, "[\"app\"]", "[]");
	grant_tester(UID_OTHER_APP);
	check_whoami(UID_OTHER_APP, "[]", "[\"app\"]");
	grant_tester(UID_APP); /* the full one covers it */
	check_whoami(UID_APP, "[\"app\"]", "[]");
	core_add_integration(&world, "zoo");
	core_add_integration(&world, "aaa");
	core_ask_ok(&world, UID_ADMIN, "grant.add",
		"{\"integration\":\"aaa\",\"rule\":{\"group\":\"%d\"},\"staged_only\":true}", UID_APP);
	core_grant(&world, "zoo", UID_APP);
	check_whoami(UID_APP, "[\"app\",\"zoo\"]", "[\"aaa\"]");
	core_ask_ok(&world, UID_ADMIN, "grant.remove", "{\"integration\":\"app\",\"id\":1}");
	check_whoami(UID_APP, "[\"zoo\"]", "[\"aaa\",\"app\"]");
	ck_assert(core_is_known(world.core, &(struct principal){.uid = UID_OTHER_APP, .pidfd = -1}));
	end();
}
END_TEST

/* ---- what a user has touched ---- */

static const char *touched(const char *params)
{
	static char text[512];
	const cJSON *item = NULL;

	core_ask_ok(&world, UID_AUDITOR, "secret.list", "%s", params);
	text[0] = '\0';
	cJSON_ArrayForEach(item, core_result(&world, "secrets"))
	{
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%s/%s=%d:%s:%s*%d", len > 0 ? " " : "",
			cJSON_GetStringValue(cJSON_GetObjectItem(item, "integration")),
			cJSON_GetStringValue(cJSON_GetObjectItem(item, "key")),
			cJSON_GetObjectItem(item, "version")->valueint,
			cJSON_GetStringValue(cJSON_GetObjectItem(item, "state")),
			cJSON_IsTrue(cJSON_GetObjectItem(item, "put")) ? "put" : "not put",
			cJSON_GetObjectItem(item, "fetched")->valueint);
	}
	return text;
}

START_TEST(a_list_of_nothing_in_particular_is_refused)
{
	start();
	core_ask_refused("bad_request", &world, UID_AUDITOR, "secret.list", "{}");
	core_ask_refused(
		"not_found", &world, UID_AUDITOR, "secret.list", "{\"touched_by\":\"no such user\"}");
	core_ask_refused("not_found", &world, UID_AUDITOR, "secret.list", "{\"touched_by\":\"\"}");
	core_ask_refused("not_found", &world, UID_AUDITOR, "secret.list",
		"{\"touched_by\":\"70004\",\"integration\":\"nope\"}");
	core_ask_refused("denied", &world, UID_APP, "secret.list", "{\"touched_by\":\"70004\"}");
	end();
}
END_TEST

START_TEST(what_a_user_put_or_fetched_is_told_for_the_day_that_it_leaves)
{
	start();
	core_add_integration(&world, "other");
	core_put(&world, "other", "B", "b");
	core_stage(&world, "app", "A", "two");
	ck_assert_str_eq(touched("{\"touched_by\":\"70004\"}"), "");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}");
	core_ask_ok(&world, UID_APP, "env.fetch", "{\"staged\":true}");
	core_ask_ok(&world, UID_APP, "env.fetch", "{}"); /* the fetches of this second count */
	ck_assert_str_eq(
		touched("{\"touched_by\":\"70004\"}"), "app/A=1:current:not put*2 app/A=2:staged:not put*1");
	ck_assert_str_eq(core_result_text(&world, "user"), "70004");
	ck_assert_str_eq(touched("{\"touched_by\":\"70002\"}"),
		"app/A=1:current:put*0 app/A=2:staged:put*0 other/B=1:current:put*0");
	ck_assert_str_eq(
		touched("{\"touched_by\":\"70002\",\"integration\":\"other\"}"), "other/B=1:current:put*0");
	revoke_ok(",\"version\":1,\"force\":true");
	ck_assert_str_eq(touched("{\"touched_by\":\"70004\"}"), "app/A=2:staged:not put*1");
	core_tick(world.core, false);
	ck_assert_str_eq(touched("{\"touched_by\":\"70004\"}"), "app/A=2:staged:not put*1");
	end();
}
END_TEST

UNIT_MAIN("core_rotation", a_second_staged_version_is_a_conflict,
	a_staged_version_changes_nothing_for_a_fetch, only_an_operator_moves_versions,
	what_is_not_there_is_not_promoted, only_a_staged_version_is_promoted,
	a_promote_that_expects_another_version_is_a_conflict, an_untested_version_is_promoted_only_by_name,
	an_expired_version_is_not_made_current, a_retired_integration_only_ends,
	a_version_for_which_the_set_has_no_room_is_not_made_current, a_129th_key_is_not_made_current,
	a_promote_whose_commit_failed_has_moved_nothing, the_same_request_moves_a_version_once,
	there_is_one_current_version_at_most, the_first_version_of_a_key_may_be_a_staged_one,
	only_a_draining_version_is_brought_back, a_revoke_of_what_is_not_there_or_is_current_is_refused,
	revoking_a_revoked_version_is_ok_and_makes_its_checkpoint,
	a_revoke_tells_where_the_credential_ends_and_which_backups_hold_it,
	a_verdict_counts_from_the_process_alone_that_was_given_the_values,
	a_run_without_a_proven_process_gets_no_verdict, a_verdict_that_contradicts_itself_is_refused,
	a_second_verdict_of_a_run_is_a_conflict, a_verdict_on_what_is_staged_no_more_is_a_conflict,
	a_verdict_needs_the_grant_to_stand, a_verdict_whose_commit_failed_may_be_given_again,
	the_newest_verdict_decides, a_verdict_is_of_one_version_alone,
	where_a_command_is_named_only_its_verdicts_count,
	a_verdict_that_is_older_than_its_value_does_not_count,
	a_verdict_is_stored_with_every_staged_version_of_its_run,
	show_tells_the_newest_verdicts_and_whether_they_would_do, a_tester_never_gets_a_current_value,
	a_staged_fetch_is_of_what_is_open_like_any_other, an_expired_staged_value_is_refused_by_its_name,
	staged_and_current_values_over_a_mebibyte_are_refused, staged_values_stand_in_for_current_ones,
	a_testers_grant_and_a_full_one_of_the_same_rule_stand_side_by_side, whoami_tells_testers_apart,
	a_list_of_nothing_in_particular_is_refused,
	what_a_user_put_or_fetched_is_told_for_the_day_that_it_leaves)
