/*
 * Reads the command line of `coffer run`: a table of options, then everything after "--" is the program's and is
 * not looked at.  Messages name the option, never what was given to it: somebody may have given it a value (P1).
 */
#include "run_options.h"

#include <signal.h>
#include <string.h>

#include "run_token.h"
#include "say.h"

enum {
	SECONDS_MAX = 604800,
	STOP_TIMEOUT_SECONDS = 30,
	TIME_LIMIT_SECONDS = 60,
	DIGEST_CHARS = 64,
	SIGNALS_END = 32, /* behind the last one that has a name */
	NOT_GIVEN = -1,
};

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

static const char *read_seconds(const char *value, int least, int *out)
{
	int seconds = 0;

	if (value[0] == '\0')
		return "takes seconds, at most 604800";
	for (const char *digit = value; *digit != '\0'; digit++) {
		if (*digit < '0' || *digit > '9')
			return "takes seconds, at most 604800";
		seconds = seconds * 10 + (*digit - '0');
		if (seconds > SECONDS_MAX)
			return "takes seconds, at most 604800";
	}
	*out = seconds;
	return seconds >= least ? NULL : "takes at least a second";
}

static const char *set_wait(struct run_options *options, char *value)
{
	return read_seconds(value, 0, &options->wait_seconds);
}

static const char *set_stop_timeout(struct run_options *options, char *value)
{
	return read_seconds(value, 0, &options->stop_timeout_seconds);
}

static const char *set_splay(struct run_options *options, char *value)
{
	return read_seconds(value, 0, &options->splay_seconds);
}

static const char *set_time_limit(struct run_options *options, char *value)
{
	return read_seconds(value, 1, &options->time_limit_seconds);
}

static const char *set_file(struct run_options *options, char *value)
{
	return add_names(&options->file, value);
}

/* The number of HUP or SIGHUP; 0: no such name, or none that a program can act upon. */
static int signal_number(const char *name)
{
	const char *word = strncmp(name, "SIG", 3) == 0 ? name + 3 : name;

	for (int number = 1; number < SIGNALS_END; number++) {
		const char *known = sigabbrev_np(number);

		if (known != NULL && strcmp(known, word) == 0)
			return number != SIGKILL && number != SIGSTOP ? number : 0;
	}
	return 0;
}

static const char *set_on_change(struct run_options *options, char *value)
{
	bool is_restart = strcmp(value, "restart") == 0;

	options->wants_change = true;
	options->change_signal = is_restart ? 0 : signal_number(value);
	return is_restart || options->change_signal != 0
		       ? NULL
		       : "takes restart, or the name of a signal that a program can handle: HUP, USR1, ...";
}

static const char *set_verdict(struct run_options *options, char *value)
{
	options->verdict = value;
	return strlen(value) == DIGEST_CHARS && strspn(value, "0123456789abcdef") == DIGEST_CHARS
		       ? NULL
		       : "takes a digest of 64 lower-case hex digits";
}

static const char *set_socket(struct run_options *options, char *value)
{
	options->socket_path = value;
	return value[0] != '\0' ? NULL : "takes a path";
}

static const char *set_token_file(struct run_options *options, char *value)
{
	options->token->path = value;
	return value[0] != '\0' ? NULL : "takes a path";
}

static const char *set_token_fd(struct run_options *options, char *value)
{
	return run_token_set_fd(options->token, value);
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

static const char *set_staged(struct run_options *options, char *value)
{
	(void)value;
	options->is_staged = true;
	return NULL;
}

static const char *set_record(struct run_options *options, char *value)
{
	(void)value;
	options->is_recorded = true;
	return NULL;
}

static const char *set_mask(struct run_options *options, char *value)
{
	(void)value;
	options->is_masked = true;
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
#define RUN_OPTION(typed, metavar, setter, text) {"--" typed, (metavar) != NULL, set_##setter},
#include "run_options.def"
#undef RUN_OPTION
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

/* Why these options do not go together, or NULL. */
static const char *contradiction(const struct run_options *options)
{
	if (options->verdict != NULL && !options->is_staged)
		return "--verdict needs --staged: a test is of staged values";
	if (options->verdict != NULL && (options->is_masked || options->is_recorded || options->wants_change))
		return "--verdict does not go together with --mask, --record or --on-change";
	if (options->verdict == NULL && options->time_limit_seconds != NOT_GIVEN)
		return "--time-limit needs --verdict";
	if (options->is_masked && options->wants_change)
		return "--mask and --on-change exclude each other: who waits for changes holds no values to "
		       "mask";
	if (options->stop_timeout_seconds != NOT_GIVEN &&
		(!options->wants_change || options->change_signal != 0))
		return "--stop-timeout needs --on-change restart";
	if (options->token->path != NULL && options->token->fd >= 0)
		return "--token-file and --token-fd exclude each other";
	if (options->splay_seconds != NOT_GIVEN && !options->wants_change)
		return "--splay needs --on-change";
	return NULL;
}

static void set_default(int *seconds, int standard)
{
	if (*seconds == NOT_GIVEN)
		*seconds = standard;
}

static bool check_options(struct run_options *options)
{
	const char *wrong = contradiction(options);

	if (options->command == NULL || options->command[0] == NULL)
		wrong = "no command: coffer run [INTEGRATION] [OPTION]... -- CMD [ARG]...";
	if (wrong != NULL) {
		say("run: ", wrong, NULL);
		return false;
	}
	set_default(&options->stop_timeout_seconds, STOP_TIMEOUT_SECONDS);
	set_default(&options->splay_seconds, 0);
	set_default(&options->time_limit_seconds, TIME_LIMIT_SECONDS);
	return true;
}

bool run_options_parse(int argc, char **argv, int command_at, struct run_options *out)
{
	out->stop_timeout_seconds = NOT_GIVEN;
	out->splay_seconds = NOT_GIVEN;
	out->time_limit_seconds = NOT_GIVEN;
	for (int i = 1; i < argc && out->command == NULL && !out->wants_help; i++) {
		if (i == command_at)
			continue;
		if (strcmp(argv[i], "--") == 0)
			out->command = argv + i + 1;
		else if (argv[i][0] == '-' ? !read_option(argc, argv, &i, out) : !read_name(argv[i], out))
			return false;
	}
	return out->wants_help || check_options(out);
}
