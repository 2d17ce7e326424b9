/*
 * Counted refusals: one row per uid and error word while its window is open, so that nobody can fill the
 * disk with them and none is lost by a crash (P4).
 */
#include "sqlite.h"

static enum err read_count(struct store *store, uint32_t uid, const char *outcome, uint32_t *count_out)
{
	QUERY_AUTO query = query_start(store, STATEMENT_REFUSAL_COUNT);

	query_put_u64(&query, uid);
	query_put_text(&query, outcome);

	uint32_t count = query_next(&query) ? query_u32(&query) : 0;
	enum err err = query_result(&query);

	if (err == OK)
		*count_out = count;
	return err;
}

enum err store_refusal_bump(
	struct store *store, uint32_t uid, const char *outcome, int64_t now_ms, uint32_t *count_out)
{
	QUERY_AUTO query = query_start(store, STATEMENT_REFUSAL_BUMP);

	query_put_u64(&query, uid);
	query_put_text(&query, outcome);
	query_put_int(&query, now_ms);

	enum err err = query_write(&query, NULL);

	return err == OK ? read_count(store, uid, outcome, count_out) : err;
}

enum err store_refusal_each(struct store *store, int64_t before_ms, store_refusal_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_REFUSAL_EACH);

	query_put_int(&query, before_ms);
	while (query_next(&query)) {
		struct store_refusal refusal = {0};

		refusal.uid = query_u32(&query);
		refusal.outcome = query_text(&query);
		refusal.count = query_u32(&query);
		refusal.since_ms = query_int(&query);

		enum err err = query_row_result(&query);

		if (err == OK)
			err = fn(arg, &refusal);
		if (err != OK)
			return err;
	}
	return query_result(&query);
}

enum err store_refusal_close(struct store *store, uint32_t uid, const char *outcome)
{
	QUERY_AUTO query = query_start(store, STATEMENT_REFUSAL_CLOSE);

	query_put_u64(&query, uid);
	query_put_text(&query, outcome);
	return query_write(&query, NULL);
}
