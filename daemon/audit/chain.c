/*
 * The order of audit records: each one carries the next number and the hash of the one before, so that a
 * changed, removed, moved or inserted record shows (P7).  Where records are stored, and that a record is
 * durable before its reply (P4), is the store's and the turn's part; that the end was not cut off shows
 * only against a head kept elsewhere.
 */
#include "chain.h"

#include <string.h>

static void advance(struct chain *chain, const struct record *record)
{
	chain->seq = record->seq;
	memcpy(chain->head, record->hash, sizeof(chain->head));
}

void chain_append(struct chain *chain, struct record *record)
{
	record->seq = chain->seq + 1;
	memcpy(record->previous, chain->head, sizeof(record->previous));
	record_seal(record);
	advance(chain, record);
}

bool chain_follow(struct chain *chain, const struct record *record)
{
	/* No number follows the last one. */
	if (chain->seq == UINT64_MAX || record->seq != chain->seq + 1)
		return false;
	if (memcmp(record->previous, chain->head, sizeof(chain->head)) != 0 || !record_is_sealed(record))
		return false;
	advance(chain, record);
	return true;
}
