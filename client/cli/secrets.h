/*
 * Storing values, and showing what there is to know about secrets without them.
 */
#ifndef COFFER_CLI_SECRETS_H
#define COFFER_CLI_SECRETS_H

#include "err.h"
#include "json.h"
#include "locked.h"
#include "reply.h"

struct cli;

/* The command secret put. */
enum err secrets_put(struct cli *cli);

#define ARENA_AUTO __attribute__((cleanup(arena_deinit))) struct arena

/* Locked memory that one call of secrets_send needs at most. */
enum { SECRETS_SEND_BYTES = 256 * 1024 };

/*
 * Sends secret.put: members writes what belongs to it beside the value, into locked memory taken from arena.
 * Errors are reported.
 */
enum err secrets_send(struct cli *cli, struct arena *arena, const struct secret *value,
	enum err (*members)(struct json_writer *w, const void *context), const void *context,
	struct reply *reply);

enum err secrets_print_list(const struct reply *reply);
enum err secrets_print_one(const struct reply *reply);
enum err secrets_print_version(const struct reply *reply);
enum err secrets_print_removed(const struct reply *reply);

#endif
