/*
 * Values on their way into the vault: from standard input, the prompt or the random generator, in locked memory
 * until the daemon has them.
 */
#ifndef COFFER_CLI_VALUE_H
#define COFFER_CLI_VALUE_H

#include "err.h"
#include "json.h"
#include "locked.h"
#include "reply.h"
#include "text.h"

struct cli;

#define ARENA_AUTO __attribute__((cleanup(arena_deinit))) struct arena

/* Locked memory that one call of value_send, and one of value_get, need at most. */
enum { VALUE_SEND_BYTES = 256 * 1024, VALUE_GET_BYTES = VALUE_BYTES_MAX + 1 };

/* What can be judged before a value is asked for: the key, and options that go together.  Errors are reported. */
enum err value_check_arguments(const struct cli *cli);

/* The value that the arguments ask for, made or read, and judged.  Errors are reported. */
enum err value_get(const struct cli *cli, struct arena *arena, struct secret *out);

/*
 * Sends secret.put: members writes what belongs to it beside the value, into locked memory taken from arena.
 * Errors are reported.
 */
enum err value_send(struct cli *cli, struct arena *arena, const struct secret *value,
	enum err (*members)(struct json_writer *w, const void *context), const void *context,
	struct reply *reply);

#endif
