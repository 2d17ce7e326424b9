/*
 * One audit record: typed fields, their canonical bytes, their JSON, and the hash that chains it to the
 * record before.  Both ends use it: the daemon writes, anybody verifies, without keys and without the daemon.
 *
 * hash = BLAKE2b-256("coffer/audit/1" NUL ‖ previous hash ‖ canonical fields), unkeyed; RFC 7693.
 * The hash of the record before the first is 32 zero bytes.
 */
#ifndef COFFER_PROTO_RECORD_H
#define COFFER_PROTO_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "json.h"
#include "text.h"

enum {
	RECORD_HASH_BYTES = 32,
	RECORD_WORD_BYTES = 32,
	RECORD_DETAIL_BYTES = 120,
	RECORD_SUBJECT_BYTES_MAX = 12288,
};

struct record_subject {
	const char *text;
	size_t len;
};

/* No field ever holds a value, its length or its hash (P1, P3). */
struct record {
	uint64_t seq; /* from 1, without gaps */
	int64_t time_ms; /* wall clock, milliseconds since the epoch */
	char kind
		[RECORD_WORD_BYTES]; /* a method's name, or "daemon.start", "daemon.stop", "line" (not a request), "vault.init" */
	char outcome[RECORD_WORD_BYTES]; /* "ok" or an error word */
	uint32_t uid; /* who; the daemon's own for daemon.* */
	uint32_t gid;
	int32_t pid;
	char unit[UNIT_BYTES_MAX + 1]; /* the proven system unit, or "" */
	char integration[INTEGRATION_NAME_BYTES_MAX + 1]; /* or "" */
	char key[KEY_BYTES_MAX + 1]; /* or "" */
	uint64_t version; /* 0: none */
	uint64_t object; /* grant number; 0: none */
	char run[27]; /* run id of a fetch, or "" */
	/*
	 * What exactly: the versions of a fetch ("A=3 B=1"), the fields of a change ("title access=read-only"), the rule of a
	 * grant ("uid=1001 unit=etl.service"), a name or reason that somebody gave ("to='Ada Lovelace'").  Visible characters
	 * without double quotes and backslashes (a unit's backslash stands as /, which no unit has); not owned; len 0: nothing; what is to be stored ends in a NUL.  After record_read it points into the document.
	 */
	struct record_subject subject;
	uint32_t repeats; /* 1, or how many refusals this record stands for */
	char detail[RECORD_DETAIL_BYTES]; /* a constant sentence of ours (why refused), or "" */
	unsigned char previous[RECORD_HASH_BYTES];
	unsigned char hash[RECORD_HASH_BYTES];
};

/* Sets record->hash from previous and all other fields. */
void record_seal(struct record *record);

/* True when the hash fits the fields. */
bool record_is_sealed(const struct record *record);

/* One JSON object with every field, hashes in hex, in the order above. */
void record_write(struct json_writer *w, const struct record *record);

/* Reads what record_write wrote: every field must be there and nothing else.  ERR_BAD_VALUE otherwise. */
enum err record_read(const struct json_doc *doc, const struct json_token *object, struct record *out);

#endif
