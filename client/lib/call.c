/*
 * One request and its reply, and the events behind it.  The request's params may hold a value and are sent from
 * where they lie (P1).  A request is sent again only when the first copy cannot have been read, so nothing ever
 * happens twice.  What the lines mean is answer.c's.
 */
#include "vault.h"

#include <stdio.h>
#include <string.h>

#include "frame.h"
#include "place.h"
#include "text.h"

enum { METHOD_BYTES_MAX = 64, NONCE_BYTES = 32 };

static const char hello_params[] = "{\"protocol\":[1],\"client\":\"libcoffer/" COFFER_VERSION "\"}";

struct request {
	const char *method;
	const char *params;
	size_t params_len;
	bool is_watch; /* events may follow its answer */
};

/* One line out, one line in, on an open connection. */
static enum err exchange(struct coffer *vault, const struct request *request, int64_t deadline_ms)
{
	char head[METHOD_BYTES_MAX + 96] = "";
	char tail[] = "}\n";
	size_t len = 0;

	answer_clear(vault);
	vault->last_id++;

	int head_len = snprintf(head, sizeof(head),
		"{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"%s\",\"params\":", (long long)vault->last_id,
		request->method);
	struct iovec pieces[] = {
		{.iov_base = head, .iov_len = (size_t)head_len},
		{.iov_base = (char *)request->params, .iov_len = request->params_len},
		{.iov_base = tail, .iov_len = sizeof(tail) - 1},
	};

	if ((size_t)head_len + request->params_len + 1 > LINE_BYTES_MAX)
		return vault_fail(vault, ERR_TOO_LARGE, "the request is longer than a line may be");
	vault->channel.has_events = request->is_watch;

	enum err err = channel_send(&vault->channel, pieces, sizeof(pieces) / sizeof(pieces[0]), deadline_ms);

	if (err == OK)
		err = channel_receive(&vault->channel, &vault->reply.memory, &len, deadline_ms);
	return err == OK ? answer_read(vault, len) : answer_failed(vault, err);
}

/*
 * On kernels without SO_PEERPIDFD the daemon knows which process this is only after it has sent something that
 * the kernel stamps with its pid while the connection stands (P9).
 */
static enum err prove(struct coffer *vault, int64_t deadline_ms)
{
	struct request hello = {"hello", hello_params, sizeof(hello_params) - 1, false};
	enum err err = exchange(vault, &hello, deadline_ms);

	if (err != OK)
		return err;

	const struct json_doc *doc = &vault->reply.doc;
	const struct json_token *challenge =
		answer_member(doc, vault->reply.result, "challenge", JSON_STRING);
	char params[NONCE_BYTES + 16] = "";

	if (challenge == NULL)
		return OK;
	if (challenge->len != NONCE_BYTES || challenge->has_escape)
		return answer_misunderstood(vault, "a challenge of another kind");

	int len = snprintf(
		params, sizeof(params), "{\"nonce\":\"%.*s\"}", NONCE_BYTES, json_raw(doc, challenge));

	return exchange(vault, &(struct request){"session.prove", params, (size_t)len, false}, deadline_ms);
}

/* The daemon says no more than that; its record says which of the reasons it was. */
static enum err show_token(struct coffer *vault, int64_t deadline_ms)
{
	struct request shown = {
		"session.authenticate", (const char *)vault->token.memory.bytes, vault->token.len, false};
	enum err err = exchange(vault, &shown, deadline_ms);

	return err == ERR_DENIED ? vault_fail(vault, err, "the daemon does not accept the token") : err;
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
		return answer_failed(vault, err);
	if (vault->channel.needs_proof)
		err = prove(vault, deadline_ms);
	if (err == OK && token_is_there(vault))
		err = show_token(vault, deadline_ms);
	if (err != OK)
		channel_close(&vault->channel);
	return err;
}

static enum err check_request(struct coffer *vault, const struct request *request)
{
	size_t method_len = strlen(request->method);

	if (method_len > METHOD_BYTES_MAX || !text_is_word(request->method, method_len))
		return vault_fail(vault, ERR_USAGE, "not the name of a method");
	if (request->params_len > LINE_BYTES_MAX)
		return vault_fail(vault, ERR_TOO_LARGE, "the request is longer than a line may be");
	/* Two lines would be two requests, and the second answer would be taken for that of a later call. */
	if (memchr(request->params, '\n', request->params_len) != NULL)
		return vault_fail(vault, ERR_USAGE, "params must be one line");
	return OK;
}

static enum err call(struct coffer *vault, const struct request *request)
{
	int64_t deadline_ms = channel_deadline(vault->timeout_ms);

	answer_clear(vault);
	vault->failure = (struct failure){0};

	enum err err = check_request(vault, request);

	if (err != OK)
		return err;
	/* Events would come between its answers. */
	if (vault->channel.has_events)
		channel_close(&vault->channel);
	if (channel_is_open(&vault->channel)) {
		err = exchange(vault, request, deadline_ms);
		if (err == OK || !vault->channel.is_unread)
			return err;
	}
	err = connect_vault(vault, deadline_ms);
	return err == OK ? exchange(vault, request, deadline_ms) : err;
}

enum err call_connect(struct coffer *vault)
{
	answer_clear(vault);
	vault->failure = (struct failure){0};
	channel_close(&vault->channel);
	return connect_vault(vault, channel_deadline(vault->timeout_ms));
}

enum err call_method(struct coffer *vault, const char *method, const char *params, size_t params_len)
{
	return call(vault, &(struct request){method, params, params_len, false});
}

enum err call_watch(struct coffer *vault, const char *params, size_t params_len)
{
	enum err err = call(vault, &(struct request){"env.watch", params, params_len, true});

	/* Without a subscription nothing may follow the refusal, and nothing that did may be kept. */
	if (err != OK)
		channel_close(&vault->channel);
	return err;
}

enum err call_next_event(struct coffer *vault, int64_t deadline_ms, enum coffer_event *event_out)
{
	enum err err = ERR_NOT_FOUND;

	vault->failure = (struct failure){0};
	while (err == ERR_NOT_FOUND) {
		size_t len = 0;

		answer_clear(vault);
		err = channel_receive(&vault->channel, &vault->reply.memory, &len, deadline_ms);
		if (err == ERR_TIMEOUT)
			return vault_fail(vault, err, "no event came");
		err = err == OK ? answer_read_event(vault, len, event_out) : answer_failed(vault, err);
	}
	if (err != OK || *event_out == COFFER_EVENT_ENDED)
		channel_close(&vault->channel);
	return err;
}
