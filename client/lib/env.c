/*
 * What a program sees of a fetched environment.  A child made by fork finds the locked region zeroed (P1) and is
 * told that nothing is there, instead of being handed empty values.  Decoding is fetch.c's.
 */
#include "env.h"

#include <stdlib.h>
#include <string.h>

void coffer_env_free(coffer_env *env)
{
	if (env == NULL)
		return;
	locked_unmap(&env->memory);
	free(env->entries);
	free(env);
}

const char *coffer_env_integration(const coffer_env *env)
{
	return env != NULL ? env->integration : "";
}

const char *coffer_env_run(const coffer_env *env)
{
	return env != NULL ? env->run : "";
}

size_t coffer_env_count(const coffer_env *env)
{
	return env != NULL ? env->count : 0;
}

static int show_entry(const coffer_env *env, const struct env_entry *entry, struct coffer_variable *out)
{
	if (entry == NULL || env->memory.bytes[0] != ENV_MARK)
		return COFFER_NOT_FOUND;

	*out = (struct coffer_variable){
		.size = out->size,
		.name = entry->name,
		.value = entry->assignment + strlen(entry->name) + 1,
		.value_len = entry->value_len,
		.version = entry->version,
		.expires_ms = entry->expires_ms,
		.assignment = entry->assignment,
	};
	return COFFER_OK;
}

int coffer_env_at(const coffer_env *env, size_t index, struct coffer_variable *out)
{
	if (env == NULL || out == NULL || out->size < sizeof(*out))
		return COFFER_USAGE;
	return show_entry(env, index < env->count ? &env->entries[index] : NULL, out);
}

static int compare_name(const void *name, const void *entry)
{
	return strcmp(name, ((const struct env_entry *)entry)->name);
}

int coffer_env_get(const coffer_env *env, const char *name, struct coffer_variable *out)
{
	if (env == NULL || name == NULL || out == NULL || out->size < sizeof(*out))
		return COFFER_USAGE;
	return show_entry(
		env, bsearch(name, env->entries, env->count, sizeof(*env->entries), compare_name), out);
}

int coffer_env_inject(const coffer_env *env, unsigned flags)
{
	if (env == NULL || (flags & ~COFFER_KEEP_EXISTING) != 0)
		return COFFER_USAGE;
	for (size_t i = 0; i < env->count; i++) {
		struct coffer_variable variable = {.size = sizeof(variable)};
		int error = coffer_env_at(env, i, &variable);

		if (error != COFFER_OK)
			return error;
		if (setenv(variable.name, variable.value, (flags & COFFER_KEEP_EXISTING) == 0) != 0)
			return COFFER_INTERNAL;
	}
	return COFFER_OK;
}
