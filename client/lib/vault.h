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
	struct locked memory; /* the line; wiped by answer_clear */
	struct json_token *tokens; /* offsets and lengths only; on the heap */
	struct json_doc doc;
	const struct json_token *result; /* of a reply, or the params of an event: an object; NULL: none */
	const struct json_token *error_data; /* of a refusal, an object; NULL: none */
};

struct failure {
	enum err err;
	int64_t retry_after_ms; /* what the daemon asked for, or 0; negative: no wait will help */
	char text[FAILURE_TEXT_BYTES];
};

/* What every new connection shows; in locked memory, which a child made by fork(2) finds empty (P1). */
struct token {
	struct locked memory; /* the params of session.authenticate */
	size_t len; /* 0: none */
};

struct coffer {
	char *socket_path;
	int timeout_ms; /* negative: none */
	int64_t last_id;
	struct channel channel;
	struct token token;
	struct reply reply;
	struct failure failure;
};

/* Notes the failure with a sentence that holds no value, and returns err. */
enum err vault_fail(struct coffer *vault, enum err err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Forgets the last reply and failure, asks the daemon, waits for the answer.  Connects when needed, and again,
 * once, when a kept connection turns out to have been closed before the request was read.
 * On OK vault->reply is set until answer_clear or the next call; on an error vault->failure.
 */
enum err call_method(struct coffer *vault, const char *method, const char *params, size_t params_len);

/* The same for env.watch: on OK the connection has_events, on an error it is closed. */
enum err call_watch(struct coffer *vault, const char *params, size_t params_len);

/*
 * Waits for the next event that this version knows; on OK vault->reply.result is its params.  ERR_TIMEOUT: none came
 * before the deadline.  After any other error, and after COFFER_EVENT_ENDED, the connection is closed.
 */
enum err call_next_event(struct coffer *vault, int64_t deadline_ms, enum coffer_event *event_out);

/* Forgets the last reply and failure, and connects anew: proven, and with the token shown. */
enum err call_connect(struct coffer *vault);

/* Wipes the token.  Fine without one. */
void token_clear(struct coffer *vault);

/* False as well in a child that was made since it was given. */
bool token_is_there(const struct coffer *vault);

/* Wipes the reply.  Fine without one. */
void answer_clear(struct coffer *vault);

/* Reads the line of len bytes in vault->reply.memory as the answer to the last request. */
enum err answer_read(struct coffer *vault, size_t len);

/* The same for an event.  ERR_NOT_FOUND: of a kind that this version does not know, to be passed over. */
enum err answer_read_event(struct coffer *vault, size_t len, enum coffer_event *event_out);

/* Notes that the daemon is not understood, closes the connection, and returns ERR_PROTOCOL. */
enum err answer_misunderstood(struct coffer *vault, const char *why);

/* The same for an error of the channel, which is returned. */
enum err answer_failed(struct coffer *vault, enum err err);

/* The member, if object is an object that has it and its value is of this type; else NULL. */
const struct json_token *answer_member(
	const struct json_doc *doc, const struct json_token *object, const char *key, enum json_type type);

/* The result of the reply, or the params of the event, for a caller: NUL-terminated where it lies. */
void vault_show_result(struct coffer *vault, const char **json_out, size_t *len_out);

/*
 * Copies a caller's versioned struct (its first member is its size) over the zeroed one of this version.
 * USAGE: smaller than the first version, which had first_size bytes.  UNSUPPORTED: something is set that this
 * version does not know.
 */
enum err vault_copy_options(void *options, size_t size, size_t first_size, const void *given);

/* The name of an integration, or NULL.  ERR_BAD_NAME: it breaks the rules. */
enum err vault_check_integration(struct coffer *vault, const char *integration);

#endif
