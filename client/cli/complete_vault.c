/*
 * Turns lists of the daemon's into candidates.
 */
#include "complete_vault.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "complete_ask.h"

enum { WORD_BYTES = 512 };

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

struct adding {
	struct asking asking;
	struct candidates *candidates;
};

static void add_entry(struct adding *adding, const struct reply *reply, const struct json_token *entry,
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
	candidates_add_once(adding->candidates, word, buf_failed(&text) ? NULL : text.bytes);
}

static void add_all(struct adding *adding, const struct reply *reply, const struct shape *shape)
{
	const struct json_token *array = reply_array(reply, NULL, shape->list);

	if (array == NULL)
		return;
	for (const struct json_token *t = json_first(&reply->doc, array); t != NULL;
		t = json_next(&reply->doc, array, t))
		add_entry(adding, reply, t, shape);
}

/* Names in a list of whoami. */
static void add_names(struct adding *adding, const char *member)
{
	const struct reply *who = &adding->asking.who;
	const struct json_token *array = reply_array(who, NULL, member);
	char word[WORD_BYTES] = "";
	size_t len = 0;

	if (array == NULL)
		return;
	for (const struct json_token *t = json_first(&who->doc, array); t != NULL;
		t = json_next(&who->doc, array, t))
		if (json_text(&who->doc, t, word, sizeof(word), &len) == OK)
			candidates_add_once(adding->candidates, word, NULL);
}

static void add_granted(struct adding *adding)
{
	add_names(adding, "integrations");
	add_names(adding, "staged_only");
}

static void add_of_integrations(struct adding *adding, const struct shape *shape)
{
	REPLY_AUTO reply = {0};

	if (asking_may_view(&adding->asking, NULL) &&
		asking_ask(&adding->asking, REQUEST_INTEGRATION_LIST, NULL, &reply) == OK)
		add_all(adding, &reply, shape);
}

static void add_integrations(struct adding *adding)
{
	add_of_integrations(adding, &integrations);
	add_granted(adding);
}

static void add_owners(struct adding *adding)
{
	add_of_integrations(adding, &owners);
}

static void add_workspaces(struct adding *adding)
{
	REPLY_AUTO reply = {0};
	bool is_told = asking_may_view(&adding->asking, NULL) &&
		       asking_ask(&adding->asking, REQUEST_INTEGRATION_LIST, NULL, &reply) == OK;
	const struct json_token *array = is_told ? reply_array(&reply, NULL, "integrations") : NULL;

	if (array == NULL)
		return;
	for (const struct json_token *t = json_first(&reply.doc, array); t != NULL;
		t = json_next(&reply.doc, array, t)) {
		char name[WORD_BYTES] = "";

		reply_text(&reply, t, "name", name, sizeof(name));
		if (strchr(name, '/') != NULL) {
			*strchr(name, '/') = '\0';
			candidates_add_once(adding->candidates, name, NULL);
		}
	}
}

static void add_keys(struct adding *adding)
{
	REPLY_AUTO reply = {0};

	if (asking_ask_about(&adding->asking, REQUEST_SECRET_LIST, false, &reply) == OK)
		add_all(adding, &reply, &secrets);
}

/* Of what the command can do something with. */
static const char *state_of_versions(const struct complete_line *line)
{
	enum request_kind kind = line->command == NULL ? REQUEST_COUNT : line->command->kind;

	return kind == REQUEST_SECRET_PROMOTE    ? "staged"
	       : kind == REQUEST_SECRET_ROLLBACK ? "draining"
						 : NULL;
}

static void add_versions(struct adding *adding)
{
	const struct shape shape = {.list = "versions",
		.word = "version",
		.text = "state",
		.only = state_of_versions(adding->asking.line)};
	REPLY_AUTO reply = {0};

	if (asking_ask_about(&adding->asking, REQUEST_SECRET_SHOW, true, &reply) == OK)
		add_all(adding, &reply, &shape);
}

static void add_requests(struct adding *adding)
{
	static const struct shape shape = {
		.list = "requests", .word = "id", .text = "subject", .only = "pending"};
	REPLY_AUTO reply = {0};

	if (asking_may_view(&adding->asking, NULL) &&
		asking_ask(&adding->asking, REQUEST_APPROVAL_LIST, NULL, &reply) == OK)
		add_all(adding, &reply, &shape);
}

static void add_objects(struct adding *adding)
{
	static const struct shape grants = {.list = "grants", .word = "id", .text = "rule"};
	static const struct shape tokens = {.list = "tokens", .word = "id", .text = "name", .only = "active"};
	enum request_kind kind = adding->asking.line->command->kind;
	REPLY_AUTO reply = {0};

	if (kind == REQUEST_APPROVAL_APPROVE || kind == REQUEST_APPROVAL_REJECT)
		add_requests(adding);
	else if (kind == REQUEST_GRANT_REMOVE &&
		 asking_ask_about(&adding->asking, REQUEST_GRANT_LIST, false, &reply) == OK)
		add_all(adding, &reply, &grants);
	else if (kind == REQUEST_TOKEN_REVOKE &&
		 asking_ask_about(&adding->asking, REQUEST_TOKEN_LIST, false, &reply) == OK)
		add_all(adding, &reply, &tokens);
}

static void add_alerts(struct adding *adding)
{
	static const struct shape shape = {.list = "alerts", .word = "id", .text = "text"};
	REPLY_AUTO reply = {0};

	if (asking_may_view(&adding->asking, NULL) &&
		asking_ask(&adding->asking, REQUEST_ALERT_LIST, NULL, &reply) == OK)
		add_all(adding, &reply, &shape);
}

static void (*const adders[])(struct adding *adding) = {
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
	struct adding adding = {.candidates = candidates};
	size_t wanted = line->wanted;

	if (wanted >= sizeof(adders) / sizeof(adders[0]) || adders[wanted] == NULL)
		return;
	if (asking_begin(&adding.asking, line))
		adders[wanted](&adding);
	asking_end(&adding.asking);
}
