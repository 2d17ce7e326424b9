/*
 * Brings the vault to what a file says: reads all of the file, asks for all that it names, sends the differences as one
 * queue and says what became of each.  What is not done is not done at all; the same file again does only what is missing.
 */
#include "apply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "apply_plan.h"
#include "base64.h"
#include "cli.h"
#include "tty_json.h"
#include "commands.h"

/* How a step is told: what would be done, what was, what is meant. */
static const struct {
	enum request_kind kind;
	const char *action;
	const char *would;
	const char *done;
	const char *plain;
} words[] = {
	{REQUEST_INTEGRATION_ADD, "create", "would create", "created", "create"},
	{REQUEST_INTEGRATION_EDIT, "change", "would change", "changed", "change"},
	{REQUEST_GRANT_ADD, "grant", "would add grant", "grant added", "add grant"},
	{REQUEST_GRANT_REMOVE, "remove_grant", "would remove grant", "grant removed", "remove grant"},
	{REQUEST_COUNT, "keep_grant", "not in the file: grant", "not in the file: grant", ""},
};

static size_t words_of(enum request_kind kind)
{
	size_t i = 0;

	while (words[i].kind != kind)
		i++;
	return i;
}

/* ---- telling ---- */

static void print_step(const struct apply_step *step, bool is_dry)
{
	size_t i = words_of(step->kind);

	if (step->outcome == APPLY_WAITS && step->request != 0)
		printf("waits for a second person as request %" PRId64 ": %s", step->request, words[i].plain);
	else if (step->outcome == APPLY_WAITS)
		printf("needs a second person: %s", words[i].plain);
	else if (step->outcome == APPLY_LATER)
		printf("later, when it is there (apply the file again): %s", words[i].plain);
	else
		fputs(is_dry ? words[i].would : words[i].done, stdout);
	if (step->grant != 0)
		printf(" %" PRId64 " of", step->grant);
	printf(" %s", step->integration);
	printf(step->what.len > 1 ? ": %s\n" : "%s\n", step->what.bytes);
}

static void print_plan(const struct apply_plan *plan, bool is_dry)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->count; i++) {
		print_step(&plan->steps[i], is_dry);
		kept += plan->steps[i].kind == REQUEST_COUNT;
	}
	printf("unchanged: %zu\n", plan->unchanged);
	if (kept > 0)
		puts("Grants that are not in the file stay; --prune removes them.");
	if (is_dry)
		puts("Nothing was done (--dry-run).");
}

static const char *const outcomes[] = {
	[APPLY_DONE] = "ok", [APPLY_WAITS] = "approval_required", [APPLY_LATER] = "later"};

static void write_step(struct json_writer *w, const struct apply_step *step)
{
	json_begin_object(w);
	json_put_string(w, "action", words[words_of(step->kind)].action);
	json_put_string(w, "integration", step->integration);
	json_put_string(w, "what", step->what.bytes);
	json_put_string(w, "outcome", outcomes[step->outcome]);
	json_key(w, "grant");
	if (step->grant != 0)
		json_write_integer(w, step->grant);
	else
		json_write_null(w);
	json_key(w, "request");
	if (step->request != 0)
		json_write_integer(w, step->request);
	else
		json_write_null(w);
	json_end_object(w);
}

static enum err print_json(const struct apply_plan *plan, bool is_dry)
{
	BUF_AUTO text = {0};
	struct json_writer w = json_writer(&text);

	json_begin_object(&w);
	json_put_bool(&w, "dry_run", is_dry);
	json_put_integer(&w, "unchanged", (int64_t)plan->unchanged);
	json_key(&w, "changes");
	json_begin_array(&w);
	for (size_t i = 0; i < plan->count; i++)
		write_step(&w, &plan->steps[i]);
	json_end_array(&w);
	json_end_object(&w);
	buf_append_byte(&text, '\n');
	if (buf_failed(&text))
		return cli_fail(plan->cli, ERR_INTERNAL, "no memory");
	tty_json_write(stdout, text.bytes, text.len);
	return OK;
}

/* ---- sending ---- */

static enum err send_step(struct apply_plan *plan, const struct apply_step *step)
{
	BUF_AUTO params = {0};
	REPLY_AUTO reply = {0};
	struct json_writer w = json_writer(&params);

	json_begin_object(&w);
	json_put_string(&w, field_info(FIELD_METHOD)->wire, request_info(step->kind)->method);
	json_key(&w, field_info(FIELD_PARAMS)->wire);
	json_write_text(&w, step->params.bytes, step->params.len);
	if (step->expect[0] != '\0')
		json_put_string(&w, field_info(FIELD_EXPECT_CHANGED_AT)->wire, step->expect);
	json_end_object(&w);
	return cli_call(plan->cli, request_info(REQUEST_APPLY_STEP)->method, &params, &reply);
}

/* The step with this number among those that were sent, from 1; NULL: none. */
static struct apply_step *sent_step(const struct apply_plan *plan, int64_t number)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].kind != REQUEST_COUNT && --number == 0)
			return &plan->steps[i];
	return NULL;
}

/* A refusal names the step; the file's line is what helps. */
static enum err explain(const struct apply_plan *plan, enum err err)
{
	const char *text = coffer_error_text(plan->cli->vault, err_number(err));
	const struct apply_step *step = NULL;
	const char *json = NULL;
	size_t len = 0;
	REPLY_AUTO data = {0};
	char sentence[512] = "";

	if (coffer_error_data(plan->cli->vault, &json, &len) == COFFER_OK &&
		reply_read(&data, json, len) == OK)
		step = sent_step(plan, reply_integer(&data, NULL, "step.number"));
	if (step != NULL) {
		(void)snprintf(sentence, sizeof(sentence), "%s", text);
		(void)apply_file_complain(plan->file, step->line, sentence);
		return err;
	}
	(void)cli_report(plan->cli, err);
	if (err_class(err) == ERR_CLASS_LOCAL)
		cli_say("whether it was done is not known: apply the file again, it does only what is "
			"missing");
	return err;
}

/* A step that waits for a second person is filed by sending it by itself; the refusal has its number. */
static enum err file_step(struct apply_plan *plan, struct apply_step *step)
{
	REPLY_AUTO reply = {0};
	REPLY_AUTO data = {0};
	const char *json = NULL;
	size_t len = 0;
	enum err err = cli_try(plan->cli, request_info(step->kind)->method, &step->params, &reply);

	if (err == OK) {
		step->outcome = APPLY_DONE; /* it was approved meanwhile, or needs no approval any more */
		return OK;
	}
	if (err != ERR_APPROVAL_REQUIRED)
		return cli_report(plan->cli, err);
	if (coffer_error_data(plan->cli->vault, &json, &len) == COFFER_OK &&
		reply_read(&data, json, len) == OK)
		step->request = reply_integer(&data, NULL, "request");
	return OK;
}

static void take_outcomes(const struct apply_plan *plan, const struct reply *reply)
{
	const struct json_token *steps = reply_array(reply, NULL, "steps");
	int64_t number = 0;

	for (const struct json_token *t = steps == NULL ? NULL : json_first(&reply->doc, steps); t != NULL;
		t = json_next(&reply->doc, steps, t)) {
		struct apply_step *step = sent_step(plan, ++number);

		if (step != NULL && reply_is(reply, t, "outcome", "approval_required"))
			step->outcome = APPLY_WAITS;
		else if (step != NULL && reply_is(reply, t, "outcome", "later"))
			step->outcome = APPLY_LATER;
	}
}

/* A number of our own for the run, so that it can be asked about. */
static enum err draw_id(char out[33])
{
	unsigned char bytes[16] = {0};

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return ERR_INTERNAL;
	hex_encode(bytes, sizeof(bytes), out);
	out[2 * sizeof(bytes)] = '\0';
	return OK;
}

/*
 * An answer that was lost is asked for once more: of a run that was done the daemon gives the first result.  If it was not,
 * there is no queue on the new connection, and what is told is why the answer was lost.
 */
static enum err ask(struct apply_plan *plan, const struct buf *params, struct reply *reply)
{
	const char *method = request_info(REQUEST_APPLY_RUN)->method;
	enum err err = cli_try(plan->cli, method, params, reply);

	if (err == OK || err_class(err) != ERR_CLASS_LOCAL)
		return err == OK ? OK : explain(plan, err);
	if (cli_try(plan->cli, method, params, reply) == OK)
		return OK;
	return cli_fail(plan->cli, err,
		"%s; whether it was done is not known: apply the file again, it does only what is missing",
		err_text(err));
}

static enum err send_run(struct apply_plan *plan, bool is_dry)
{
	BUF_AUTO params = {0};
	REPLY_AUTO reply = {0};
	struct json_writer w = json_writer(&params);
	char id[33] = "";

	if (draw_id(id) != OK)
		return cli_fail(plan->cli, ERR_INTERNAL, "the system gives no random numbers");
	json_begin_object(&w);
	json_put_bool(&w, field_info(FIELD_DRY_RUN)->wire, is_dry);
	json_put_string(&w, field_info(FIELD_REQUEST_ID)->wire, id);
	json_end_object(&w);

	enum err err = ask(plan, &params, &reply);

	if (err != OK)
		return err;
	take_outcomes(plan, &reply);
	plan->is_done = true;
	for (size_t i = 0; err == OK && !is_dry && i < plan->count; i++)
		if (plan->steps[i].outcome == APPLY_WAITS)
			err = file_step(plan, &plan->steps[i]);
	return err;
}

static enum err send_plan(struct apply_plan *plan, bool is_dry)
{
	BUF_AUTO params = {0};
	REPLY_AUTO reply = {0};
	enum err err = OK;

	plan->is_done = sent_step(plan, 1) == NULL;
	if (plan->is_done)
		return OK;
	buf_append_string(&params, "{}");
	err = cli_call(plan->cli, request_info(REQUEST_APPLY_BEGIN)->method, &params, &reply);
	for (size_t i = 0; err == OK && i < plan->count; i++)
		if (plan->steps[i].kind != REQUEST_COUNT)
			err = send_step(plan, &plan->steps[i]);
	return err == OK ? send_run(plan, is_dry) : err;
}

enum err apply_run(struct cli *cli)
{
	APPLY_FILE_AUTO file = {0};
	APPLY_PLAN_AUTO plan = {
		.cli = cli, .file = &file, .prunes = args_text(&cli->args, SLOT_PRUNE) != NULL};
	bool is_dry = args_text(&cli->args, FIELD_DRY_RUN) != NULL;
	enum err err = apply_file_read(cli, args_text(&cli->args, SLOT_FILE), &file);

	if (err == OK)
		err = apply_plan_make(&plan);
	if (err == OK)
		err = send_plan(&plan, is_dry);
	if (plan.is_done && !cli_is_json(cli))
		print_plan(&plan, is_dry);
	if (plan.is_done && cli_is_json(cli) && print_json(&plan, is_dry) != OK)
		return ERR_INTERNAL;
	return err;
}
