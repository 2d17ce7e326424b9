/*
 * Rows of requests that need a second person: what was asked for, by whom, and what became of it.  Their numbers come from the
 * state row and are never given twice; a decision is written once.  Who may decide is not asked here.
 */
#include "sqlite.h"

static void put_login(struct query *query, const struct store_approval *approval)
{
	if (approval->has_login)
		query_put_u64(query, approval->login_uid);
	else
		query_put_null(query);
}

enum err store_approval_insert(struct store *store, struct store_approval *approval)
{
	QUERY_AUTO query = query_start(store, STATEMENT_APPROVAL_INSERT);
	uint64_t id = store->now.approvals_made + 1;

	query_put_u64(&query, id);
	query_put_fixed(&query, approval->integration_id, sizeof(approval->integration_id));
	query_put_text(&query, approval->method);
	query_put_text(&query, approval->params);
	query_put_text(&query, approval->subject);
	query_put_fixed(&query, approval->object, sizeof(approval->object));
	query_put_u64(&query, approval->uid);
	put_login(&query, approval);
	query_put_int(&query, approval->requested_ms);
	query_put_int(&query, approval->expires_ms);
	query_put_text(&query, approval->request_id);
	query_put_rv(&query);

	enum err err = query_write(&query, NULL);

	if (err != OK)
		return err;
	store->now.approvals_made = id;
	approval->id = id;
	return OK;
}

enum err store_approval_decide(struct store *store, const struct store_approval *decided)
{
	QUERY_AUTO query = query_start(store, STATEMENT_APPROVAL_DECIDE);
	uint64_t changed = 0;

	query_put_int(&query, decided->state);
	query_put_int(&query, decided->decided_ms);
	query_put_u64(&query, decided->decided_by);
	query_put_text(&query, decided->note);
	query_put_rv(&query);
	query_put_u64(&query, decided->id);

	enum err err = query_write(&query, &changed);

	return err == OK && changed == 0 ? ERR_NOT_FOUND : err;
}

static void read_row(struct query *query, struct store_approval *out)
{
	out->id = query_u64(query);
	query_fixed(query, out->integration_id, sizeof(out->integration_id));
	out->integration = query_text(query);
	out->method = query_text(query);
	out->params = query_text(query);
	out->subject = query_text(query);
	query_fixed(query, out->object, sizeof(out->object));
	out->uid = query_u32(query);
	out->has_login = !query_is_null(query);
	if (out->has_login)
		out->login_uid = query_u32(query);
	else
		query_skip(query);
	out->requested_ms = query_int(query);
	out->expires_ms = query_int(query);
	out->state = (enum approval_state)query_int_within(query, APPROVAL_PENDING, APPROVAL_EXPIRED);
	out->decided_ms = query_int(query);
	out->decided_by = query_u32(query);
	out->note = query_text_or_null(query);
	out->request_id = query_text_or_null(query);
	out->used_ms = query_int(query);
	if ((out->state == APPROVAL_PENDING) != (out->decided_ms == 0) ||
		(out->used_ms != 0 && out->state != APPROVAL_APPROVED))
		query->is_damaged = true;
}

/* *count_out: how many were visited. */
static enum err visit(struct query *query, store_approval_fn *fn, void *arg, size_t *count_out)
{
	while (query_next(query)) {
		struct store_approval approval = {0};

		read_row(query, &approval);

		enum err err = query_row_result(query);

		if (err == OK)
			err = fn(arg, &approval);
		if (err != OK)
			return err;
		++*count_out;
	}
	return query_result(query);
}

static enum err visit_one(struct query *query, store_approval_fn *fn, void *arg)
{
	size_t count = 0;
	enum err err = visit(query, fn, arg, &count);

	return err == OK && count == 0 ? ERR_NOT_FOUND : err;
}

enum err store_approval_get(struct store *store, uint64_t id, store_approval_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_APPROVAL_GET);

	if (id > INT64_MAX)
		return ERR_NOT_FOUND;
	query_put_u64(&query, id);
	return visit_one(&query, fn, arg);
}

enum err store_approval_same(
	struct store *store, const struct store_approval *like, store_approval_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_APPROVAL_SAME);

	query_put_u64(&query, like->uid);
	query_put_text(&query, like->method);
	query_put_text(&query, like->params);
	return visit_one(&query, fn, arg);
}

enum err store_approval_usable(struct store *store, const struct store_approval *like, int64_t now_ms,
	store_approval_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_APPROVAL_USABLE);

	query_put_u64(&query, like->uid);
	query_put_text(&query, like->method);
	query_put_text(&query, like->params);
	query_put_int(&query, now_ms);
	return visit_one(&query, fn, arg);
}

enum err store_approval_use(struct store *store, uint64_t id, int64_t now_ms)
{
	QUERY_AUTO query = query_start(store, STATEMENT_APPROVAL_USE);
	uint64_t changed = 0;

	query_put_int(&query, now_ms);
	query_put_rv(&query);
	query_put_u64(&query, id);

	enum err err = query_write(&query, &changed);

	return err == OK && changed == 0 ? ERR_NOT_FOUND : err;
}

enum err store_approval_repeated(
	struct store *store, const struct store_approval *like, store_approval_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_APPROVAL_OF_REQUEST_ID);

	query_put_u64(&query, like->uid);
	query_put_text(&query, like->request_id);
	query_put_text(&query, like->method);
	return visit_one(&query, fn, arg);
}

enum err store_approval_pending(struct store *store, uint32_t uid, size_t *all_out, size_t *of_uid_out)
{
	QUERY_AUTO query = query_start(store, STATEMENT_APPROVAL_PENDING);

	query_put_u64(&query, uid);
	if (query_next(&query)) {
		*all_out = (size_t)query_u64(&query);
		*of_uid_out = (size_t)query_u64(&query);
	}
	return query_result(&query);
}

enum err store_approval_overdue(
	struct store *store, int64_t now_ms, size_t limit, store_approval_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_APPROVAL_OVERDUE);
	size_t count = 0;

	query_put_int(&query, now_ms);
	query_put_u64(&query, limit);
	return visit(&query, fn, arg, &count);
}

enum err store_approval_each(
	struct store *store, const struct store_approval_filter *filter, store_approval_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_APPROVAL_EACH);
	size_t count = 0;

	query_put_text(&query, filter->integration);
	if (filter->has_state)
		query_put_int(&query, filter->state);
	else
		query_put_null(&query);
	return visit(&query, fn, arg, &count);
}
