/*
 * The state row: who the vault is, the number of the last commit, the audit head, and the numbers that are
 * never given twice.  It is held in memory while the store is open and written once per turn that wrote
 * anything, in that turn's transaction (P5).
 */
#include "sqlite.h"

#include <string.h>

static enum err load_row(struct store *store)
{
	QUERY_AUTO query = query_start(store, STATEMENT_STATE_GET);

	if (query_next(&query)) {
		struct standing *now = &store->now;

		query_fixed(&query, now->state.vault_id, sizeof(now->state.vault_id));
		query_fixed(&query, now->state.rkid, sizeof(now->state.rkid));
		now->state.created_ms = query_int(&query);
		now->state.commit_no = query_u64(&query);
		now->state.audit_seq = query_u64(&query);
		query_fixed(&query, now->state.audit_head, sizeof(now->state.audit_head));
		now->state.audit_cut_seq = query_u64(&query);
		query_fixed(&query, now->state.audit_cut_hash, sizeof(now->state.audit_cut_hash));
		now->state.audit_bytes = query_u64(&query);
		now->grants_made = query_u64(&query);
		now->runs_made = query_u64(&query);
		now->runs_folded = query_u64(&query);
		now->tokens_made = query_u64(&query);
		now->approvals_made = query_u64(&query);
		now->has_state = true;
	}
	return query_result(&query);
}

/* Counted once; from then on every insert and delete keeps the sums, so that asking for them costs nothing. */
static enum err load_counts(struct store *store)
{
	QUERY_AUTO query = query_start(store, STATEMENT_COUNTS);

	if (query_next(&query)) {
		struct store_counts *counts = &store->now.counts;

		counts->integrations = query_u64(&query);
		counts->secrets = query_u64(&query);
		counts->versions = query_u64(&query);
		counts->grants = query_u64(&query);
		counts->runs = query_u64(&query);
		counts->audit_records = query_u64(&query);
	}
	return query_result(&query);
}

enum err state_load(struct store *store)
{
	enum err err = load_row(store);

	if (err == OK)
		err = load_counts(store);
	store->durable = store->now;
	return err;
}

enum err state_write(struct store *store)
{
	const struct standing *now = &store->now;
	QUERY_AUTO query = query_start(store, STATEMENT_STATE_UPDATE);
	uint64_t changed = 0;

	query_put_u64(&query, now->state.commit_no);
	query_put_u64(&query, now->state.audit_seq);
	query_put_fixed(&query, now->state.audit_head, sizeof(now->state.audit_head));
	query_put_u64(&query, now->state.audit_cut_seq);
	query_put_fixed(&query, now->state.audit_cut_hash, sizeof(now->state.audit_cut_hash));
	query_put_u64(&query, now->state.audit_bytes);
	query_put_u64(&query, now->grants_made);
	query_put_u64(&query, now->runs_made);
	query_put_u64(&query, now->runs_folded);
	query_put_u64(&query, now->tokens_made);
	query_put_u64(&query, now->approvals_made);

	enum err err = query_write(&query, &changed);

	return err == OK && changed != 1 ? ERR_STORAGE : err;
}

enum err store_state_init(struct store *store, const struct store_state *state)
{
	QUERY_AUTO query = query_start(store, STATEMENT_STATE_INSERT);

	query_put_fixed(&query, state->vault_id, sizeof(state->vault_id));
	query_put_fixed(&query, state->rkid, sizeof(state->rkid));
	query_put_int(&query, state->created_ms);
	query_put_u64(&query, state->commit_no);
	query_put_u64(&query, state->audit_seq);
	query_put_fixed(&query, state->audit_head, sizeof(state->audit_head));

	enum err err = query_write(&query, NULL);

	if (err != OK)
		return err;
	store->now.state = *state;
	store->now.has_state = true;
	return OK;
}

enum err store_state_get(struct store *store, struct store_state *out)
{
	if (!store->now.has_state)
		return ERR_NOT_FOUND;
	*out = store->now.state;
	return OK;
}

enum err store_counts(struct store *store, struct store_counts *out)
{
	QUERY_AUTO query = query_start(store, STATEMENT_PAGE_COUNT);
	uint64_t pages = query_next(&query) ? query_u64(&query) : 0;
	enum err err = query_result(&query);

	if (err != OK)
		return err;
	*out = store->now.counts;
	out->file_bytes = pages * STORE_PAGE_BYTES;
	return OK;
}
