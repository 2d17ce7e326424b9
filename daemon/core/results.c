/*
 * A caller that lost an answer asks again with the same request_id and gets the first result, with no
 * second effect.  "The same" is decided by a keyed MAC over all fields but a value: no hash of a value is
 * ever stored.  The right is checked before this is asked.
 */
#include "handler.h"

#include <stdio.h>
#include <string.h>

#include "canon.h"

enum { REQUEST_ID_TEXT = 33 };

static void content_mac(const struct call *call, unsigned char out[MAC_BYTES])
{
	BUF_AUTO content = {0};

	canon_text(&content, call->info->method);
	for (size_t i = 0; i < call->info->field_count; i++) {
		enum field field = call->info->fields[i].field;
		const struct json_token *token = call->request->field[field];

		if (token == NULL || field == FIELD_VALUE || field == FIELD_REQUEST_ID)
			continue;
		canon_text(&content, field_info(field)->wire);
		canon_u8(&content, (uint8_t)token->type);
		canon_bytes(&content, json_raw(&call->request->doc, token), token->len);
	}
	keys_mac(call->core->keys, "coffer/result/1", content.bytes, content.len, out);
}

struct finding {
	struct call *call;
	unsigned char mac[MAC_BYTES];
};

static enum err on_result(void *arg, const struct store_result *result)
{
	struct finding *finding = arg;

	if (!bytes_equal(finding->mac, result->content_mac, sizeof(finding->mac)))
		return call_refuse(finding->call, ERR_CONFLICT, "request_id reused with other content",
			"this request_id was used for another request");
	buf_append(&finding->call->result, result->result.bytes, result->result.len);
	return OK;
}

enum err results_find(struct call *call)
{
	struct finding finding = {.call = call};
	char id[REQUEST_ID_TEXT] = "";

	if (!request_text(call->request, FIELD_REQUEST_ID, id, sizeof(id)))
		return OK;
	content_mac(call, finding.mac);

	enum err err = store_result_get(
		call->core->store, call->who->uid, call->info->method, id, on_result, &finding);

	if (err == ERR_NOT_FOUND)
		return OK;
	if (err != OK)
		return err;
	call->is_repeated = true;
	call_detail(call, "repeated request_id, first result");
	return OK;
}

enum err results_keep_as(struct call *call, const char *request_id)
{
	struct store_result result = {.uid = call->who->uid,
		.method = call->info->method,
		.request_id = request_id,
		.time_ms = call->now_ms};

	if (buf_failed(&call->result))
		return ERR_INTERNAL;
	result.result = (struct store_blob){(const unsigned char *)call->result.bytes, call->result.len};
	content_mac(call, result.content_mac);
	return store_result_put(call->core->store, &result);
}

enum err results_keep(struct call *call)
{
	char id[REQUEST_ID_TEXT] = "";

	if (!request_text(call->request, FIELD_REQUEST_ID, id, sizeof(id)))
		return OK;
	return results_keep_as(call, id);
}
