/*
 * Rows of changes: what became of the documented fields of an integration and its secrets, and of the states of their
 * versions.  They are numbered per integration in the order in which they came, and never changed.
 */
#include "sqlite.h"

static void put_approver(struct query *query, const struct store_change *change)
{
	if (change->has_approver)
		query_put_u64(query, change->approved_by);
	else
		query_put_null(query);
}

enum err store_change_insert(struct store *store, const struct store_change *change)
{
	QUERY_AUTO query = query_start(store, STATEMENT_CHANGE_INSERT);

	query_put_fixed(&query, change->integration_id, STORE_ID_BYTES);
	query_put_int(&query, change->time_ms);
	query_put_u64(&query, change->uid);
	put_approver(&query, change);
	query_put_text(&query, change->key == NULL ? "" : change->key);
	query_put_u64(&query, change->version);
	query_put_text(&query, change->field);
	query_put_text(&query, change->old);
	query_put_text(&query, change->new);
	query_put_text(&query, change->reason);
	query_put_rv(&query);
	return query_write(&query, NULL);
}

/* The texts and the id lie in the row: they are good until the next. */
static void read_row(struct query *query, unsigned char id_out[STORE_ID_BYTES], struct store_change *out)
{
	query_fixed(query, id_out, STORE_ID_BYTES);
	out->integration_id = id_out;
	out->no = query_u64(query);
	out->time_ms = query_int(query);
	out->uid = query_u32(query);
	out->has_approver = !query_is_null(query);
	if (out->has_approver)
		out->approved_by = query_u32(query);
	else
		query_skip(query);
	out->key = query_text(query);
	out->version = query_u64(query);
	out->field = query_text(query);
	out->old = query_text_or_null(query);
	out->new = query_text_or_null(query);
	out->reason = query_text_or_null(query);
}

static enum err visit(struct query *query, store_change_fn *fn, void *arg)
{
	while (query_next(query)) {
		unsigned char integration_id[STORE_ID_BYTES] = {0};
		struct store_change change = {0};

		read_row(query, integration_id, &change);

		enum err err = query_row_result(query);

		if (err == OK)
			err = fn(arg, &change);
		if (err != OK)
			return err;
	}
	return query_result(query);
}

enum err store_change_of(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	size_t limit, store_change_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_CHANGE_OF);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	query_put_u64(&query, limit);
	return visit(&query, fn, arg);
}

enum err store_change_each(struct store *store, store_change_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_CHANGE_EACH);

	return visit(&query, fn, arg);
}
