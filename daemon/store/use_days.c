/*
 * Fetches and refusals per UTC day: what is left of them when their runs and records are gone.
 */
#include "sqlite.h"

enum err use_day_add(struct store *store, struct store_blob integration_id, uint32_t uid, int64_t time_ms)
{
	QUERY_AUTO query = query_start(store, STATEMENT_USE_DAY_ADD);

	query_put_blob(&query, integration_id);
	query_put_int(&query, time_ms / STORE_DAY_MS);
	query_put_u64(&query, uid);
	query_put_int(&query, time_ms);
	return query_write(&query, NULL);
}

static enum err visit_days(struct query *query, store_use_day_fn *fn, void *arg)
{
	while (query_next(query)) {
		struct store_use_day day = {0};

		day.day = query_int(query);
		day.count = query_u64(query);
		day.last_ms = query_int(query);

		enum err err = query_row_result(query);

		if (err == OK)
			err = fn(arg, &day);
		if (err != OK)
			return err;
	}
	return query_result(query);
}

enum err store_use_days(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	int64_t first_day, store_use_day_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_USE_DAYS);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	query_put_int(&query, first_day);
	query_put_u64(&query, store->now.runs_folded);
	return visit_days(&query, fn, arg);
}

enum err store_use_users(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	int64_t first_day, size_t limit, store_use_user_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_USE_USERS);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	query_put_int(&query, first_day);
	query_put_u64(&query, store->now.runs_folded);
	query_put_u64(&query, limit);
	while (query_next(&query)) {
		struct store_use_user user = {0};

		user.uid = query_u32(&query);
		user.fetches = query_u64(&query);
		user.last_ms = query_int(&query);

		enum err err = query_row_result(&query);

		if (err == OK)
			err = fn(arg, &user);
		if (err != OK)
			return err;
	}
	return query_result(&query);
}

enum err store_use_last(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], int64_t *last_ms_out)
{
	QUERY_AUTO query = query_start(store, STATEMENT_USE_LAST);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	query_put_u64(&query, store->now.runs_folded);

	int64_t last_ms = query_next(&query) ? query_int(&query) : 0;
	enum err err = query_result(&query);

	if (err == OK)
		*last_ms_out = last_ms;
	return err;
}

enum err store_use_possible(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], int64_t *since_ms_out)
{
	QUERY_AUTO query = query_start(store, STATEMENT_USE_POSSIBLE);
	int64_t granted_ms = 0;
	int64_t filled_ms = 0;

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	if (query_next(&query)) {
		granted_ms = query_int(&query);
		filled_ms = query_int(&query);
	}

	enum err err = query_result(&query);
	int64_t since_ms = granted_ms > filled_ms ? granted_ms : filled_ms;

	if (err == OK)
		*since_ms_out = granted_ms == 0 || filled_ms == 0 ? 0 : since_ms;
	return err;
}

/* ---- refusals ---- */

enum err store_refused_bump(
	struct store *store, const char *integration, const char *outcome, uint32_t uid, int64_t now_ms)
{
	QUERY_AUTO query = query_start(store, STATEMENT_REFUSED_BUMP);

	query_put_text(&query, integration);
	query_put_int(&query, now_ms / STORE_DAY_MS);
	query_put_text(&query, outcome);
	query_put_u64(&query, uid);
	query_put_int(&query, now_ms);
	query_put_int(&query, REFUSED_ROWS_A_DAY);
	return query_write(&query, NULL);
}

enum err store_refused_days(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	int64_t first_day, store_use_day_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_REFUSED_DAYS);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	query_put_int(&query, first_day);
	return visit_days(&query, fn, arg);
}

static enum err visit_refused(struct query *query, store_refused_fn *fn, void *arg)
{
	while (query_next(query)) {
		struct store_refused refused = {0};

		query_fixed(query, refused.integration_id, sizeof(refused.integration_id));
		refused.integration = query_text(query);
		refused.day = query_int(query);
		refused.outcome = query_text(query);
		refused.uid = query_u32(query);
		refused.count = query_u64(query);
		refused.last_ms = query_int(query);

		enum err err = query_row_result(query);

		if (err == OK)
			err = fn(arg, &refused);
		if (err != OK)
			return err;
	}
	return query_result(query);
}

enum err store_refused_recent(
	struct store *store, int64_t first_day, int64_t recent_day, store_refused_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_REFUSED_RECENT);

	query_put_int(&query, first_day);
	query_put_int(&query, recent_day);
	return visit_refused(&query, fn, arg);
}

/* ---- ends ---- */

static enum err expire(struct store *store, enum statement statement, int64_t before_day, size_t max_rows)
{
	QUERY_AUTO query = query_start(store, statement);

	query_put_int(&query, before_day);
	query_put_u64(&query, max_rows);
	return query_write(&query, NULL);
}

enum err store_days_expire(struct store *store, int64_t before_day, size_t max_rows)
{
	enum err err = expire(store, STATEMENT_USE_DAY_EXPIRE, before_day, max_rows);

	return err == OK ? expire(store, STATEMENT_REFUSED_EXPIRE, before_day, max_rows) : err;
}

static enum err on_refused(void *arg, const struct store_refused *refused)
{
	(void)arg;
	(void)refused;
	return OK;
}

static enum err check_refused(struct store *store)
{
	QUERY_AUTO query = query_start(store, STATEMENT_REFUSED_EACH);

	return visit_refused(&query, on_refused, NULL);
}

enum err store_days_check(struct store *store)
{
	QUERY_AUTO query = query_start(store, STATEMENT_USE_DAY_EACH);
	unsigned char id[STORE_ID_BYTES] = {0};

	while (query_next(&query)) {
		query_fixed(&query, id, sizeof(id));
		(void)query_int(&query);
		(void)query_u32(&query);
		(void)query_u64(&query);
		(void)query_int(&query);
		if (query_row_result(&query) != OK)
			return ERR_STORAGE;
	}

	enum err err = query_result(&query);

	return err == OK ? check_refused(store) : err;
}
