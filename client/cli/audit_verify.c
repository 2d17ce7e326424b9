/*
 * Brings files, the daemon's records and what was saved earlier to the one chain of verify.c, and tells the verdict.  The
 * head is printed, because a cut end shows only to whoever kept it.
 */
#include "audit_verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audits.h"
#include "base64.h"
#include "cli.h"
#include "verify.h"

enum { HASH_TEXT_BYTES = 2 * RECORD_HASH_BYTES + 1 };

/* ---- what was saved ---- */

static enum err read_key(const struct cli *cli, struct verify *verify)
{
	const char *text = args_text(&cli->args, SLOT_PUBLIC_KEY);

	if (text == NULL)
		return OK;
	if (hex_decode(text, strlen(text), verify->key, sizeof(verify->key)) != OK)
		return cli_usage(cli, "--key: 64 hex digits, as audit checkpoint tells them");
	verify->has_key = true;
	verify->is_key_given = true;
	return OK;
}

/* HASH, or SEQ:HASH. */
static bool read_place(const char *text, struct verify_head *out)
{
	char *end = NULL;
	const char *colon = strchr(text, ':');
	const char *hash = colon == NULL ? text : colon + 1;

	if (hex_decode(hash, strlen(hash), out->hash, sizeof(out->hash)) != OK)
		return false;
	if (colon == NULL)
		return true;
	errno = 0;
	out->has_seq = true;
	out->seq = strtoull(text, &end, 10);
	return errno == 0 && end == colon && text[0] >= '0' && text[0] <= '9';
}

static enum err read_saved_file(const struct cli *cli, struct verify *verify, const char *path)
{
	char text[CHECKPOINT_TEXT_BYTES + 1] = "";
	struct checkpoint checkpoint = {0};
	FILE *stream = fopen(path, "re");

	if (stream == NULL)
		return cli_fail(cli, ERR_NOT_FOUND,
			"--head: neither a hash nor SEQ:HASH, and no file with a checkpoint: %s",
			strerror(errno));

	size_t len = fread(text, 1, sizeof(text), stream);

	(void)fclose(stream);
	if (checkpoint_read(text, len, &checkpoint) != OK)
		return cli_fail(cli, ERR_BAD_VALUE, "--head: the file holds no checkpoint");
	if (verify_signature(verify, &checkpoint) != OK)
		return cli_fail(cli, ERR_BAD_VALUE, "--head: %s", verify->why);
	verify->checkpoints++;
	verify->saved.has_seq = true;
	verify->saved.seq = checkpoint.seq;
	memcpy(verify->saved.hash, checkpoint.hash, sizeof(checkpoint.hash));
	return OK;
}

static enum err read_saved(const struct cli *cli, struct verify *verify)
{
	const char *text = args_text(&cli->args, SLOT_HEAD);

	if (text == NULL)
		return OK;
	verify->saved.is_given = true;
	if (read_place(text, &verify->saved))
		return OK;
	verify->saved.has_seq = false;
	return read_saved_file(cli, verify, text);
}

/* ---- files ---- */

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

/* A command about one file names it already. */
static enum err fail_in(const struct cli *cli, const char *path, bool is_one, enum err err, const char *why)
{
	return is_one ? cli_fail(cli, err, "%s", why) : cli_fail(cli, err, "%s: %s", path, why);
}

static enum err verify_file(const struct cli *cli, struct verify *verify, const char *path, bool is_one)
{
	FILE *stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char why[sizeof(verify->why) + 32] = "";
	uint64_t line = 0;

	(void)snprintf(why, sizeof(why), "cannot be read: %s", stream == NULL ? strerror(errno) : "");
	if (stream == NULL)
		return fail_in(cli, path, is_one, ERR_NOT_FOUND, why);

	enum err err = verify_stream(verify, stream, &line);
	bool has_failed = ferror(stream) != 0;

	if (stream != stdin)
		(void)fclose(stream);
	(void)snprintf(why, sizeof(why), "line %" PRIu64 ": %s", line, verify->why);
	if (err != OK)
		return fail_in(cli, path, is_one, err, why);
	return has_failed ? fail_in(cli, path, is_one, ERR_STORAGE, "cannot be read to its end") : OK;
}

static enum err verify_files(const struct cli *cli, struct verify *verify)
{
	size_t cursor = 0;
	const char *path = args_next(&cli->args, SLOT_FILE, &cursor);
	size_t second = cursor;
	bool is_one = args_next(&cli->args, SLOT_FILE, &second) == NULL;
	enum err err = OK;

	for (; err == OK && path != NULL; path = args_next(&cli->args, SLOT_FILE, &cursor))
		err = verify_file(cli, verify, path, is_one);
	return err;
}

/* ---- the daemon ---- */

/* Behind a cut the chain begins where the archived records end. */
static enum err take_cut(struct verify *verify, const struct reply *reply)
{
	struct audits_place cut = {0};
	unsigned char hash[RECORD_HASH_BYTES];

	audits_read_place(reply, "cut", &cut);
	if (cut.seq == 0 || hex_decode(cut.hash, strlen(cut.hash), hash, sizeof(hash)) != OK)
		return OK;
	return verify_place(verify, (uint64_t)cut.seq, hash);
}

static enum err take_record(
	struct cli *cli, void *context, const struct reply *reply, const struct json_token *record)
{
	struct verify *verify = context;
	enum err err = verify->count == 0 ? take_cut(verify, reply) : OK;

	if (err == OK)
		err = verify_record(verify, &reply->doc, record);
	return err == OK ? OK : cli_fail(cli, err, "%s", verify->why);
}

static void hash_text(const struct verify *verify, char out[HASH_TEXT_BYTES])
{
	hex_encode(verify->head, RECORD_HASH_BYTES, out);
	out[HASH_TEXT_BYTES - 1] = '\0';
}

/* The daemon's records must end where it says that they end. */
static enum err verify_daemon(struct cli *cli, struct verify *verify)
{
	struct audits_paging paging = {.take = take_record, .context = verify};
	char hash[HASH_TEXT_BYTES] = "";
	enum err err = audits_each(cli, &paging);
	const struct audits_place *head = &paging.head;

	if (err != OK || head->hash[0] == '\0')
		return err;
	hash_text(verify, hash);
	if (head->seq != (int64_t)verify->last || (verify->count > 0 && strcmp(head->hash, hash) != 0))
		return cli_fail(cli, ERR_BAD_VALUE, "the records end at %" PRIu64 ", the chain at %" PRId64,
			verify->last, head->seq);
	return OK;
}

/* ---- the verdict ---- */

static void show_json(const struct verify *verify, const char *hash, const char *key)
{
	printf("{\"records\":%" PRIu64 ",\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"head\":\"%s\"",
		verify->count, verify->first, verify->last, hash);
	if (verify->checkpoints > 0)
		printf(",\"checkpoints\":%" PRIu64 ",\"key\":\"%s\",\"key_given\":%s", verify->checkpoints,
			key, verify->is_key_given ? "true" : "false");
	puts("}");
}

static void show(const struct cli *cli, const struct verify *verify)
{
	char hash[HASH_TEXT_BYTES] = "";
	char key[2 * CHECKPOINT_KEY_BYTES + 1] = "";

	hash_text(verify, hash);
	hex_encode(verify->key, CHECKPOINT_KEY_BYTES, key);
	if (cli_is_json(cli)) {
		show_json(verify, hash, key);
		return;
	}
	printf("%" PRIu64 " records, ", verify->count);
	if (verify->first > 1)
		printf("from record %" PRIu64 " on, ", verify->first);
	printf("head %s\n", hash);
	if (verify->checkpoints > 0)
		printf("%" PRIu64 " signed by %s\n", verify->checkpoints, key);
	if (verify->checkpoints > 0 && !verify->is_key_given)
		cli_say("that key is what the checkpoints say themselves: compare it with the one you noted, "
			"or "
			"give that with --key");
}

enum err audit_verify_run(struct cli *cli)
{
	struct verify verify = {0};
	bool has_files = args_text(&cli->args, SLOT_FILE) != NULL;
	enum err err = read_key(cli, &verify);

	if (err == OK)
		err = read_saved(cli, &verify);
	if (err == OK)
		err = has_files ? verify_files(cli, &verify) : verify_daemon(cli, &verify);
	if (err != OK)
		return err;
	if (verify.count == 0)
		return cli_fail(cli, ERR_BAD_VALUE, "no records");
	if (verify_saved(&verify) != OK)
		return cli_fail(cli, ERR_BAD_VALUE, "%s", verify.why);
	show(cli, &verify);
	return OK;
}
