/*
 * Rows of versions: sealed values and their states.  A fetch reads the current ones of an integration as
 * one range.  A shredded version keeps its row and loses its ciphertext; with secure_delete, page_vfs.c and
 * the checkpoint after the commit nothing of it is left in the files (P10).
 */
#include "sqlite.h"

enum err store_version_insert(struct store *store, const struct store_version *version)
{
	QUERY_AUTO query = query_start(store, STATEMENT_VERSION_INSERT);

	query_put_fixed(&query, version->integration_id, sizeof(version->integration_id));
	query_put_text(&query, version->key);
	query_put_u64(&query, version->version);
	query_put_int(&query, version->state);
	query_put_fixed(&query, version->secret_id, sizeof(version->secret_id));
	query_put_u64(&query, version->dek_generation);
	query_put_u64(&query, version->value_bytes);
	query_put_int(&query, version->is_multiline);
	query_put_text(&query, version->note);
	query_put_text(&query, version->issuer_ref);
	query_put_int(&query, version->expires_ms);
	query_put_int(&query, version->created_ms);
	query_put_u64(&query, version->created_by);
	query_put_int(&query, version->changed_ms);
	query_put_blob(&query, version->sealed);
	query_put_rv(&query);

	enum err err = query_write(&query, NULL);

	if (err == OK)
		store->now.counts.versions++;
	return err;
}

/* The three columns that name a version, and the write. */
static enum err write_to(struct query *query, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t version)
{
	uint64_t changed = 0;

	query_put_fixed(query, integration_id, STORE_ID_BYTES);
	query_put_text(query, key);
	query_put_u64(query, version);

	enum err err = query_write(query, &changed);

	return err == OK && changed == 0 ? ERR_NOT_FOUND : err;
}

enum err store_version_set_state(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t version, enum version_state state, int64_t changed_ms)
{
	QUERY_AUTO query = query_start(store, STATEMENT_VERSION_SET_STATE);

	query_put_int(&query, state);
	query_put_int(&query, changed_ms);
	query_put_rv(&query);
	return write_to(&query, integration_id, key, version);
}

enum err store_version_shred(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, uint64_t version, int64_t changed_ms)
{
	QUERY_AUTO query = query_start(store, STATEMENT_VERSION_SHRED);

	query_put_int(&query, changed_ms);
	query_put_rv(&query);
	return write_to(&query, integration_id, key, version);
}

static void read_row(struct query *query, struct store_version *out)
{
	query_fixed(query, out->integration_id, sizeof(out->integration_id));
	out->key = query_text(query);
	out->version = query_u64(query);
	out->state = (enum version_state)query_int_within(query, VERSION_STAGED, VERSION_REVOKED);
	query_fixed(query, out->secret_id, sizeof(out->secret_id));
	out->dek_generation = query_u64(query);
	out->value_bytes = query_u32(query);
	out->is_multiline = query_int_within(query, 0, 1) == 1;
	out->note = query_text_or_null(query);
	out->issuer_ref = query_text_or_null(query);
	out->expires_ms = query_int(query);
	out->created_ms = query_int(query);
	out->created_by = query_u32(query);
	out->changed_ms = query_int(query);
	out->sealed = query_blob_or_null(query);
	if ((out->sealed.bytes == NULL) != (out->state == VERSION_REVOKED))
		query->is_damaged = true;
}

static enum err visit(struct query *query, store_version_fn *fn, void *arg)
{
	while (query_next(query)) {
		struct store_version version = {0};

		read_row(query, &version);

		enum err err = query_row_result(query);

		if (err == OK)
			err = fn(arg, &version);
		if (err != OK)
			return err;
	}
	return query_result(query);
}

enum err store_version_of(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	const char *key, store_version_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_VERSION_OF);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	query_put_text(&query, key);
	return visit(&query, fn, arg);
}

enum err store_version_current(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	store_version_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_VERSION_CURRENT);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	return visit(&query, fn, arg);
}

enum err store_version_usable(struct store *store, const unsigned char integration_id[STORE_ID_BYTES],
	store_version_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_VERSION_USABLE);

	query_put_fixed(&query, integration_id, STORE_ID_BYTES);
	return visit(&query, fn, arg);
}

enum err store_version_each(struct store *store, store_version_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_VERSION_EACH);

	return visit(&query, fn, arg);
}

static enum err visit_notable(struct query *query, store_notable_fn *fn, void *arg)
{
	while (query_next(query)) {
		struct store_notable version = {0};

		query_fixed(query, version.integration_id, sizeof(version.integration_id));
		version.integration = query_text(query);
		version.integration_state = query_text(query);
		version.rotate_after = query_text_or_null(query);
		version.key = query_text(query);
		version.version = query_u64(query);
		version.state = (enum version_state)query_int_within(query, VERSION_STAGED, VERSION_DRAINING);
		version.expires_ms = query_int(query);
		version.changed_ms = query_int(query);
		version.created_ms = query_int(query);
		version.created_by = query_u32(query);

		enum err err = query_row_result(query);

		if (err == OK)
			err = fn(arg, &version);
		if (err != OK)
			return err;
	}
	return query_result(query);
}

enum err store_version_notable(struct store *store, store_notable_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_VERSION_NOTABLE);

	return visit_notable(&query, fn, arg);
}

enum err store_version_of_retired(struct store *store, store_notable_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_VERSION_OF_RETIRED);

	return visit_notable(&query, fn, arg);
}
