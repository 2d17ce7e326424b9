/*
 * Verifying the chain of audit records: any change, removal, insertion or exchange is found and named.
 */
#ifndef COFFER_CLI_VERIFY_H
#define COFFER_CLI_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "checkpoint.h"
#include "err.h"
#include "json.h"
#include "record.h"

/* A head that was saved earlier: what came since may be more, but must lead through it. */
struct verify_head {
	bool is_given;
	bool has_seq;
	uint64_t seq;
	unsigned char hash[RECORD_HASH_BYTES];
	bool is_found;
};

/* How far the chain was followed. */
struct verify {
	bool has_start; /* the first record's number and the hash before it are known: last and head say them */
	uint64_t count;
	uint64_t first; /* number of the first record */
	uint64_t last;
	unsigned char head[RECORD_HASH_BYTES]; /* hash of the last record */
	struct verify_head saved;
	bool has_vault;
	unsigned char vault[CHECKPOINT_VAULT_BYTES];
	bool has_key; /* every checkpoint must be signed by it */
	bool is_key_given; /* … and it came from outside of what is verified */
	unsigned char key[CHECKPOINT_KEY_BYTES];
	uint64_t checkpoints; /* that held */
	char why[200]; /* what is wrong, after a failure */
};

/* In all of these ERR_BAD_VALUE: it does not hold; why says it. */

/* Follows the chain to the record in object. */
enum err verify_record(struct verify *verify, const struct json_doc *doc, const struct json_token *object);

/* The chain goes on behind a place: at its beginning that is taken, later it must be where it stands. */
enum err verify_place(struct verify *verify, uint64_t seq, const unsigned char hash[RECORD_HASH_BYTES]);

/* A record, a header or a checkpoint, without its newline. */
enum err verify_line(struct verify *verify, const char *line, size_t len);

/* A checkpoint that is no part of the chain, as one that was saved: its signature, its key, its vault. */
enum err verify_signature(struct verify *verify, const struct checkpoint *checkpoint);

/* Behind the last record: was the saved head among them? */
enum err verify_saved(struct verify *verify);

#endif
