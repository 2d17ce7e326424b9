/*
 * Changes that are done together: what may be in a queue and how much, what is refused as it comes and what at the run, that
 * a run which is refused leaves nothing (P5), and that each step of one that is done has its own record (P4).
 */
#include <stdio.h>
#include <string.h>

#include "core_world.h"
#include "queue.h"

static struct core_world world;

/* A connection: it has a place for one queue. */
struct line {
	struct subscriber subscriber;
	struct asking asking;
	bool is_asking;
};

static struct line lines[QUEUES_MAX + 1];

static void hang_up(struct line *line)
{
	subscriber_leave(&line->subscriber);
	if (line->is_asking)
		asking_end(&line->asking);
	*line = (struct line){0};
}

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
	core_add_integration(&world, "other");
}

static void end(void)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		hang_up(&lines[i]);
	ck_assert_uint_eq(world.core->queues, 0);
	core_world_end(&world);
}

static const char *tell(struct line *line, uint32_t uid, const char *method, const char *params)
{
	if (line->is_asking)
		asking_end(&line->asking);
	asking_start(&line->asking, &world, uid);
	line->is_asking = true;
	line->asking.exchange.subscriber = &line->subscriber;
	asking_send(&line->asking, method, "%s", params);
	turn_end(core_turn(world.core));
	ck_assert(core_is_wiped(&world));
	return asking_word(&line->asking);
}

static const char *begin(struct line *line)
{
	return tell(line, UID_ADMIN, "apply.begin", "{}");
}

/* A step with these params, their quotes as in C; more: other members. */
static const char *step(struct line *line, const char *method, const char *params, const char *more)
{
	char text[4096] = "", escaped[2048] = "";
	size_t len = 0;

	for (const char *c = params; *c != '\0'; c++) {
		ck_assert_uint_lt(len + 2, sizeof(escaped));
		if (*c == '"' || *c == '\\')
			escaped[len++] = '\\';
		escaped[len++] = *c;
	}
	snprintf(text, sizeof(text), "{\"method\":\"%s\",\"params\":\"%s\"%s}", method, escaped, more);
	return tell(line, UID_ADMIN, "apply.step", text);
}

static const char *run(struct line *line, const char *params)
{
	return tell(line, UID_ADMIN, "apply.run", params);
}

#define step_ok(method, params) ck_assert_str_eq(step(&lines[0], method, params, ""), "ok")
#define step_refused(word, method, params) ck_assert_str_eq(step(&lines[0], method, params, ""), word)

static const char *message(const struct line *line)
{
	return cJSON_GetObjectItem(cJSON_GetObjectItem(line->asking.json, "error"), "message")->valuestring;
}

static const cJSON *failed_step(const struct line *line)
{
	const cJSON *error = cJSON_GetObjectItem(line->asking.json, "error");

	return cJSON_GetObjectItem(cJSON_GetObjectItem(error, "data"), "step");
}

static void check_failed(const struct line *line, int number, const char *method, const char *integration)
{
	const cJSON *failed = failed_step(line);

	ck_assert_ptr_nonnull(failed);
	ck_assert_int_eq(cJSON_GetObjectItem(failed, "number")->valueint, number);
	ck_assert_str_eq(cJSON_GetObjectItem(failed, "method")->valuestring, method);
	ck_assert_str_eq(cJSON_GetObjectItem(failed, "integration")->valuestring, integration);
}

static const cJSON *shown(const char *integration)
{
	core_ask_ok(&world, UID_ADMIN, "integration.show", "{\"name\":\"%s\"}", integration);
	return core_result(&world, "integration");
}

static const char *owner_of(const char *integration)
{
	return cJSON_GetObjectItem(shown(integration), "owner")->valuestring;
}

static const char *changed_at(const char *integration)
{
	static char text[64];

	snprintf(
		text, sizeof(text), "%s", cJSON_GetObjectItem(shown(integration), "changed_at")->valuestring);
	return text;
}

#define ADD(name) \
	"{\"name\":\"" name "\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\"}"

/* ---- who, and on which connection ---- */

START_TEST(nobody_but_an_admin_has_a_queue)
{
	static const uint32_t uids[] = {UID_OPERATOR, UID_AUDITOR, UID_APP, UID_STRANGER};

	start();
	for (size_t i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
		ck_assert_str_eq(tell(&lines[0], uids[i], "apply.begin", "{}"), "denied");
		ck_assert_str_eq(tell(&lines[0], uids[i], "apply.step",
					 "{\"method\":\"grant.add\",\"params\":\"{}\"}"),
			"denied");
		ck_assert_str_eq(tell(&lines[0], uids[i], "apply.run", "{}"), "denied");
	}
	ck_assert_ptr_null(lines[0].subscriber.queue);
	end();
}
END_TEST

/* The right is asked anew at each request, and the run asks that of each step again. */
START_TEST(a_queue_is_of_no_use_to_another_user_of_the_connection)
{
	start();
	ck_assert_str_eq(begin(&lines[0]), "ok");
	step_ok("integration.edit", "{\"name\":\"app\",\"owner\":\"new\"}");
	ck_assert_str_eq(tell(&lines[0], UID_OPERATOR, "apply.run", "{}"), "denied");
	ck_assert_str_eq(owner_of("app"), "o");
	end();
}
END_TEST

START_TEST(steps_and_runs_need_a_queue_that_was_begun)
{
	start();
	step_refused("conflict", "integration.edit", "{\"name\":\"app\",\"owner\":\"new\"}");
	ck_assert_str_eq(run(&lines[0], "{}"), "conflict");
	ck_assert_str_eq(begin(&lines[0]), "ok");
	ck_assert_str_eq(run(&lines[0], "{}"), "conflict"); /* no step was sent */
	ck_assert_ptr_null(lines[0].subscriber.queue);
	core_ask_refused("conflict", &world, UID_ADMIN, "apply.begin", "{}"); /* nowhere to keep it */
	end();
}
END_TEST

START_TEST(beginning_again_forgets_what_was_there)
{
	start();
	ck_assert_str_eq(begin(&lines[0]), "ok");
	step_ok("integration.edit", "{\"name\":\"app\",\"owner\":\"first\"}");
	ck_assert_str_eq(begin(&lines[0]), "ok");
	step_ok("integration.edit", "{\"name\":\"other\",\"owner\":\"second\"}");
	ck_assert_str_eq(run(&lines[0], "{}"), "ok");
	ck_assert_str_eq(owner_of("app"), "o");
	ck_assert_str_eq(owner_of("other"), "second");
	end();
}
END_TEST

/* ---- what may be a step ---- */

START_TEST(only_four_methods_can_be_a_step)
{
	start();
	ck_assert_str_eq(begin(&lines[0]), "ok");
	for (enum request_kind kind = 0; kind < REQUEST_COUNT; kind++) {
		const char *method = request_info(kind)->method;
		bool is_one = kind == REQUEST_INTEGRATION_ADD || kind == REQUEST_INTEGRATION_EDIT ||
			      kind == REQUEST_GRANT_ADD || kind == REQUEST_GRANT_REMOVE;

		/* none of the four takes empty params */
		ck_assert_str_eq(step(&lines[0], method, "{}", ""), is_one ? "bad_request" : "unsupported");
	}
	step_refused("unsupported", "no.such_method", "{}");
	ck_assert_uint_eq(lines[0].subscriber.queue->count, 0);
	end();
}
END_TEST

START_TEST(a_step_is_checked_as_it_comes)
{
	static const char *const bad[][2] = {
		{"", "bad_request"},
		{"x", "bad_request"},
		{"[]", "bad_request"},
		{"{}} ", "bad_request"},
		{"{\"name\":\"app\",\"owner\":\"a\",\"owner\":\"b\"}", "bad_request"},
		{"{\"name\":\"app\"},\"method\":\"secret.revoke\",\"params\":{}", "bad_request"},
		{"{\"name\":\"app\",\"owner\":\"x\"},\"more\":1", "bad_request"},
		{"{\"name\":\"app\",\"value\":\"x\"}", "bad_request"},
		{"{\"name\":\"A B\",\"owner\":\"x\"}", "bad_name"},
		{"{\"name\":\"app\",\"owner\":\"\"}", "bad_value"},
		{"{\"name\":\"app\",\"owner\":7}", "bad_request"},
		{"{\"name\":\"app\",\"owner\":\"x\",\"request_id\":\"00112233445566778899aabbccddeeff\"}",
			"unsupported"},
		{"{\"name\":\"app\",\"a\":{\"b\":{\"c\":{\"d\":{}}}}}", "bad_request"},
	};

	start();
	ck_assert_str_eq(begin(&lines[0]), "ok");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		step_refused(bad[i][1], "integration.edit", bad[i][0]);
	ck_assert_str_eq(
		tell(&lines[0], UID_ADMIN, "apply.step", "{\"method\":\"grant.add\",\"params\":\"{}\\n{}\"}"),
		"bad_request");
	ck_assert_str_eq(tell(&lines[0], UID_ADMIN, "apply.step", "{\"method\":\"grant.add\",\"params\":{}}"),
		"bad_request");
	ck_assert_str_eq(step(&lines[0], "integration.edit", "{\"name\":\"app\",\"owner\":\"x\"}",
				 ",\"expect_changed_at\":\"yesterday\""),
		"bad_value");
	ck_assert_uint_eq(lines[0].subscriber.queue->count, 0);
	end();
}
END_TEST

/* ---- limits ---- */

START_TEST(there_are_few_queues_and_each_goes_with_its_connection)
{
	start();
	for (size_t i = 0; i < QUEUES_MAX; i++)
		ck_assert_str_eq(begin(&lines[i]), "ok");
	ck_assert_str_eq(begin(&lines[QUEUES_MAX]), "busy");
	ck_assert_int_gt(cJSON_GetObjectItem(
				 cJSON_GetObjectItem(
					 cJSON_GetObjectItem(lines[QUEUES_MAX].asking.json, "error"), "data"),
				 "retry_after_ms")
				 ->valueint,
		0);
	ck_assert_str_eq(begin(&lines[0]), "ok"); /* instead of its own */
	hang_up(&lines[1]);
	ck_assert_str_eq(begin(&lines[QUEUES_MAX]), "ok");
	end();
}
END_TEST

START_TEST(a_queue_has_so_many_steps_and_no_more)
{
	char more[64] = "";

	start();
	world.skips_arena = true;
	ck_assert_str_eq(begin(&lines[0]), "ok");
	for (int i = 0; i < QUEUE_STEPS_MAX; i++)
		step_ok("integration.edit", "{\"name\":\"app\",\"owner\":\"x\"}");
	step_refused("too_large", "integration.edit", "{\"name\":\"app\",\"owner\":\"y\"}");
	snprintf(more, sizeof(more), "%d steps", QUEUE_STEPS_MAX);
	ck_assert_ptr_nonnull(strstr(message(&lines[0]), more));
	ck_assert_str_eq(run(&lines[0], "{}"), "ok");
	ck_assert_str_eq(owner_of("app"), "x");
	end();
}
END_TEST

START_TEST(a_queue_has_so_many_bytes_and_no_more)
{
	struct queue *queue = NULL;
	struct step one = {.kind = REQUEST_GRANT_ADD};
	unsigned held = 0;
	static char text[QUEUE_BYTES_MAX];

	ck_ok(queue_new(&held, &queue));
	memset(text, 'x', sizeof(text));
	ck_ok(queue_add(queue, &one, text, QUEUE_BYTES_MAX - 10));
	ck_err(queue_add(queue, &one, text, 11), ERR_TOO_LARGE);
	ck_ok(queue_add(queue, &one, text, 10));
	ck_err(queue_add(queue, &one, text, 1), ERR_TOO_LARGE);
	ck_assert_uint_eq(queue->count, 2);
	queue_free(queue);
	queue_free(NULL);
	ck_assert_uint_eq(held, 0);
}
END_TEST

/* ---- the run ---- */

/* P5: what was done before the step that is refused is gone with it. */
START_TEST(a_run_with_a_step_that_is_refused_does_nothing)
{
	static const struct {
		const char *word, *method, *params, *integration, *part;
	} rows[] = {
		{"conflict", "integration.add", ADD("other"), "other", "exists"},
		{"not_found", "integration.edit", "{\"name\":\"none\",\"owner\":\"x\"}", "none", "no such"},
		{"not_found", "grant.remove", "{\"integration\":\"app\",\"id\":77}", "app", "no grant"},
		{"bad_value", "grant.add",
			"{\"integration\":\"app\",\"rule\":{\"user\":\"no-such-user-here\"}}", "app",
			"no such user"},
		{"bad_request", "integration.edit", "{\"name\":\"app\"}", "app", "no field to change"},
	};

	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t integrations = core_counts(&world).integrations;

		ck_assert_str_eq(begin(&lines[0]), "ok");
		step_ok("integration.edit", "{\"name\":\"other\",\"owner\":\"new\"}");
		step_ok("integration.add", ADD("fresh"));
		step_ok(rows[i].method, rows[i].params);
		step_ok("integration.edit", "{\"name\":\"app\",\"owner\":\"new\"}");
		ck_assert_str_eq(run(&lines[0], "{}"), rows[i].word);
		check_failed(&lines[0], 3, rows[i].method, rows[i].integration);
		ck_assert_msg(strstr(message(&lines[0]), rows[i].part) != NULL, "%s", message(&lines[0]));
		ck_assert_uint_eq(core_counts(&world).integrations, integrations);
		ck_assert_str_eq(owner_of("other"), "o");

		struct record record = core_record(&world, 0);

		ck_assert_str_eq(record.kind, "apply.run");
		ck_assert_str_eq(record.outcome, rows[i].word);
		ck_assert_str_eq(record.integration, rows[i].integration);
		core_clock_ms += 100000; /* each refusal is the first of its window */
		core_tick(world.core, false);
	}
	ck_assert_str_eq(run(&lines[0], "{}"), "conflict"); /* the queue has ended with its run */
	core_check_chain(&world);
	end();
}
END_TEST

START_TEST(what_was_changed_meanwhile_is_not_overwritten)
{
	char expect[96] = "";

	start();
	core_clock_ms += 5000;
	snprintf(expect, sizeof(expect), ",\"expect_changed_at\":\"%s\"", changed_at("app"));
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"title\":\"other\"}");
	ck_assert_str_eq(begin(&lines[0]), "ok");
	step_ok("integration.edit", "{\"name\":\"other\",\"owner\":\"new\"}");
	ck_assert_str_eq(
		step(&lines[0], "integration.edit", "{\"name\":\"app\",\"owner\":\"new\"}", expect), "ok");
	ck_assert_str_eq(run(&lines[0], "{}"), "conflict");
	check_failed(&lines[0], 2, "integration.edit", "app");
	ck_assert_str_eq(owner_of("other"), "o");

	/* Of one that is gone nothing is expected. */
	ck_assert_str_eq(begin(&lines[0]), "ok");
	ck_assert_str_eq(
		step(&lines[0], "integration.edit", "{\"name\":\"none\",\"owner\":\"new\"}", expect), "ok");
	ck_assert_str_eq(run(&lines[0], "{}"), "conflict");
	check_failed(&lines[0], 1, "integration.edit", "none");

	/* As it stands now, and for several steps of one run. */
	snprintf(expect, sizeof(expect), ",\"expect_changed_at\":\"%s\"", changed_at("app"));
	ck_assert_str_eq(begin(&lines[0]), "ok");
	for (int i = 0; i < 2; i++)
		ck_assert_str_eq(step(&lines[0], "integration.edit",
					 i == 0 ? "{\"name\":\"app\",\"owner\":\"new\"}"
						: "{\"name\":\"app\",\"title\":\"new\"}",
					 expect),
			"ok");
	core_clock_ms += 5000;
	ck_assert_str_eq(run(&lines[0], "{}"), "ok");
	ck_assert_str_eq(owner_of("app"), "new");
	end();
}
END_TEST

START_TEST(a_dry_run_says_what_it_would_do_and_leaves_no_trace)
{
	start();

	uint64_t records = core_records(&world);

	ck_assert_str_eq(begin(&lines[0]), "ok");
	step_ok("integration.add", ADD("fresh"));
	step_ok("grant.add", "{\"integration\":\"fresh\",\"rule\":{\"user\":\"70004\"}}");
	step_ok("integration.edit", "{\"name\":\"app\",\"owner\":\"new\"}");
	ck_assert_str_eq(run(&lines[0], "{\"dry_run\":true}"), "ok");

	const cJSON *result = cJSON_GetObjectItem(lines[0].asking.json, "result");

	ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(result, "dry_run")));
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(result, "steps")), 3);
	ck_assert_uint_eq(core_records(&world), records);
	ck_assert_str_eq(owner_of("app"), "o");
	ck_assert_uint_eq(core_counts(&world).integrations, 2);
	ck_assert_uint_eq(core_counts(&world).grants, 0);

	/* It is refused like the real one. */
	ck_assert_str_eq(begin(&lines[0]), "ok");
	step_ok("integration.add", ADD("app"));
	ck_assert_str_eq(run(&lines[0], "{\"dry_run\":true}"), "conflict");
	check_failed(&lines[0], 1, "integration.add", "app");
	end();
}
END_TEST

/* P5: the turn's transaction is lost, and so is all that was done in it. */
START_TEST(a_commit_that_fails_takes_all_steps_with_it)
{
	start();
	ck_assert_str_eq(begin(&lines[0]), "ok");
	step_ok("integration.add", ADD("fresh"));
	step_ok("integration.edit", "{\"name\":\"app\",\"owner\":\"new\"}");
	core_faults.commit = ERR_STORAGE_FULL;
	ck_assert_str_eq(run(&lines[0], "{}"), "storage_full");
	ck_assert_str_eq(owner_of("app"), "o");
	ck_assert_uint_eq(core_counts(&world).integrations, 2);
	core_check_chain(&world);
	end();
}
END_TEST

/* Whoever lost the answer asks again, on another connection, and the steps are not done twice. */
START_TEST(a_run_that_was_done_is_told_again_by_its_request_id)
{
	static const char again[] = "{\"request_id\":\"00112233445566778899aabbccddeeff\"}";

	start();
	ck_assert_str_eq(run(&lines[1], again), "conflict"); /* it was not done yet */
	ck_assert_str_eq(begin(&lines[0]), "ok");
	step_ok("integration.edit", "{\"name\":\"app\",\"owner\":\"new\"}");
	ck_assert_str_eq(run(&lines[0], again), "ok");
	core_ask_ok(&world, UID_ADMIN, "integration.edit", "{\"name\":\"app\",\"owner\":\"newer\"}");
	ck_assert_str_eq(run(&lines[1], again), "ok");
	ck_assert_str_eq(owner_of("app"), "newer");
	ck_assert_str_eq(tell(&lines[2], UID_OPERATOR, "apply.run", again), "denied");

	/* A rehearsal is not remembered. */
	ck_assert_str_eq(begin(&lines[0]), "ok");
	step_ok("integration.edit", "{\"name\":\"app\",\"owner\":\"never\"}");
	ck_assert_str_eq(
		run(&lines[0], "{\"dry_run\":true,\"request_id\":\"11112233445566778899aabbccddeeff\"}"),
		"ok");
	ck_assert_str_eq(
		run(&lines[1], "{\"dry_run\":true,\"request_id\":\"11112233445566778899aabbccddeeff\"}"),
		"conflict");
	ck_assert_str_eq(owner_of("app"), "newer");
	end();
}
END_TEST

/* P4: nothing is done without a record of its own. */
START_TEST(each_step_has_its_record_and_then_the_run)
{
	static const char *const kinds[] = {"integration.add", "grant.add", "integration.edit", "apply.run"};

	start();
	core_clock_ms += 5000;

	uint64_t before = core_records(&world);

	ck_assert_str_eq(begin(&lines[0]), "ok");
	step_ok("integration.add", ADD("fresh"));
	step_ok("grant.add", "{\"integration\":\"fresh\",\"rule\":{\"user\":\"70004\"}}");
	step_ok("integration.edit", "{\"name\":\"app\",\"owner\":\"new\"}");
	ck_assert_uint_eq(core_records(&world), before); /* nothing is done yet */
	ck_assert_str_eq(run(&lines[0], "{}"), "ok");
	ck_assert_uint_eq(core_records(&world), before + 4);
	for (uint64_t i = 0; i < 4; i++) {
		struct record record = core_record(&world, before + 1 + i);

		ck_assert_str_eq(record.kind, kinds[i]);
		ck_assert_str_eq(record.outcome, "ok");
		ck_assert_uint_eq(record.uid, UID_ADMIN);
		ck_assert_str_eq(record.integration, i < 2 ? "fresh" : i == 2 ? "app" : "");
	}
	ck_assert_str_eq(core_record(&world, 0).subject.text, "steps=3");
	ck_assert_str_eq(owner_of("app"), "new");
	ck_assert_uint_eq(core_counts(&world).grants, 1);
	core_check_chain(&world);
	end();
}
END_TEST

UNIT_MAIN("core_apply", nobody_but_an_admin_has_a_queue,
	a_queue_is_of_no_use_to_another_user_of_the_connection, steps_and_runs_need_a_queue_that_was_begun,
	beginning_again_forgets_what_was_there, only_four_methods_can_be_a_step,
	a_step_is_checked_as_it_comes, there_are_few_queues_and_each_goes_with_its_connection,
	a_queue_has_so_many_steps_and_no_more, a_queue_has_so_many_bytes_and_no_more,
	a_run_with_a_step_that_is_refused_does_nothing, what_was_changed_meanwhile_is_not_overwritten,
	a_dry_run_says_what_it_would_do_and_leaves_no_trace, a_commit_that_fails_takes_all_steps_with_it,
	a_run_that_was_done_is_told_again_by_its_request_id, each_step_has_its_record_and_then_the_run)
