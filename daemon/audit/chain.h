/*
 * The audit chain: numbers, links and seals records; the head can be taken back when a request's
 * savepoint or the turn is rolled back.  It is told what happened and stores nothing itself.
 */
#ifndef COFFER_AUDIT_CHAIN_H
#define COFFER_AUDIT_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"

/* The newest record's number and hash: copy it to remember a point, assign it back to return there. */
struct chain {
	uint64_t seq;
	unsigned char head[RECORD_HASH_BYTES];
};

/* Numbers and seals the record as the next one. */
void chain_append(struct chain *chain, struct record *record);

/* Takes the next record of an existing log: false when it does not follow (number, link or seal). */
bool chain_follow(struct chain *chain, const struct record *record);

#endif
