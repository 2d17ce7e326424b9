/*
 * Requests about the connection and the daemon itself: hello, schema, whoami, status, session.prove.
 * They are answered to anyone, sealed or not, and tell a stranger nothing about what is in the vault (P2).
 */
#include "handler.h"

#include <stdio.h>
#include <string.h>

#include "alert_look.h"
#include "archives.h"
#include "clock.h"
#include "frame.h"
#include "holders.h"
#include "managers.h"
#include "space.h"
#include "users.h"

enum { PROTOCOL_VERSION = 1 };

static bool speaks_our_protocol(const struct request *request)
{
	const struct json_token *list = request->field[FIELD_PROTOCOL];

	if (list == NULL)
		return true;
	for (const struct json_token *t = json_first(&request->doc, list); t != NULL;
		t = json_next(&request->doc, list, t)) {
		int64_t version = 0;

		if (json_integer(&request->doc, t, &version) == OK && version == PROTOCOL_VERSION)
			return true;
	}
	return false;
}

static void write_limits(struct call *call)
{
	struct json_writer *w = &call->w;

	json_key(w, "limits");
	json_begin_object(w);
	json_put_integer(w, "line_bytes", call->core->limits->line_bytes);
	json_put_integer(w, "value_bytes", VALUE_BYTES_MAX);
	json_put_integer(w, "set_bytes", ENV_SET_BYTES_MAX);
	json_put_integer(w, "reply_bytes", REPLY_BYTES_MAX);
	json_put_integer(w, "keys", ENV_KEYS_MAX);
	json_put_integer(w, "depth", REQUEST_DEPTH_MAX);
	json_put_integer(w, "tokens", REQUEST_TOKENS_MAX);
	json_end_object(w);
}

enum err handle_hello(struct call *call)
{
	struct json_writer *w = &call->w;

	if (!speaks_our_protocol(call->request)) {
		call->exchange->reply.must_close = true;
		return call_refuse(call, ERR_UNSUPPORTED, "no common protocol version",
			"this daemon speaks protocol version 1");
	}
	json_begin_object(w);
	json_put_integer(w, "protocol", PROTOCOL_VERSION);
	json_put_string(w, "server", "coffer/" COFFER_VERSION);
	json_key(w, "capabilities");
	json_begin_array(w);
	json_end_array(w);
	write_limits(call);
	json_put_bool(w, "sealed", call->core->store == NULL);
	if (call->exchange->challenge != NULL && peer_needs_proof(call->who))
		json_put_string(w, "challenge", call->exchange->challenge);
	json_end_object(w);
	return OK;
}

/* ---- schema ---- */

static const char *duty_word(enum request_duty duty)
{
	static const char *const words[] = {
		[DUTY_READ] = "read", [DUTY_FETCH] = "fetch", [DUTY_CHANGE] = "change"};

	return words[duty];
}

static void write_method(struct json_writer *w, const struct request_info *info)
{
	json_begin_object(w);
	json_put_string(w, "method", info->method);
	json_put_string(w, "right", right_word(info->right));
	json_put_bool(w, "while_sealed", info->state == STATE_ANY);
	json_put_string(w, "duty", duty_word(info->duty));
	json_key(w, "fields");
	json_begin_array(w);
	for (size_t i = 0; i < info->field_count; i++) {
		const struct field_info *field = field_info(info->fields[i].field);

		json_begin_object(w);
		json_put_string(w, "name", field->wire);
		json_put_string(w, "type", field_type_word(field->type));
		json_put_bool(w, "required", info->fields[i].is_needed);
		json_put_integer(w, "max", field->max);
		json_put_string(w, "text", field->text);
		json_end_object(w);
	}
	json_end_array(w);
	json_end_object(w);
}

static void write_error(struct json_writer *w, enum err err)
{
	json_begin_object(w);
	json_put_string(w, "error", err_word(err));
	json_put_integer(w, "code", err_rpc_code(err));
	json_put_bool(w, "retry", err_class(err) == ERR_CLASS_RETRY);
	json_put_string(w, "text", err_text(err));
	json_end_object(w);
}

enum err handle_schema(struct call *call)
{
	struct json_writer *w = &call->w;

	json_begin_object(w);
	json_key(w, "methods");
	json_begin_array(w);
	for (enum request_kind kind = 0; kind < REQUEST_COUNT; kind++)
		write_method(w, request_info(kind));
	json_end_array(w);
	json_key(w, "errors");
	json_begin_array(w);
	for (enum err err = OK + 1; err < ERR_COUNT; err++)
		if (err_class(err) != ERR_CLASS_LOCAL)
			write_error(w, err);
	json_end_array(w);
	json_end_object(w);
	return OK;
}

/* ---- whoami ---- */

static void write_roles(struct call *call)
{
	static const struct {
		enum role role;
		const char *word;
	} words[] = {{ROLE_ADMIN, "admin"}, {ROLE_OPERATOR, "operator"}, {ROLE_AUDITOR, "auditor"}};

	json_key(&call->w, "roles");
	json_begin_array(&call->w);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if ((call->roles & words[i].role) != 0)
			json_write_string(&call->w, words[i].word);
	json_end_array(&call->w);
}

static void write_groups(struct call *call)
{
	json_key(&call->w, "groups");
	json_begin_array(&call->w);
	json_write_integer(&call->w, call->who->gid);
	for (size_t i = 0; i < call->who->group_count; i++)
		if (call->who->groups[i] != call->who->gid)
			json_write_integer(&call->w, call->who->groups[i]);
	json_end_array(&call->w);
}

struct granted {
	struct call *call;
	bool wants_testers; /* the integrations of which only staged values are granted, instead of the others */
	char name[INTEGRATION_NAME_BYTES_MAX +
		  1]; /* grants come by name: equal neighbours are one integration */
	bool is_full;
	bool is_tester;
};

static void end_granted(struct granted *granted)
{
	if (granted->wants_testers ? granted->is_tester && !granted->is_full : granted->is_full)
		json_write_string(&granted->call->w, granted->name);
	granted->is_full = false;
	granted->is_tester = false;
}

static enum err on_grant_of_caller(void *arg, const struct store_grant *grant)
{
	struct granted *granted = arg;
	const char *reason = NULL;

	if (strcmp(granted->name, grant->integration) != 0)
		end_granted(granted);
	snprintf(granted->name, sizeof(granted->name), "%s", grant->integration);
	if (grants_match(granted->call->core, grant, GRANT_CURRENT, granted->call->who, &reason))
		granted->is_full = true;
	else if (grants_match(granted->call->core, grant, GRANT_STAGED, granted->call->who, &reason))
		granted->is_tester = true;
	return OK;
}

static enum err write_granted(struct call *call, const char *key, bool wants_testers)
{
	struct granted granted = {.call = call, .wants_testers = wants_testers};
	enum err err = OK;

	json_key(&call->w, key);
	json_begin_array(&call->w);
	if (call->core->store != NULL)
		err = store_grant_for_uid(call->core->store, call->who->uid, on_grant_of_caller, &granted);
	end_granted(&granted);
	json_end_array(&call->w);
	return err;
}

enum err handle_whoami(struct call *call)
{
	struct json_writer *w = &call->w;
	char name[USER_NAME_BYTES] = "";

	users_name(call->who->uid, name);
	json_begin_object(w);
	json_put_integer(w, "uid", call->who->uid);
	json_put_string(w, "user", name);
	json_put_integer(w, "gid", call->who->gid);
	write_groups(call);
	json_put_integer(w, "pid", call->who->pid);
	json_put_string(w, "unit", call->who->unit[0] != '\0' ? call->who->unit : NULL);
	if (call->who->unit[0] == '\0')
		json_put_string(w, "unit_reason", call->who->unit_reason);
	write_roles(call);

	enum err err = write_granted(call, "integrations", false);

	if (err == OK)
		err = write_granted(call, "staged_only", true);
	if (err == OK)
		err = managers_tell(call);
	json_end_object(w);
	return err;
}

/* ---- status ---- */

static void write_audit(struct call *call)
{
	struct json_writer *w = &call->w;
	struct archives_state state = {0};
	struct store_state place = {0};

	archives_look(call->core, &state);
	json_key(w, "audit");
	json_begin_object(w);
	json_put_integer(w, "bytes", (int64_t)state.bytes);
	json_put_integer(w, "limit_bytes", (int64_t)state.limit_bytes);
	if (store_state_get(call->core->store, &place) == OK)
		json_put_integer(w, "archived", (int64_t)place.audit_cut_seq);
	json_put_string(w, "trouble", state.trouble);
	audits_write_place(w, "head", call->core->chain.seq, call->core->chain.head);
	json_end_object(w);
}

/* Which vault on which host, for what is put together from many. */
void session_write_place(struct call *call)
{
	json_put_hex(&call->w, "vault", call->core->state.vault_id, sizeof(call->core->state.vault_id));
	json_put_string(&call->w, "host", call->core->host);
}

static void write_free_bytes(struct call *call)
{
	const char *dir = call->core->state_dir;
	uint64_t bytes = 0;

	json_key(&call->w, "free_bytes");
	if (dir != NULL && space_free_bytes(dir, &bytes) == OK)
		json_write_integer(&call->w, (int64_t)bytes);
	else
		json_write_null(&call->w);
}

static enum err write_counts(struct call *call)
{
	struct store_counts counts = {0};
	struct json_writer *w = &call->w;
	size_t tokens = 0, pending = 0, own = 0;
	enum err err = store_counts(call->core->store, &counts);

	if (err == OK)
		err = store_token_live(call->core->store, call->now_ms, &tokens);
	if (err == OK)
		err = store_approval_pending(call->core->store, call->who->uid, &pending, &own);
	if (err != OK)
		return err;
	session_write_place(call);
	json_key(w, "store");
	json_begin_object(w);
	json_put_integer(w, "bytes", (int64_t)counts.file_bytes);
	write_free_bytes(call);
	json_put_time(w, "created_at", call->core->state.created_ms);
	json_put_string(w, "directory", call->core->state_dir);
	json_put_string(w, "root_key_file", call->core->root_key_file);
	json_end_object(w);
	json_key(w, "counts");
	json_begin_object(w);
	json_put_integer(w, "integrations", (int64_t)counts.integrations);
	json_put_integer(w, "secrets", (int64_t)counts.secrets);
	json_put_integer(w, "versions", (int64_t)counts.versions);
	json_put_integer(w, "grants", (int64_t)counts.grants);
	json_put_integer(w, "tokens", (int64_t)tokens);
	json_put_integer(w, "requests_pending", (int64_t)pending);
	json_put_integer(w, "runs", (int64_t)counts.runs);
	json_put_integer(w, "audit_records", (int64_t)counts.audit_records);
	json_put_integer(w, "holders", (int64_t)holders_processes(call->core));
	json_put_integer(w, "undelivered", (int64_t)call->core->undelivered);
	if (call->core->connections != NULL)
		json_put_integer(
			w, "connections", (int64_t)call->core->connections(call->core->connections_arg));
	json_end_object(w);
	write_audit(call);
	return OK;
}

enum err handle_status(struct call *call)
{
	struct json_writer *w = &call->w;
	enum err err = OK;

	json_begin_object(w);
	json_put_string(w, "version", COFFER_VERSION);
	json_put_bool(w, "sealed", call->core->store == NULL);
	if (call->core->store == NULL)
		json_put_string(w, "mend", call->core->seal.mend);
	if (call->roles != 0) {
		json_put_time(w, "started_at", call->core->started_ms);
		json_put_string(w, "reason", call->core->store == NULL ? call->core->seal.reason : NULL);
		if (call->core->store != NULL)
			err = write_counts(call);
		if (err == OK && call->core->store != NULL)
			err = alerts_write_counts(call);
	}
	json_end_object(w);
	return err;
}

/* ---- session.prove ---- */

enum err handle_session_prove(struct call *call)
{
	struct exchange *exchange = call->exchange;
	char nonce[33] = "";

	if (!request_text(call->request, FIELD_NONCE, nonce, sizeof(nonce)) || exchange->challenge == NULL ||
		!exchange->has_credentials)
		return call_refuse(call, ERR_DENIED, "no challenge is open on this connection", NULL);
	if (strlen(exchange->challenge) != 32 || !bytes_equal(nonce, exchange->challenge, 32))
		return call_refuse(call, ERR_DENIED, "wrong answer to the challenge", NULL);

	enum err err =
		peer_prove(call->who, exchange->cred_pid, exchange->cred_uid, exchange->cred_gid); /* P9 */

	if (err != OK)
		return call_refuse(call, err, "the challenge was answered by another process", NULL);
	json_begin_object(&call->w);
	json_put_string(&call->w, "unit", call->who->unit[0] != '\0' ? call->who->unit : NULL);
	json_end_object(&call->w);
	return OK;
}
