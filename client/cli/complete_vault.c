/*
 * Asks the daemon who the caller is, and from then on only for what such a caller may see.
 */
#include "complete_vault.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "text.h"

enum { ASK_MS = 1000, WORD_BYTES = 512, TEXT_BYTES = 512 };

struct asking {
	struct cli cli;
	const struct complete_line *line;
	struct candidates *candidates;
	struct reply who; /* owns a copy of its text */
	struct buf who_text;
};

/* What a list's entry becomes: the word, and what it says about it. */
struct shape {
	const char *list;
	const char *word; /* a member, a text or a number */
	const char *text;
	const char *only; /* NULL, or the state that it must have */
};

static const struct shape integrations = {.list = "integrations", .word = "name", .text = "title"};
static const struct shape owners = {.list = "integrations", .word = "owner", .text = "contact"};
static const struct shape secrets = {.list = "secrets", .word = "key", .text = "description"};

/* ---- who asks ---- */

static bool lists(const struct reply *reply, const char *member, const char *text)
{
	const struct json_token *array = reply_array(reply, NULL, member);

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

/* Whether asking about the integration (NULL: all that there are) is a viewer's right. */
static bool may_view(const struct asking *asking, const char *integration)
{
	if (has_any(&asking->who, "roles"))
		return true;
	return integration == NULL ? has_any(&asking->who, "manages")
				   : lists(&asking->who, "manages", integration);
}

static enum err ask(
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

	return ask(asking, REQUEST_HELLO, NULL, &reply) == OK && !reply_flag(&reply, NULL, "sealed");
}

/* What comes later takes the place of the connection's memory, so the text is kept. */
static bool ask_who(struct asking *asking)
{
	REPLY_AUTO reply = {0};

	if (ask(asking, REQUEST_WHOAMI, NULL, &reply) != OK)
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
	const struct shape *shape, const char *name)
{
	REPLY_AUTO reply = {0};
	bool is_told = ask(asking, kind, params, &reply) == OK;
	const struct json_token *array = is_told ? reply_array(&reply, NULL, shape->list) : NULL;

	if (array == NULL)
		return false;
	for (const struct json_token *t = json_first(&reply.doc, array); t != NULL;
		t = json_next(&reply.doc, array, t))
		if (reply_is(&reply, t, shape->word, name))
			return true;
	return false;
}

/* What is not there would be refused, too. */
static enum err ask_about(struct asking *asking, enum request_kind kind, bool has_key, struct reply *reply)
{
	const struct complete_line *line = asking->line;
	BUF_AUTO integration = {0};
	BUF_AUTO params = {0};

	if (!has_place(line, has_key) || !may_view(asking, line->integration) ||
		!is_listed(asking, REQUEST_INTEGRATION_LIST, NULL, &integrations, line->integration))
		return ERR_DENIED;
	write_place(line, false, &integration);
	write_place(line, has_key, &params);
	if (buf_failed(&integration) || buf_failed(&params))
		return ERR_INTERNAL;
	if (has_key && !is_listed(asking, REQUEST_SECRET_LIST, &integration, &secrets, line->key))
		return ERR_NOT_FOUND;
	return ask(asking, kind, &params, reply);
}

/* ---- lists ---- */

static void add_entry(struct asking *asking, const struct reply *reply, const struct json_token *entry,
	const struct shape *shape)
{
	const struct json_token *value = reply_at(reply, entry, shape->word);
	char word[WORD_BYTES] = "";
	BUF_AUTO text = {0};

	if (shape->only != NULL && !reply_is(reply, entry, "state", shape->only))
		return;
	if (value != NULL && value->type == JSON_INTEGER)
		(void)snprintf(word, sizeof(word), "%" PRId64, reply_integer(reply, entry, shape->word));
	else
		reply_text(reply, entry, shape->word, word, sizeof(word));
	reply_show(&text, reply, reply_at(reply, entry, shape->text), SHOW_TEXT);
	buf_append_byte(&text, '\0');
	candidates_add_once(asking->candidates, word, buf_failed(&text) ? NULL : text.bytes);
}

static void add_all(struct asking *asking, const struct reply *reply, const struct shape *shape)
{
	const struct json_token *array = reply_array(reply, NULL, shape->list);

	if (array == NULL)
		return;
	for (const struct json_token *t = json_first(&reply->doc, array); t != NULL;
		t = json_next(&reply->doc, array, t))
		add_entry(asking, reply, t, shape);
}

/* Names in a list of whoami. */
static void add_names(struct asking *asking, const char *member)
{
	const struct reply *who = &asking->who;
	const struct json_token *array = reply_array(who, NULL, member);
	char word[WORD_BYTES] = "";
	size_t len = 0;

	if (array == NULL)
		return;
	for (const struct json_token *t = json_first(&who->doc, array); t != NULL;
		t = json_next(&who->doc, array, t))
		if (json_text(&who->doc, t, word, sizeof(word), &len) == OK)
			candidates_add_once(asking->candidates, word, NULL);
}

static void add_granted(struct asking *asking)
{
	add_names(asking, "integrations");
	add_names(asking, "staged_only");
}

static void add_of_integrations(struct asking *asking, const struct shape *shape)
{
	REPLY_AUTO reply = {0};

	if (may_view(asking, NULL) && ask(asking, REQUEST_INTEGRATION_LIST, NULL, &reply) == OK)
		add_all(asking, &reply, shape);
}

static void add_integrations(struct asking *asking)
{
	add_of_integrations(asking, &integrations);
	add_granted(asking);
}

static void add_owners(struct asking *asking)
{
	add_of_integrations(asking, &owners);
}

static void add_workspaces(struct asking *asking)
{
	REPLY_AUTO reply = {0};
	bool is_told = may_view(asking, NULL) && ask(asking, REQUEST_INTEGRATION_LIST, NULL, &reply) == OK;
	const struct json_token *array = is_told ? reply_array(&reply, NULL, "integrations") : NULL;

	if (array == NULL)
		return;
	for (const struct json_token *t = json_first(&reply.doc, array); t != NULL;
		t = json_next(&reply.doc, array, t)) {
		char name[WORD_BYTES] = "";

		reply_text(&reply, t, "name", name, sizeof(name));
		if (strchr(name, '/') != NULL) {
			*strchr(name, '/') = '\0';
			candidates_add_once(asking->candidates, name, NULL);
		}
	}
}

static void add_keys(struct asking *asking)
{
	REPLY_AUTO reply = {0};

	if (ask_about(asking, REQUEST_SECRET_LIST, false, &reply) == OK)
		add_all(asking, &reply, &secrets);
}

/* Of what the command can do something with. */
static const char *state_of_versions(const struct complete_line *line)
{
	enum request_kind kind = line->command == NULL ? REQUEST_COUNT : line->command->kind;

	return kind == REQUEST_SECRET_PROMOTE    ? "staged"
	       : kind == REQUEST_SECRET_ROLLBACK ? "draining"
						 : NULL;
}

static void add_versions(struct asking *asking)
{
	const struct shape shape = {.list = "versions",
		.word = "version",
		.text = "state",
		.only = state_of_versions(asking->line)};
	REPLY_AUTO reply = {0};

	if (ask_about(asking, REQUEST_SECRET_SHOW, true, &reply) == OK)
		add_all(asking, &reply, &shape);
}

static void add_requests(struct asking *asking)
{
	static const struct shape shape = {
		.list = "requests", .word = "id", .text = "subject", .only = "pending"};
	REPLY_AUTO reply = {0};

	if (may_view(asking, NULL) && ask(asking, REQUEST_APPROVAL_LIST, NULL, &reply) == OK)
		add_all(asking, &reply, &shape);
}

static void add_objects(struct asking *asking)
{
	static const struct shape grants = {.list = "grants", .word = "id", .text = "rule"};
	static const struct shape tokens = {.list = "tokens", .word = "id", .text = "name", .only = "active"};
	enum request_kind kind = asking->line->command->kind;
	REPLY_AUTO reply = {0};

	if (kind == REQUEST_APPROVAL_APPROVE || kind == REQUEST_APPROVAL_REJECT)
		add_requests(asking);
	else if (kind == REQUEST_GRANT_REMOVE && ask_about(asking, REQUEST_GRANT_LIST, false, &reply) == OK)
		add_all(asking, &reply, &grants);
	else if (kind == REQUEST_TOKEN_REVOKE && ask_about(asking, REQUEST_TOKEN_LIST, false, &reply) == OK)
		add_all(asking, &reply, &tokens);
}

static void add_alerts(struct asking *asking)
{
	static const struct shape shape = {.list = "alerts", .word = "id", .text = "text"};
	REPLY_AUTO reply = {0};

	if (may_view(asking, NULL) && ask(asking, REQUEST_ALERT_LIST, NULL, &reply) == OK)
		add_all(asking, &reply, &shape);
}

static void (*const adders[])(struct asking *asking) = {
	[WANT_INTEGRATION] = add_integrations,
	[WANT_GRANTED] = add_granted,
	[WANT_KEY] = add_keys,
	[WANT_KEYS] = add_keys,
	[WANT_VERSION] = add_versions,
	[WANT_OBJECT] = add_objects,
	[WANT_ALERT] = add_alerts,
	[WANT_OWNER] = add_owners,
	[WANT_WORKSPACE] = add_workspaces,
};

void complete_vault_add(const struct complete_line *line, struct candidates *candidates)
{
	struct asking asking = {.cli = {.timeout_ms = ASK_MS}, .line = line, .candidates = candidates};
	size_t wanted = line->wanted;
	enum err err = OK;

	if (wanted >= sizeof(adders) / sizeof(adders[0]) || adders[wanted] == NULL)
		return;
	if (line->socket != NULL)
		err = args_set(&asking.cli.args, SLOT_SOCKET, line->socket);
	else if (line->is_user_vault)
		err = args_set(&asking.cli.args, SLOT_USER, "");
	if (err == OK && is_open(&asking) && ask_who(&asking))
		adders[wanted](&asking);
	reply_clear(&asking.who);
	buf_clear(&asking.who_text);
	cli_deinit(&asking.cli);
}
