/*
 * Rows of runs, one a fetch: who took which versions, when.  The versions are one canonical list of bytes
 * (u8 length, key, u64 little-endian version), read back as strictly as it is written.  Runs are numbered
 * without gaps from the state row; sums over them are use.c's part.
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

enum err store_run_insert(struct store *store, const struct store_run *run)
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
	query_put_fixed(&query, versions.bytes, versions.len);
	err = query_write(&query, NULL);
	if (err != OK)
		return err;
	store->now.runs_made = no;
	store->now.counts.runs++;
	return OK;
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
