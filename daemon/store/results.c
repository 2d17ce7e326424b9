/*
 * Results kept for request_id: a caller that lost the answer gets it again, from the transaction that had
 * the effect (P5).  Never a value (P3).
 */
#include "sqlite.h"

enum err store_result_put(struct store *store, const struct store_result *result)
{
	QUERY_AUTO query = query_start(store, STATEMENT_RESULT_PUT);

	query_put_u64(&query, result->uid);
	query_put_text(&query, result->method);
	query_put_text(&query, result->request_id);
	query_put_fixed(&query, result->content_mac, sizeof(result->content_mac));
	query_put_blob(&query, result->result);
	query_put_int(&query, result->time_ms);
	return query_write(&query, NULL);
}

static enum err visit(struct query *query, store_result_fn *fn, void *arg)
{
	struct store_result result = {0};

	if (!query_next(query)) {
		enum err err = query_result(query);

		return err == OK ? ERR_NOT_FOUND : err;
	}
	result.uid = query_u32(query);
	result.method = query_text(query);
	result.request_id = query_text(query);
	query_fixed(query, result.content_mac, sizeof(result.content_mac));
	result.result = query_blob(query);
	result.time_ms = query_int(query);

	enum err err = query_row_result(query);

	return err == OK ? fn(arg, &result) : err;
}

enum err store_result_get(struct store *store, uint32_t uid, const char *method, const char *request_id,
	store_result_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_RESULT_GET);

	query_put_u64(&query, uid);
	query_put_text(&query, method);
	query_put_text(&query, request_id);
	return visit(&query, fn, arg);
}

enum err store_result_expire(struct store *store, int64_t before_ms)
{
	QUERY_AUTO query = query_start(store, STATEMENT_RESULT_EXPIRE);

	query_put_int(&query, before_ms);
	return query_write(&query, NULL);
}
