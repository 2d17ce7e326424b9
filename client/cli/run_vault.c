/*
 * The daemon's side of `coffer run`, for every way to run.  Whether a failure is worth another try is decided here,
 * once.  What is asked is the callers'.
 */
#include "run_vault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "gate.h"
#include "json.h"
#include "run.h"
#include "run_token.h"
#include "say.h"
#include "text.h"

enum {
	PAUSE_MS_FIRST = 100,
	PAUSE_MS_MAX = 2000,
	CALL_MS_MIN = 1000,
	CALL_MS_MAX = 10000,
	REPORT_MS = 5000,
	WHOAMI_DEPTH_MAX = 8,
	WHOAMI_TOKENS_MAX = 4096,
};

/* The way out of an error, for people. */
static const struct {
	int error;
	const char *text;
} ways_out[] = {
	{COFFER_DENIED,
		"`coffer whoami` shows how the daemon sees this process; an administrator can add a grant"},
	{COFFER_NOT_FOUND, "a key that may be without a value is named by --optional"},
	{COFFER_SUSPENDED, "an administrator has suspended it"},
	{COFFER_UNREACHABLE, "is cofferd running?  --wait SECONDS waits for it"},
	{COFFER_SEALED, "an administrator must unseal it; --wait SECONDS waits for that"},
	{COFFER_BUSY, "try again, or let --wait SECONDS do that"},
	{COFFER_RATE_LIMITED, "try again, or let --wait SECONDS do that"},
	{COFFER_TIMEOUT, "try again, or let --wait SECONDS do that"},
	{COFFER_UNSAFE_SOCKET, "--socket PATH or COFFER_SOCKET names another one"},
};

static const char *way_out(int error)
{
	for (size_t i = 0; i < sizeof(ways_out) / sizeof(ways_out[0]); i++) {
		if (ways_out[i].error == error)
			return ways_out[i].text;
	}
	return NULL;
}

int64_t run_now_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void run_pause_ms(int64_t ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		continue;
}

const char *run_integration(const struct run_options *options)
{
	const char *chosen =
		options->integration != NULL ? options->integration : getenv("COFFER_INTEGRATION");

	return chosen != NULL && chosen[0] != '\0' ? chosen : NULL;
}

static int call_timeout(const struct run_options *options)
{
	int wait_ms = options->wait_seconds < CALL_MS_MAX / 1000 ? options->wait_seconds * 1000 : CALL_MS_MAX;

	if (wait_ms == 0)
		return CALL_MS_MAX;
	return wait_ms < CALL_MS_MIN ? CALL_MS_MIN : wait_ms;
}

int run_vault_open(const struct run_options *options, int timeout_ms, coffer **out)
{
	struct coffer_options where = {
		.size = sizeof(where),
		.socket_path = options->socket_path,
		.timeout_ms = timeout_ms != 0 ? timeout_ms : call_timeout(options),
		.flags = options->is_user_vault ? COFFER_USER_VAULT : 0,
	};

	return coffer_open(&where, out);
}

void run_vault_close(coffer **vault)
{
	coffer_close(*vault);
	*vault = NULL;
}

/* Negative: the daemon may well run, but not for this user. */
bool run_is_retry(const coffer *vault, int error)
{
	return coffer_error_is_retry(error) && coffer_retry_after_ms(vault) >= 0;
}

/* A pause that doubles, is at least what the daemon asked for, and ends with the wait. */
int run_call_until(coffer *vault, const struct run_options *options, run_call_fn *call, void *arg)
{
	int64_t end_ms = run_now_ms() + (int64_t)options->wait_seconds * 1000;
	int64_t next_ms = PAUSE_MS_FIRST;

	for (;;) {
		int error = call(vault, arg);
		int64_t left_ms = end_ms - run_now_ms();

		if (error == COFFER_OK || !run_is_retry(vault, error) || left_ms <= 0)
			return error;

		int64_t asked_ms = coffer_retry_after_ms(vault);
		int64_t pause = asked_ms > next_ms ? asked_ms : next_ms;

		run_pause_ms(pause < left_ms ? pause : left_ms);
		next_ms = next_ms * 2 < PAUSE_MS_MAX ? next_ms * 2 : PAUSE_MS_MAX;
	}
}

/* "a, b, c" from the list in whoami's result; false when there is nothing to list. */
static bool list_granted(coffer *vault, struct buf *out)
{
	static const struct gate_limits limits = {WHOAMI_DEPTH_MAX, WHOAMI_TOKENS_MAX, WHOAMI_TOKENS_MAX};
	static struct json_token tokens[WHOAMI_TOKENS_MAX];
	struct json_doc doc = {.tokens = tokens};
	size_t len = 0;

	if (coffer_whoami(vault, &doc.text, &len) != COFFER_OK ||
		gate_scan(doc.text, len, &limits, tokens, &doc.count) != OK)
		return false;

	const struct json_token *list = json_member(&doc, tokens, "integrations");

	if (list == NULL || list->type != JSON_ARRAY)
		return false;
	for (const struct json_token *t = json_first(&doc, list); t != NULL; t = json_next(&doc, list, t)) {
		if (t->type != JSON_STRING || !text_is_integration_name(json_raw(&doc, t), t->len))
			return false;
		buf_append_string(out, out->len > 0 ? ", " : "");
		buf_append(out, json_raw(&doc, t), t->len);
	}
	buf_append_byte(out, '\0');
	return !buf_failed(out) && out->len > 1;
}

/* "; asked for: A, B": the daemon does not tell which of them it does not have. */
static void list_asked(const struct run_names *only, struct buf *out)
{
	for (size_t i = 0; i < only->count; i++) {
		buf_append_string(out, i == 0 ? "; asked for: " : ", ");
		buf_append_string(out, only->name[i]);
	}
}

int run_explain(coffer *vault, const struct run_options *options, int error)
{
	BUF_AUTO granted = {0};
	BUF_AUTO asked = {0};
	const char *integration = run_integration(options);
	bool is_retry = run_is_retry(vault, error);
	bool is_forbidden = error == COFFER_UNREACHABLE && !is_retry;
	bool is_of_token = error == COFFER_DENIED && run_token_is_given(options->token);
	const char *way = is_forbidden  ? NULL
			  : is_of_token ? "`coffer token list` tells an administrator whose the token is and "
					  "whether it is still good"
					: way_out(error);

	if (error == COFFER_CONFIG)
		return RUN_EXIT_REFUSED; /* what is wrong with the token's source has been said */

	if (error == COFFER_CONFLICT && integration == NULL && list_granted(vault, &granted)) {
		say("several integrations are granted, name one of them: ", granted.bytes, NULL);
		return RUN_EXIT_REFUSED;
	}
	if (error == COFFER_NOT_FOUND)
		list_asked(&options->only, &asked);
	buf_append_byte(&asked, '\0');
	say(integration != NULL ? integration : "run", ": ", coffer_error_text(vault, error),
		buf_failed(&asked) ? "" : asked.bytes, way != NULL ? "; " : "", way != NULL ? way : "", NULL);
	return is_retry ? RUN_EXIT_RETRY : RUN_EXIT_REFUSED;
}

void run_report_end(const struct run_options *options, const char *run, int status)
{
	VAULT_AUTO vault = NULL;
	char params[RUN_ID_BYTES + 64] = "";
	const char *result = NULL;
	size_t len = 0;
	int error = run_vault_open(options, REPORT_MS, &vault);

	snprintf(params, sizeof(params), "{\"run\":\"%.*s\",\"exit_status\":%d}", RUN_ID_BYTES, run, status);
	if (error == COFFER_OK)
		error = coffer_call(vault, "run.end", params, strlen(params), &result, &len);
	if (error != COFFER_OK)
		say("the end of run ", run, " could not be reported: ", coffer_error_text(vault, error),
			NULL);
}
