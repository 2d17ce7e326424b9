/*
 * The keyring and the recovery boxes, as rows of sealed bytes.  What they open, and with which key, is
 * known elsewhere.
 */
#include "sqlite.h"

enum err store_key_put(struct store *store, const char *purpose, uint64_t epoch, struct store_blob wrapped)
{
	QUERY_AUTO query = query_start(store, STATEMENT_KEY_PUT);

	query_put_text(&query, purpose);
	query_put_u64(&query, epoch);
	query_put_blob(&query, wrapped);
	query_put_rv(&query);
	return query_write(&query, NULL);
}

static enum err visit(struct store *store, enum statement statement, store_key_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, statement);

	while (query_next(&query)) {
		const char *purpose = query_text(&query);
		uint64_t epoch = query_u64(&query);
		struct store_blob sealed = query_blob(&query);
		enum err err = query_row_result(&query);

		if (err == OK)
			err = fn(arg, purpose, epoch, sealed);
		if (err != OK)
			return err;
	}
	return query_result(&query);
}

enum err store_key_each(struct store *store, store_key_fn *fn, void *arg)
{
	return visit(store, STATEMENT_KEY_EACH, fn, arg);
}

enum err store_recovery_put(struct store *store, const char *fingerprint, struct store_blob box)
{
	QUERY_AUTO query = query_start(store, STATEMENT_RECOVERY_PUT);

	query_put_text(&query, fingerprint);
	query_put_blob(&query, box);
	query_put_rv(&query);
	return query_write(&query, NULL);
}

enum err store_recovery_each(struct store *store, store_key_fn *fn, void *arg)
{
	return visit(store, STATEMENT_RECOVERY_EACH, fn, arg);
}
