/*
 * Asks for one integration after the other and writes what the daemon says as it says it, so that a field that a later
 * version documents is in the report without another line.  Nothing is kept but the document itself.  No method gives a
 * value, hence none can be in it (P3).
 */
#include "report_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "report_held.h"
#include "report_model.h"
#include "text.h"

enum { RUNS_ASKED = 1000, HOST_BYTES = 65 };

struct collector {
	struct cli *cli;
	struct json_writer w;
	int64_t days;
	int64_t now_ms;
	int64_t since_ms;
};

/* One question to the daemon; what is not set is not asked. */
struct question {
	enum request_kind kind;
	const char *name; /* of the integration */
	const char *key;
	int64_t days;
	int64_t limit;
};

/* Texts that must outlive the reply that they came in. */
struct names {
	struct buf text; /* each ends with a NUL */
	size_t count;
};

static void clear_names(struct names *names)
{
	buf_clear(&names->text);
}

#define NAMES_AUTO __attribute__((cleanup(clear_names))) struct names

/* ---- asking ---- */

static void put_count(struct json_writer *w, enum field field, int64_t count)
{
	if (count > 0)
		json_put_integer(w, field_info(field)->wire, count);
}

static enum field name_field(enum request_kind kind)
{
	return strncmp(request_info(kind)->method, "integration.", strlen("integration.")) == 0
		       ? FIELD_NAME
		       : FIELD_INTEGRATION;
}

static enum err write_params(const struct question *question, struct buf *params)
{
	struct json_writer w = json_writer(params);

	json_begin_object(&w);
	if (question->name != NULL)
		json_put_string(&w, field_info(name_field(question->kind))->wire, question->name);
	if (question->key != NULL)
		json_put_string(&w, field_info(FIELD_KEY)->wire, question->key);
	put_count(&w, FIELD_DAYS, question->days);
	put_count(&w, FIELD_LIMIT, question->limit);
	json_end_object(&w);
	return buf_failed(params) ? ERR_INTERNAL : OK;
}

static enum err ask(const struct collector *collector, struct question question, struct reply *reply)
{
	BUF_AUTO params = {0};
	enum err err = write_params(&question, &params);

	return err == OK ? cli_try(collector->cli, request_info(question.kind)->method, &params, reply) : err;
}

static enum err add_names(
	struct names *names, const struct reply *reply, const char *path, const char *member)
{
	const struct json_token *array = reply_array(reply, NULL, path);

	if (array == NULL)
		return ERR_PROTOCOL;
	for (const struct json_token *t = json_first(&reply->doc, array); t != NULL;
		t = json_next(&reply->doc, array, t)) {
		char name[INTEGRATION_NAME_BYTES_MAX + 1] = "";

		reply_text(reply, t, member, name, sizeof(name));
		buf_append(&names->text, name, strlen(name) + 1);
		names->count++;
	}
	return buf_failed(&names->text) ? ERR_INTERNAL : OK;
}

/* ---- writing what was said ---- */

static void write_token(struct json_writer *w, const struct reply *reply, const struct json_token *value)
{
	const char *raw = value == NULL ? NULL : json_raw(&reply->doc, value);

	if (value == NULL)
		json_write_null(w);
	else if (value->type == JSON_STRING)
		json_write_raw(w, raw - 1, value->len + 2); /* with its quotes */
	else
		json_write_raw(w, raw, value->len);
}

static void put_member(struct json_writer *w, const char *key, const struct reply *reply, const char *path)
{
	json_key(w, key);
	write_token(w, reply, reply_at(reply, NULL, path));
}

static void put_members(struct json_writer *w, const struct reply *reply)
{
	const struct json_token *object = reply_at(reply, NULL, "");

	for (const struct json_token *t = json_first(&reply->doc, object); t != NULL;
		t = json_next(&reply->doc, object, t)) {
		json_key_text(w, json_raw(&reply->doc, t), t->len);
		write_token(w, reply, t + 1);
	}
}

/* ---- one secret ---- */

static int64_t time_of(const struct reply *reply, const struct json_token *object, const char *path)
{
	char text[40] = "";
	int64_t time_ms = 0;

	reply_text(reply, object, path, text, sizeof(text));
	return text_time(text, strlen(text), &time_ms) ? time_ms : 0;
}

/* 0: never */
static int64_t period_of(const struct reply *reply, const char *path)
{
	char text[32] = "";
	int64_t seconds = 0;

	reply_text(reply, NULL, path, text, sizeof(text));
	return text_duration(text, strlen(text), &seconds) ? seconds * 1000 : 0;
}

/* A credential is as old as its value: one that came back by a rollback did not get younger. */
static int64_t rotation_due(const struct reply *secret, int64_t period_ms)
{
	const struct json_token *versions = reply_array(secret, NULL, "versions");

	for (const struct json_token *t = json_first(&secret->doc, versions); t != NULL && period_ms > 0;
		t = json_next(&secret->doc, versions, t)) {
		if (reply_is(secret, t, "state", "current"))
			return time_of(secret, t, "created_at") + period_ms;
	}
	return 0;
}

static enum err write_secret(
	struct collector *collector, const char *name, const char *key, int64_t period_ms)
{
	REPLY_AUTO reply = {0};
	enum err err = ask(
		collector, (struct question){.kind = REQUEST_SECRET_SHOW, .name = name, .key = key}, &reply);

	if (err != OK)
		return err == ERR_NOT_FOUND ? OK : err;
	json_begin_object(&collector->w);
	put_members(&collector->w, &reply);
	json_put_time(&collector->w, "rotate_at", rotation_due(&reply, period_ms));
	json_end_object(&collector->w);
	return OK;
}

static enum err write_secrets(
	struct collector *collector, const char *name, const struct names *keys, int64_t period_ms)
{
	const char *key = keys->text.bytes;
	enum err err = OK;

	json_key(&collector->w, "secrets");
	json_begin_array(&collector->w);
	for (size_t i = 0; i < keys->count && err == OK; i++) {
		err = write_secret(collector, name, key, period_ms);
		key += strlen(key) + 1;
	}
	json_end_array(&collector->w);
	return err;
}

/* ---- one integration ---- */

static enum err write_runs(struct collector *collector, const char *name)
{
	REPLY_AUTO reply = {0};
	enum err err = ask(collector,
		(struct question){.kind = REQUEST_RUN_LIST, .name = name, .limit = RUNS_ASKED}, &reply);

	return err == OK ? report_held_write(&collector->w, &reply, collector->since_ms, RUNS_ASKED) : err;
}

/* What stands at a path of the answer, as a member. */
static enum err write_answer(
	struct collector *collector, const char *member, struct question question, const char *path)
{
	REPLY_AUTO reply = {0};
	enum err err = ask(collector, question, &reply);

	if (err == OK)
		put_member(&collector->w, member, &reply, path);
	return err;
}

static int64_t review_due(const struct reply *reply)
{
	int64_t period_ms = period_of(reply, "integration.review_after");
	int64_t reviewed_ms = time_of(reply, NULL, "integration.reviewed_at");
	int64_t since_ms = reviewed_ms > 0 ? reviewed_ms : time_of(reply, NULL, "integration.created_at");

	return period_ms > 0 && !reply_is(reply, NULL, "integration.state", "retired") ? since_ms + period_ms
										       : 0;
}

static enum err write_integration(struct collector *collector, const char *name)
{
	REPLY_AUTO reply = {0};
	NAMES_AUTO keys = {0};
	struct json_writer *w = &collector->w;
	enum err err =
		ask(collector, (struct question){.kind = REQUEST_INTEGRATION_SHOW, .name = name}, &reply);

	if (err == OK)
		err = add_names(&keys, &reply, "secrets", "key");
	if (err != OK)
		return err == ERR_NOT_FOUND ? OK : err;
	json_begin_object(w);
	put_member(w, "integration", &reply, "integration");
	put_member(w, "grants", &reply, "grants");
	json_put_time(w, "review_at", review_due(&reply));
	err = write_secrets(collector, name, &keys,
		reply_is(&reply, NULL, "integration.state", "retired")
			? 0
			: period_of(&reply, "integration.rotate_after"));
	if (err == OK)
		err = write_runs(collector, name);
	if (err == OK)
		err = write_answer(collector, "holders",
			(struct question){.kind = REQUEST_HOLDER_LIST, .name = name}, "holders");
	if (err == OK)
		err = write_answer(collector, "usage",
			(struct question){.kind = REQUEST_USAGE_SHOW, .name = name, .days = collector->days},
			"days");
	json_end_object(w);
	return err;
}

/* ---- the vault ---- */

static enum err list_integrations(const struct collector *collector, struct names *out)
{
	REPLY_AUTO reply = {0};
	enum err err = ask(collector, (struct question){.kind = REQUEST_INTEGRATION_LIST}, &reply);

	return err == OK ? add_names(out, &reply, "integrations", "name") : err;
}

static enum err write_integrations(struct collector *collector, const struct names *names)
{
	const char *name = names->text.bytes;
	enum err err = OK;

	json_key(&collector->w, "integrations");
	json_begin_array(&collector->w);
	for (size_t i = 0; i < names->count && err == OK; i++) {
		err = write_integration(collector, name);
		name += strlen(name) + 1;
	}
	json_end_array(&collector->w);
	return err;
}

static enum err write_vault_id(struct collector *collector)
{
	char host[HOST_BYTES] = "";
	REPLY_AUTO reply = {0};
	enum err err = ask(collector, (struct question){.kind = REQUEST_STATUS}, &reply);

	if (err != OK)
		return err;
	/* Sealed, or no role: the first list would say so, but with less. */
	if (gethostname(host, sizeof(host) - 1) != 0 || !gate_is_utf8(host, strlen(host)))
		host[0] = '\0';
	json_put_string(&collector->w, "host", host);
	put_member(&collector->w, "vault", &reply, "vault");
	put_member(&collector->w, "version", &reply, "version");
	json_put_time(&collector->w, "generated_at", collector->now_ms);
	json_put_time(&collector->w, "since", collector->since_ms);
	json_put_integer(&collector->w, "days", collector->days);
	return OK;
}

/* Where the chain of audit records stands; not everybody who may see the inventory may see the records. */
static enum err write_head(struct collector *collector, const char *key)
{
	REPLY_AUTO reply = {0};
	enum err err = ask(collector, (struct question){.kind = REQUEST_AUDIT_LIST, .limit = 1}, &reply);

	if (err == OK)
		put_member(&collector->w, key, &reply, "head");
	return err == ERR_DENIED ? OK : err;
}

static enum err write_vault(struct collector *collector)
{
	NAMES_AUTO names = {0};
	enum err err = write_vault_id(collector);

	if (err == OK)
		err = write_head(collector, "audit");
	if (err == OK)
		err = list_integrations(collector, &names);
	if (err == OK)
		err = write_integrations(collector, &names);
	if (err == OK)
		err = write_answer(
			collector, "alerts", (struct question){.kind = REQUEST_ALERT_LIST}, "alerts");
	/* Where it stands now: when that is further on, something happened while this was collected. */
	if (err == OK)
		err = write_head(collector, "audit_after");
	return err;
}

static int64_t now_ms(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum err report_collect(struct cli *cli, int64_t days, struct buf *out)
{
	struct collector collector = {.cli = cli, .w = json_writer(out), .days = days, .now_ms = now_ms()};
	struct json_writer *w = &collector.w;

	/* Whole days, so that every form counts the same ones. */
	collector.since_ms = collector.now_ms - collector.now_ms % REPORT_DAY_MS - (days - 1) * REPORT_DAY_MS;
	json_begin_object(w);
	json_put_string(w, "report", REPORT_FORMAT);
	json_put_time(w, "generated_at", collector.now_ms);
	json_key(w, "vaults");
	json_begin_array(w);
	json_begin_object(w);

	enum err err = write_vault(&collector);

	json_end_object(w);
	json_end_array(w);
	json_end_object(w);
	if (err != OK)
		return cli_report(cli, err);
	return buf_failed(out) ? cli_fail(cli, ERR_INTERNAL, "no memory") : OK;
}
