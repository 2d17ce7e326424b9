/*
 * audit.archive, and what [audit] keep_days and max_mib ask for by themselves: once a day what became too old, and what
 * is too much down to nine tenths of the limit, so that segments are neither many nor small.
 */
#include "archives.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "base64.h"
#include "log.h"
#include "self.h"

enum { LOOK_MS = 60 * 1000 };

static const int64_t DAY_MS = 24 * 3600 * 1000;
static const uint64_t MIB = 1024 * 1024;

static int64_t keep_until_ms(const struct core *core, int64_t now_ms)
{
	int64_t days = core->rules->audit_keep_days;

	return days == 0 ? 0 : (now_ms / DAY_MS - days) * DAY_MS - 1;
}

static bool write_range(const struct archived *archived, char *out, size_t cap)
{
	if (archived->from == 0)
		return false;
	(void)snprintf(out, cap, "from=%llu to=%llu file=%s", (unsigned long long)archived->from,
		(unsigned long long)archived->to, archived->file);
	return true;
}

/* ---- by request ---- */

static enum err read_until(struct call *call, int64_t *out)
{
	char text[33] = "";

	if (request_text(call->request, FIELD_UNTIL, text, sizeof(text)))
		return text_time(text, strlen(text), out) ? OK : ERR_BAD_VALUE;
	*out = keep_until_ms(call->core, call->now_ms);
	if (*out > 0)
		return OK;
	return call_refuse(call, ERR_BAD_PARAMS, "nothing says which records",
		"say until, or set [audit] keep_days in the daemon's configuration");
}

static void write_archived(struct call *call, const struct archived *archived)
{
	struct json_writer *w = &call->w;
	struct store_state state = {0};
	bool has_any = archived->from != 0;

	json_begin_object(w);
	json_put_integer(w, "records", has_any ? (int64_t)(archived->to - archived->from + 1) : 0);
	json_put_string(w, "file", has_any ? archived->file : NULL);
	json_put_bool(w, "more", archived->has_more);
	if (store_state_get(call->core->store, &state) == OK)
		audits_write_place(w, "cut", state.audit_cut_seq, state.audit_cut_hash);
	json_end_object(w);
}

enum err handle_audit_archive(struct call *call)
{
	struct core *core = call->core;
	struct archive_order order = {.durable_seq = core->turn.chain_before.seq};
	struct archived archived = {0};
	char range[160] = "records=0";
	enum err err = read_until(call, &order.until_ms);

	if (err != OK)
		return err;
	if (core->archive_dir == NULL)
		return call_refuse(call, ERR_NOT_FOUND, "there is no archive_dir", "there is no archive_dir");
	if (core->archiving.to != 0)
		return call_refuse(call, ERR_BUSY, "another portion is being archived", NULL);
	err = archives_cut(core, &order, call->now_ms, &archived);
	if (err == ERR_CONFIG)
		err = ERR_CONFLICT; /* the directory is not as it must be */
	if (err != OK && archived.reason != NULL)
		return call_refuse(call, err, archived.reason, archived.reason);
	if (err != OK)
		return err;
	(void)write_range(&archived, range, sizeof(range));
	call_subject(call, "%s", range);
	write_archived(call, &archived);
	return OK;
}

/* ---- by itself ---- */

struct own_archive {
	struct archive_order order;
	struct archived archived;
	int64_t now_ms;
	const char *why;
};

static enum err archive_own(struct core *core, void *arg)
{
	struct own_archive *own = arg;
	struct record record = {.time_ms = own->now_ms,
		.repeats = 1,
		.uid = self_uid(),
		.gid = self_gid(),
		.pid = getpid(),
		.kind = "audit.archive",
		.outcome = "ok"};
	char range[160] = "";
	enum err err = archives_cut(core, &own->order, own->now_ms, &own->archived);

	if (err != OK || !write_range(&own->archived, range, sizeof(range)))
		return err;
	record.subject = (struct record_subject){range, strlen(range)};
	snprintf(record.detail, sizeof(record.detail), "%s", own->why);
	return trail_append(core, &record);
}

static enum err on_oldest(void *arg, const struct record *record)
{
	*(int64_t *)arg = record->time_ms;
	return OK;
}

/* What there is to do; false: nothing. */
static bool find_order(struct core *core, struct own_archive *own)
{
	struct store_audit_filter filter = {.limit = 1};
	struct archives_state state = {0};
	int64_t oldest_ms = INT64_MAX;
	int64_t until_ms = keep_until_ms(core, own->now_ms);

	archives_look(core, &state);
	own->order.durable_seq = core->chain.seq;
	if (state.limit_bytes > 0 && state.bytes > state.limit_bytes) {
		own->order.excess_bytes = state.bytes - state.limit_bytes / 10 * 9;
		own->why = "more than [audit] max_mib";
	}
	if (until_ms > 0 && store_audit_each(core->store, &filter, on_oldest, &oldest_ms) == OK &&
		oldest_ms <= until_ms) {
		own->order.until_ms = until_ms;
		own->why = "older than [audit] keep_days";
	}
	return own->why != NULL;
}

static void note_trouble(struct core *core, const char *trouble)
{
	if (trouble != NULL && trouble != core->archive_trouble)
		log_warning("the audit log should be archived, but: %s",
			log_about("archive_dir", core->archive_dir, trouble));
	core->archive_trouble = trouble;
}

void archives_tick(struct core *core, int64_t now_ms)
{
	struct own_archive own = {.now_ms = now_ms};
	bool is_due = now_ms >= core->archive_look_ms || core->archive_look_ms - now_ms > LOOK_MS;

	if (core->archive_dir == NULL || !is_due || core->archiving.to != 0)
		return;
	core->archive_look_ms = now_ms + LOOK_MS;
	if (!find_order(core, &own)) {
		note_trouble(core, NULL);
		return;
	}

	enum err err = core_run_own(core, archive_own, &own);

	archives_settle(core);
	if (err != OK)
		note_trouble(core, own.archived.reason != NULL ? own.archived.reason : err_text(err));
	else
		note_trouble(core, NULL);
	if (err == OK && own.archived.has_more)
		core->archive_look_ms = now_ms; /* the rest with the next tick */
}

void archives_look(const struct core *core, struct archives_state *out)
{
	struct store_state state = {0};

	*out = (struct archives_state){
		.limit_bytes = (uint64_t)core->rules->audit_max_mib * MIB, .trouble = core->archive_trouble};
	if (core->store != NULL && store_state_get(core->store, &state) == OK)
		out->bytes = state.audit_bytes;
}
