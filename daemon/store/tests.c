/*
 * Rows of tests: the verdicts that a version was given, each by one run.  What they are worth is not decided here.
 */
#include "sqlite.h"

enum err store_test_insert(struct store *store, const struct store_test *test)
{
	QUERY_AUTO query = query_start(store, STATEMENT_TEST_INSERT);

	query_put_fixed(&query, test->integration_id, sizeof(test->integration_id));
	query_put_text(&query, test->key);
	query_put_u64(&query, test->version);
	query_put_text(&query, test->run);
	query_put_int(&query, test->time_ms);
	query_put_u64(&query, test->uid);
	query_put_u64(&query, test->exit_status);
	query_put_int(&query, test->duration_ms);
	query_put_fixed(&query, test->digest, sizeof(test->digest));
	query_put_rv(&query);
	return query_write(&query, NULL);
}

static void read_row(struct query *query, struct store_test *out)
{
	query_fixed(query, out->integration_id, sizeof(out->integration_id));
	out->key = query_text(query);
	out->version = query_u64(query);
	out->run = query_text(query);
	out->time_ms = query_int(query);
	out->uid = query_u32(query);
	out->exit_status = (uint32_t)query_int_within(query, 0, UINT8_MAX);
	out->duration_ms = query_int(query);
	query_fixed(query, out->digest, sizeof(out->digest));
}

static enum err visit(struct query *query, store_test_fn *fn, void *arg)
{
	while (query_next(query)) {
		struct store_test test = {0};

		read_row(query, &test);

		enum err err = query_row_result(query);

		if (err == OK)
			err = fn(arg, &test);
		if (err != OK)
			return err;
	}
	return query_result(query);
}

enum err store_test_of(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t version, size_t limit, store_test_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_TEST_OF);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	query_put_text(&query, key);
	query_put_u64(&query, version);
	query_put_u64(&query, limit);
	return visit(&query, fn, arg);
}

enum err store_test_each(struct store *store, store_test_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_TEST_EACH);

	return visit(&query, fn, arg);
}
