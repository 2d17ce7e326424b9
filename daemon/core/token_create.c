/*
 * token.create: the one answer that shows a token.  P1: its secret is made in the request's arena, leaves once in the locked
 * block that is the reply, and is kept nowhere: not in the result for its request_id, not in a record.
 */
#include "token_verify.h"

#include <stdio.h>
#include <string.h>

#include "secret_rows.h"
#include "token.h"
#include "users.h"

enum { TOKENS_PER_INTEGRATION = 32, USER_BYTES = 256, REPLY_BYTES = 1024, OVERFLOW_ID = 65534 };

static enum err take_user(struct call *call, struct store_token *token)
{
	char text[USER_BYTES] = "";

	request_text(call->request, FIELD_USER, text, sizeof(text));
	token->user = call_copy(call, text);
	if (token->user == NULL)
		return ERR_INTERNAL;
	if (users_uid(token->user, &token->uid) != OK)
		return call_refuse(call, ERR_BAD_VALUE, "no such user", "no such user on this host");
	if (token->uid == OVERFLOW_ID || token->uid == (uint32_t)-1)
		return call_refuse(call, ERR_BAD_VALUE, "the overflow user",
			"this user stands for nobody in particular and is never given anything");
	return OK;
}

static enum err take_unit(struct call *call, struct store_token *token)
{
	char text[UNIT_BYTES_MAX + 1] = "";

	if (!request_text(call->request, FIELD_UNIT, text, sizeof(text)))
		return OK;
	if (!text_is_unit_pattern(text, strlen(text)))
		return call_refuse(call, ERR_BAD_VALUE, "not a unit",
			"unit is NAME.service, or NAME@*.service for all instances");
	token->unit = call_copy(call, text);
	return token->unit != NULL ? OK : ERR_INTERNAL;
}

static enum err take_expiry(struct call *call, struct store_token *token)
{
	char text[33] = "";

	if (!request_text(call->request, FIELD_EXPIRES_AT, text, sizeof(text)))
		return OK;
	if (!text_time(text, strlen(text), &token->expires_ms) || token->expires_ms <= call->now_ms)
		return call_refuse(
			call, ERR_BAD_VALUE, "expiry in the past", "expires_at must be a time to come");
	return OK;
}

static enum err take_texts(struct call *call, struct store_token *token)
{
	size_t size = field_info(FIELD_DESCRIPTION)->max + 1;
	char name[SLUG_BYTES_MAX + 1] = "";
	char *description = arena_alloc(&call->core->arena, size);

	if (description == NULL)
		return ERR_INTERNAL;
	request_text(call->request, FIELD_TOKEN_NAME, name, sizeof(name));
	request_text(call->request, FIELD_DESCRIPTION, description, size);
	token->name = call_copy(call, name);
	token->description = description;
	return token->name != NULL ? OK : ERR_INTERNAL;
}

struct counting {
	const char *name;
	size_t count;
	bool is_taken;
};

static enum err on_counted(void *arg, const struct store_token *token)
{
	struct counting *counting = arg;

	if (token->revoked_ms != 0)
		return OK;
	counting->count++;
	counting->is_taken = counting->is_taken || strcmp(token->name, counting->name) == 0;
	return OK;
}

static enum err check_new(struct call *call, const struct store_token *token)
{
	struct counting counting = {.name = token->name};
	enum err err = store_token_of(call->core->store, token->integration_id, on_counted, &counting);

	if (err == OK && counting.is_taken)
		return call_refuse(call, ERR_CONFLICT, "the name is taken",
			"a token of this name is not revoked; take another name, and revoke the old one "
			"later");
	if (err == OK && counting.count >= TOKENS_PER_INTEGRATION)
		return call_refuse(call, ERR_TOO_LARGE, "limit of tokens",
			"an integration has at most 32 tokens that are not revoked; revoke one first");
	return err;
}

/* Where grants are locked, nobody new gets what is there: another token begins with other values (P2). */
static enum err check_open(struct call *call, const struct integration *integration)
{
	bool destroys = request_flag(call->request, FIELD_DESTROY_VALUES);

	if (strcmp(integration->state, "retired") == 0)
		return call_refuse(call, ERR_RETIRED, "the integration is retired", NULL);
	if (!integration->is_grants_locked && destroys)
		return call_refuse(call, ERR_BAD_VALUE, "destroy_values without locked grants",
			"destroy_values is for an integration whose grants are locked");
	if (integration->is_grants_locked && !destroys)
		return call_refuse(call, ERR_BAD_VALUE, "grants are locked",
			"its grants are locked: another token destroys all its values, which destroy_values "
			"accepts");
	return OK;
}

static enum err take_token(struct call *call, struct integration *integration, struct store_token *token)
{
	enum err err = integration_find(call, FIELD_INTEGRATION, integration);

	if (err == OK)
		err = check_open(call, integration);
	if (err != OK)
		return err;
	memcpy(token->integration_id, integration->id, sizeof(token->integration_id));
	err = take_texts(call, token);
	if (err == OK)
		err = take_user(call, token);
	if (err == OK)
		err = take_unit(call, token);
	if (err == OK)
		err = take_expiry(call, token);
	if (err == OK)
		err = check_new(call, token);
	return err;
}

static void describe(struct call *call, const struct store_token *token)
{
	char text[33] = "";

	call_subject(call, "name=%s uid=%u", token->name, token->uid);
	if (token->unit != NULL)
		call_subject(call, "unit=%s", token->unit);
	if (request_text(call->request, FIELD_EXPIRES_AT, text, sizeof(text)))
		call_subject(call, "expires_at=%s", text);
}

/* The same members with and without the token: what is kept for the request_id has none (P1). */
static void write_created(struct json_writer *w, const struct call *call, const struct store_token *token,
	const char *text, size_t len)
{
	json_begin_object(w);
	json_put_string(w, "integration", call->record.integration);
	json_put_integer(w, "id", (int64_t)token->id);
	json_put_string(w, "name", token->name);
	json_key(w, "token");
	if (text != NULL)
		json_write_text(w, text, len);
	else
		json_write_null(w);
	json_put_string(w, "detail",
		text != NULL
			? NULL
			: "a token is shown once, in the first answer; revoke this one and make another");
	json_end_object(w);
}

static enum err write_reply(struct call *call, const struct store_token *token, const unsigned char *secret)
{
	char *text = arena_alloc(&call->core->arena, TOKEN_TEXT_MAX);
	struct buf buf = {0};
	enum err err = pool_take(call->core->replies, call->who->uid, REPLY_BYTES, &call->secret_block);

	if (err != OK)
		return call_refuse(call, err, "no locked memory for the reply",
			"too many replies are on their way; try again");
	if (text == NULL)
		return ERR_INTERNAL;
	buf_init_fixed(&buf, (char *)call->secret_block.bytes, REPLY_BYTES);

	struct json_writer w = json_writer(&buf);

	json_begin_object(&w);
	json_put_string(&w, "jsonrpc", "2.0");
	json_key(&w, "id");
	json_write_raw(&w, call->exchange->id, call->exchange->id_len);
	json_key(&w, "result");
	write_created(&w, call, token, text, token_write(token->id, secret, text));
	json_end_object(&w);
	buf_append_byte(&buf, '\n');
	call->secret_len = buf.len;
	write_created(&call->w, call, token, NULL, 0);
	return buf_failed(&buf) ? ERR_INTERNAL : OK;
}

/* ---- where grants are locked ---- */

/*
 * A token is shown to whoever asks for it and to nobody else (P1), so whoever approves makes none.  The approval destroys the
 * values; whoever asked for the token asks again, and gets it.
 */
static enum err destroy(struct call *call, struct integration *integration, const struct store_token *token)
{
	struct json_writer *w = &call->w;

	json_begin_object(w);
	json_put_string(w, "integration", integration->name);
	json_put_string(w, "id", NULL);
	json_put_string(w, "name", token->name);
	json_put_string(w, "token", NULL);
	json_put_string(w, "detail",
		"its values are destroyed; whoever asked for the token gets it by asking for it again");
	json_end_object(w);
	return secrets_destroy(call, integration);
}

/* The approval is used up in the transaction that makes the token.  Names may mean others by now: what was shown counts. */
static enum err use_approval(struct call *call)
{
	const struct approved *approved = call->approved;
	const struct record_subject *subject = &call->record.subject;
	enum err err = OK;

	if (strncmp(approved->subject, subject->text, subject->len) != 0 ||
		(approved->subject[subject->len] != ' ' && approved->subject[subject->len] != '\0'))
		return call_refuse(call, ERR_CONFLICT, "it is not what was approved",
			"what was approved was for another user of this name");
	call_subject(
		call, "approved_by=%u approval=%llu", approved->by, (unsigned long long)approved->request);
	err = store_approval_use(call->core->store, approved->request, call->now_ms);
	return err == ERR_NOT_FOUND ? ERR_INTERNAL : err;
}

/* ---- made ---- */

static enum err make(struct call *call, struct store_token *token)
{
	struct core *core = call->core;
	unsigned char *secret = arena_alloc(&core->arena, TOKEN_SECRET_BYTES);

	token->id = store_token_next(core->store);
	if (secret == NULL || token->id > TOKEN_ID_MAX)
		return ERR_INTERNAL;
	call->record.object = token->id;
	token->epoch = verifier_epoch(core->keys);
	random_bytes(secret, TOKEN_SECRET_BYTES);
	token_verifier(core, token, secret, token->verifier);

	enum err err = store_token_insert(core->store, token);

	return err == OK ? write_reply(call, token, secret) : err;
}

enum err handle_token_create(struct call *call)
{
	struct store_token token = {.created_ms = call->now_ms, .created_by = call->who->uid};
	struct integration integration = {0};
	enum err err = take_token(call, &integration, &token);

	if (err != OK)
		return err;
	describe(call, &token);
	if (integration.is_grants_locked && (call->approved == NULL || call->is_nested))
		return destroy(call, &integration, &token);
	if (integration.is_grants_locked)
		err = use_approval(call);
	return err == OK ? make(call, &token) : err;
}
