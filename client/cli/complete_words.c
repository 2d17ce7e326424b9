/*
 * Commands, options, words that a field may have, and the users, groups and units of the host.
 */
#include "complete_words.h"

#include <dirent.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "err.h"

enum { WORD_BYTES = 320 };

/* ---- commands and options ---- */

/* The first words: of those that a noun has several, the noun once. */
static void add_commands(const struct complete_line *line, struct candidates *candidates)
{
	size_t count = 0;
	const struct command *commands = commands_all(&count);

	candidates_add(candidates, "run", "start a program with its credentials in its environment");
	for (size_t i = 0; i < count; i++) {
		size_t len = strcspn(commands[i].words, " ");
		char noun[WORD_BYTES] = "";

		(void)snprintf(noun, sizeof(noun), "%.*s", (int)len, commands[i].words);
		candidates_add_once(candidates, noun,
			commands[i].words[len] == '\0' ? commands[i].text : "several commands");
	}
	if (!line->is_help)
		candidates_add(candidates, "help", "explain a command");
}

static void add_verbs(const struct complete_line *line, struct candidates *candidates)
{
	size_t count = 0;
	size_t len = strlen(line->noun);
	const struct command *commands = commands_all(&count);

	for (size_t i = 0; i < count; i++)
		if (strncmp(commands[i].words, line->noun, len) == 0 && commands[i].words[len] == ' ')
			candidates_add(candidates, commands[i].words + len + 1, commands[i].text);
}

static void add_option(const struct complete_line *line, struct candidates *candidates, const char *name,
	bool is_list, const char *text)
{
	char word[WORD_BYTES] = "";

	(void)snprintf(word, sizeof(word), "--%s", name);
	if (is_list || !complete_line_has(line, name))
		candidates_add(candidates, word, text);
}

static void add_options(const struct complete_line *line, struct candidates *candidates)
{
	static const char *const repeated[] = {"file", "map"};
	struct option options[SLOT_COUNT];
	size_t count = line->is_run ? 0 : options_list(line->command, options);

	for (size_t i = 0; i < count; i++)
		add_option(line, candidates, options[i].name, options[i].is_list, options[i].text);
	if (!line->is_run && line->command == NULL)
		add_option(line, candidates, "version", false, "tell the version");
	if (!line->is_run)
		return;
#define RUN_OPTION(typed, metavar, setter, text) \
	add_option(line, candidates, typed, \
		strcmp(typed, repeated[0]) == 0 || strcmp(typed, repeated[1]) == 0, text);
#include "run_options.def"
#undef RUN_OPTION
}

/* ---- one of a few words ---- */

enum { WORDS_MAX = 5 };

static const struct {
	unsigned slot;
	const char *words[WORDS_MAX + 1];
} of_slots[] = {
	{FIELD_ACCESS, {"read-only", "read-write"}},
	{FIELD_ENVIRONMENT, {"production", "sandbox"}},
	{FIELD_ROTATE_AFTER, {"30d", "90d", "180d", "365d", "never"}},
	{FIELD_REVIEW_AFTER, {"30d", "90d", "180d", "365d", "never"}},
	{FIELD_OUTCOME, {"ok", "refused", "undelivered"}},
	{SLOT_FORMAT, {"html", "csv", "json"}},
};

static void add_list(struct candidates *candidates, const char *const *words)
{
	for (; *words != NULL; words++)
		candidates_add(candidates, *words, NULL);
}

static void add_states(const struct complete_line *line, struct candidates *candidates)
{
	static const char *const integrations[] = {"active", "suspended", "retired", NULL};
	static const char *const requests[] = {"pending", "approved", "rejected", "expired", NULL};

	add_list(candidates, line->command->kind == REQUEST_APPROVAL_LIST ? requests : integrations);
}

static void add_slot_words(const struct complete_line *line, struct candidates *candidates)
{
	for (size_t i = 0; i < sizeof(of_slots) / sizeof(of_slots[0]); i++)
		if (of_slots[i].slot == line->slot)
			add_list(candidates, of_slots[i].words);
	if (line->slot == FIELD_STATE)
		add_states(line, candidates);
	for (enum err err = OK + 1; line->slot == FIELD_OUTCOME && err < ERR_COUNT; err++)
		if (err_class(err) != ERR_CLASS_LOCAL)
			candidates_add_once(candidates, err_word(err), err_text(err));
	for (enum request_kind kind = 0; line->slot == FIELD_KIND && kind < REQUEST_COUNT; kind++)
		candidates_add(candidates, request_info(kind)->method, NULL);
}

static void add_actions(const struct complete_line *line, struct candidates *candidates)
{
	static const char *const actions[] = {"restart", "HUP", "USR1", "USR2", NULL};

	(void)line;
	add_list(candidates, actions);
}

/* ---- the host ---- */

static void add_users(struct candidates *candidates, const char *before)
{
	char word[WORD_BYTES] = "";

	setpwent();
	for (const struct passwd *user = getpwent(); user != NULL; user = getpwent()) {
		(void)snprintf(word, sizeof(word), "%s%s", before, user->pw_name);
		candidates_add(candidates, word, user->pw_gecos);
	}
	endpwent();
}

static void add_groups(struct candidates *candidates, const char *before)
{
	char word[WORD_BYTES] = "";

	setgrent();
	for (const struct group *group = getgrent(); group != NULL; group = getgrent()) {
		(void)snprintf(word, sizeof(word), "%s%s", before, group->gr_name);
		candidates_add(candidates, word, NULL);
	}
	endgrent();
}

static void add_unit(struct candidates *candidates, const char *before, const char *name, bool is_rule)
{
	static const char type[] = ".service";
	size_t len = strlen(name);
	char word[WORD_BYTES] = "";

	if (len <= sizeof(type) - 1 || strcmp(name + len - (sizeof(type) - 1), type) != 0)
		return;
	len -= sizeof(type) - 1;
	/* A template stands for all of its instances in a rule, and for no service elsewhere. */
	if (name[len - 1] == '@' && !is_rule)
		return;
	(void)snprintf(word, sizeof(word), "%s%.*s%s%s", before, (int)len, name,
		name[len - 1] == '@' ? "*" : "", type);
	candidates_add_once(candidates, word, NULL);
}

static void add_units(struct candidates *candidates, const char *before, bool is_rule)
{
	static const char *const directories[] = {"/etc/systemd/system", "/run/systemd/system",
		"/usr/local/lib/systemd/system", "/usr/lib/systemd/system"};

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		DIR *entries = opendir(directories[i]);

		if (entries == NULL)
			continue;
		for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries))
			add_unit(candidates, before, entry->d_name, is_rule);
		(void)closedir(entries);
	}
}

static void add_host_users(const struct complete_line *line, struct candidates *candidates)
{
	(void)line;
	add_users(candidates, "");
}

static void add_managers(const struct complete_line *line, struct candidates *candidates)
{
	(void)line;
	add_users(candidates, "");
	add_groups(candidates, "%");
}

static void add_host_units(const struct complete_line *line, struct candidates *candidates)
{
	add_units(candidates, "", line->slot == FIELD_UNIT);
}

/* First which condition, then of what. */
static void add_conditions(const struct complete_line *line, struct candidates *candidates)
{
	if (strchr(line->typed, '=') == NULL) {
		candidates_add(candidates, "user=", "a user of this host");
		candidates_add(candidates, "group=", "a group of this host");
		candidates_add(candidates, "unit=", "a system unit");
		candidates_add(candidates, "token", "and an access token");
	} else {
		add_users(candidates, "user=");
		add_groups(candidates, "group=");
		add_units(candidates, "unit=", true);
	}
}

typedef void add_fn(const struct complete_line *line, struct candidates *candidates);

static add_fn *const adders[] = {
	[WANT_COMMAND] = add_commands,
	[WANT_VERB] = add_verbs,
	[WANT_OPTION] = add_options,
	[WANT_WORD] = add_slot_words,
	[WANT_ACTION] = add_actions,
	[WANT_USER] = add_host_users,
	[WANT_MANAGER] = add_managers,
	[WANT_UNIT] = add_host_units,
	[WANT_CONDITION] = add_conditions,
};

void complete_words_add(const struct complete_line *line, struct candidates *candidates)
{
	size_t wanted = line->wanted;

	if (wanted < sizeof(adders) / sizeof(adders[0]) && adders[wanted] != NULL)
		adders[wanted](line, candidates);
}
