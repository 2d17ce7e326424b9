/*
 * Verdicts of tests: who may give one, what secret.show tells of them, and whether they let a version be promoted.  A
 * verdict counts only from the process that was given the staged values itself.  The newest one that counts decides, so
 * that a test which fails later takes an earlier pass back.
 */
#include "secret_rows.h"

#include <string.h>

#include "base64.h"
#include "command.h"
#include "holders.h"
#include "users.h"

enum { TESTS_SHOWN = 16 };

struct judging {
	int64_t not_before_ms; /* a verdict older than its value is of another clock */
	bool has_command;
	unsigned char digest[COMMAND_DIGEST_BYTES];
	bool is_decided;
	bool has_passed;
};

static enum err on_verdict(void *arg, const struct store_test *test)
{
	struct judging *judging = arg;

	if (judging->is_decided || test->time_ms < judging->not_before_ms)
		return OK;
	if (judging->has_command && memcmp(test->digest, judging->digest, sizeof(judging->digest)) != 0)
		return OK;
	judging->is_decided = true;
	judging->has_passed = test->exit_status == 0;
	return OK;
}

enum err secret_tests_passed(struct call *call, const struct integration *integration, const char *key,
	const struct version_facts *version, bool *passed_out)
{
	struct judging judging = {
		.not_before_ms = version->created_ms, .has_command = integration->test[0] != '\0'};

	if (judging.has_command) {
		const char *const arguments[] = {"/bin/sh", "-c", integration->test};

		command_digest(arguments, sizeof(arguments) / sizeof(arguments[0]), judging.digest);
	}

	enum err err = store_test_of(
		call->core->store, integration->id, key, version->version, INT64_MAX, on_verdict, &judging);

	*passed_out = judging.has_passed;
	return err;
}

enum err secret_tests_check(
	struct call *call, const struct integration *integration, const struct version_facts *version)
{
	bool has_passed = false;
	enum err err = secret_tests_passed(call, integration, call->record.key, version, &has_passed);

	if (err == OK && !has_passed)
		return call_refuse(call, ERR_UNTESTED, "no passing test",
			integration->test[0] != '\0' ? "its newest verdict of the integration's own test "
						       "command is no pass, or there is "
						       "none; run coffer secret test, or promote --untested"
						     : "its newest verdict is no pass, or there is none; run "
						       "coffer secret test, or "
						       "promote --untested");
	return err;
}

static enum err on_shown(void *arg, const struct store_test *test)
{
	struct json_writer *w = arg;
	char user[USER_NAME_BYTES] = "";

	users_name(test->uid, user);
	json_begin_object(w);
	json_put_time(w, "at", test->time_ms);
	json_put_string(w, "by", user);
	json_put_string(w, "run", test->run);
	json_put_bool(w, "passed", test->exit_status == 0);
	json_put_integer(w, "exit_status", test->exit_status);
	json_put_integer(w, "duration_ms", test->duration_ms);
	json_put_hex(w, "command_digest", test->digest, sizeof(test->digest));
	json_end_object(w);
	return OK;
}

enum err secret_tests_write(struct call *call, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t version)
{
	json_key(&call->w, "tests");
	json_begin_array(&call->w);

	enum err err = store_test_of(
		call->core->store, integration_id, key, version, TESTS_SHOWN, on_shown, &call->w);

	json_end_array(&call->w);
	return err;
}

/* ---- secret.record_test ---- */

struct verdict {
	struct call *call;
	struct store_test test;
	size_t count; /* of versions that it was stored with */
};

static enum err check_verdict(struct call *call, struct store_test *test)
{
	char digest[2 * COMMAND_DIGEST_BYTES + 1] = "";
	int64_t exit_status = request_count(call->request, FIELD_EXIT_STATUS, 0);

	if (exit_status > UINT8_MAX)
		return call_refuse(
			call, ERR_BAD_VALUE, "exit_status out of range", "exit_status is 0 to 255");
	if (request_flag(call->request, FIELD_PASSED) != (exit_status == 0))
		return call_refuse(call, ERR_BAD_VALUE, "passed and exit_status disagree",
			"a test has passed when its exit status is 0, and only then");
	request_text(call->request, FIELD_COMMAND_DIGEST, digest, sizeof(digest));
	test->exit_status = (uint32_t)exit_status;
	test->duration_ms = request_count(call->request, FIELD_DURATION_MS, 0);
	test->time_ms = call->now_ms;
	test->uid = call->who->uid;
	return hex_decode(digest, strlen(digest), test->digest, sizeof(test->digest));
}

struct staged_grant {
	struct call *call;
	bool is_granted;
};

static enum err on_grant(void *arg, const struct store_grant *grant)
{
	struct staged_grant *staged = arg;
	const char *reason = NULL;

	staged->is_granted = staged->is_granted || grants_match(staged->call->core, grant, GRANT_STAGED,
							   staged->call->who, &reason);
	return OK;
}

/* Only of the very process that was given the values, while it is still granted them (P2, P9). */
static enum err check_own(struct verdict *verdict, const struct store_run *run)
{
	struct call *call = verdict->call;
	struct staged_grant staged = {.call = call};

	if (!run->is_staged || !holders_is_own_run(call, run))
		return call_refuse(call, ERR_DENIED, "not a staged run of the process that asks", NULL);

	enum err err = store_grant_of(call->core->store, run->integration_id, on_grant, &staged);

	if (err == OK && !staged.is_granted)
		return call_refuse(call, ERR_DENIED, "no grant matches this caller any more", NULL);
	if (err == OK)
		err = store_integration_name(
			call->core->store, run->integration_id, call->record.integration);
	return err;
}

static enum err store_verdict(
	struct verdict *verdict, const struct store_run *run, const struct store_run_version *version)
{
	struct call *call = verdict->call;
	struct store_test *test = &verdict->test;
	bool is_staged = false;
	enum err err = secrets_is_in_state(
		call, run->integration_id, version->key, version->version, VERSION_STAGED, &is_staged);

	if (err != OK || !is_staged)
		return err;
	memcpy(test->integration_id, run->integration_id, sizeof(test->integration_id));
	test->key = version->key;
	test->version = version->version;
	test->run = run->id;
	err = store_test_insert(call->core->store, test);
	if (err == ERR_CONFLICT)
		return call_refuse(call, err, "the run has a verdict already",
			"this run has given its verdict already; test anew");
	if (err != OK)
		return err;
	verdict->count++;
	json_begin_object(&call->w);
	json_put_string(&call->w, "key", version->key);
	json_put_integer(&call->w, "version", (int64_t)version->version);
	json_end_object(&call->w);
	call_subject(call, "%s=%llu", version->key, (unsigned long long)version->version);
	return OK;
}

static enum err on_run(void *arg, const struct store_run *run)
{
	struct verdict *verdict = arg;
	struct call *call = verdict->call;
	enum err err = check_own(verdict, run);

	memcpy(call->record.run, run->id, sizeof(call->record.run));
	if (err == OK)
		err = results_find(call);
	if (err != OK || call->is_repeated)
		return err;
	json_begin_object(&call->w);
	json_put_string(&call->w, "run", run->id);
	json_key(&call->w, "tested");
	json_begin_array(&call->w);
	for (size_t i = 0; err == OK && i < run->version_count; i++)
		err = store_verdict(verdict, run, &run->versions[i]);
	json_end_array(&call->w);
	json_end_object(&call->w);
	if (err == OK && verdict->count == 0)
		return call_refuse(call, ERR_CONFLICT, "none of the run's versions is staged",
			"none of the versions that this run was given is staged any more");
	return err;
}

static void describe_verdict(struct call *call, const struct store_test *test)
{
	char digest[2 * COMMAND_DIGEST_BYTES + 1] = "";

	hex_encode(test->digest, sizeof(test->digest), digest);
	call_subject(call, "%s exit=%u ms=%lld command=%s", test->exit_status == 0 ? "passed" : "failed",
		test->exit_status, (long long)test->duration_ms, digest);
}

enum err handle_secret_record_test(struct call *call)
{
	struct verdict verdict = {.call = call};
	char id[RUN_ID_BYTES + 1] = "";
	enum err err = check_verdict(call, &verdict.test);

	request_text(call->request, FIELD_RUN, id, sizeof(id));
	if (err == OK)
		err = store_run_get(call->core->store, id, on_run, &verdict);
	if (err == ERR_NOT_FOUND)
		err = call_refuse(call, ERR_DENIED, "no such run", NULL); /* P2 */
	if (err == OK && !call->is_repeated)
		describe_verdict(call, &verdict.test);
	return err;
}
