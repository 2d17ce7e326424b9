/*
 * Rows of managers: who may work on one integration, as numbers of users and groups.  The names that they were
 * written by are a field of the integration; a name that is given to somebody else later changes nothing here.
 */
#include "sqlite.h"

enum err store_manager_put(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const struct store_manager *manager)
{
	QUERY_AUTO query = query_start(store, STATEMENT_MANAGER_PUT);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	query_put_int(&query, manager->is_group);
	query_put_u64(&query, manager->id);
	query_put_rv(&query);
	return query_write(&query, NULL);
}

enum err store_manager_clear(struct store *store, const unsigned char integration_id[STORE_ID_BYTES])
{
	QUERY_AUTO query = query_start(store, STATEMENT_MANAGER_CLEAR);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	return query_write(&query, NULL);
}

static enum err visit(struct query *query, store_manager_fn *fn, void *arg)
{
	while (query_next(query)) {
		struct store_manager manager = {0};

		manager.is_group = query_int_within(query, 0, 1) == 1;
		manager.id = query_u32(query);

		enum err err = query_row_result(query);

		if (err == OK)
			err = fn(arg, &manager);
		if (err != OK)
			return err;
	}
	return query_result(query);
}

enum err store_manager_of(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	store_manager_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_MANAGER_OF);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	return visit(&query, fn, arg);
}

enum err store_manager_of_name(struct store *store, const char *name, store_manager_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_MANAGER_OF_NAME);

	query_put_text(&query, name);
	return visit(&query, fn, arg);
}

enum err store_manager_each(struct store *store, store_manager_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_MANAGER_EACH);

	return visit(&query, fn, arg);
}

enum err store_manager_managed(
	struct store *store, const struct store_manager *manager, store_managed_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_MANAGER_MANAGED);

	query_put_int(&query, manager->is_group);
	query_put_u64(&query, manager->id);
	while (query_next(&query)) {
		const char *name = query_text(&query);
		enum err err = query_row_result(&query);

		if (err == OK)
			err = fn(arg, name);
		if (err != OK)
			return err;
	}
	return query_result(&query);
}
