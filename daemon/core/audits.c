/*
 * audit.list: the records as they are chained, for auditors and for anybody's own verification.
 */
#include "handler.h"

#include <string.h>

#include "frame.h"

/* A page ends early when its records are long: whoever pages by `last` misses nothing. */
enum { RECORDS_DEFAULT = 100, RECORDS_MAX = 1000, PAGE_BYTES_MAX = REPLY_BYTES_MAX / 2 };

struct listing {
	struct call *call;
	uint64_t last;
	bool is_full;
};

static enum err on_record(void *arg, const struct record *record)
{
	struct listing *listing = arg;

	listing->is_full = listing->call->result.len > PAGE_BYTES_MAX;
	if (listing->is_full)
		return ERR_TOO_LARGE; /* ends the walk */
	record_write(&listing->call->w, record);
	listing->last = record->seq;
	return OK;
}

static int64_t time_field(const struct request *request, enum field field)
{
	char text[33] = "";
	int64_t time_ms = 0;

	return request_text(request, field, text, sizeof(text)) && text_time(text, strlen(text), &time_ms)
		       ? time_ms
		       : 0;
}

void audits_write_place(
	struct json_writer *w, const char *name, uint64_t seq, const unsigned char hash[RECORD_HASH_BYTES])
{
	json_key(w, name);
	json_begin_object(w);
	json_put_integer(w, "seq", (int64_t)seq);
	json_put_hex(w, "hash", hash, RECORD_HASH_BYTES);
	json_end_object(w);
}

/* The head tells a cut tail to whoever remembers an older one; the cut, where the records that are left begin. */
static enum err write_ends(struct call *call)
{
	struct core *core = call->core;
	struct store_state state = {0};
	enum err err = store_state_get(core->store, &state);

	if (err != OK)
		return err;
	audits_write_place(&call->w, "head", core->chain.seq, core->chain.head);
	audits_write_place(&call->w, "cut", state.audit_cut_seq, state.audit_cut_hash);
	session_write_place(call);
	return OK;
}

enum err handle_audit_list(struct call *call)
{
	const struct request *request = call->request;
	struct store_audit_filter filter = {0};
	struct listing listing = {.call = call};
	char integration[INTEGRATION_NAME_BYTES_MAX + 1] = "", outcome[33] = "", kind[33] = "";
	int64_t limit = request_count(request, FIELD_LIMIT, RECORDS_DEFAULT);

	if (request_count(request, FIELD_UID, 0) > UINT32_MAX)
		return call_refuse(call, ERR_BAD_VALUE, "uid out of range", "uid is at most 4294967295");
	filter.after = (uint64_t)request_count(request, FIELD_AFTER, 0);
	listing.last = filter.after;
	filter.limit = (uint64_t)(limit < RECORDS_MAX ? limit : RECORDS_MAX);
	filter.since_ms = time_field(request, FIELD_SINCE);
	filter.until_ms = time_field(request, FIELD_UNTIL);
	filter.has_uid = request_has(request, FIELD_UID);
	filter.uid = (uint32_t)request_count(request, FIELD_UID, 0);
	if (request_text(request, FIELD_INTEGRATION, integration, sizeof(integration)))
		filter.integration = integration;
	if (request_text(request, FIELD_OUTCOME, outcome, sizeof(outcome)))
		filter.outcome = outcome;
	if (request_text(request, FIELD_KIND, kind, sizeof(kind)))
		filter.kind = kind;
	json_begin_object(&call->w);
	json_key(&call->w, "records");
	json_begin_array(&call->w);

	/* To the store a limit of 0 is none. */
	enum err err =
		filter.limit > 0 ? store_audit_each(call->core->store, &filter, on_record, &listing) : OK;

	if (listing.is_full)
		err = OK;
	json_end_array(&call->w);
	json_put_integer(&call->w, "last", (int64_t)listing.last);
	if (err == OK)
		err = write_ends(call);
	json_end_object(&call->w);
	return err;
}
