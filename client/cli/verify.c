/*
 * Verifies audit records with nothing but the records: each must fit its own hash, and the hash before it.
 * What was cut off at the end shows only against a head that is known from elsewhere, so the head is printed.
 */
#include "verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audits.h"
#include "base64.h"
#include "cli.h"
#include "frame.h"

enum { HASH_TEXT_BYTES = 2 * RECORD_HASH_BYTES + 1 };

__attribute__((format(printf, 2, 3))) static enum err fail(struct verify *verify, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(verify->why, sizeof(verify->why), format, arguments);
	va_end(arguments);
	return ERR_BAD_VALUE;
}

static enum err check_number(struct verify *verify, uint64_t seq)
{
	uint64_t expected = verify->last + 1;

	if (verify->count == 0 || seq == expected)
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
	bool is_first = verify->count == 0;

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

static void hash_text(const struct verify *verify, char out[HASH_TEXT_BYTES])
{
	hex_encode(verify->head, RECORD_HASH_BYTES, out);
	out[HASH_TEXT_BYTES - 1] = '\0';
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
	if (err != OK)
		return err;
	verify->first = verify->count == 0 ? record.seq : verify->first;
	verify->last = record.seq;
	verify->count++;
	memcpy(verify->head, record.hash, RECORD_HASH_BYTES);
	if (verify->wanted != NULL) {
		char hash[HASH_TEXT_BYTES] = "";

		hash_text(verify, hash);
		verify->has_wanted = verify->has_wanted || strcmp(verify->wanted, hash) == 0;
	}
	return OK;
}

static enum err verify_line(struct verify *verify, const char *line, size_t len)
{
	enum { TOKENS_MAX = 64 };
	struct json_token tokens[TOKENS_MAX];
	struct gate_limits limits = {.depth_max = 1, .tokens_max = TOKENS_MAX, .keys_max = TOKENS_MAX};
	struct json_doc doc = {.text = line, .tokens = tokens};

	if (len > LINE_BYTES_MAX || gate_scan(line, len, &limits, tokens, &doc.count) != OK)
		return fail(verify, "not an audit record");
	return verify_record(verify, &doc, tokens);
}

static enum err verify_stream(struct verify *verify, FILE *stream, uint64_t *line_out)
{
	char *line = NULL;
	size_t cap = 0;
	enum err err = OK;

	for (*line_out = 1; err == OK; *line_out += err == OK) {
		ssize_t len = getline(&line, &cap, stream);

		if (len < 0)
			break;
		len -= line[len - 1] == '\n';
		err = verify_line(verify, line, (size_t)len);
	}
	free(line);
	return err;
}

static enum err verify_file(const struct cli *cli, struct verify *verify, const char *path)
{
	FILE *stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	uint64_t line = 0;

	if (stream == NULL)
		return cli_fail(cli, ERR_NOT_FOUND, "cannot be read: %s", strerror(errno));

	enum err err = verify_stream(verify, stream, &line);
	bool has_failed = ferror(stream) != 0;

	if (stream != stdin)
		(void)fclose(stream);
	if (err != OK)
		return cli_fail(cli, err, "line %" PRIu64 ": %s", line, verify->why);
	if (has_failed)
		return cli_fail(cli, ERR_STORAGE, "cannot be read to its end");
	return OK;
}

static enum err take_record(
	struct cli *cli, void *context, const struct reply *reply, const struct json_token *record)
{
	struct verify *verify = context;
	enum err err = verify_record(verify, &reply->doc, record);

	return err == OK ? OK : cli_fail(cli, err, "%s", verify->why);
}

/* The daemon's records must end where it says that they end. */
static enum err verify_daemon(struct cli *cli, struct verify *verify)
{
	struct audits_head head = {0};
	char hash[HASH_TEXT_BYTES] = "";
	enum err err = audits_each(cli, 0, take_record, verify, &head);

	if (err != OK || head.hash[0] == '\0')
		return err;
	hash_text(verify, hash);
	if (head.seq != (int64_t)verify->last || (verify->count > 0 && strcmp(head.hash, hash) != 0))
		return cli_fail(cli, ERR_BAD_VALUE, "the records end at %" PRIu64 ", the chain at %" PRId64,
			verify->last, head.seq);
	return OK;
}

static void show(const struct cli *cli, const struct verify *verify)
{
	char hash[HASH_TEXT_BYTES] = "";

	hash_text(verify, hash);
	if (cli_is_json(cli))
		printf("{\"records\":%" PRIu64 ",\"first\":%" PRIu64 ",\"last\":%" PRIu64
		       ",\"head\":\"%s\"}\n",
			verify->count, verify->first, verify->last, hash);
	else if (verify->first > 1)
		printf("%" PRIu64 " records, from record %" PRIu64 " on, head %s\n", verify->count,
			verify->first, hash);
	else
		printf("%" PRIu64 " records, head %s\n", verify->count, hash);
}

enum err verify_run(struct cli *cli)
{
	struct verify verify = {.wanted = args_text(&cli->args, SLOT_HEAD)};
	const char *path = args_text(&cli->args, SLOT_FILE);
	enum err err = path == NULL ? verify_daemon(cli, &verify) : verify_file(cli, &verify, path);

	if (err != OK)
		return err;
	if (verify.count == 0)
		return cli_fail(cli, ERR_BAD_VALUE, "no records");
	if (verify.wanted != NULL && !verify.has_wanted)
		return cli_fail(cli, ERR_BAD_VALUE,
			"no record has the hash of --head: the end was cut off, or it is another chain");
	show(cli, &verify);
	return OK;
}
