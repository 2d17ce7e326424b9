/*
 * The oldest audit records leave the store for a signed segment in the archive directory.  They are read in their order
 * and must follow from the cut before them; the segment is on the disk before they are gone, and that they are gone is a
 * record of the same transaction (P4, P5, P7).  A portion is bounded, because the loop waits for it.
 */
#include "archives.h"

#include <stdio.h>
#include <string.h>

#include "archive.h"
#include "base64.h"
#include "log.h"
#include "segment.h"

enum {
	PORTION_RECORDS = 4000,
	PORTION_BYTES = 4 * 1024 * 1024, /* of the segment */
	FILE_BYTES = ARCHIVE_NAME_BYTES,
};

_Static_assert(FILE_BYTES <= sizeof(((struct archived *)NULL)->file), "name of a segment");

struct portion {
	const struct archive_order *order;
	struct buf lines;
	struct chain chain; /* as far as records were taken */
	uint64_t count;
	uint64_t bytes; /* as the store counts them */
	bool is_full;
	bool is_broken; /* a record does not follow the one before it */
};

static void clear_portion(struct portion *portion)
{
	buf_clear(&portion->lines);
}

#define PORTION_AUTO __attribute__((cleanup(clear_portion))) struct portion

static bool is_wanted(const struct portion *portion, const struct record *record)
{
	const struct archive_order *order = portion->order;

	if (record->seq > order->durable_seq)
		return false;
	return (order->until_ms != 0 && record->time_ms <= order->until_ms) ||
	       portion->bytes < order->excess_bytes;
}

/* Any error ends the walk: the chain is cut at its beginning, so the first record that stays is the last one looked at. */
static enum err on_record(void *arg, const struct record *record)
{
	struct portion *portion = arg;
	struct json_writer w = json_writer(&portion->lines);

	if (!is_wanted(portion, record))
		return ERR_NOT_FOUND;
	portion->is_full = portion->count == PORTION_RECORDS || portion->lines.len > PORTION_BYTES;
	if (portion->is_full)
		return ERR_NOT_FOUND;
	portion->is_broken = !chain_follow(&portion->chain, record);
	if (portion->is_broken)
		return ERR_STORAGE; /* P7: what was tampered with is never signed */
	record_write(&w, record);
	buf_append_byte(&portion->lines, '\n');
	portion->count++;
	portion->bytes += store_audit_record_bytes(record);
	return OK;
}

static void write_header(struct core *core, const struct chain *from, struct buf *lines)
{
	struct json_writer w = json_writer(lines);
	struct segment segment = {.from_seq = from->seq + 1};

	checkpoint_set_host(segment.host, core->host);
	memcpy(segment.vault, core->state.vault_id, sizeof(segment.vault));
	memcpy(segment.previous, from->head, sizeof(segment.previous));
	segment_write_header(&w, &segment);
	buf_append_byte(lines, '\n');
}

static enum err write_checkpoint(struct core *core, struct portion *portion, int64_t now_ms)
{
	struct json_writer w = json_writer(&portion->lines);
	struct checkpoint checkpoint = {0};
	enum err err = checkpoints_sign(core, &portion->chain, now_ms, &checkpoint);

	if (err != OK)
		return err;
	segment_write_checkpoint(&w, &checkpoint);
	buf_append_byte(&portion->lines, '\n');
	return buf_failed(&portion->lines) ? ERR_INTERNAL : OK;
}

static enum err read_portion(struct core *core, struct portion *portion)
{
	struct store_state state = {0};
	enum err err = store_state_get(core->store, &state);

	if (err != OK)
		return err;
	portion->chain.seq = state.audit_cut_seq;
	memcpy(portion->chain.head, state.audit_cut_hash, sizeof(portion->chain.head));
	write_header(core, &portion->chain, &portion->lines);

	struct store_audit_filter filter = {.after = state.audit_cut_seq, .limit = PORTION_RECORDS + 1};

	err = store_audit_each(core->store, &filter, on_record, portion);
	return err == ERR_NOT_FOUND ? OK : err;
}

static void vault_text(const struct core *core, char out[ARCHIVE_VAULT_CHARS + 1])
{
	hex_encode(core->state.vault_id, ARCHIVE_VAULT_CHARS / 2, out);
	out[ARCHIVE_VAULT_CHARS] = '\0';
}

static enum err put_segment(struct core *core, const struct portion *portion, struct archived *out)
{
	char vault[ARCHIVE_VAULT_CHARS + 1] = "";
	uint64_t cut = out->from - 1;

	vault_text(core, vault);
	archive_name(out->file, vault, out->from, out->to);

	enum err err = archive_settle(core->archive_dir, vault, cut, &out->reason);

	return err == OK ? archive_put(core->archive_dir, out->file, portion->lines.bytes, portion->lines.len,
				   &out->reason)
			 : err;
}

enum err archives_cut(
	struct core *core, const struct archive_order *order, int64_t now_ms, struct archived *out)
{
	PORTION_AUTO portion = {.order = order};

	*out = (struct archived){0};
	/* Before anything is read: a directory that is not there is told at once. */
	enum err err = archive_check(core->archive_dir, &out->reason);

	if (err == OK)
		err = read_portion(core, &portion);
	if (portion.is_broken)
		out->reason = "the records do not follow each other, and stay; cofferd check tells where";
	if (err != OK || portion.count == 0)
		return err;
	out->from = portion.chain.seq - portion.count + 1;
	out->to = portion.chain.seq;
	out->has_more = portion.is_full;
	err = write_checkpoint(core, &portion, now_ms);
	if (err == OK)
		err = put_segment(core, &portion, out);
	if (err != OK)
		return err;
	core->archiving.to = out->to;
	snprintf(core->archiving.file, sizeof(core->archiving.file), "%s", out->file);
	return store_audit_cut(core->store, out->to, portion.chain.head);
}

void archives_settle(struct core *core)
{
	struct store_state state = {0};
	const char *reason = NULL;

	if (core->archiving.to == 0)
		return;
	/* A commit that failed may have become durable all the same: only a restart tells, and recovers it. */
	if (store_is_broken(core->store) || store_state_get(core->store, &state) != OK)
		return;
	if (state.audit_cut_seq < core->archiving.to)
		archive_discard(core->archive_dir, core->archiving.file);
	else if (archive_publish(core->archive_dir, core->archiving.file, &reason) != OK)
		log_error(
			"%s: %s; it is there as %s.part", core->archiving.file, reason, core->archiving.file);
	core->archiving.to = 0;
}

void archives_recover(struct core *core)
{
	char vault[ARCHIVE_VAULT_CHARS + 1] = "";
	const char *reason = NULL;

	if (core->archive_dir == NULL)
		return;
	vault_text(core, vault);

	enum err err = archive_settle(core->archive_dir, vault, core->state.audit_cut_seq, &reason);

	if (err != OK && err != ERR_NOT_FOUND)
		log_warning("%s", log_about("archive_dir", core->archive_dir, reason));
}
