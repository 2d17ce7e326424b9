/*
 * The lines of an exported or archived audit log that are no records: the header, which says whose log it is and where it
 * goes on, and a checkpoint behind the records.  Each is one JSON object, and neither can be taken for a record.
 */
#ifndef COFFER_PROTO_SEGMENT_H
#define COFFER_PROTO_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "checkpoint.h"
#include "err.h"
#include "json.h"

struct segment {
	char host[CHECKPOINT_HOST_BYTES];
	unsigned char vault[CHECKPOINT_VAULT_BYTES];
	uint64_t from_seq; /* of the first record; it need not be there yet */
	unsigned char previous[RECORD_HASH_BYTES]; /* hash of the record before it; zero: there is none */
	bool is_filtered; /* records were left out: it is no chain */
};

void segment_write_header(struct json_writer *w, const struct segment *segment);
void segment_write_checkpoint(struct json_writer *w, const struct checkpoint *checkpoint);

/* A line is told by its first member. */
bool segment_is_header(const struct json_doc *doc, const struct json_token *object);
bool segment_is_checkpoint(const struct json_doc *doc, const struct json_token *object);

/* ERR_BAD_VALUE: not what is written above.  ERR_UNSUPPORTED: a header of a later version. */
enum err segment_read_header(
	const struct json_doc *doc, const struct json_token *object, struct segment *out);
enum err segment_read_checkpoint(
	const struct json_doc *doc, const struct json_token *object, struct checkpoint *out);

#endif
