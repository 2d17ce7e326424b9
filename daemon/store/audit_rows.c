/*
 * Audit records as rows.  A record is taken only if it follows the head, and the head moves with it, in the
 * transaction of what it records (P4).  What a record means and how it is sealed is known elsewhere, and so is that
 * records were archived before they are cut off at the chain's beginning (P7).
 */
#include "sqlite.h"

#include <string.h>

static void put_record(struct query *query, const struct record *record)
{
	query_put_u64(query, record->seq);
	query_put_int(query, record->time_ms);
	query_put_text(query, record->kind);
	query_put_text(query, record->outcome);
	query_put_u64(query, record->uid);
	query_put_u64(query, record->gid);
	query_put_int(query, record->pid);
	query_put_text(query, record->unit);
	query_put_text(query, record->integration);
	query_put_text(query, record->key);
	query_put_u64(query, record->version);
	query_put_u64(query, record->object);
	query_put_text(query, record->run);
	query_put_text(query, record->subject.len > 0 ? record->subject.text : "");
	query_put_u64(query, record->repeats);
	query_put_text(query, record->detail);
	query_put_fixed(query, record->previous, sizeof(record->previous));
	query_put_fixed(query, record->hash, sizeof(record->hash));
}

uint64_t store_audit_record_bytes(const struct record *record)
{
	enum { NUMBERS_AND_HASHES = 128 }; /* what they and the row's own overhead come to, about */

	return NUMBERS_AND_HASHES + strlen(record->kind) + strlen(record->outcome) + strlen(record->unit) +
	       strlen(record->integration) + strlen(record->key) + strlen(record->run) + record->subject.len +
	       strlen(record->detail);
}

enum err store_audit_append(struct store *store, const struct record *record)
{
	struct store_state *state = &store->now.state;

	/* A gap or a fork in the log would be found only when somebody verifies it, and blamed on the file. */
	if (record->seq != state->audit_seq + 1 ||
		memcmp(record->previous, state->audit_head, sizeof(state->audit_head)) != 0)
		return ERR_INTERNAL;

	QUERY_AUTO query = query_start(store, STATEMENT_AUDIT_APPEND);

	put_record(&query, record);

	enum err err = query_write(&query, NULL);

	if (err != OK)
		return err;
	state->audit_seq = record->seq;
	state->audit_bytes += store_audit_record_bytes(record);
	memcpy(state->audit_head, record->hash, sizeof(state->audit_head));
	store->now.counts.audit_records++;
	return OK;
}

static void read_record(struct query *query, struct record *out)
{
	out->seq = query_u64(query);
	out->time_ms = query_int(query);
	query_chars(query, out->kind, sizeof(out->kind));
	query_chars(query, out->outcome, sizeof(out->outcome));
	out->uid = query_u32(query);
	out->gid = query_u32(query);
	out->pid = (int32_t)query_int_within(query, INT32_MIN, INT32_MAX);
	query_chars(query, out->unit, sizeof(out->unit));
	query_chars(query, out->integration, sizeof(out->integration));
	query_chars(query, out->key, sizeof(out->key));
	out->version = query_u64(query);
	out->object = query_u64(query);
	query_chars(query, out->run, sizeof(out->run));
	out->subject.text = query_text(query);
	out->subject.len = strlen(out->subject.text);
	out->repeats = query_u32(query);
	query_chars(query, out->detail, sizeof(out->detail));
	query_fixed(query, out->previous, sizeof(out->previous));
	query_fixed(query, out->hash, sizeof(out->hash));
}

static uint64_t clamp(uint64_t value)
{
	return value < INT64_MAX ? value : INT64_MAX;
}

static void put_filter(struct query *query, const struct store_audit_filter *filter)
{
	query_put_u64(query, clamp(filter->after));
	query_put_int(query, filter->since_ms);
	query_put_int(query, filter->until_ms);
	if (filter->has_uid)
		query_put_u64(query, filter->uid);
	else
		query_put_null(query);
	query_put_text(query, filter->integration);
	query_put_text(query, filter->outcome);
	query_put_text(query, filter->kind);
	query_put_u64(query, filter->limit == 0 ? INT64_MAX : clamp(filter->limit));
}

enum err store_audit_each(
	struct store *store, const struct store_audit_filter *filter, store_audit_fn *fn, void *arg)
{
	QUERY_AUTO query = query_start(store, STATEMENT_AUDIT_EACH);

	put_filter(&query, filter);
	while (query_next(&query)) {
		struct record record = {0};

		read_record(&query, &record);

		enum err err = query_row_result(&query);

		if (err == OK)
			err = fn(arg, &record);
		if (err != OK)
			return err;
	}
	return query_result(&query);
}

static enum err check_hash(struct store *store, uint64_t seq, const unsigned char hash[STORE_HASH_BYTES])
{
	QUERY_AUTO query = query_start(store, STATEMENT_AUDIT_HASH);
	unsigned char stored[STORE_HASH_BYTES] = {0};
	enum err err = ERR_INTERNAL;

	query_put_u64(&query, seq);
	if (!query_next(&query))
		return query_result(&query) == OK ? ERR_INTERNAL : query_result(&query);
	query_fixed(&query, stored, sizeof(stored));
	err = query_row_result(&query);
	return err == OK && memcmp(stored, hash, sizeof(stored)) != 0 ? ERR_INTERNAL : err;
}

static enum err measure(struct store *store, uint64_t seq, uint64_t *count_out, uint64_t *bytes_out)
{
	QUERY_AUTO query = query_start(store, STATEMENT_AUDIT_SIZE);

	query_put_u64(&query, seq);
	if (query_next(&query)) {
		*count_out = query_u64(&query);
		*bytes_out = query_u64(&query);
	}
	return query_result(&query);
}

enum err store_audit_cut(struct store *store, uint64_t seq, const unsigned char hash[STORE_HASH_BYTES])
{
	struct store_state *state = &store->now.state;
	uint64_t count = 0;
	uint64_t bytes = 0;
	uint64_t removed = 0;
	enum err err = seq <= state->audit_seq ? check_hash(store, seq, hash) : ERR_INTERNAL;

	if (err == OK)
		err = measure(store, seq, &count, &bytes);
	if (err != OK)
		return err;

	QUERY_AUTO query = query_start(store, STATEMENT_AUDIT_CUT);

	query_put_u64(&query, seq);
	err = query_write(&query, &removed);
	if (err != OK)
		return err;
	/* Less than what the numbers say: some were gone already, and nobody may be told that they are archived. */
	if (removed != count || removed != seq - state->audit_cut_seq)
		return ERR_STORAGE;
	state->audit_cut_seq = seq;
	memcpy(state->audit_cut_hash, hash, sizeof(state->audit_cut_hash));
	state->audit_bytes -= bytes < state->audit_bytes ? bytes : state->audit_bytes;
	store->now.counts.audit_records -= count;
	return OK;
}
