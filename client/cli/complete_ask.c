/*
 * Who asks, and questions that such a caller gets an answer to.
 */
#include "complete_ask.h"

#include <string.h>

#include "text.h"

enum { ASK_MS = 1000 };

static bool lists(const struct reply *reply, const char *member, const char *text)
{
	const struct json_token *array = reply_array(reply, NULL, member);

	if (array == NULL)
		return false;
	for (const struct json_token *t = json_first(&reply->doc, array); t != NULL;
		t = json_next(&reply->doc, array, t))
		if (json_equals(&reply->doc, t, text))
			return true;
	return false;
}

static bool has_any(const struct reply *reply, const char *member)
{
	const struct json_token *array = reply_array(reply, NULL, member);

	return array != NULL && json_first(&reply->doc, array) != NULL;
}

bool asking_may_view(const struct asking *asking, const char *integration)
{
	if (has_any(&asking->who, "roles"))
		return true;
	return integration == NULL ? has_any(&asking->who, "manages")
				   : lists(&asking->who, "manages", integration);
}

enum err asking_ask(
	struct asking *asking, enum request_kind kind, const struct buf *params, struct reply *reply)
{
	static char none[] = "{}";
	const struct buf empty = {.bytes = none, .len = 2};

	return cli_try(&asking->cli, request_info(kind)->method, params != NULL ? params : &empty, reply);
}

/* A sealed vault refuses all else, and says so in the journal. */
static bool is_open(struct asking *asking)
{
	REPLY_AUTO reply = {0};

	return asking_ask(asking, REQUEST_HELLO, NULL, &reply) == OK && !reply_flag(&reply, NULL, "sealed");
}

/* What comes later takes the place of the connection's memory, so the text is kept. */
static bool ask_who(struct asking *asking)
{
	REPLY_AUTO reply = {0};

	if (asking_ask(asking, REQUEST_WHOAMI, NULL, &reply) != OK)
		return false;
	buf_append(&asking->who_text, reply.text, reply.len);
	return !buf_failed(&asking->who_text) &&
	       reply_read(&asking->who, asking->who_text.bytes, asking->who_text.len) == OK;
}

/* Whatever is wrong with a name the daemon would have to refuse. */
static bool has_place(const struct complete_line *line, bool needs_key)
{
	return line->integration != NULL &&
	       text_is_integration_name(line->integration, strlen(line->integration)) &&
	       (!needs_key || (line->key != NULL && text_check_key(line->key, strlen(line->key)) == OK));
}

/* {"integration":…} or with its key. */
static void write_place(const struct complete_line *line, bool has_key, struct buf *out)
{
	struct json_writer w = json_writer(out);

	json_begin_object(&w);
	json_put_string(&w, field_info(FIELD_INTEGRATION)->wire, line->integration);
	if (has_key)
		json_put_string(&w, field_info(FIELD_KEY)->wire, line->key);
	json_end_object(&w);
}

/* Whether the entries of a list have one of this name. */
static bool is_listed(struct asking *asking, enum request_kind kind, const struct buf *params,
	const char *list, const char *member, const char *name)
{
	REPLY_AUTO reply = {0};
	bool is_told = asking_ask(asking, kind, params, &reply) == OK;
	const struct json_token *array = is_told ? reply_array(&reply, NULL, list) : NULL;

	if (array == NULL)
		return false;
	for (const struct json_token *t = json_first(&reply.doc, array); t != NULL;
		t = json_next(&reply.doc, array, t))
		if (reply_is(&reply, t, member, name))
			return true;
	return false;
}

enum err asking_ask_about(struct asking *asking, enum request_kind kind, bool has_key, struct reply *reply)
{
	const struct complete_line *line = asking->line;
	BUF_AUTO integration = {0};
	BUF_AUTO params = {0};

	if (!has_place(line, has_key) || !asking_may_view(asking, line->integration) ||
		!is_listed(asking, REQUEST_INTEGRATION_LIST, NULL, "integrations", "name", line->integration))
		return ERR_DENIED;
	write_place(line, false, &integration);
	write_place(line, has_key, &params);
	if (buf_failed(&integration) || buf_failed(&params))
		return ERR_INTERNAL;
	if (has_key && !is_listed(asking, REQUEST_SECRET_LIST, &integration, "secrets", "key", line->key))
		return ERR_NOT_FOUND;
	return asking_ask(asking, kind, &params, reply);
}

bool asking_begin(struct asking *asking, const struct complete_line *line)
{
	enum err err = OK;

	*asking = (struct asking){.cli = {.timeout_ms = ASK_MS}, .line = line};
	if (line->socket != NULL)
		err = args_set(&asking->cli.args, SLOT_SOCKET, line->socket);
	else if (line->is_user_vault)
		err = args_set(&asking->cli.args, SLOT_USER, "");
	return err == OK && is_open(asking) && ask_who(asking);
}

void asking_end(struct asking *asking)
{
	reply_clear(&asking->who);
	buf_clear(&asking->who_text);
	cli_deinit(&asking->cli);
}
