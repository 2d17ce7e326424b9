/*
 * Rows of access tokens.  Their numbers come from the state row and are never given twice.  What is stored of the secret
 * is a verifier, and it goes when the token is revoked: the row that stays is history.  Whether a token may still be
 * used is not decided here (P2).
 */
#include "sqlite.h"

#include <string.h>

static const unsigned char no_verifier[STORE_HASH_BYTES];

enum err store_token_insert(struct store *store, struct store_token *token)
{
	QUERY_AUTO query = query_start(store, STATEMENT_TOKEN_INSERT);

	query_put_u64(&query, token->id);
	query_put_fixed(&query, token->integration_id, sizeof(token->integration_id));
	query_put_text(&query, token->name);
	query_put_text(&query, token->description);
	query_put_u64(&query, token->uid);
	query_put_text(&query, token->user);
	query_put_text(&query, token->unit);
	query_put_u64(&query, token->epoch);
	query_put_fixed(&query, token->verifier, sizeof(token->verifier));
	query_put_int(&query, token->expires_ms);
	query_put_int(&query, token->created_ms);
	query_put_u64(&query, token->created_by);
	query_put_rv(&query);

	enum err err = token->id == store_token_next(store) ? query_write(&query, NULL) : ERR_INTERNAL;

	if (err == OK)
		store->now.tokens_made = token->id;
	return err;
}

uint64_t store_token_next(const struct store *store)
{
	return store->now.tokens_made + 1;
}

enum err store_token_live(struct store *store, int64_t now_ms, size_t *count_out)
{
	QUERY_AUTO query = query_start(store, STATEMENT_TOKEN_LIVE);

	query_put_int(&query, now_ms);
	if (query_next(&query))
		*count_out = (size_t)query_u64(&query);
	return query_result(&query);
}

enum err store_token_used(struct store *store, uint64_t id, int64_t now_ms)
{
	QUERY_AUTO query = query_start(store, STATEMENT_TOKEN_USED);
	uint64_t changed = 0;

	if (id > INT64_MAX)
		return ERR_NOT_FOUND;
	query_put_int(&query, now_ms);
	query_put_rv(&query);
	query_put_u64(&query, id);

	enum err err = query_write(&query, &changed);

	return err == OK && changed == 0 ? ERR_NOT_FOUND : err;
}

static void put_revocation(struct query *query, int64_t now_ms, uint32_t uid)
{
	query_put_int(query, now_ms);
	query_put_u64(query, uid);
	query_put_fixed(query, no_verifier, sizeof(no_verifier));
	query_put_rv(query);
}

enum err store_token_revoke(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	uint64_t id, int64_t now_ms, uint32_t uid)
{
	QUERY_AUTO query = query_start(store, STATEMENT_TOKEN_REVOKE);
	uint64_t changed = 0;

	if (id > INT64_MAX)
		return ERR_NOT_FOUND;
	put_revocation(&query, now_ms, uid);
	query_put_u64(&query, id);
	query_put_fixed(&query, integration_id, STORE_ID_BYTES);

	enum err err = query_write(&query, &changed);

	return err == OK && changed == 0 ? ERR_NOT_FOUND : err;
}

enum err store_token_revoke_all(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], int64_t now_ms, uint32_t uid)
{
	QUERY_AUTO query = query_start(store, STATEMENT_TOKEN_REVOKE_ALL);

	put_revocation(&query, now_ms, uid);
	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	return query_write(&query, NULL);
}

/* A revoked row has no verifier any more, and no other row is without: one of the two was changed otherwise. */
static bool is_whole(const struct store_token *token)
{
	bool has_verifier = memcmp(token->verifier, no_verifier, sizeof(no_verifier)) != 0;

	return has_verifier == (token->revoked_ms == 0);
}

static void read_row(struct query *query, struct store_token *out)
{
	out->id = query_u64(query);
	query_fixed(query, out->integration_id, sizeof(out->integration_id));
	out->integration = query_text(query);
	out->name = query_text(query);
	out->description = query_text(query);
	out->uid = query_u32(query);
	out->user = query_text(query);
	out->unit = query_text_or_null(query);
	out->epoch = query_u64(query);
	query_fixed(query, out->verifier, sizeof(out->verifier));
	out->expires_ms = query_int_within(query, 0, INT64_MAX);
	out->created_ms = query_int(query);
	out->created_by = query_u32(query);
	out->last_used_ms = query_int_within(query, 0, INT64_MAX);
	out->revoked_ms = query_int_within(query, 0, INT64_MAX);
	out->revoked_by = query_u32(query);
	query->is_damaged = query->is_damaged || !is_whole(out);
}

static enum err visit(struct query *query, store_token_fn *fn, void *arg)
{
	while (query_next(query)) {
		struct store_token token = {0};

		read_row(query, &token);

		enum err err = query_row_result(query);

		if (err == OK)
			err = fn(arg, &token);
		if (err != OK)
			return err;
	}
	return query_result(query);
}

enum err store_token_get(struct store *store, uint64_t id, store_token_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_TOKEN_GET);
	struct store_token token = {0};

	if (id > INT64_MAX)
		return ERR_NOT_FOUND;
	query_put_u64(&query, id);
	if (!query_next(&query)) {
		enum err err = query_result(&query);

		return err == OK ? ERR_NOT_FOUND : err;
	}
	read_row(&query, &token);

	enum err err = query_row_result(&query);

	return err == OK ? fn(arg, &token) : err;
}

enum err store_token_of(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	store_token_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_TOKEN_OF);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	return visit(&query, fn, arg);
}

enum err store_token_each(struct store *store, store_token_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_TOKEN_EACH);

	return visit(&query, fn, arg);
}
