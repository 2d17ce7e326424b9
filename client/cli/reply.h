/*
 * A result of the daemon, through the gate and ready to be looked at.  Clients are tolerant: what is absent
 * is shown as absent, and what this version does not know is not looked at.
 */
#ifndef COFFER_CLI_REPLY_H
#define COFFER_CLI_REPLY_H

#include <stddef.h>

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
void reply_clear(struct reply *reply);

#define REPLY_AUTO __attribute__((cleanup(reply_clear))) struct reply

/* The member at a path of names with dots ("counts.grants") below object (NULL: the whole result), or NULL. */
const struct json_token *reply_at(
	const struct reply *reply, const struct json_token *object, const char *path);

/* How a member is shown. */
enum show {
	SHOW_TEXT,
	SHOW_NUMBER, /* aligned to the right */
	SHOW_ORDINAL, /* a number that counts from 1: 0 is none */
	SHOW_TIME, /* without milliseconds */
	SHOW_LAST, /* a time; absent means never */
	SHOW_STATE, /* a word that may have a colour */
};

/* Appends what people see of a value, safe for a terminal; "-" or "never" when there is none. */
void reply_show(struct buf *buf, const struct reply *reply, const struct json_token *value, enum show show);

#endif
