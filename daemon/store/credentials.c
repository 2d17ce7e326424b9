/*
 * Rows of what a unit's credentials mean, and of the deliveries that were made.  One name of one unit means one thing: the
 * table's own key says so.  They go with their grant.
 */
#include "sqlite.h"

#include <string.h>

/* ---- what they mean ---- */

enum err store_credential_insert(struct store *store, const struct store_credential *credential)
{
	QUERY_AUTO query = query_start(store, STATEMENT_CREDENTIAL_INSERT);

	query_put_text(&query, credential->unit);
	query_put_text(&query, credential->name);
	query_put_text(&query, credential->key);
	query_put_u64(&query, credential->grant);
	query_put_rv(&query);
	return query_write(&query, NULL);
}

static void read_row(struct query *query, struct store_credential *out)
{
	out->unit = query_text(query);
	out->name = query_text(query);
	out->key = query_text(query);
	out->grant = query_u64(query);
	out->integration = query_text(query);

	const char *unit_of_grant = query_text_or_null(query);

	/* P7: a row that was moved to another grant would let its unit in where the grant does not. */
	if (unit_of_grant == NULL || strcmp(unit_of_grant, out->unit) != 0)
		query->is_damaged = true;
}

static enum err visit(struct query *query, store_credential_fn *fn, void *arg, size_t *count_out)
{
	*count_out = 0;
	while (query_next(query)) {
		struct store_credential credential = {0};

		read_row(query, &credential);

		enum err err = query_row_result(query);

		if (err == OK)
			err = fn(arg, &credential);
		if (err != OK)
			return err;
		++*count_out;
	}
	return query_result(query);
}

enum err store_credential_get(
	struct store *store, const char *unit, const char *name, store_credential_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_CREDENTIAL_GET);
	size_t count = 0;

	query_put_text(&query, unit);
	query_put_text(&query, name);

	enum err err = visit(&query, fn, arg, &count);

	return err == OK && count == 0 ? ERR_NOT_FOUND : err;
}

enum err store_credential_of(struct store *store, uint64_t grant, store_credential_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_CREDENTIAL_OF);
	size_t count = 0;

	query_put_u64(&query, grant);
	return visit(&query, fn, arg, &count);
}

enum err store_credential_each(struct store *store, store_credential_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_CREDENTIAL_EACH);
	size_t count = 0;

	return visit(&query, fn, arg, &count);
}

/* ---- what was delivered ---- */

enum err store_delivery_insert(struct store *store, const struct store_delivery *delivery)
{
	QUERY_AUTO query = query_start(store, STATEMENT_DELIVERY_INSERT);

	query_put_text(&query, delivery->id);
	query_put_int(&query, delivery->time_ms);
	query_put_text(&query, delivery->run);
	query_put_rv(&query);
	return query_write(&query, NULL);
}

enum err store_delivery_each(struct store *store, store_delivery_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_DELIVERY_EACH);

	while (query_next(&query)) {
		struct store_delivery delivery = {0};

		delivery.id = query_text(&query);
		delivery.time_ms = query_int(&query);
		delivery.run = query_text(&query);

		enum err err = query_row_result(&query);

		if (err == OK)
			err = fn(arg, &delivery);
		if (err != OK)
			return err;
	}
	return query_result(&query);
}

enum err store_delivery_expire(struct store *store, int64_t before_ms, size_t max_rows)
{
	QUERY_AUTO query = query_start(store, STATEMENT_DELIVERY_EXPIRE);

	query_put_int(&query, before_ms);
	query_put_u64(&query, max_rows);
	return query_write(&query, NULL);
}
