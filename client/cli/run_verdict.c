/*
 * A verdict counts only from the process that was given the staged values, so this one fetches, starts the test with
 * them, wipes its own copy, waits and reports.  The test leads a process group of its own: when its time is over, all
 * that it has started is ended with it.
 */
#include "run_verdict.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "gate.h"
#include "json.h"
#include "run.h"
#include "run_start.h"
#include "run_token.h"
#include "run_vault.h"
#include "say.h"
#include "supervise.h"

enum { KILL_AFTER_MS = 5000, REPLY_DEPTH_MAX = 8, REPLY_TOKENS_MAX = 4096 };

struct test {
	const struct run_options *options;
	struct supervisor supervisor;
	char run[RUN_ID_BYTES + 1];
	int64_t started_ms;
	bool is_late;
	int status;
	int64_t duration_ms;
};

/* "KEY version 4, OTHER version 2" from the list in the reply, or "". */
static void list_tested(const char *json, size_t len, struct buf *out)
{
	static const struct gate_limits limits = {REPLY_DEPTH_MAX, REPLY_TOKENS_MAX, REPLY_TOKENS_MAX};
	static struct json_token tokens[REPLY_TOKENS_MAX];
	struct json_doc doc = {.text = json, .tokens = tokens};

	if (gate_scan(json, len, &limits, tokens, &doc.count) != OK)
		return;

	const struct json_token *list = json_member(&doc, tokens, "tested");

	if (list == NULL || list->type != JSON_ARRAY)
		return;
	for (const struct json_token *t = json_first(&doc, list); t != NULL; t = json_next(&doc, list, t)) {
		bool is_entry = t->type == JSON_OBJECT;
		const struct json_token *key = is_entry ? json_member(&doc, t, "key") : NULL;
		const struct json_token *version = is_entry ? json_member(&doc, t, "version") : NULL;

		if (key == NULL || key->type != JSON_STRING || version == NULL ||
			version->type != JSON_INTEGER)
			continue;
		buf_append_string(out, out->len > 0 ? ", " : ": ");
		buf_append(out, json_raw(&doc, key), key->len);
		buf_append_string(out, " version ");
		buf_append(out, json_raw(&doc, version), version->len);
	}
}

static void say_verdict(const struct test *test, const char *json, size_t len)
{
	BUF_AUTO tested = {0};
	char how[64] = "test passed";

	if (test->is_late)
		snprintf(how, sizeof(how), "test failed, not over after %d s",
			test->options->time_limit_seconds);
	else if (test->status != 0)
		snprintf(how, sizeof(how), "test failed with status %d", test->status);
	list_tested(json, len, &tested);
	buf_append_byte(&tested, '\0');
	say(how, buf_failed(&tested) ? "" : tested.bytes, NULL);
}

static int record(const struct test *test)
{
	VAULT_AUTO vault = NULL;
	char params[512] = "";
	const char *result = NULL;
	size_t len = 0;
	int error = run_vault_open(test->options, 0, &vault);

	snprintf(params, sizeof(params),
		"{\"run\":\"%s\",\"passed\":%s,\"exit_status\":%d,\"command_digest\":\"%s\","
		"\"duration_ms\":%" PRId64 "}",
		test->run, test->status == 0 ? "true" : "false", test->status, test->options->verdict,
		test->duration_ms);
	if (error == COFFER_OK)
		error = run_token_show(test->options->token, vault);
	if (error == COFFER_OK)
		error = coffer_call(vault, "secret.record_test", params, strlen(params), &result, &len);
	if (error != COFFER_OK) {
		say("the verdict was not recorded", NULL);
		return run_explain(vault, test->options, error);
	}
	say_verdict(test, result, len);
	return test->status;
}

/* At the limit, and again when patience with it is over. */
static int64_t end_test(struct test *test)
{
	if (test->is_late) {
		supervise_kill_group(&test->supervisor, SIGKILL);
		return NEVER_MS;
	}
	test->is_late = true;
	supervise_kill_group(&test->supervisor, SIGTERM);
	supervise_kill_group(&test->supervisor, SIGCONT);
	return run_now_ms() + KILL_AFTER_MS;
}

static void wait_for_test(struct test *test)
{
	int64_t deadline_ms = test->started_ms + (int64_t)test->options->time_limit_seconds * 1000;
	pid_t group = test->supervisor.child;

	while (test->supervisor.child > 0) {
		struct pollfd fds[1] = {{.fd = -1}};

		supervise_wait(&test->supervisor, fds, 1, deadline_ms);
		if (test->supervisor.child > 0 && run_now_ms() >= deadline_ms)
			deadline_ms = end_test(test);
	}
	/* Whoever of the group was asked to end and is still there holds staged values. */
	if (test->is_late)
		kill(-group, SIGKILL);
	test->duration_ms = run_now_ms() - test->started_ms;
	test->status = test->is_late ? RUN_EXIT_TIME_LIMIT : test->supervisor.status;
}

/* 0 when the test runs; then no value is left in this process (P1). */
static int start_test(struct test *test)
{
	RUN_START_AUTO start = {0};
	int status = run_start_prepare(test->options, false, &start);

	if (status != 0)
		return status;
	run_start_id(&start, test->run);
	if (!supervise_init(&test->supervisor))
		return RUN_EXIT_REFUSED;

	struct supervise_program program = {
		.path = start.program,
		.arguments = test->options->command,
		.environment = start.env.strings,
		.stdio = {-1, -1, -1},
		.terminal = -1,
	};
	int error = supervise_spawn(&test->supervisor, &program);

	test->started_ms = run_now_ms();
	return error == 0 ? 0 : run_start_refused(test->options, error);
}

int run_verdict(const struct run_options *options)
{
	struct test test = {.options = options, .supervisor = {.has_group = true}};
	int status = start_test(&test);

	if (status == 0) {
		wait_for_test(&test);
		status = record(&test);
	}
	supervise_deinit(&test.supervisor);
	return status;
}
