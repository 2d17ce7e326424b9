/*
 * Reads the command line of `coffer run`: a table of options, then everything after "--" is the program's and is
 * not looked at.  Messages name the option, never what was given to it: somebody may have given it a value (P1).
 */
#include "run_options.h"

#include <string.h>

#include "say.h"

enum { WAIT_SECONDS_MAX = 604800 };

bool run_names_hold(const struct run_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->name[i], name) == 0)
			return true;
	}
	return false;
}

/* Each gives NULL, or what is wrong with the value. */
static const char *add_names(struct run_names *names, char *list)
{
	char *rest = list;

	for (char *name = strsep(&rest, ","); name != NULL; name = strsep(&rest, ",")) {
		if (text_check_key(name, strlen(name)) == ERR_BAD_NAME)
			return "takes variable names, separated by commas";
		if (names->count == ENV_KEYS_MAX)
			return "takes no more than 128 names";
		names->name[names->count++] = name;
	}
	return NULL;
}

static const char *set_only(struct run_options *options, char *value)
{
	return add_names(&options->only, value);
}

static const char *set_optional(struct run_options *options, char *value)
{
	return add_names(&options->optional, value);
}

static const char *set_keep(struct run_options *options, char *value)
{
	return add_names(&options->keep, value);
}

static const char *set_map(struct run_options *options, char *value)
{
	char *name = value;
	const char *key = strsep(&name, "=");

	if (name == NULL || text_check_key(key, strlen(key)) == ERR_BAD_NAME)
		return "takes KEY=NAME";

	enum err err = text_check_key(name, strlen(name));

	if (err != OK)
		return err == ERR_RESERVED_NAME ? err_text(err) : "takes KEY=NAME";
	if (options->mapping_count == ENV_KEYS_MAX)
		return "takes no more than 128 names";
	for (size_t i = 0; i < options->mapping_count; i++) {
		if (strcmp(options->mapping[i].key, key) == 0 || strcmp(options->mapping[i].name, name) == 0)
			return "names a key or a variable twice";
	}
	options->mapping[options->mapping_count++] = (struct run_mapping){.key = key, .name = name};
	return NULL;
}

static const char *set_wait(struct run_options *options, char *value)
{
	int seconds = 0;

	if (value[0] == '\0')
		return "takes seconds, at most 604800";
	for (const char *digit = value; *digit != '\0'; digit++) {
		if (*digit < '0' || *digit > '9')
			return "takes seconds, at most 604800";
		seconds = seconds * 10 + (*digit - '0');
		if (seconds > WAIT_SECONDS_MAX)
			return "takes seconds, at most 604800";
	}
	options->wait_seconds = seconds;
	return NULL;
}

static const char *set_socket(struct run_options *options, char *value)
{
	options->socket_path = value;
	return value[0] != '\0' ? NULL : "takes a path";
}

static const char *set_user(struct run_options *options, char *value)
{
	(void)value;
	options->is_user_vault = true;
	return NULL;
}

static const char *set_clean_env(struct run_options *options, char *value)
{
	(void)value;
	options->is_clean_env = true;
	return NULL;
}

/* Every command takes --json; the only output of this one is the program's own. */
static const char *set_json(struct run_options *options, char *value)
{
	(void)options;
	(void)value;
	return NULL;
}

static const char *set_help(struct run_options *options, char *value)
{
	(void)value;
	options->wants_help = true;
	return NULL;
}

static const struct option {
	const char *name;
	bool takes_value;
	const char *(*set)(struct run_options *options, char *value);
} table[] = {
	{"--only", true, set_only},
	{"--optional", true, set_optional},
	{"--keep", true, set_keep},
	{"--map", true, set_map},
	{"--wait", true, set_wait},
	{"--socket", true, set_socket},
	{"--user", false, set_user},
	{"--clean-env", false, set_clean_env},
	{"--json", false, set_json},
	{"--help", false, set_help},
	{"-h", false, set_help},
};

static const struct option *find_option(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strlen(table[i].name) == len && memcmp(table[i].name, word, len) == 0)
			return &table[i];
	}
	return NULL;
}

/* The option at *at, whose value may be in the same word or the next, which is then taken. */
static bool read_option(int argc, char **argv, int *at, struct run_options *out)
{
	char *word = argv[*at];
	size_t len = strcspn(word, "=");
	const struct option *option = find_option(word, len);
	char *value = word[len] == '=' ? word + len + 1 : NULL;

	if (option == NULL) {
		word[len] = '\0';
		say("run: unknown option ", word, "; see coffer run --help", NULL);
		return false;
	}
	if (!option->takes_value && value != NULL) {
		say("run: ", option->name, " takes no value", NULL);
		return false;
	}
	if (option->takes_value && value == NULL) {
		if (*at + 1 == argc || strcmp(argv[*at + 1], "--") == 0) {
			say("run: ", option->name, " needs a value; see coffer run --help", NULL);
			return false;
		}
		value = argv[++*at];
	}

	const char *wrong = option->set(out, value);

	if (wrong != NULL)
		say("run: ", option->name, ": ", wrong, NULL);
	return wrong == NULL;
}

static bool read_name(const char *word, struct run_options *out)
{
	if (out->integration != NULL) {
		say("run: put -- before the command: coffer run [INTEGRATION] [OPTION]... -- CMD [ARG]...",
			NULL);
		return false;
	}
	if (!text_is_integration_name(word, strlen(word))) {
		say("run: this is not the name of an integration: ", word, NULL);
		return false;
	}
	out->integration = word;
	return true;
}

bool run_options_parse(int argc, char **argv, int command_at, struct run_options *out)
{
	for (int i = 1; i < argc && out->command == NULL && !out->wants_help; i++) {
		if (i == command_at)
			continue;
		if (strcmp(argv[i], "--") == 0)
			out->command = argv + i + 1;
		else if (argv[i][0] == '-' ? !read_option(argc, argv, &i, out) : !read_name(argv[i], out))
			return false;
	}
	if (out->wants_help)
		return true;
	if (out->command == NULL || out->command[0] == NULL) {
		say("run: no command: coffer run [INTEGRATION] [OPTION]... -- CMD [ARG]...", NULL);
		return false;
	}
	return true;
}
