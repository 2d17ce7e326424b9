/*
 * Rows of grants.  Their numbers come from the state row and are never given twice, so a number in an old
 * record means the same grant for ever.  Whether a grant matches a caller is not decided here (P2).
 */
#include "sqlite.h"

#include <string.h>

static void put_id(struct query *query, bool has_id, uint32_t id)
{
	if (has_id)
		query_put_u64(query, id);
	else
		query_put_null(query);
}

enum err store_grant_insert(struct store *store, struct store_grant *grant)
{
	QUERY_AUTO query = query_start(store, STATEMENT_GRANT_INSERT);
	uint64_t id = store->now.grants_made + 1;

	query_put_u64(&query, id);
	query_put_fixed(&query, grant->integration_id, sizeof(grant->integration_id));
	put_id(&query, grant->has_uid, grant->uid);
	query_put_text(&query, grant->user);
	put_id(&query, grant->has_gid, grant->gid);
	query_put_text(&query, grant->group);
	query_put_text(&query, grant->unit);
	query_put_int(&query, grant->created_ms);
	query_put_u64(&query, grant->created_by);
	query_put_int(&query, grant->is_staged_only);
	query_put_int(&query, grant->needs_token);
	query_put_rv(&query);

	enum err err = query_write(&query, NULL);

	if (err != OK)
		return err;
	store->now.grants_made = id;
	store->now.counts.grants++;
	grant->id = id;
	return OK;
}

/* What the credentials of a unit meant by a grant goes with it. */
static enum err remove_credentials(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], uint64_t id)
{
	QUERY_AUTO query = query_start(store, STATEMENT_CREDENTIAL_REMOVE);

	query_put_u64(&query, id);
	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	return query_write(&query, NULL);
}

static enum err remove_all_credentials(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES])
{
	QUERY_AUTO query = query_start(store, STATEMENT_CREDENTIAL_REMOVE_ALL);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	return query_write(&query, NULL);
}

enum err store_grant_remove(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], uint64_t id)
{
	if (id > INT64_MAX)
		return ERR_NOT_FOUND;

	enum err err = remove_credentials(store, integration_id, id);
	QUERY_AUTO query = query_start(store, STATEMENT_GRANT_REMOVE);
	uint64_t changed = 0;

	if (err != OK)
		return err;
	query_put_u64(&query, id);
	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	err = query_write(&query, &changed);
	if (err != OK)
		return err;
	store->now.counts.grants -= changed;
	return changed == 0 ? ERR_NOT_FOUND : OK;
}

enum err store_grant_remove_all(struct store *store, const unsigned char integration_id[STORE_ID_BYTES])
{
	enum err err = remove_all_credentials(store, integration_id);
	QUERY_AUTO query = query_start(store, STATEMENT_GRANT_REMOVE_ALL);
	uint64_t changed = 0;

	if (err != OK)
		return err;
	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	err = query_write(&query, &changed);
	if (err == OK)
		store->now.counts.grants -= changed;
	return err;
}

static void read_id(struct query *query, bool *has_id_out, uint32_t *id_out)
{
	*has_id_out = !query_is_null(query);
	if (*has_id_out)
		*id_out = query_u32(query);
	else
		query_skip(query);
}

static void read_row(struct query *query, struct store_grant *out)
{
	out->id = query_u64(query);
	query_fixed(query, out->integration_id, sizeof(out->integration_id));
	out->integration = query_text(query);
	read_id(query, &out->has_uid, &out->uid);
	out->user = query_text_or_null(query);
	read_id(query, &out->has_gid, &out->gid);
	out->group = query_text_or_null(query);
	out->unit = query_text_or_null(query);
	out->created_ms = query_int(query);
	out->created_by = query_u32(query);
	out->is_staged_only = query_int_within(query, 0, 1) == 1;
	out->needs_token = query_int_within(query, 0, 1) == 1;
}

static enum err visit(struct query *query, store_grant_fn *fn, void *arg)
{
	while (query_next(query)) {
		struct store_grant grant = {0};

		read_row(query, &grant);

		enum err err = query_row_result(query);

		if (err == OK)
			err = fn(arg, &grant);
		if (err != OK)
			return err;
	}
	return query_result(query);
}

enum err store_grant_of(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	store_grant_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_GRANT_OF);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	return visit(&query, fn, arg);
}

enum err store_grant_each(struct store *store, store_grant_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_GRANT_EACH);

	return visit(&query, fn, arg);
}

enum err store_grant_of_unit(
	struct store *store, const char *unit, const char *pattern, store_grant_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_GRANT_OF_UNIT);

	query_put_text(&query, unit);
	query_put_text(&query, pattern);
	return visit(&query, fn, arg);
}

/* Takes the next grant; *has_row_out false at the end. */
static enum err next(struct query *query, struct store_grant *out, bool *has_row_out)
{
	*has_row_out = query_next(query);
	if (!*has_row_out)
		return query_result(query);
	*out = (struct store_grant){0};
	read_row(query, out);
	return query_row_result(query);
}

static bool is_before(const struct store_grant *a, const struct store_grant *b)
{
	int order = strcmp(a->integration, b->integration);

	return order != 0 ? order < 0 : a->id < b->id;
}

enum err store_grant_for_uid(struct store *store, uint32_t uid, store_grant_fn *fn, void *arg)
{
	QUERY_AUTO own = query_start(store, STATEMENT_GRANT_OF_UID);
	QUERY_AUTO any = query_start(store, STATEMENT_GRANT_OF_ANY_UID);
	struct store_grant own_grant = {0};
	struct store_grant any_grant = {0};
	bool has_own = false;
	bool has_any = false;

	query_put_u64(&own, uid);

	enum err err = next(&own, &own_grant, &has_own);

	if (err == OK)
		err = next(&any, &any_grant, &has_any);
	while (err == OK && (has_own || has_any)) {
		bool is_own = has_own && (!has_any || is_before(&own_grant, &any_grant));

		err = fn(arg, is_own ? &own_grant : &any_grant);
		if (err == OK)
			err = is_own ? next(&own, &own_grant, &has_own) : next(&any, &any_grant, &has_any);
	}
	return err;
}
