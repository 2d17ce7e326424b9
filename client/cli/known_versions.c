/*
 * Tells whether anything has changed that the program would fetch.  What is not understood is no change: the library
 * has let strict JSON through only, and other members may come in a later version.
 */
#include "known_versions.h"

#include <string.h>

#include "gate.h"
#include "json.h"

enum { DEPTH_MAX = 8, TOKENS_MAX = 4096 };

/* True when it is another version than before. */
static bool learn(struct known_versions *versions, const char *key, int64_t version)
{
	size_t at = 0;

	while (at < versions->count && strcmp(versions->list[at].key, key) != 0)
		at++;
	if (at == ENV_KEYS_MAX || (at < versions->count && versions->list[at].version == version))
		return false;
	if (at == versions->count)
		versions->count++;
	strcpy(versions->list[at].key, key);
	versions->list[at].version = version;
	return true;
}

/* A version that is current: env.watch gives no others, events tell the state. */
static bool is_current(const struct json_doc *doc, const struct json_token *entry)
{
	const struct json_token *state = json_member(doc, entry, "state");

	return state == NULL || (state->type == JSON_STRING && json_equals(doc, state, "current"));
}

static bool learn_entry(struct known_versions *versions, const struct run_names *only,
	const struct json_doc *doc, const struct json_token *entry)
{
	char key[KEY_BYTES_MAX + 1] = "";
	int64_t version = 0;
	size_t len = 0;

	if (entry->type != JSON_OBJECT || !is_current(doc, entry))
		return false;

	const struct json_token *name = json_member(doc, entry, "key");
	const struct json_token *number = json_member(doc, entry, "version");

	if (name == NULL || json_text(doc, name, key, sizeof(key), &len) != OK || number == NULL ||
		json_integer(doc, number, &version) != OK)
		return false;
	return learn(versions, key, version) && (only->count == 0 || run_names_hold(only, key));
}

bool known_versions_learn(
	struct known_versions *versions, const struct run_names *only, const char *json, size_t len)
{
	static const struct gate_limits limits = {DEPTH_MAX, TOKENS_MAX, TOKENS_MAX};
	static struct json_token tokens[TOKENS_MAX];
	struct json_doc doc = {.text = json, .tokens = tokens};
	bool has_changed = false;

	if (gate_scan(json, len, &limits, tokens, &doc.count) != OK)
		return false;

	const struct json_token *list = json_member(&doc, tokens, "env");

	if (list == NULL)
		list = json_member(&doc, tokens, "changes");
	if (list == NULL || list->type != JSON_ARRAY)
		return false;
	for (const struct json_token *t = json_first(&doc, list); t != NULL; t = json_next(&doc, list, t))
		has_changed |= learn_entry(versions, only, &doc, t);
	return has_changed;
}
