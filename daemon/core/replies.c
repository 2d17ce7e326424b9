/*
 * The line that a caller gets: a result, an error, or the locked block that a fetch has written.  And what
 * to tell when the store could not do its part.
 */
#include "handler.h"

#include <stdio.h>
#include <stdlib.h>

enum { RETRY_AFTER_MS = 1000 };

void reply_clear(struct core *core, struct reply *reply)
{
	if (reply->is_secret)
		pool_give(core->replies, &reply->block);
	else
		free(reply->bytes);
	*reply = (struct reply){0};
}

static void begin_reply(struct json_writer *w, const struct exchange *exchange)
{
	json_begin_object(w);
	json_put_string(w, "jsonrpc", "2.0");
	json_key(w, "id");
	json_write_raw(w, exchange->id, exchange->id_len);
}

/* Without memory for a reply the only honest answer is to close. */
static void end_reply(struct json_writer *w, struct exchange *exchange)
{
	json_end_object(w);
	buf_append_byte(w->buf, '\n');
	if (buf_failed(w->buf)) {
		exchange->reply.must_close = true;
		return;
	}
	exchange->reply.bytes = buf_take(w->buf, &exchange->reply.len);
}

void reply_write_error(struct exchange *exchange, const struct refusal *refusal)
{
	enum err err = refusal->err;
	const char *detail = refusal->detail;
	BUF_AUTO buf = {0};
	struct json_writer w = json_writer(&buf);
	char message[400] = "";

	if (exchange->delivery != NULL)
		return; /* there is no line to answer */
	snprintf(message, sizeof(message), "%s%s%s", err_text(err), detail != NULL ? ": " : "",
		detail != NULL ? detail : "");
	begin_reply(&w, exchange);
	json_key(&w, "error");
	json_begin_object(&w);
	json_put_integer(&w, "code", err_rpc_code(err));
	json_put_string(&w, "message", message);
	json_key(&w, "data");
	json_begin_object(&w);
	json_put_string(&w, "error", err_word(err));
	json_put_bool(&w, "retry", err_class(err) == ERR_CLASS_RETRY);
	if (err == ERR_BUSY || err == ERR_RATE_LIMITED)
		json_put_integer(&w, "retry_after_ms",
			refusal->retry_after_ms > 0 ? refusal->retry_after_ms : RETRY_AFTER_MS);
	if (refusal->data != NULL)
		json_write_raw(&w, refusal->data->bytes, refusal->data->len);
	json_end_object(&w);
	json_end_object(&w);
	end_reply(&w, exchange);
}

void reply_write_result(struct call *call)
{
	BUF_AUTO buf = {0};
	struct json_writer w = json_writer(&buf);

	begin_reply(&w, call->exchange);
	json_key(&w, "result");
	json_write_raw(&w, call->result.bytes, call->result.len);
	end_reply(&w, call->exchange);
}

void reply_take_secret(struct call *call)
{
	struct reply *reply = &call->exchange->reply;

	reply->is_secret = true;
	reply->block = call->secret_block;
	reply->bytes = (char *)call->secret_block.bytes;
	reply->len = call->secret_len;
	call->secret_block = (struct pool_block){0};
}

static bool is_storage(enum err err)
{
	return err == ERR_STORAGE || err == ERR_STORAGE_FULL;
}

enum err reply_store_failure(const struct exchange *exchange, enum err err)
{
	if (!is_storage(err) || exchange->duty == DUTY_CHANGE)
		return err;
	return ERR_AUDIT_UNAVAILABLE;
}

enum err reply_unrecorded(const struct exchange *exchange, enum err refused)
{
	return is_storage(refused) ? reply_store_failure(exchange, refused) : ERR_AUDIT_UNAVAILABLE;
}
