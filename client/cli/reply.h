/*
 * A result of the daemon, through the gate and ready to be looked at.  Clients are tolerant: what is absent
 * is shown as absent, and what this version does not know is not looked at.
 */
#ifndef COFFER_CLI_REPLY_H
#define COFFER_CLI_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "json.h"

struct reply {
	struct json_doc doc;
	struct json_token *tokens; /* owned; doc points into it */
	const char *text; /* not owned: valid until the next call to the daemon */
	size_t len;
};

/* ERR_PROTOCOL: not an object of strict JSON.  ERR_INTERNAL: no memory. */
enum err reply_read(struct reply *reply, const char *text, size_t len);

/* The same of at most so many tokens; ERR_TOO_COMPLEX beyond. */
enum err reply_read_bounded(struct reply *reply, const char *text, size_t len, uint32_t most);
void reply_clear(struct reply *reply);

#define REPLY_AUTO __attribute__((cleanup(reply_clear))) struct reply

/* The member at a path of names with dots ("counts.grants") below object (NULL: the whole result), or NULL. */
const struct json_token *reply_at(
	const struct reply *reply, const struct json_token *object, const char *path);

/* A member as what it is; of another type, or absent: false, 0, "", and an array without entries. */
bool reply_is(const struct reply *reply, const struct json_token *object, const char *path, const char *text);
bool reply_flag(const struct reply *reply, const struct json_token *object, const char *path);
int64_t reply_integer(const struct reply *reply, const struct json_token *object, const char *path);
int64_t reply_time(const struct reply *reply, const struct json_token *object,
	const char *path); /* milliseconds since the epoch; 0 for what is no time */
void reply_text(const struct reply *reply, const struct json_token *object, const char *path, char *out,
	size_t cap); /* "" also for what does not fit */
const struct json_token *reply_array(
	const struct reply *reply, const struct json_token *object, const char *path); /* or NULL */

/* How a member is shown. */
enum show {
	SHOW_TEXT,
	SHOW_NUMBER, /* aligned to the right */
	SHOW_ORDINAL, /* a number that counts from 1: 0 is none */
	SHOW_TIME, /* without milliseconds */
	SHOW_LAST, /* a time; absent means never */
	SHOW_STATE, /* a word that may have a colour */
	/* What a word or two say of an object, or of what stands for one: cells.h. */
	SHOW_HOLDER, /* a holder: pid, "children may hold" or "unknown" */
	SHOW_VERSIONS, /* "A=3 B=1" */
	SHOW_END, /* how a run ended */
	SHOW_VERDICT, /* "passed" or "failed" */
	SHOW_DIGEST, /* the beginning of one */
	SHOW_DURATION, /* of milliseconds */
	SHOW_BYTES, /* "1.2 MiB" */
	SHOW_CONDITIONS, /* "user: yes, unit: no (why)" */
};

/* Appends what people see of a value, safe for a terminal; "-" or "never" when there is none. */
void reply_show(struct buf *buf, const struct reply *reply, const struct json_token *value, enum show show);

#endif
