/*
 * Rows of runs, one a fetch: which process took which versions, when, and what became of it.  The versions are one
 * canonical list of bytes (u8 length, key, u64 little-endian version), read back as strictly as it is written.  Runs
 * are numbered without gaps from the state row; sums over them are use.c's part.
 */
#include "sqlite.h"

#include <string.h>

#include "canon.h"

/* TOO_LARGE for what no integration can hold. */
static enum err encode(struct buf *bytes, const struct store_run *run)
{
	for (size_t i = 0; i < run->version_count; i++) {
		size_t len = strlen(run->versions[i].key);

		if (len == 0 || len > KEY_BYTES_MAX || run->versions[i].version > INT64_MAX)
			return ERR_TOO_LARGE;
		canon_u8(bytes, (uint8_t)len);
		canon_fixed(bytes, run->versions[i].key, len);
		canon_u64(bytes, run->versions[i].version);
	}
	return buf_failed(bytes) ? ERR_TOO_LARGE : OK;
}

enum err store_run_insert(struct store *store, struct store_run *run)
{
	QUERY_AUTO query = query_start(store, STATEMENT_RUN_INSERT);
	uint64_t no = store->now.runs_made + 1;
	struct buf versions = {0};

	buf_init_fixed(&versions, store->run_versions, sizeof(store->run_versions));

	enum err err = encode(&versions, run);

	if (err != OK)
		return err;
	query_put_u64(&query, no);
	query_put_text(&query, run->id);
	query_put_fixed(&query, run->integration_id, sizeof(run->integration_id));
	query_put_int(&query, run->time_ms);
	query_put_u64(&query, run->uid);
	query_put_int(&query, run->pid);
	query_put_text(&query, run->unit);
	query_put_int(&query, run->is_staged);
	query_put_int(&query, run->state);
	query_put_u64(&query, run->start_ticks);
	query_put_u64(&query, run->given_ticks);
	query_put_text(&query, run->boot);
	query_put_text(&query, run->exe);
	query_put_text(&query, run->invocation);
	query_put_text(&query, run->cgroup);
	query_put_u64(&query, run->cgroup_id);
	query_put_fixed(&query, versions.bytes, versions.len);
	err = query_write(&query, NULL);
	if (err != OK)
		return err;
	store->now.runs_made = no;
	store->now.counts.runs++;
	run->no = no;
	return OK;
}

enum err store_run_set(struct store *store, const struct store_run *run)
{
	QUERY_AUTO query = query_start(store, STATEMENT_RUN_SET);
	uint64_t changed = 0;

	query_put_int(&query, run->state);
	query_put_int(&query, run->is_repeated);
	query_put_int(&query, run->end_ms);
	if (run->end_status == RUN_STATUS_UNKNOWN)
		query_put_null(&query);
	else
		query_put_int(&query, run->end_status);
	query_put_u64(&query, run->no);

	enum err err = query_write(&query, &changed);

	return err == OK && changed == 0 ? ERR_NOT_FOUND : err;
}

/* The versions of the row, in the store's scratch: good until the next row. */
static bool read_versions(struct store *store, struct store_blob blob, struct store_run *out)
{
	struct run_versions list = {blob.bytes, blob.len};
	bool is_damaged = false;

	out->versions = store->scratch.versions;
	out->version_count = 0;
	for (struct store_run_version *at = store->scratch.versions;; at++) {
		char spare[KEY_BYTES_MAX + 1] = "";
		bool is_full = out->version_count == ENV_KEYS_MAX;
		uint64_t version = 0;
		char *key = is_full ? spare : store->scratch.keys[out->version_count];

		if (!run_versions_next(&list, key, &version, &is_damaged))
			return !is_damaged;
		if (is_full)
			return false;
		*at = (struct store_run_version){key, version};
		out->version_count++;
	}
}

static void read_row(struct query *query, struct store_run *out)
{
	out->no = query_u64(query);
	query_chars(query, out->id, sizeof(out->id));
	query_fixed(query, out->integration_id, sizeof(out->integration_id));
	out->time_ms = query_int(query);
	out->uid = query_u32(query);
	out->pid = (int32_t)query_int_within(query, INT32_MIN, INT32_MAX);
	out->unit = query_text(query);
	out->is_staged = query_int_within(query, 0, 1) == 1;
	out->state = (enum run_state)query_int_within(query, RUN_HELD, RUN_ENDED);
	out->is_repeated = query_int_within(query, 0, 1) == 1;
	out->start_ticks = query_u64(query);
	out->given_ticks = query_u64(query);
	out->boot = query_text(query);
	out->exe = query_text(query);
	out->invocation = query_text(query);
	out->cgroup = query_text(query);
	out->cgroup_id = query_u64(query);
	out->end_ms = query_int(query);
	out->end_status = RUN_STATUS_UNKNOWN;
	if (query_is_null(query))
		query_skip(query);
	else
		out->end_status = (int32_t)query_int_within(query, 0, UINT16_MAX);
	if (!read_versions(query->store, query_blob(query), out))
		query->is_damaged = true;
}

static enum err visit(struct query *query, store_run_fn *fn, void *arg, size_t *count_out)
{
	*count_out = 0;
	while (query_next(query)) {
		struct store_run run = {0};

		read_row(query, &run);
		++*count_out;

		enum err err = query_row_result(query);

		if (err == OK)
			err = fn(arg, &run);
		if (err != OK)
			return err;
	}
	return query_result(query);
}

enum err store_run_get(struct store *store, const char *id, store_run_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_RUN_GET);
	size_t count = 0;

	query_put_text(&query, id);

	enum err err = visit(&query, fn, arg, &count);

	return err == OK && count == 0 ? ERR_NOT_FOUND : err;
}

enum err store_run_held(struct store *store, store_run_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_RUN_HELD);
	size_t count = 0;

	return visit(&query, fn, arg, &count);
}

enum err store_run_of(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	uint64_t before_no, size_t limit, store_run_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_RUN_OF);
	size_t count = 0;

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	query_put_u64(&query, before_no);
	query_put_u64(&query, limit);
	return visit(&query, fn, arg, &count);
}

enum err store_run_last_ended(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	int64_t *end_ms_out, int *status_out)
{
	QUERY_AUTO query = query_start(store, STATEMENT_RUN_LAST_ENDED);
	int64_t end_ms = 0;
	int status = 0;

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	if (query_next(&query)) {
		end_ms = query_int(&query);
		status = (int)query_int_within(&query, 0, UINT16_MAX);
	}

	enum err err = query_result(&query);

	if (err != OK)
		return err;
	*end_ms_out = end_ms;
	*status_out = status;
	return OK;
}

enum err store_run_each(struct store *store, store_run_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_RUN_EACH);
	size_t count = 0;

	return visit(&query, fn, arg, &count);
}

enum err store_run_expire(struct store *store, int64_t before_ms, size_t max_rows)
{
	QUERY_AUTO query = query_start(store, STATEMENT_RUN_EXPIRE);
	uint64_t removed = 0;

	query_put_u64(&query, store->now.runs_folded);
	query_put_int(&query, before_ms);
	query_put_u64(&query, max_rows);

	enum err err = query_write(&query, &removed);

	if (err == OK)
		store->now.counts.runs -= removed;
	return err;
}

bool run_versions_next(struct run_versions *versions, char key[KEY_BYTES_MAX + 1], uint64_t *version_out,
	bool *is_damaged_out)
{
	if (versions->len == 0)
		return false;

	const unsigned char *bytes = versions->bytes;
	size_t key_len = bytes[0];
	size_t need = 1 + key_len + 8;
	uint64_t version = 0;

	*is_damaged_out = key_len == 0 || key_len > KEY_BYTES_MAX || versions->len < need ||
			  memchr(bytes + 1, '\0', key_len) != NULL;
	if (*is_damaged_out)
		return false;
	for (size_t i = 8; i-- > 0;)
		version = version << 8 | bytes[1 + key_len + i];
	*is_damaged_out = version > INT64_MAX;
	memcpy(key, bytes + 1, key_len);
	key[key_len] = '\0';
	*version_out = version;
	versions->bytes += need;
	versions->len -= need;
	return !*is_damaged_out;
}
