/*
 * Asking, and writing on what was said byte for byte, so that a field that a later version documents gets through without
 * another line.
 */
#include "report_ask.h"

#include <string.h>

#include "cli.h"
#include "text.h"

static void put_count(struct json_writer *w, enum field field, int64_t count)
{
	if (count > 0)
		json_put_integer(w, field_info(field)->wire, count);
}

static enum field name_field(const char *method)
{
	return strncmp(method, "integration.", strlen("integration.")) == 0 ? FIELD_NAME : FIELD_INTEGRATION;
}

static enum err write_params(const struct question *question, struct buf *params)
{
	struct json_writer w = json_writer(params);

	json_begin_object(&w);
	if (question->name != NULL)
		json_put_string(&w, field_info(name_field(question->method))->wire, question->name);
	if (question->key != NULL)
		json_put_string(&w, field_info(FIELD_KEY)->wire, question->key);
	put_count(&w, FIELD_DAYS, question->days);
	put_count(&w, FIELD_LIMIT, question->limit);
	json_end_object(&w);
	return buf_failed(params) ? ERR_INTERNAL : OK;
}

enum err report_ask(struct cli *cli, struct question question, struct reply *reply)
{
	BUF_AUTO params = {0};
	enum err err = write_params(&question, &params);

	return err == OK ? cli_try(cli, question.method, &params, reply) : err;
}

void report_names_clear(struct names *names)
{
	buf_clear(&names->text);
}

enum err report_names_add(
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

void report_ask_member(struct json_writer *w, const char *key, const struct reply *reply, const char *path)
{
	json_key(w, key);
	write_token(w, reply, reply_at(reply, NULL, path));
}

void report_ask_members(struct json_writer *w, const struct reply *reply)
{
	const struct json_token *object = reply_at(reply, NULL, "");

	for (const struct json_token *t = json_first(&reply->doc, object); t != NULL;
		t = json_next(&reply->doc, object, t)) {
		json_key_text(w, json_raw(&reply->doc, t), t->len);
		write_token(w, reply, t + 1);
	}
}
