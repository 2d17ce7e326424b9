/*
 * Verifying the chain of audit records: any change, removal, insertion or exchange is found and named.
 */
#ifndef COFFER_CLI_VERIFY_H
#define COFFER_CLI_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "json.h"
#include "record.h"

struct cli;

/* How far the chain was followed. */
struct verify {
	uint64_t count;
	uint64_t first; /* number of the first record */
	uint64_t last;
	unsigned char head[RECORD_HASH_BYTES]; /* hash of the last record */
	const char *wanted; /* hex of a hash that must come, or NULL; not owned */
	bool has_wanted;
	char why[200]; /* what is wrong, after a failure */
};

/* Follows the chain to the record in object.  ERR_BAD_VALUE: the chain does not hold; why says it. */
enum err verify_record(struct verify *verify, const struct json_doc *doc, const struct json_token *object);

/* The command audit verify. */
enum err verify_run(struct cli *cli);

#endif
