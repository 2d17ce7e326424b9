/*
 * What the files of this library share: the handle behind coffer.h, one request and its reply, and the
 * sentence that explains the last failure.
 */
#ifndef COFFER_LIB_VAULT_H
#define COFFER_LIB_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channel.h"
#include "coffer.h"
#include "err.h"
#include "json.h"
#include "locked.h"

enum { FAILURE_TEXT_BYTES = 512 };

struct reply {
	struct locked memory; /* the line; wiped by call_clear */
	struct json_token *tokens; /* offsets and lengths only; on the heap */
	struct json_doc doc;
	const struct json_token *result; /* an object; NULL: no reply */
};

struct failure {
	enum err err;
	int64_t retry_after_ms; /* what the daemon asked for, or 0; negative: no wait will help */
	char text[FAILURE_TEXT_BYTES];
};

struct coffer {
	char *socket_path;
	int timeout_ms; /* negative: none */
	int64_t last_id;
	struct channel channel;
	struct reply reply;
	struct failure failure;
};

/* Notes the failure with a sentence that holds no value, and returns err. */
enum err vault_fail(struct coffer *vault, enum err err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Forgets the last reply and failure, asks the daemon, waits for the answer.  Connects when needed, and again,
 * once, when a kept connection turns out to have been closed before the request was read.
 * On OK vault->reply is set until call_clear or the next call; on an error vault->failure.
 */
enum err call_method(struct coffer *vault, const char *method, const char *params, size_t params_len);

/* Wipes the reply.  Fine without one. */
void call_clear(struct coffer *vault);

/* The member, if object is an object that has it and its value is of this type; else NULL. */
const struct json_token *call_member(
	const struct json_doc *doc, const struct json_token *object, const char *key, enum json_type type);

/*
 * Copies a caller's versioned struct (its first member is its size) over the zeroed one of this version.
 * USAGE: smaller than the first version.  UNSUPPORTED: something is set that this version does not know.
 */
enum err vault_copy_options(void *options, size_t size, const void *given);

#endif
