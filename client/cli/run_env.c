/*
 * Merges environments: a secret wins over an inherited variable unless --keep names it, and nothing that is coffer's
 * own goes on to the program.  Values stay where the library decoded them; only a renamed one is copied, into
 * locked memory (P1), and one of --file into its file.
 */
#include "run_env.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

#define PATH_MINIMAL "/usr/local/bin:/usr/bin:/bin"

static const char own_prefix[] = "COFFER_";
static char path_minimal[] = "PATH=" PATH_MINIMAL;

/* The name that a key of the vault has in the environment. */
static const char *name_of(const struct run_options *options, const char *key)
{
	for (size_t i = 0; i < options->mapping_count; i++) {
		if (strcmp(options->mapping[i].key, key) == 0)
			return options->mapping[i].name;
	}
	return key;
}

/* The key of the vault behind a variable's name, or NULL. */
static const char *key_of(const struct run_options *options, const char *name)
{
	for (size_t i = 0; i < options->mapping_count; i++) {
		if (strcmp(options->mapping[i].name, name) == 0)
			return options->mapping[i].key;
	}
	return strcmp(name_of(options, name), name) == 0 ? name : NULL;
}

static bool is_fetched(const coffer_env *fetched, const char *key)
{
	struct coffer_variable variable = {.size = sizeof(variable)};

	return key != NULL && coffer_env_get(fetched, key, &variable) == COFFER_OK;
}

/* An inherited variable of this name stays, and wins. */
static bool is_kept(const struct run_options *options, const char *name)
{
	return run_names_hold(&options->keep, name) && getenv(name) != NULL;
}

const char *run_env_path(const struct run_options *options)
{
	const char *path = options->is_clean_env && !is_kept(options, "PATH") ? NULL : getenv("PATH");

	return path != NULL ? path : PATH_MINIMAL;
}

static bool goes_on(const struct run_options *options, const coffer_env *fetched, const char *string)
{
	size_t len = strcspn(string, "=");
	char name[KEY_BYTES_MAX + 1] = "";

	if (strncmp(string, own_prefix, sizeof(own_prefix) - 1) == 0)
		return false;
	/* Longer than any name that options or the vault can hold. */
	if (len >= sizeof(name))
		return !options->is_clean_env;
	memcpy(name, string, len);
	if (is_kept(options, name))
		return true;
	return !options->is_clean_env && !is_fetched(fetched, key_of(options, name));
}

static void add_inherited(const struct run_options *options, const coffer_env *fetched, struct run_env *out)
{
	for (char **string = environ; *string != NULL; string++) {
		if (goes_on(options, fetched, *string))
			out->strings[out->count++] = *string;
	}
	if (options->is_clean_env && !is_kept(options, "PATH"))
		out->strings[out->count++] = path_minimal;
}

static struct coffer_variable variable_at(const coffer_env *fetched, size_t index)
{
	struct coffer_variable variable = {.size = sizeof(variable)};
	int error = coffer_env_at(fetched, index, &variable);

	/* The index is in range and nothing forked. */
	(void)error;
	return variable;
}

static size_t room_for_renamed(const struct run_options *options, const coffer_env *fetched)
{
	size_t room = 0;

	for (size_t i = 0; i < coffer_env_count(fetched); i++) {
		struct coffer_variable variable = variable_at(fetched, i);
		const char *name = name_of(options, variable.name);

		if (name != variable.name)
			room += strlen(name) + 1 + variable.value_len + 1;
	}
	return room;
}

/* execve(2) refuses a longer string, and would not say which. */
static bool fits_string(const char *name, size_t value_len)
{
	if (value_len <= ENV_STRING_BYTES_MAX - strlen(name) - 1)
		return true;
	say("the value of ", name, " is too long for an environment", NULL);
	return false;
}

/* "name=value" at *at, which moves on. */
static char *write_renamed(unsigned char **at, const char *name, const struct coffer_variable *variable)
{
	char *string = (char *)*at;
	size_t name_len = strlen(name);

	memcpy(string, name, name_len);
	string[name_len] = '=';
	memcpy(string + name_len + 1, variable->value, variable->value_len + 1);
	*at += name_len + 1 + variable->value_len + 1;
	return string;
}

static bool add_fetched(const struct run_options *options, const coffer_env *fetched, struct run_env *out)
{
	unsigned char *at = out->renamed.bytes;

	for (size_t i = 0; i < coffer_env_count(fetched); i++) {
		struct coffer_variable variable = variable_at(fetched, i);
		const char *name = name_of(options, variable.name);
		char *string = (char *)(uintptr_t)variable.assignment;

		if (is_kept(options, name))
			continue;
		if (run_names_hold(&options->file, variable.name))
			string = run_files_add(&out->files, &variable, name);
		else if (!fits_string(name, variable.value_len))
			return false;
		else if (name != variable.name)
			string = write_renamed(&at, name, &variable);
		if (string == NULL)
			return false;
		out->strings[out->count++] = string;
	}
	return true;
}

/* What an option names and is not there, though it may not be missing. */
static bool is_missing(
	const struct run_options *options, const coffer_env *fetched, const char *option, const char *key)
{
	if (is_fetched(fetched, key) || run_names_hold(&options->optional, key))
		return false;
	say(option, ": ", coffer_env_integration(fetched), " has no ", key, NULL);
	return true;
}

static bool check_files(const struct run_options *options, const coffer_env *fetched)
{
	for (size_t i = 0; i < options->file.count; i++) {
		if (is_missing(options, fetched, "--file", options->file.name[i]))
			return false;
	}
	return true;
}

static bool check_mappings(const struct run_options *options, const coffer_env *fetched)
{
	for (size_t i = 0; i < options->mapping_count; i++) {
		const struct run_mapping *mapping = &options->mapping[i];

		if (is_missing(options, fetched, "--map", mapping->key))
			return false;
		if (is_fetched(fetched, mapping->name) &&
			strcmp(name_of(options, mapping->name), mapping->name) == 0 &&
			strcmp(mapping->key, mapping->name) != 0) {
			say("--map: ", coffer_env_integration(fetched), " has a ", mapping->name,
				" of its own", NULL);
			return false;
		}
	}
	return true;
}

bool run_env_build(const struct run_options *options, const coffer_env *fetched, struct run_env *out)
{
	size_t room = room_for_renamed(options, fetched);
	size_t inherited = 0;

	if (!check_mappings(options, fetched) || !check_files(options, fetched))
		return false;
	while (environ[inherited] != NULL)
		inherited++;
	out->strings = calloc(inherited + coffer_env_count(fetched) + 2, sizeof(*out->strings));
	if (out->strings == NULL || (room > 0 && locked_map(room, true, &out->renamed) != OK)) {
		say(err_text(ERR_INTERNAL), ": out of memory", NULL);
		return false;
	}
	add_inherited(options, fetched, out);
	return add_fetched(options, fetched, out);
}

void run_env_clear(struct run_env *env)
{
	run_files_clear(&env->files);
	locked_unmap(&env->renamed);
	free(env->strings);
	*env = (struct run_env){0};
}
