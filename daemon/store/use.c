/*
 * How often, when and by whom each version was fetched: totals per user, and the runs that are not in them yet.
 * state.runs_folded says up to which run the totals go; it moves in the same transaction as they do, so a
 * run is counted once whatever happens in between (P5).
 */
#include "sqlite.h"

#include <stdlib.h>
#include <string.h>

enum { LIST_FIRST_CAP = 64 };

/* ---- a sorted list of sums ---- */

struct use_sum {
	char key[KEY_BYTES_MAX + 1];
	uint64_t version;
	uint64_t fetches;
	int64_t last_ms;
};

struct use_list {
	struct use_sum *sums;
	size_t count;
	size_t cap;
};

static void list_clear(struct use_list *list)
{
	free(list->sums);
	*list = (struct use_list){0};
}

static int compare(const struct use_sum *sum, const char *key, uint64_t version)
{
	int order = strcmp(sum->key, key);

	return order != 0 ? order : (sum->version > version) - (sum->version < version);
}

static size_t find(const struct use_list *list, const char *key, uint64_t version)
{
	size_t low = 0;
	size_t high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&list->sums[middle], key, version) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum err grow(struct use_list *list)
{
	size_t cap = list->cap == 0 ? LIST_FIRST_CAP : 2 * list->cap;
	struct use_sum *sums =
		list->count < list->cap ? list->sums : reallocarray(list->sums, cap, sizeof(*sums));

	if (sums == NULL)
		return ERR_STORAGE;
	if (list->count == list->cap)
		list->cap = cap;
	list->sums = sums;
	return OK;
}

static enum err list_add(
	struct use_list *list, const char *key, uint64_t version, uint64_t fetches, int64_t last_ms)
{
	size_t at = find(list, key, version);

	if (at == list->count || compare(&list->sums[at], key, version) != 0) {
		enum err err = grow(list);

		if (err != OK)
			return err;
		memmove(&list->sums[at + 1], &list->sums[at], (list->count - at) * sizeof(*list->sums));
		list->sums[at] = (struct use_sum){.version = version, .last_ms = last_ms};
		memcpy(list->sums[at].key, key, strlen(key) + 1);
		list->count++;
	}

	struct use_sum *sum = &list->sums[at];

	sum->fetches += fetches;
	if (last_ms > sum->last_ms)
		sum->last_ms = last_ms;
	return OK;
}

/* ---- reading ---- */

static enum err add_totals(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], struct use_list *list)
{
	QUERY_AUTO query = query_start(store, STATEMENT_USE_BY_OF);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	while (query_next(&query)) {
		char key[KEY_BYTES_MAX + 1] = "";

		query_chars(&query, key, sizeof(key));

		uint64_t version = query_u64(&query);
		uint64_t fetches = query_u64(&query);
		int64_t last_ms = query_int(&query);
		enum err err = query_row_result(&query);

		if (err == OK)
			err = list_add(list, key, version, fetches, last_ms);
		if (err != OK)
			return err;
	}
	return query_result(&query);
}

static enum err add_run(struct use_list *list, struct store_blob blob, int64_t time_ms)
{
	struct run_versions versions = {blob.bytes, blob.len};
	char key[KEY_BYTES_MAX + 1] = "";
	uint64_t version = 0;
	bool is_damaged = false;
	enum err err = OK;

	while (err == OK && run_versions_next(&versions, key, &version, &is_damaged))
		err = list_add(list, key, version, 1, time_ms);
	return err == OK && is_damaged ? ERR_STORAGE : err;
}

static enum err add_unfolded(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], struct use_list *list)
{
	QUERY_AUTO query = query_start(store, STATEMENT_RUN_UNFOLDED_OF);

	query_put_u64(&query, store->now.runs_folded);
	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	while (query_next(&query)) {
		int64_t time_ms = query_int(&query);
		struct store_blob versions = query_blob(&query);
		enum err err = query_row_result(&query);

		if (err == OK)
			err = add_run(list, versions, time_ms);
		if (err != OK)
			return err;
	}
	return query_result(&query);
}

enum err store_use_of(
	struct store *store, const unsigned char integration_id[STORE_ID_BYTES], store_use_fn *fn, void *arg)
{
	__attribute__((cleanup(list_clear))) struct use_list list = {0};
	enum err err = add_totals(store, integration_id, &list);

	if (err == OK)
		err = add_unfolded(store, integration_id, &list);
	for (size_t i = 0; err == OK && i < list.count; i++) {
		const struct use_sum *sum = &list.sums[i];
		struct store_use use = {sum->key, sum->version, sum->fetches, sum->last_ms};

		err = fn(arg, &use);
	}
	return err;
}

/* ---- folding ---- */

static enum err add_by(struct store *store, struct store_blob integration_id, const char *key,
	uint64_t version, uint32_t uid, int64_t time_ms)
{
	QUERY_AUTO query = query_start(store, STATEMENT_USE_BY_ADD);

	query_put_blob(&query, integration_id);
	query_put_text(&query, key);
	query_put_u64(&query, version);
	query_put_u64(&query, uid);
	query_put_int(&query, time_ms);
	return query_write(&query, NULL);
}

static enum err fold_run(struct store *store, struct query *row, uint64_t *no_out)
{
	uint64_t no = query_u64(row);
	struct store_blob integration_id = query_blob(row);
	int64_t time_ms = query_int(row);
	uint32_t uid = query_u32(row);
	bool is_staged = query_int_within(row, 0, 1) == 1;
	struct store_blob blob = query_blob(row);
	struct run_versions versions = {blob.bytes, blob.len};
	char key[KEY_BYTES_MAX + 1] = "";
	uint64_t version = 0;
	bool is_damaged = false;
	enum err err = query_row_result(row);

	if (err == OK && !is_staged)
		err = use_day_add(store, integration_id, uid, time_ms);
	while (err == OK && run_versions_next(&versions, key, &version, &is_damaged))
		err = add_by(store, integration_id, key, version, uid, time_ms);
	if (err == OK && is_damaged)
		err = ERR_STORAGE;
	*no_out = no;
	return err;
}

enum err store_use_fold(struct store *store, size_t max_rows, size_t *folded_out)
{
	QUERY_AUTO query = query_start(store, STATEMENT_RUN_UNFOLDED);
	uint64_t last = store->now.runs_folded;
	size_t folded = 0;

	query_put_u64(&query, last);
	query_put_u64(&query, max_rows < INT64_MAX ? max_rows : INT64_MAX);
	while (query_next(&query)) {
		enum err err = fold_run(store, &query, &last);

		if (err != OK)
			return err;
		folded++;
	}

	enum err err = query_result(&query);

	if (err != OK)
		return err;
	if (folded > 0)
		store->now.has_written = true;
	store->now.runs_folded = last;
	*folded_out = folded;
	return OK;
}

enum err store_touched_by(
	struct store *store, uint32_t uid, const char *integration, store_touched_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_USE_BY_UID);

	query_put_u64(&query, uid);
	query_put_text(&query, integration);
	while (query_next(&query)) {
		struct store_touched touched = {0};

		touched.integration = query_text(&query);
		touched.key = query_text(&query);
		touched.version = query_u64(&query);
		touched.state =
			(enum version_state)query_int_within(&query, VERSION_STAGED, VERSION_DRAINING);
		touched.was_put = query_int_within(&query, 0, 1) == 1;
		touched.fetches = query_u64(&query);
		touched.last_ms = query_int(&query);

		enum err err = query_row_result(&query);

		if (err == OK)
			err = fn(arg, &touched);
		if (err != OK)
			return err;
	}
	return query_result(&query);
}
