/*
 * The reply of a fetch: values are written once, into a locked block, which is the whole reply line; nothing of them touches
 * other memory (P1).
 */
#include "env_open.h"

#include <string.h>

#include "base64.h"
#include "holders.h"

static enum err insert_run(struct env_opening *opening)
{
	struct call *call = opening->call;
	struct store_run_version versions[ENV_KEYS_MAX] = {0};
	struct store_run run = env_run(opening, versions);

	if (run.is_staged)
		call_detail(call, "staged");
	return holders_give(call, opening->integration, &run);
}

enum { REPLY_FRAME_BYTES = 512, ITEM_FRAME_BYTES = 192 };

static bool is_better_as_base64(const struct secret *value)
{
	const char *text = (const char *)value->bytes;

	return !gate_is_utf8(text, value->len) ||
	       json_escaped_len(text, value->len) > base64_encoded_len(value->len) + 24;
}

/* An upper bound that is exact in what can be large. */
static size_t reply_size(const struct env_opening *opening)
{
	size_t size = REPLY_FRAME_BYTES + REQUEST_ID_BYTES_MAX;

	for (size_t i = 0; i < opening->count; i++) {
		const struct env_item *item = &opening->items[i];

		size += ITEM_FRAME_BYTES;
		size += item->as_base64 ? base64_encoded_len(item->value.len) + 2
					: json_escaped_len((const char *)item->value.bytes, item->value.len);
	}
	return size;
}

static enum err write_value(struct call *call, struct json_writer *w, const struct env_item *item)
{
	size_t len = base64_encoded_len(item->value.len);
	char *text = NULL;

	json_key(w, "value");
	if (!item->as_base64) {
		json_write_text(w, (const char *)item->value.bytes, item->value.len);
		return OK;
	}
	text = arena_alloc(&call->core->arena, len);
	if (text == NULL)
		return ERR_INTERNAL;
	base64_encode(item->value.bytes, item->value.len, text);
	json_write_text(w, text, len);
	json_put_string(w, "encoding", "base64");
	return OK;
}

static enum err write_items(struct env_opening *opening, struct json_writer *w)
{
	enum err err = OK;

	json_key(w, "env");
	json_begin_array(w);
	for (size_t i = 0; err == OK && i < opening->count; i++) {
		const struct env_item *item = &opening->items[i];

		json_begin_object(w);
		json_put_string(w, "key", item->key);
		err = write_value(opening->call, w, item);
		json_put_integer(w, "version", (int64_t)item->version);
		if (item->expires_ms != 0)
			json_put_time(w, "expires_at", item->expires_ms);
		json_end_object(w);
	}
	json_end_array(w);
	return err;
}

static enum err write_reply(struct env_opening *opening)
{
	struct call *call = opening->call;

	for (size_t i = 0; i < opening->count; i++)
		opening->items[i].as_base64 = is_better_as_base64(&opening->items[i].value);

	size_t size = reply_size(opening);
	struct buf buf = {0};
	enum err err = pool_take(call->core->replies, call->who->uid, size, &call->secret_block);

	if (err != OK)
		return call_refuse(call, err, "no locked memory for the reply",
			"too many replies are on their way; try again");
	buf_init_fixed(&buf, (char *)call->secret_block.bytes, size);

	struct json_writer w = json_writer(&buf);

	json_begin_object(&w);
	json_put_string(&w, "jsonrpc", "2.0");
	json_key(&w, "id");
	json_write_raw(&w, call->exchange->id, call->exchange->id_len);
	json_key(&w, "result");
	json_begin_object(&w);
	json_put_string(&w, "integration", opening->integration->name);
	json_put_string(&w, "run", call->record.run);
	err = write_items(opening, &w);
	json_end_object(&w);
	json_end_object(&w);
	buf_append_byte(&buf, '\n');
	if (err == OK && buf_failed(&buf))
		err = ERR_INTERNAL;
	call->secret_len = buf.len;
	return err;
}

enum err env_values_deliver(struct call *call, const struct integration *integration, enum env_scope scope)
{
	struct env_opening *opening = env_opening_new(call, integration, scope);
	enum err err = opening == NULL ? ERR_INTERNAL : env_open(opening);

	if (err == OK)
		err = insert_run(opening);
	if (err == OK)
		err = write_reply(opening);
	return err;
}
