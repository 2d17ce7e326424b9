/*
 * Asks for one integration after the other and writes what the daemon says as it says it, so that a field that a later
 * version documents is in the report without another line.  Nothing is kept but the document itself.  No method gives a
 * value, hence none can be in it (P3).
 */
#include "report_data.h"

#include <string.h>
#include <time.h>

#include "cli.h"
#include "report_ask.h"
#include "report_held.h"
#include "report_model.h"
#include "text.h"

enum { ROWS_ASKED = 1000 };

struct collector {
	struct cli *cli;
	struct json_writer w;
	int64_t days;
	int64_t now_ms;
	int64_t since_ms;
};

/* ---- one secret ---- */

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
			return reply_time(secret, t, "created_at") + period_ms;
	}
	return 0;
}

static enum err write_secret(
	struct collector *collector, const char *name, const char *key, int64_t period_ms)
{
	REPLY_AUTO reply = {0};
	enum err err = report_ask(
		collector->cli, (struct question){.method = "secret.show", .name = name, .key = key}, &reply);

	if (err != OK)
		return err == ERR_NOT_FOUND ? OK : err;
	json_begin_object(&collector->w);
	report_ask_members(&collector->w, &reply);
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
	enum err err = report_ask(collector->cli,
		(struct question){.method = "run.list", .name = name, .limit = ROWS_ASKED}, &reply);

	return err == OK ? report_held_write(&collector->w, &reply, collector->since_ms, ROWS_ASKED) : err;
}

/* What stands at a path of the answer, as a member.  A method that an older daemon does not know is left out. */
static enum err write_answer(
	struct collector *collector, const char *member, struct question question, const char *path)
{
	REPLY_AUTO reply = {0};
	enum err err = report_ask(collector->cli, question, &reply);

	if (err == OK)
		report_ask_member(&collector->w, member, &reply, path);
	return err == ERR_UNKNOWN_METHOD ? OK : err;
}

/* Days on which nothing happened are most of them, and say nothing. */
static enum err write_usage(struct collector *collector, const char *name)
{
	REPLY_AUTO reply = {0};
	struct question question = {.method = "usage.show", .name = name, .days = collector->days};
	enum err err = report_ask(collector->cli, question, &reply);
	const struct json_token *days = err == OK ? reply_array(&reply, NULL, "days") : NULL;

	if (err != OK)
		return err;
	json_key(&collector->w, "usage");
	json_begin_array(&collector->w);
	for (const struct json_token *t = json_first(&reply.doc, days); t != NULL;
		t = json_next(&reply.doc, days, t)) {
		if (reply_integer(&reply, t, "fetches") > 0 || reply_integer(&reply, t, "refused") > 0)
			json_write_raw(&collector->w, json_raw(&reply.doc, t), t->len);
	}
	json_end_array(&collector->w);
	return OK;
}

/* Members of an entry that are what one method says about the integration. */
static const struct answer {
	const char *member;
	const char *method;
	const char *path;
	int64_t limit;
} answers[] = {
	{"holders", "holder.list", "holders", 0},
	{"history", "integration.history", "changes", ROWS_ASKED},
	{"tokens", "token.list", "tokens", 0},
	{"requests", "request.list", "requests", ROWS_ASKED},
};

static enum err write_answers(struct collector *collector, const char *name)
{
	enum err err = write_usage(collector, name);

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]) && err == OK; i++)
		err = write_answer(collector, answers[i].member,
			(struct question){
				.method = answers[i].method, .name = name, .limit = answers[i].limit},
			answers[i].path);
	return err;
}

static int64_t review_due(const struct reply *reply)
{
	int64_t period_ms = period_of(reply, "integration.review_after");
	int64_t reviewed_ms = reply_time(reply, NULL, "integration.reviewed_at");
	int64_t since_ms = reviewed_ms > 0 ? reviewed_ms : reply_time(reply, NULL, "integration.created_at");

	return period_ms > 0 && !reply_is(reply, NULL, "integration.state", "retired") ? since_ms + period_ms
										       : 0;
}

static enum err write_integration(struct collector *collector, const char *name)
{
	REPLY_AUTO reply = {0};
	NAMES_AUTO keys = {0};
	struct json_writer *w = &collector->w;
	enum err err = report_ask(
		collector->cli, (struct question){.method = "integration.show", .name = name}, &reply);

	if (err == OK)
		err = report_names_add(&keys, &reply, "secrets", "key");
	if (err != OK)
		return err == ERR_NOT_FOUND ? OK : err;
	json_begin_object(w);
	report_ask_member(w, "integration", &reply, "integration");
	report_ask_member(w, "grants", &reply, "grants");
	json_put_time(w, "review_at", review_due(&reply));
	err = write_secrets(collector, name, &keys,
		reply_is(&reply, NULL, "integration.state", "retired")
			? 0
			: period_of(&reply, "integration.rotate_after"));
	if (err == OK)
		err = write_runs(collector, name);
	if (err == OK)
		err = write_answers(collector, name);
	json_end_object(w);
	return err;
}

/* ---- the vault ---- */

static enum err list_integrations(const struct collector *collector, struct names *out)
{
	REPLY_AUTO reply = {0};
	enum err err = report_ask(collector->cli, (struct question){.method = "integration.list"}, &reply);

	return err == OK ? report_names_add(out, &reply, "integrations", "name") : err;
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
	REPLY_AUTO reply = {0};
	enum err err = report_ask(collector->cli, (struct question){.method = "status"}, &reply);

	const struct json_token *vault = err == OK ? reply_at(&reply, NULL, "vault") : NULL;

	if (err != OK)
		return err;
	/* What tells no vault to this caller tells nothing to report either. */
	if (vault == NULL || vault->type != JSON_STRING)
		return ERR_DENIED;
	report_ask_member(&collector->w, "host", &reply, "host");
	report_ask_member(&collector->w, "vault", &reply, "vault");
	report_ask_member(&collector->w, "version", &reply, "version");
	json_put_time(&collector->w, "generated_at", collector->now_ms);
	json_put_time(&collector->w, "since", collector->since_ms);
	json_put_integer(&collector->w, "days", collector->days);
	return OK;
}

/* Where the chain of audit records stands; not everybody who may see the inventory may see the records. */
static enum err write_head(struct collector *collector, const char *key)
{
	REPLY_AUTO reply = {0};
	enum err err =
		report_ask(collector->cli, (struct question){.method = "audit.list", .limit = 1}, &reply);

	if (err == OK)
		report_ask_member(&collector->w, key, &reply, "head");
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
		err = write_answer(collector, "alerts", (struct question){.method = "alert.list"}, "alerts");
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
