/*
 * Compares the file with the vault, integration by integration.  Only differences become steps, so what the file does not
 * name stays as it is; and an edit says when the integration was last changed, so that the daemon refuses it when somebody
 * was quicker.
 */
#include "apply_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply_rule.h"
#include "apply_value.h"
#include "cli.h"
#include "tty_text.h"

static void clear_step(struct apply_step *step)
{
	buf_clear(&step->params);
	buf_clear(&step->what);
}

void apply_plan_clear(struct apply_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		clear_step(&plan->steps[i]);
	free(plan->steps);
	*plan = (struct apply_plan){0};
}

/* Takes over what the step owns, also when it fails. */
static enum err add_step(struct apply_plan *plan, struct apply_step *step)
{
	buf_append_byte(&step->what, '\0');
	if (plan->count == plan->cap) {
		size_t cap = plan->cap == 0 ? 32 : 2 * plan->cap;
		struct apply_step *steps = reallocarray(plan->steps, cap, sizeof(*steps));

		if (steps == NULL)
			step->what.has_failed = true;
		else {
			plan->steps = steps;
			plan->cap = cap;
		}
	}
	if (buf_failed(&step->what) || buf_failed(&step->params)) {
		clear_step(step);
		return cli_fail(plan->cli, ERR_INTERNAL, "no memory");
	}
	if (step->params.len > field_info(FIELD_PARAMS)->max) {
		clear_step(step);
		return apply_file_complain(plan->file, step->line, "more than one request can hold");
	}
	plan->steps[plan->count++] = *step;
	return OK;
}

static void append_name(struct buf *what, const char *name)
{
	if (what->len > 0)
		buf_append_string(what, ", ");
	buf_append_string(what, name);
}

/* ---- grants ---- */

static enum err add_grant(
	struct apply_plan *plan, const struct apply_section *section, const struct apply_entry *entry)
{
	struct apply_step step = {
		.kind = REQUEST_GRANT_ADD, .integration = section->name, .line = entry->line};
	struct json_writer w = json_writer(&step.params);

	json_begin_object(&w);
	json_put_string(&w, "integration", section->name);
	apply_rule_write(&w, entry->text);
	json_end_object(&w);
	apply_rule_show(&step.what, entry->text);
	return add_step(plan, &step);
}

static enum err drop_grant(struct apply_plan *plan, const struct apply_section *section,
	const struct reply *reply, const struct json_token *grant)
{
	struct apply_step step = {.kind = plan->prunes ? REQUEST_GRANT_REMOVE : REQUEST_COUNT,
		.integration = section->name,
		.line = section->line,
		.grant = reply_integer(reply, grant, "id")};
	struct json_writer w = json_writer(&step.params);

	json_begin_object(&w);
	json_put_string(&w, "integration", section->name);
	json_put_integer(&w, "id", step.grant);
	json_end_object(&w);
	reply_show(&step.what, reply, reply_at(reply, grant, "rule"), SHOW_TEXT);
	return add_step(plan, &step);
}

static bool is_in_file(
	const struct apply_section *section, const struct reply *reply, const struct json_token *grant)
{
	for (size_t i = 0; i < section->count; i++)
		if (section->entries[i].field == FIELD_RULE &&
			apply_rule_is(reply, grant, section->entries[i].text))
			return true;
	return false;
}

static bool is_in_vault(
	const struct reply *reply, const struct json_token *grants, const struct apply_entry *entry)
{
	for (const struct json_token *t = json_first(&reply->doc, grants); t != NULL;
		t = json_next(&reply->doc, grants, t))
		if (apply_rule_is(reply, t, entry->text))
			return true;
	return false;
}

static bool names_grants(const struct apply_section *section)
{
	for (size_t i = 0; i < section->count; i++)
		if (section->entries[i].field == FIELD_RULE)
			return true;
	return false;
}

/* Those that go make room for those that come.  A section that says nothing about grants leaves them alone. */
static enum err plan_grants(
	struct apply_plan *plan, const struct apply_section *section, const struct reply *reply)
{
	const struct json_token *grants = reply == NULL ? NULL : reply_array(reply, NULL, "grants");
	enum err err = OK;

	if (!names_grants(section))
		return OK;
	for (const struct json_token *t = grants == NULL ? NULL : json_first(&reply->doc, grants);
		err == OK && t != NULL; t = json_next(&reply->doc, grants, t))
		if (!is_in_file(section, reply, t))
			err = drop_grant(plan, section, reply, t);
	for (size_t i = 0; err == OK && i < section->count; i++) {
		const struct apply_entry *entry = &section->entries[i];

		if (entry->field == FIELD_RULE && *entry->text != '\0' &&
			(grants == NULL || !is_in_vault(reply, grants, entry)))
			err = add_grant(plan, section, entry);
	}
	return err;
}

/* ---- the record ---- */

static const struct json_token *current_of(const struct reply *reply, enum field field)
{
	return reply_at(reply, reply_at(reply, NULL, "integration"), field_info(field)->wire);
}

/* What it lacks is said with the section's line, before anything is sent. */
static enum err check_new(const struct apply_plan *plan, const struct apply_step *step)
{
	static struct request request;
	BUF_AUTO line = {0};
	char text[320] = "";

	buf_append_string(&line, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"integration.add\",\"params\":");
	buf_append(&line, step->params.bytes, step->params.len);
	buf_append_byte(&line, '}');
	if (buf_failed(&line) || request_parse(line.bytes, line.len, &request) == OK)
		return OK;
	(void)snprintf(text, sizeof(text), "%s is new: %s", step->integration,
		request.detail != NULL ? request.detail : "more than a request holds");
	return apply_file_complain(plan->file, step->line, text);
}

static enum err plan_new(struct apply_plan *plan, const struct apply_section *section)
{
	struct apply_step step = {
		.kind = REQUEST_INTEGRATION_ADD, .integration = section->name, .line = section->line};
	struct json_writer w = json_writer(&step.params);

	json_begin_object(&w);
	json_put_string(&w, "name", section->name);
	for (size_t i = 0; i < section->count; i++)
		if (section->entries[i].field != FIELD_RULE && *section->entries[i].text != '\0')
			apply_value_write(&w, &section->entries[i]);
	json_end_object(&w);

	enum err err = buf_failed(&step.params) ? OK : check_new(plan, &step);

	if (err != OK) {
		clear_step(&step);
		return err;
	}
	err = add_step(plan, &step);
	return err == OK ? plan_grants(plan, section, NULL) : err;
}

/* Writes what differs, and names it in step->what. */
static enum err write_changes(const struct apply_plan *plan, const struct apply_section *section,
	const struct reply *reply, struct apply_step *step)
{
	struct json_writer w = json_writer(&step->params);

	json_begin_object(&w);
	json_put_string(&w, "name", section->name);
	for (size_t i = 0; i < section->count; i++) {
		const struct apply_entry *entry = &section->entries[i];

		if (entry->field == FIELD_RULE ||
			apply_value_equals(reply, current_of(reply, entry->field), entry))
			continue;
		if (!apply_value_can_be_edited(entry->field))
			return apply_file_complain(plan->file, entry->line,
				"this can only be given when the integration is made");
		apply_value_write(&w, entry);
		append_name(&step->what, field_info(entry->field)->wire);
	}
	json_end_object(&w);
	return OK;
}

static enum err plan_change(
	struct apply_plan *plan, const struct apply_section *section, const struct reply *reply)
{
	struct apply_step step = {
		.kind = REQUEST_INTEGRATION_EDIT, .integration = section->name, .line = section->line};
	size_t before = plan->count;

	reply_text(
		reply, reply_at(reply, NULL, "integration"), "changed_at", step.expect, sizeof(step.expect));

	enum err err = write_changes(plan, section, reply, &step);

	if (err != OK || step.what.len == 0)
		clear_step(&step);
	else
		err = add_step(plan, &step);
	if (err == OK)
		err = plan_grants(plan, section, reply);
	plan->unchanged += plan->count == before;
	return err;
}

static enum err plan_section(struct apply_plan *plan, const struct apply_section *section)
{
	if (!section->is_there)
		return plan_new(plan, section);

	BUF_AUTO params = {0};
	REPLY_AUTO reply = {0};
	struct json_writer w = json_writer(&params);

	json_begin_object(&w);
	json_put_string(&w, "name", section->name);
	json_end_object(&w);

	enum err err = cli_try(plan->cli, request_info(REQUEST_INTEGRATION_SHOW)->method, &params, &reply);

	return err == OK ? plan_change(plan, section, &reply) : cli_report(plan->cli, err);
}

static void mark(const struct apply_file *file, const struct reply *reply, const struct json_token *listed)
{
	for (size_t i = 0; i < file->count; i++)
		if (reply_is(reply, listed, "name", file->sections[i].name))
			file->sections[i].is_there = true;
}

/* One list, because to ask for what is not there is a refusal in the audit log. */
static enum err mark_those_there(struct apply_plan *plan)
{
	BUF_AUTO params = {0};
	REPLY_AUTO reply = {0};

	buf_append_string(&params, "{}");

	enum err err = cli_call(plan->cli, request_info(REQUEST_INTEGRATION_LIST)->method, &params, &reply);
	const struct json_token *list = err == OK ? reply_array(&reply, NULL, "integrations") : NULL;

	if (err == OK && list == NULL)
		return cli_fail(plan->cli, ERR_PROTOCOL, "the daemon's answer holds no integrations");
	for (const struct json_token *t = err == OK ? json_first(&reply.doc, list) : NULL; t != NULL;
		t = json_next(&reply.doc, list, t))
		mark(plan->file, &reply, t);
	return err;
}

enum err apply_plan_make(struct apply_plan *plan)
{
	enum err err = mark_those_there(plan);

	for (size_t i = 0; err == OK && i < plan->file->count; i++)
		err = plan_section(plan, &plan->file->sections[i]);
	return err;
}
