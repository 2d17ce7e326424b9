/*
 * audit.checkpoint: the vault signs the head of its audit log, so that whoever keeps the text elsewhere can tell later
 * whether the log still leads through it (P7).
 */
#include "archives.h"

#include <string.h>

enum err checkpoints_sign(struct core *core, const struct chain *at, int64_t now_ms, struct checkpoint *out)
{
	char bytes[CHECKPOINT_TEXT_BYTES];
	struct buf body = {0};

	*out = (struct checkpoint){
		.seq = at->seq, .time_ms = now_ms, .epoch = keys_epoch(core->keys, KEY_PURPOSE_SIG)};
	memcpy(out->vault, core->state.vault_id, sizeof(out->vault));
	memcpy(out->hash, at->head, sizeof(out->hash));
	checkpoint_set_host(out->host, core->host);
	keys_public(core->keys, out->key);
	buf_init_fixed(&body, bytes, sizeof(bytes));
	checkpoint_write_body(&body, out);
	if (buf_failed(&body))
		return ERR_INTERNAL;
	keys_sign(core->keys, body.bytes, body.len, out->signature);
	return OK;
}

enum err handle_audit_checkpoint(struct call *call)
{
	struct json_writer *w = &call->w;
	struct checkpoint checkpoint = {0};
	char bytes[CHECKPOINT_TEXT_BYTES], fingerprint[CHECKPOINT_FINGERPRINT_BYTES] = "";
	struct buf text = {0};
	enum err err = checkpoints_sign(call->core, &call->core->chain, call->now_ms, &checkpoint);

	if (err != OK)
		return err;
	buf_init_fixed(&text, bytes, sizeof(bytes));
	checkpoint_write(&text, &checkpoint);
	checkpoint_fingerprint(checkpoint.key, fingerprint);
	call_subject(call, "seq=%llu key=%s", (unsigned long long)checkpoint.seq, fingerprint);
	json_begin_object(w);
	json_key(w, "checkpoint");
	json_write_text(w, text.bytes, text.len);
	json_put_integer(w, "seq", (int64_t)checkpoint.seq);
	json_put_hex(w, "hash", checkpoint.hash, sizeof(checkpoint.hash));
	json_put_time(w, "time", checkpoint.time_ms);
	json_put_integer(w, "epoch", (int64_t)checkpoint.epoch);
	json_put_hex(w, "public_key", checkpoint.key, sizeof(checkpoint.key));
	json_put_string(w, "fingerprint", fingerprint);
	json_end_object(w);
	return OK;
}
