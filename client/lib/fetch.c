/*
 * Fetching an environment: the request, and its values decoded from the reply straight into "NAME=value" strings
 * in a locked region of their own; the reply is wiped at once (P1).  Showing the values is env.c's.
 */
#include "env.h"

#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "buf.h"
#include "vault.h"

static void free_env(coffer_env **env)
{
	coffer_env_free(*env);
}

#define ENV_AUTO __attribute__((cleanup(free_env))) coffer_env *

static enum err write_keys(
	struct coffer *vault, struct json_writer *w, const char *field, const char *const *keys)
{
	if (keys == NULL)
		return OK;
	json_key(w, field);
	json_begin_array(w);
	for (; *keys != NULL; keys++) {
		size_t len = strlen(*keys);

		if (text_check_key(*keys, len) == ERR_BAD_NAME)
			return vault_fail(vault, ERR_BAD_NAME,
				"a key that is asked for does not follow the naming rules");
		json_write_text(w, *keys, len);
	}
	json_end_array(w);
	return OK;
}

static enum err write_params(
	struct coffer *vault, const struct coffer_fetch_options *options, struct buf *buf)
{
	struct json_writer w = json_writer(buf);
	enum err err = vault_check_integration(vault, options->integration);

	if (err != OK)
		return err;
	json_begin_object(&w);
	if (options->integration != NULL)
		json_put_string(&w, "integration", options->integration);
	if ((options->flags & COFFER_STAGED) != 0)
		json_put_bool(&w, "staged", true);
	err = write_keys(vault, &w, "only", options->only);

	if (err == OK)
		err = write_keys(vault, &w, "optional", options->optional);
	if (err != OK)
		return err;
	json_end_object(&w);
	return buf_failed(buf) ? vault_fail(vault, ERR_INTERNAL, "out of memory") : OK;
}

static enum err misunderstand(struct coffer *vault, const char *why)
{
	return vault_fail(vault, ERR_PROTOCOL, "the environment from %s is not understood: %s",
		vault->socket_path, why);
}

/* Where the next assignment goes. */
struct region {
	char *at;
	size_t left;
};

static enum err decode_value(
	const struct json_doc *doc, const struct json_token *entry, char *out, size_t cap, size_t *len_out)
{
	const struct json_token *encoding = answer_member(doc, entry, "encoding", JSON_STRING);
	size_t len = 0;
	enum err err = json_text(doc, answer_member(doc, entry, "value", JSON_STRING), out, cap, &len);

	if (err == OK && encoding != NULL && json_equals(doc, encoding, "base64")) {
		err = base64_decode(out, len, (unsigned char *)out, len, &len);
		out[len] = '\0';
	} else if (err == OK && encoding != NULL && !json_equals(doc, encoding, "utf8")) {
		err = ERR_PROTOCOL;
	}
	/* To every reader of an environment a NUL is the end. */
	if (err == OK && memchr(out, '\0', len) != NULL)
		err = ERR_PROTOCOL;
	*len_out = len;
	return err;
}

static enum err decode_entry(
	struct coffer *vault, const struct json_token *token, struct region *region, struct env_entry *out)
{
	const struct json_doc *doc = &vault->reply.doc;
	const struct json_token *expiry = answer_member(doc, token, "expires_at", JSON_STRING);
	int64_t version = 0;
	size_t name_len = 0;

	if (json_text(doc, answer_member(doc, token, "key", JSON_STRING), out->name, sizeof(out->name),
		    &name_len) != OK)
		return misunderstand(vault, "a variable without a name");
	if (text_check_key(out->name, name_len) != OK)
		return misunderstand(vault, "a variable of a name that is not allowed");
	if (json_integer(doc, answer_member(doc, token, "version", JSON_INTEGER), &version) != OK ||
		version < 0)
		return misunderstand(vault, "a variable without a version");
	if (expiry != NULL && !text_time(json_raw(doc, expiry), expiry->len, &out->expires_ms))
		return misunderstand(vault, "a time of another form");

	size_t head_len = name_len + 1;

	out->version = (uint64_t)version;
	out->assignment = region->at;
	memcpy(region->at, out->name, name_len);
	region->at[name_len] = '=';
	if (decode_value(doc, token, region->at + head_len, region->left - head_len, &out->value_len) != OK)
		return misunderstand(vault, "a variable whose value cannot be decoded");
	region->at += head_len + out->value_len + 1;
	region->left -= head_len + out->value_len + 1;
	return OK;
}

/* Room for every "NAME=value" with its NUL; what is no string is refused later. */
static size_t room_for(const struct json_doc *doc, const struct json_token *list)
{
	size_t room = 1;

	for (const struct json_token *t = json_first(doc, list); t != NULL; t = json_next(doc, list, t)) {
		const struct json_token *value = answer_member(doc, t, "value", JSON_STRING);

		room += KEY_BYTES_MAX + 2 + (value != NULL ? json_text_len(doc, value) : 0);
	}
	return room;
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct env_entry *)a)->name, ((const struct env_entry *)b)->name);
}

static enum err sort_entries(struct coffer *vault, coffer_env *env)
{
	qsort(env->entries, env->count, sizeof(*env->entries), compare_entries);
	for (size_t i = 1; i < env->count; i++) {
		if (compare_entries(&env->entries[i - 1], &env->entries[i]) == 0)
			return misunderstand(vault, "a variable comes twice");
	}
	return OK;
}

static enum err decode_entries(struct coffer *vault, const struct json_token *list, coffer_env *env)
{
	const struct json_doc *doc = &vault->reply.doc;
	size_t room = room_for(doc, list);

	env->entries = calloc((size_t)list->count + 1, sizeof(*env->entries));
	if (env->entries == NULL || locked_map(room, true, &env->memory) != OK)
		return vault_fail(vault, ERR_INTERNAL, "out of memory");
	env->memory.bytes[0] = ENV_MARK;

	struct region region = {.at = (char *)env->memory.bytes + 1, .left = room - 1};

	for (const struct json_token *t = json_first(doc, list); t != NULL; t = json_next(doc, list, t)) {
		enum err err = decode_entry(vault, t, &region, &env->entries[env->count]);

		if (err != OK)
			return err;
		env->count++;
	}
	return sort_entries(vault, env);
}

static enum err decode_env(struct coffer *vault, coffer_env **out)
{
	ENV_AUTO env = calloc(1, sizeof(*env));
	const struct json_doc *doc = &vault->reply.doc;
	const struct json_token *result = vault->reply.result;
	const struct json_token *list = answer_member(doc, result, "env", JSON_ARRAY);
	const struct json_token *integration = answer_member(doc, result, "integration", JSON_STRING);
	const struct json_token *run = answer_member(doc, result, "run", JSON_STRING);
	size_t len = 0;

	if (env == NULL)
		return vault_fail(vault, ERR_INTERNAL, "out of memory");
	if (list == NULL ||
		json_text(doc, integration, env->integration, sizeof(env->integration), &len) != OK ||
		json_text(doc, run, env->run, sizeof(env->run), &len) != OK)
		return misunderstand(vault, "a part of the result is missing");

	enum err err = decode_entries(vault, list, env);

	if (err != OK)
		return err;
	*out = env;
	env = NULL;
	return OK;
}

/* What the struct was before it had flags. */
enum { FETCH_OPTIONS_BYTES_FIRST = offsetof(struct coffer_fetch_options, flags) };

static enum err fetch(struct coffer *vault, const struct coffer_fetch_options *given, coffer_env **out)
{
	BUF_AUTO params = {0};
	struct coffer_fetch_options options = {.size = sizeof(options)};
	enum err err = OK;

	vault->failure = (struct failure){0};
	if (given != NULL)
		err = vault_copy_options(&options, sizeof(options), FETCH_OPTIONS_BYTES_FIRST, given);
	if (err == OK && (options.flags & ~COFFER_STAGED) != 0)
		err = ERR_UNSUPPORTED;
	if (err == OK)
		err = write_params(vault, &options, &params);
	if (err == OK)
		err = call_method(vault, "env.fetch", params.bytes, params.len);
	if (err == OK)
		err = decode_env(vault, out);
	answer_clear(vault);
	return err;
}

int coffer_fetch(coffer *vault, const struct coffer_fetch_options *options, coffer_env **out)
{
	if (out == NULL)
		return COFFER_USAGE;
	*out = NULL;
	return vault != NULL ? err_number(fetch(vault, options, out)) : COFFER_USAGE;
}
