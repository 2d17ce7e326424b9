/*
 * Writes records as the daemon said them, one line each behind a header, so that what is verified later is what it said.
 * An export with conditions is marked as one, because it is no chain; one without must have no gap.
 */
#include "audit_export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audits.h"
#include "base64.h"
#include "cli.h"
#include "output_file.h"
#include "segment.h"
#include "tty_json.h"

struct exporting {
	FILE *stream;
	int64_t after; /* the last record written, or asked for */
	bool is_filtered;
	bool has_started;
};

static enum err write_line(struct cli *cli, FILE *stream, const char *text, size_t len)
{
	tty_json_write(stream, text, len);
	(void)fputc('\n', stream);
	return ferror(stream) == 0 ? OK
				   : cli_fail(cli, ERR_STORAGE, "cannot be written: %s", strerror(errno));
}

static bool read_hex(const struct reply *reply, const struct json_token *object, const char *name,
	unsigned char *out, size_t len)
{
	char hex[2 * RECORD_HASH_BYTES + 1] = "";

	reply_text(reply, object, name, hex, sizeof(hex));
	return hex_decode(hex, strlen(hex), out, len) == OK;
}

/* A daemon of an earlier version does not say whose log it is; its export has no header. */
static enum err write_header(struct cli *cli, const struct exporting *exporting, const struct reply *reply,
	const struct json_token *first)
{
	char host[256] = "";
	struct segment segment = {.is_filtered = exporting->is_filtered,
		.from_seq = (uint64_t)reply_integer(reply, first, "seq")};
	BUF_AUTO line = {0};
	struct json_writer w = json_writer(&line);

	reply_text(reply, NULL, "host", host, sizeof(host));
	checkpoint_set_host(segment.host, host);
	if (!read_hex(reply, NULL, "vault", segment.vault, sizeof(segment.vault)) ||
		!read_hex(reply, first, "previous", segment.previous, sizeof(segment.previous)))
		return OK;
	segment_write_header(&w, &segment);
	return buf_failed(&line) ? cli_fail(cli, ERR_INTERNAL, "no memory")
				 : write_line(cli, exporting->stream, line.bytes, line.len);
}

/* The daemon may archive records while they are exported; a file with a hole must not pass for all of them. */
static enum err check_gap(struct cli *cli, const struct exporting *exporting, int64_t seq)
{
	if (seq == exporting->after + 1)
		return OK;
	if (exporting->has_started)
		return cli_fail(cli, ERR_CONFLICT,
			"records %" PRId64 " to %" PRId64 " were archived meanwhile; export again",
			exporting->after + 1, seq - 1);
	cli_say("records up to %" PRId64 " are archived", seq - 1);
	return OK;
}

static enum err write_record(
	struct cli *cli, void *context, const struct reply *reply, const struct json_token *record)
{
	struct exporting *exporting = context;
	int64_t seq = reply_integer(reply, record, "seq");
	enum err err = exporting->is_filtered ? OK : check_gap(cli, exporting, seq);

	if (err == OK && !exporting->has_started)
		err = write_header(cli, exporting, reply, record);
	if (err != OK)
		return err;
	exporting->has_started = true;
	exporting->after = seq;
	return write_line(cli, exporting->stream, json_raw(&reply->doc, record), record->len);
}

enum err audit_export_run(struct cli *cli)
{
	const char *path = args_text(&cli->args, SLOT_OUTPUT);
	struct exporting exporting = {.is_filtered = audits_are_filtered(cli)};
	struct audits_paging paging = {.take = write_record, .context = &exporting};
	enum err err = audits_read_after(cli, &paging.after);

	if (err == OK)
		err = audits_settle(cli);
	if (err == OK)
		err = output_file_open(cli, path, &exporting.stream);
	if (err != OK)
		return err;
	exporting.after = paging.after;
	err = audits_each(cli, &paging);
	err = output_file_close(cli, path, exporting.stream, err);
	if (err == OK && exporting.is_filtered)
		cli_say("some records were left out: this export cannot be verified as a chain");
	return err;
}
