/*
 * apply.begin, apply.step, apply.run: changes of integrations and grants that are done together or not at all (P5).  A
 * step is checked as it comes and does nothing; the run does each as a request inside itself, with a record of its own
 * (P4).  What needs a second person waits for it; everything else is done together.
 */
#include "nested.h"

#include <stdio.h>
#include <string.h>

#include "queue.h"

enum { BUSY_RETRY_MS = 1000 };

static const enum request_kind kinds[] = {
	REQUEST_INTEGRATION_ADD, REQUEST_INTEGRATION_EDIT, REQUEST_GRANT_ADD, REQUEST_GRANT_REMOVE};

static bool is_taken(enum request_kind kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i] == kind)
			return true;
	return false;
}

/* ---- the queue of this connection ---- */

enum err handle_apply_begin(struct call *call)
{
	struct subscriber *subscriber = call->exchange->subscriber;
	struct queue *queue = NULL;

	if (subscriber == NULL)
		return call_refuse(call, ERR_CONFLICT, "a queue on a connection without a place for one",
			"this connection cannot hold a queue");
	queue_free(subscriber->queue);
	subscriber->queue = NULL;

	enum err err = queue_new(&call->core->queues, &queue);

	call->retry_after_ms = err == ERR_BUSY ? BUSY_RETRY_MS : 0;
	if (err == ERR_BUSY)
		return call_refuse(call, err, "limit of queues", "others are applying files; try again");
	if (err != OK)
		return err;
	subscriber->queue = queue;
	json_begin_object(&call->w);
	json_put_integer(&call->w, "steps", QUEUE_STEPS_MAX);
	json_put_integer(&call->w, "bytes", QUEUE_BYTES_MAX);
	json_end_object(&call->w);
	return OK;
}

static enum err find_queue(struct call *call, struct queue **out)
{
	const struct subscriber *subscriber = call->exchange->subscriber;

	if (subscriber == NULL || subscriber->queue == NULL)
		return call_refuse(call, ERR_CONFLICT, "no queue on this connection",
			"no queue was begun on this connection, or it was lost with it; begin again");
	*out = subscriber->queue;
	return OK;
}

/* ---- a step ---- */

/* The request that the step is, as a client would send it, in the request's arena. */
static enum err compose(struct call *call, char **line_out, size_t *len_out)
{
	const struct json_token *params = call->request->field[FIELD_PARAMS];
	const struct json_doc *doc = &call->request->doc;
	size_t cap = (size_t)field_info(FIELD_PARAMS)->max + 1;
	char method[33] = "";
	size_t len = 0;

	if (json_text_len(doc, params) >= cap)
		return call_refuse(call, ERR_TOO_LARGE, "limit of a step", "params is over its size limit");

	char *text = arena_alloc(&call->core->arena, cap);
	char *line = text == NULL ? NULL : arena_alloc(&call->core->arena, cap + 128);

	if (line == NULL || json_text(doc, params, text, cap, &len) != OK)
		return ERR_INTERNAL;
	request_text(call->request, FIELD_METHOD, method, sizeof(method));
	*len_out = (size_t)snprintf(line, cap + 128,
		"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"%s\",\"params\":%s}", method, text);
	*line_out = line;
	return OK;
}

/* Everything that can be said of it now is said now: the run then fails only for what it finds in the vault. */
static enum err parse(struct call *call, const char *line, size_t len, struct step *step)
{
	struct request *request = &call->core->inner_request;
	enum err err = request_parse(line, len, request);

	if (err == ERR_UNKNOWN_METHOD || (request->has_kind && !is_taken(request->kind)))
		return call_refuse(call, ERR_UNSUPPORTED, "not a method that can be a step",
			"a step is one of integration.add, integration.edit, grant.add, grant.remove");
	/* This line was a request, so the connection is not counted as one that sends none. */
	if (err == ERR_BAD_JSON || err == ERR_TOO_COMPLEX || err == ERR_BAD_REQUEST)
		return call_refuse(call, ERR_BAD_PARAMS, "the params of a step are no strict JSON object",
			"params is not the text of one strict JSON object within its limits");
	if (err != OK)
		return call_refuse(call, err, request->detail != NULL ? request->detail : err_text(err),
			request->detail);
	if (request_has(request, FIELD_REQUEST_ID))
		return call_refuse(call, ERR_UNSUPPORTED, "a step with a request_id",
			"a step has no request_id: it is done with the others or not at all");
	step->kind = request->kind;
	request_text(request, FIELD_NAME, step->integration, sizeof(step->integration));
	request_text(request, FIELD_INTEGRATION, step->integration, sizeof(step->integration));
	return OK;
}

static int64_t expected_ms(const struct call *call)
{
	char text[33] = "";
	int64_t time_ms = 0;

	return request_text(call->request, FIELD_EXPECT_CHANGED_AT, text, sizeof(text)) &&
			       text_time(text, strlen(text), &time_ms)
		       ? time_ms
		       : 0;
}

enum err handle_apply_step(struct call *call)
{
	struct step step = {.expect_changed_ms = expected_ms(call)};
	struct queue *queue = NULL;
	char *line = NULL;
	size_t len = 0;
	enum err err = find_queue(call, &queue);

	if (err == OK)
		err = compose(call, &line, &len);
	if (err == OK)
		err = parse(call, line, len, &step);
	if (err == OK)
		err = queue_add(queue, &step, line, len);
	if (err == ERR_TOO_LARGE && call->detail == NULL)
		return call_refuse(call, err, "limit of a queue",
			"a queue holds 4096 steps and 1 MiB of them; apply the rest by itself");
	if (err != OK)
		return err;
	json_begin_object(&call->w);
	json_put_integer(&call->w, "step", (int64_t)queue->count);
	json_end_object(&call->w);
	return OK;
}

/* ---- the run ---- */

static void name_step(struct call *call, const struct queue *queue, size_t index)
{
	const struct step *step = &queue->steps[index];
	struct json_writer w = json_writer(&call->error_data);

	snprintf(call->record.integration, sizeof(call->record.integration), "%s", step->integration);
	json_key(&w, "step");
	json_begin_object(&w);
	json_put_integer(&w, "number", (int64_t)index + 1);
	json_put_string(&w, "method", request_info(step->kind)->method);
	json_put_string(&w, "integration", step->integration);
	json_end_object(&w);
}

/* What is told names the step: the caller has sent many. */
static enum err refuse_step(
	struct call *call, const struct queue *queue, size_t index, enum err err, const char *why)
{
	const struct step *step = &queue->steps[index];
	char reason[RECORD_DETAIL_BYTES] = "";

	name_step(call, queue, index);
	snprintf(
		reason, sizeof(reason), "step %zu, %s: %s", index + 1, request_info(step->kind)->method, why);
	snprintf(call->detail_store, sizeof(call->detail_store), "step %zu, %s of %s: %s", index + 1,
		request_info(step->kind)->method, step->integration, why);
	return call_refuse(call, err, reason, call->detail_store);
}

static enum err on_changed_ms(void *arg, const struct store_integration *integration)
{
	*(int64_t *)arg = integration->changed_ms;
	return OK;
}

/* All before the first is done: a step changes the time that a later one expects. */
static enum err check_unchanged(struct call *call, const struct queue *queue)
{
	for (size_t i = 0; i < queue->count; i++) {
		const struct step *step = &queue->steps[i];
		int64_t changed_ms = 0;

		if (step->expect_changed_ms == 0)
			continue;

		enum err err = store_integration_get(
			call->core->store, step->integration, on_changed_ms, &changed_ms);

		if (err != OK && err != ERR_NOT_FOUND)
			return err;
		if (changed_ms != step->expect_changed_ms)
			return refuse_step(call, queue, i, ERR_CONFLICT,
				"the integration was changed meanwhile; look at it and try again");
	}
	return OK;
}

static void write_outcome(struct call *call, const struct step *step, const char *outcome)
{
	json_begin_object(&call->w);
	json_put_string(&call->w, "method", request_info(step->kind)->method);
	json_put_string(&call->w, "integration", step->integration);
	json_put_string(&call->w, "outcome", outcome);
	json_end_object(&call->w);
}

/* Its integration is not there yet: the step that makes it waits for a second person. */
static bool is_for_later(const struct queue *queue, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (queue->steps[i].is_waiting && queue->steps[i].kind == REQUEST_INTEGRATION_ADD &&
			strcmp(queue->steps[i].integration, queue->steps[index].integration) == 0)
			return true;
	return false;
}

/* What needs a second person is left out and told; whoever asks files it by itself. */
static enum err run_step(struct call *call, struct queue *queue, size_t index)
{
	struct step *step = &queue->steps[index];
	NESTED_AUTO nested = {.line = queue_line(queue, step), .len = step->len};

	if (queue->waiting > 0 && is_for_later(queue, index)) {
		write_outcome(call, step, "later");
		return OK;
	}

	enum err err = nested_perform(call, &nested);

	if (err == OK || err == ERR_APPROVAL_REQUIRED) {
		step->is_waiting = err != OK;
		queue->waiting += err != OK;
		write_outcome(call, step, err == OK ? "ok" : err_word(err));
		return OK;
	}
	if (nested.reason[0] == '\0') /* the store failed, or we did */
		return err;
	return refuse_step(call, queue, index, err, nested.detail[0] != '\0' ? nested.detail : err_text(err));
}

static enum err run_all(struct call *call, struct queue *queue)
{
	enum err err = check_unchanged(call, queue);

	json_begin_object(&call->w);
	json_put_bool(&call->w, "dry_run", call->is_rehearsal);
	json_key(&call->w, "steps");
	json_begin_array(&call->w);
	for (size_t i = 0; err == OK && i < queue->count; i++)
		err = run_step(call, queue, i);
	json_end_array(&call->w);
	json_end_object(&call->w);
	return err;
}

/* The queue ends with the run, whatever comes of it: nobody runs the same steps twice by mistake. */
enum err handle_apply_run(struct call *call)
{
	struct queue *queue = NULL;
	enum err err = find_queue(call, &queue);

	if (err != OK)
		return err;
	call->is_rehearsal = request_flag(call->request, FIELD_DRY_RUN);
	call_subject(call, "steps=%zu", queue->count);
	err = queue->count > 0 ? run_all(call, queue)
			       : call_refuse(call, ERR_CONFLICT, "a run without steps", "no step was sent");
	if (queue->waiting > 0)
		call_subject(call, "waiting=%zu", queue->waiting);
	call->exchange->subscriber->queue = NULL;
	queue_free(queue);
	return err;
}
