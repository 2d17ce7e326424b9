/*
 * What a value may be.  Values are not repeated in errors: somebody may have pasted a key (P1).
 */
#include "config_value.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "text.h"

static bool bad_value(struct config_file *file, const struct config_key *key, const char *wanted)
{
	return config_file_error(file, "[%s] %s must be %s", key->section, key->name, wanted);
}

/* Absolute, and written in one way only, so that two paths can be compared as text. */
static bool is_plain_path(const char *path)
{
	size_t len = strlen(path);

	if (path[0] != '/' || len < 2 || len >= CONFIG_PATH_BYTES || !text_is_line(path, len))
		return false;
	for (const char *at = path; *at != '\0'; at += strcspn(at, "/")) {
		size_t part_len = strcspn(++at, "/");

		if (part_len == 0 || (part_len == 1 && at[0] == '.') ||
			(part_len == 2 && memcmp(at, "..", 2) == 0))
			return false;
	}
	return true;
}

bool config_set_path(
	struct config_file *file, struct config *config, const struct config_key *key, const char *value)
{
	if (!is_plain_path(value))
		return bad_value(
			file, key, "an absolute path without \".\", \"..\" and doubled or trailing slashes");
	memcpy((char *)config + key->offset, value, strlen(value) + 1);
	return true;
}

bool config_set_socket(
	struct config_file *file, struct config *config, const struct config_key *key, const char *value)
{
	if (strlen(value) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return bad_value(file, key, "at most 107 bytes, the longest name that the kernel takes");
	return config_set_path(file, config, key, value);
}

bool config_set_root_key(
	struct config_file *file, struct config *config, const struct config_key *key, const char *value)
{
	static const char prefix[] = "file:";
	const char *path = value + sizeof(prefix) - 1;

	if (strcmp(value, "passphrase") == 0)
		return config_file_error(file,
			"[vault] root_key = passphrase is not supported by this version; "
			"use credential or file:/path");
	if (strcmp(value, "credential") == 0) {
		config->root_key_source = ROOT_KEY_CREDENTIAL;
		return true;
	}
	if (strncmp(value, prefix, sizeof(prefix) - 1) != 0 || !is_plain_path(path))
		return bad_value(file, key, "\"credential\", or \"file:\" and an absolute path");
	config->root_key_source = ROOT_KEY_FILE;
	memcpy(config->root_key_path, path, strlen(path) + 1);
	return true;
}

bool config_set_flag(
	struct config_file *file, struct config *config, const struct config_key *key, const char *value)
{
	bool is_yes = strcmp(value, "yes") == 0;

	if (!is_yes && strcmp(value, "no") != 0)
		return bad_value(file, key, "yes or no");
	*(bool *)((char *)config + key->offset) = is_yes;
	return true;
}

static bool add_name(struct config_file *file, const struct config_key *key, struct config_names *names,
	const char *name, size_t len)
{
	size_t mark_len = len > 0 && name[0] == '%' ? 1 : 0;

	if (len == mark_len || memchr(name + mark_len, '%', len - mark_len) != NULL)
		return bad_value(file, key, "users and %groups, separated by commas");
	if (names->count == CONFIG_NAMES_MAX)
		return config_file_error(file, "[%s] %s has more than %d names; use a group", key->section,
			key->name, CONFIG_NAMES_MAX);
	names->names[names->count] = strndup(name, len);
	if (names->names[names->count] == NULL)
		return config_file_error(file, "out of memory");
	names->count++;
	return true;
}

/* An empty list is nobody. */
bool config_set_names(
	struct config_file *file, struct config *config, const struct config_key *key, const char *value)
{
	struct config_names *names = (struct config_names *)((char *)config + key->offset);
	const char *at = value;

	if (value[0] == '\0')
		return true;
	for (;;) {
		at += strspn(at, " \t");

		size_t len = strcspn(at, ", \t");

		if (!add_name(file, key, names, at, len))
			return false;
		at += len;
		at += strspn(at, " \t");
		if (*at == '\0')
			return true;
		if (*at++ != ',')
			return bad_value(file, key, "users and %groups, separated by commas");
	}
}

/* The next word of a list that is separated by commas, its length in *len_out; NULL at the end, "" for an empty one. */
static const char *next_word(const char **at, size_t *len_out)
{
	const char *word = *at == NULL ? NULL : *at + strspn(*at, " \t");

	if (word == NULL)
		return NULL;

	size_t len = strcspn(word, ",");

	*at = word[len] == ',' ? word + len + 1 : NULL;
	while (len > 0 && (word[len - 1] == ' ' || word[len - 1] == '\t'))
		len--;
	*len_out = len;
	return word;
}

/* What everybody has (a title, an owner) and what has a default need not be asked for. */
bool config_set_required(
	struct config_file *file, struct config *config, const struct config_key *key, const char *value)
{
	static const char *const wanted = "documented fields of an integration, separated by commas";
	size_t len = 0;

	for (const char *at = value, *word; value[0] != '\0' && (word = next_word(&at, &len)) != NULL;) {
		enum field field = FIELD_COUNT;

		if (!field_from_wire(word, len, &field) || field < FIELD_TITLE || field > FIELD_LABELS)
			return bad_value(file, key, wanted);
		config->rules.is_required[field] = true;
	}
	return true;
}

/* Nobody must believe in an approval that does not happen. */
bool config_set_approval(
	struct config_file *file, struct config *config, const struct config_key *key, const char *value)
{
	static const enum request_kind kinds[] = {REQUEST_GRANT_ADD, REQUEST_GRANT_REMOVE,
		REQUEST_SECRET_REVOKE, REQUEST_SECRET_PROMOTE, REQUEST_INTEGRATION_EDIT,
		REQUEST_INTEGRATION_RETIRE};
	size_t len = 0;

	for (const char *at = value, *word; value[0] != '\0' && (word = next_word(&at, &len)) != NULL;) {
		enum request_kind kind = REQUEST_COUNT;
		bool is_known = false;

		request_kind_from_method(word, len, &kind);
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			is_known = is_known || kind == kinds[i];
		if (!is_known)
			return bad_value(file, key,
				"empty, or some of grant.add, grant.remove, secret.revoke, secret.promote, "
				"integration.edit, integration.retire, separated by commas");
		config->rules.needs_approval[kind] = true;
	}
	return true;
}

static bool read_count(const char *text, int64_t *out)
{
	size_t len = strlen(text);
	int64_t value = 0;

	if (len == 0 || len > 18 || (text[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (text[i] - '0');
	}
	*out = value;
	return true;
}

bool config_set_limit(
	struct config_file *file, struct config *config, const struct config_key *key, const char *value)
{
	int64_t count = 0;

	if (!read_count(value, &count) || count < key->least || count > key->most)
		return config_file_error(file, "[%s] %s must be a number from %lld to %lld", key->section,
			key->name, (long long)key->least, (long long)key->most);
	memcpy((char *)config + key->offset, &count, sizeof(count));
	return true;
}
