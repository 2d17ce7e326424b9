/*
 * Rows of units whose processes may be children of a holder that has ended: kept so that they survive the daemon.
 */
#include "sqlite.h"

static void put_key(struct query *query, const struct store_unit_holder *holder)
{
	query_put_fixed(query, holder->integration_id, sizeof(holder->integration_id));
	query_put_text(query, holder->key);
	query_put_u64(query, holder->version);
	query_put_u64(query, holder->cgroup_id);
	query_put_text(query, holder->boot);
}

enum err store_unit_holder_put(struct store *store, const struct store_unit_holder *holder)
{
	QUERY_AUTO query = query_start(store, STATEMENT_UNIT_HOLDER_PUT);

	put_key(&query, holder);
	query_put_text(&query, holder->unit);
	query_put_text(&query, holder->invocation);
	query_put_text(&query, holder->cgroup);
	query_put_int(&query, holder->given_ms);
	query_put_u64(&query, holder->given_ticks);
	query_put_int(&query, holder->is_any_parent);
	return query_write(&query, NULL);
}

enum err store_unit_holder_remove(struct store *store, const struct store_unit_holder *holder)
{
	QUERY_AUTO query = query_start(store, STATEMENT_UNIT_HOLDER_REMOVE);

	put_key(&query, holder);
	return query_write(&query, NULL);
}

enum err store_unit_holder_each(struct store *store, store_unit_holder_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_UNIT_HOLDER_EACH);

	while (query_next(&query)) {
		struct store_unit_holder holder = {0};

		query_fixed(&query, holder.integration_id, sizeof(holder.integration_id));
		holder.key = query_text(&query);
		holder.version = query_u64(&query);
		holder.cgroup_id = query_u64(&query);
		holder.boot = query_text(&query);
		holder.unit = query_text(&query);
		holder.invocation = query_text(&query);
		holder.cgroup = query_text(&query);
		holder.given_ms = query_int(&query);
		holder.given_ticks = query_u64(&query);
		holder.is_any_parent = query_int_within(&query, 0, 1) == 1;

		enum err err = query_row_result(&query);

		if (err == OK)
			err = fn(arg, &holder);
		if (err != OK)
			return err;
	}
	return query_result(&query);
}
