/*
 * Verifies audit records with nothing but the records (P7): each must fit its own hash, and the hash before it.  What was
 * cut off at the end shows only against a head that is known from elsewhere; a checkpoint says who vouched for one.
 */
#include "verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "frame.h"
#include "gate.h"
#include "segment.h"

__attribute__((format(printf, 2, 3))) static enum err fail(struct verify *verify, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(verify->why, sizeof(verify->why), format, arguments);
	va_end(arguments);
	return ERR_BAD_VALUE;
}

/* ---- records ---- */

static bool is_at_beginning(const struct verify *verify)
{
	return verify->count == 0 && !verify->has_start;
}

static enum err check_number(struct verify *verify, uint64_t seq)
{
	uint64_t expected = verify->last + 1;

	if (is_at_beginning(verify) || seq == expected)
		return OK;
	if (seq > expected)
		return fail(verify,
			"records %" PRIu64 " to %" PRIu64 " were removed, or their order was changed",
			expected, seq - 1);
	if (seq == verify->last)
		return fail(verify, "record %" PRIu64 " stands here a second time: one was inserted", seq);
	return fail(verify,
		"record %" PRIu64 " stands behind record %" PRIu64 ": inserted, or the order was changed",
		seq, verify->last);
}

static enum err check_link(struct verify *verify, const struct record *record)
{
	static const unsigned char nothing[RECORD_HASH_BYTES];
	bool is_first = is_at_beginning(verify);

	if (!is_first && memcmp(record->previous, verify->head, RECORD_HASH_BYTES) != 0)
		return fail(verify,
			"record %" PRIu64 " does not follow from record %" PRIu64
			": one of them was replaced by another with a hash of its own",
			record->seq, verify->last);
	if (is_first && (record->seq == 1) != (memcmp(record->previous, nothing, RECORD_HASH_BYTES) == 0))
		return fail(verify, "record %" PRIu64 " has the wrong number, or a wrong hash before it",
			record->seq);
	return OK;
}

/* The saved head may also be the record before the first. */
static enum err check_saved(struct verify *verify, uint64_t seq, const unsigned char hash[RECORD_HASH_BYTES])
{
	struct verify_head *saved = &verify->saved;
	bool is_same = memcmp(saved->hash, hash, RECORD_HASH_BYTES) == 0;

	if (!saved->is_given || (saved->has_seq && saved->seq != seq))
		return OK;
	if (saved->has_seq && !is_same)
		return fail(verify,
			"record %" PRIu64
			" is another one than the saved head: the log was rewritten before it",
			seq);
	saved->is_found = saved->is_found || is_same;
	return OK;
}

enum err verify_record(struct verify *verify, const struct json_doc *doc, const struct json_token *object)
{
	struct record record = {0};

	if (object->type != JSON_OBJECT || record_read(doc, object, &record) != OK)
		return fail(verify, "not an audit record");
	if (!record_is_sealed(&record))
		return fail(verify, "record %" PRIu64 " was changed: it does not fit its hash", record.seq);

	enum err err = check_number(verify, record.seq);

	if (err == OK)
		err = check_link(verify, &record);
	if (err == OK && verify->count == 0)
		err = check_saved(verify, record.seq - 1, record.previous);
	if (err == OK)
		err = check_saved(verify, record.seq, record.hash);
	if (err != OK)
		return err;
	verify->first = verify->count == 0 ? record.seq : verify->first;
	verify->last = record.seq;
	verify->count++;
	memcpy(verify->head, record.hash, RECORD_HASH_BYTES);
	return OK;
}

enum err verify_saved(struct verify *verify)
{
	const struct verify_head *saved = &verify->saved;

	if (!saved->is_given || saved->is_found)
		return OK;
	if (!saved->has_seq)
		return fail(verify,
			"no record has the hash of --head: the end was cut off, or it is another chain");
	if (saved->seq > verify->last)
		return fail(verify,
			"the records end at %" PRIu64 ", the saved head is record %" PRIu64
			": the end was cut off",
			verify->last, saved->seq);
	return fail(verify,
		"the saved head is record %" PRIu64 ", the first one here is %" PRIu64
		": verify the segments before it as well",
		saved->seq, verify->first);
}

/* ---- headers and checkpoints ---- */

enum err verify_place(struct verify *verify, uint64_t seq, const unsigned char hash[RECORD_HASH_BYTES])
{
	if (!is_at_beginning(verify)) {
		if (seq > verify->last)
			return fail(verify, "records %" PRIu64 " to %" PRIu64 " are missing before this file",
				verify->last + 1, seq);
		if (seq < verify->last)
			return fail(verify,
				"this file begins behind record %" PRIu64
				", which was verified already: wrong order, or twice",
				seq);
		if (memcmp(verify->head, hash, RECORD_HASH_BYTES) != 0)
			return fail(verify,
				"this file does not follow from record %" PRIu64 ": it is of another history",
				seq);
		return OK;
	}
	verify->has_start = true;
	verify->last = seq;
	memcpy(verify->head, hash, RECORD_HASH_BYTES);
	return OK;
}

static enum err take_vault(struct verify *verify, const unsigned char vault[CHECKPOINT_VAULT_BYTES])
{
	if (verify->has_vault && memcmp(verify->vault, vault, CHECKPOINT_VAULT_BYTES) != 0)
		return fail(verify, "of another vault");
	verify->has_vault = true;
	memcpy(verify->vault, vault, CHECKPOINT_VAULT_BYTES);
	return OK;
}

static enum err take_header(
	struct verify *verify, const struct json_doc *doc, const struct json_token *object)
{
	struct segment segment = {0};
	enum err err = segment_read_header(doc, object, &segment);

	if (err == ERR_UNSUPPORTED)
		return fail(verify, "a file of a later version of coffer");
	if (err != OK)
		return fail(verify, "not the header of an audit log");
	if (segment.is_filtered)
		return fail(verify,
			"records were left out of this export: it is no chain and cannot be verified");
	err = take_vault(verify, segment.vault);
	return err == OK ? verify_place(verify, segment.from_seq - 1, segment.previous) : err;
}

enum err verify_signature(struct verify *verify, const struct checkpoint *checkpoint)
{
	if (!checkpoint_is_signed(checkpoint))
		return fail(verify, "the checkpoint's signature does not hold: it was changed or made up");
	if (verify->has_key && memcmp(verify->key, checkpoint->key, CHECKPOINT_KEY_BYTES) != 0)
		return fail(verify, "the checkpoint is signed by another key than %s",
			verify->is_key_given ? "--key" : "the checkpoint before it");
	verify->has_key = true;
	memcpy(verify->key, checkpoint->key, CHECKPOINT_KEY_BYTES);
	return take_vault(verify, checkpoint->vault);
}

static enum err take_checkpoint(
	struct verify *verify, const struct json_doc *doc, const struct json_token *object)
{
	struct checkpoint checkpoint = {0};

	if (segment_read_checkpoint(doc, object, &checkpoint) != OK)
		return fail(verify, "not a checkpoint");

	enum err err = verify_signature(verify, &checkpoint);

	if (err != OK)
		return err;
	if (is_at_beginning(verify) || checkpoint.seq != verify->last ||
		memcmp(checkpoint.hash, verify->head, RECORD_HASH_BYTES) != 0)
		return fail(verify, "the checkpoint is not of the record before it");
	verify->checkpoints++;
	return OK;
}

enum err verify_line(struct verify *verify, const char *line, size_t len)
{
	enum { TOKENS_MAX = 64 };
	struct json_token tokens[TOKENS_MAX];
	struct gate_limits limits = {.depth_max = 1, .tokens_max = TOKENS_MAX, .keys_max = TOKENS_MAX};
	struct json_doc doc = {.text = line, .tokens = tokens};

	if (len > LINE_BYTES_MAX || gate_scan(line, len, &limits, tokens, &doc.count) != OK ||
		tokens[0].type != JSON_OBJECT)
		return fail(verify, "not an audit record");
	if (segment_is_header(&doc, tokens))
		return take_header(verify, &doc, tokens);
	if (segment_is_checkpoint(&doc, tokens))
		return take_checkpoint(verify, &doc, tokens);
	return verify_record(verify, &doc, tokens);
}
