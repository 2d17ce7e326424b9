/*
 * A grant as words: its conditions, what credentials of its unit mean, and whether it gives staged values only.  Users and groups are the same when their
 * numbers are, because that is what the daemon goes by.
 */
#include "apply_rule.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "apply_words.h"
#include "request.h"
#include "text.h"
#include "tty_text.h"

/* "credential=NAME=KEY": behind the first equals sign; NULL for another word. */
static char *credential_of(struct apply_word *word)
{
	static const char prefix[] = "credential=";

	return strncmp(word->text, prefix, strlen(prefix)) == 0 ? word->text + strlen(prefix) : NULL;
}

static bool is_naming(const char *text)
{
	size_t len = strcspn(text, "=");

	return text_is_credential(text, len) && text[len] == '=' && text[len + 1] != '\0';
}

const char *apply_rule_objection(const char *text)
{
	struct apply_word word;
	size_t words = 0;
	bool is_staged_only = false;

	for (; apply_words_next(&text, &word); words++) {
		size_t len = strcspn(word.text, "=");

		if (word.is_too_long)
			return "a condition is too long";
		if (len == 0 || strspn(word.text, "abcdefghijklmnopqrstuvwxyz_") < len)
			return "a grant is user=NAME, group=NAME, unit=NAME, credential=NAME=KEY, token or "
			       "staged_only, with blanks between";
		if (credential_of(&word) != NULL && !is_naming(credential_of(&word)))
			return "what a credential of the unit means is credential=NAME=KEY";
		if (strcmp(word.text, "staged_only") == 0 && is_staged_only)
			return "staged_only twice";
		is_staged_only = is_staged_only || strcmp(word.text, "staged_only") == 0;
	}
	return words > 0 ? NULL : "";
}

static void write_credentials(struct json_writer *w, const char *text)
{
	struct apply_word word;
	bool has_any = false;

	while (apply_words_next(&text, &word)) {
		const char *credential = credential_of(&word);
		size_t len = credential == NULL ? 0 : strcspn(credential, "=");

		if (credential == NULL)
			continue;
		if (!has_any) {
			json_key(w, field_info(FIELD_CREDENTIALS)->wire);
			json_begin_object(w);
			has_any = true;
		}
		json_key_text(w, credential, len);
		json_write_string(w, credential + len + (credential[len] == '='));
	}
	if (has_any)
		json_end_object(w);
}

void apply_rule_write(struct json_writer *w, const char *text)
{
	const char *start = text;
	bool is_staged_only = false;
	struct apply_word word;

	json_key(w, field_info(FIELD_RULE)->wire);
	json_begin_object(w);
	while (apply_words_next(&text, &word)) {
		char *equals = strchr(word.text, '=');

		if (credential_of(&word) != NULL)
			continue;
		if (equals != NULL) {
			json_key_text(w, word.text, (size_t)(equals - word.text));
			json_write_string(w, equals + 1);
		} else if (strcmp(word.text, "staged_only") == 0) {
			is_staged_only = true;
		} else {
			json_key_text(w, word.text, word.len);
			json_write_bool(w, true);
		}
	}
	json_end_object(w);
	write_credentials(w, start);
	if (is_staged_only)
		json_put_bool(w, field_info(FIELD_STAGED_ONLY)->wire, true);
}

void apply_rule_show(struct buf *buf, const char *text)
{
	struct apply_word word;

	while (apply_words_next(&text, &word)) {
		if (buf->len > 0)
			buf_append_byte(buf, ' ');
		tty_text_append(buf, word.text, word.len);
	}
}

/* ---- comparing ---- */

static bool number_of(const char *text, int64_t *out)
{
	size_t len = strlen(text);

	*out = len > 0 && len < 12 && strspn(text, "0123456789") == len ? strtoll(text, NULL, 10) : -1;
	return *out >= 0;
}

static int64_t user_number(const char *text)
{
	const struct passwd *user = getpwnam(text);
	int64_t number = -1;

	return user != NULL ? (int64_t)user->pw_uid : number_of(text, &number) ? number : -1;
}

static int64_t group_number(const char *text)
{
	const struct group *group = getgrnam(text);
	int64_t number = -1;

	return group != NULL ? (int64_t)group->gr_gid : number_of(text, &number) ? number : -1;
}

static bool has_number(
	const struct reply *reply, const struct json_token *rule, const char *name, int64_t wanted)
{
	const struct json_token *token = json_member(&reply->doc, rule, name);
	int64_t number = 0;

	return wanted >= 0 && json_integer(&reply->doc, token, &number) == OK && number == wanted;
}

/* NAME=KEY */
static bool means(const struct reply *reply, const struct json_token *grant, char *credential)
{
	const struct json_token *credentials = reply_at(reply, grant, "credentials");
	char *equals = strchr(credential, '=');

	if (equals == NULL || credentials == NULL || credentials->type != JSON_OBJECT)
		return false;
	*equals = '\0';

	const struct json_token *key = json_member(&reply->doc, credentials, credential);

	return key != NULL && json_equals(&reply->doc, key, equals + 1);
}

/* One word of the file's grant holds for the vault's. */
static bool word_holds(const struct reply *reply, const struct json_token *grant, struct apply_word *word)
{
	const struct json_token *rule = reply_at(reply, grant, "rule");
	char *equals = strchr(word->text, '=');

	if (rule == NULL || rule->type != JSON_OBJECT)
		return false;
	if (credential_of(word) != NULL)
		return means(reply, grant, credential_of(word));
	if (equals == NULL)
		return strcmp(word->text, "staged_only") == 0 ? reply_flag(reply, grant, "staged_only")
							      : reply_flag(reply, rule, word->text);
	*equals = '\0';
	if (strcmp(word->text, "user") == 0)
		return has_number(reply, rule, "uid", user_number(equals + 1));
	if (strcmp(word->text, "group") == 0)
		return has_number(reply, rule, "gid", group_number(equals + 1));
	return reply_is(reply, rule, word->text, equals + 1);
}

static bool has_text(const struct json_token *token)
{
	return token != NULL && token->type == JSON_STRING && token->len > 0;
}

/* Conditions that the vault's grant has: the file's must be as many. */
static size_t count_words(const struct reply *reply, const struct json_token *grant)
{
	static const char *const texts[] = {"rule.user", "rule.group", "rule.unit"};
	static const char *const flags[] = {"rule.token", "staged_only"};
	const struct json_token *credentials = reply_at(reply, grant, "credentials");
	size_t count = credentials != NULL && credentials->type == JSON_OBJECT ? credentials->count : 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		count += has_text(reply_at(reply, grant, texts[i]));
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		count += reply_flag(reply, grant, flags[i]);
	return count;
}

bool apply_rule_is(const struct reply *reply, const struct json_token *grant, const char *text)
{
	size_t count = 0;
	struct apply_word word;

	for (; apply_words_next(&text, &word); count++)
		if (!word_holds(reply, grant, &word))
			return false;
	return count == count_words(reply, grant);
}
