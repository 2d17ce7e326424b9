/*
 * Rows of secrets: a key of an integration, what it is for, and the highest version number it ever had.
 * That number only grows: a version number never comes to mean another value (P6).
 */
#include "sqlite.h"

static enum err write_row(struct store *store, enum statement statement, const struct store_secret *secret,
	uint64_t *changed_out)
{
	QUERY_AUTO query = query_start(store, statement);

	query_put_fixed(&query, secret->id, sizeof(secret->id));
	query_put_text(&query, secret->description);
	query_put_text(&query, secret->issuer);
	query_put_text(&query, secret->access);
	query_put_u64(&query, secret->newest);
	query_put_int(&query, secret->created_ms);
	query_put_u64(&query, secret->created_by);
	query_put_rv(&query);
	query_put_fixed(&query, secret->integration_id, sizeof(secret->integration_id));
	query_put_text(&query, secret->key);
	return query_write(&query, changed_out);
}

enum err store_secret_put(struct store *store, const struct store_secret *secret)
{
	uint64_t changed = 0;
	enum err err = write_row(store, STATEMENT_SECRET_UPDATE, secret, &changed);

	if (err != OK || changed > 0)
		return err;
	err = write_row(store, STATEMENT_SECRET_INSERT, secret, &changed);
	if (err == OK)
		store->now.counts.secrets++;
	return err;
}

static enum err visit(struct query *query, store_secret_fn *fn, void *arg, size_t *count_out)
{
	*count_out = 0;
	while (query_next(query)) {
		struct store_secret secret = {0};

		query_fixed(query, secret.integration_id, sizeof(secret.integration_id));
		query_fixed(query, secret.id, sizeof(secret.id));
		secret.key = query_text(query);
		secret.description = query_text_or_null(query);
		secret.issuer = query_text_or_null(query);
		secret.access = query_text_or_null(query);
		secret.newest = query_u64(query);
		secret.created_ms = query_int(query);
		secret.created_by = query_u32(query);
		++*count_out;

		enum err err = query_row_result(query);

		if (err == OK)
			err = fn(arg, &secret);
		if (err != OK)
			return err;
	}
	return query_result(query);
}

enum err store_secret_get(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, store_secret_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_SECRET_GET);
	size_t count = 0;

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	query_put_text(&query, key);

	enum err err = visit(&query, fn, arg, &count);

	return err == OK && count == 0 ? ERR_NOT_FOUND : err;
}

enum err store_secret_each(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	store_secret_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_SECRET_EACH);
	size_t count = 0;

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	return visit(&query, fn, arg, &count);
}

static enum err remove_rows(struct store *store, enum statement statement,
	const unsigned char integration_id[STORE_ID_BYTES], const char *key, uint64_t *changed_out)
{
	QUERY_AUTO query = query_start(store, statement);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	query_put_text(&query, key);
	return query_write(&query, changed_out);
}

/* No number of a key ever comes to mean another value, not even of one that was removed and comes back. */
static enum err remember_newest(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], const char *key)
{
	QUERY_AUTO query = query_start(store, STATEMENT_SECRET_RETIRE);

	query_put_rv(&query);
	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	query_put_text(&query, key);
	return query_write(&query, NULL);
}

enum err store_secret_undescribed(struct store *store, store_undescribed_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_SECRET_UNDESCRIBED);

	while (query_next(&query)) {
		const char *integration = query_text(&query);
		const char *key = query_text(&query);
		int64_t created_ms = query_int(&query);
		enum err err = query_row_result(&query);

		if (err == OK)
			err = fn(arg, integration, key, created_ms);
		if (err != OK)
			return err;
	}
	return query_result(&query);
}

enum err store_secret_removed(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t *newest_out)
{
	QUERY_AUTO query = query_start(store, STATEMENT_SECRET_REMOVED);

	*newest_out = 0;
	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	query_put_text(&query, key);
	if (query_next(&query))
		*newest_out = query_u64(&query);
	return query_result(&query);
}

enum err store_secret_remove(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], const char *key)
{
	uint64_t versions = 0;
	uint64_t secrets = 0;
	uint64_t tests = 0;
	enum err err = remember_newest(store, integration_id, key);

	if (err == OK)
		err = remove_rows(store, STATEMENT_TEST_REMOVE, integration_id, key, &tests);
	if (err == OK)
		err = remove_rows(store, STATEMENT_VERSION_REMOVE, integration_id, key, &versions);
	if (err == OK)
		err = remove_rows(store, STATEMENT_SECRET_REMOVE, integration_id, key, &secrets);
	if (err != OK)
		return err;
	store->now.counts.versions -= versions;
	store->now.counts.secrets -= secrets;
	return secrets == 0 ? ERR_NOT_FOUND : OK;
}
