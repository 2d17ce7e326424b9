/*
 * Rows of integrations: the documented fields and the wrapped data key.  Names are unique for ever, since
 * no integration is ever deleted.
 */
#include "sqlite.h"

/* What insert and update have in common, in the order of both statements. */
static void put_changeable(struct query *query, const struct store_integration *integration)
{
	query_put_text(query, integration->state);
	query_put_int(query, integration->state_ms);
	query_put_u64(query, integration->dek_generation);
	query_put_blob(query, integration->dek);
	query_put_int(query, integration->changed_ms);
	query_put_u64(query, integration->changed_by);
	if (integration->has_owner_uid)
		query_put_u64(query, integration->owner_uid);
	else
		query_put_null(query);
	query_put_int(query, integration->reviewed_ms);
	query_put_u64(query, integration->reviewed_by);
	query_put_rv(query);
	for (size_t i = 0; i < INTEGRATION_TEXT_COUNT; i++)
		query_put_text(query, integration->text[i]);
}

enum err store_integration_insert(struct store *store, const struct store_integration *integration)
{
	QUERY_AUTO query = query_start(store, STATEMENT_INTEGRATION_INSERT);

	query_put_fixed(&query, integration->id, sizeof(integration->id));
	query_put_text(&query, integration->name);
	query_put_int(&query, integration->created_ms);
	query_put_u64(&query, integration->created_by);
	query_put_int(&query, integration->is_grants_locked);
	put_changeable(&query, integration);

	enum err err = query_write(&query, NULL);

	if (err == OK)
		store->now.counts.integrations++;
	return err;
}

enum err store_integration_update(struct store *store, const struct store_integration *integration)
{
	QUERY_AUTO query = query_start(store, STATEMENT_INTEGRATION_UPDATE);
	uint64_t changed = 0;

	put_changeable(&query, integration);
	query_put_fixed(&query, integration->id, sizeof(integration->id));

	enum err err = query_write(&query, &changed);

	return err == OK && changed == 0 ? ERR_NOT_FOUND : err;
}

static void read_row(struct query *query, struct store_integration *out)
{
	query_fixed(query, out->id, sizeof(out->id));
	out->name = query_text(query);
	out->state = query_text(query);
	out->state_ms = query_int(query);
	out->dek_generation = query_u64(query);
	out->dek = query_blob(query);
	out->created_ms = query_int(query);
	out->created_by = query_u32(query);
	out->changed_ms = query_int(query);
	out->changed_by = query_u32(query);
	out->is_grants_locked = query_int_within(query, 0, 1) == 1;
	out->has_owner_uid = !query_is_null(query);
	if (out->has_owner_uid)
		out->owner_uid = query_u32(query);
	else
		query_skip(query);
	out->reviewed_ms = query_int(query);
	out->reviewed_by = query_u32(query);
	for (size_t i = 0; i < INTEGRATION_TEXT_COUNT; i++)
		out->text[i] = query_text_or_null(query);
}

static enum err visit(struct query *query, store_integration_fn *fn, void *arg, size_t *count_out)
{
	*count_out = 0;
	while (query_next(query)) {
		struct store_integration integration = {0};

		read_row(query, &integration);
		++*count_out;

		enum err err = query_row_result(query);

		if (err == OK)
			err = fn(arg, &integration);
		if (err != OK)
			return err;
	}
	return query_result(query);
}

enum err store_integration_get(struct store *store, const char *name, store_integration_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_INTEGRATION_GET);
	size_t count = 0;

	query_put_text(&query, name);

	enum err err = visit(&query, fn, arg, &count);

	return err == OK && count == 0 ? ERR_NOT_FOUND : err;
}

enum err store_integration_name(
	struct store *store, const unsigned char id[STORE_ID_BYTES], char out[INTEGRATION_NAME_BYTES_MAX + 1])
{
	QUERY_AUTO query = query_start(store, STATEMENT_INTEGRATION_NAME);

	query_put_fixed(&query, id, STORE_ID_BYTES);
	if (query_next(&query))
		query_chars(&query, out, INTEGRATION_NAME_BYTES_MAX + 1);
	else
		return query_result(&query) == OK ? ERR_NOT_FOUND : query_result(&query);
	return query_row_result(&query);
}

enum err store_integration_each(struct store *store, const struct store_integration_filter *filter,
	store_integration_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_INTEGRATION_EACH);
	size_t count = 0;

	query_put_text(&query, filter->owner);
	query_put_text(&query, filter->state);
	query_put_text(&query, filter->workspace);
	return visit(&query, fn, arg, &count);
}
