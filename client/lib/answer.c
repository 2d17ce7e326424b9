/*
 * What a line from the daemon means: a result, a refusal, an event, or nothing that can be believed.  Read where it
 * arrived, in locked memory, and wiped as a whole (P1).  After any doubt the connection is closed.
 */
#include "vault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gate.h"
#include "text.h"

enum { REPLY_DEPTH_MAX = 8, REPLY_KEYS_MAX = 64, WORD_BYTES_MAX = 32 };

enum err vault_fail(struct coffer *vault, enum err err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vault->failure.err = err;
	vsnprintf(vault->failure.text, sizeof(vault->failure.text), format, args);
	va_end(args);
	return err;
}

void answer_clear(struct coffer *vault)
{
	locked_unmap(&vault->reply.memory);
	free(vault->reply.tokens);
	vault->reply = (struct reply){0};
}

const struct json_token *answer_member(
	const struct json_doc *doc, const struct json_token *object, const char *key, enum json_type type)
{
	if (object == NULL || object->type != JSON_OBJECT)
		return NULL;

	const struct json_token *value = json_member(doc, object, key);

	return value != NULL && value->type == type ? value : NULL;
}

enum err answer_misunderstood(struct coffer *vault, const char *why)
{
	channel_close(&vault->channel);
	return vault_fail(
		vault, ERR_PROTOCOL, "the answer of %s is not understood: %s", vault->socket_path, why);
}

enum err answer_failed(struct coffer *vault, enum err err)
{
	const char *why = vault->channel.why;

	channel_close(&vault->channel);
	if (err == ERR_PROTOCOL)
		return answer_misunderstood(vault, why);
	return vault_fail(vault, err, "no answer from the daemon at %s: %s", vault->socket_path, why);
}

/* The daemon's refusal: its word decides, its sentence is for people. */
static enum err read_refusal(struct coffer *vault, const struct json_token *error)
{
	const struct json_doc *doc = &vault->reply.doc;
	const struct json_token *data = answer_member(doc, error, "data", JSON_OBJECT);
	char word[WORD_BYTES_MAX] = "";
	char message[FAILURE_TEXT_BYTES] = "";
	size_t word_len = 0;
	size_t message_len = 0;

	if (json_text(doc, answer_member(doc, data, "error", JSON_STRING), word, sizeof(word), &word_len) !=
		OK)
		return answer_misunderstood(vault, "an error without a known word");

	enum err err = err_from_word(word, word_len);

	if (err_class(err) == ERR_CLASS_LOCAL)
		err = ERR_PROTOCOL;
	vault->reply.error_data = data;
	if (json_integer(doc, answer_member(doc, data, "retry_after_ms", JSON_INTEGER),
		    &vault->failure.retry_after_ms) != OK)
		vault->failure.retry_after_ms = 0;
	if (json_text(doc, answer_member(doc, error, "message", JSON_STRING), message, sizeof(message),
		    &message_len) != OK ||
		message_len == 0 || !text_is_line(message, message_len))
		return vault_fail(vault, err, "%s", err_text(err));
	return vault_fail(vault, err, "%s", message);
}

/* Every token but the first takes two bytes at least, so this many always suffice; untouched ones cost nothing. */
static uint32_t tokens_for(size_t len)
{
	return (uint32_t)(len / 2 + 2);
}

static enum err scan_reply(struct coffer *vault, size_t len)
{
	struct reply *reply = &vault->reply;
	const char *text = (const char *)reply->memory.bytes;
	struct gate_limits limits = {REPLY_DEPTH_MAX, tokens_for(len), REPLY_KEYS_MAX};
	uint32_t count = 0;

	reply->tokens = malloc(limits.tokens_max * sizeof(*reply->tokens));
	if (reply->tokens == NULL)
		return vault_fail(vault, ERR_INTERNAL, "out of memory");

	enum err err = gate_scan(text, len, &limits, reply->tokens, &count);

	if (err != OK)
		return answer_misunderstood(
			vault, err == ERR_TOO_COMPLEX ? "too complex" : "not one strict JSON object");
	reply->doc = (struct json_doc){.text = text, .tokens = reply->tokens, .count = count};
	return OK;
}

/* Unknown members are ignored.  A refusal of a line that the daemon could not read has the id null. */
enum err answer_read(struct coffer *vault, size_t len)
{
	enum err err = scan_reply(vault, len);

	if (err != OK)
		return err;

	const struct json_doc *doc = &vault->reply.doc;
	const struct json_token *top = doc->tokens;
	const struct json_token *error = answer_member(doc, top, "error", JSON_OBJECT);
	const struct json_token *result = answer_member(doc, top, "result", JSON_OBJECT);
	bool is_nameless = answer_member(doc, top, "id", JSON_NULL) != NULL;
	int64_t id = 0;
	bool is_ours = json_integer(doc, answer_member(doc, top, "id", JSON_INTEGER), &id) == OK &&
		       id == vault->last_id;

	if ((error == NULL) == (result == NULL))
		return answer_misunderstood(vault, "neither a result nor an error");
	if (error != NULL && (is_ours || is_nameless))
		return read_refusal(vault, error);
	if (!is_ours)
		return answer_misunderstood(vault, "it belongs to another request");
	vault->reply.result = result;
	return OK;
}

/* Lines of a kind that this version does not know are passed over. */
enum err answer_read_event(struct coffer *vault, size_t len, enum coffer_event *event_out)
{
	static const struct {
		const char *method;
		enum coffer_event event;
	} events[] = {
		{"env.changed", COFFER_EVENT_CHANGED},
		{"watch.overflow", COFFER_EVENT_OVERFLOW},
		{"watch.ended", COFFER_EVENT_ENDED},
	};
	enum err err = scan_reply(vault, len);

	if (err != OK)
		return err;

	const struct json_doc *doc = &vault->reply.doc;
	const struct json_token *method = answer_member(doc, doc->tokens, "method", JSON_STRING);

	if (method == NULL || json_member(doc, doc->tokens, "id") != NULL)
		return answer_misunderstood(vault, "a line that is no event");
	vault->reply.result = answer_member(doc, doc->tokens, "params", JSON_OBJECT);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (!json_equals(doc, method, events[i].method))
			continue;
		*event_out = events[i].event;
		return vault->reply.result != NULL ? OK
						   : answer_misunderstood(vault, "an event without params");
	}
	return ERR_NOT_FOUND;
}
