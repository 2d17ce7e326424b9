/*
 * One request and its reply.  The request's params may hold a value and are sent from where they lie; the
 * reply is read where it arrived, in locked memory, and wiped as a whole (P1).  A request is sent again only
 * when the first copy cannot have been read, so nothing ever happens twice.  After any doubt about what
 * belongs to which question the connection is closed.
 */
#include "vault.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "gate.h"
#include "place.h"
#include "text.h"

enum {
	REPLY_DEPTH_MAX = 8,
	REPLY_KEYS_MAX = 64,
	METHOD_BYTES_MAX = 64,
	WORD_BYTES_MAX = 32,
	NONCE_BYTES = 32,
};

static const char hello_params[] = "{\"protocol\":[1],\"client\":\"libcoffer/" COFFER_VERSION "\"}";

enum err vault_fail(struct coffer *vault, enum err err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vault->failure.err = err;
	vsnprintf(vault->failure.text, sizeof(vault->failure.text), format, args);
	va_end(args);
	return err;
}

void call_clear(struct coffer *vault)
{
	locked_unmap(&vault->reply.memory);
	free(vault->reply.tokens);
	vault->reply = (struct reply){0};
}

const struct json_token *call_member(
	const struct json_doc *doc, const struct json_token *object, const char *key, enum json_type type)
{
	if (object == NULL || object->type != JSON_OBJECT)
		return NULL;

	const struct json_token *value = json_member(doc, object, key);

	return value != NULL && value->type == type ? value : NULL;
}

static enum err fail_protocol(struct coffer *vault, const char *why)
{
	channel_close(&vault->channel);
	return vault_fail(
		vault, ERR_PROTOCOL, "the answer of %s is not understood: %s", vault->socket_path, why);
}

static enum err fail_channel(struct coffer *vault, enum err err)
{
	const char *why = vault->channel.why;

	channel_close(&vault->channel);
	if (err == ERR_PROTOCOL)
		return fail_protocol(vault, why);
	return vault_fail(vault, err, "no answer from the daemon at %s: %s", vault->socket_path, why);
}

/* The daemon's refusal: its word decides, its sentence is for people. */
static enum err read_refusal(struct coffer *vault, const struct json_token *error)
{
	const struct json_doc *doc = &vault->reply.doc;
	const struct json_token *data = call_member(doc, error, "data", JSON_OBJECT);
	char word[WORD_BYTES_MAX] = "";
	char message[FAILURE_TEXT_BYTES] = "";
	size_t word_len = 0;
	size_t message_len = 0;

	if (json_text(doc, call_member(doc, data, "error", JSON_STRING), word, sizeof(word), &word_len) != OK)
		return fail_protocol(vault, "an error without a known word");

	enum err err = err_from_word(word, word_len);

	if (err_class(err) == ERR_CLASS_LOCAL)
		err = ERR_PROTOCOL;
	if (json_integer(doc, call_member(doc, data, "retry_after_ms", JSON_INTEGER),
		    &vault->failure.retry_after_ms) != OK)
		vault->failure.retry_after_ms = 0;
	if (json_text(doc, call_member(doc, error, "message", JSON_STRING), message, sizeof(message),
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
		return fail_protocol(
			vault, err == ERR_TOO_COMPLEX ? "too complex" : "not one strict JSON object");
	reply->doc = (struct json_doc){.text = text, .tokens = reply->tokens, .count = count};
	return OK;
}

/* Unknown members are ignored.  A refusal of a line that the daemon could not read has the id null. */
static enum err read_reply(struct coffer *vault, size_t len)
{
	enum err err = scan_reply(vault, len);

	if (err != OK)
		return err;

	const struct json_doc *doc = &vault->reply.doc;
	const struct json_token *top = doc->tokens;
	const struct json_token *error = call_member(doc, top, "error", JSON_OBJECT);
	const struct json_token *result = call_member(doc, top, "result", JSON_OBJECT);
	bool is_nameless = call_member(doc, top, "id", JSON_NULL) != NULL;
	int64_t id = 0;
	bool is_ours = json_integer(doc, call_member(doc, top, "id", JSON_INTEGER), &id) == OK &&
		       id == vault->last_id;

	if ((error == NULL) == (result == NULL))
		return fail_protocol(vault, "neither a result nor an error");
	if (error != NULL && (is_ours || is_nameless))
		return read_refusal(vault, error);
	if (!is_ours)
		return fail_protocol(vault, "it belongs to another request");
	vault->reply.result = result;
	return OK;
}

/* One line out, one line in, on an open connection. */
static enum err exchange(
	struct coffer *vault, const char *method, const char *params, size_t params_len, int64_t deadline_ms)
{
	char head[METHOD_BYTES_MAX + 96] = "";
	char tail[] = "}\n";
	size_t len = 0;

	call_clear(vault);
	vault->last_id++;

	int head_len = snprintf(head, sizeof(head),
		"{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"%s\",\"params\":", (long long)vault->last_id,
		method);
	struct iovec pieces[] = {
		{.iov_base = head, .iov_len = (size_t)head_len},
		{.iov_base = (char *)params, .iov_len = params_len},
		{.iov_base = tail, .iov_len = sizeof(tail) - 1},
	};

	if ((size_t)head_len + params_len + 1 > LINE_BYTES_MAX)
		return vault_fail(vault, ERR_TOO_LARGE, "the request is longer than a line may be");

	enum err err = channel_send(&vault->channel, pieces, sizeof(pieces) / sizeof(pieces[0]), deadline_ms);

	if (err == OK)
		err = channel_receive(&vault->channel, &vault->reply.memory, &len, deadline_ms);
	return err == OK ? read_reply(vault, len) : fail_channel(vault, err);
}

/*
 * On kernels without SO_PEERPIDFD the daemon knows which process this is only after it has sent something that
 * the kernel stamps with its pid while the connection stands (P9).
 */
static enum err prove(struct coffer *vault, int64_t deadline_ms)
{
	enum err err = exchange(vault, "hello", hello_params, sizeof(hello_params) - 1, deadline_ms);

	if (err != OK)
		return err;

	const struct json_doc *doc = &vault->reply.doc;
	const struct json_token *challenge = call_member(doc, vault->reply.result, "challenge", JSON_STRING);
	char params[NONCE_BYTES + 16] = "";

	if (challenge == NULL)
		return OK;
	if (challenge->len != NONCE_BYTES || challenge->has_escape)
		return fail_protocol(vault, "a challenge of another kind");

	int len = snprintf(
		params, sizeof(params), "{\"nonce\":\"%.*s\"}", NONCE_BYTES, json_raw(doc, challenge));

	return exchange(vault, "session.prove", params, (size_t)len, deadline_ms);
}

/* Whether there is a daemon is not for this user to know; waiting for one helps nobody. */
static enum err fail_forbidden(struct coffer *vault)
{
	vault->failure.retry_after_ms = -1;
	return vault_fail(
		vault, ERR_UNREACHABLE, "this user may not reach the socket %s", vault->socket_path);
}

static enum err connect_vault(struct coffer *vault, int64_t deadline_ms)
{
	struct sockaddr_un address = {0};
	const char *why = NULL;
	enum err err = place_check(vault->socket_path, &address, &why);

	if (err == ERR_UNSAFE_SOCKET)
		return vault_fail(
			vault, err, "the socket %s is not safe to use: %s", vault->socket_path, why);
	if (err == ERR_DENIED)
		return fail_forbidden(vault);
	if (err != OK)
		return vault_fail(vault, err, "no daemon at %s: %s", vault->socket_path, why);
	err = channel_connect(&vault->channel, &address, deadline_ms);
	if (err == ERR_DENIED)
		return fail_forbidden(vault);
	if (err == ERR_UNREACHABLE)
		return vault_fail(vault, err, "no daemon at %s: %s", vault->socket_path, vault->channel.why);
	if (err != OK)
		return fail_channel(vault, err);
	if (!vault->channel.needs_proof)
		return OK;
	err = prove(vault, deadline_ms);
	if (err != OK)
		channel_close(&vault->channel);
	return err;
}

static enum err check_request(struct coffer *vault, const char *method, const char *params, size_t params_len)
{
	size_t method_len = strlen(method);

	if (method_len > METHOD_BYTES_MAX || !text_is_word(method, method_len))
		return vault_fail(vault, ERR_USAGE, "not the name of a method");
	if (params_len > LINE_BYTES_MAX)
		return vault_fail(vault, ERR_TOO_LARGE, "the request is longer than a line may be");
	/* Two lines would be two requests, and the second answer would be taken for that of a later call. */
	if (memchr(params, '\n', params_len) != NULL)
		return vault_fail(vault, ERR_USAGE, "params must be one line");
	return OK;
}

enum err call_method(struct coffer *vault, const char *method, const char *params, size_t params_len)
{
	int64_t deadline_ms = channel_deadline(vault->timeout_ms);

	call_clear(vault);
	vault->failure = (struct failure){0};

	enum err err = check_request(vault, method, params, params_len);

	if (err != OK)
		return err;
	if (channel_is_open(&vault->channel)) {
		err = exchange(vault, method, params, params_len, deadline_ms);
		if (err == OK || !vault->channel.is_unread)
			return err;
	}
	err = connect_vault(vault, deadline_ms);
	return err == OK ? exchange(vault, method, params, params_len, deadline_ms) : err;
}
