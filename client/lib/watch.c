/*
 * Life after the fetch: the subscription to changes, and the word that values have been wiped.  A subscription is the
 * connection itself: whatever closes it, a fork included, ends it.  Lines and their order are call.c's.
 */
#include "coffer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "text.h"
#include "vault.h"

static enum err watch(struct coffer *vault, const char *integration)
{
	BUF_AUTO params = {0};
	struct json_writer w = json_writer(&params);
	enum err err = OK;

	vault->failure = (struct failure){0};
	err = vault_check_integration(vault, integration);
	if (err != OK)
		return err;
	json_begin_object(&w);
	if (integration != NULL)
		json_put_string(&w, "integration", integration);
	json_end_object(&w);
	if (buf_failed(&params))
		return vault_fail(vault, ERR_INTERNAL, "out of memory");
	return call_watch(vault, params.bytes, params.len);
}

int coffer_watch(coffer *vault, const char *integration, const char **json_out, size_t *len_out)
{
	if (vault == NULL || json_out == NULL || len_out == NULL)
		return COFFER_USAGE;

	enum err err = watch(vault, integration);

	if (err == OK)
		vault_show_result(vault, json_out, len_out);
	return err_number(err);
}

int coffer_watch_fd(const coffer *vault)
{
	if (vault == NULL || !vault->channel.has_events || vault->channel.owner != getpid())
		return -1;
	return vault->channel.fd;
}

int coffer_watch_next(
	coffer *vault, int timeout_ms, enum coffer_event *event_out, const char **json_out, size_t *len_out)
{
	enum coffer_event event = 0;
	const char *json = NULL;
	size_t len = 0;

	if (vault == NULL)
		return COFFER_USAGE;
	if (!channel_is_open(&vault->channel) || !vault->channel.has_events)
		return err_number(
			vault_fail(vault, ERR_USAGE, "no subscription: coffer_watch comes before the wait"));

	enum err err = call_next_event(vault, channel_deadline(timeout_ms), &event);

	if (err != OK)
		return err_number(err);
	vault_show_result(vault, &json, &len);
	*(event_out != NULL ? event_out : &event) = event;
	*(json_out != NULL ? json_out : &json) = json;
	*(len_out != NULL ? len_out : &len) = len;
	return COFFER_OK;
}

int coffer_release(coffer *vault, const char *run)
{
	char params[RUN_ID_BYTES + 16] = "";

	if (vault == NULL || run == NULL || !text_is_run(run, strlen(run)))
		return COFFER_USAGE;

	int len = snprintf(params, sizeof(params), "{\"run\":\"%s\"}", run);
	enum err err = call_method(vault, "holder.release", params, (size_t)len);

	answer_clear(vault);
	return err_number(err);
}
