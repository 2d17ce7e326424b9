/*
 * The values of a fetch, opened into the request's arena: which ones, and none that the caller was not granted.
 */
#ifndef COFFER_CORE_ENV_OPEN_H
#define COFFER_CORE_ENV_OPEN_H

#include "env_fetch.h"

struct env_item {
	const char *key; /* in the arena, like the value */
	uint64_t version;
	int64_t expires_ms;
	struct secret value;
	bool as_base64; /* how env_values.c writes it */
};

struct env_opening {
	struct call *call;
	const struct integration *integration;
	enum env_scope scope;
	const char *only; /* this key alone; NULL: what the request asks for */
	struct dek *dek;
	size_t class_bytes; /* of the values so far */
	struct env_item items[ENV_KEYS_MAX];
	size_t count;
};

/* In the arena; NULL: it is used up. */
struct env_opening *env_opening_new(
	struct call *call, const struct integration *integration, enum env_scope scope);

/* Errors as env_values_deliver; NOT_FOUND, too, when only is set and there is no such key. */
enum err env_open(struct env_opening *opening);

/* What was opened, as a run that is not stored yet, with an id of its own that the audit record names; versions is room for ENV_KEYS_MAX. */
struct store_run env_run(const struct env_opening *opening, struct store_run_version *versions);

#endif
